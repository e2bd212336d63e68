"""Requests for runs and their ends: run-now, submit, cancel, cancel-all, repair, delete.

Reached from routes. A request is a row, written before the answer; the scheduler, in whatever process, is told of it.
"""

import json
import shutil
from typing import Any

from bundlectl.engine import jobs, runs
from bundlectl.engine.api.errors import ApiError, invalid, missing
from bundlectl.engine.api.request import Request
from bundlectl.engine.dag import UnknownTask

_TOKEN_LIMIT = 64
_PARAMETERS_LIMIT = 10_000  # bytes of the JSON of one kind of parameters
# Overrides of run-now from before jobs had parameters, and the kind of their value.
_LEGACY: dict[str, type] = {
    "notebook_params": dict,
    "python_named_params": dict,
    "sql_params": dict,
    "python_params": list,
    "jar_params": list,
    "spark_submit_params": list,
    "dbt_commands": list,
}
# Members of the body of runs/submit that are settings of the run.
_SUBMIT = (
    "tasks",
    "timeout_seconds",
    "git_source",
    "environments",
    "environment_variables",
    "health",
    "email_notifications",
    "webhook_notifications",
    "notification_settings",
    "queue",
    "run_as",
    "access_control_list",
    "bundlectl",
)


def run_now(request: Request) -> dict[str, Any]:
    id = request.body_id("job_id")
    wish = _wish(request)
    services = request.services
    if not services.store.exists:
        raise missing("Job", id)
    with services.store.open().write() as connection:
        job = jobs.get(connection, id)
        if job is None:
            raise missing("Job", id)
        if jobs.is_hidden(job.settings):
            raise ApiError(400, "INVALID_STATE", f"Job {id} is deleted and kept; bring it back to run it.")
        if wish.overriding and job.settings.get("parameters"):
            raise invalid(f"A job with job parameters takes no {', '.join(wish.overriding)}; use job_parameters.")
        try:
            run_id = runs.request(
                *(connection, job, wish, services.clock.now_ms(), services.user),
                queue_by_default=request.queue_by_default,
            )
        except (runs.TokenTaken, runs.TokenSpent) as error:
            raise _bad_token(error) from None
        except UnknownTask as error:
            raise invalid(f"{error}.") from error
    services.notify()
    return {"run_id": run_id, "number_in_job": run_id}


def _wish(request: Request) -> runs.Request:
    body = request.body()
    parameters, overriding = _parameters(body)
    only = body.get("only") or []
    if not isinstance(only, list) or not all(isinstance(item, str) for item in only):
        raise invalid('"only" must be a list of task keys.')
    queue = body.get("queue")
    if queue is not None and not (isinstance(queue, dict) and isinstance(queue.get("enabled"), bool)):
        raise invalid('"queue" must be an object with "enabled".')
    enabled = None if queue is None else queue["enabled"]
    return runs.Request(parameters, tuple(only), enabled, _token(request, body), overriding=overriding)


def _parameters(body: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Job parameters and legacy overrides of a request."""
    parameters = body.get("job_parameters") or {}
    if not isinstance(parameters, dict) or not all(isinstance(value, str) for value in parameters.values()):
        raise invalid('"job_parameters" must be an object of texts.')
    overriding = {name: body[name] for name in _LEGACY if body.get(name) is not None}
    for name, value in overriding.items():
        if not isinstance(value, _LEGACY[name]):
            raise invalid(f'"{name}" must be {"an object" if _LEGACY[name] is dict else "a list"}.')
    for name, value in {"job_parameters": parameters, **overriding}.items():
        if len(json.dumps(value, ensure_ascii=False).encode()) > _PARAMETERS_LIMIT:
            raise invalid(f'"{name}" may have at most {_PARAMETERS_LIMIT} bytes of JSON.')
    return parameters, overriding


def _token(request: Request, body: dict[str, Any]) -> str | None:
    token, key = body.get("idempotency_token"), request.headers.get("idempotency-key")
    if token is not None and key is not None and token != key:
        raise invalid('"idempotency_token" and "Idempotency-Key" differ.')
    token = token if token is not None else key
    if token is not None and not (isinstance(token, str) and 0 < len(token) <= _TOKEN_LIMIT):
        raise invalid(f'"idempotency_token" must be a text of 1 to {_TOKEN_LIMIT} characters.')
    return token


def cancel(request: Request) -> dict[str, Any]:
    id = request.body_id("run_id")
    services = request.services
    if not services.store.exists:
        raise missing("Run", id)
    with services.store.open().write() as connection:
        found = runs.cancel(connection, id, services.clock.now_ms())
    if not found:
        raise missing("Run", id)
    services.notify()
    return {}


def submit(request: Request) -> dict[str, Any]:
    from bundlectl.engine.api.checks import submit_problems

    body = request.body()
    token = _token(request, body)
    settings = {name: body[name] for name in _SUBMIT if body.get(name) is not None}
    settings["name"] = body.get("run_name") or "Untitled"
    found = submit_problems(body, settings)
    if found:
        raise invalid(found[0] + (f" ({len(found) - 1} more)" if len(found) > 1 else ""))
    services = request.services
    with services.store.open().write() as connection:
        try:
            run_id = runs.submit(connection, settings, token, services.clock.now_ms(), services.user)
        except (runs.TokenTaken, runs.TokenSpent) as error:
            raise _bad_token(error) from None
    services.notify()
    return {"run_id": run_id}


def _bad_token(error: runs.TokenTaken | runs.TokenSpent) -> ApiError:
    if isinstance(error, runs.TokenSpent):
        return invalid("The idempotency token started a run that was deleted.")
    return invalid("The idempotency token started a run of another job.")


def cancel_all(request: Request) -> dict[str, Any]:
    body = request.body()
    queued_only = _boolean(body, "all_queued_runs")
    job_id = request.body_id("job_id") if body.get("job_id") is not None else None
    if job_id is None and not queued_only:
        raise invalid('"job_id" or "all_queued_runs" is needed.')
    services = request.services
    if not services.store.exists:
        if job_id is not None:
            raise missing("Job", job_id)
        return {}
    with services.store.open().write() as connection:
        if job_id is not None and not _is_known(connection, job_id):
            raise missing("Job", job_id)
        runs.cancel_all(connection, job_id, services.clock.now_ms(), queued_only=queued_only)
    services.notify()
    return {}


def _is_known(connection: Any, job_id: int) -> bool:
    """Whether there is, or was, a job: one that is deleted may have active runs."""
    sql = "SELECT 1 FROM jobs WHERE id = ? UNION SELECT 1 FROM runs WHERE job_id = ? LIMIT 1"
    return connection.execute(sql, (job_id, job_id)).fetchone() is not None


def repair(request: Request) -> dict[str, Any]:
    from bundlectl.engine import repairs

    id = request.body_id("run_id")
    body = request.body()
    parameters, overriding = _parameters(body)
    tasks = body.get("rerun_tasks") or []
    if not isinstance(tasks, list) or not all(isinstance(key, str) for key in tasks):
        raise invalid('"rerun_tasks" must be a list of task keys.')
    wish = repairs.Wish(
        tasks=tuple(dict.fromkeys(tasks)),
        all_failed=_boolean(body, "rerun_all_failed_tasks"),
        dependents=_boolean(body, "rerun_dependent_tasks"),
        latest=request.body_id("latest_repair_id") if body.get("latest_repair_id") is not None else None,
        parameters=parameters,
        overriding=overriding,
        original=_as_of(body),
    )
    services = request.services
    if not services.store.exists:
        raise missing("Run", id)
    with services.store.open().write() as connection:
        try:
            repair_id = repairs.request(
                *(connection, id, wish, services.clock.now_ms()), queue_by_default=request.queue_by_default
            )
        except repairs.RepairRefused as error:
            if error.in_this_state:
                raise ApiError(400, "INVALID_STATE", str(error)) from None
            raise invalid(str(error)) from None
        if repair_id is None:
            raise _no_job_run(connection, id)
    services.notify()
    return {"repair_id": repair_id}


def _as_of(body: dict[str, Any]) -> bool:
    """Whether a repair is to take the settings that the run began with; a member of ours."""
    mark = body.get("bundlectl")
    given = mark.get("as_of", "current") if isinstance(mark, dict) else "current"
    if given not in ("current", "original"):
        raise invalid(f'"bundlectl.as_of" must be current or original, not "{given}".')
    return bool(given == "original")


def delete(request: Request) -> dict[str, Any]:
    id = request.body_id("run_id")
    services = request.services
    if not services.store.exists:
        raise missing("Run", id)
    with services.store.open().write() as connection:
        row = connection.execute("SELECT ended FROM runs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise _no_job_run(connection, id)
        if row[0] == 0:
            raise ApiError(400, "INVALID_STATE", f"Run {id} is active; cancel it before it is deleted.")
        runs.delete(connection, id, services.clock.now_ms())
    # After the commit: files that a kill leaves behind belong to nothing, rows without their files would be wrong.
    for name in ("logs", "runs"):
        shutil.rmtree(services.folder / name / str(id), ignore_errors=True)
    services.notify()
    return {}


def _no_job_run(connection: Any, id: int) -> ApiError:
    row = connection.execute("SELECT run_id FROM attempts WHERE id = ?", (id,)).fetchone()
    return missing("Run", id) if row is None else invalid(f"Run {id} is a task run of run {row[0]}; name that one.")


def _boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if value is not None and not isinstance(value, bool):
        raise invalid(f'"{name}" must be true or false.')
    return bool(value)
