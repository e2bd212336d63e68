"""Models of a job: its tasks, notifications, health rules and settings.

Field tables 20.1 and 20.3 of the bundle language. Rules between fields are in config.rules.
"""

from typing import Literal

from bundlectl.schema import tasks
from bundlectl.schema.base import Model, optional, required
from bundlectl.schema.compute import Environment, EnvironmentVariables, JobCluster, Library, NewCluster, TaskCompute
from bundlectl.schema.settings import JobBlock
from bundlectl.schema.triggers import Continuous, CronSchedule, Trigger, TriggerEntry


class HealthRule(Model):
    what = "a health rule"
    metric: Literal[
        "RUN_DURATION_SECONDS",
        "STREAMING_BACKLOG_BYTES",
        "STREAMING_BACKLOG_FILES",
        "STREAMING_BACKLOG_RECORDS",
        "STREAMING_BACKLOG_SECONDS",
    ] = required("What is measured")
    op: Literal["GREATER_THAN"] = required("How it is compared")
    value: int = required("What it is compared with")


class Health(Model):
    what = "health"
    rules: list[HealthRule] | None = optional("Rules; a warning is sent when one is met")


class EmailNotifications(Model):
    what = "email_notifications"
    on_start: list[str] | None = optional("Addresses told of each start")
    on_success: list[str] | None = optional("Addresses told of each success")
    on_failure: list[str] | None = optional("Addresses told of each failure")
    on_duration_warning_threshold_exceeded: list[str] | None = optional("Addresses told when a run takes too long")
    on_streaming_backlog_exceeded: list[str] | None = optional("Addresses told when a stream falls behind")
    on_maintenance_start: list[str] | None = optional("Addresses told when maintenance starts")
    on_maintenance_complete: list[str] | None = optional("Addresses told when maintenance ends")
    no_alert_for_skipped_runs: bool | None = optional("Deprecated: use notification_settings")


class Webhook(Model):
    what = "a webhook"
    id: str = required("Notification destination to call")


class WebhookNotifications(Model):
    what = "webhook_notifications"
    on_start: list[Webhook] | None = optional("Called at each start", max_length=3)
    on_success: list[Webhook] | None = optional("Called after each success", max_length=3)
    on_failure: list[Webhook] | None = optional("Called after each failure", max_length=3)
    on_duration_warning_threshold_exceeded: list[Webhook] | None = optional(
        "Called when a run takes too long", max_length=3
    )
    on_streaming_backlog_exceeded: list[Webhook] | None = optional("Called when a stream falls behind", max_length=3)
    on_maintenance_start: list[Webhook] | None = optional("Called when maintenance starts", max_length=3)
    on_maintenance_complete: list[Webhook] | None = optional("Called when maintenance ends", max_length=3)


class NotificationSettings(Model):
    what = "notification_settings"
    no_alert_for_skipped_runs: bool | None = optional("Whether skipped runs are passed over in silence")
    no_alert_for_canceled_runs: bool | None = optional("Whether cancelled runs are passed over in silence")


class TaskNotificationSettings(NotificationSettings):
    what = "notification_settings"
    alert_on_last_attempt: bool | None = optional("Whether only the last attempt is told of")


class Dependency(Model):
    what = "a dependency"
    task_key: str = required("Task that must have ended")
    outcome: str | None = optional('Of a condition task: "true" or "false", the branch that this task is on')


class ForEach(Model):
    what = "for_each_task"
    inputs: str = required("JSON list, or a reference to one; the inner task runs once for each element")
    task: "Task" = required("The task that runs for each element")
    concurrency: int | None = optional("Most iterations that run at a time", ge=1, le=100)


class Task(Model):
    what = "a task"
    task_key: str = required(
        "Name of the task inside the job", pattern=r"^[\w-]+$", max_length=100, code="BND262", known_as=("name", "key")
    )
    description: str | None = optional("What the task is for", max_bytes=4096)
    depends_on: list[Dependency] | None = optional("Tasks that must have ended first", key="task_key")
    run_if: (
        Literal["ALL_DONE", "ALL_FAILED", "ALL_SUCCESS", "AT_LEAST_ONE_FAILED", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED"]
        | None
    ) = optional("How the tasks in depends_on must have ended; ALL_SUCCESS if left out")
    disabled: bool | None = optional("Whether the task is skipped")
    timeout_seconds: int | None = optional("Longest time of one attempt; 0 for none", ge=0, known_as=("timeout",))
    max_retries: int | None = optional(
        "Attempts after the first one; -1 for as many as it takes", ge=-1, le=5000, known_as=("retries",)
    )
    min_retry_interval_millis: int | None = optional("Least time between the starts of two attempts", ge=0)
    retry_on_timeout: bool | None = optional("Whether an attempt that timed out is repeated")
    disable_auto_optimization: bool | None = optional("Whether serverless auto-optimization is off")
    existing_cluster_id: str | None = optional("A running cluster to use", known_as=("cluster_id",))
    new_cluster: NewCluster | None = optional("A cluster that is started for this task")
    job_cluster_key: str | None = optional("One of the job's job_clusters")
    environment_key: str | None = optional("One of the job's environments")
    environment_variables_key: str | None = optional("One of the job's environment_variables")
    compute: TaskCompute | None = optional("Serverless hardware")
    libraries: list[Library] | None = optional("Libraries that are installed before the task runs")
    on_lost: Literal["fail", "retry"] | None = optional(
        "What happens when the outcome of an attempt is unknown; embedded engine only"
    )
    idempotent: bool | None = optional("Whether running an attempt twice does no harm; embedded engine only")
    health: Health | None = optional("Rules that send a warning")
    email_notifications: EmailNotifications | None = optional("Who gets mail about this task")
    webhook_notifications: WebhookNotifications | None = optional("What is called about this task")
    notification_settings: TaskNotificationSettings | None = optional("When nobody is told")
    notebook_task: tasks.Notebook | None = optional("Runs a notebook")
    spark_python_task: tasks.SparkPython | None = optional(
        "Runs a Python file", known_as=("python_task", "python_file_task", "python_script_task")
    )
    python_wheel_task: tasks.PythonWheel | None = optional(
        "Runs an entry point of a Python package", known_as=("wheel_task", "python_package_task")
    )
    spark_jar_task: tasks.SparkJar | None = optional("Runs the main class of a JAR", known_as=("jar_task",))
    spark_submit_task: tasks.SparkSubmit | None = optional("Runs spark-submit")
    sql_task: tasks.Sql | None = optional("Runs SQL in a warehouse", known_as=("query_task",))
    dbt_task: tasks.Dbt | None = optional("Runs dbt commands")
    run_job_task: tasks.RunJob | None = optional("Runs another job and waits for it", known_as=("job_task",))
    condition_task: tasks.Condition | None = optional("Compares two values", known_as=("if_else_task", "if_task"))
    for_each_task: ForEach | None = optional("Runs one task for each element of a list", known_as=("loop_task",))
    pipeline_task: tasks.Pipeline | None = optional("Updates a pipeline", known_as=("dlt_task",))
    python_operator_task: tasks.PythonOperator | None = optional("Calls a Python function")
    ai_runtime_task: tasks.AiRuntime | None = optional("Runs scripts on GPU nodes")
    gen_ai_compute_task: tasks.GenAiCompute | None = optional("Runs a training script; ai_runtime_task is newer")
    ai_function_task: tasks.AiFunction | None = optional("Applies an AI function to rows or files")
    dashboard_task: tasks.Dashboard | None = optional("Refreshes a dashboard")
    alert_task: tasks.Alert | None = optional("Evaluates an alert")
    power_bi_task: tasks.PowerBi | None = optional("Publishes tables to Power BI")
    clean_rooms_notebook_task: tasks.CleanRoomsNotebook | None = optional("Runs a notebook in a clean room")
    dbt_cloud_task: tasks.DbtCloud | None = optional("Runs a job of dbt Cloud; dbt_platform_task is newer")
    dbt_platform_task: tasks.DbtPlatform | None = optional("Runs a job of the dbt platform")
    shell_task: tasks.Shell | None = optional(
        "Runs a command; embedded engine and Airflow only",
        known_as=("bash_task", "command_task", "script_task", "sh_task", "exec_task"),
    )


class Parameter(Model):
    what = "a job parameter"
    name: str = required("Name of the parameter", pattern=r"^[A-Za-z0-9_.-]+$")
    default: str = required("Value when a run gives none", known_as=("value",))


class Queue(Model):
    what = "queue"
    enabled: bool = required("Whether a run waits when it cannot start at once")


class RunAs(Model):
    what = "run_as"
    one_of = ("user_name", "service_principal_name", "group_name")
    may_be_none = False
    one_of_code = "BND270"
    one_of_error = True
    user_name: str | None = optional("User whose rights runs have")
    service_principal_name: str | None = optional("Application id of the service principal whose rights runs have")
    group_name: str | None = optional("Group whose rights runs have")


class Permission(Model):
    what = "a permission"
    one_of = ("user_name", "group_name", "service_principal_name")
    may_be_none = False
    level: Literal["CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW", "IS_OWNER"] = required("What is allowed")
    user_name: str | None = optional("User who is allowed")
    group_name: str | None = optional("Group that is allowed")
    service_principal_name: str | None = optional("Application id of the service principal that is allowed")


class SparseCheckout(Model):
    what = "sparse_checkout"
    patterns: list[str] | None = optional("Files to check out")


class JobSource(Model):
    what = "job_source"
    import_from_git_branch: str = required("Branch that the job's settings come from")
    job_config_path: str = required("File that holds the job's settings")
    dirty_state: Literal["DISCONNECTED", "NOT_SYNCED"] | None = optional("Whether the settings differ from the file")


class GitSnapshot(Model):
    what = "git_snapshot"
    used_commit: str | None = optional("Commit that a run used")


class GitSource(Model):
    what = "git_source"
    one_of = ("git_branch", "git_tag", "git_commit")
    git_url: str = required("Address of the repository")
    git_provider: str = required("Service that hosts the repository", form="git_provider")
    git_branch: str | None = optional("Branch that runs check out")
    git_tag: str | None = optional("Tag that runs check out")
    git_commit: str | None = optional("Commit that runs check out")
    sparse_checkout: SparseCheckout | None = optional("Which files are checked out")
    job_source: JobSource | None = optional("Where the job's settings come from")
    git_snapshot: GitSnapshot | None = optional("Commit that was used; set by the backend")


class Lifecycle(Model):
    what = "lifecycle"
    prevent_destroy: bool | None = optional("Whether the job may not be deleted; becomes protection in the state")


class JobDeployment(Model):
    what = "deployment"
    kind: Literal["BUNDLE", "SYSTEM_MANAGED"] | None = optional("Overwritten by bundlectl")
    metadata_file_path: str | None = optional("Overwritten by bundlectl")
    deployment_id: str | None = optional("Reserved", read_only=True, error=True)
    version_id: str | None = optional("Reserved", read_only=True, error=True)


class Job(Model):
    what = "a job"
    name: str | None = optional("Name that people see", max_bytes=4096, form="name")
    description: str | None = optional("What the job is for", max_length=27700)
    tags: dict[str, str] | None = optional("Tags of the job and of the clusters it starts", max_length=25)
    parameters: list[Parameter] | None = optional("Job parameters with their defaults", key="name")
    tasks: list[Task] | None = optional(
        "What the job does", key="task_key", max_length=1000, code="BND261", known_as=("steps",)
    )
    job_clusters: list[JobCluster] | None = optional(
        "Clusters that tasks share", key="job_cluster_key", max_length=100, known_as=("clusters",)
    )
    environments: list[Environment] | None = optional(
        "Serverless environments that tasks use", key="environment_key", unique=True
    )
    environment_variables: list[EnvironmentVariables] | None = optional(
        "Sets of environment variables that tasks use", key="environment_variables_key", unique=True, max_length=10
    )
    schedule: CronSchedule | None = optional("Starts runs at times of a cron expression", known_as=("cron",))
    trigger: Trigger | None = optional("Starts runs when something happens")
    triggers: list[TriggerEntry] | None = optional("Several triggers; instead of schedule, trigger and continuous")
    continuous: Continuous | None = optional("Keeps one run going")
    queue: Queue | None = optional("Whether runs wait when they cannot start at once")
    max_concurrent_runs: int | None = optional("Most runs at a time; 0 skips every run", ge=0, le=1000)
    timeout_seconds: int | None = optional("Longest time of a run; 0 for none", ge=0, known_as=("timeout",))
    health: Health | None = optional("Rules that send a warning")
    email_notifications: EmailNotifications | None = optional("Who gets mail")
    webhook_notifications: WebhookNotifications | None = optional("What is called")
    notification_settings: NotificationSettings | None = optional("When nobody is told")
    run_as: RunAs | None = optional("Whose rights runs have")
    permissions: list[Permission] | None = optional("Who may see, run and manage the job")
    git_source: GitSource | None = optional("Repository that runs take their code from")
    lifecycle: Lifecycle | None = optional("What may happen to the job")
    performance_target: Literal["PERFORMANCE_OPTIMIZED", "STANDARD"] | None = optional("Serverless performance")
    budget_policy_id: str | None = optional("Budget policy; usage_policy_id is newer")
    usage_policy_id: str | None = optional("Usage policy")
    parent_path: str | None = optional("Workspace folder of the job")
    duration_target: str | None = optional("Duration that runs aim at")
    deployment: JobDeployment | None = optional("Set by bundlectl")
    edit_mode: Literal["EDITABLE", "UI_LOCKED"] | None = optional("Set by bundlectl to UI_LOCKED")
    format: Literal["MULTI_TASK", "SINGLE_TASK"] | None = optional("Set by bundlectl to MULTI_TASK")
    bundlectl: JobBlock | None = optional("Settings of bundlectl for this job; never sent to a backend")
