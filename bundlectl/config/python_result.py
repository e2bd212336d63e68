"""What Python functions of a bundle made: checked for what a phase may change, and laid over the tree.

Called by config.python_code with what config.python_report read. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bundlectl.config.facts import Findings
from bundlectl.config.findings import error
from bundlectl.config.node import Node, from_plain, plain
from bundlectl.config.python_report import Places, Read
from bundlectl.model.job import NATURAL_KEYS
from bundlectl.model.location import SourceSpan

LOAD, MUTATE = "load_resources", "apply_mutators"

# Fields of jobs and of tasks that only bundlectl knows: the package refuses fields that it does not know.
OWN_JOB_FIELDS = ("bundlectl",)
OWN_TASK_FIELDS = ("shell_task", "on_lost", "idempotent")

_KEYS = {path[-1]: key for path, key in NATURAL_KEYS.items()}


def against_the_rules(before: Mapping[str, Any], read: Read, phase: str, places: Places) -> Findings:
    """What a phase changed and may not: the frame, resources that are there already, resources that are not."""
    assert read.output is not None
    found: Findings = []
    for name in dict.fromkeys([*before, *read.output]):
        if name != "resources" and before.get(name) != read.output.get(name):
            summary = f'python changed "{name}" in phase {phase}; it may change resources only'
            found.append(error("BND297", summary, places.section, path=(name,)))
    old, new = _resources(before), _resources(read.output)
    for kind, key in dict.fromkeys([*old, *new]):
        span = read.places.get((kind, key), places.section)
        path = ("resources", kind, key)
        if (kind, key) not in new:
            found.append(error("BND297", f"python deleted {kind}.{key} in phase {phase}", span, path=path))
        elif (kind, key) not in old and phase == MUTATE:
            summary = f"python added {kind}.{key} in phase {phase}"
            found.append(error("BND297", summary, span, path=path, hint="add it in a function of python.resources"))
        elif phase == LOAD and (kind, key) in old and old[kind, key] != new[kind, key]:
            summary = f"python changed {kind}.{key} in phase {phase}"
            found.append(error("BND297", summary, span, path=path, hint="change it in a function of python.mutators"))
    return found


def _resources(configuration: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    found = {}
    for kind, entries in (configuration.get("resources") or {}).items():
        for key, value in (entries or {}).items():
            found[kind, key] = value
    return found


def added(before: Mapping[str, Any], read: Read, places: Places) -> Node:
    """The resources that are new, as a tree `{resources: {kind: {key: ...}}}`, each at the place where it was made."""
    assert read.output is not None
    known = _resources(before)
    kinds: dict[str, dict[str, Node]] = {}
    for (kind, key), value in _resources(read.output).items():
        if (kind, key) not in known:
            kinds.setdefault(kind, {})[key] = from_plain(value, read.places.get((kind, key), places.section))
    place = places.section
    return Node({"resources": Node({kind: Node(entries, place) for kind, entries in kinds.items()}, place)}, place)


def without_own_fields(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose jobs have no fields that the package does not know."""
    resources = dict(configuration.get("resources") or {})
    jobs = {key: _bare_job(job) for key, job in (resources.get("jobs") or {}).items()}
    return {**configuration, "resources": {**resources, "jobs": jobs}} if jobs else dict(configuration)


def _bare_job(job: Any) -> Any:
    if not isinstance(job, dict):
        return job
    bare = {name: value for name, value in job.items() if name not in OWN_JOB_FIELDS}
    if isinstance(bare.get("tasks"), list):
        bare["tasks"] = [_bare_task(task) for task in bare["tasks"]]
    return bare


def _bare_task(task: Any) -> Any:
    if not isinstance(task, dict):
        return task
    bare = {name: value for name, value in task.items() if name not in OWN_TASK_FIELDS}
    loop = bare.get("for_each_task")
    if isinstance(loop, dict) and isinstance(loop.get("task"), dict):
        bare["for_each_task"] = {**loop, "task": _bare_task(loop["task"])}
    return bare


def overlaid(node: Node, value: Any, place: SourceSpan, field: str = "") -> Node:
    """The tree with the value of `value`: what is equal keeps its place, what differs is at `place`.

    Members that are missing in `value` go, except empty ones, which the package never writes, and those that it does
    not know. A tree without differences is returned as it is.
    """
    if isinstance(value, dict) and isinstance(node.value, dict):
        return _map(node, value, place)
    if isinstance(value, list) and isinstance(node.value, list):
        return _list(node, value, place, field)
    same = type(value) is type(node.value) and value == node.value
    return node if same else from_plain(value, place)


def _map(node: Node, value: Mapping[str, Any], place: SourceSpan) -> Node:
    kept: dict[str, Node] = {}
    changed = False
    for name, child in node.value.items():
        if name in value:
            kept[name] = overlaid(child, value[name], place, name)
            changed = changed or kept[name] is not child
        elif child.value in (None, [], {}) or name in (*OWN_JOB_FIELDS, *OWN_TASK_FIELDS):
            kept[name] = child
        else:
            changed = True
    new = {name: from_plain(item, place) for name, item in value.items() if name not in node.value}
    return node.with_value({**kept, **new}) if changed or new else node


def _list(node: Node, values: Sequence[Any], place: SourceSpan, field: str) -> Node:
    before = _by_key(node.value, field)
    made = []
    for index, value in enumerate(values):
        key = _KEYS.get(field)
        old = None
        if before is not None and key is not None and isinstance(value, dict):
            old = before.get(str(value.get(key)))
        elif index < len(node.value):
            old = node.value[index]
        made.append(overlaid(old, value, place) if old is not None else from_plain(value, place))
    same = len(made) == len(node.value) and all(new is old for new, old in zip(made, node.value, strict=True))
    return node if same else node.with_value(made)


def _by_key(elements: Sequence[Node], field: str) -> dict[str, Node] | None:
    """Elements by their natural key; None for a list without one, or with a key twice."""
    key = _KEYS.get(field)
    if key is None:
        return None
    found = {str(plain(member)): element for element in elements if (member := element.get(key)) is not None}
    return found if len(found) == len(elements) else None
