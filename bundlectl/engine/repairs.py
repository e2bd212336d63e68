"""Repair of a run that has ended: which tasks run again, with which settings, and what is kept of the phases before.

Called by api.repairs inside a transaction. The scheduler then finds the run as one that is to start (jobs.md 3.12).
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.base.dag import find_cycle
from bundlectl.engine import jobs, runs
from bundlectl.engine.dag import CLASSES, Graph, build_part
from bundlectl.engine.database import take_ids
from bundlectl.model.run import Result

LATEST_NEEDED = "The latest repair ID needs to be provided in order to create a new repair"


class Wish(NamedTuple):
    """What is to run again. `settings`: current ones of the job, or the original ones of the run."""

    tasks: Sequence[str] = ()
    all_failed: bool = False
    dependents: bool = False
    latest: int | None = None  # the repair that the caller knows of
    parameters: Mapping[str, str] = {}
    overriding: Mapping[str, Any] = {}  # legacy overrides
    original: bool = False


class RepairRefused(Exception):
    """The repair is not possible; nothing changed. `in_this_state`: not now, rather than not like this."""

    def __init__(self, message: str, *, in_this_state: bool = False) -> None:
        super().__init__(message)
        self.in_this_state = in_this_state


class _Past(NamedTuple):
    """What there is to repair."""

    run: Mapping[str, Any]
    results: dict[str, Result]  # of each task, after its last attempt, in the order of the tasks
    attempts: dict[str, tuple[int, int]]  # number and first id of the last attempt
    documents: dict[str, dict[str, Any]]  # the tasks as they ran


def request(connection: sqlite3.Connection, run_id: int, wish: Wish, now: int, *, queue_by_default: bool) -> int | None:
    """Starts a repair and gives its id; None when there is no such run. Raises RepairRefused."""
    past = _past(connection, run_id)
    if past is None:
        return None
    _check(past, wish)
    job, settings = _settings(connection, past, wish)
    if wish.overriding and settings.get("parameters"):
        raise RepairRefused(f"A job with job parameters takes no {', '.join(wish.overriding)}; use job_parameters.")
    merged, graph, again = _chosen(past, settings, wish)
    waits = _waits(connection, job, queue_by_default)
    repair = take_ids(connection, 1)
    _write_phases(connection, past, repair, wish, now)
    run = past.run
    asked = json.loads(run["request"])
    asked["job_parameters"] = {**asked["job_parameters"], **wish.parameters}
    asked["overriding"] = {**asked["overriding"], **wish.overriding}
    document = jobs.keep_document(connection, {**settings, "tasks": merged})
    connection.execute(
        "UPDATE runs SET state = ?, result = NULL, code = NULL, message = ?, ended = 0, cancel = 0, document = ?,"
        " request = ?, repair = ?, spent = spent + ?, resumed = 0, timeout_s = ? WHERE id = ?",
        (
            *("QUEUED" if waits else "PENDING", waits or "", document, json.dumps(asked), repair),
            *(run["ended"] - (run["resumed"] or run["started"]), settings.get("timeout_seconds") or 0, run_id),
        ),
    )
    connection.execute("UPDATE repairs SET document = ? WHERE id = ?", (document, repair))
    _add_attempts(connection, past, graph, again, repair)
    return repair


def _past(connection: sqlite3.Connection, run_id: int) -> _Past | None:
    cursor = connection.execute(
        "SELECT runs.*, body FROM runs JOIN documents ON documents.digest = runs.document WHERE runs.id = ?", (run_id,)
    )
    row = cursor.fetchone()
    if row is None:
        return None
    run = dict(zip([column[0] for column in cursor.description], row, strict=True))
    results: dict[str, Result] = {}
    attempts: dict[str, tuple[int, int]] = {}
    for key, number, first_id, result in connection.execute(
        "SELECT task_key, number, first_id, result FROM attempts WHERE run_id = ? AND parent IS NULL AND ended > 0"
        " ORDER BY number, id",
        (run_id,),
    ):
        results[key], attempts[key] = Result(result), (number, first_id)
    documents = {task["task_key"]: task for task in json.loads(run["body"]).get("tasks") or []}
    return _Past(run, results, attempts, documents)


def _check(past: _Past, wish: Wish) -> None:
    run = past.run
    if run["ended"] == 0:
        raise RepairRefused(f"Run {run['id']} is active; a run is repaired once it has ended.", in_this_state=True)
    if not past.results:
        raise RepairRefused(f"Run {run['id']} never started, so there is nothing to repair.", in_this_state=True)
    if wish.latest != (run["repair"] or None):
        raise RepairRefused(LATEST_NEEDED if run["repair"] else f"Run {run['id']} was never repaired.")
    if bool(wish.tasks) == wish.all_failed:
        raise RepairRefused("Exactly one of rerun_tasks and rerun_all_failed_tasks is needed.")
    unknown = [key for key in wish.tasks if key not in past.results]
    if unknown:
        raise RepairRefused(f"Run {run['id']} has no task '{unknown[0]}'.")


def _settings(connection: sqlite3.Connection, past: _Past, wish: Wish) -> tuple[jobs.Job | None, dict[str, Any]]:
    """The settings of the repair, and the job whose limits hold; None for a one-time run."""
    run = past.run
    own = json.loads(run["body"])
    if run["kind"] == runs.SUBMIT_RUN:
        return None, own
    job = jobs.get(connection, run["job_id"])
    if job is None:
        raise RepairRefused(f"Job {run['job_id']} of this run does not exist any more.")
    if jobs.is_hidden(job.settings):
        text = f"Job {run['job_id']} of this run is deleted and kept; bring it back to repair its runs."
        raise RepairRefused(text, in_this_state=True)
    if not wish.original:
        return job, job.settings
    first = connection.execute(
        "SELECT body FROM repairs JOIN documents ON documents.digest = repairs.document WHERE repairs.id = ?",
        (run["id"],),
    ).fetchone()
    return job, own if first is None else json.loads(first[0])


def _chosen(past: _Past, settings: Mapping[str, Any], wish: Wish) -> tuple[list[dict[str, Any]], Graph, set[str]]:
    """The tasks of the run as they are from now on, their graph, and which of them run again."""
    current = {task["task_key"]: task for task in settings.get("tasks") or []}
    chosen = set(wish.tasks) or {key for key, result in past.results.items() if CLASSES[result] in "FC"}
    if not chosen:
        raise RepairRefused(f"No task of run {past.run['id']} failed.")
    gone = sorted(chosen - current.keys())
    if gone:
        raise RepairRefused(f"Task '{gone[0]}' does not exist in the job any more.")
    graph = _graph(past, [current.get(key, past.documents[key]) for key in past.results])
    below = {key for parent in chosen for key in graph.downstream(parent) if key in current}
    # What was excluded may be reached now.
    chosen |= below if wish.dependents else {key for key in below if past.results[key] is Result.EXCLUDED}
    merged = [current[key] if key in chosen else past.documents[key] for key in past.results]
    return merged, _graph(past, merged), chosen


def _graph(past: _Past, tasks: Sequence[dict[str, Any]]) -> Graph:
    edges = {
        task["task_key"]: [
            edge["task_key"] for edge in task.get("depends_on") or () if edge["task_key"] in past.results
        ]
        for task in tasks
    }
    cycle = find_cycle(edges)
    if cycle is not None:  # the job was edited: some edges are old, some new
        shown = " -> ".join(cycle)
        raise RepairRefused(
            f"With the current settings the tasks of this run depend on each other in a circle: {shown}."
        )
    return build_part(tasks, past.results)


def _waits(connection: sqlite3.Connection, job: jobs.Job | None, queue_by_default: bool) -> str | None:
    """Why the repair has to wait; None when it may start. Raises RepairRefused when it may not wait."""
    if job is None or runs.has_room(connection, job):
        return None
    if not runs.queues(job.settings, queue_by_default):
        text = "The limit of concurrent runs of the job has been reached; repair the run when one has ended."
        raise RepairRefused(text, in_this_state=True)
    return runs.queue_reason(job)


def _write_phases(connection: sqlite3.Connection, past: _Past, repair: int, wish: Wish, now: int) -> None:
    """Writes down how the phase before ended, and that a new one begins."""
    run = past.run
    if not run["repair"]:
        connection.execute(
            "INSERT INTO repairs (id, run_id, document, request) VALUES (?, ?, ?, ?)",
            (run["id"], run["id"], run["document"], run["request"]),
        )
    connection.execute(
        "UPDATE repairs SET started = ?, ended = ?, state = ?, result = ?, code = ?, message = ? WHERE id = ?",
        (
            *(run["resumed"] or run["started"], run["ended"], run["state"], run["result"], run["code"]),
            *(run["message"], run["repair"] or run["id"]),
        ),
    )
    asked = {
        "rerun_tasks": list(wish.tasks),
        "rerun_all_failed_tasks": wish.all_failed,
        "rerun_dependent_tasks": wish.dependents,
        "job_parameters": dict(wish.parameters),
        "requested": now,
    }
    connection.execute(
        "INSERT INTO repairs (id, run_id, document, request) VALUES (?, ?, ?, ?)",
        (repair, run["id"], run["document"], json.dumps(asked)),
    )


def _add_attempts(connection: sqlite3.Connection, past: _Past, graph: Graph, again: set[str], repair: int) -> None:
    first = take_ids(connection, len(again))
    keys = [key for key in graph.nodes if key in again]
    rows = []
    for id, key in enumerate(keys, first):
        number, first_id = past.attempts[key]
        state = "BLOCKED" if graph.nodes[key].edges else "PENDING"
        rows.append((id, past.run["id"], key, number + 1, first_id, state, 0, None, None, repair))
    connection.executemany(runs.ADD_ATTEMPT, rows)
