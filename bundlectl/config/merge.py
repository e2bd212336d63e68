"""Merging of trees: files, a target over the bundle, list elements with the same key (config language 5).

Called by config.reading, config.targets and config.jobs. Pure.
"""

from collections.abc import Sequence

from bundlectl.config.findings import error
from bundlectl.config.node import Keys, Node, Note
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import FieldPath

# Lists of a job whose elements merge by key; True: the result is sorted by it.
KEYED_LISTS: tuple[tuple[str, str, bool], ...] = (
    ("tasks", "task_key", True),
    ("job_clusters", "job_cluster_key", False),
    ("parameters", "name", False),
)
_WHAT = {"task_key": "task", "job_cluster_key": "job cluster", "name": "parameter"}


def kind_of(node: Node) -> str:
    """The kind of a value, as messages name it."""
    value = node.value
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return "text"
    return {bool: "a boolean", int: "an integer", float: "a number"}.get(value.__class__, "null")


def merge(nodes: Sequence[Node], path: FieldPath, found: list[Diagnostic]) -> Node:
    """All of `nodes`, later ones over earlier ones. `nodes` is not empty. Every file is looked at once."""
    given = [node for node in nodes if node.value is not None] or [nodes[-1]]
    first = given[0]
    if len(given) == 1:
        return first
    kind = kind_of(first)
    for node in given[1:]:
        if kind_of(node) != kind:
            summary = f"cannot merge {kind} with {kind_of(node)}"
            found.append(error("BND224", summary, node.span, first.span, path=path))
            return first
    if isinstance(first.value, dict):
        return _maps(given, path, found)
    if isinstance(first.value, list):
        return _lists(given)
    last = given[-1]
    more = tuple(span for node in reversed(given[:-1]) for span in (node.span, *node.more))
    return Node(last.value, last.place, None, (*last.more, *more), last.note)


def _maps(nodes: Sequence[Node], path: FieldPath, found: list[Diagnostic]) -> Node:
    members: dict[str, list[Node]] = {}
    keys = Keys()
    for node in nodes:
        for key, child in node.value.items():
            if key in members:
                members[key].append(child)
            else:
                members[key] = [child]
        for key in node.keys or ():
            if key not in keys:
                keys.add(key, dict.__getitem__(node.keys or {}, key))
    value = {
        key: children[0] if len(children) == 1 else merge(children, (*path, key), found)
        for key, children in members.items()
    }
    more = tuple(span for node in nodes[1:] for span in (node.span, *node.more))
    return Node(value, nodes[0].place, keys, (*nodes[0].more, *more), nodes[0].note)


def _lists(nodes: Sequence[Node]) -> Node:
    value: list[Node] = []
    parts: list[int] = []
    for node in nodes:
        if value:
            parts.append(len(value))
        if node.note is not None:
            parts.extend(len(value) + start for start in node.note.parts)
        value.extend(node.value)
    more = tuple(span for node in nodes[1:] for span in (node.span, *node.more))
    return Node(value, nodes[0].place, None, (*nodes[0].more, *more), Note(parts=tuple(parts)))


def merge_by_key(job: Node, path: FieldPath, found: list[Diagnostic]) -> Node:
    """A job in which elements of one list that have the same key became one."""
    for name, key, ordered in KEYED_LISTS:
        child = job.get(name)
        if child is not None and isinstance(child.value, list) and child.value:
            merged = _merge_list(child, (*path, name), key, ordered, found)
            if merged is not child:
                job = job.with_member(name, merged)
    return job


def _merge_list(node: Node, path: FieldPath, key: str, ordered: bool, found: list[Diagnostic]) -> Node:
    starts = node.note.parts if node.note is not None else ()
    groups: dict[str, list[Node]] = {}
    parts: dict[str, set[int]] = {}
    part = 0
    changed = False
    for index, element in enumerate(node.value):
        if part < len(starts) and index >= starts[part]:
            part += 1
        if not isinstance(element.value, dict):
            continue
        member = element.value.get(key)
        if member is None or member.value is None:
            element = element.with_member(key, Node("", element.span))
            changed = True
            name = ""
        else:
            name = str(member.value)
        group = groups.setdefault(name, [])
        if name and part in parts.setdefault(name, set()):
            first = group[-1].value[key].span
            summary = f'{_WHAT[key]} "{name}" is defined twice'
            found.append(error("BND228", summary, element.value[key].span, first, path=path))
        parts.setdefault(name, set()).add(part)
        group.append(element)
    names = sorted(groups, key=lambda name: name.encode("utf-8", "surrogatepass")) if ordered else list(groups)
    if not changed and len(groups) == len(node.value) and names == list(groups):
        return node
    elements = [merge(groups[name], (*path, name), found) for name in names]
    return Node(elements, node.place, None, node.more)
