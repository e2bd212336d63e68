"""The process that supervises attempts: starts them, watches their time, records their ends, outlives the scheduler.

Started by executors.local through `command`; opens no database and decides nothing. What it did is in its record
file before anybody is told. Imports little, so that it starts in a few milliseconds.
"""

import errno
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bundlectl.base.clock import Clock, SystemClock
from bundlectl.base.host import process_start
from bundlectl.engine import claims, logs
from bundlectl.engine.channel import Channel, Closed
from bundlectl.engine.start_errors import why_not_started

IDLE_S = 600.0
GRACE_S = 30.0  # between SIGTERM and SIGKILL
_SYNC_S = 0.05  # how long a told end may wait for its own sync; the scheduler's commit makes it durable earlier
_RETRY_S = 1.0  # how often a record that could not be written is tried again
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from bundlectl.engine.worker import main; main(sys.argv[1], int(sys.argv[2]))"
)

Hook = Callable[[str], None]


def command(interpreter: str) -> list[str]:
    """What starts a worker; the worker's folder and the number of its listening descriptor follow."""
    return [interpreter, "-I", "-S", "-c", _BOOT, str(Path(__file__).resolve().parent.parent.parent)]


def spawn(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], listening: int) -> int:
    """Starts a worker process in a session of its own; its pid. What it says on a fault goes to `<folder>/output`."""
    output = os.open(folder / "output", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [*arguments, str(folder), str(listening)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd="/",
            pass_fds=(listening,),
            start_new_session=True,
        )
    finally:
        os.close(output)
    child.returncode = 0  # it outlives us; `reap` collects it if it does not
    return child.pid


def reap(pid: int) -> bool:
    """Collects a worker that was spawned here: True once it has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


class _Attempt:
    """One attempt under way."""

    def __init__(self, order: dict[str, Any], pid: int, log: int, now_ms: int, deadline: float | None) -> None:
        self.name: str = order["a"]
        self.token: str = order["t"]
        self.grace: float = order.get("grace", GRACE_S)
        self.pid = pid
        self.log = log
        self.started_ms = now_ms
        self.deadline = deadline  # boot clock
        self.kill_at: float | None = None
        self.cause: str | None = None  # timeout, cancel


class Worker:
    """The loop of a worker. `hook` is called at every step that matters, so that tests can stop it there."""

    def __init__(self, folder: Path, listening: socket.socket, clock: Clock, hook: Hook | None = None) -> None:
        self._folder = folder
        self._ballast = folder.parent.parent / "ballast"
        self._clock = clock
        self._hook = hook or _ignore
        self._identity = {"worker": folder.name, **claims.identity()}
        self._record = os.open(folder / "record", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._offset = os.fstat(self._record).st_size
        self._torn = False  # the record may end in a part of a line
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._attempts: dict[int, _Attempt] = {}
        self._names: dict[str, _Attempt] = {}
        self._ends: list[dict[str, Any]] = []  # not recorded yet
        self._sync_at: float | None = None  # boot clock: when what was recorded has to be synced
        self._epoch = 0
        self._scheduler: Channel | None = None
        self._leaving = False
        self._trim_at: float | None = None  # boot clock: when logs are looked at; None while nothing runs
        self._idle_since = clock.boot_s()
        self._selector = selectors.DefaultSelector()
        self._listening = listening
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ)
        self._wake, self._wake_end = socket.socketpair()
        for end in (self._wake, self._wake_end):
            end.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def run(self) -> None:
        """Works until it is told to leave, or has been idle and alone for long enough."""
        signal.signal(signal.SIGCHLD, _ignore)
        signal.signal(signal.SIGTERM, self._leave_when_idle)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)
        (self._folder / "identity").write_bytes(claims.record_line(self._identity))
        self._append({"k": "hello", **self._identity})
        while not self._may_leave():
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._listening:
                    self._accept()
                elif key.fileobj is self._wake:
                    self._drain_wake()
                else:
                    self._converse(key.data)
            self._check_times()
            self._reap()
            self._report()
        self._sync()
        self._append({"k": "bye"})
        (self._folder / "sock").unlink(missing_ok=True)

    def _patience(self) -> float | None:
        """Seconds until something is due."""
        if self._ends:
            return _RETRY_S
        now = self._clock.boot_s()
        due = [
            moment for task in self._names.values() for moment in (task.deadline, task.kill_at) if moment is not None
        ]
        due += [moment for moment in (self._sync_at, self._trim_at) if moment is not None]
        if not self._names and self._scheduler is None:
            due.append(self._idle_since + IDLE_S)
        return max(0.0, min(due) - now) if due else None

    def _may_leave(self) -> bool:
        if self._names or self._ends:
            return False
        idle = self._scheduler is None and self._clock.boot_s() - self._idle_since >= IDLE_S
        return self._leaving or idle

    def _leave_when_idle(self, number: int, frame: object) -> None:
        self._leaving = True

    def _drain_wake(self) -> None:
        try:
            while len(self._wake.recv(4096)) == 4096:
                continue
        except BlockingIOError:
            return

    # The scheduler's side

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return
        channel = Channel(connection)
        self._selector.register(channel, selectors.EVENT_READ, channel)

    def _converse(self, channel: Channel) -> None:
        try:
            for message in channel.receive():
                self._obey(channel, message)
            channel.flush()
        except Closed:
            self._forget(channel)

    def _forget(self, channel: Channel) -> None:
        self._selector.unregister(channel)
        channel.close()
        if channel is self._scheduler:
            self._scheduler = None
            self._idle_since = self._clock.boot_s()

    def _obey(self, channel: Channel, message: dict[str, Any]) -> None:
        kind = message["k"]
        if kind == "start":
            self._start(channel, message)
        elif kind == "stop" and message["epoch"] >= self._epoch:
            task = self._names.get(message["a"])
            if task is not None:
                self._stop(task, message["cause"])
        elif kind == "leave" and message["epoch"] >= self._epoch:
            self._leaving = True
        elif kind == "hello" and message["epoch"] >= self._epoch:
            self._epoch = message["epoch"]
            self._leaving = False
            self._scheduler = channel
            channel.put({"k": "hello", "running": list(self._names), "offset": self._offset})

    def _start(self, channel: Channel, order: dict[str, Any]) -> None:
        if order["epoch"] < self._epoch:
            channel.put({"k": "refused", "a": order["a"], "why": "epoch"})
            return
        self._hook("claim")
        now_ms = self._clock.now_ms()
        try:
            log = claims.claim(order["log"])
            self._hook("spawn")
            task = self._spawn(order, log, now_ms)
        except FileExistsError:
            channel.put({"k": "refused", "a": order["a"], "why": "claim"})
            return
        except (OSError, ValueError) as error:
            why = why_not_started(order["argv"], error)
            self._ends.append({"k": "end", "a": order["a"], "started_ms": now_ms, "ended_ms": now_ms, "error": why})
            return
        self._hook("started")
        self._attempts[task.pid] = task
        self._names[task.name] = task
        self._append({"k": "start", "a": task.name, "pid": task.pid, "start": process_start(task.pid)})

    def _spawn(self, order: dict[str, Any], log: int, now_ms: int) -> _Attempt:
        try:
            child = subprocess.Popen(
                order["argv"],
                stdin=self._null,
                stdout=log,
                stderr=log,
                env={**order["env"], claims.MARKER: f"{order['a']}:{order['t']}"},
                cwd=order["cwd"],
                close_fds=False,  # every descriptor of ours is closed on exec anyway
                start_new_session=True,
            )
        except BaseException:
            os.close(log)
            raise
        child.returncode = 0  # reaped below, by us
        limit = order.get("timeout_s")
        return _Attempt(order, child.pid, log, now_ms, self._clock.boot_s() + limit if limit else None)

    # Ends

    def _stop(self, task: _Attempt, cause: str) -> None:
        if task.kill_at is not None:
            return
        task.cause = cause
        task.deadline = None
        task.kill_at = self._clock.boot_s() + task.grace
        _signal_group(task.pid, signal.SIGTERM)

    def _check_times(self) -> None:
        now = self._clock.boot_s()
        for task in self._names.values():
            if task.deadline is not None and now >= task.deadline:
                self._stop(task, "timeout")
            if task.kill_at is not None and now >= task.kill_at:
                task.kill_at = now + _RETRY_S
                _signal_group(task.pid, signal.SIGKILL)
        if not self._names:
            self._trim_at = None
        elif self._trim_at is None:
            self._trim_at = now + logs.CHECK_S
        elif now >= self._trim_at:
            self._trim_at = now + logs.CHECK_S
            for task in self._names.values():
                logs.trim(task.log)

    def _reap(self) -> None:
        """Collects what has ended. The group goes first: while its leader is unreaped its number is nobody else's."""
        while self._attempts:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            task = self._attempts.pop(found.si_pid, None)
            if task is not None:
                _signal_group(task.pid, signal.SIGKILL)
                if task.cause is not None:
                    claims.kill_members(task.name, task.token)
            _, status, usage = os.wait4(found.si_pid, 0)
            if task is not None:
                self._end(task, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)

    def _end(self, task: _Attempt, code: int, cpu_s: float, peak: int) -> None:
        del self._names[task.name]
        logs.trim(task.log)
        self._ends.append(
            {
                "k": "end",
                "a": task.name,
                "code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "cause": task.cause,
                "started_ms": task.started_ms,
                "ended_ms": self._clock.now_ms(),
                "log": os.fstat(task.log).st_size,
                "cpu_s": round(cpu_s, 4),
                "peak": peak,
            }
        )
        os.close(task.log)

    def _report(self) -> None:
        """Records the ends that wait, together, and then tells the scheduler.

        A record survives this process without a sync. A scheduler that is told commits the end durably before anything
        follows from it, so the sync of the record, which a loss of power needs, does not stand in its way: it comes
        right after, and at once when nobody listens.
        """
        if self._ends:
            self._hook("end")
            if not self._write(b"".join(map(claims.record_line, self._ends))):
                return
            self._hook("recorded")
            now = self._clock.boot_s()
            if not self._names:
                self._idle_since = now
            if self._sync_at is None:
                self._sync_at = now + _SYNC_S
            if self._scheduler is not None:
                self._scheduler.put({"k": "ends", "offset": self._offset, "ends": self._ends})
            self._ends = []
        self._flush()
        if self._sync_at is not None and (self._scheduler is None or self._clock.boot_s() >= self._sync_at):
            self._sync()

    def _sync(self) -> None:
        self._sync_at = None
        os.fdatasync(self._record)

    def _flush(self) -> None:
        channel = self._scheduler
        if channel is None or not channel.unsent:
            return
        try:
            sent = channel.flush()
        except Closed:
            self._forget(channel)
            return
        wanted = selectors.EVENT_READ | (0 if sent else selectors.EVENT_WRITE)
        if self._selector.get_key(channel).events != wanted:
            self._selector.modify(channel, wanted, channel)

    def _append(self, document: dict[str, Any]) -> None:
        """A line that may be lost with the machine, but not with this process."""
        self._write(claims.record_line(document))

    def _write(self, data: bytes) -> bool:
        """False when the disk is full: the ballast goes, and the caller tries again."""
        if self._torn:
            data = b"\n" + data
        try:
            written = os.write(self._record, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            written = 0
        self._offset += written
        if written == len(data):
            self._torn = False
            return True
        self._torn = self._torn or written > 0
        self._ballast.unlink(missing_ok=True)
        return False


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _ignore(*happened: object) -> None:
    """Only the wake-up byte counts; nobody watches the steps."""


def main(folder: str, listening: int, hook: Hook | None = None) -> None:
    """Entry of the worker process."""
    os.set_inheritable(listening, False)
    connection = socket.socket(fileno=listening)
    Worker(Path(folder), connection, SystemClock(), hook).run()
    os._exit(0)  # nothing is left to tidy up
