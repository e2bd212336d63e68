"""Rows -> documents of the Jobs API: settings with their fill-ins, runs, task runs, states in both views. Pure.

Used by api.jobs and api.runs. What may be filled in is a closed list (rest-api.md 1.3): anything more would show as a
change that nobody made.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bundlectl.model.run import TERMINAL, LifeCycle, Result

_JOB_DEFAULTS: Mapping[str, Any] = {
    "name": "Untitled",
    "format": "MULTI_TASK",
    "email_notifications": {},
    "webhook_notifications": {},
    "timeout_seconds": 0,
    "max_concurrent_runs": 1,
}
_TASK_DEFAULTS: Mapping[str, Any] = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}}
_SOURCED = ("notebook_task", "spark_python_task", "dbt_task")
_STATES: Mapping[LifeCycle, str] = {LifeCycle.WAITING_FOR_RETRY: "WAITING"}
_OK_CODES = frozenset({"SUCCESS", "SUCCESS_WITH_FAILURES", "DISABLED"})


def filled_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are returned."""
    filled = {**_JOB_DEFAULTS, **{name: value for name, value in settings.items() if value is not None}}
    source = "GIT" if settings.get("git_source") else "WORKSPACE"
    if isinstance(settings.get("tasks"), list):
        filled["tasks"] = [filled_task(task, source) for task in settings["tasks"]]
    if isinstance(settings.get("triggers"), list):
        filled["triggers"] = [{"pause_status": "UNPAUSED", **trigger} for trigger in settings["triggers"]]
    return filled


def filled_task(task: Mapping[str, Any], source: str) -> dict[str, Any]:
    """A task as it is returned."""
    filled = {**_TASK_DEFAULTS, **{name: value for name, value in task.items() if value is not None}}
    if filled.get("depends_on"):
        filled["depends_on"] = sorted(filled["depends_on"], key=lambda edge: str(edge.get("task_key")))
    for name in _SOURCED:
        if isinstance(filled.get(name), dict):
            filled[name] = {"source": source, **filled[name]}
    file = filled["sql_task"].get("file") if isinstance(filled.get("sql_task"), dict) else None
    if isinstance(file, dict):
        filled["sql_task"] = {**filled["sql_task"], "file": {"source": source, **file}}
    return filled


def states(row: Mapping[str, Any] | Any) -> dict[str, Any]:
    """`state` and `status`: both views of where a run, or an attempt, is."""
    cycle = LifeCycle(row["state"])
    result = row["result"]
    message = row["message"]
    queued = cycle is LifeCycle.QUEUED
    state: dict[str, Any] = {"life_cycle_state": cycle.value}
    if result is not None:
        state["result_state"] = result
    state["state_message"] = "" if queued else message
    state["user_cancelled_or_timedout"] = result in (Result.CANCELED, Result.TIMEDOUT)
    status: dict[str, Any] = {"state": "TERMINATED" if cycle in TERMINAL else _STATES.get(cycle, cycle.value)}
    if queued:
        state["queue_reason"] = message
        status["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": message}
    if cycle in TERMINAL:
        code = row["code"] or "SUCCESS"
        status["termination_details"] = {"code": code, "type": _type(code, result), "message": message}
    return {"state": state, "status": status}


def _type(code: str, result: str | None) -> str:
    if code == "INTERNAL_ERROR":
        return "INTERNAL_ERROR"
    return "SUCCESS" if code in _OK_CODES or result == Result.EXCLUDED else "CLIENT_ERROR"


def run_document(row: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A job run, without its tasks."""
    id, job_id = row["id"], row["job_id"]
    started, ended = row["started"], row["ended"]
    document = {
        "job_id": job_id,
        "run_id": id,
        "job_run_id": id,
        "number_in_job": id,
        "original_attempt_run_id": id,
        "creator_user_name": row["creator"],
        "run_name": row["name"],
        "run_type": row["kind"],
        "format": "MULTI_TASK",
        "trigger": row["trigger"],
        "run_page_url": f"http://127.0.0.1/?o=1#job/{'' if row['kind'] == 'SUBMIT_RUN' else f'{job_id}/'}run/{id}",
        "start_time": started or row["requested"],
        "end_time": ended,
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        # Phases of a run that was repaired add up, without the time between them.
        "run_duration": row["spent"] + (ended - (row["resumed"] or started) if ended and started else 0),
        "queue_duration": (started or ended) - row["requested"] if started or ended else 0,
        "bundlectl": {"queued_time": row["requested"]},
        **states(row),
    }
    parameters = _parameters(settings, json.loads(row["request"]), row["parameters"])
    if parameters:
        document["job_parameters"] = parameters
    request = json.loads(row["request"])
    if row["parent"] is not None:
        document["trigger_info"] = {"run_id": row["parent"]}
    if request.get("overriding"):
        document["overriding_parameters"] = request["overriding"]
    if settings.get("schedule") is not None and row["trigger"] == "PERIODIC":
        document["schedule"] = settings["schedule"]
    if settings.get("git_source") is not None:
        document["git_source"] = settings["git_source"]
    return document


def _parameters(settings: Mapping[str, Any], request: Mapping[str, Any], effective: str | None) -> list[dict[str, str]]:
    """Declared and given job parameters by name: default, and the value that the run has or will have."""
    defaults = {entry["name"]: entry.get("default", "") for entry in settings.get("parameters") or ()}
    given = {**defaults, **request["job_parameters"]}
    values = given if effective is None else {**given, **json.loads(effective)}
    return [
        {"name": name, **({"default": defaults[name]} if name in defaults else {}), "value": values[name]}
        for name in sorted(values)
    ]


def task_document(row: Any, task: Mapping[str, Any], source: str, *, resolved: bool = False) -> dict[str, Any]:
    """One attempt of a task, with the fields of the task."""
    started, executing, ended = row["started"], row["executing"], row["ended"]
    began = executing or started
    document = {
        **filled_task(task, source),
        "run_id": row["id"],
        "attempt_number": row["number"],
        "original_attempt_run_id": row["first_id"],
        "start_time": started,
        "end_time": ended,
        "setup_duration": began - started if executing and started else 0,
        "execution_duration": max(0, ended - began) if ended and began else 0,
        "cleanup_duration": 0,
        **states(row),
        "bundlectl": _extra(row),
    }
    if row["outcome"] is not None and "condition_task" in document:
        document["condition_task"] = {**document["condition_task"], "outcome": row["outcome"]}
    if resolved and row["resolved"] is not None:
        values = json.loads(row["resolved"])
        document["resolved_values"] = {name: body for name, body in values.items() if name.endswith("_task")}
    return document


def _extra(row: Any) -> dict[str, Any]:
    """What the Jobs API has no place for."""
    extra: dict[str, Any] = {"exit_code": row["exit_code"], "signal": row["signal"]}
    if row["log_bytes"] is not None:
        extra["log"] = {"bytes": row["log_bytes"]}
    if row["lost"]:
        extra["outcome"] = "lost"
    if row["error"] is not None:
        extra["error"] = row["error"]
    if row["state"] == LifeCycle.WAITING_FOR_RETRY:
        extra["retry_time"] = row["due"]
    return extra


def tasks_by_key(settings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The tasks of settings by their key."""
    tasks: Sequence[Mapping[str, Any]] = settings.get("tasks") or ()
    return {task["task_key"]: task for task in tasks}
