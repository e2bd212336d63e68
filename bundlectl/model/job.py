"""One job: the Jobs API document untouched, where its fields were written, and the table of natural list keys.

Made by config.decode and config.cache, read by planning, backends and operations. The many fields of the API are
not modelled again here (schema.job does, for validation).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bundlectl.model.location import SourceSpan

JsonObject = dict[str, Any]

# Lists whose elements have a natural key: path with `*` for an element -> field. Such lists are compared by key, so
# that a shuffle is no change. A list without an entry here is compared by position.
NATURAL_KEYS: Mapping[tuple[str, ...], str] = {
    ("tasks",): "task_key",
    ("tasks", "*", "depends_on"): "task_key",
    ("job_clusters",): "job_cluster_key",
    ("environments",): "environment_key",
    ("environment_variables",): "environment_variables_key",
    ("parameters",): "name",
}

# Keyed by whichever of these fields is set: one entry per principal.
PRINCIPAL_FIELDS = ("user_name", "group_name", "service_principal_name")
PRINCIPAL_LISTS = (("permissions",), ("access_control_list",))

TASK_TYPES = (
    "notebook_task",
    "spark_python_task",
    "python_wheel_task",
    "spark_jar_task",
    "spark_submit_task",
    "sql_task",
    "dbt_task",
    "run_job_task",
    "condition_task",
    "for_each_task",
    "pipeline_task",
    "python_operator_task",
    "ai_runtime_task",
    "gen_ai_compute_task",
    "ai_function_task",
    "dashboard_task",
    "alert_task",
    "power_bi_task",
    "clean_rooms_notebook_task",
    "dbt_cloud_task",
    "dbt_platform_task",
    "shell_task",
)

# Fields inside a task that the Jobs API does not have, and the backends that honour them (D1, D8).
EXTENSION_FIELDS: Mapping[str, frozenset[str]] = {
    "shell_task": frozenset({"local", "server", "airflow"}),
    "on_lost": frozenset({"local", "server"}),
    "idempotent": frozenset({"local", "server"}),
}


class JobDigest(NamedTuple):
    """What a plan without changes needs to know of a job."""

    digest: str  # sha256:<hex> of the spec document
    uses_code: bool  # some field names a file of the snapshot, or a task runs inside it
    depends_on: tuple[str, ...] = ()  # keys of jobs whose id this one needs
    renamed_from: str | None = None
    pause: str = "git"  # who owns pause_status: git or operator
    uses_artifacts: bool = False  # it names a wheel or jar of the bundle, so its document is final after the build


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """Desired settings of one job.

    `document` is the body of the Jobs API with `permissions`, without `bundlectl` and `lifecycle`, and without null
    members. Code is named below workspace.file_path, so the document does not depend on what the files hold.
    """

    key: str
    document: JsonObject
    digest: str  # sha256:<hex> of the canonical document
    span: SourceSpan | None  # of the job's key
    spans: Mapping[str, SourceSpan] = field(default_factory=dict)  # full field path -> where its value was written
    meta: JobDigest
    code_paths: tuple[str, ...] = ()  # files that the job names, relative to the sync root


def task_type(task: Mapping[str, Any]) -> str | None:
    """The task-type field that is set, or None."""
    return next((name for name in TASK_TYPES if task.get(name) is not None), None)
