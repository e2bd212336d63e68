"""Logs of attempts on disk: how much of one is kept, and how a reader finds what was dropped.

Called by engine.worker once a second for what runs, and by the routes that read logs. A task writes straight into its
log and is never slowed: past the limit a hole is punched behind it, so that offsets stay what they were. Where the file
system cannot do that the log is left as it is. Imports no other module of ours: a worker starts with it.
"""

import os
from functools import cache
from typing import Any, BinaryIO, Final, NamedTuple

LIMIT: Final = 64 << 20  # bytes of a log that stay on disk
HEAD: Final = 1 << 20  # of these, from the beginning
CHECK_S: Final = 1.0  # how often a log is looked at
_BLOCK: Final = 64 << 10  # holes begin and end at whole blocks, also of file systems with large ones
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # of linux/falloc.h


class Hole(NamedTuple):
    """Bytes of a log that were dropped."""

    start: int
    end: int


def trim(log: int, limit: int = LIMIT, head: int = HEAD) -> bool:
    """Drops the middle of a log that is longer than `limit` bytes. False where the file system cannot.

    `log` is a descriptor opened for writing. Raises nothing: a log is never worth a task.
    """
    try:
        size = os.fstat(log).st_size
    except OSError:
        return False
    end = (size - (limit - head)) // _BLOCK * _BLOCK
    start = -(-head // _BLOCK) * _BLOCK
    if size <= limit or end <= start:
        return True
    punch = _fallocate()
    return punch is not None and punch(log, _PUNCH_HOLE | _KEEP_SIZE, start, end - start) == 0


def hole(log: BinaryIO) -> Hole | None:
    """What was dropped of a log; None when it is whole."""
    descriptor = log.fileno()
    size = os.fstat(descriptor).st_size
    if size <= HEAD or not hasattr(os, "SEEK_HOLE"):
        return None
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        start = os.lseek(descriptor, 0, os.SEEK_HOLE)
        if start >= size:
            return None
        return Hole(start, os.lseek(descriptor, start, os.SEEK_DATA))
    except OSError:  # a file system that does not tell, or a file that is all hole
        return None
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)  # a buffered reader relies on it


def dropped(log: BinaryIO) -> int:
    """How many bytes of a log are not there any more."""
    gap = hole(log)
    return 0 if gap is None else gap.end - gap.start


def read_log(log: BinaryIO, offset: int, limit: int) -> tuple[bytes, int]:
    """At most `limit` bytes from `offset` on, and the offset to go on from.

    A reader that comes to the hole gets a line more, which says how much was dropped, and goes on behind it.
    """
    gap = hole(log)
    if gap is None or offset >= gap.end or offset + limit < gap.start:
        data = os.pread(log.fileno(), limit, offset)
        return data, offset + len(data)
    before = os.pread(log.fileno(), max(0, gap.start - offset), offset)
    return before + b"\n[%d bytes dropped]\n" % (gap.end - gap.start), gap.end


@cache
def _fallocate() -> Any:
    """The C library's fallocate; None where there is none. Loaded when the first log is too long."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function
