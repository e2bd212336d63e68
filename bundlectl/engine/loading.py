"""A run as its rows have it: what a scheduler takes in when it finds a run that it does not know.

Called by scheduler for new runs, repaired runs, and those of a scheduler that died. Reads, and decides nothing.
"""

import json
import sqlite3

from bundlectl.engine.active import ActiveRun, Loop, Task
from bundlectl.engine.dag import Ended, Evaluation, build_graph, build_part
from bundlectl.model.run import TERMINAL, LifeCycle, Result

_RUN = (
    "SELECT job_id, name, body, request, trigger, state, requested, started, timeout_s, parameters, creator, ancestors,"
    " repair, resumed, (SELECT count(*) FROM repairs WHERE run_id = runs.id AND id <> run_id) AS repair_count"
    " FROM runs JOIN documents ON documents.digest = runs.document WHERE runs.id = ?"
)
# Attempts by their number: ids of retries come from a block that the scheduler took earlier, so they may be lower than
# those of the attempts before them. Iterations come after the tasks that they belong to.
_ATTEMPTS = "SELECT * FROM attempts WHERE run_id = ? ORDER BY parent IS NOT NULL, number, id"
_BAD = (Result.FAILED, Result.TIMEDOUT)


def load(connection: sqlite3.Connection, id: int) -> ActiveRun:
    """The run with all its tasks and iterations. `connection` gives rows by name."""
    row = connection.execute(_RUN, (id,)).fetchone()
    attempts = connection.execute(_ATTEMPTS, (id,)).fetchall()
    settings, wish = json.loads(row["body"]), json.loads(row["request"])
    # A part of the job, or what it was before it was edited and repaired: the rows say which tasks there are.
    keys = dict.fromkeys(attempt["task_key"] for attempt in attempts if attempt["parent"] is None)
    tasks = settings.get("tasks") or []
    graph = build_part(tasks, keys) if wish["only"] or row["repair"] else build_graph(tasks)
    run = ActiveRun(id, row["job_id"], row["name"], settings, graph)
    run.state = LifeCycle(row["state"])
    run.trigger, run.creator, run.ancestors = row["trigger"], row["creator"], tuple(json.loads(row["ancestors"]))
    run.requested, run.started, run.timeout_s = row["requested"], row["started"], row["timeout_s"]
    run.repair, run.repair_count = row["repair"], row["repair_count"]
    run.resumed = row["resumed"] or row["started"]
    run.overrides, run.legacy = wish["job_parameters"], wish["overriding"]
    run.parameters = json.loads(row["parameters"]) if row["parameters"] is not None else None
    _take_attempts(run, attempts)
    return run


def _take_attempts(run: ActiveRun, attempts: list[sqlite3.Row]) -> None:
    documents = {task["task_key"]: task for task in run.settings.get("tasks") or []}
    loops: dict[str, list[Loop]] = {}
    anchors: dict[int, str] = {}  # attempts of for_each tasks
    for row in attempts:
        if row["parent"] is None:
            task = _task(run.tasks.get(row["task_key"]), Task(documents[row["task_key"]], *_identity(row)), row)
            run.tasks[task.key] = task
            run.has_values = run.has_values or bool(task.values)
            if "for_each_task" in task.document:
                anchors[row["id"]] = task.key
                _take_loop(task, row, loops.setdefault(task.key, []))
        elif (key := anchors.get(row["parent"])) is not None:  # None: the task was something else before a repair
            _take_iteration(run.tasks[key], row, loops[key])
    for task in run.tasks.values():
        if task.loop is not None:
            task.loop.count()
    _rebuild(run, attempts)


def _take_loop(task: Task, row: sqlite3.Row, earlier: list[Loop]) -> None:
    """The iterations of an attempt of a for_each task, as far as it has begun."""
    task.loop_before = earlier[-1] if earlier else None
    if row["inputs"] is not None:
        task.loop = Loop(task.document, row["inputs"], row["since"], task.id)
        task.loop.tasks = [None] * len(task.loop.inputs)  # type: ignore[list-item]  # every one has a row, see below
        earlier.append(task.loop)


def _take_iteration(parent: Task, row: sqlite3.Row, loops: list[Loop]) -> None:
    """One attempt of an iteration, in every loop in which it counts. They come in the order of their numbers."""
    for loop in loops:
        if loop.since <= row["parent"] <= loop.until:
            loop.tasks[row["iteration"]] = _task(loop.tasks[row["iteration"]], _iteration(parent, loop, row), row)


def _iteration(parent: Task, loop: Loop, row: sqlite3.Row) -> Task:
    """The iteration of a row."""
    index, references = row["iteration"], loop.has_references
    return Task(loop.nested, *_identity(row), parent=parent, index=index, has_references=references)


def _identity(row: sqlite3.Row) -> tuple[int, int, int, LifeCycle]:
    return row["id"], row["number"], row["first_id"], LifeCycle(row["state"])


def _task(before: Task | None, task: Task, row: sqlite3.Row) -> Task:
    """The row of an attempt, on top of what earlier attempts of the task left."""
    task.started, task.due, task.launch, task.cancel = row["started"], row["due"], row["launch"], bool(row["cancel"])
    task.result, task.code = Result(row["result"]) if row["result"] else None, row["code"]
    task.token, task.worker, task.boot = row["token"] or "", row["worker"], row["boot"]
    task.name = f"{task.id}-{task.launch}"
    task.outcome, task.child, task.repair = row["outcome"], row["child"], row["repair"]
    if before is not None and before.repair == task.repair:  # after a repair a task starts from scratch
        task.failed, task.lost = before.failed, before.lost
        task.values, task.output = before.values, before.output
    if row["ended"] and task.result in _BAD:
        task.lost += bool(row["lost"])
        task.failed += not row["lost"]
    if row["vals"]:
        task.values = {**task.values, **json.loads(row["vals"])}
    if row["output"]:
        task.output = json.loads(row["output"])
    return task


def _rebuild(run: ActiveRun, attempts: list[sqlite3.Row]) -> None:
    """Evaluation of a run that was under way: ends in their order."""
    latest = {task.id: task for task in run.tasks.values() if task.state in TERMINAL}
    known: dict[str, Ended] = {}
    # An attempt that was followed by another one is not the end of its task.
    ended = [row for row in attempts if row["id"] in latest]
    for row in sorted(ended, key=lambda row: (row["ended"], row["id"])):
        task = latest[row["id"]]
        assert task.result is not None
        run.ends += 1
        known[task.key] = Ended(task.result, task.outcome, run.ends, row["message"])
    run.evaluation = Evaluation(run.graph, known)
