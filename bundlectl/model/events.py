"""Typed events that an operation emits while it works, and the sink that takes them.

Rendered as live progress, as plain lines or as JSON lines by render.progress. Results are returned, not emitted.
"""

from collections.abc import Callable
from typing import NamedTuple

from bundlectl.model.run import Run


class StageStarted(NamedTuple):
    """A stage of D5 begins: resolve load validate stage plan approve begin apply verify end."""

    stage: str
    text: str


class ApplyStarted(NamedTuple):
    """One change is about to be sent."""

    address: str
    action: str


class ApplyFinished(NamedTuple):
    """One change ended: outcome done, failed, skipped, not_started or unknown."""

    address: str
    action: str
    outcome: str
    elapsed_ms: int
    id: str | None = None
    error: str | None = None
    until: str | None = None  # of a deleted job that is kept, RFC 3339


class LockWaiting(NamedTuple):
    """Somebody else deploys to the target."""

    holder: str
    age_ms: int
    run_url: str | None = None
    host: str | None = None
    commit: str | None = None


class RunProgress(NamedTuple):
    """A run as it stands now; sent when anything in it changed."""

    address: str
    run: Run


class TaskOutput(NamedTuple):
    """New lines of a task's output."""

    task_key: str
    attempt: int
    text: str


class Notice(NamedTuple):
    """Something worth a line that is no finding: what was chosen, what is waited for."""

    text: str


Event = StageStarted | ApplyStarted | ApplyFinished | LockWaiting | RunProgress | TaskOutput | Notice
EventSink = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A sink that drops everything."""
