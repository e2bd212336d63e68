"""Gives tasks that are ready to the executor: prepares them, takes slots, minds the disk; begins those without process.

Called by scheduler in every step. What it launches is sent after the commit. A task whose setup may take long (an
environment to be built) is prepared on a thread of its own, and stays PENDING without a slot meanwhile.
"""

import itertools
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bundlectl.base.clock import Clock
from bundlectl.base.host import boot_id
from bundlectl.engine import verdicts
from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.executors.base import Executor, Launch
from bundlectl.engine.nesting import ChildWish
from bundlectl.engine.progress import Facts, Progress
from bundlectl.engine.tasks.base import LaunchSpec, SetupFailed
from bundlectl.model.run import LifeCycle

MIN_FREE_BYTES = 64 << 20
_BALLAST_BYTES = 16 << 20
_AHEAD = 8  # tasks that are prepared before their turn
_ROOM_S = 0.5  # how long a look at the free space counts
_FEW_PARENTS = 4
_BEFORE = (LifeCycle.BLOCKED, LifeCycle.PENDING)


class Prepared(NamedTuple):
    """An attempt that can be sent. `resolved` is JSON: the task with its references resolved."""

    spec: LaunchSpec
    resolved: str | None
    name: str = ""  # of the launch
    values: Any = None  # task values of upstream that it was given


class Collected(NamedTuple):
    """What an attempt left. `error` says what is wrong with it."""

    values: dict[str, Any]
    error: str | None
    files: tuple[Any, ...]
    output: Any


class Condition(NamedTuple):
    """A condition task, decided."""

    outcome: str  # true, false
    resolved: str


class Launcher(Protocol):
    """Turns tasks into processes and reads what these left. Raises SetupFailed for what cannot be."""

    def parameters(self, run: ActiveRun) -> dict[str, str]: ...
    def condition(self, run: ActiveRun, task: Task) -> Condition: ...
    def inputs(self, run: ActiveRun, task: Task) -> list[Any]: ...
    def child(self, run: ActiveRun, task: Task) -> ChildWish: ...
    def is_slow(self, run: ActiveRun, task: Task) -> bool: ...
    def prepare(self, run: ActiveRun, task: Task, name: str) -> Prepared: ...
    def may_prepare_ahead(self, run: ActiveRun, task: Task) -> bool: ...
    def still_holds(self, run: ActiveRun, task: Task, prepared: Prepared) -> bool: ...
    def collect(self, run_id: int, name: str) -> Collected: ...
    def make_room(self, run_id: int) -> None: ...
    def log_path(self, run_id: int, attempt_id: int, launch: int) -> str: ...


class Dispatcher:
    """See the module."""

    def __init__(
        self, progress: Progress, executor: Executor, launcher: Launcher, clock: Clock, notify: Callable[[], None]
    ) -> None:
        self._progress = progress
        self._executor = executor
        self._launcher = launcher
        self._clock = clock
        self._notify = notify
        self._boot = boot_id()
        self.launches: list[Launch] = []  # to be sent once their rows are committed
        self.paused: str | None = None  # why nothing is launched
        self.faults: dict[int, SetupFailed] = {}  # runs whose parameters do not hold
        self._prepared: deque[tuple[ActiveRun, Task, Prepared | SetupFailed]] = deque()
        self._room_until = 0.0
        self._ahead: deque[tuple[ActiveRun, Task]] = deque(maxlen=_AHEAD)

    def launch(self) -> None:
        """Launches what is ready, as far as there are slots; begins every task that needs none."""
        progress = self._progress
        self._begin_instant()
        while progress.ready:
            run, task = progress.ready[0]
            if not _waits(run, task):
                progress.ready.popleft()
            elif run.id in self.faults:
                progress.ready.popleft()
                self._fail(run, task, self.faults[run.id])
            elif self._launcher.is_slow(run, task):
                progress.ready.popleft()
                self._prepare_apart(run, task)
            elif not self._launch_next(run, task, None):
                for waiting in list(itertools.islice(progress.ready, _AHEAD)):
                    self._note_ahead(*waiting)
                return
            self._begin_instant()

    def _launch_next(self, run: ActiveRun, task: Task, prepared: Prepared | None) -> bool:
        """Launches a task that is first in line. False when there is no room for it."""
        if not self._has_room():
            return False
        worker = self._executor.assign()
        if worker is None:
            return False
        if prepared is None:
            self._progress.ready.popleft()
            made = self._prepare(run, task)
            if isinstance(made, SetupFailed):
                self._executor.release(worker)
                self._fail(run, task, made)
                return True
            prepared = made
        token = secrets.token_hex(8)
        self._progress.launch(run, task, worker, self._boot, token, prepared.resolved)
        if task.parent is None:
            self._look_ahead(run, task.key)
        spec = prepared.spec
        timeout_s = task.document.get("timeout_seconds") or None
        log = self._launcher.log_path(run.id, task.id, task.launch)
        self.launches.append(Launch(task.name, token, worker, spec.argv, spec.environment, spec.folder, log, timeout_s))
        return True

    def _prepare(self, run: ActiveRun, task: Task) -> Prepared | SetupFailed:
        name = f"{task.id}-{task.launch + 1}"
        ahead: Prepared | None = task.ahead
        task.ahead = None
        if ahead is not None and ahead.name == name and self._launcher.still_holds(run, task, ahead):
            return ahead
        try:
            return self._launcher.prepare(run, task, name)
        except SetupFailed as failure:
            return failure
        except OSError as error:
            return SetupFailed("INTERNAL_ERROR", f"The task could not be set up: {error}")

    @property
    def has_ahead(self) -> bool:
        """Whether there is a task to prepare before its turn."""
        return bool(self._ahead)

    def prepare_ahead(self) -> None:
        """Prepares one task that is likely next, while there is nothing else to do: its turn then costs less."""
        run, task = self._ahead.popleft()
        if task.ahead is None and task.state in _BEFORE and run.holds(task) and not run.closing:
            made = self._prepare(run, task)
            if isinstance(made, Prepared):  # a failure is found again when it is the task's turn
                task.ahead = made

    def _look_ahead(self, run: ActiveRun, key: str) -> None:
        """Notes what may follow a task that was just launched."""
        for child in run.graph.children[key][:_AHEAD]:
            if len(run.graph.nodes[child].edges) <= _FEW_PARENTS:
                self._note_ahead(run, run.tasks[child])

    def _note_ahead(self, run: ActiveRun, task: Task) -> None:
        if (
            task.ahead is None
            and not task.is_instant
            and task.state in _BEFORE
            and self._launcher.may_prepare_ahead(run, task)
        ):
            self._ahead.append((run, task))

    def _prepare_apart(self, run: ActiveRun, task: Task) -> None:
        """Setup that may take minutes; the task stays PENDING and takes no slot."""
        if task.preparing:
            return
        task.preparing = True

        def work() -> None:
            try:
                made = self._prepare(run, task)
            except BaseException as error:  # a fault of ours in a thread: the task fails, the engine goes on
                made = SetupFailed("INTERNAL_ERROR", f"The task could not be set up: {error!r}")
            self._prepared.append((run, task, made))
            self._notify()

        threading.Thread(target=work, name=f"prepare {task.id}", daemon=True).start()

    def take_prepared(self) -> None:
        """Goes on with tasks whose long setup is done."""
        for _ in range(len(self._prepared)):
            run, task, made = self._prepared.popleft()
            if not _waits(run, task):
                continue
            if isinstance(made, SetupFailed):
                self._fail(run, task, made)
            elif not self._launch_next(run, task, made):
                self._prepared.append((run, task, made))  # goes on when a slot is free

    def _begin_instant(self) -> None:
        instant = self._progress.instant
        while instant:
            run, task = instant.popleft()
            if not _waits(run, task):
                continue
            try:
                if run.id in self.faults:
                    raise self.faults[run.id]
                self._begin(run, task)
            except SetupFailed as failure:
                self._fail(run, task, failure)

    def _begin(self, run: ActiveRun, task: Task) -> None:
        nesting = self._progress.nesting
        if "for_each_task" in task.document:
            nesting.begin_loop(run, task, self._launcher.inputs(run, task))
        elif "run_job_task" in task.document:
            nesting.begin_child(run, task, self._launcher.child(run, task))
        else:
            task.started = self._clock.now_ms()
            decided = self._launcher.condition(run, task)
            facts = Facts(executing=task.started, outcome=decided.outcome, resolved=decided.resolved)
            self._progress.finish(run, task, verdicts.SUCCEEDED, facts)

    def _fail(self, run: ActiveRun, task: Task, failure: SetupFailed) -> None:
        self._progress.finish(run, task, verdicts.setup_failed(failure.code, failure.message))

    def _has_room(self) -> bool:
        """Whether the disk has room for another attempt; what waits says so meanwhile."""
        now = self._clock.boot_s()
        if now < self._room_until:
            return True
        free = os.statvfs(self._executor.folder)
        if free.f_bavail * free.f_frsize >= MIN_FREE_BYTES:
            self._room_until = now + _ROOM_S
            if self.paused is not None:
                self.paused = None
                self._tell("")
                keep_ballast(self._executor.folder)
            return True
        if self.paused is None:
            self.paused = f"Paused: less than {MIN_FREE_BYTES >> 20} MiB are free in the engine's folder."
            self._tell(self.paused)
        return False

    def _tell(self, message: str) -> None:
        self._progress.writes += [
            ("UPDATE runs SET message = ? WHERE id = ? AND ended = 0", (message, id)) for id in self._progress.runs
        ]


def _waits(run: ActiveRun, task: Task) -> bool:
    """Whether a task that was queued still waits: it may have been cancelled meanwhile."""
    return task.state is LifeCycle.PENDING and run.holds(task)


def keep_ballast(folder: Path) -> None:
    """A file that can be removed when the disk is full, so that ends can still be recorded."""
    path = folder / "ballast"
    free = os.statvfs(folder)
    if path.exists() or free.f_bavail * free.f_frsize < MIN_FREE_BYTES + _BALLAST_BYTES:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, _BALLAST_BYTES)
    finally:
        os.close(descriptor)
