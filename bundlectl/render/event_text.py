"""Events as lines of text, and successive pictures of a run as the changes between them. Pure.

Called by render.progress (lines) and render.json_lines (changes).
"""

from collections.abc import Mapping
from typing import NamedTuple

from bundlectl.model.events import ApplyFinished, ApplyStarted, Event, LockWaiting, Notice, RunProgress, StageStarted
from bundlectl.model.plan import Action
from bundlectl.model.run import Run
from bundlectl.render.escape import visible
from bundlectl.render.values import commit_text, duration_text, job_name

PAST: Mapping[str, str] = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.RENAME: "renamed",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.FORGET: "forgotten",
}
TOMBSTONED = "tombstoned"


class StateChange(NamedTuple):
    """A run, or with `task_key` an attempt of a task, that moved to another state."""

    run_id: str
    task_key: str | None
    attempt: int | None
    state: str
    result: str | None
    message: str
    elapsed_ms: int


class RunWatch:
    """Turns successive pictures of runs into the changes between them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None, int | None], tuple[str, str | None]] = {}

    def changes(self, run: Run) -> list[StateChange]:
        """What is new since the last picture of this run: tasks first, a run's end after theirs."""
        tasks = [
            StateChange(
                run.run_id,
                task.task_key,
                task.attempt,
                task.state.value,
                task.result.value if task.result else None,
                task.message,
                elapsed_ms(task.start_ms, task.end_ms),
            )
            for task in run.tasks
        ]
        whole = StateChange(
            run.run_id,
            None,
            None,
            run.state.value,
            run.result.value if run.result else None,
            run.message or run.queue_reason or "",
            elapsed_ms(run.start_ms, run.end_ms),
        )
        found = [*tasks, whole] if run.is_terminal else [whole, *tasks]
        return [change for change in found if self._is_new(change)]

    def _is_new(self, change: StateChange) -> bool:
        name, state = (change.run_id, change.task_key, change.attempt), (change.state, change.result)
        if self._known.get(name) == state:
            return False
        self._known[name] = state
        return True


def event_lines(event: Event, watch: RunWatch) -> list[str]:
    """An event as lines of text, without time. Escaped."""
    if isinstance(event, StageStarted | Notice):
        return [visible(event.text)]
    if isinstance(event, ApplyStarted):
        return [f"{job_name(event.address)}: {visible(event.action)}"]
    if isinstance(event, ApplyFinished):
        return [_applied_line(event)]
    if isinstance(event, LockWaiting):
        where = f" on {visible(event.host)}" if event.host else ""
        run = f" ({visible(event.run_url)})" if event.run_url else ""
        what = f" {commit_text(event.commit)}" if event.commit else ""
        since = duration_text(event.age_ms)
        return [f"waiting: {visible(event.holder)} is deploying{what} since {since}{where}{run}"]
    if isinstance(event, RunProgress):
        return [_state_line(event.address, change) for change in watch.changes(event.run) if _worth_a_line(change)]
    return [f"{visible(event.task_key)} | {visible(line)}" for line in event.text.splitlines()]


def _applied_line(event: ApplyFinished) -> str:
    took = duration_text(event.elapsed_ms)
    if event.outcome == "done":
        past = TOMBSTONED if event.until else PAST.get(event.action, event.action)
        return f"{job_name(event.address)}: {visible(past)} ({took})"
    why = f": {visible(event.error)}" if event.error else ""
    return f"{job_name(event.address)}: {visible(event.action)} {visible(event.outcome.replace('_', ' '))}{why}"


def _worth_a_line(change: StateChange) -> bool:
    """That a task waits says nothing until it does not any more."""
    return change.task_key is None or change.state not in ("BLOCKED", "PENDING")


def _state_line(address: str, change: StateChange) -> str:
    word = visible(change.result or change.state)
    took = f" after {duration_text(change.elapsed_ms)}" if change.result and change.elapsed_ms else ""
    told = change.result not in (None, "SUCCESS") or change.state == "QUEUED"
    why = f": {visible(change.message)}" if change.message and told else ""
    if change.task_key is None:
        return f"{job_name(address)} run {visible(change.run_id)}: {word}{took}{why}"
    again = f" attempt {change.attempt + 1}" if change.attempt else ""
    return f"{visible(change.task_key)}{again}: {word}{took}{why}"


def doing(event: Event, before: str) -> str:
    """What is waited for after an event, for `still ...`."""
    if isinstance(event, ApplyStarted):
        return f"at {job_name(event.address)}: {visible(event.action)}"
    if isinstance(event, LockWaiting):
        return f"waiting for {visible(event.holder)}"
    if isinstance(event, RunProgress):
        open_tasks = [visible(key) for key, task in event.run.latest().items() if task.start_ms and not task.end_ms]
        return f"running {', '.join(open_tasks[:5]) or job_name(event.address)}"
    return before


def elapsed_ms(start_ms: int, end_ms: int) -> int:
    """Between two times of the Jobs API; 0 while one of them is not known."""
    return max(0, end_ms - start_ms) if start_ms and end_ms else 0
