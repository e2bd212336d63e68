"""jobs/run-now and jobs/runs/*: requests for runs and their ends, what runs are, what they wrote.

Reached from routes. Every answer is read from the database and the log files, so any process can give it, whether or
not it is the one that runs the scheduler.
"""

import json
import os
from typing import Any

from bundlectl.engine import jobs, manifests, runs
from bundlectl.engine.api.documents import run_document, task_document, tasks_by_key
from bundlectl.engine.api.errors import invalid, missing
from bundlectl.engine.api.request import MAX_ID, Request, make_token
from bundlectl.engine.dag import UnknownTask
from bundlectl.engine.files import log_path
from bundlectl.model.job import task_type
from bundlectl.model.run import Result

OUTPUT_LIMIT = 5 << 20  # bytes of an output that get-output gives
_LOG_CHUNK = 1 << 20
_TOKEN_LIMIT = 64
_PARAMETERS_LIMIT = 10_000  # bytes of the JSON of one kind of parameters
_TASKS_PAGE = 100
_RUN = "SELECT runs.*, body FROM runs JOIN documents ON documents.digest = runs.document"
_ATTEMPT = "SELECT * FROM attempts"
_WHEN = "max(requested, started, ended)"
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
        if wish.overriding and job.settings.get("parameters"):
            raise invalid(f"A job with job parameters takes no {', '.join(wish.overriding)}; use job_parameters.")
        try:
            run_id = runs.request(
                *(connection, job, wish, services.clock.now_ms(), services.user),
                queue_by_default=request.queue_by_default,
            )
        except runs.TokenTaken:
            raise invalid("The idempotency token started a run of another job.") from None
        except UnknownTask as error:
            raise invalid(f"{error}.") from error
    services.notify()
    return {"run_id": run_id, "number_in_job": run_id}


def _wish(request: Request) -> runs.Request:
    body = request.body()
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
    only = body.get("only") or []
    if not isinstance(only, list) or not all(isinstance(item, str) for item in only):
        raise invalid('"only" must be a list of task keys.')
    queue = body.get("queue")
    if queue is not None and not (isinstance(queue, dict) and isinstance(queue.get("enabled"), bool)):
        raise invalid('"queue" must be an object with "enabled".')
    enabled = None if queue is None else queue["enabled"]
    return runs.Request(parameters, tuple(only), enabled, _token(request, body), overriding=overriding)


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


def get(request: Request) -> dict[str, Any]:
    id = request.query_id("run_id")
    resolved = request.flag("include_resolved_values")
    after = (request.page_token("run") or [0])[0]
    with request.services.store.read() as connection:
        run, one = _find(connection, id)
        if one is not None:
            rows = [one]
        else:
            rows = connection.execute(
                f"{_ATTEMPT} WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?", (id, after, _TASKS_PAGE + 1)
            ).fetchall()
    settings = json.loads(run["body"])
    tasks = tasks_by_key(settings)
    source = "GIT" if settings.get("git_source") else "WORKSPACE"
    documents = [task_document(row, tasks[row["task_key"]], source, resolved=resolved) for row in rows[:_TASKS_PAGE]]
    document = run_document(run, settings)
    if one is not None:
        return {**document, **documents[0], "job_run_id": run["id"], "tasks": documents}
    document["tasks"] = documents
    if len(rows) > _TASKS_PAGE:
        document["next_page_token"] = make_token("run", documents[-1]["run_id"])
    return document


def list_runs(request: Request) -> dict[str, Any]:
    limit = request.number("limit", 20, 0, 25) or 25
    expand = request.flag("expand_tasks")
    where, values = _filters(request)
    token = request.page_token("runs")
    if token is not None:
        if len(token) != 2:
            raise invalid("The page token is not one of this list.")
        where.append(f"({_WHEN} < ? OR ({_WHEN} = ? AND id < ?))")
        values += [token[0], token[0], token[1]]
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    sql = f"{_RUN}{clause} ORDER BY {_WHEN} DESC, id DESC LIMIT ? OFFSET ?"
    with request.services.store.read() as connection:
        rows = connection.execute(sql, [*values, limit + 1, request.number("offset", 0, 0, 1_000_000)]).fetchall()
        attempts = {row["id"]: _attempts(connection, row["id"]) for row in rows[:limit]} if expand else {}
    documents = [_listed(row, attempts.get(row["id"])) for row in rows[:limit]]
    answer: dict[str, Any] = {"has_more": len(rows) > limit}
    if documents:
        answer["runs"] = documents
    if len(rows) > limit:
        last = rows[limit - 1]
        answer["next_page_token"] = make_token(
            "runs", max(last["requested"], last["started"], last["ended"]), last["id"]
        )
    return answer


def _filters(request: Request) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []
    if "job_id" in request.query:
        where.append("job_id = ?")
        values.append(request.query_id("job_id"))
    active, completed = request.flag("active_only"), request.flag("completed_only")
    if active and completed:
        raise invalid('"active_only" and "completed_only" exclude each other.')
    if active or completed:
        where.append("ended = 0" if active else "ended > 0")
    for name, sign in (("start_time_from", ">="), ("start_time_to", "<=")):
        if name in request.query:
            where.append(f"max(requested, started) {sign} ?")
            values.append(request.number(name, 0, 0, MAX_ID))
    if request.query.get("run_type", "JOB_RUN") != "JOB_RUN":
        where.append("0")
    return where, values


def _listed(row: Any, attempts: list[Any] | None) -> dict[str, Any]:
    settings = json.loads(row["body"])
    document = run_document(row, settings)
    if attempts is not None:
        tasks = tasks_by_key(settings)
        document["tasks"] = [task_document(each, tasks[each["task_key"]], "WORKSPACE") for each in attempts]
    return document


def get_output(request: Request) -> dict[str, Any]:
    id = request.query_id("run_id")
    with request.services.store.read() as connection:
        run, attempt = _find(connection, id)
    if attempt is None:
        text = (
            "Retrieving the output of runs with multiple tasks is not supported. "
            "Please retrieve the output of each individual task run instead."
        )
        raise invalid(text)
    settings = json.loads(run["body"])
    task = tasks_by_key(settings)[attempt["task_key"]]
    source = "GIT" if settings.get("git_source") else "WORKSPACE"
    logs, truncated = _tail(log_path(request.services.folder, run["id"], id, attempt["launch"]))
    metadata = {**run_document(run, settings), **task_document(attempt, task, source)}
    answer: dict[str, Any] = {"metadata": metadata, "logs": logs, "logs_truncated": truncated}
    if attempt["result"] in (Result.FAILED, Result.TIMEDOUT):
        answer["error"] = _error(attempt, logs)
        answer["error_trace"] = logs
    answer.update(_typed(task_type(task), json.loads(attempt["output"]) if attempt["output"] else {}))
    return answer


def _typed(kind: str | None, output: dict[str, Any]) -> dict[str, Any]:
    """What a task type returns beside its output on the terminal."""
    if kind == "notebook_task":
        return {"notebook_output": output.get("notebook_output", {"truncated": False})}
    if kind == "sql_task":
        return {"sql_output": output.get("sql_output", {})}
    return {}


def _error(attempt: Any, logs: str) -> str:
    """Why an attempt failed, in a line: what the engine knows, else the last line, else the exit code."""
    if attempt["error"] is not None:
        return str(attempt["error"])
    if attempt["result"] == Result.TIMEDOUT or attempt["lost"]:
        return str(attempt["message"])
    return next(
        (line.strip() for line in reversed(logs.splitlines()) if line.strip()), f"exit status {attempt['exit_code']}"
    )


def _tail(path: str) -> tuple[str, bool]:
    """The end of an output, with one line end at its end."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - OUTPUT_LIMIT))
            data = file.read(OUTPUT_LIMIT)
    except FileNotFoundError:
        return "", False
    text = data.decode("utf-8", "replace").rstrip("\n")
    return (text + "\n" if text else ""), size > OUTPUT_LIMIT


def log(request: Request) -> dict[str, Any]:
    """Output of one attempt from a byte offset on, cut where no character is cut."""
    id = _path_id(request)
    offset = request.number("offset", 0, 0, MAX_ID)
    limit = request.number("limit", _LOG_CHUNK, 4, OUTPUT_LIMIT)
    with request.services.store.read() as connection:
        run, attempt = _find(connection, id)
    if attempt is None:
        raise invalid(f"Run {id} is a job run; each of its task runs has an output.")
    try:
        with open(log_path(request.services.folder, run["id"], id, attempt["launch"]), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(min(offset, size))
            data = file.read(limit)
    except FileNotFoundError:
        return {"text": "", "offset": 0, "size": 0}
    if attempt["ended"] == 0 or offset + len(data) < size:
        data = data[: _whole(data)]
    return {"text": data.decode("utf-8", "replace"), "offset": min(offset, size) + len(data), "size": size}


def _whole(data: bytes) -> int:
    """How many bytes are left when a character that is not there in full is cut off."""
    for back in range(1, min(4, len(data)) + 1):
        first = data[-back]
        if first & 0xC0 != 0x80:
            length = 2 if first >> 5 == 6 else 3 if first >> 4 == 14 else 4 if first >> 3 == 30 else 1
            return len(data) - back if length > back else len(data)
    return len(data)


def manifest(request: Request) -> dict[str, Any]:
    """The outcome part of a run's manifest, as it stands."""
    id = _path_id(request)
    with request.services.store.read() as connection:
        run, attempt = _find(connection, id)
        if attempt is not None:
            raise invalid(f"Run {id} is a task run of run {run['id']}, which has the manifest.")
        attempts = _attempts(connection, id)
    tasks = tasks_by_key(json.loads(run["body"]))
    run_if = {key: task.get("run_if") or "ALL_SUCCESS" for key, task in tasks.items()}
    return {"outcome": manifests.outcome(request.services.folder, run, attempts, run_if)}


def _path_id(request: Request) -> int:
    return request._replace(query={"run_id": request.arguments[0]}).query_id("run_id")


def _attempts(connection: Any, run_id: int) -> list[Any]:
    return list(connection.execute(f"{_ATTEMPT} WHERE run_id = ? ORDER BY id", (run_id,)))


def _find(connection: Any, id: int) -> tuple[Any, Any | None]:
    """The job run with this id, or the job run of this task run and its row. Raises ApiError."""
    run = connection.execute(f"{_RUN} WHERE id = ?", (id,)).fetchone()
    if run is not None:
        return run, None
    attempt = connection.execute(f"{_ATTEMPT} WHERE id = ?", (id,)).fetchone()
    if attempt is None:
        raise missing("Run", id)
    return connection.execute(f"{_RUN} WHERE id = ?", (attempt["run_id"],)).fetchone(), attempt
