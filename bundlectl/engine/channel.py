"""JSON messages over a stream socket, one a line, buffered on both sides.

Used by worker and executors.local for what scheduler and worker tell each other. Never blocks; knows no message.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WAKE = "wake"  # the scheduler's socket in the engine's folder, for other processes
_CHUNK = 1 << 18
_PATH_LIMIT = 100  # bytes of a unix socket's path
_LIMIT = 64 << 20  # bytes of one message; both sides are ours, so more is a fault


class Closed(Exception):
    """The other side is gone."""


class Channel:
    """One side of a conversation. The caller watches `fileno()` for reading, and for writing while `unsent`."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._received = bytearray()
        self._outgoing = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def unsent(self) -> bool:
        return bool(self._outgoing)

    def put(self, message: dict[str, Any]) -> None:
        """Queues a message; `flush` sends it."""
        self._outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def flush(self) -> bool:
        """Sends what can be sent now: True when that was everything. Raises Closed."""
        try:
            while self._outgoing:
                sent = self._socket.send(self._outgoing)
                del self._outgoing[:sent]
        except BlockingIOError:
            return False
        except OSError as error:
            raise Closed from error
        return True

    def receive(self) -> list[dict[str, Any]]:
        """Every complete message that has arrived; empty when there is none. Raises Closed once all were given."""
        ended = False
        try:
            while True:
                data = self._socket.recv(_CHUNK)
                self._received += data
                if not data:
                    ended = True
                if len(data) < _CHUNK:
                    break
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        head, newline, tail = self._received.rpartition(b"\n")
        if newline:
            self._received = tail
            return [json.loads(line) for line in head.split(b"\n")]
        if ended or len(self._received) > _LIMIT:
            raise Closed
        return []

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def short_path(folder: Path, name: str) -> Iterator[str]:
    """A path to the socket `name` in `folder` that the kernel takes, however deep the folder is. Raises OSError."""
    path = str(folder / name)
    if len(os.fsencode(path)) <= _PATH_LIMIT or not os.path.isdir("/proc/self/fd"):
        yield path
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def wake(folder: Path) -> None:
    """Tells the scheduler of another process that a request was left for it; nobody there is fine."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with short_path(folder, WAKE) as path:
            sender.sendto(b"1", path)
