"""Runs under way, in memory: what the rows say, kept by progress so that no end needs a query.

Loaded by scheduler when it finds a run that it does not know: a new one, or one of a scheduler that died.
"""

import json
import sqlite3
from typing import Any

from bundlectl.engine.dag import Ended, Evaluation, Graph
from bundlectl.engine.runs import selection
from bundlectl.model.run import TERMINAL, LifeCycle, Result

_ATTEMPTS = (
    "SELECT id, task_key, number, first_id, state, result, code, message, started, ended, due, cancel, lost, launch,"
    " token, worker, boot, outcome, vals, output FROM attempts WHERE run_id = ? ORDER BY id"
)


class Task:
    """One task of a run, at its latest attempt. Times are epoch ms."""

    def __init__(self, document: dict[str, Any], id: int, number: int, first_id: int, state: LifeCycle) -> None:
        self.document = document
        self.key: str = document["task_key"]
        self.has_references = "{{" in json.dumps(document, ensure_ascii=False)  # most tasks have nothing to resolve
        self.id = id
        self.number = number
        self.first_id = first_id
        self.state = state
        self.result: Result | None = None
        self.code: str | None = None
        self.outcome: str | None = None
        self.started = 0
        self.due = 0
        self.failed = 0  # attempts that ended badly, lost ones aside
        self.lost = 0
        self.launch = 0
        self.name = ""  # of the launch: names its claim
        self.token = ""
        self.worker: str | None = None
        self.boot: str | None = None
        self.cancel = False
        self.preparing = False
        self.ahead: Any = None  # Prepared: what dispatch prepared before its turn
        self.values: dict[str, Any] = {}
        self.output: Any = None

    @property
    def launched(self) -> bool:
        """Whether a worker has it, or may have it."""
        return self.worker is not None and self.state in (LifeCycle.RUNNING, LifeCycle.TERMINATING)


class ActiveRun:
    """One run that has not ended."""

    def __init__(self, id: int, job_id: int, name: str, settings: dict[str, Any], graph: Graph) -> None:
        self.id = id
        self.job_id = job_id
        self.name = name
        self.settings = settings
        self.graph = graph
        self.state = LifeCycle.PENDING
        self.tasks: dict[str, Task] = {}
        self.evaluation = Evaluation(graph)
        self.trigger = "ONE_TIME"
        self.overrides: dict[str, str] = {}
        self.legacy: dict[str, Any] = {}  # overrides of run-now from before jobs had parameters
        self.parameters: dict[str, str] | None = None  # effective ones, once it runs
        self.requested = 0
        self.started = 0
        self.timeout_s = 0
        self.cancel = False
        self.timed_out = False
        self.ends = 0  # counts ends, for their order
        self.has_values = False  # some task has set a task value

    @property
    def closing(self) -> bool:
        """Nothing new starts any more."""
        return self.cancel or self.timed_out


def load(connection: sqlite3.Connection, id: int) -> ActiveRun:
    """A run as its rows have it."""
    row = connection.execute(
        "SELECT job_id, name, body, request, trigger, state, requested, started, timeout_s, parameters FROM runs"
        " JOIN documents ON documents.digest = runs.document WHERE runs.id = ?",
        (id,),
    ).fetchone()
    job_id, name, body, request, trigger, state, requested, started, timeout_s, parameters = row
    settings = json.loads(body)
    attempts = connection.execute(_ATTEMPTS, (id,)).fetchall()
    wish = json.loads(request)
    known = {attempt[1] for attempt in attempts}
    graph = selection(settings, [*known] if wish["only"] else [])
    run = ActiveRun(id, job_id, name, settings, graph)
    run.state = LifeCycle(state)
    run.trigger, run.requested, run.started, run.timeout_s = trigger, requested, started, timeout_s
    run.overrides, run.legacy = wish["job_parameters"], wish["overriding"]
    run.parameters = json.loads(parameters) if parameters is not None else None
    documents = {task["task_key"]: task for task in settings.get("tasks") or []}
    ended: list[tuple[int, int, Task, str]] = []
    for attempt in attempts:
        task = _task(run, documents[attempt[1]], attempt)
        if task.state in TERMINAL:
            ended.append((attempt[9], attempt[0], task, attempt[7]))
    _rebuild(run, ended)
    return run


def _task(run: ActiveRun, document: dict[str, Any], row: tuple[Any, ...]) -> Task:
    """The row of an attempt, on top of what earlier attempts of the task left."""
    (id, key, number, first_id, state, result, code, _, started, end, due, cancel, lost, launch) = row[:14]
    before = run.tasks.get(key)
    task = Task(document, id, number, first_id, LifeCycle(state))
    task.started, task.due, task.launch, task.cancel = started, due, launch, bool(cancel)
    task.result, task.code = Result(result) if result else None, code
    task.token, task.worker, task.boot = row[14] or "", row[15], row[16]
    task.name = f"{id}-{launch}"
    task.outcome = row[17]
    if before is not None:
        task.failed, task.lost = before.failed, before.lost
        task.values, task.output = before.values, before.output
    if end and task.result in (Result.FAILED, Result.TIMEDOUT):
        task.lost += bool(lost)
        task.failed += not lost
    if row[18]:
        task.values = {**task.values, **json.loads(row[18])}
        run.has_values = True
    if row[19]:
        task.output = json.loads(row[19])
    run.tasks[key] = task
    return task


def _rebuild(run: ActiveRun, ended: list[tuple[int, int, Task, str]]) -> None:
    """Evaluation of a run that was under way: ends in their order."""
    known: dict[str, Ended] = {}
    for _, _, task, message in sorted(ended, key=lambda entry: entry[:2]):
        # An attempt that was followed by another one is not the end of its task.
        if run.tasks[task.key] is task and task.result is not None:
            run.ends += 1
            known[task.key] = Ended(task.result, task.outcome, run.ends, message)
    run.evaluation = Evaluation(run.graph, known)
