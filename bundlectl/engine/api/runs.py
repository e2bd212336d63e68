"""jobs/runs/get, list, get-output, export, and the log and manifest of the engine's own: what runs are and wrote.

Reached from routes. Every answer is read from the database and the log files, so any process can give it, whether or
not it is the one that runs the scheduler.
"""

import json
import os
from typing import Any

from bundlectl.engine import manifests
from bundlectl.engine.api.attempts import Attempts, repair_history
from bundlectl.engine.api.documents import run_document
from bundlectl.engine.api.errors import invalid, missing
from bundlectl.engine.api.request import MAX_ID, Request, make_token
from bundlectl.engine.files import log_path
from bundlectl.engine.logs import read_log
from bundlectl.model.job import task_type
from bundlectl.model.run import Result

OUTPUT_LIMIT = 5 << 20  # bytes of an output that get-output gives
_LOG_CHUNK = 1 << 20
_TASKS_PAGE = 100
_MANIFEST_ITERATIONS = 1 << 31  # all of them
_RUN = "SELECT runs.*, body FROM runs JOIN documents ON documents.digest = runs.document"
_ATTEMPT = "SELECT * FROM attempts"
_WHEN = "max(requested, started, ended)"


def get(request: Request) -> dict[str, Any]:
    id = request.query_id("run_id")
    resolved = request.flag("include_resolved_values")
    after = (request.page_token("run") or [0])[0]
    with request.services.store.read() as connection:
        run, one = find_run(connection, id)
        document = run_document(run, json.loads(run["body"]))
        attempts = Attempts(connection, run)
        if request.flag("include_history"):
            document["repair_history"] = repair_history(connection, run)
        if one is None:
            sql = f"{_ATTEMPT} WHERE run_id = ? AND parent IS NULL AND id > ? ORDER BY id LIMIT ?"
            rows = connection.execute(sql, (id, after, _TASKS_PAGE + 1)).fetchall()
            kind = "tasks"
        else:
            shown = attempts.document(one, resolved=resolved)
            document = {**document, **shown, "job_run_id": run["id"], "tasks": [shown]}
            rows = attempts.iterations(one, after, _TASKS_PAGE + 1) if one["inputs"] is not None else []
            kind = "iterations"
        page = [attempts.document(row, resolved=resolved) for row in rows[:_TASKS_PAGE]]
    if page or one is None:
        document[kind] = page
    if len(rows) > _TASKS_PAGE:
        document["next_page_token"] = make_token("run", page[-1]["run_id"])
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
        documents = [_listed(connection, row, expand) for row in rows[:limit]]
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
    if "run_type" in request.query:
        where.append("kind = ?")
        values.append(request.query["run_type"])
    return where, values


def _listed(connection: Any, row: Any, expand: bool) -> dict[str, Any]:
    document = run_document(row, json.loads(row["body"]))
    if expand:
        attempts = Attempts(connection, row)
        document["tasks"] = [attempts.document(each) for each in _attempts(connection, row["id"])]
    return document


def get_output(request: Request) -> dict[str, Any]:
    id = request.query_id("run_id")
    with request.services.store.read() as connection:
        run, attempt = find_run(connection, id)
        if attempt is None:
            text = (
                "Retrieving the output of runs with multiple tasks is not supported. "
                "Please retrieve the output of each individual task run instead."
            )
            raise invalid(text)
        attempts = Attempts(connection, run)
        task, shown = attempts.task(attempt), attempts.document(attempt)
    logs, truncated = _tail(_log(request, run, attempt))
    metadata = {**run_document(run, json.loads(run["body"])), **shown}
    answer: dict[str, Any] = {"metadata": metadata, "logs": logs, "logs_truncated": truncated}
    if attempt["result"] in (Result.FAILED, Result.TIMEDOUT):
        answer["error"] = _error(attempt, logs)
        answer["error_trace"] = logs
    answer.update(_typed(task_type(task), json.loads(attempt["output"]) if attempt["output"] else {}))
    if attempt["child"] is not None:
        answer["run_job_output"] = {"run_id": attempt["child"]}
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


def output_of(request: Request, run: Any, attempt: Any) -> str:
    """The end of what an attempt wrote to the terminal."""
    return _tail(_log(request, run, attempt))[0]


def _log(request: Request, run: Any, attempt: Any) -> str:
    return log_path(request.services.folder, run["id"], attempt["id"], attempt["launch"])


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
        run, attempt = find_run(connection, id)
    if attempt is None:
        raise invalid(f"Run {id} is a job run; each of its task runs has an output.")
    try:
        with open(_log(request, run, attempt), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            data, end = read_log(file, min(offset, size), limit)
    except FileNotFoundError:
        return {"text": "", "offset": 0, "size": 0}
    if attempt["ended"] == 0 or end < size:
        whole = _whole(data)
        data, end = data[:whole], end - (len(data) - whole)
    return {"text": data.decode("utf-8", "replace"), "offset": end, "size": size}


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
        run, attempt = find_run(connection, id)
        if attempt is not None:
            raise invalid(f"Run {id} is a task run of run {run['id']}, which has the manifest.")
        attempts = _attempts(connection, id)
        shown = Attempts(connection, run)
        iterations = {
            row["id"]: shown.iterations(row, 0, _MANIFEST_ITERATIONS) for row in attempts if row["inputs"] is not None
        }
        run_if = {row["task_key"]: shown.task(row).get("run_if") or "ALL_SUCCESS" for row in attempts}
        history = repair_history(connection, run)
    folder = request.services.folder
    return {"outcome": manifests.outcome(folder, run, attempts, run_if, history=history, iterations=iterations)}


def _path_id(request: Request) -> int:
    return request._replace(query={"run_id": request.arguments[0]}).query_id("run_id")


def _attempts(connection: Any, run_id: int) -> list[Any]:
    return list(connection.execute(f"{_ATTEMPT} WHERE run_id = ? AND parent IS NULL ORDER BY id", (run_id,)))


def find_run(connection: Any, id: int) -> tuple[Any, Any | None]:
    """The job run with this id, or the job run of this task run and its row. Raises ApiError."""
    run = connection.execute(f"{_RUN} WHERE id = ?", (id,)).fetchone()
    if run is not None:
        return run, None
    attempt = connection.execute(f"{_ATTEMPT} WHERE id = ?", (id,)).fetchone()
    if attempt is None:
        raise missing("Run", id)
    return connection.execute(f"{_RUN} WHERE id = ?", (attempt["run_id"],)).fetchone(), attempt
