"""Attempts through worker processes on this host, over one unix socket each.

Called by scheduler. Starts workers when slots are needed, reconnects to those of an earlier scheduler, and turns
their messages into events. A worker's folder is removed by recovery once its record is folded.
"""

import contextlib
import os
import secrets
import selectors
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bundlectl.base.clock import Clock
from bundlectl.base.files import make_private_folder
from bundlectl.engine import claims, worker
from bundlectl.engine.channel import Channel, Closed, short_path
from bundlectl.engine.executors.base import Ends, Event, Gone, Greeted, Launch, Refused

WORKER_SLOTS = 8  # all that the death of one worker can touch
UNRESPONSIVE_S = 60.0  # a worker that does not answer an adopter for so long is killed


class _Link:
    """One worker and the conversation with it."""

    def __init__(self, id: str, channel: Channel, pid: int | None, greeting_until: float | None) -> None:
        self.id = id
        self.channel = channel
        self.pid = pid  # of a child of ours
        self.running: set[str] = set()
        self.taken = 0  # slots in use, launches under way included
        self.greeting_until = greeting_until  # None once it may be given work


class LocalExecutor:
    """See Executor."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        slots: int,
        grace_s: float = worker.GRACE_S,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._arguments = tuple(arguments)
        self._environment = dict(environment)
        self._slots = slots
        self._most = -(-slots // WORKER_SLOTS)
        self._grace_s = grace_s
        self._links: dict[str, _Link] = {}
        self._children: list[int] = []  # workers of ours that let go, not collected yet
        self._selector: selectors.BaseSelector | None = None
        self._epoch = 0

    @property
    def folder(self) -> Path:
        return self._folder

    def open(self, selector: selectors.BaseSelector, epoch: int) -> list[Event]:
        self._selector = selector
        self._epoch = epoch
        events: list[Event] = []
        for place in sorted((self._folder / "workers").iterdir()):
            connection = _connect(place)
            if connection is None:
                events.append(Gone(place.name))
                continue
            until = self._clock.boot_s() + UNRESPONSIVE_S
            self._greet(_Link(place.name, Channel(connection), None, until))
        if not self._links:
            self._open_worker()
        return events

    def _greet(self, link: _Link) -> None:
        assert self._selector is not None
        self._links[link.id] = link
        self._selector.register(link.channel, selectors.EVENT_READ, link)
        link.channel.put({"k": "hello", "epoch": self._epoch})
        self._send(link)

    def _open_worker(self) -> _Link:
        id = secrets.token_hex(6)
        place = self._folder / "workers" / id
        make_private_folder(place)
        listening = socket.socket(socket.AF_UNIX)
        with listening, short_path(place, "sock") as path:
            listening.bind(path)
            listening.listen(16)
            # Connected before it runs: the kernel keeps what we send until it listens, so nobody waits for it.
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(path)
            pid = worker.spawn(self._arguments, place, self._environment, listening.fileno())
        link = _Link(id, Channel(connection), pid, None)
        self._greet(link)
        return link

    # Slots

    def assign(self) -> str | None:
        if sum(link.taken for link in self._links.values()) >= self._slots:
            return None
        usable = [link for link in self._links.values() if link.greeting_until is None and link.taken < WORKER_SLOTS]
        if usable:
            chosen = min(usable, key=lambda link: link.taken)
        elif len(self._links) < self._most or all(link.greeting_until for link in self._links.values()):
            chosen = self._open_worker()
        else:
            return None
        chosen.taken += 1
        return chosen.id

    def release(self, worker: str) -> None:
        link = self._links.get(worker)
        if link is not None and link.taken:
            link.taken -= 1

    # Orders

    def start(self, launches: list[Launch]) -> None:
        for launch in launches:
            link = self._links.get(launch.worker)
            if link is None:
                continue  # it died meanwhile: recovery finds the row without a claim
            link.running.add(launch.name)
            order = {
                "k": "start",
                "epoch": self._epoch,
                "a": launch.name,
                "t": launch.token,
                "argv": list(launch.argv),
                "env": dict(launch.environment),
                "cwd": launch.folder,
                "log": launch.log,
                "grace": self._grace_s,
            }
            if launch.timeout_s:
                order["timeout_s"] = launch.timeout_s
            link.channel.put(order)
        for name in {launch.worker for launch in launches}:
            if name in self._links:
                self._send(self._links[name])

    def stop(self, name: str, worker: str, cause: str) -> None:
        link = self._links.get(worker)
        if link is not None:
            link.channel.put({"k": "stop", "epoch": self._epoch, "a": name, "cause": cause})
            self._send(link)

    def _send(self, link: _Link) -> None:
        """Sends what it takes now; a closed conversation shows when it is read."""
        assert self._selector is not None
        with contextlib.suppress(Closed):
            link.channel.flush()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.channel.unsent else 0)
        if self._selector.get_key(link.channel).events != wanted:
            self._selector.modify(link.channel, wanted, link)

    # Reports

    def read(self, source: object) -> list[Event]:
        if not isinstance(source, _Link) or source.id not in self._links:
            return []
        if source.channel.unsent:
            self._send(source)
        try:
            messages = source.channel.receive()
        except Closed:
            return [self._lose(source)]
        return [event for event in (self._event(source, message) for message in messages) if event is not None]

    def _event(self, link: _Link, message: dict[str, Any]) -> Event | None:
        kind = message["k"]
        if kind == "ends":
            for end in message["ends"]:
                self._freed(link, end["a"])
            return Ends(link.id, message["offset"], message["ends"])
        if kind == "refused":
            self._freed(link, message["a"])
            return Refused(message["a"], message["why"])
        if kind == "hello" and link.greeting_until is not None:
            link.greeting_until = None
            link.running = set(message["running"])
            link.taken = len(link.running)
            return Greeted(link.id, frozenset(link.running))
        return None

    def _freed(self, link: _Link, name: str) -> None:
        if name in link.running:
            link.running.remove(name)
            link.taken -= 1

    def _lose(self, link: _Link) -> Gone:
        assert self._selector is not None
        self._selector.unregister(link.channel)
        link.channel.close()
        del self._links[link.id]
        if link.pid is not None:
            self._children.append(link.pid)
            self._reap()
        return Gone(link.id)

    def _reap(self) -> None:
        """Collects workers of ours that ended; one that is just ending is collected later."""
        self._children = [pid for pid in self._children if not worker.reap(pid)]

    def tick(self) -> list[Event]:
        self._reap()
        now = self._clock.boot_s()
        late = [link for link in self._links.values() if link.greeting_until is not None and now >= link.greeting_until]
        for link in late:
            _kill(self._folder / "workers" / link.id)
            link.greeting_until = now + UNRESPONSIVE_S  # its end is seen on the socket
        return []

    def close(self) -> None:
        for link in list(self._links.values()):
            link.channel.put({"k": "leave", "epoch": self._epoch})
            self._send(link)
            self._lose(link)


def worker_identity(place: Path) -> dict[str, Any] | None:
    """Who works in a worker's folder; None when it never came so far."""
    lines = claims.read_record(place / "identity").lines
    return lines[0][0] if lines else None


def _kill(place: Path) -> None:
    who = worker_identity(place)
    if who is not None and claims.is_alive(who):
        os.kill(who["pid"], signal.SIGKILL)


def _connect(place: Path) -> socket.socket | None:
    """A conversation with the worker in `place`; None when nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with short_path(place, "sock") as path:
            connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        connection.close()
        return None
    return connection
