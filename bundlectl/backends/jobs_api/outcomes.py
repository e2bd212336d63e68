"""The outcome part of a run's manifest from what a workspace tells of the run. Pure.

Called by databricks. What only an engine of ours knows (exit codes, outputs, values) is named as
unknown, so that nobody takes its absence for a fact.
"""

from collections.abc import Mapping
from typing import Any, Final

from bundlectl.base.clock import rfc3339_ms
from bundlectl.base.digest import digest_bytes

_TRIGGERS: Final = {"ONE_TIME": "manual", "PERIODIC": "schedule", "RUN_JOB_TASK": "run_job"}
_WHY: Final = "the workspace does not tell"


def outcome_of(run: Mapping[str, Any], outputs: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """The `outcome` member as it stands: final once the run has ended. `outputs`: of each attempt, by its id."""
    tasks: dict[str, dict[str, Any]] = {}
    for attempt in run.get("tasks") or ():
        key = attempt.get("task_key")
        empty = {"task_key": key, "run_if": attempt.get("run_if") or "ALL_SUCCESS", "attempts": [], "values": []}
        task = tasks.setdefault(key, {**empty, "outputs": []})
        task["result_state"] = _state(attempt).get("result_state")
        task["attempts"].append(_attempt(attempt, outputs.get(str(attempt.get("run_id")))))
    state = _state(run)
    message = state.get("state_message")
    return {
        "run_id": str(run.get("run_id")),
        "number_in_job": run.get("number_in_job") or run.get("run_id"),
        "trigger": {
            "type": _TRIGGERS.get(str(run.get("trigger")), "manual"),
            "by": run.get("creator_user_name"),
            "ci_run_url": None,
        },
        "repairs": [_repair(phase) for phase in run.get("repair_history") or () if phase.get("type") == "REPAIR"],
        "replay_of": None,
        "backfill": None,
        "parent_run": None,
        "queued": _time((run.get("start_time") or 0) - (run.get("queue_duration") or 0)),
        "started": _time(run.get("start_time")),
        "ended": _time(run.get("end_time")),
        "life_cycle_state": state.get("life_cycle_state"),
        "result_state": state.get("result_state"),
        "tasks": list(tasks.values()),
        "messages": [message] if message else [],
        "unknown": [
            {"field": f"tasks[{key}].{name}", "reason": _WHY} for key in tasks for name in ("values", "outputs")
        ],
    }


def _attempt(document: Mapping[str, Any], output: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "n": document.get("attempt_number") or 0,
        "run_id": str(document.get("run_id")),
        "started": _time(document.get("start_time")),
        "ended": _time(document.get("end_time")),
        "exit_code": None,
        "signal": None,
        "host": None,
        "state": _state(document).get("result_state"),
        "log": _log(output),
    }


def _log(output: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Digest and size of an output; None when it is not told, or only its end is."""
    text = None if output is None else output.get("logs")
    if output is None or not isinstance(text, str) or output.get("logs_truncated"):
        return None
    whole = text.encode("utf-8", "surrogatepass")
    return {"digest": digest_bytes(whole), "bytes": len(whole), "truncated": 0}


def _repair(phase: Mapping[str, Any]) -> dict[str, Any]:
    state = _state(phase)
    return {
        "id": str(phase.get("id")),
        "started": _time(phase.get("start_time")),
        "ended": _time(phase.get("end_time")),
        "life_cycle_state": state.get("life_cycle_state"),
        "result_state": state.get("result_state"),
    }


def _state(document: Mapping[str, Any]) -> Mapping[str, Any]:
    state = document.get("state")
    return state if isinstance(state, dict) else {}


def _time(ms: Any) -> str | None:
    return rfc3339_ms(ms) if isinstance(ms, int) and ms > 0 else None
