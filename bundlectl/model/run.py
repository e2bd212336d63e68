"""One execution of a job: life-cycle and result states as in the Jobs API, and a run as commands show it.

Made from Jobs API documents by backends.jobs_api; the legal transitions are used by engine.runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class LifeCycle(StrEnum):
    """`life_cycle_state` of the Jobs API (view V1)."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    BLOCKED = "BLOCKED"
    RUNNING = "RUNNING"
    WAITING_FOR_RETRY = "WAITING_FOR_RETRY"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    SKIPPED = "SKIPPED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


TERMINAL = frozenset({LifeCycle.TERMINATED, LifeCycle.SKIPPED, LifeCycle.INTERNAL_ERROR})


class Result(StrEnum):
    """`result_state` of the Jobs API."""

    SUCCESS = "SUCCESS"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    EXCLUDED = "EXCLUDED"
    DISABLED = "DISABLED"
    MAXIMUM_CONCURRENT_RUNS_REACHED = "MAXIMUM_CONCURRENT_RUNS_REACHED"


# Which life-cycle states a job run may move to. Repair (terminal -> RUNNING) is the one way back.
RUN_TRANSITIONS: Mapping[LifeCycle, frozenset[LifeCycle]] = {
    LifeCycle.QUEUED: frozenset({LifeCycle.PENDING, LifeCycle.TERMINATED, LifeCycle.SKIPPED}),
    LifeCycle.PENDING: frozenset({LifeCycle.RUNNING, LifeCycle.TERMINATING, *TERMINAL}),
    LifeCycle.RUNNING: frozenset({LifeCycle.TERMINATING, *TERMINAL}),
    LifeCycle.TERMINATING: frozenset(TERMINAL),
    LifeCycle.TERMINATED: frozenset({LifeCycle.RUNNING}),
    LifeCycle.INTERNAL_ERROR: frozenset({LifeCycle.RUNNING}),
    LifeCycle.SKIPPED: frozenset(),
}

# The same for a task of a run.
TASK_TRANSITIONS: Mapping[LifeCycle, frozenset[LifeCycle]] = {
    LifeCycle.BLOCKED: frozenset({LifeCycle.PENDING, LifeCycle.RUNNING, *TERMINAL}),
    LifeCycle.PENDING: frozenset({LifeCycle.RUNNING, *TERMINAL}),
    LifeCycle.RUNNING: frozenset({LifeCycle.WAITING_FOR_RETRY, LifeCycle.TERMINATING, LifeCycle.PENDING, *TERMINAL}),
    LifeCycle.WAITING_FOR_RETRY: frozenset({LifeCycle.PENDING, LifeCycle.RUNNING, *TERMINAL}),
    LifeCycle.TERMINATING: frozenset(TERMINAL),
    LifeCycle.TERMINATED: frozenset(),
    LifeCycle.SKIPPED: frozenset(),
    LifeCycle.INTERNAL_ERROR: frozenset(),
}

# Results that count as success for exit codes and notifications.
GOOD = frozenset({Result.SUCCESS, Result.SUCCESS_WITH_FAILURES})


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """One attempt of one task, as the Jobs API lists it. Times are epoch milliseconds, 0 when not yet."""

    run_id: str
    task_key: str
    attempt: int  # 0, 1, 2, ...
    state: LifeCycle
    result: Result | None
    message: str
    start_ms: int
    end_ms: int
    depends_on: tuple[str, ...] = ()
    kind: str | None = None  # task type
    lost: bool = False  # the outcome is unknown
    outcome: str | None = None  # of a condition task: "true" or "false"
    extra: Mapping[str, Any] = field(
        default_factory=dict
    )  # the engine's `bundlectl` object: exit_code, signal, log, ...


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of a job, with every attempt of every task."""

    run_id: str
    job_id: str | None
    name: str
    state: LifeCycle
    result: Result | None
    message: str
    queued_ms: int
    start_ms: int
    end_ms: int
    trigger: str
    creator: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[TaskRun, ...] = ()
    queue_reason: str | None = None

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    def latest(self) -> Mapping[str, TaskRun]:
        """Last attempt of each task, in order of first appearance."""
        last: dict[str, TaskRun] = {}
        for task in self.tasks:
            known = last.get(task.task_key)
            if known is None or task.attempt >= known.attempt:
                last[task.task_key] = task
        return last
