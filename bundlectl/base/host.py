"""Identity of this host and of processes on it: enough to tell whether the process that wrote a record still lives.

Called for the lease of a deploy and for the engine's workers. A pid alone proves nothing: it is reused.
"""

import os
from pathlib import Path
from typing import NamedTuple


class ProcessIdentity(NamedTuple):
    """A process, told apart from every later one with the same pid."""

    host: str
    boot_id: str | None  # None where the system does not say
    pid_ns: str | None
    pid: int
    pid_start: int | None  # clock ticks after boot


def this_process() -> ProcessIdentity:
    """The running process."""
    pid = os.getpid()
    return ProcessIdentity(os.uname().nodename, boot_id(), pid_namespace(), pid, process_start(pid))


def boot_id() -> str | None:
    """Changes with every boot; None where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def pid_namespace() -> str | None:
    """Names the space in which pids mean something: two containers have two."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def process_start(pid: int) -> int | None:
    """When a process started, in clock ticks after boot (field 22 of its stat); None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name, in parentheses, may hold spaces and parentheses itself.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
