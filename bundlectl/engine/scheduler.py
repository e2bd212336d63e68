"""The loop: takes events, decides through progress, commits once, and only then announces.

Run by service in the process that holds the engine's lock. One thread; nothing here blocks but a commit.
"""

import os
import selectors
import socket
import sqlite3
from collections.abc import Callable
from typing import Any

from bundlectl.base.clock import Clock
from bundlectl.engine import recovery, runs, verdicts
from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.channel import WAKE, short_path
from bundlectl.engine.database import Database, take_ids
from bundlectl.engine.dispatch import Dispatcher, Launcher, keep_ballast
from bundlectl.engine.executors.base import Ends, Event, Executor, Gone, Greeted, Hook
from bundlectl.engine.loading import load
from bundlectl.engine.progress import Facts, Progress
from bundlectl.engine.tasks.base import SetupFailed
from bundlectl.model.run import LifeCycle

_LOOK_S = 1.0  # how often the database is asked whether somebody else wrote
_ID_BLOCK = 64
_EXPIRE_S = 60.0  # how often runs that waited too long are looked for


class Superseded(Exception):
    """Another scheduler has taken over."""


class Scheduler:
    """See the module. `hook` is called at every step that matters, so that tests can stop the process there."""

    def __init__(
        self, database: Database, executor: Executor, launcher: Launcher, clock: Clock, *, hook: Hook | None = None
    ) -> None:
        self._database = database
        self._executor = executor
        self._launcher = launcher
        self._clock = clock
        self._hook = hook or _no_hook
        self.progress = Progress(clock, self._take_ids)
        self._dispatcher = Dispatcher(self.progress, executor, launcher, clock, self.notify)
        self._epoch = 0
        self._ids: list[int] = []
        self._folded: dict[str, int] = {}
        self._new_folds: dict[str, int] = {}
        self._graves: list[str] = []  # dead workers whose folders may go
        self._look = True
        self._version = -1
        self._dirty = False  # something was written since the last checkpoint
        self._expire_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake, self._wake_end = socket.socketpair()
        self._public = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._wake, self._wake_end, self._public):
            end.setblocking(False)

    # Life

    def begin(self) -> None:
        """Takes over: raises the epoch, takes in what is under way, settles what dead workers left."""
        folder = self._executor.folder
        with self._database.write() as connection:
            row = connection.execute("UPDATE engine SET epoch = epoch + 1 RETURNING epoch").fetchone()
            self._epoch = row[0]
            self._folded = dict(connection.execute("SELECT id, folded FROM workers"))
        self._hook("epoch")
        (folder / WAKE).unlink(missing_ok=True)
        with short_path(folder, WAKE) as path:
            self._public.bind(path)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._selector.register(self._public, selectors.EVENT_READ)
        keep_ballast(folder)
        self._take_requests()
        events = self._executor.open(self._selector, self._epoch)
        present = set(os.listdir(folder / "workers"))
        absent = {task.worker for _, task in self.progress.launched.values()} - present
        self.step([*events, *(Gone(worker) for worker in sorted(absent, key=str) if worker is not None)])

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until `stopping` says so. Raises Superseded."""
        while not stopping():
            self.once()

    def once(self) -> None:
        """Waits for something to happen and deals with it."""
        events: list[Event] = []
        ahead = self._dispatcher.has_ahead
        found = self._selector.select(0 if ahead else self.patience)
        if ahead and not found:
            self._dispatcher.prepare_ahead()
            return
        for key, _ in found:
            if key.data is None:
                self._drain(key.fileobj)
                self._look = True
            else:
                events += self._executor.read(key.data)
        if not found:
            events += self._executor.tick()
            self._look_around()
        self.step(events)

    def end(self) -> None:
        """Leaves: tasks run on, workers record their ends, whoever comes next takes them in."""
        self._executor.close()
        (self._executor.folder / WAKE).unlink(missing_ok=True)
        for end in (self._wake, self._wake_end, self._public):
            end.close()
        self._selector.close()

    def notify(self) -> None:
        """Says, from any thread of this process, that a request was left in the database."""
        try:
            self._wake_end.send(b"1")
        except OSError:
            return  # full, so it wakes anyway; or it has left

    @property
    def paused(self) -> str | None:
        """Why nothing is launched; None as a rule."""
        return self._dispatcher.paused

    @property
    def idle(self) -> bool:
        """No run is under way here. Runs that it does not know yet are in the database."""
        return not self.progress.runs and not self._look

    @property
    def patience(self) -> float:
        """Seconds that it may wait for events before something is due."""
        if self._look and not self.progress.writes:
            return 0.0
        due = self.progress.patience()
        return _LOOK_S if due is None else min(due, _LOOK_S)

    def _drain(self, source: Any) -> None:
        try:
            while source.recv(4096):
                continue
        except BlockingIOError:
            return

    def _look_around(self) -> None:
        """Once a second when nothing happens: requests of others, waiting runs, housekeeping."""
        version = self._database.version()
        if version != self._version:
            self._version = version
            self._look = True
        if self._clock.boot_s() >= self._expire_at:
            self._expire_at = self._clock.boot_s() + _EXPIRE_S
            self._expire()
        if not self.progress.runs and self._dirty:
            self._dirty = False
            self._database.checkpoint()

    def _expire(self) -> None:
        """Skips runs that waited too long, whatever else runs."""
        now = self._clock.now_ms()
        with self._database.read() as connection:
            late = runs.waited_too_long(connection, now)
        if late:
            with self._database.write() as connection:
                runs.expire_queued(connection, now)
            self._look = True

    # One step

    def step(self, events: list[Event]) -> None:
        """Everything that follows from `events` and from the time, in one transaction."""
        progress = self.progress
        if self._look and not progress.writes:
            self._take_requests()
        for event in events:
            self._take(event)
        progress.tick()
        self._dispatcher.take_prepared()
        self._dispatcher.launch()
        progress.note_pending()
        self._flush()

    def _take_requests(self) -> None:
        """New runs, cancels and changed time limits, as they stand in the database."""
        self._look = False
        progress = self.progress
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, cancel, timeout_s FROM runs WHERE ended = 0 AND state <> 'QUEUED' ORDER BY id"
            ).fetchall()
            found = {id: load(connection, id) for id, _, _ in rows if id not in progress.runs}
            asked = connection.execute("SELECT run_id, id FROM attempts WHERE cancel > 0 AND ended = 0").fetchall()
        for id, cancel, timeout_s in rows:
            if id in found:
                self._adopt(found[id])
            run = progress.runs.get(id)
            if run is not None and timeout_s != run.timeout_s:
                progress.set_timeout(run, timeout_s)
            if run is not None and cancel:
                progress.cancel_run(run)
        for run_id, id in asked:
            run = progress.runs.get(run_id)
            task = None if run is None else run.find(id)
            if run is not None and task is not None:
                progress.cancel_task(run, task)
        if progress.nesting.children:
            with self._database.read() as connection:
                children = progress.nesting.look(connection)
            for id, result, message in children:
                progress.nesting.child_ended(id, result, message)
        progress.nesting.settle_orphans()

    def _adopt(self, run: ActiveRun) -> None:
        if run.repair:
            self._ids.clear()  # attempts that it gets from now on come after those of the repair
        if run.state is LifeCycle.PENDING:
            run.started = run.started or self._clock.now_ms()
            self._dispatcher.faults.pop(run.id, None)
            try:
                run.parameters = self._launcher.parameters(run)
            except SetupFailed as fault:
                self._dispatcher.faults[run.id] = fault
        self._launcher.make_room(run.id)
        self.progress.adopt(run)

    def _take(self, event: Event) -> None:
        match event:
            case Ends(worker, offset, ends):
                if offset > self._folded.get(worker, 0):
                    self._fold(worker, offset, ends)
            case Gone(worker):
                self._fold(worker, *_turned(recovery.fold(self._executor.folder, worker, self._folded.get(worker, 0))))
                self._settle_worker(worker, frozenset())
                self._graves.append(worker)
            case Greeted(worker, running):
                self._fold(worker, *_turned(recovery.fold(self._executor.folder, worker, self._folded.get(worker, 0))))
                self._settle_worker(worker, running)

    def _fold(self, worker: str, offset: int, ends: list[dict[str, Any]]) -> None:
        self._folded[worker] = self._new_folds[worker] = offset
        for end in ends:
            found = self.progress.launched.get(end["a"])
            if found is not None:
                self._take_end(*found, end)

    def _take_end(self, run: ActiveRun, task: Task, end: dict[str, Any]) -> None:
        collected = self._launcher.collect(run.id, task.name)
        verdict = verdicts.of_end(
            end, collected.error, task.document.get("timeout_seconds"), self.progress.canceled(run, task)
        )
        facts = Facts(
            executing=end["started_ms"],
            ended=end["ended_ms"],
            exit_code=end.get("code"),
            signal=end.get("signal"),
            log_bytes=end.get("log"),
            values=collected.values,
            output=collected.output,
            files=collected.files,
        )
        self.progress.finish(run, task, verdict, facts)

    def _settle_worker(self, worker: str, running: frozenset[str]) -> None:
        """Attempts of a worker that neither run nor ended: they never started, or are lost."""
        mine = [(run, task) for run, task in self.progress.launched.values() if task.worker == worker]
        for run, task in mine:
            if task.name in running:
                if task.state is LifeCycle.TERMINATING:
                    self.progress.stops.append((task.name, worker))
                continue
            self._hook("settle")
            if recovery.never_started(self._launcher.log_path(run.id, task.id, task.launch), task):
                self.progress.unlaunch(run, task)
            else:
                recovery.kill_survivors(task, self._clock)
                self.progress.finish(run, task, verdicts.LOST)

    # Writing

    def _flush(self) -> None:
        """Commits what was decided, and then lets it out: launches, stops, folders of dead workers."""
        progress = self.progress
        if progress.writes or self._new_folds or self._graves:
            self._hook("commit")
            try:
                with self._database.write() as connection:
                    self._write(connection)
            except sqlite3.OperationalError as error:
                # The decisions stand in memory and are written as soon as that is possible; nothing is announced.
                self._dispatcher.paused = f"Paused: {error}."
                return
            if progress.nesting.placed() or progress.ended_jobs or progress.nesting.look_again:
                self._look = True  # children are to be taken in; a waiting run may have been admitted
                progress.nesting.look_again = False
            self._dirty = True
            progress.writes.clear()
            progress.ended_jobs.clear()
            self._new_folds.clear()
            self._hook("committed")
        if self._dispatcher.launches:
            launches, self._dispatcher.launches = self._dispatcher.launches, []
            self._executor.start(launches)
            self._hook("sent")
        for name, worker in progress.stops:
            self._executor.stop(name, worker, "cancel")
        progress.stops.clear()
        for worker in self._graves:
            recovery.remove_worker(self._executor.folder, worker)
            self._folded.pop(worker, None)
        self._graves.clear()

    def _write(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT epoch FROM engine").fetchone()[0] != self._epoch:
            raise Superseded
        for statement, values in self.progress.writes:
            connection.execute(statement, values)
        self.progress.nesting.place(connection)
        for worker, offset in self._new_folds.items():
            connection.execute(runs.FOLDED, (worker, offset))
        for worker in self._graves:
            connection.execute("DELETE FROM workers WHERE id = ?", (worker,))
        for job_id in dict.fromkeys(self.progress.ended_jobs):
            runs.admit(connection, job_id, self._clock.now_ms())

    def _take_ids(self, count: int) -> list[int]:
        """New ids for attempts. They are lost when the process dies, which does no harm."""
        if count > len(self._ids):
            block = max(count, _ID_BLOCK)
            with self._database.write() as connection:
                first = take_ids(connection, block)
            self._ids = list(range(first, first + block))
        taken, self._ids = self._ids[:count], self._ids[count:]
        return taken


def _turned(folded: recovery.Folded) -> tuple[int, list[dict[str, Any]]]:
    return folded.offset, folded.ends


def _no_hook(step: str) -> None:
    """Nobody watches."""
