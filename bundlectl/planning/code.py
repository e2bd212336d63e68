"""Changed files between two snapshots with their line counts, and the changed files that a job names. Pure.

Called by operations.plan (files) and planning.planner (jobs). Contents are given: nothing is read here.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from bundlectl.model.plan import CodeFile

# path -> (mode, blob); a TreeEntry is such a pair.
Entries = Mapping[str, tuple[str, str]]

MAX_COUNTED_BYTES = 1_000_000  # larger files are shown without line counts
_MAX_COUNTED_LINES = 4_000  # of what is left between the equal head and tail: difflib is quadratic
_NOTEBOOK_SUFFIXES = (".py", ".sql", ".scala", ".r", ".R", ".ipynb")


def changed_paths(old: Entries, new: Entries) -> tuple[str, ...]:
    """Paths that were added, removed or changed, sorted."""
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def blobs_to_read(old: Entries, new: Entries) -> tuple[str, ...]:
    """Ids of the blobs whose contents `changed_files` counts lines of, sorted."""
    blobs: set[str] = set()
    for path in changed_paths(old, new):
        was, now = old.get(path), new.get(path)
        if was is None or now is None or was[1] != now[1]:
            blobs.update(entry[1] for entry in (was, now) if entry is not None)
    return tuple(sorted(blobs))


def changed_files(old: Entries, new: Entries, read: Mapping[str, bytes]) -> tuple[CodeFile, ...]:
    """Every changed file, sorted by path. A blob that is not in `read` gives no line counts."""
    return tuple(_changed(path, old.get(path), new.get(path), read) for path in changed_paths(old, new))


def _changed(
    path: str, was: tuple[str, str] | None, now: tuple[str, str] | None, read: Mapping[str, bytes]
) -> CodeFile:
    if was is None:
        assert now is not None
        return CodeFile(path, "added", None, now[1], _lines_of(read, now[1]), 0)
    if now is None:
        return CodeFile(path, "removed", was[1], None, 0, _lines_of(read, was[1]))
    if was[1] == now[1]:
        return CodeFile(path, "mode", was[1], now[1], 0, 0)
    before, after = _texts(read, was[1]), _texts(read, now[1])
    counted = _count(before, after) if before is not None and after is not None else (None, None)
    return CodeFile(path, "modified", was[1], now[1], *counted)


def _lines_of(read: Mapping[str, bytes], blob: str) -> int | None:
    lines = _texts(read, blob)
    return len(lines) if lines is not None else None


def _texts(read: Mapping[str, bytes], blob: str) -> list[bytes] | None:
    """Lines of a text, or None for what is unknown, large or binary."""
    content = read.get(blob)
    if content is None or len(content) > MAX_COUNTED_BYTES or b"\0" in content[:8000]:
        return None
    return content.splitlines()


def _count(before: list[bytes], after: list[bytes]) -> tuple[int | None, int | None]:
    """Added and removed lines."""
    from difflib import SequenceMatcher

    head = 0
    shorter = min(len(before), len(after))
    while head < shorter and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    if not left or not right:
        return len(right), len(left)
    if len(left) + len(right) > _MAX_COUNTED_LINES:
        return None, None
    added = removed = 0
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag != "equal":
            added, removed = added + j2 - j1, removed + i2 - i1
    return added, removed


class Named(NamedTuple):
    """Changed files, prepared for being looked up by what jobs name: a file, a folder, a notebook without suffix."""

    by_name: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, files: Iterable[CodeFile]) -> "Named":
        names: dict[str, list[str]] = {}
        for file in files:
            path = PurePosixPath(file.path)
            stem = [str(path.with_suffix(""))] if path.suffix in _NOTEBOOK_SUFFIXES else []
            for name in {file.path, *stem, *(str(parent) for parent in path.parents)}:
                names.setdefault(name, []).append(file.path)
        return cls({name: tuple(paths) for name, paths in names.items()})

    def direct(self, code_paths: Iterable[str]) -> tuple[str, ...]:
        """The changed files that one of these paths names, sorted."""
        found: set[str] = set()
        for path in code_paths:
            found.update(self.by_name.get(path.rstrip("/") or ".", ()))
        return tuple(sorted(found))
