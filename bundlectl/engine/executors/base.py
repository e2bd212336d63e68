"""Where attempts run: the protocol of an executor and what it tells the scheduler.

Implemented by executors.local; called by scheduler and recovery only. An executor starts and stops what it is told to,
once each, and reports ends that are durably recorded. It decides nothing and opens no database.
"""

import selectors
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

# Called with the name of a step just before it, so that tests can stop a process there.
Hook = Callable[[str], None]


class Launch(NamedTuple):
    """One attempt to be started. `name` is unique for ever: attempt id and number of the launch."""

    name: str
    token: str
    worker: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    log: str
    timeout_s: float | None


class Ends(NamedTuple):
    """Attempts that ended, as their worker recorded them; `offset` is where its record stands afterwards."""

    worker: str
    offset: int
    ends: list[dict[str, Any]]


class Greeted(NamedTuple):
    """A worker of an earlier scheduler answered: what it still runs, and where its record stands."""

    worker: str
    running: frozenset[str]


class Gone(NamedTuple):
    """A worker does not live any more. What it ran is settled from its record and its claims."""

    worker: str


class Refused(NamedTuple):
    """A worker did not start an attempt: it was claimed before, or a newer scheduler took over."""

    name: str
    why: str  # claim, epoch


Event = Ends | Greeted | Gone | Refused


class Executor(Protocol):
    """All calls come from the scheduler's thread and never block for long."""

    @property
    def folder(self) -> Path:
        """The engine's folder: claims, records and logs are below it."""
        ...

    def open(self, selector: selectors.BaseSelector, epoch: int) -> list[Event]:
        """Begins: reconnects to workers that live (Greeted follows later), reports those that do not (Gone)."""
        ...

    def assign(self) -> str | None:
        """Takes a slot: the worker for the next launch, or None when all are taken."""
        ...

    def release(self, worker: str) -> None:
        """Gives back a slot that was assigned and is not used."""
        ...

    def start(self, launches: list[Launch]) -> None:
        """Sends launches whose rows are committed."""
        ...

    def stop(self, name: str, worker: str, cause: str) -> None:
        """Ends an attempt: SIGTERM, grace, SIGKILL; its end comes as any other. `cause`: cancel or timeout."""
        ...

    def read(self, source: object) -> list[Event]:
        """What came in on a source of ours that the selector found ready."""
        ...

    def tick(self) -> list[Event]:
        """Looks after what is overdue; called now and then."""
        ...

    def close(self) -> None:
        """Lets go: workers finish what they run and leave."""
        ...
