"""How fields behave when three documents are compared: one row and one reason each, readable at one sitting.

Called by planning.verdicts, which has no case for a field by name. In a path `*` stands for one step of any kind.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bundlectl.model.location import FieldPath

ANY: Any = type("Any", (), {"__repr__": lambda self: "ANY"})()

Pattern = tuple[str, ...]


class Row(NamedTuple):
    """One rule. `reason` is the word that plans show, `why` the sentence behind it."""

    path: Pattern
    behaviour: str  # default, ignored, unordered, absent, operator, replace
    reason: str
    why: str
    value: Any = ANY  # default: what the backend fills in
    member: tuple[str, str] | None = None  # default: only when the value is a map with this member
    backends: frozenset[str] = frozenset()  # empty: every backend


_WORKSPACE = frozenset({"databricks"})
_SOURCES = ("notebook_task", "spark_python_task", "dbt_task")
_FILLED = "the server answers with it when a job does not set it"
_OWN = "the platform adds attributes of its own to a cluster"
_NO_ORDER = "the order of these entries has no meaning"
_PAUSE = "pause belongs to the operator"


def _defaults() -> Iterator[Row]:
    def row(*path: str, value: Any) -> Row:
        return Row(path, "default", "backend_default", _FILLED, value)

    yield row("name", value="Untitled")
    yield row("format", value="MULTI_TASK")
    yield row("email_notifications", value={})
    yield row("webhook_notifications", value={})
    yield row("timeout_seconds", value=0)
    yield row("max_concurrent_runs", value=1)
    yield row("triggers", "*", "pause_status", value="UNPAUSED")
    for task in (("tasks", "*"), ("tasks", "*", "for_each_task", "task")):
        yield row(*task, "run_if", value="ALL_SUCCESS")
        yield row(*task, "timeout_seconds", value=0)
        yield row(*task, "email_notifications", value={})
        for kind in _SOURCES:
            yield row(*task, kind, "source", value="WORKSPACE")
            yield row(*task, kind, "source", value="GIT")
        yield row(*task, "sql_task", "file", "source", value="WORKSPACE")
        yield row(*task, "sql_task", "file", "source", value="GIT")


def _clusters() -> Iterator[Row]:
    for place in (("job_clusters", "*"), ("tasks", "*"), ("tasks", "*", "for_each_task", "task")):
        cluster = (*place, "new_cluster")
        yield Row(
            (*cluster, "num_workers"), "default", "backend_default", "sent as 0 when a cluster gives no size", value=0
        )
        yield Row((*cluster, "*"), "default", "backend_default", _OWN, backends=_WORKSPACE)
        yield Row((*cluster, "*", "*"), "default", "backend_default", _OWN, backends=_WORKSPACE)


def _unordered() -> Iterator[Row]:
    for place in ((), ("tasks", "*"), ("tasks", "*", "for_each_task", "task")):
        for path in (
            (*place, "email_notifications", "*"),
            (*place, "webhook_notifications", "*"),
            (*place, "health", "rules"),
            (*place, "libraries"),
        ):
            yield Row(path, "unordered", "unordered", _NO_ORDER)
    yield Row(("trigger", "table_update", "table_names"), "unordered", "unordered", _NO_ORDER)
    yield Row(("triggers", "*", "table_update", "table_names"), "unordered", "unordered", _NO_ORDER)


TABLE: tuple[Row, ...] = (
    *_defaults(),
    *_clusters(),
    Row(("run_as",), "default", "backend_default", "the server echoes who runs a job that does not say so"),
    Row(
        ("permissions", "*"),
        "default",
        "backend_default",
        "who creates a job owns it, also when its list does not say so",
        member=("level", "IS_OWNER"),
    ),
    Row(("edit_mode",), "default", "custom", "set by the tool that wrote the job"),
    Row(("deployment",), "ignored", "custom", "bundlectl writes its ownership path there"),
    Row(("format",), "absent", "missing_in_remote", "a backend need not answer with what the tool set"),
    Row(("edit_mode",), "absent", "missing_in_remote", "a backend need not answer with what the tool set"),
    Row(("run_as",), "absent", "missing_in_remote", "some backends keep it beside the settings"),
    Row(("permissions",), "absent", "missing_in_remote", "some backends keep access lists beside the settings"),
    Row(("parent_path",), "absent", "write_only", "it places a new job and is not answered"),
    Row(("git_source", "git_snapshot"), "absent", "write_only", "filled in per run, not answered with the job"),
    *_unordered(),
    Row(("schedule", "pause_status"), "operator", "operator_owned", _PAUSE),
    Row(("trigger", "pause_status"), "operator", "operator_owned", _PAUSE),
    Row(("continuous", "pause_status"), "operator", "operator_owned", _PAUSE),
    Row(("triggers", "*", "pause_status"), "operator", "operator_owned", _PAUSE),
    Row(
        ("git_source", "git_provider"),
        "replace",
        "custom",
        "a workspace does not move a job between providers",
        backends=_WORKSPACE,
    ),
)

EMPTY = Row((), "absent", "empty", "an empty list or map and none at all mean the same")


def pattern_of(path: FieldPath) -> Pattern:
    """A field path in the form of the table: elements of lists are `*`."""
    return tuple(step if isinstance(step, str) else "*" for step in path)


class FieldTable:
    """The rows that hold for one backend, found by path."""

    def __init__(self, backend: str, rows: tuple[Row, ...] = TABLE) -> None:
        self._rows: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            if not row.backends or backend in row.backends:
                self._rows.setdefault((row.behaviour, len(row.path)), []).append(row)

    def find(self, behaviour: str, path: FieldPath | Pattern) -> Row | None:
        """The first row of that behaviour for a path."""
        return next(self.rows(behaviour, path), None)

    def rows(self, behaviour: str, path: FieldPath | Pattern) -> Iterator[Row]:
        """Every row of that behaviour for a path."""
        for row in self._rows.get((behaviour, len(path)), ()):
            if all(want in ("*", step) for want, step in zip(row.path, path, strict=True)):
                yield row

    def default(self, path: FieldPath, value: Any) -> Row | None:
        """The row that says that a backend fills in `value` at `path` by itself."""
        for row in self.rows("default", path):
            fits = row.value is ANY or (row.value == value and isinstance(row.value, bool) == isinstance(value, bool))
            if fits and (row.member is None or _has(value, *row.member)):
                return row
        return None


def _has(value: Any, name: str, wanted: str) -> bool:
    return isinstance(value, dict) and value.get(name) == wanted
