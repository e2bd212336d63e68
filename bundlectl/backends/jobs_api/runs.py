"""Run documents of the Jobs API -> model.run. Strict about what commands rely on, indifferent to the rest.

Called by backend. An unknown life-cycle or result state is an answer that cannot be used: guessing "still running"
would make a command wait for ever.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from bundlectl.model.errors import BackendError
from bundlectl.model.job import task_type
from bundlectl.model.run import LifeCycle, Result, Run, TaskRun

_EXTRA = "bundlectl"  # member that only the embedded engine adds
_State = TypeVar("_State", LifeCycle, Result)


def run_of(document: Mapping[str, Any]) -> Run:
    """A job run. Raises BackendError BND707 naming what is missing or of the wrong kind."""
    where = f"run {document.get('run_id')}"
    state, result, message = _state(document, where)
    start = _whole(document, "start_time", where)
    tasks = document.get("tasks")
    if tasks is not None and not isinstance(tasks, list):
        raise _malformed(where, "tasks")
    return Run(
        run_id=_id(document, "run_id", where),
        job_id=_id(document, "job_id", where) if document.get("job_id") else None,
        name=_text(document, "run_name", where),
        state=state,
        result=result,
        message=message,
        queued_ms=_queued_ms(document, start, where),
        start_ms=start,
        end_ms=_whole(document, "end_time", where),
        trigger=_text(document, "trigger", where),
        creator=_text(document, "creator_user_name", where),
        parameters=_parameters(document.get("job_parameters"), where),
        tasks=tuple([_task(task, where) for task in tasks or ()]),
        queue_reason=_state_document(document, where).get("queue_reason"),
    )


def _task(document: Any, run: str) -> TaskRun:
    if not isinstance(document, dict):
        raise _malformed(run, "tasks")
    key = document.get("task_key")
    if not isinstance(key, str):
        raise _malformed(run, "task_key")
    where = f'{run}, task "{key}"'
    state, result, message = _state(document, where)
    extra = document.get(_EXTRA)
    extra = extra if isinstance(extra, dict) else {}
    condition = document.get("condition_task")
    return TaskRun(
        run_id=_id(document, "run_id", where),
        task_key=key,
        attempt=_whole(document, "attempt_number", where),
        state=state,
        result=result,
        message=message,
        start_ms=_whole(document, "start_time", where),
        end_ms=_whole(document, "end_time", where),
        depends_on=_depends_on(document.get("depends_on"), where),
        kind=task_type(document),
        lost=extra.get("outcome") == "lost",
        outcome=condition.get("outcome") if isinstance(condition, dict) else None,
        extra=extra,
    )


def _state_document(document: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    state = document.get("state")
    if not isinstance(state, dict):
        raise _malformed(where, "state")
    return state


def _state(document: Mapping[str, Any], where: str) -> tuple[LifeCycle, Result | None, str]:
    state = _state_document(document, where)
    cycle = _one_of(LifeCycle, state.get("life_cycle_state"), where, "life_cycle_state")
    found = state.get("result_state")
    result = None if found is None else _one_of(Result, found, where, "result_state")
    return cycle, result, _text(state, "state_message", where)


def _one_of(kind: type[_State], value: Any, where: str, member: str) -> _State:
    try:
        return kind(value)
    except ValueError:
        raise _malformed(where, f'known {member}: "{value}"' if isinstance(value, str) else member) from None


def _queued_ms(document: Mapping[str, Any], start: int, where: str) -> int:
    """When the run was asked for. The API tells how long it waited; the engine tells the moment as well."""
    extra = document.get(_EXTRA)
    told = extra.get("queued_time") if isinstance(extra, dict) else None
    if isinstance(told, int):
        return told
    return max(0, start - _whole(document, "queue_duration", where))


def _parameters(value: Any, where: str) -> dict[str, str]:
    """Effective job parameters: `value`, else `default`."""
    if value is None:
        return {}
    try:
        return {entry["name"]: entry.get("value", entry.get("default", "")) for entry in value}
    except (TypeError, KeyError, AttributeError):
        raise _malformed(where, "job_parameters") from None


def _depends_on(value: Any, where: str) -> tuple[str, ...]:
    try:
        return tuple([entry["task_key"] for entry in value or ()])
    except (TypeError, KeyError):
        raise _malformed(where, "depends_on") from None


def _id(document: Mapping[str, Any], member: str, where: str) -> str:
    value = document.get(member)
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise _malformed(where, member)
    return str(value)


def _whole(document: Mapping[str, Any], member: str, where: str) -> int:
    """A whole number; absent is 0."""
    value = document.get(member)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise _malformed(where, member)
    return value


def _text(document: Mapping[str, Any], member: str, where: str) -> str:
    """A text; absent is empty."""
    value = document.get(member)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _malformed(where, member)
    return value


def _malformed(where: str, member: str) -> BackendError:
    return BackendError(f"answer has no {member}", code="BND707", detail=where)
