"""What every operation is given: source, clock, actor, backend factory, event sink.

Built once by cli.wiring from flags and environment, passed explicitly. Holds no state that changes.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bundlectl.backends.base import Backend
from bundlectl.base.clock import Clock
from bundlectl.config.index import LoadIndex
from bundlectl.config.request import LoadRequest, RunPython
from bundlectl.git.repository import Repository
from bundlectl.model.allowance import NOTHING, Allowance
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Owner
from bundlectl.model.events import EventSink
from bundlectl.model.source import SourceTree
from bundlectl.state.store import RunRecords, StateStore


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, as far as known. `ci` has platform, run_url, workflow and actor when a CI variable says so."""

    name: str
    verified: bool = False
    ci: Mapping[str, str] | None = None

    @property
    def run_url(self) -> str | None:
        return self.ci.get("run_url") if self.ci else None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which tree was asked for. Neither: the rule of `operations.load`."""

    ref: str | None = None
    worktree: bool = False
    plan_file: Path | None = None  # written or read by this very command: no part of the working tree


@dataclass(frozen=True, kw_only=True)
class OperationContext:
    """The world as one command sees it."""

    start: Path  # folder that the command acts from
    environment: Mapping[str, str]  # what git may see of the invoker's environment
    source: Source
    request: LoadRequest  # target, variables and identity; `start` is filled in when the repository is known
    index: LoadIndex  # cache of the loader; one that cannot be kept is slower, and nothing else
    cache: Path  # the user's cache folder, not created here; built files are kept below it
    memory: Path  # the user's state folder, not created here: what must not be lost before it is recorded elsewhere
    clock: Clock
    actor: Actor
    owner: Owner  # this process, for the lease
    emit: EventSink
    open_backend: Callable[[Bundle], Backend]
    open_store: Callable[[Repository, Bundle], StateStore]  # of the bundle's target
    open_runs: Callable[[Repository, Bundle], RunRecords]  # the same
    driving: Callable[[], AbstractContextManager[None]]  # while it lasts, runs of an engine in this process advance
    tool_version: str
    allowed: Allowance = NOTHING  # code of the repository that the invoker lets run
    offline: bool = False  # nothing is asked over a network; so for every untrusted source
    # Runs the Python functions of a bundle on a tree, given the folder of the working tree; None when they may not.
    open_python: Callable[[SourceTree, Path | None], AbstractContextManager[RunPython]] | None = None
