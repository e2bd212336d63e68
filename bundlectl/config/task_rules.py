"""Rules about the tasks of a job: types, dependencies, keys, compute, loops, commands (config language 20.4).

Listed in config.rules.RULES; each rule takes one JobView and yields its findings.
"""

from collections.abc import Iterator, Mapping

from bundlectl.base.suggest import nearest
from bundlectl.config.job_view import (
    JobView,
    TaskView,
    elements,
    finding,
    member,
    resolved_text,
    task_types,
)
from bundlectl.config.node import Node
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import FieldPath, SourceSpan

ERROR, PLAN_ERROR, WARNING, NOTE = Severity.ERROR, Severity.PLAN_ERROR, Severity.WARNING, Severity.NOTE
Findings = Iterator[Diagnostic]

# Key of a task -> (list of the job that defines it, what an element is called).
_DEFINED_IN: Mapping[str, tuple[str, str]] = {
    "job_cluster_key": ("job_clusters", "job cluster"),
    "environment_key": ("environments", "environment"),
    "environment_variables_key": ("environment_variables", "set of environment variables"),
}
_CLUSTER_FIELDS = ("existing_cluster_id", "new_cluster", "job_cluster_key")
_COMPUTE_FIELDS = (*_CLUSTER_FIELDS, "environment_key")
_NEEDS_COMPUTE = ("python_wheel_task", "spark_python_task", "spark_jar_task", "spark_submit_task", "dbt_task")
_RETRY_FIELDS = ("max_retries", "min_retry_interval_millis", "retry_on_timeout")


def has_tasks(job: JobView) -> Findings:
    """A job without tasks does nothing."""
    tasks = member(job.node, "tasks")
    if tasks is None or tasks.value == []:
        yield finding("BND250", PLAN_ERROR, f'job "{job.key}" has no tasks', job.path, job.span)


def one_task_type(job: JobView) -> Findings:
    """Each task has exactly one task type."""
    for task in job.tasks:
        types = task_types(task.node)
        if len(types) == 1:
            continue
        if not types:
            summary = f'task "{task.name}" does nothing: no task type'
            yield finding("BND251", PLAN_ERROR, summary, task.path, task.node.span)
            continue
        found = ", ".join(types[:-1]) + f" and {types[-1]}"
        spans = [task.node.key_span(name) for name in types]
        yield finding("BND252", PLAN_ERROR, f"a task has one type, found {found}", task.path, *spans)


def keys_differ_by_more_than_case(job: JobView) -> Findings:
    """Two keys that differ only by case are taken for one by people and by some file systems."""
    seen: dict[str, TaskView] = {}
    for task in job.outer:
        if task.key is None:
            continue
        first = seen.setdefault(task.key.casefold(), task)
        if first.key is not None and first.key != task.key:
            summary = f'task keys differ only by case: "{first.key}", "{task.key}"'
            yield finding("BND263", WARNING, summary, task.path, _key_place(task), _key_place(first))


def compute_keys_exist(job: JobView) -> Findings:
    """job_cluster_key, environment_key and environment_variables_key name something that the job defines."""
    for field, (list_name, what) in _DEFINED_IN.items():
        known = _defined(job, list_name, field) if field in job.fields else None
        if known is None:
            continue
        for task in job.tasks:
            node = member(task.node, field)
            name = resolved_text(node)
            if node is None or name is None or name in known:
                continue
            near = nearest(name, known)
            detail = f'did you mean "{near}"?' if near else f"{list_name} has {_listed(known)}"
            summary = f'no {what} "{name}" in job "{job.key}"'
            yield finding("BND257", PLAN_ERROR, summary, (*task.path, field), node.span, detail=detail)


def one_cluster(job: JobView) -> Findings:
    """At most one of existing_cluster_id, new_cluster and job_cluster_key."""
    if len(job.fields.intersection(_CLUSTER_FIELDS)) < 2:
        return
    for task in job.tasks:
        found = [name for name in _CLUSTER_FIELDS if member(task.node, name) is not None]
        if len(found) > 1:
            summary = f'task "{task.name}" has several compute settings: {", ".join(found)}'
            spans = [task.node.key_span(name) for name in found]
            yield finding("BND259", PLAN_ERROR, summary, task.path, *spans)


def compute_is_given(job: JobView) -> Findings:
    """Some task types need compute on a workspace."""
    if job.backend != "databricks":
        return
    for task in job.tasks:
        needs = next((name for name in _NEEDS_COMPUTE if member(task.node, name) is not None), None)
        if needs is None or any(member(task.node, name) is not None for name in _COMPUTE_FIELDS):
            continue
        summary = f'task "{task.name}" has no compute for its {needs}'
        hint = f"set one of {', '.join(_COMPUTE_FIELDS)}"
        yield finding("BND258", ERROR, summary, task.path, task.node.key_span(needs), hint=hint)


def loops(job: JobView) -> Findings:
    """What a for_each_task and its inner task may not have."""
    if "for_each_task" not in job.fields:
        return
    for task in job.tasks:
        path = task.path
        if task.inner and member(task.node, "for_each_task") is not None:
            summary = "a for_each_task cannot be inside a for_each_task"
            yield finding("BND260", PLAN_ERROR, summary, path, task.node.key_span("for_each_task"))
        if task.inner and member(task.node, "depends_on") is not None:
            summary = "the inner task of a for_each_task has no depends_on"
            hint = "put depends_on on the task around it"
            place = task.node.key_span("depends_on")
            yield finding("BND260", PLAN_ERROR, summary, (*path, "depends_on"), place, hint=hint)
        if member(task.node, "for_each_task") is None:
            continue
        for field in _RETRY_FIELDS:
            if member(task.node, field) is not None:
                summary = f"{field} belongs on the inner task of a for_each_task"
                yield finding("BND260", PLAN_ERROR, summary, (*path, field), task.node.key_span(field))


def shell_commands(job: JobView) -> Findings:
    """A text command holds no {{...}}: a pasted value would be shell code. The folder stays in the snapshot."""
    if "shell_task" not in job.fields:
        return
    for task in job.tasks:
        shell = member(task.node, "shell_task")
        path = (*task.path, "shell_task")
        command = member(shell, "command")
        if command is not None and isinstance(command.value, str) and "{{" in command.value:
            yield finding(
                "BND247",
                ERROR,
                "a text command may not hold {{...}}: its value would be run as shell code",
                (*path, "command"),
                command.span,
                hint="write the command as a list, or use $BUNDLECTL_PARAM_<name>",
            )
        folder = member(shell, "working_directory")
        text = resolved_text(folder)
        if folder is not None and text is not None and (text.startswith("/") or ".." in text.split("/")):
            yield finding(
                "BND284",
                ERROR,
                f'working_directory "{text}" is not below the root of the snapshot',
                (*path, "working_directory"),
                folder.span,
                hint="give a folder relative to the sync root, without ..",
            )


def single_node_clusters(job: JobView) -> Findings:
    """A cluster without workers runs nothing unless it is a single-node cluster."""
    clusters: list[tuple[Node, FieldPath]] = []
    for index, element in enumerate(elements(member(job.node, "job_clusters"))):
        cluster = member(element, "new_cluster")
        if cluster is not None:
            clusters.append((cluster, (*job.path, "job_clusters", index, "new_cluster")))
    for task in job.tasks if "new_cluster" in job.fields else ():
        cluster = member(task.node, "new_cluster")
        if cluster is not None:
            clusters.append((cluster, (*task.path, "new_cluster")))
    for cluster, path in clusters:
        workers = member(cluster, "num_workers")
        if workers is None or workers.value != 0 or isinstance(workers.value, bool) or _is_single_node(cluster):
            continue
        summary = "num_workers is 0 and the cluster is no single-node cluster: Spark work waits for workers"
        hint = "set is_single_node: true, or num_workers to 1 or more"
        yield finding("BND264", WARNING, summary, (*path, "num_workers"), workers.span, hint=hint)


def _is_single_node(cluster: Node) -> bool:
    single = member(cluster, "is_single_node")
    if (single is not None and single.value is True) or member(cluster, "policy_id") is not None:
        return True
    conf, tags = member(cluster, "spark_conf"), member(cluster, "custom_tags")
    if any(node is not None and not isinstance(node.value, dict) for node in (conf, tags)):
        return True  # not resolved
    profile = member(conf, "spark.databricks.cluster.profile")
    master = member(conf, "spark.master")
    kind = member(tags, "ResourceClass")
    return (
        profile is not None
        and profile.value == "singleNode"
        and master is not None
        and str(master.value).startswith("local")
        and kind is not None
        and kind.value == "SingleNode"
    )


def _defined(job: JobView, list_name: str, field: str) -> set[str] | None:
    """Keys that a list of the job defines; None when the list or one of its keys is not resolved."""
    node = member(job.node, list_name)
    if node is None:
        return set()
    if not isinstance(node.value, list):
        return None
    keys = [member(element, field) for element in node.value]
    names = [resolved_text(key) for key in keys]
    if any(key is not None and name is None for key, name in zip(keys, names, strict=True)):
        return None
    return {name for name in names if name is not None}


def _listed(names: set[str]) -> str:
    if not names:
        return "no element"
    shown = ", ".join(f'"{name}"' for name in sorted(names)[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _key_place(task: TaskView) -> SourceSpan:
    node = member(task.node, "task_key")
    return node.span if node is not None else task.node.span
