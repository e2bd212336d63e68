"""Engine: the one object that others hold. Answers the Jobs API in process, and advances runs while it is started.

Called by cli.wiring and, over HTTP, by web. Reading never creates the engine's folder. One process at a time advances
the state: whoever holds the lock; everyone else leaves requests in the database, follows, and takes over.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bundlectl import __version__
from bundlectl.base.clock import Clock
from bundlectl.base.files import try_lock
from bundlectl.engine.api import routes
from bundlectl.engine.api.request import Services
from bundlectl.engine.database import Store

_STANDBY_S = 0.2  # how often one that waits for the lock tries it
_DRAIN_S = 0.05
_UNUSED_MS = 24 * 3_600_000  # for which content without a file is kept: its row may be about to be written


class Engine:
    """An engine in `folder`. Safe to share between threads.

    `workers` is how many attempts may run at once (default: the number of processors); `environment` is what tasks get
    a part of; `user` is who asks. `worker_command`, `grace_s` and `hook` are for tests.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        interpreter: str = sys.executable,
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        user: str = "local",
        worker_command: Sequence[str] | None = None,
        grace_s: float = 30.0,
        hook: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._interpreter = interpreter
        self._slots = workers or os.cpu_count() or 1
        self._environment = environment
        self._worker_command = worker_command
        self._grace_s = grace_s
        self._hook = hook
        self._store = Store(folder, clock)
        self._services = Services(self._store, folder, clock, self._notify, user, self._describe, __version__)
        self._scheduler: Any = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._stirred = threading.Event()  # the engine may exist now
        self._failure: BaseException | None = None

    def handle(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        document: Any,
        headers: Mapping[str, str] = {},  # never changed
    ) -> tuple[int, Any]:
        """One request of the Jobs API: status and document. Raises StateError for a database that cannot be opened."""
        if self._failure is not None:
            raise self._failure  # a fault of ours in the scheduler: nothing would advance any more
        answer = routes.handle(self._services, method, path, query, document, headers)
        self._stirred.set()
        return answer

    def create(self) -> None:
        """Makes the engine, if it does not exist, and drops what no workspace file has. Raises StateError, OSError."""
        from bundlectl.engine.workspace import sweep

        database = self._store.open()
        with database.read() as connection:
            sweep(connection, self._folder, self._clock.now_ms() - _UNUSED_MS)

    # Advancing runs

    def start(self) -> None:
        """Advances runs from now on, as soon as no other process does."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._serve, name="scheduler", daemon=True)
            self._thread.start()

    def stop(self, drain: bool = False) -> None:
        """Stops advancing. With `drain` every run ends first; else tasks run on and the next process takes them in."""
        if self._thread is not None:
            while drain and self._thread.is_alive() and not self.idle:
                self._clock.sleep(_DRAIN_S)
            self._stopping.set()
            self._notify()
            self._thread.join()
            self._thread = None
        self._store.close()

    @property
    def idle(self) -> bool:
        """No run waits or is under way."""
        with self._store.read() as connection:
            return connection.execute("SELECT 1 FROM runs WHERE ended = 0 LIMIT 1").fetchone() is None

    @property
    def active(self) -> bool:
        """Whether this process is the one that advances runs."""
        return self._scheduler is not None

    @property
    def paused(self) -> str | None:
        """Why this process launches nothing; None as a rule."""
        scheduler = self._scheduler
        return None if scheduler is None else scheduler.paused

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _notify(self) -> None:
        """Tells whoever advances runs that a request was left."""
        self._stirred.set()
        scheduler = self._scheduler
        if scheduler is not None:
            scheduler.notify()
            return
        # Nobody there, or nobody yet: whoever takes the lock reads everything first.
        from bundlectl.engine.channel import wake

        wake(self._folder)

    def _describe(self, settings: dict[str, Any]) -> list[dict[str, Any]]:
        from bundlectl.engine.inventory import describe

        return describe(settings, self._folder, self._interpreter, self._environment)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if not self._store.exists:
                self._stirred.wait(_STANDBY_S)
                self._stirred.clear()
                continue
            lock = try_lock(self._folder / "lock")
            if lock is None:
                self._stopping.wait(_STANDBY_S)
                continue
            try:
                self._schedule()
            except BaseException as failure:  # kept for whoever asks next; a thread has nobody to tell
                self._failure = failure
                return
            finally:
                self._scheduler = None
                os.close(lock)

    def _schedule(self) -> None:
        # Whoever only reads, as every plan does, does not load what runs jobs.
        from bundlectl.engine.executors.local import LocalExecutor
        from bundlectl.engine.launching import EngineLauncher
        from bundlectl.engine.scheduler import Scheduler, Superseded
        from bundlectl.engine.secrets import host_environment
        from bundlectl.engine.worker import command

        database = self._store.open()
        environment = host_environment() if self._environment is None else self._environment
        with database.read() as connection:
            id = connection.execute("SELECT id FROM engine").fetchone()[0]
        executor = LocalExecutor(
            self._folder,
            self._clock,
            arguments=self._worker_command or command(sys.executable),
            environment={name: environment[name] for name in ("PATH", "TMPDIR") if name in environment},
            slots=self._slots,
            grace_s=self._grace_s,
        )
        launcher = EngineLauncher(
            self._folder,
            interpreter=self._interpreter,
            environment=environment,
            workspace_id=id,
            read=database.read,
        )
        scheduler = Scheduler(database, executor, launcher, self._clock, hook=self._hook)
        try:
            scheduler.begin()
            self._scheduler = scheduler
            scheduler.run(self._stopping.is_set)
        except Superseded:
            return  # cannot happen while the lock holds; a file system without locks would show here
        finally:
            scheduler.end()
