"""The fields of a job as a table: config language 20. Data for test_fields.py.

`!` after a name: required. Kinds: t text, i integer, b boolean, f number, * any map; [x] a list, {t} a map of text; a tuple
holds the values of an enum; a dict is an object. A name in ONE_OF is one of several fields of which one is set.
"""
# ruff: noqa: E501  (one object, one line)

from typing import Any

Shape = Any

PAUSE = ("PAUSED", "UNPAUSED")
SOURCE = ("GIT", "WORKSPACE")
PRINCIPALS = {"user_name": "t", "group_name": "t", "service_principal_name": "t"}
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
WEBHOOKS = {
    name: [{"id!": "t"}]
    for name in (
        "on_start",
        "on_success",
        "on_failure",
        "on_duration_warning_threshold_exceeded",
        "on_streaming_backlog_exceeded",
    )
}
MAILS = {
    **{name: ["t"] for name in (*WEBHOOKS, "on_maintenance_start", "on_maintenance_complete")},
    "no_alert_for_skipped_runs": "b",
}
HEALTH = {
    "rules": [
        {
            "metric!": (
                "RUN_DURATION_SECONDS",
                "STREAMING_BACKLOG_BYTES",
                "STREAMING_BACKLOG_FILES",
                "STREAMING_BACKLOG_RECORDS",
                "STREAMING_BACKLOG_SECONDS",
            ),
            "op!": ("GREATER_THAN",),
            "value!": "i",
        }
    ]
}
SQL_CONDITION = {
    "sql_query_id!": "t",
    "warehouse_id!": "t",
    "trigger_mode": ("QUERY_RETURNS_ROWS", "RESULT_VALUE_CHANGES"),
}
WINDOW = {"start_hour!": "i", "day_of_week!": DAYS, "timezone_id!": "t"}
CONTINUOUS = {"task_retry_mode": ("NEVER", "ON_FAILURE"), "maintenance_window": WINDOW}
CLOCK = {"min_time_between_triggers_seconds": "i", "wait_after_last_change_seconds": "i"}
TRIGGER_KINDS = {
    "periodic": {"interval!": "i", "unit!": ("MINUTES", "HOURS", "DAYS", "WEEKS")},
    "file_arrival": {"url!": "t", **CLOCK},
    "table_update": {"table_names!": ["t"], "condition": ("ANY_UPDATED", "ALL_UPDATED"), **CLOCK},
    "model": {
        "condition!": ("MODEL_CREATED", "MODEL_VERSION_READY", "MODEL_ALIAS_SET"),
        "securable_name": "t",
        "aliases": ["t"],
        **CLOCK,
    },
    "job_completion": {"jobs!": [{"workspace_id!": "t", "job_id!": "t"}], "if_status": ("SUCCESS", "FAILED", "DONE")},
}
S3 = {
    "destination!": "t",
    "region": "t",
    "endpoint": "t",
    "encryption_type": "t",
    "kms_key": "t",
    "canned_acl": "t",
    "enable_encryption": "b",
}
PLACE = {"destination!": "t"}

CLUSTER = {
    **dict.fromkeys(
        (
            "spark_version",
            "node_type_id",
            "driver_node_type_id",
            "cluster_name",
            "policy_id",
            "instance_pool_id",
            "driver_instance_pool_id",
            "single_user_name",
        ),
        "t",
    ),
    **dict.fromkeys(
        ("num_workers", "autotermination_minutes", "remote_disk_throughput", "total_initial_remote_disk_size"), "i"
    ),
    "autoscale": {"min_workers": "i", "max_workers": "i"},
    **dict.fromkeys(
        (
            "apply_policy_default_values",
            "enable_elastic_disk",
            "enable_local_disk_encryption",
            "is_single_node",
            "use_ml_runtime",
        ),
        "b",
    ),
    **dict.fromkeys(("spark_conf", "spark_env_vars", "custom_tags"), "{t}"),
    "ssh_public_keys": ["t"],
    "data_security_mode": (
        "DATA_SECURITY_MODE_AUTO",
        "DATA_SECURITY_MODE_DEDICATED",
        "DATA_SECURITY_MODE_STANDARD",
        "NONE",
        "SINGLE_USER",
        "USER_ISOLATION",
        "LEGACY_PASSTHROUGH",
        "LEGACY_SINGLE_USER",
        "LEGACY_SINGLE_USER_STANDARD",
        "LEGACY_TABLE_ACL",
    ),
    "runtime_engine": ("NULL", "PHOTON", "STANDARD"),
    "kind": ("CLASSIC_PREVIEW",),
    "dependency_mode": ("DEPENDENCY_MODE_AUTO", "DEPENDENCY_MODE_CLUSTER_LIBRARIES", "DEPENDENCY_MODE_ENVIRONMENTS"),
    "aws_attributes": {
        "availability": ("ON_DEMAND", "SPOT", "SPOT_WITH_FALLBACK"),
        "first_on_demand": "i",
        "zone_id": "t",
        "instance_profile_arn": "t",
        "spot_bid_price_percent": "i",
        "ebs_volume_type": ("GENERAL_PURPOSE_SSD", "THROUGHPUT_OPTIMIZED_HDD"),
        "ebs_volume_count": "i",
        "ebs_volume_size": "i",
        "ebs_volume_iops": "i",
        "ebs_volume_throughput": "i",
    },
    "azure_attributes": {
        "availability": ("ON_DEMAND_AZURE", "SPOT_AZURE", "SPOT_WITH_FALLBACK_AZURE"),
        "first_on_demand": "i",
        "spot_bid_max_price": "f",
        "capacity_reservation_group": "t",
        "log_analytics_info": {"log_analytics_primary_key": "t", "log_analytics_workspace_id": "t"},
    },
    "gcp_attributes": {
        "availability": ("ON_DEMAND_GCP", "PREEMPTIBLE_GCP", "PREEMPTIBLE_WITH_FALLBACK_GCP"),
        "first_on_demand": "i",
        "boot_disk_size": "i",
        "local_ssd_count": "i",
        "zone_id": "t",
        "google_service_account": "t",
        "use_preemptible_executors": "b",
        "confidential_compute_type": ("CONFIDENTIAL_COMPUTE_TYPE_NONE", "SEV_SNP"),
    },
    "cluster_log_conf": {"dbfs": PLACE, "volumes": PLACE, "s3": S3},
    "init_scripts": [
        {"workspace": PLACE, "volumes": PLACE, "file": PLACE, "dbfs": PLACE, "gcs": PLACE, "abfss": PLACE, "s3": S3}
    ],
    "docker_image": {"url": "t", "basic_auth": {"username": "t", "password": "t"}},
    "workload_type": {"clients!": {"jobs": "b", "notebooks": "b"}},
    "driver_node_type_flexibility": {"alternate_node_type_ids": ["t"]},
    "worker_node_type_flexibility": {"alternate_node_type_ids": ["t"]},
}

SUBSCRIPTIONS = [{"user_name": "t", "destination_id": "t"}]
STORAGE = ("DIRECT_QUERY", "IMPORT", "DUAL")
TASK_TYPES: dict[str, Shape] = {
    "notebook_task": {"notebook_path!": "t", "base_parameters": "{t}", "source": SOURCE, "warehouse_id": "t"},
    "spark_python_task": {"python_file!": "t", "parameters": ["t"], "source": SOURCE},
    "python_wheel_task": {"package_name!": "t", "entry_point!": "t", "parameters": ["t"], "named_parameters": "{t}"},
    "spark_jar_task": {"main_class_name": "t", "jar_uri": "t", "parameters": ["t"], "run_as_repl": "b"},
    "spark_submit_task": {"parameters": ["t"]},
    "sql_task": {
        "warehouse_id!": "t",
        "parameters": "{t}",
        "file": {"path!": "t", "source": SOURCE},
        "query": {"query_id!": "t"},
        "alert": {"alert_id!": "t", "pause_subscriptions": "b", "subscriptions": SUBSCRIPTIONS},
        "dashboard": {
            "dashboard_id!": "t",
            "custom_subject": "t",
            "pause_subscriptions": "b",
            "subscriptions": SUBSCRIPTIONS,
        },
    },
    "dbt_task": {
        "commands!": ["t"],
        "project_directory": "t",
        "profiles_directory": "t",
        "catalog": "t",
        "schema": "t",
        "warehouse_id": "t",
        "source": SOURCE,
    },
    "run_job_task": {
        "job_id!": "i",
        "job_parameters": "{t}",
        "notebook_params": "{t}",
        "python_params": ["t"],
        "python_named_params": "{t}",
        "jar_params": ["t"],
        "sql_params": "{t}",
        "dbt_commands": ["t"],
        "spark_submit_params": ["t"],
        "pipeline_params": "*",
    },
    "condition_task": {
        "left!": "t",
        "op!": ("EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"),
        "right!": "t",
    },
    "pipeline_task": {
        "pipeline_id!": "t",
        "full_refresh": "b",
        **{
            name: ["t"]
            for name in (
                "full_refresh_selection",
                "refresh_selection",
                "refresh_flow_selection",
                "reset_checkpoint_selection",
            )
        },
        "parameters": "{t}",
    },
    "python_operator_task": {"main": "t", "parameters": [{"name": "t", "value": "t"}]},
    "ai_runtime_task": {
        "experiment!": "t",
        "deployments!": [
            {
                "compute!": {
                    "accelerator_type!": ("GPU_1xA10", "GPU_1xH100", "GPU_8xH100", "GPU_8xB300"),
                    "accelerator_count!": "i",
                    "provisioned_capacity_id": "t",
                },
                "command_path!": "t",
                "name": "t",
            }
        ],
        **dict.fromkeys(
            (
                "code_source_path",
                "docker_image_url",
                "unity_catalog_image_path",
                "mlflow_artifact_location",
                "mlflow_experiment_directory",
                "mlflow_run",
            ),
            "t",
        ),
        "priority_class": ("BEST_EFFORT", "NORMAL"),
    },
    "gen_ai_compute_task": {
        "dl_runtime_image!": "t",
        "command": "t",
        "compute": {"num_gpus!": "i", "gpu_type": "t", "gpu_node_pool_id": "t"},
        **dict.fromkeys(
            ("training_script_path", "yaml_parameters", "yaml_parameters_file_path", "mlflow_experiment_name"), "t"
        ),
        "source": SOURCE,
    },
    "ai_function_task": {
        "output!": {"catalog": "t", "schema": "t", "table": "t"},
        "ai_classify": "*",
        "ai_extract": "*",
        "ai_parse_document": "*",
        "delta_table": {"table_name!": "t", "input_column!": "t", "merge_key_columns": ["t"]},
        "volume": {"volume_path!": "t"},
    },
    "dashboard_task": {
        "dashboard_id": "t",
        "warehouse_id": "t",
        "filters": "{t}",
        "subscription": {"custom_subject": "t", "paused": "b", "subscribers": SUBSCRIPTIONS, "attachment": "*"},
    },
    "alert_task": {
        "alert_id": "t",
        "workspace_path": "t",
        "warehouse_id": "t",
        "parameters": "{t}",
        "subscribers": SUBSCRIPTIONS,
    },
    "power_bi_task": {
        "connection_resource_name": "t",
        "warehouse_id": "t",
        "refresh_after_update": "b",
        "power_bi_model": {
            "workspace_name": "t",
            "model_name": "t",
            "storage_mode": STORAGE,
            "authentication_method": ("OAUTH", "PAT"),
            "overwrite_existing": "b",
        },
        "tables": [{"catalog": "t", "schema": "t", "name": "t", "storage_mode": STORAGE}],
    },
    "clean_rooms_notebook_task": {
        "clean_room_name!": "t",
        "notebook_name!": "t",
        "etag": "t",
        "notebook_base_parameters": "{t}",
    },
    "dbt_cloud_task": {"connection_resource_name": "t", "dbt_cloud_job_id": "i"},
    "dbt_platform_task": {"connection_resource_name": "t", "dbt_platform_job_id": "t"},
    "shell_task": {"command!": "t", "working_directory": "t"},
    "for_each_task": {"inputs!": "t", "task!": {"task_key!": "t"}, "concurrency": "i"},
}

TASK: dict[str, Shape] = {
    "task_key!": "t",
    "description": "t",
    "depends_on": [{"task_key!": "t", "outcome": "t"}],
    "run_if": ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"),
    **dict.fromkeys(("disabled", "retry_on_timeout", "disable_auto_optimization", "idempotent"), "b"),
    **dict.fromkeys(("timeout_seconds", "max_retries", "min_retry_interval_millis"), "i"),
    **dict.fromkeys(("existing_cluster_id", "job_cluster_key", "environment_key", "environment_variables_key"), "t"),
    "new_cluster": CLUSTER,
    "compute": {"hardware_accelerator": ("GPU_1xA10", "GPU_8xH100")},
    "libraries": [
        {
            "whl": "t",
            "jar": "t",
            "egg": "t",
            "requirements": "t",
            "pypi": {"package!": "t", "repo": "t"},
            "maven": {"coordinates!": "t", "repo": "t", "exclusions": ["t"]},
            "cran": {"package!": "t", "repo": "t"},
        }
    ],
    "on_lost": ("fail", "retry"),
    "health": HEALTH,
    "email_notifications": MAILS,
    "webhook_notifications": WEBHOOKS,
    "notification_settings": {
        "no_alert_for_skipped_runs": "b",
        "no_alert_for_canceled_runs": "b",
        "alert_on_last_attempt": "b",
    },
    **TASK_TYPES,
}

JOB: dict[str, Shape] = {
    "name": "t",
    "description": "t",
    "tags": "{t}",
    "parameters": [{"name!": "t", "default!": "t"}],
    "tasks": [TASK],
    "job_clusters": [
        {
            "job_cluster_key!": "t",
            "new_cluster": CLUSTER,
            "serverless_compute_id": "t",
            "serverless_compute": {"policy_id": "t"},
        }
    ],
    "environments": [
        {
            "environment_key!": "t",
            "spec": {
                "client": "t",
                "environment_version": "t",
                "base_environment": "t",
                "dependencies": ["t"],
                "java_dependencies": ["t"],
            },
        }
    ],
    "environment_variables": [{"environment_variables_key!": "t", "spec": {"files": ["t"], "variables": "{t}"}}],
    "schedule": {
        "quartz_cron_expression!": "t",
        "timezone_id!": "t",
        "pause_status": PAUSE,
        "sql_condition": SQL_CONDITION,
    },
    "trigger": {"pause_status": PAUSE, "sql_condition": SQL_CONDITION, **TRIGGER_KINDS},
    "triggers": [
        {
            "pause_status": PAUSE,
            "sql_condition": SQL_CONDITION,
            "schedule": {"quartz_cron_expression!": "t", "timezone_id!": "t"},
            "continuous": CONTINUOUS,
            **TRIGGER_KINDS,
        }
    ],
    "continuous": {"pause_status": PAUSE, **CONTINUOUS},
    "queue": {"enabled!": "b"},
    "max_concurrent_runs": "i",
    "timeout_seconds": "i",
    "health": HEALTH,
    "email_notifications": MAILS,
    "webhook_notifications": WEBHOOKS,
    "notification_settings": {"no_alert_for_skipped_runs": "b", "no_alert_for_canceled_runs": "b"},
    "run_as": PRINCIPALS,
    "permissions": [{"level!": ("CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW", "IS_OWNER"), **PRINCIPALS}],
    "git_source": {
        "git_url!": "t",
        "git_provider!": (
            "awsCodeCommit",
            "azureDevOpsServices",
            "bitbucketCloud",
            "bitbucketServer",
            "gitHub",
            "gitHubEnterprise",
            "gitLab",
            "gitLabEnterpriseEdition",
            "GITHUB",
        ),
        "git_branch": "t",
        "git_tag": "t",
        "git_commit": "t",
        "sparse_checkout": {"patterns": ["t"]},
        "job_source": {
            "import_from_git_branch!": "t",
            "job_config_path!": "t",
            "dirty_state": ("DISCONNECTED", "NOT_SYNCED"),
        },
        "git_snapshot": {"used_commit": "t"},
    },
    "lifecycle": {"prevent_destroy": "b"},
    "performance_target": ("PERFORMANCE_OPTIMIZED", "STANDARD"),
    **dict.fromkeys(("budget_policy_id", "usage_policy_id", "parent_path", "duration_target"), "t"),
    "bundlectl": {"renamed_from": "t", "code": ("snapshot", "in_place", "git_source"), "pause": ("git", "operator")},
}

# Objects of which one field is set, by the last name of their path: the one to take, and what belongs to the choice.
ONE_OF: dict[str, tuple[str, tuple[str, ...]]] = {
    "libraries": ("egg", ("whl", "jar", "egg", "requirements", "pypi", "maven", "cran")),
    "trigger": ("periodic", tuple(TRIGGER_KINDS)),
    "triggers": ("periodic", (*TRIGGER_KINDS, "schedule", "continuous")),
    "run_as": ("user_name", tuple(PRINCIPALS)),
    "permissions": ("user_name", tuple(PRINCIPALS)),
    "sql_task": ("query", ("file", "query", "alert", "dashboard")),
    "cluster_log_conf": ("dbfs", ("dbfs", "volumes", "s3")),
    "init_scripts": ("dbfs", ("workspace", "volumes", "file", "dbfs", "gcs", "abfss", "s3")),
    "git_source": ("git_branch", ("git_branch", "git_tag", "git_commit")),
}

# Text that a field needs, where any other would be refused for its form.
FORMS: dict[str, Any] = {
    "pipeline_params": {"full_refresh": True},
    "ai_classify": {"version": "1"},
    "ai_extract": {"version": "1"},
    "ai_parse_document": {"version": "1"},
    "attachment": {"page_attachment": {"page_ids": ["p"]}},
    "quartz_cron_expression": "0 0 6 * * ?",
    "timezone_id": "UTC",
    "outcome": "true",
    "notebook_path": "/n",
    "python_file": "/x.py",
    "workspace_path": "/x",
    "path": "/x.sql",
    "command_path": "/x.sh",
    "project_directory": "/d",
    "whl": "dbfs:/x.whl",
    "jar": "dbfs:/x.jar",
    "egg": "dbfs:/x.egg",
    "requirements": "/r.txt",
    "concurrency": 10,
    "start_hour": 3,
    "min_time_between_triggers_seconds": 60,
    "wait_after_last_change_seconds": 60,
}
