"""One resolved job as the rules see it: its tasks with their paths, and findings with the right place.

Made by config.rules for each job, handed to every rule. Reads Nodes, changes nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bundlectl.config.node import Node
from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, path_text

TASK_SUFFIX = "_task"  # every task type ends so, also one that this version does not know


class TaskView(NamedTuple):
    """One task, or the inner task of a for_each_task (`inner`)."""

    key: str | None  # None when it has none, or one that is not resolved
    node: Node
    path: FieldPath
    inner: bool

    @property
    def name(self) -> str:
        """The task for messages."""
        return self.key if self.key is not None else path_text(self.path[-1:])


class Edge(NamedTuple):
    """One entry of a task's depends_on that names a task."""

    task: TaskView
    on: str
    node: Node  # the value of task_key
    entry: Node
    path: FieldPath


class JobView:
    """A job, its key, and where the key is written."""

    def __init__(self, key: str, node: Node, *, key_span: SourceSpan | None, backend: str) -> None:
        self.key = key
        self.node = node
        self.span = key_span or node.span
        self.backend = backend
        self.path: FieldPath = ("resources", "jobs", key)
        self.tasks = tuple(_tasks(node, self.path))
        self.outer = tuple(task for task in self.tasks if not task.inner)
        # Every field that some task has, so that a rule about a rare one need not look at each task.
        self.fields: frozenset[str] = frozenset().union(*(task.node.value for task in self.tasks))
        self.edges = tuple(_edges(self.outer))  # of the outer tasks, in order


def member(node: Node | None, name: str) -> Node | None:
    """The value of a key; None when `node` is no map, or the key is missing or null."""
    if node is None or not isinstance(node.value, dict):
        return None
    child = node.value.get(name)
    return child if child is not None and child.value is not None else None


def elements(node: Node | None) -> list[Node]:
    """The elements of a list; none when `node` is no list."""
    return node.value if node is not None and isinstance(node.value, list) else []


def resolved_text(node: Node | None) -> str | None:
    """The text of a value that holds no reference, else None."""
    if node is None or not isinstance(node.value, str) or "${" in node.value:
        return None
    return node.value


def task_types(task: Node) -> list[str]:
    """The task-type fields that are set."""
    if not isinstance(task.value, dict):
        return []
    return [name for name, child in task.value.items() if name.endswith(TASK_SUFFIX) and child.value is not None]


def finding(
    code: str,
    severity: Severity,
    summary: str,
    path: FieldPath,
    *spans: SourceSpan,
    detail: str | None = None,
    hint: str | None = None,
    related: tuple[Related, ...] = (),
) -> Diagnostic:
    """A finding about a field of a job."""
    return Diagnostic(
        code=code,
        severity=severity,
        summary=summary,
        detail=detail,
        hint=hint,
        path=path_text(path),
        spans=spans,
        related=related,
    )


def _tasks(job: Node, path: FieldPath) -> Iterator[TaskView]:
    for index, node in enumerate(elements(member(job, "tasks"))):
        if not isinstance(node.value, dict):
            continue
        key = resolved_text(member(node, "task_key")) or None
        at: FieldPath = (*path, "tasks", Keyed("task_key", key) if key else index)
        yield TaskView(key, node, at, inner=False)
        inner = member(member(node, "for_each_task"), "task")
        while inner is not None and isinstance(inner.value, dict):
            at = (*at, "for_each_task", "task")
            yield TaskView(resolved_text(member(inner, "task_key")) or None, inner, at, inner=True)
            inner = member(member(inner, "for_each_task"), "task")


def _edges(tasks: tuple[TaskView, ...]) -> Iterator[Edge]:
    for task in tasks:
        for index, entry in enumerate(elements(member(task.node, "depends_on"))):
            node = member(entry, "task_key")
            name = resolved_text(node)
            if node is not None and name:
                yield Edge(task, name, node, entry, (*task.path, "depends_on", index, "task_key"))
