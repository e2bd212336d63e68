"""Runs and attempts as rows: requested once, admitted in order, cancelled by request; the scheduler's statements.

Called by api.runs for requests and by scheduler for everything that happens afterwards. Which state may follow which
is a table of model.run; scheduler checks it before it writes.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.engine import jobs
from bundlectl.engine.dag import Graph, build_graph, select
from bundlectl.engine.database import take_ids

QUEUE_LIMIT = 1_000  # runs of one job that wait
QUEUE_MS = 48 * 3_600_000  # how long a run waits

# Statements of the scheduler, by what happens.
START_RUN = "UPDATE runs SET state = 'RUNNING', started = ?, parameters = ? WHERE id = ?"
MOVE_RUN = "UPDATE runs SET state = ? WHERE id = ?"
END_RUN = "UPDATE runs SET state = ?, result = ?, code = ?, message = ?, ended = ? WHERE id = ? AND ended = 0"
MOVE_ATTEMPT = "UPDATE attempts SET state = ? WHERE id = ?"
LAUNCH_ATTEMPT = (
    "UPDATE attempts SET state = 'RUNNING', started = ?, launch = ?, token = ?, worker = ?, boot = ?, resolved = ?"
    " WHERE id = ? AND ended = 0"
)
UNLAUNCH_ATTEMPT = "UPDATE attempts SET state = 'PENDING', started = 0, worker = NULL WHERE id = ? AND ended = 0"
END_ATTEMPT = (
    "UPDATE attempts SET state = ?, result = ?, code = ?, message = ?, started = ?, executing = ?, ended = ?, lost = ?,"
    " exit_code = ?, signal = ?, log_bytes = ?, error = ?, outcome = ?, resolved = coalesce(?, resolved), vals = ?,"
    " output = ?, files = ? WHERE id = ? AND ended = 0"
)
ADD_ATTEMPT = "INSERT INTO attempts (id, run_id, task_key, number, first_id, state, due) VALUES (?, ?, ?, ?, ?, ?, ?)"
FOLDED = "INSERT INTO workers VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET folded = excluded.folded"


class TokenTaken(Exception):
    """The idempotency token started a run of another job."""


class Request(NamedTuple):
    """A wish for a run."""

    parameters: Mapping[str, str]
    only: Sequence[str] = ()
    queue: bool | None = None  # overrides the job's
    token: str | None = None
    trigger: str = "ONE_TIME"
    overriding: Mapping[str, Any] = {}  # legacy overrides of run-now


def request(
    connection: sqlite3.Connection, job: jobs.Job, wish: Request, now: int, creator: str, *, queue_by_default: bool
) -> int:
    """The id of the run: of an earlier one when the token is known. Raises TokenTaken, dag.UnknownTask."""
    if wish.token is not None:
        row = connection.execute("SELECT id, job_id FROM runs WHERE token = ?", (wish.token,)).fetchone()
        if row is not None:
            if row[1] != job.id:
                raise TokenTaken
            return int(row[0])
    graph = selection(job.settings, wish.only)
    state, result, code, message = _judge(connection, job, wish, queue_by_default)
    id = take_ids(connection, 1)
    body = {"job_parameters": dict(wish.parameters), "only": list(wish.only), "overriding": dict(wish.overriding)}
    connection.execute(
        "INSERT INTO runs (id, job_id, name, document, request, token, trigger, creator, state, result, code, message,"
        " requested, ended, timeout_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(id, job.id, job.name, jobs.keep_document(connection, job.settings)),
            *(json.dumps(body), wish.token, wish.trigger, creator, state, result, code, message),
            *(now, now if state == "SKIPPED" else 0, job.settings.get("timeout_seconds") or 0),
        ),
    )
    if state == "PENDING":
        _add_attempts(connection, id, graph)
    return id


def _judge(
    connection: sqlite3.Connection, job: jobs.Job, wish: Request, queue_by_default: bool
) -> tuple[str, str | None, str | None, str]:
    """State of a new run: PENDING, QUEUED or SKIPPED (jobs.md 2.9)."""
    limit = _limit(job.settings)
    skipped = "SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED"
    reached = f"Skipping this run because the limit of {limit} maximum concurrent runs has been reached."
    if limit == 0:
        return *skipped, "MAX_CONCURRENT_RUNS_EXCEEDED", reached
    waiting = _count(connection, job.id, "state = 'QUEUED'")
    if _count(connection, job.id, "state <> 'QUEUED'") < limit and not waiting:
        return "PENDING", None, None, ""
    queue = wish.queue
    if queue is None:
        setting = job.settings.get("queue")
        queue = bool(setting.get("enabled")) if isinstance(setting, dict) else queue_by_default
    if not queue:
        return *skipped, "MAX_CONCURRENT_RUNS_EXCEEDED", reached
    if waiting >= QUEUE_LIMIT:
        text = f"Skipping this run because {QUEUE_LIMIT} runs of the job are waiting already."
        return *skipped, "MAX_JOB_QUEUE_SIZE_EXCEEDED", text
    return "QUEUED", None, None, f"Queued due to reaching maximum concurrent runs of {limit}."


def admit(connection: sqlite3.Connection, job_id: int, now: int) -> None:
    """Lets waiting runs of a job start, oldest first, with the settings that the job has now."""
    if not _count(connection, job_id, "state = 'QUEUED'"):
        return
    job = jobs.get(connection, job_id)
    if job is None:
        drop_queued(connection, job_id, now)
        return
    free = _limit(job.settings) - _count(connection, job_id, "state <> 'QUEUED'")
    rows = connection.execute(
        "SELECT id, request FROM runs WHERE job_id = ? AND ended = 0 AND state = 'QUEUED' ORDER BY id LIMIT ?",
        (job_id, max(0, free)),
    ).fetchall()
    for id, request in rows:
        known = build_graph(job.settings.get("tasks") or []).nodes
        only = [item for item in json.loads(request)["only"] if item.removeprefix("+").removesuffix("+") in known]
        connection.execute(
            "UPDATE runs SET state = 'PENDING', message = '', name = ?, document = ?, timeout_s = ? WHERE id = ?",
            (job.name, jobs.keep_document(connection, job.settings), job.settings.get("timeout_seconds") or 0, id),
        )
        _add_attempts(connection, id, selection(job.settings, only))


def selection(settings: Mapping[str, Any], only: Sequence[str]) -> Graph:
    """The tasks of one run. Raises dag.UnknownTask."""
    return select(build_graph(settings.get("tasks") or []), only)


def expire_queued(connection: sqlite3.Connection, now: int) -> None:
    """Skips runs that waited too long."""
    connection.execute(
        "UPDATE runs SET state = 'SKIPPED', result = 'MAXIMUM_CONCURRENT_RUNS_REACHED', ended = ?,"
        " code = 'MAX_CONCURRENT_RUNS_EXCEEDED', message = 'Skipping this run because it waited for 48 hours.'"
        " WHERE ended = 0 AND state = 'QUEUED' AND requested <= ?",
        (now, now - QUEUE_MS),
    )


def drop_queued(connection: sqlite3.Connection, job_id: int, now: int) -> None:
    """Ends the waiting runs of a job that is deleted."""
    connection.execute(
        "UPDATE runs SET state = 'TERMINATED', result = 'CANCELED', code = 'CANCELED', ended = ?,"
        " message = 'The job was deleted.' WHERE job_id = ? AND ended = 0 AND state = 'QUEUED'",
        (now, job_id),
    )


def cancel(connection: sqlite3.Connection, id: int, now: int) -> bool:
    """Asks for the end of a run, or of one task of it. False when there is neither; what has ended stays as it is."""
    run = connection.execute("SELECT state, job_id FROM runs WHERE id = ?", (id,)).fetchone()
    if run is None:
        attempt = connection.execute("SELECT first_id FROM attempts WHERE id = ?", (id,)).fetchone()
        if attempt is None:
            return False
        connection.execute("UPDATE attempts SET cancel = ? WHERE first_id = ? AND ended = 0", (now, attempt[0]))
        return True
    if run[0] == "QUEUED":
        connection.execute(
            "UPDATE runs SET state = 'TERMINATED', result = 'CANCELED', code = 'USER_CANCELED', ended = ?, cancel = ?,"
            " message = 'Run cancelled.' WHERE id = ? AND ended = 0",
            (now, now, id),
        )
    else:
        connection.execute("UPDATE runs SET cancel = ? WHERE id = ? AND ended = 0 AND cancel = 0", (now, id))
    return True


def set_timeout(connection: sqlite3.Connection, job_id: int, seconds: int) -> None:
    """A job's time limit holds for its active runs at once."""
    connection.execute("UPDATE runs SET timeout_s = ? WHERE job_id = ? AND ended = 0", (seconds, job_id))


def _add_attempts(connection: sqlite3.Connection, run_id: int, graph: Graph) -> None:
    first = take_ids(connection, max(1, len(graph.nodes)))
    rows = [
        (id, run_id, node.key, 0, id, "BLOCKED" if node.edges else "PENDING", 0)
        for id, node in enumerate(graph.nodes.values(), first)
    ]
    connection.executemany(ADD_ATTEMPT, rows)


def _limit(settings: Mapping[str, Any]) -> int:
    limit = settings.get("max_concurrent_runs")
    return 1 if limit is None else int(limit)


def _count(connection: sqlite3.Connection, job_id: int, which: str) -> int:
    sql = f"SELECT count(*) FROM runs WHERE job_id = ? AND ended = 0 AND {which}"  # noqa: S608  # ours, see above
    return int(connection.execute(sql, (job_id,)).fetchone()[0])
