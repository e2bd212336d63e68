"""Dynamic references `{{...}}`, job parameters and what they put into a task (jobs.md 3.10, 3.11). Pure.

Called by engine.runs (parameters of a run), engine.scheduler (a task before it starts) and engine.api.jobs (check at
create). Reads no file and no database: all facts come in a Scope. The names that exist are in engine.references.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bundlectl.engine.references import REFERENCE, invalid_because, is_known, places, split_path

MISSING: Final = object()  # "no value", where None is a value
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnresolvedReference(Exception):
    """A reference of a known namespace that is invalid or has no value now. The task fails with this message."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f'The reference "{reference}" has no value: {why}')
        self.reference = reference
        self.why = why


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """What other tasks may ask about a finished task upstream: its last attempt."""

    run_id: str
    execution_count: int = 1  # attempts and repairs; the first is 1
    notebook_path: str | None = None
    result: str | None = None  # result_state of the Jobs API
    error_code: str | None = None  # termination code, RUN_EXECUTION_ERROR
    values: Mapping[str, Any] = field(default_factory=dict)  # task values
    rows: Sequence[Mapping[str, Any]] | None = None  # last result set of a SQL task


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Every fact that a reference can name. Times are epoch milliseconds."""

    job_id: str
    job_name: str
    run_id: str  # of the job run
    start_ms: int
    trigger_ms: int  # scheduled instant, or time of the request
    trigger_type: str = "onetime"
    repair_count: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)  # effective job parameters
    task_key: str | None = None  # None while job parameters are resolved
    task_run_id: str | None = None
    execution_count: int = 1
    notebook_path: str | None = None
    tasks: Mapping[str, TaskFacts] = field(default_factory=dict)  # finished tasks upstream, by key
    workspace_id: str = ""
    workspace_url: str = ""
    file_arrival_location: str = ""
    updated_tables: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # name -> version, commit_timestamp
    backfill_ms: int | None = None  # start of the slice, only in backfill runs
    input: Any = MISSING  # element of a for_each


def time_value(ms: int, member: str) -> str:
    """A time as `iso_date`, `hour` and so on (UTC, numbers without zero padding). Raises KeyError for another name."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return TIME_MEMBERS[member](moment, ms)


TIME_MEMBERS: Final[Mapping[str, Callable[[datetime, int], str]]] = {
    "iso_weekday": lambda moment, _: str(moment.isoweekday()),
    "is_weekday": lambda moment, _: "true" if moment.isoweekday() < 6 else "false",
    "iso_date": lambda moment, _: moment.date().isoformat(),
    "iso_datetime": lambda moment, _: f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
    "year": lambda moment, _: str(moment.year),
    "month": lambda moment, _: str(moment.month),
    "day": lambda moment, _: str(moment.day),
    "hour": lambda moment, _: str(moment.hour),
    "minute": lambda moment, _: str(moment.minute),
    "second": lambda moment, _: str(moment.second),
    "timestamp_ms": lambda _, ms: str(ms),
}


def text_of(value: Any) -> str:
    """A value as text: strings raw, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def resolve(value: Any, scope: Scope) -> Any:
    """A copy of a JSON value in which every reference in a string (not in a key) is replaced, in one pass.

    What comes in is not resolved again. Raises UnresolvedReference.
    """
    if isinstance(value, str):
        if "{{" not in value:
            return value
        return REFERENCE.sub(lambda match: _replacement(match[0], match["path"], scope), value)
    if isinstance(value, dict):
        return {key: resolve(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    return value


def resolve_operand(value: Any, scope: Scope) -> Any:
    """As `resolve`, but text that is one reference and nothing else keeps the type of its value.

    So a condition can refuse a list. Raises UnresolvedReference.
    """
    match = REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not is_known(split_path(match["path"])):
        return resolve(value, scope)
    return _lookup(match[0], split_path(match["path"]), scope)


def resolve_task(task: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """A copy of a task of the settings, resolved in the places where references count, and nowhere else.

    Operands of a condition keep their type. The nested task of a for_each is left for its iterations. Raises
    UnresolvedReference.
    """
    done = dict(task)
    for kind, members in places(task):
        body = dict(task[kind])
        for member in members:
            resolver = resolve_operand if kind == "condition_task" else resolve
            body[member] = resolver(body[member], scope)
        done[kind] = body
    return done


def effective_parameters(
    defaults: Iterable[Mapping[str, Any]], overrides: Mapping[str, Any], scope: Scope
) -> dict[str, str]:
    """Job parameters of a run: `parameters` of the settings overlaid by those of the request, resolved, by name.

    Names that the job does not declare are allowed. Raises UnresolvedReference.
    """
    merged = {item["name"]: item.get("default", "") for item in defaults}
    merged.update(overrides)
    return {name: resolve(text_of(merged[name]), scope) for name in sorted(merged)}


# Task types whose parameters are named, with the member that holds them: job parameters are pushed down to these.
_NAMED: Final[Mapping[str, str]] = {
    "notebook_task": "base_parameters",
    "sql_task": "parameters",
    "run_job_task": "job_parameters",
    "python_wheel_task": "named_parameters",
}
# Legacy overrides of run-now: name -> (task type, member, merged instead of replaced).
_OVERRIDES: Final[tuple[tuple[str, str, str, bool], ...]] = (
    ("notebook_params", "notebook_task", "base_parameters", True),
    ("python_params", "spark_python_task", "parameters", False),
    ("python_params", "python_wheel_task", "parameters", False),
    ("python_named_params", "python_wheel_task", "named_parameters", True),
    ("jar_params", "spark_jar_task", "parameters", False),
    ("spark_submit_params", "spark_submit_task", "parameters", False),
    ("sql_params", "sql_task", "parameters", True),
    ("dbt_commands", "dbt_task", "commands", False),
)


LEGACY_OVERRIDES: Final = tuple(dict.fromkeys(name for name, *_ in _OVERRIDES))


def pushdown(task: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a resolved task whose named parameters hold the job parameters too; the job parameter wins.

    List-shaped parameters get nothing, and neither does a wheel without `named_parameters`.
    """
    done = dict(task)
    for kind, member in _NAMED.items():
        body = done.get(kind)
        if body is None or not parameters or (kind == "python_wheel_task" and body.get(member) is None):
            continue
        done[kind] = {**body, member: {**(body.get(member) or {}), **parameters}}
    return done


def override_task(task: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a task with the legacy overrides of run-now (`notebook_params` and its like) laid over it."""
    done = dict(task)
    for name, kind, member, merged in _OVERRIDES:
        given = request.get(name)
        body = done.get(kind)
        if given is None or body is None:
            continue
        done[kind] = {**body, member: {**(body.get(member) or {}), **given} if merged else given}
    return done


def effective_task(task: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """What a task starts with: resolved, then given the job parameters, which are not resolved again.

    Raises UnresolvedReference.
    """
    return pushdown(resolve_task(task, scope), scope.parameters)


def _replacement(reference: str, path: str, scope: Scope) -> str:
    segments = split_path(path)
    return text_of(_lookup(reference, segments, scope)) if is_known(segments) else reference


def _lookup(reference: str, path: Sequence[str], scope: Scope) -> Any:
    why = invalid_because(path)
    if why:
        raise UnresolvedReference(reference, why)
    try:
        return _NAMESPACES[path[0]](path[1:], scope) if path[0] in _NAMESPACES else _LEGACY[path[0]](scope)
    except _NoValue as absent:
        raise UnresolvedReference(reference, str(absent)) from None


class _NoValue(Exception):
    """Why a valid reference has no value."""


def _job(path: Sequence[str], scope: Scope) -> Any:
    match path:
        case ["id"]:
            return scope.job_id
        case ["name"]:
            return scope.job_name
        case ["run_id"]:
            return scope.run_id
        case ["repair_count"]:
            return str(scope.repair_count)
        case ["start_time", member]:
            return time_value(scope.start_ms, member)
        case ["trigger", *rest]:
            return _trigger(rest, scope)
    name = path[1]
    if name not in scope.parameters:
        raise _NoValue(f'the run has no job parameter "{name}"')
    return scope.parameters[name]


def _trigger(path: Sequence[str], scope: Scope) -> str:
    match path:
        case ["type"]:
            return scope.trigger_type
        case ["time", member]:
            return time_value(scope.trigger_ms, member)
        case ["file_arrival", _]:
            return scope.file_arrival_location
        case ["table_update", "updated_tables"]:
            return text_of(sorted(scope.updated_tables)) if scope.updated_tables else ""
        case [_, table, "version"]:
            return str(scope.updated_tables.get(table, {}).get("version", ""))
    at = scope.updated_tables.get(path[1], {}).get("commit_timestamp")
    return "" if at is None else time_value(at, path[3])


def _task(path: Sequence[str], scope: Scope) -> str:
    if scope.task_key is None:
        raise _NoValue("it belongs to a task, and job parameters are resolved before any task")
    match path[0]:
        case "name":
            return scope.task_key
        case "run_id":
            return scope.task_run_id or ""
        case "execution_count":
            return str(scope.execution_count)
    if scope.notebook_path is None:
        raise _NoValue(f'the task "{scope.task_key}" is not a notebook task')
    return scope.notebook_path


def _tasks(path: Sequence[str], scope: Scope) -> Any:
    key, member, *rest = path
    facts = scope.tasks.get(key)
    if facts is None:
        raise _NoValue(f'the task "{key}" is not upstream of this one, or did not run')
    match member:
        case "run_id":
            return facts.run_id
        case "execution_count":
            return str(facts.execution_count)
        case "result_state":
            state = (facts.result or "").lower()
            return "success" if state == "success_with_failures" else state
        case "error_code":
            code = facts.error_code or "SUCCESS"
            return "" if code.startswith("SUCCESS") else "".join(word.capitalize() for word in code.split("_"))
        case "notebook_path":
            if facts.notebook_path is None:
                raise _NoValue(f'the task "{key}" is not a notebook task')
            return facts.notebook_path
        case "values":
            if rest[0] not in facts.values:
                raise _NoValue(f'the task "{key}" set no task value "{rest[0]}"')
            return _descend(facts.values[rest[0]], rest[1:], f'the task value "{rest[0]}" of "{key}"')
    return _output(facts.rows, rest, key)


def _output(rows: Sequence[Mapping[str, Any]] | None, path: Sequence[str], key: str) -> Any:
    if rows is None:
        raise _NoValue(f'the task "{key}" has no result set')
    if path[0] == "rows":
        return list(rows)
    if not rows:
        raise _NoValue(f'the result set of the task "{key}" is empty')
    return _descend(dict(rows[0]), path[1:], f'the first row of "{key}"')


def _descend(value: Any, path: Sequence[str], what: str) -> Any:
    for step in path:
        if not isinstance(value, dict) or step not in value:
            raise _NoValue(f'{what} has no member "{step}"')
        value = value[step]
    return value


def _backfill(path: Sequence[str], scope: Scope) -> str:
    if scope.backfill_ms is None:
        raise _NoValue("this run is no backfill")
    return time_value(scope.backfill_ms, path[0])


def _input(path: Sequence[str], scope: Scope) -> Any:
    if scope.input is MISSING:
        raise _NoValue("it exists only in the nested task of a for_each_task")
    return _descend(scope.input, path, "the input")


def _workspace(path: Sequence[str], scope: Scope) -> str:
    return scope.workspace_id if path[0] == "id" else scope.workspace_url


_NAMESPACES: Final[Mapping[str, Callable[[Sequence[str], Scope], Any]]] = {
    "job": _job,
    "task": _task,
    "tasks": _tasks,
    "workspace": _workspace,
    "backfill": _backfill,
    "input": _input,
}
_LEGACY: Final[Mapping[str, Callable[[Scope], str]]] = {
    "job_id": lambda scope: scope.job_id,
    "run_id": lambda scope: _task(["run_id"], scope),
    "parent_run_id": lambda scope: scope.run_id,
    "task_key": lambda scope: _task(["name"], scope),
    "start_date": lambda scope: time_value(scope.start_ms, "iso_date"),
    "start_time": lambda scope: str(scope.start_ms),
    "task_retry_count": lambda scope: str(scope.execution_count - 1),
}
