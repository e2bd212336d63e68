"""Changed text files as unified diffs, within limits. Pure: contents are given, and nothing of a repository is run.

Called by operations.diff. Says what is no text; how lines are escaped is the business of whoever shows them.
"""

from collections.abc import Mapping, Sequence

from bundlectl.model.comparison import Patch
from bundlectl.model.plan import CodeFile
from bundlectl.planning.code import MAX_COUNTED_BYTES

MAX_LINES = 2_000  # of one file
MAX_ALL_LINES = 20_000  # of all files together
_CONTEXT = 3
_MAX_MATCHED = 4_000  # lines between the equal head and tail: difflib is quadratic
_BINARY_PROBE = 8_000  # bytes, as git looks at


def patches(
    files: Sequence[CodeFile], contents: Mapping[str, bytes], modes: Mapping[str, tuple[str | None, str | None]]
) -> dict[str, Patch]:
    """The diff of every file, by path, in order while the limit of all lines lasts.

    `contents`: by blob id; what is not in it was too large to be read. `modes`: of a file before and after, None where
    it is not there.
    """
    left = MAX_ALL_LINES
    found: dict[str, Patch] = {}
    for file in files:
        whole = _patch(file, contents, modes.get(file.path, (None, None)))
        kept = whole.lines[: min(MAX_LINES, left)]
        found[file.path] = Patch(kept, len(whole.lines) - len(kept), whole.note)
        left -= len(kept)
    return found


def _patch(file: CodeFile, contents: Mapping[str, bytes], modes: tuple[str | None, str | None]) -> Patch:
    before = b"" if file.old is None else contents.get(file.old)
    after = b"" if file.new is None else contents.get(file.new)
    if file.old == file.new:
        return Patch(tuple(_mode_lines(modes)))
    if before is None or after is None or max(len(before), len(after)) > MAX_COUNTED_BYTES:
        return Patch(note="too large to be shown")
    if b"\0" in before[:_BINARY_PROBE] or b"\0" in after[:_BINARY_PROBE]:
        return Patch(note=f"binary, {len(before)} -> {len(after)} bytes")
    names = [f"--- {'/dev/null' if file.old is None else 'a/' + file.path}"]
    names.append(f"+++ {'/dev/null' if file.new is None else 'b/' + file.path}")
    body = unified(_lines(before), _lines(after))
    return Patch((*_mode_lines(modes), *names, *body) if body else tuple(_mode_lines(modes)))


def _mode_lines(modes: tuple[str | None, str | None]) -> list[str]:
    was, now = modes
    if was is None or now is None or was == now:
        return []
    return [f"old mode {was}", f"new mode {now}"]


def _lines(content: bytes) -> list[str]:
    """Lines of a text; the last one without a line end is told apart by a mark behind it."""
    text = content.decode("utf-8", "backslashreplace")
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, last + _NO_END] if last else lines


# No line of a text has a line end inside, so it can be a mark.
_NO_END = "\n\\ No newline at end of file"


def unified(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The hunks of a unified diff with three lines around each change; none when the lines are equal."""
    head, tail = _equal_ends(before, after)
    if head == len(before) == len(after):
        return []
    skip = max(0, head - _CONTEXT)
    left = before[skip : len(before) - max(0, tail - _CONTEXT)]
    right = after[skip : len(after) - max(0, tail - _CONTEXT)]
    lines: list[str] = []
    for group in _groups(left, right, head - skip, min(tail, _CONTEXT)):
        first, last = group[0], group[-1]
        lines.append(f"@@ -{_range(first[1] + skip, last[2] + skip)} +{_range(first[3] + skip, last[4] + skip)} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [f" {line}" for line in left[i1:i2]]
                continue
            lines += [f"-{line}" for line in left[i1:i2]]
            lines += [f"+{line}" for line in right[j1:j2]]
    return [part for line in lines for part in line.split("\n")]


_Group = list[tuple[str, int, int, int, int]]


def _groups(left: Sequence[str], right: Sequence[str], head: int, tail: int) -> list[_Group]:
    from difflib import SequenceMatcher

    if len(left) + len(right) > _MAX_MATCHED:
        # Too much to be matched line by line: everything between the equal ends is replaced.
        one, other = len(left) - tail, len(right) - tail
        group: _Group = [("equal", 0, head, 0, head), ("replace", head, one, head, other)]
        group.append(("equal", one, len(left), other, len(right)))
        return [[item for item in group if item[1] != item[2] or item[3] != item[4]]]
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    return [list(group) for group in matcher.get_grouped_opcodes(_CONTEXT)]


def _equal_ends(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many lines are equal at the begin, and how many of the rest at the end."""
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return head, tail


def _range(start: int, stop: int) -> str:
    """A range of lines as diff writes it: an empty one names the line before it."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"
