"""A large job file as several texts with some of its jobs each, so that processors can share the reading of it.

Called by config.parts. A piece has its jobs in the lines in which the file has them, so places need no correction. The
cut is a guess by indentation: one that is wrong leaves a piece that cannot be read, and the file is then read whole.
"""

import re
from itertools import pairwise

from bundlectl.config.request import Limits

WORTH_CUTTING = 200_000  # bytes; a smaller file is read before a copy of this process has begun

_HEAD = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n|---[ \t]*\r?\n)*resources:[ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*")
_JOBS = re.compile(rb"( +)jobs:[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*")
_LINE = re.compile(rb"^( *)(?![ \r\n#]|\Z)", re.MULTILINE)
_SEPARATORS = (b"\n", b"- ", b",", b"[", b"{", b":")


def pieces_of(data: bytes, count: int, limits: Limits) -> list[bytes] | None:
    """About `count` texts; None for a file that holds more than jobs or may reach a limit of one file."""
    if count < 2 or data.count(b"*") > limits.aliases:
        return None
    if 2 * sum(map(data.count, _SEPARATORS)) > limits.nodes:
        return None  # each separator begins at most a key and a value, or a list and its element
    head = _HEAD.match(data)
    jobs = _JOBS.match(data, head.end()) if head is not None else None
    if jobs is None:
        return None
    starts = _starts(data, jobs.end(), len(jobs[1]))
    if len(starts) < count:
        return None
    size = -(-len(starts) // count)
    cuts = [*starts[::size], len(data)]
    pieces = [data[: cuts[1]]]
    for at, end in pairwise(cuts[1:]):
        skipped = data.count(b"\n", jobs.end(), at)
        pieces.append(b"%s%s%s" % (data[: jobs.end()], b"\n" * skipped, data[at:end]))
    return pieces


def _starts(data: bytes, begin: int, outer: int) -> list[int]:
    """Where the line of each job's key begins; nothing when a line is not inside `jobs`."""
    starts: list[int] = []
    depth = 0
    for line in _LINE.finditer(data, begin):
        indent = line.end() - line.start()
        if not starts:
            depth = indent
            if depth <= outer:
                return []
        if indent < depth:
            return []
        if indent == depth:
            starts.append(line.start())
    return starts
