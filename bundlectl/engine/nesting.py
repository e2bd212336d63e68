"""What happens to tasks without a process that start others: for_each_task and run_job_task (jobs.md 3.7, 3.8).

Part of progress, which calls it with ends and cancels; dispatch begins such a task here when its turn comes. Changes
runs in memory and appends statements, as progress does; children are requested in the transaction of the scheduler.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from bundlectl.engine import jobs, runs, verdicts
from bundlectl.engine.active import ActiveRun, Loop, Task
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed
from bundlectl.engine.verdicts import Verdict
from bundlectl.model.run import GOOD, TERMINAL, LifeCycle, Result

DEPTH_LIMIT = 3  # run_job tasks above one another
ITERATION_LIMIT = 5_000


class ChildWish(NamedTuple):
    """The run that a run_job task asks for. `resolved` is JSON: the task with its references resolved."""

    job_id: int
    parameters: Mapping[str, str]
    overriding: Mapping[str, Any]
    resolved: str | None


class Host(Protocol):
    """What progress does for this module."""

    runs: dict[int, ActiveRun]
    writes: list[tuple[str, tuple[Any, ...]]]

    def now_ms(self) -> int: ...
    def take_ids(self, count: int) -> list[int]: ...
    def begin_parent(self, run: ActiveRun, task: Task, resolved: str | None) -> None: ...
    def finish(self, run: ActiveRun, task: Task, verdict: Verdict) -> None: ...
    def make_ready(self, run: ActiveRun, task: Task) -> None: ...
    def resume(self, run: ActiveRun, task: Task) -> None: ...
    def halt(self, run: ActiveRun, task: Task) -> None: ...
    def move(self, task: Task, state: LifeCycle) -> None: ...
    def cancel_run(self, run: ActiveRun) -> None: ...
    def canceled(self, run: ActiveRun, task: Task) -> Verdict: ...
    def at(self, when_ms: int, run: ActiveRun, task: Task | None) -> None: ...


class Nesting:
    """See the module."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.orders: list[tuple[ActiveRun, Task, ChildWish]] = []  # children to be requested with the next commit
        self.children: dict[int, tuple[ActiveRun, Task]] = {}  # by run: who waits for it
        self.orphans: list[tuple[ActiveRun, Task]] = []  # run_job tasks whose job is not there, or deleted and kept
        self.look_again = False  # a run that waits elsewhere was cancelled: what became of it is to be read
        self._placed: list[tuple[ActiveRun, Task, int | None]] = []

    # Both kinds

    def resume(self, run: ActiveRun, task: Task) -> None:
        """Goes on with a task that an earlier scheduler began."""
        task.expired = task.state is LifeCycle.TERMINATING and not task.cancel
        self._watch(run, task)
        if task.loop is not None:
            for iteration in task.loop.tasks:
                self._host.resume(run, iteration)
            self._advance(run, task, task.loop)
        elif task.child is not None:
            self.children[task.child] = (run, task)
        else:
            self.orphans.append((run, task))

    def stop(self, run: ActiveRun, task: Task) -> None:
        """Ends a task that is under way: what it started is stopped first."""
        if task.state is not LifeCycle.TERMINATING:
            self._host.move(task, LifeCycle.TERMINATING)
            self._host.writes.append((runs.MOVE_ATTEMPT, (task.state, task.id)))
        if task.loop is not None:
            for iteration in list(task.loop.tasks):
                self._host.halt(run, iteration)
        elif task.child is not None:
            self._stop_child(task.child)
        else:
            self.orders = [order for order in self.orders if order[1] is not task]
            self._host.finish(run, task, self._host.canceled(run, task))

    def expire(self, run: ActiveRun, task: Task) -> None:
        """The time limit of a task passed."""
        if task.state is LifeCycle.RUNNING:
            task.expired = True
            self.stop(run, task)

    def _watch(self, run: ActiveRun, task: Task) -> None:
        limit = task.document.get("timeout_seconds")
        if limit:
            self._host.at(task.started + limit * 1000, run, task)

    def _stopped(self, run: ActiveRun, task: Task) -> Verdict | None:
        """How a task ends that was stopped; None for one that ends by itself."""
        if run.closing or task.is_stopping:
            return self._host.canceled(run, task)
        return verdicts.timed_out(task.document.get("timeout_seconds")) if task.expired else None

    # for_each

    def begin_loop(self, run: ActiveRun, task: Task, inputs: list[Any]) -> None:
        """Starts the iterations; after a repair with the same inputs, those that have not succeeded."""
        text = json.dumps(inputs, ensure_ascii=False, separators=(",", ":"))
        before = task.loop_before if task.loop_before is not None and task.loop_before.text == text else None
        loop = Loop(task.document, text, task.id if before is None else before.since, task.id)
        self._host.begin_parent(run, task, None)
        self._host.writes.append((runs.SET_INPUTS, (text, loop.since, task.id)))
        task.loop = loop
        self._add_iterations(run, task, loop, [None] * len(inputs) if before is None else before.tasks)
        loop.count()
        self._watch(run, task)
        self._advance(run, task, loop)

    def _add_iterations(self, run: ActiveRun, parent: Task, loop: Loop, before: list[Any]) -> None:
        again = [old is None or old.result is not Result.SUCCESS for old in before]
        ids = iter(self._host.take_ids(sum(again)))
        for index, old in enumerate(before):
            if not again[index]:
                loop.tasks.append(old)
                continue
            id = next(ids)
            number, first_id = (0, id) if old is None else (old.number + 1, old.first_id)
            state, references = LifeCycle.BLOCKED, loop.has_references
            task = Task(loop.nested, id, number, first_id, state, parent=parent, index=index, has_references=references)
            task.repair = run.repair
            loop.tasks.append(task)
            self._host.writes.append((runs.ADD_ATTEMPT, task.row(run.id)))

    def _advance(self, run: ActiveRun, parent: Task, loop: Loop) -> None:
        """Lets iterations start, in the order of the inputs, and ends the task when none is left."""
        while parent.state is LifeCycle.RUNNING and loop.active < loop.concurrency and loop.next < len(loop.tasks):
            task = loop.tasks[loop.next]
            loop.next += 1
            if task.state is LifeCycle.BLOCKED:
                loop.active += 1
                self._host.make_ready(run, task)
        if not loop.open and parent.state not in TERMINAL:
            self._host.finish(run, parent, self._stopped(run, parent) or _of_loop(loop))

    def settle(self, run: ActiveRun, task: Task, *, began: bool) -> None:
        """An iteration ended for good. `began`: it was let start."""
        parent = task.parent
        assert parent is not None and parent.loop is not None
        parent.loop.open -= 1
        parent.loop.active -= began
        self._advance(run, parent, parent.loop)

    # run_job

    def begin_child(self, run: ActiveRun, task: Task, wish: ChildWish) -> None:
        """Asks for the run of another job. Raises SetupFailed for a circle, and for too many levels."""
        chain = (*run.ancestors, run.job_id)
        if wish.job_id in chain:
            shown = " -> ".join(str(id) for id in (*chain[chain.index(wish.job_id) :], wish.job_id))
            raise SetupFailed(INVALID_RUN_CONFIGURATION, f"Jobs start each other in a circle: {shown}.")
        if len(run.ancestors) >= DEPTH_LIMIT:
            text = f"A run_job_task may be nested {DEPTH_LIMIT} levels deep; this one would be level {len(chain)}."
            raise SetupFailed(INVALID_RUN_CONFIGURATION, text)
        self._host.begin_parent(run, task, wish.resolved)
        self._watch(run, task)
        self.orders.append((run, task, wish))

    def place(self, connection: sqlite3.Connection) -> None:
        """Requests the children, in the transaction that writes down their parents. What comes of it counts once
        `placed` is called, after the commit.
        """
        self._placed = []
        for run, task, wish in self.orders:
            job = jobs.get(connection, wish.job_id)
            child = None
            if job is not None and not jobs.is_hidden(job.settings):
                request = runs.Request(
                    wish.parameters,
                    trigger="RUN_JOB_TASK",
                    overriding={} if job.settings.get("parameters") else wish.overriding,
                    parent=task.id,
                    ancestors=(*run.ancestors, run.job_id),
                )
                now = self._host.now_ms()
                child = runs.request(connection, job, request, now, run.creator, queue_by_default=True)
                connection.execute(runs.SET_CHILD, (child, task.id))
            self._placed.append((run, task, child))

    def placed(self) -> bool:
        """The children of the last `place` are in the database. Whether there were any."""
        for run, task, child in self._placed:
            if child is None:
                self.orphans.append((run, task))
            else:
                task.child = child
                self.children[child] = (run, task)
        found = bool(self._placed)
        self.orders, self._placed = [], []
        return found

    def look(self, connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
        """Children that ended without having run here: skipped, cancelled in the queue, deleted."""
        waiting = [id for id in self.children if id not in self._host.runs]
        found = []
        for id in waiting:
            row = connection.execute("SELECT ended, result, message FROM runs WHERE id = ?", (id,)).fetchone()
            if row is None:
                found.append((id, "CANCELED", f"Run {id} was deleted."))
            elif row[0]:
                found.append((id, row[1], row[2]))
        return found

    def settle_orphans(self) -> None:
        """Fails the tasks whose job is not there, or deleted and kept."""
        orphans, self.orphans = self.orphans, []
        for run, task in orphans:
            if task.engaged and run.holds(task):
                text = f"Job {task.document['run_job_task'].get('job_id')} does not exist."
                self._host.finish(run, task, verdicts.setup_failed(RESOURCE_NOT_FOUND, text))

    def child_ended(self, id: int, result: str | None, message: str) -> None:
        """A run ended: so does the task that waits for it, if there is one."""
        found = self.children.pop(id, None)
        if found is None or not found[1].engaged:
            return
        run, task = found
        ended = verdicts.SUCCEEDED if result in GOOD else verdicts.child_failed(message)
        self._host.finish(run, task, self._stopped(run, task) or ended)

    def _stop_child(self, id: int) -> None:
        now = self._host.now_ms()
        self.look_again = True
        self._host.writes += [(runs.CANCEL_QUEUED, (now, now, id)), (runs.CANCEL_RUN, (now, id))]
        child = self._host.runs.get(id)
        if child is not None:
            self._host.cancel_run(child)


def _of_loop(loop: Loop) -> Verdict:
    failed = sum(task.result is not Result.SUCCESS for task in loop.tasks)
    return verdicts.loop_failed(failed, len(loop.tasks)) if failed else verdicts.SUCCEEDED
