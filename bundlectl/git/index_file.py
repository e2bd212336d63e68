"""Reads git's index: which paths are tracked, as which blob, and the stat data that tells whether one may have changed.

Called by worktree. Reading it here, instead of asking git which files changed, is what keeps clean filters from
running: git runs them on every file whose stat data is not conclusive.
"""

import os
import struct
from pathlib import Path
from typing import NamedTuple

from bundlectl.model.errors import RepositoryError

# ctime s, ns, mtime s, ns, dev, ino, mode, uid, gid, size, object id, flags.
_FIXED = {20: struct.Struct(">10I20sH"), 32: struct.Struct(">10I32sH")}
_FLAGS = struct.Struct(">H")
_EXTENDED, _STAGE, _NAME_LENGTH = 0x4000, 0x3000, 0x0FFF
_SKIP_WORKTREE, _INTENT_TO_ADD = 0x4000, 0x2000
_MAX_BYTES = 1 << 30

Fields = tuple[int, int, int, int, int, int, int, int, int, int, bytes, int]


class IndexEntry(NamedTuple):
    """One tracked path. `fields` are as in the file, because thousands are read and nearly none is looked into:

    ctime (seconds, nanoseconds), mtime (seconds, nanoseconds), device, inode, mode, user, group, size (all cut to 32
    bits), raw object id, flags.
    """

    path: str
    fields: Fields

    @property
    def mode(self) -> int:
        return self.fields[6]

    @property
    def blob(self) -> str:
        return self.fields[10].hex()


class Index(NamedTuple):
    """What the index holds. `entries` are sorted by path bytes and have stage 0."""

    entries: list[IndexEntry]
    skipped: frozenset[str] = frozenset()  # left out of the disk on purpose, by a sparse checkout
    unsettled: tuple[str, ...] = ()  # paths in a merge conflict, or announced by `git add -N`: no blob to go by
    root_tree: str | None = None  # id of the tree over all entries, when git noted it and it still holds
    mtime_ns: int = 0  # of the index file; an entry changed at that time or later may have changed unnoticed


class UnreadableIndex(Exception):
    """The index has a form that is not read here (split, sparse); git must be asked for its entries."""


def read_index(path: Path, algorithm: str) -> Index:
    """The index at `path`; an empty one when there is no file yet.

    Raises UnreadableIndex, RepositoryError BND602 when the file is damaged.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return Index([])
    except OSError as error:
        raise RepositoryError(f'cannot read the index "{path}": {error.strerror}') from error
    try:
        return _parse(data, 20 if algorithm == "sha1" else 32, status.st_mtime_ns)
    except (struct.error, ValueError, IndexError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> RepositoryError:
    return RepositoryError(
        f'the index "{path}" is damaged',
        hint="make it anew from the last commit, keeping your files: git read-tree HEAD",
    )


def _parse(data: bytes, hash_size: int, mtime_ns: int) -> Index:
    if data[:4] != b"DIRC" or len(data) > _MAX_BYTES:
        raise ValueError("no index")
    version, count = struct.unpack_from(">2I", data, 4)
    if version not in (2, 3, 4):
        raise UnreadableIndex(f"index version {version}")
    end = len(data) - hash_size
    read = _Reader(data[:end], hash_size)
    at = read.compressed(count) if version == 4 else read.plain(count)
    root_tree = None
    while at < end:
        name, size = data[at : at + 4], struct.unpack_from(">I", data, at + 4)[0]
        if not name[:1].isupper():  # required extensions: the entries above are not the whole story
            raise UnreadableIndex(f"index extension {name!r}")
        if name == b"TREE":
            root_tree = _root_tree(data[at + 8 : at + 8 + size], hash_size)
        at += 8 + size
    return Index(read.entries, frozenset(read.skipped), tuple(dict.fromkeys(read.unsettled)), root_tree, mtime_ns)


class _Reader:
    """Reads the entries, in the two layouts that they have."""

    def __init__(self, data: bytes, hash_size: int) -> None:
        self._data = data
        self._fixed = _FIXED[hash_size]
        self.entries: list[IndexEntry] = []
        self.skipped: list[str] = []
        self.unsettled: list[str] = []

    def plain(self, count: int) -> int:
        """Versions 2 and 3: whole names, padded to eight bytes. Returns where the entries end."""
        data, unpack, size = self._data, self._fixed.unpack_from, self._fixed.size
        make, add = tuple.__new__, self.entries.append
        at = 12
        for _ in range(count):
            fields = unpack(data, at)
            begin, flags = at + size, fields[11]
            more = 0
            if flags & _EXTENDED:
                (more,) = _FLAGS.unpack_from(data, begin)
                begin += 2
            length = flags & _NAME_LENGTH
            stop = begin + length if length < _NAME_LENGTH else data.index(b"\0", begin)
            if stop >= len(data):
                raise ValueError("entry ends early")
            path = data[begin:stop].decode("utf-8", "surrogateescape")
            if more or flags & _STAGE or fields[6] == 0o40000:
                self._special(path, fields, more)
            else:
                add(make(IndexEntry, (path, fields)))
            at += stop - at + 8 & ~7
        return at

    def compressed(self, count: int) -> int:
        """Version 4: a name is what it shares with the one before, and the rest. Returns where the entries end."""
        data, at, previous = self._data, 12, b""
        for _ in range(count):
            fields: Fields = self._fixed.unpack_from(data, at)
            begin = at + self._fixed.size
            more = 0
            if fields[11] & _EXTENDED:
                (more,) = _FLAGS.unpack_from(data, begin)
                begin += 2
            cut, begin = _offset(data, begin)
            stop = data.index(b"\0", begin)
            previous = previous[: len(previous) - cut] + data[begin:stop]
            self._special(previous.decode("utf-8", "surrogateescape"), fields, more)
            at = stop + 1
        return at

    def _special(self, path: str, fields: Fields, more: int) -> None:
        if fields[6] == 0o40000:
            raise UnreadableIndex("sparse index")
        if fields[11] & _STAGE or more & _INTENT_TO_ADD:
            self.unsettled.append(path)
            return
        if more & _SKIP_WORKTREE:
            self.skipped.append(path)
        self.entries.append(IndexEntry(path, fields))


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """A number in git's offset encoding, and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = (value + 1 << 7) | byte & 0x7F
    return value, at + 1


def _root_tree(data: bytes, hash_size: int) -> str | None:
    """First record of the cached trees: the empty path, its entry count (-1: no longer valid), its id."""
    end = data.index(b"\n")
    count, _, _ = data[data.index(b"\0") + 1 : end].partition(b" ")
    if int(count) < 0:
        return None
    return data[end + 1 : end + 1 + hash_size].hex()
