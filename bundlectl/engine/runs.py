"""Runs and attempts as rows: requested once, admitted in order, cancelled by request; the scheduler's statements.

Called by api.runs for requests and by scheduler for everything that happens afterwards. Which state may follow which
is a table of model.run; scheduler checks it before it writes.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.engine import jobs
from bundlectl.engine.dag import Graph, build_graph, select
from bundlectl.engine.database import take_ids

JOB_RUN = "JOB_RUN"  # kinds of runs
SUBMIT_RUN = "SUBMIT_RUN"
QUEUE_LIMIT = 1_000  # runs of one job that wait
QUEUE_MS = 48 * 3_600_000  # how long a run waits
# Runs that were asked for, or repaired, before a moment and wait since.
_WAITED = (
    "ended = 0 AND state = 'QUEUED' AND coalesce((SELECT json_extract(repairs.request, '$.requested') FROM repairs"
    " WHERE repairs.id = runs.repair AND runs.repair > 0), requested) <= ?"
)

# Statements of the scheduler, by what happens.
START_RUN = "UPDATE runs SET state = 'RUNNING', started = ?, resumed = ?, parameters = ? WHERE id = ?"
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
ADD_ATTEMPT = (
    "INSERT INTO attempts (id, run_id, task_key, number, first_id, state, due, parent, iteration, repair)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
BEGIN_PARENT = "UPDATE attempts SET state = 'RUNNING', started = ?, resolved = ? WHERE id = ? AND ended = 0"
SET_INPUTS = "UPDATE attempts SET inputs = ?, since = ? WHERE id = ?"
SET_CHILD = "UPDATE attempts SET child = ? WHERE id = ?"
CANCEL_QUEUED = (
    "UPDATE runs SET state = 'TERMINATED', result = 'CANCELED', code = 'USER_CANCELED', ended = ?, cancel = ?,"
    " message = 'Run cancelled.' WHERE id = ? AND ended = 0 AND state = 'QUEUED'"
)
CANCEL_RUN = "UPDATE runs SET cancel = ? WHERE id = ? AND ended = 0 AND cancel = 0"
FOLDED = "INSERT INTO workers VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET folded = excluded.folded"


class TokenTaken(Exception):
    """The idempotency token started a run of another job."""


class TokenSpent(Exception):
    """The idempotency token started a run that was deleted."""


class Request(NamedTuple):
    """A wish for a run."""

    parameters: Mapping[str, str]
    only: Sequence[str] = ()
    queue: bool | None = None  # overrides the job's
    token: str | None = None
    trigger: str = "ONE_TIME"
    overriding: Mapping[str, Any] = {}  # legacy overrides of run-now
    parent: int | None = None  # attempt of the run_job task that asks
    ancestors: Sequence[int] = ()  # jobs above it


def request(
    connection: sqlite3.Connection, job: jobs.Job, wish: Request, now: int, creator: str, *, queue_by_default: bool
) -> int:
    """The id of the run: of an earlier one when the token is known. Raises TokenTaken, TokenSpent, dag.UnknownTask."""
    known = _run_of_token(connection, wish.token, job_id=job.id)
    if known is not None:
        return known
    graph = selection(job.settings, wish.only)
    return _add(connection, job, wish, graph, _judge(connection, job, wish, queue_by_default), (now, creator), JOB_RUN)


def submit(connection: sqlite3.Connection, settings: dict[str, Any], token: str | None, now: int, creator: str) -> int:
    """The id of a run of settings that are no job. Raises TokenTaken, TokenSpent."""
    known = _run_of_token(connection, token, job_id=None)
    if known is not None:
        return known
    name = settings.get("name") or "Untitled"
    job = jobs.Job(take_ids(connection, 1), None, None, None, name, settings, now, creator)
    wish = Request({}, token=token)
    graph = selection(settings, ())
    return _add(connection, job, wish, graph, ("PENDING", None, None, ""), (now, creator), SUBMIT_RUN)


def _run_of_token(connection: sqlite3.Connection, token: str | None, *, job_id: int | None) -> int | None:
    """The run that a token started; `job_id` is None for one-time runs. Raises TokenTaken, TokenSpent."""
    if token is None:
        return None
    row = connection.execute("SELECT id, job_id, kind FROM runs WHERE token = ?", (token,)).fetchone()
    if row is None:
        if connection.execute("SELECT 1 FROM spent_tokens WHERE token = ?", (token,)).fetchone() is not None:
            raise TokenSpent
        return None
    if (row[2] != SUBMIT_RUN) if job_id is None else (row[1] != job_id):
        raise TokenTaken
    return int(row[0])


def _add(
    connection: sqlite3.Connection,
    job: jobs.Job,
    wish: Request,
    graph: Graph,
    judged: tuple[str, str | None, str | None, str],
    asked: tuple[int, str],
    kind: str,
) -> int:
    """A row for a run, and rows for its tasks when it may start."""
    id = take_ids(connection, 1)
    state, result, code, message = judged
    now, creator = asked
    body = {"job_parameters": dict(wish.parameters), "only": list(wish.only), "overriding": dict(wish.overriding)}
    connection.execute(
        "INSERT INTO runs (id, job_id, name, document, request, token, trigger, creator, state, result, code, message,"
        " requested, ended, timeout_s, kind, parent, ancestors)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(id, job.id, job.name, jobs.keep_document(connection, job.settings)),
            *(json.dumps(body), wish.token, wish.trigger, creator, state, result, code, message),
            *(now, now if state == "SKIPPED" else 0, job.settings.get("timeout_seconds") or 0),
            *(kind, wish.parent, json.dumps(list(wish.ancestors))),
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
    if has_room(connection, job):
        return "PENDING", None, None, ""
    waiting = _count(connection, job.id, "state = 'QUEUED'")
    queue = wish.queue
    if queue is None:
        queue = queues(job.settings, queue_by_default)
    if not queue:
        return *skipped, "MAX_CONCURRENT_RUNS_EXCEEDED", reached
    if waiting >= QUEUE_LIMIT:
        text = f"Skipping this run because {QUEUE_LIMIT} runs of the job are waiting already."
        return *skipped, "MAX_JOB_QUEUE_SIZE_EXCEEDED", text
    return "QUEUED", None, None, queue_reason(job)


def has_room(connection: sqlite3.Connection, job: jobs.Job) -> bool:
    """Whether another run of a job may start now: fewer than its limit are active, and none waits."""
    active = _count(connection, job.id, "state <> 'QUEUED'")
    return active < _limit(job.settings) and not _count(connection, job.id, "state = 'QUEUED'")


def queues(settings: Mapping[str, Any], by_default: bool) -> bool:
    """Whether runs of a job wait for one another."""
    setting = settings.get("queue")
    return bool(setting.get("enabled")) if isinstance(setting, dict) else by_default


def queue_reason(job: jobs.Job) -> str:
    """Why a run waits."""
    return f"Queued due to reaching maximum concurrent runs of {_limit(job.settings)}."


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
        "SELECT id, request, repair FROM runs WHERE job_id = ? AND ended = 0 AND state = 'QUEUED'"
        " ORDER BY max(id, repair) LIMIT ?",
        (job_id, max(0, free)),
    ).fetchall()
    known = build_graph(job.settings.get("tasks") or []).nodes
    for id, request, repair in rows:
        if repair:  # its tasks and settings were fixed when the repair was asked for
            connection.execute("UPDATE runs SET state = 'PENDING', message = '' WHERE id = ?", (id,))
            continue
        only = [item for item in json.loads(request)["only"] if item.removeprefix("+").removesuffix("+") in known]
        connection.execute(
            "UPDATE runs SET state = 'PENDING', message = '', name = ?, document = ?, timeout_s = ? WHERE id = ?",
            (job.name, jobs.keep_document(connection, job.settings), job.settings.get("timeout_seconds") or 0, id),
        )
        _add_attempts(connection, id, selection(job.settings, only))


def selection(settings: Mapping[str, Any], only: Sequence[str]) -> Graph:
    """The tasks of one run. Raises dag.UnknownTask."""
    return select(build_graph(settings.get("tasks") or []), only)


def waited_too_long(connection: sqlite3.Connection, now: int) -> bool:
    """Whether a run waits that `expire_queued` would end."""
    sql = f"SELECT 1 FROM runs WHERE {_WAITED} LIMIT 1"  # noqa: S608  # ours, see above
    return connection.execute(sql, (now - QUEUE_MS,)).fetchone() is not None


def expire_queued(connection: sqlite3.Connection, now: int) -> int:
    """Skips runs that waited too long; how many there were."""
    sql = (
        "UPDATE runs SET state = 'SKIPPED', result = 'MAXIMUM_CONCURRENT_RUNS_REACHED', ended = ?,"  # noqa: S608  # ours
        " code = 'MAX_CONCURRENT_RUNS_EXCEEDED', message = 'Skipping this run because it waited for 48 hours.'"
        f" WHERE {_WAITED} RETURNING id"
    )
    ended = connection.execute(sql, (now, now - QUEUE_MS)).fetchall()
    _end_attempts(connection, ended, now)
    return len(ended)


def drop_queued(connection: sqlite3.Connection, job_id: int, now: int) -> None:
    """Ends the waiting runs of a job that is deleted."""
    ended = connection.execute(
        "UPDATE runs SET state = 'TERMINATED', result = 'CANCELED', code = 'CANCELED', ended = ?,"
        " message = 'The job was deleted.' WHERE job_id = ? AND ended = 0 AND state = 'QUEUED' RETURNING id",
        (now, job_id),
    ).fetchall()
    _end_attempts(connection, ended, now)


def cancel(connection: sqlite3.Connection, id: int, now: int) -> bool:
    """Asks for the end of a run, or of one task of it. False when there is neither; what has ended stays as it is."""
    run = connection.execute("SELECT state FROM runs WHERE id = ?", (id,)).fetchone()
    if run is None:
        attempt = connection.execute("SELECT first_id FROM attempts WHERE id = ?", (id,)).fetchone()
        if attempt is None:
            return False
        connection.execute("UPDATE attempts SET cancel = ? WHERE first_id = ? AND ended = 0", (now, attempt[0]))
        return True
    _cancel_run(connection, id, run[0], now)
    return True


def cancel_all(connection: sqlite3.Connection, job_id: int | None, now: int, *, queued_only: bool) -> None:
    """Asks for the end of every run that waits, of one job or of all; without `queued_only` also of those under way."""
    rows = connection.execute(
        "SELECT id, state FROM runs WHERE ended = 0 AND (? IS NULL OR job_id = ?) AND (state = 'QUEUED' OR NOT ?)",
        (job_id, job_id, queued_only),
    ).fetchall()
    # Those that wait first: else the end of one that runs would let another one start.
    for id, state in sorted(rows, key=lambda row: (row[1] != "QUEUED", row[0])):
        _cancel_run(connection, id, state, now)


def _cancel_run(connection: sqlite3.Connection, id: int, state: str, now: int) -> None:
    if state == "QUEUED":
        connection.execute(CANCEL_QUEUED, (now, now, id))
        _end_attempts(connection, [(id,)], now)
    else:
        connection.execute(CANCEL_RUN, (now, id))


def _end_attempts(connection: sqlite3.Connection, run_ids: Iterable[Sequence[int]], now: int) -> None:
    """A repair that ended while it waited has rows of tasks already."""
    connection.executemany(
        "UPDATE attempts SET state = 'TERMINATED', result = 'CANCELED', code = 'CANCELED', message = 'Run cancelled.',"
        " ended = ? WHERE run_id = ? AND ended = 0",
        [(now, row[0]) for row in run_ids],
    )


def delete(connection: sqlite3.Connection, id: int, now: int) -> None:
    """Removes a run that has ended; its token starts nothing again."""
    connection.execute(
        "INSERT OR IGNORE INTO spent_tokens SELECT token, ? FROM runs WHERE id = ? AND token IS NOT NULL", (now, id)
    )
    connection.execute("DELETE FROM attempts WHERE run_id = ?", (id,))
    connection.execute("DELETE FROM repairs WHERE run_id = ?", (id,))
    connection.execute("DELETE FROM runs WHERE id = ?", (id,))


def set_timeout(connection: sqlite3.Connection, job_id: int, seconds: int) -> None:
    """A job's time limit holds for its active runs at once."""
    connection.execute("UPDATE runs SET timeout_s = ? WHERE job_id = ? AND ended = 0", (seconds, job_id))


def _add_attempts(connection: sqlite3.Connection, run_id: int, graph: Graph) -> None:
    first = take_ids(connection, max(1, len(graph.nodes)))
    rows = [
        (id, run_id, node.key, 0, id, "BLOCKED" if node.edges else "PENDING", 0, None, None, 0)
        for id, node in enumerate(graph.nodes.values(), first)
    ]
    connection.executemany(ADD_ATTEMPT, rows)


def _limit(settings: Mapping[str, Any]) -> int:
    limit = settings.get("max_concurrent_runs")
    return 1 if limit is None else int(limit)


def _count(connection: sqlite3.Connection, job_id: int, which: str) -> int:
    sql = f"SELECT count(*) FROM runs WHERE job_id = ? AND ended = 0 AND {which}"  # noqa: S608  # ours, see above
    return int(connection.execute(sql, (job_id,)).fetchone()[0])
