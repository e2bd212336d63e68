"""What a worker leaves on disk: claims, record lines and its identity, and how to tell from them what still lives.

Shared by worker and recovery, so it imports base only. A claim says that an attempt was begun, a record line what
became of it; both are read after the writer has died.
"""

import json
import os
import signal
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.host import boot_id, process_start

FENCED = "fenced"  # where the link points that a scheduler puts in the place of a log
MARKER = "BUNDLECTL_ATTEMPT"  # variable in the environment of everything that belongs to an attempt


class Record(NamedTuple):
    """Part of a record file. `lines` are (document, offset behind it)."""

    lines: tuple[tuple[dict[str, Any], int], ...]
    damaged: int  # lines inside that cannot be read


def identity() -> dict[str, Any]:
    """This process, told apart from every later one with the same pid."""
    pid = os.getpid()
    return {"pid": pid, "start": process_start(pid), "boot": boot_id()}


def is_alive(who: dict[str, Any]) -> bool:
    """Whether the process of an `identity` still runs: pid, start time and boot agree."""
    pid, start = who.get("pid"), who.get("start")
    if not isinstance(pid, int) or who.get("boot") != boot_id():
        return False
    if start is not None:
        return bool(process_start(pid) == start)
    try:  # a system without /proc: the pid is all there is
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def claim(log: str) -> int:
    """Claims an attempt by creating its log, and opens it for appending. Raises FileExistsError for all but the first.

    The log is the claim: whoever creates the name starts the attempt, and nobody else ever does. Raises OSError.
    """
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def fence(log: str) -> bool:
    """Takes the claim of an attempt so that nobody starts it any more. True when it surely never started.

    A link in the place of the log: made at once or not at all, and no log looks like it.
    """
    try:
        os.symlink(FENCED, log)
    except FileExistsError:
        return os.path.islink(log)
    return True


def record_line(document: dict[str, Any]) -> bytes:
    """One line of a record: length, CRC-32, JSON."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return b"%08x %08x %s\n" % (len(body), zlib.crc32(body), body)


def read_record(path: Path, offset: int = 0) -> Record:
    """The lines of a record from a byte offset on; none of a missing file. A line without its end was not written."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return Record((), 0)
    lines: list[tuple[dict[str, Any], int]] = []
    damaged = 0
    for line in data.split(b"\n")[:-1]:
        offset += len(line) + 1
        document = _decode(line)
        if document is not None:
            lines.append((document, offset))
        elif line:
            damaged += 1
    return Record(tuple(lines), damaged)


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        size, checksum, body = line.split(b" ", 2)
        if int(size, 16) != len(body) or int(checksum, 16) != zlib.crc32(body):
            return None
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def members(attempt: str, token: str) -> list[int]:
    """Processes that belong to an attempt, wherever they went: those whose environment carries its mark.

    Empty where the system does not show environments (no /proc).
    """
    mark = f"{MARKER}={attempt}:{token}".encode()
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    own = os.getpid()
    for name in names:
        if not name.isdigit() or int(name) == own:
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                variables = file.read().split(b"\0")
        except OSError:
            continue
        if mark in variables and process_start(int(name)) is not None:
            found.append(int(name))
    return found


def kill_members(attempt: str, token: str, number: int = signal.SIGKILL) -> int:
    """Signals every process of an attempt, through a descriptor so that a reused pid is never hit. How many."""
    count = 0
    for pid in members(attempt, token):
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            # The descriptor holds the process now: look again whether it is still the one that was found.
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"{MARKER}={attempt}:{token}".encode() in file.read().split(b"\0"):
                    signal.pidfd_send_signal(descriptor, number)
                    count += 1
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return count
