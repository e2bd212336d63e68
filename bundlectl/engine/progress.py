"""What follows from what: admits runs, decides tasks, settles ends, retries, cancels; collects the rows to write.

Called by scheduler with events, and by recovery; what for_each and run_job tasks start is in nesting. Touches no file,
process or database: it changes runs in memory and appends statements to `writes`, which scheduler commits before
anything it announces becomes visible.
"""

import heapq
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bundlectl.base.clock import Clock
from bundlectl.engine import runs, verdicts
from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.dag import RUN, SKIP_MESSAGES, Decision, Ended, run_result
from bundlectl.engine.nesting import Nesting
from bundlectl.engine.verdicts import Verdict
from bundlectl.model.run import RUN_TRANSITIONS, TASK_TRANSITIONS, TERMINAL, LifeCycle, Result

_RUN_CODES: Mapping[Result, str] = {
    Result.SUCCESS: "SUCCESS",
    Result.SUCCESS_WITH_FAILURES: "SUCCESS_WITH_FAILURES",
    Result.CANCELED: "USER_CANCELED",
    Result.TIMEDOUT: "CANCELED",
}


class Facts(NamedTuple):
    """What is known of an ended attempt beside its verdict."""

    executing: int = 0  # when its process began
    ended: int = 0  # 0: now
    exit_code: int | None = None
    signal: int | None = None
    log_bytes: int | None = None
    outcome: str | None = None
    resolved: str | None = None  # JSON
    values: Mapping[str, Any] = {}
    output: Any = None
    files: tuple[Any, ...] = ()


_NO_FACTS = Facts()
LAUNCH_LIMIT = 20  # launches of one attempt that came to nothing


class Progress:
    """Every run under way. `take_ids` gives ids of new attempts; it is called while nothing is written."""

    def __init__(self, clock: Clock, take_ids: Callable[[int], list[int]]) -> None:
        self._clock = clock
        self.take_ids = take_ids
        self.nesting = Nesting(self)
        self.runs: dict[int, ActiveRun] = {}
        self.launched: dict[str, tuple[ActiveRun, Task]] = {}
        self.ready: deque[tuple[ActiveRun, Task]] = deque()  # wait for a slot, first come first served
        self.instant: deque[tuple[ActiveRun, Task]] = deque()  # decided in the engine, without a slot
        self.pending: list[Task] = []  # became PENDING, and their rows do not say so yet
        self.writes: list[tuple[str, tuple[Any, ...]]] = []
        self.stops: list[tuple[str, str]] = []  # launch name, worker
        self.ended_jobs: list[int] = []  # jobs of which a run ended: others may wait for it
        self._timers: list[tuple[float, int, int, Task | None]] = []  # boot clock, order, run id; None: the run
        self._count = 0

    # Runs

    def adopt(self, run: ActiveRun) -> None:
        """Takes a run in: a new one begins, one of a dead scheduler goes on."""
        self.runs[run.id] = run
        if run.state is LifeCycle.PENDING:
            now = self.now_ms()
            run.resumed = now
            run.started = run.started if run.repair else now
            self._move_run(run, LifeCycle.RUNNING)
            self.writes[-1] = (runs.START_RUN, (run.started, now, _json(run.parameters or {}), run.id))
            decided = run.evaluation.ready()
        else:
            decided = run.evaluation.ready(key for key, task in run.tasks.items() if task.state != LifeCycle.BLOCKED)
            for task in list(run.tasks.values()):
                self.resume(run, task)
        self._watch(run)
        self._decide(run, decided)

    def resume(self, run: ActiveRun, task: Task) -> None:
        """Goes on with a task, or an iteration, as an earlier scheduler left it."""
        if task.launched:
            self.launched[task.name] = (run, task)
        elif task.engaged:
            self.nesting.resume(run, task)
        elif task.state is LifeCycle.PENDING:
            self.make_ready(run, task)
        elif task.state is LifeCycle.WAITING_FOR_RETRY:
            self.at(task.due, run, task)

    def set_timeout(self, run: ActiveRun, seconds: int) -> None:
        """The time limit of a run was changed."""
        run.timeout_s = seconds
        self._watch(run)

    def _watch(self, run: ActiveRun) -> None:
        if run.timeout_s:
            self.at(run.resumed + run.timeout_s * 1000, run, None)

    def cancel_run(self, run: ActiveRun) -> None:
        """Ends a run: what runs is stopped, what did not start ends now, no handler starts."""
        if not run.closing:
            run.cancel = True
            self._close(run)

    def _close(self, run: ActiveRun) -> None:
        if run.state is not LifeCycle.TERMINATING:
            self._move_run(run, LifeCycle.TERMINATING)
        run.evaluation.ready(run.graph.nodes)  # from here on every decision is taken: nothing starts any more
        for task in list(run.tasks.values()):
            self.halt(run, task)

    def halt(self, run: ActiveRun, task: Task) -> None:
        """Stops a task that is under way, and ends one that is not."""
        if task.launched:
            self._stop(task)
        elif task.engaged:
            self.nesting.stop(run, task)
        elif task.state not in TERMINAL:
            began = task.state is not LifeCycle.BLOCKED
            self._end_attempt(run, task, self.canceled(run, task), _NO_FACTS)
            self._settle(run, task, "", began=began)

    def canceled(self, run: ActiveRun, task: Task) -> Verdict:
        """What the stop of a task of this run means."""
        if run.timed_out:
            return verdicts.CANCELED_BY_TIMEOUT
        if task.parent is not None and task.parent.expired and not run.cancel:
            return verdicts.CANCELED_WITH_LOOP
        return verdicts.CANCELED if run.cancel else verdicts.CANCELED._replace(message="Task cancelled.")

    def cancel_task(self, run: ActiveRun, task: Task) -> None:
        """Ends one task: no retry; what depends on it is decided as usual."""
        if task.cancel or task.state in TERMINAL:
            return
        task.cancel = True
        self.halt(run, task)

    def _stop(self, task: Task) -> None:
        if task.state is not LifeCycle.TERMINATING:
            self.move(task, LifeCycle.TERMINATING)
            self.writes.append((runs.MOVE_ATTEMPT, (task.state, task.id)))
        assert task.worker is not None
        self.stops.append((task.name, task.worker))

    def _end_run(self, run: ActiveRun) -> None:
        ended = run_result(run.graph, run.evaluation.ended, canceled=run.cancel, timed_out=run.timed_out)
        code = _RUN_CODES.get(ended.result, "RUN_EXECUTION_ERROR")
        if ended.state is LifeCycle.INTERNAL_ERROR:
            code = "RUN_EXECUTION_ERROR"
        self._move_run(run, ended.state)
        self.writes[-1] = (
            runs.END_RUN,
            (ended.state, ended.result, code, ended.message, self._clock.now_ms(), run.id),
        )
        self.ended_jobs.append(run.job_id)
        del self.runs[run.id]
        self.nesting.child_ended(run.id, ended.result, ended.message)

    # Tasks

    def launch(
        self, run: ActiveRun, task: Task, worker: str, boot: str | None, token: str, resolved: str | None
    ) -> None:
        """An attempt is about to be sent to a worker: its row comes first."""
        task.launch += 1
        task.name = f"{task.id}-{task.launch}"
        task.token, task.worker, task.boot = token, worker, boot
        task.started = self._clock.now_ms()
        self.move(task, LifeCycle.RUNNING)
        self.launched[task.name] = (run, task)
        self.writes.append((runs.LAUNCH_ATTEMPT, (task.started, task.launch, token, worker, boot, resolved, task.id)))

    def begin_parent(self, run: ActiveRun, task: Task, resolved: str | None) -> None:
        """A for_each or run_job task begins: it runs without a process."""
        task.started = self.now_ms()
        self.move(task, LifeCycle.RUNNING)
        self.writes.append((runs.BEGIN_PARENT, (task.started, resolved, task.id)))

    def unlaunch(self, run: ActiveRun, task: Task) -> None:
        """An attempt that surely never started goes back; no retry is counted."""
        del self.launched[task.name]
        if task.state is LifeCycle.TERMINATING or task.is_stopping or run.closing:
            self._end_attempt(run, task, self.canceled(run, task), _NO_FACTS)
            self._settle(run, task, "")
            return
        if task.launch >= LAUNCH_LIMIT:
            text = f"No worker could start this attempt in {LAUNCH_LIMIT} tries."
            self.finish(run, task, verdicts.setup_failed("INTERNAL_ERROR", text))
            return
        task.worker = None
        self.move(task, LifeCycle.PENDING)
        self.writes.append((runs.UNLAUNCH_ATTEMPT, (task.id,)))
        self.ready.append((run, task))

    def finish(self, run: ActiveRun, task: Task, verdict: Verdict, facts: Facts = _NO_FACTS) -> None:
        """The latest attempt of a task ended: another one follows, or the task has ended."""
        self.launched.pop(task.name, None)
        ended = self._end_attempt(run, task, verdict, facts)
        if verdict.result in (Result.FAILED, Result.TIMEDOUT):
            task.lost += verdict.lost
            task.failed += not verdict.lost
        due = None
        if not run.closing and not task.is_stopping:
            began = task.started or ended
            due = verdicts.next_try(
                task.document, verdict, failed=task.failed, lost=task.lost, started=began, ended=ended
            )
        if due is None:
            self._settle(run, task, verdict.message)
        else:
            self._try_again(run, task, due)

    def _end_attempt(self, run: ActiveRun, task: Task, verdict: Verdict, facts: Facts) -> int:
        self.move(task, verdict.state)
        task.result, task.code, task.outcome = verdict.result, verdict.code, facts.outcome
        if facts.values:
            task.values = {**task.values, **facts.values}
            run.has_values = run.has_values or task.parent is None  # nobody can name those of an iteration
        if facts.output is not None:
            task.output = facts.output
        ended = facts.ended or self._clock.now_ms()
        started = task.started if verdict.state is not LifeCycle.SKIPPED else 0
        self.writes.append(
            (
                runs.END_ATTEMPT,
                (
                    *(verdict.state, verdict.result, verdict.code, verdict.message, started, facts.executing),
                    *(ended, int(verdict.lost), facts.exit_code, facts.signal, facts.log_bytes, verdict.error),
                    *(facts.outcome, facts.resolved, _json(facts.values) if facts.values else None),
                    None if facts.output is None else _json(facts.output),
                    _json(facts.files) if facts.files else None,
                    task.id,
                ),
            )
        )
        return ended

    def _try_again(self, run: ActiveRun, before: Task, due: int) -> None:
        waits = due > self._clock.now_ms()
        state = LifeCycle.WAITING_FOR_RETRY if waits else LifeCycle.PENDING
        task = Task(
            *(before.document, self.take_ids(1)[0], before.number + 1, before.first_id, state),
            parent=before.parent,
            index=before.index,
            has_references=before.has_references,
        )
        task.due, task.repair = due, before.repair
        task.failed, task.lost = before.failed, before.lost
        task.values, task.output = before.values, before.output
        run.replace(task)
        self.writes.append((runs.ADD_ATTEMPT, task.row(run.id)))
        if waits:
            self.at(due, run, task)
        else:
            self.make_ready(run, task)

    def _settle(self, run: ActiveRun, task: Task, message: str, *, began: bool = True) -> None:
        """A task has ended for good: what follows for the others, and for the run."""
        assert task.result is not None
        if task.parent is not None:
            self.nesting.settle(run, task, began=began)
            return
        run.ends += 1
        self._decide(run, run.evaluation.settle(task.key, Ended(task.result, task.outcome, run.ends, message)))

    def _decide(self, run: ActiveRun, decided: Iterable[tuple[str, Decision]]) -> None:
        for key, decision in decided:
            task = run.tasks[key]
            if decision == RUN:
                self.make_ready(run, task)
            else:
                result = Result(decision)
                self._end_attempt(run, task, verdicts.skipped(result, SKIP_MESSAGES[result]), _NO_FACTS)
        if run.evaluation.complete and run.id in self.runs:
            self._end_run(run)

    def make_ready(self, run: ActiveRun, task: Task) -> None:
        """A task may start as soon as there is a slot for it; one without a process at once."""
        if task.state is not LifeCycle.PENDING:
            self.move(task, LifeCycle.PENDING)
            self.pending.append(task)
        (self.instant if task.is_instant else self.ready).append((run, task))

    def note_pending(self) -> None:
        """Writes down which tasks wait for a slot: those that were not launched in the same step."""
        for task in self.pending:
            if task.state is LifeCycle.PENDING:
                self.writes.append((runs.MOVE_ATTEMPT, (task.state, task.id)))
        self.pending.clear()

    # Time

    def now_ms(self) -> int:
        """The time, for rows."""
        return self._clock.now_ms()

    def at(self, when_ms: int, run: ActiveRun, task: Task | None) -> None:
        """Sets a timer: for a retry delay or the limit of a task without a process, or for the limit of the run."""
        self._count += 1
        moment = self._clock.boot_s() + (when_ms - self._clock.now_ms()) / 1000
        heapq.heappush(self._timers, (moment, self._count, run.id, task))

    def patience(self) -> float | None:
        """Seconds until something is due; None when nothing is."""
        return max(0.0, self._timers[0][0] - self._clock.boot_s()) if self._timers else None

    def tick(self) -> None:
        """Does what is due: retries whose delay is over, runs that took too long."""
        while self._timers and self._timers[0][0] <= self._clock.boot_s():
            _, _, run_id, task = heapq.heappop(self._timers)
            run = self.runs.get(run_id)
            if run is None:
                continue
            if task is None:
                self._run_due(run)
            elif not run.holds(task):
                continue
            elif task.state is LifeCycle.WAITING_FOR_RETRY:
                self.make_ready(run, task)
            elif task.engaged:
                self.nesting.expire(run, task)

    def _run_due(self, run: ActiveRun) -> None:
        if run.timeout_s and not run.closing and self.now_ms() >= run.resumed + run.timeout_s * 1000:
            run.timed_out = True
            self._close(run)

    # States

    @staticmethod
    def move(task: Task, state: LifeCycle) -> None:
        """Changes the state of a task. Raises AssertionError when the table has no such step."""
        if state not in TASK_TRANSITIONS[task.state]:
            raise AssertionError(f'task "{task.place}" cannot go from {task.state} to {state}')
        task.state = state

    def _move_run(self, run: ActiveRun, state: LifeCycle) -> None:
        if state not in RUN_TRANSITIONS[run.state]:
            raise AssertionError(f"run {run.id} cannot go from {run.state} to {state}")
        run.state = state
        self.writes.append((runs.MOVE_RUN, (state, run.id)))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
