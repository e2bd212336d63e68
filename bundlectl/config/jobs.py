"""Stages 12, 14 and 18 for each job: keyed merges, cluster fix-ups, compute override, presets, defaults, annotations.

Called by config.loader; each function takes the whole tree and changes jobs only (config language 10.1, 10.3, 11).
"""

from collections.abc import Callable, Sequence

from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import warning
from bundlectl.config.merge import merge_by_key
from bundlectl.config.modes import DEVELOPMENT, PRODUCTION, mode_of
from bundlectl.config.node import NOWHERE, Node, lookup, set_at
from bundlectl.config.permissions import with_jobs
from bundlectl.config.reading import has_errors, members
from bundlectl.config.structure import shape
from bundlectl.model.location import SourceSpan

_OTHER_KIND = "BND224"
_TRIGGERS = ("schedule", "continuous", "trigger")
_COMPUTE = ("new_cluster", "job_cluster_key", "existing_cluster_id", "environment_key")
_REPLACED_COMPUTE = ("new_cluster", "job_cluster_key", "environment_key")
_POOL_REMOVES = ("node_type_id", "driver_node_type_id", "enable_elastic_disk")
_POOL_KEEPS = {
    "aws_attributes": "instance_profile_arn",
    "gcp_attributes": "google_service_account",
    "azure_attributes": "",
}


def each_job(node: Node, change: Callable[[str, Node], Node]) -> Node:
    """A tree in which every job went through `change`."""
    changed = {}
    for key, job in members(node, "resources", "jobs").items():
        if job.is_map:
            kept = change(key, job)
            if kept is not job:
                changed[key] = kept
    return with_jobs(node, changed)


def tasks_of(job: Node) -> Sequence[Node]:
    """The tasks of a job."""
    tasks = job.get("tasks")
    return tasks.value if tasks is not None and isinstance(tasks.value, list) else ()


def change_tasks(job: Node, change: Callable[[Node], Node]) -> Node:
    """A job in which every task went through `change`, inner tasks of a loop first."""
    tasks = job.get("tasks")
    if tasks is None or not isinstance(tasks.value, list):
        return job
    changed = False
    kept = []
    for task in tasks.value:
        result = _change_task(task, change) if task.is_map else task
        changed = changed or result is not task
        kept.append(result)
    return job.with_member("tasks", tasks.with_value(kept)) if changed else job


def _change_task(task: Node, change: Callable[[Node], Node]) -> Node:
    loop = task.get("for_each_task")
    inner = loop.get("task") if loop is not None else None
    if loop is not None and inner is not None and inner.is_map:
        kept = _change_task(inner, change)
        if kept is not inner:
            task = task.with_member("for_each_task", loop.with_member("task", kept))
    return change(task)


def merge_keyed(node: Node, facts: Facts) -> Outcome:
    """Elements of keyed lists from several places become one (section 5)."""
    found: Findings = []

    def change(key: str, job: Node) -> Node:
        path = ("resources", "jobs", key)
        own: Findings = []
        merged = merge_by_key(job, path, own)
        if not any(finding.code == _OTHER_KIND for finding in own):
            found.extend(own)
            return merged
        # Variables of the command line are text until the field says what they are: 5 and "5" can be merged then.
        coerced, said = shape(job, part="values", allow_unknown_fields=True, at=path)
        found.extend(said)
        return job if has_errors(said) else merge_by_key(coerced, path, found)

    return each_job(node, change), found


def fix_clusters(node: Node, facts: Facts) -> Outcome:
    """What a cluster from a pool does not take."""

    def change(key: str, job: Node) -> Node:
        clusters = job.get("job_clusters")
        if clusters is not None and isinstance(clusters.value, list):
            kept = [_fixed_holder(cluster) for cluster in clusters.value]
            if any(new is not old for new, old in zip(kept, clusters.value, strict=True)):
                job = job.with_member("job_clusters", clusters.with_value(kept))
        return change_tasks(job, _fixed_holder)

    return each_job(node, change), []


def _fixed_holder(holder: Node) -> Node:
    cluster = holder.get("new_cluster")
    if cluster is None or not cluster.is_map:
        return holder
    pool = cluster.get("instance_pool_id")
    if pool is None or not pool.value:
        kept = cluster.without("driver_instance_pool_id")
    else:
        kept = cluster.without(*_POOL_REMOVES)
        for name, field in _POOL_KEEPS.items():
            attributes = kept.get(name)
            if attributes is not None and attributes.is_map and set(attributes.value) - {field}:
                value = {field: attributes.value[field]} if field in attributes.value else {}
                kept = kept.with_member(name, attributes.with_value(value))
    return holder if kept is cluster else holder.with_member("new_cluster", kept)


def override_compute(node: Node, facts: Facts) -> Outcome:
    """`bundle.cluster_id` in place of the compute of tasks (10.3)."""
    found: Findings = []
    mode = mode_of(node)
    request = facts.request
    override = lookup(node, ("bundle", "cluster_id"))
    given = request.cluster_id
    if given is None and request.cluster_id_environment:
        if mode == DEVELOPMENT:
            given = request.cluster_id_environment
        else:
            summary = "DATABRICKS_CLUSTER_ID is ignored: the target is not in development mode"
            found.append(warning("BND279", summary))
    if given:
        override = Node(given, NOWHERE)
        node = set_at(node, ("bundle", "cluster_id"), override)
    if override is None or not override.value:
        return node, found
    if mode == PRODUCTION:
        summary = "cluster_id replaces the compute of every task in a production target"
        found.append(warning("BND279", summary, override.span, path=("bundle", "cluster_id")))

    def change(task: Node) -> Node:
        if task.get("for_each_task") is not None or all(task.get(name) is None for name in _COMPUTE):
            return task
        return task.without(*_REPLACED_COMPUTE).with_member("existing_cluster_id", override)

    return each_job(node, lambda key, job: change_tasks(job, change)), found


def apply_presets(node: Node, facts: Facts) -> Outcome:
    """Presets on each job (10.1), in their order."""
    presets = members(node, "presets")

    def change(key: str, job: Node) -> Node:
        prefix = presets.get("name_prefix")
        if prefix is not None and prefix.value:
            name = job.get("name")
            text = name.value if name is not None and isinstance(name.value, str) else ""
            place = name.span if name is not None else prefix.span
            # A job without a name is named by the prefix alone, without the space that would part the two: a name
            # that ends with white space is refused (BND211).
            job = job.with_member("name", Node(f"{prefix.value}{text}" if text else str(prefix.value).rstrip(), place))
        job = _tags(job, presets.get("tags"))
        most = presets.get("jobs_max_concurrent_runs")
        if most is not None and most.value:
            own = job.get("max_concurrent_runs")
            if own is None or not own.value:
                job = job.with_member("max_concurrent_runs", most)
        return _paused(job, presets.get("trigger_pause_status"))

    return (each_job(node, change) if presets else node), []


def _tags(job: Node, preset: Node | None) -> Node:
    if preset is None or not preset.is_map or not preset.value:
        return job
    tags = job.get("tags")
    own = tags.value if tags is not None and tags.is_map else {}
    added = {
        name: preset.value[name]
        for name in sorted(preset.value, key=lambda name: name.encode("utf-8", "surrogatepass"))
        if (mine := own.get(name)) is None or mine.value in (None, "")
    }
    if not added:
        return job
    holder = tags if tags is not None and tags.is_map else Node({}, preset.span)
    return job.with_member("tags", holder.with_value({**own, **added}))


def _paused(job: Node, status: Node | None) -> Node:
    if status is None or not status.value:
        return job
    for name in _TRIGGERS:
        starter = job.get(name)
        if starter is not None and starter.is_map and not _has_status(starter):
            job = job.with_member(name, starter.with_member("pause_status", status))
    triggers = job.get("triggers")
    if triggers is not None and isinstance(triggers.value, list):
        kept = [
            entry.with_member("pause_status", status) if entry.is_map and not _has_status(entry) else entry
            for entry in triggers.value
        ]
        job = job.with_member("triggers", triggers.with_value(kept))
    return job


def _has_status(starter: Node) -> bool:
    status = starter.get("pause_status")
    return status is not None and bool(status.value)


def defaults(node: Node, facts: Facts) -> Outcome:
    """What a job has when it says nothing (11)."""
    place = SourceSpan(facts.root_file, 0, 0)
    untitled, one, unpaused = Node("Untitled", place), Node(1, place), Node("UNPAUSED", place)
    queue = Node({"enabled": Node(True, place)}, place)
    true = Node(True, place)

    def change(key: str, job: Node) -> Node:
        value = dict(job.value)
        if "name" not in value or value["name"].value is None:
            value["name"] = untitled
        if "max_concurrent_runs" not in value or value["max_concurrent_runs"].value is None:
            value["max_concurrent_runs"] = one
        if "queue" not in value:
            value["queue"] = queue
        for name in _TRIGGERS:
            starter = value.get(name)
            if starter is not None and starter.is_map and not _has_status(starter):
                value[name] = starter.with_member("pause_status", unpaused)
        clusters = value.get("job_clusters")
        if clusters is not None and isinstance(clusters.value, list):
            kept = [_clients(cluster, true) for cluster in clusters.value]
            if any(new is not old for new, old in zip(kept, clusters.value, strict=True)):
                value["job_clusters"] = clusters.with_value(kept)
        return job.with_value(value)

    return each_job(node, change), []


def _clients(cluster: Node, true: Node) -> Node:
    clients = lookup(cluster, ("new_cluster", "workload_type", "clients"))
    if clients is None or not clients.is_map:
        return cluster
    kept = clients
    for name in ("notebooks", "jobs"):
        if kept.get(name) is None:
            kept = kept.with_member(name, true)
    return cluster if kept is clients else set_at(cluster, ("new_cluster", "workload_type", "clients"), kept)


def annotate(node: Node, facts: Facts) -> Outcome:
    """Who made the job, always the same for all jobs of a bundle."""
    place = SourceSpan(facts.root_file, 0, 0)
    state = members(node, "workspace").get("state_path")
    path = state.value if state is not None else ""
    deployment = Node(
        {"kind": Node("BUNDLE", place), "metadata_file_path": Node(f"{path}/metadata.json", place)}, place
    )
    locked, form = Node("UI_LOCKED", place), Node("MULTI_TASK", place)
    fields = {"deployment": deployment, "edit_mode": locked, "format": form}
    return each_job(node, lambda key, job: job.with_value({**job.value, **fields})), []
