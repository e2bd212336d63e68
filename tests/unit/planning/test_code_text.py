"""Unified diffs: what git says of the same files, what is no text, limits, and that a diff leads from old to new."""

import difflib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.model.comparison import Patch
from bundlectl.model.plan import CodeFile
from bundlectl.planning import code_text
from bundlectl.planning.code_text import patches, unified

LONG = [f"line {number}" for number in range(60)]


def patch(old: bytes | None, new: bytes | None, modes: tuple[str | None, str | None] = ("100644", "100644")) -> Patch:
    status = "added" if old is None else "removed" if new is None else "modified"
    file = CodeFile("src/a.py", status, None if old is None else "1", None if new is None else "2")
    contents = {name: data for name, data in (("1", old), ("2", new)) if data is not None}
    return patches([file], contents, {"src/a.py": modes})["src/a.py"]


CASES = [
    (b"a\nb\nc\n", b"a\nB\nc\n"),
    (b"a\n", b"a\nb\n"),
    (b"a", b"a\n"),
    (b"a\n", b"a"),
    (b"a", b"b"),
    (b"\n".join(line.encode() for line in LONG), b"\n".join(line.encode() for line in [*LONG[:9], "x", *LONG[10:]])),
    (
        "\n".join(LONG).encode() + b"\n",
        "\n".join(["first", *LONG[:20], "mid", *LONG[21:50], *LONG[51:], "end"]).encode() + b"\n",
    ),
    (b"", b"a\n"),
    (b"a\nb\n", b""),
]


@pytest.mark.parametrize(("old", "new"), CASES)
def test_a_diff_is_the_one_that_git_shows(old: bytes, new: bytes, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    words = ["git", "diff", "--no-index", "--no-indent-heuristic", "--no-color", "--", "old", "new"]
    shown = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    hunks = shown[shown.index("@@") :].split("\n")[:-1]
    expected = [f"{line.split(' @@')[0]} @@" if line.startswith("@@") else line for line in hunks]
    found = patch(old, new)
    assert found.lines[:2] == ("--- a/src/a.py", "+++ b/src/a.py")
    assert list(found.lines[2:]) == expected


def test_files_of_one_side() -> None:
    assert patch(None, b"a\n").lines == ("--- /dev/null", "+++ b/src/a.py", "@@ -0,0 +1 @@", "+a")
    assert patch(b"a\nb", None).lines == (
        "--- a/src/a.py", "+++ /dev/null", "@@ -1,2 +0,0 @@", "-a", "-b", "\\ No newline at end of file",
    )  # fmt: skip
    assert patch(None, b"").lines == ()


def test_modes() -> None:
    file = CodeFile("run", "mode", "1", "1")
    found = patches([file], {"1": b"x"}, {"run": ("100644", "100755")})["run"]
    assert found == Patch(("old mode 100644", "new mode 100755"))
    assert patch(b"a\n", b"b\n", ("100644", "100755")).lines[:2] == ("old mode 100644", "new mode 100755")


def test_what_is_no_text_or_too_large_says_so() -> None:
    assert patch(b"a\0b", b"text\n") == Patch(note="binary, 3 -> 5 bytes")
    assert patch(b"x" * 1_000_001, b"y\n") == Patch(note="too large to be shown")
    unread = patches([CodeFile("big", "modified", "1", "2")], {"1": b"x"}, {})
    assert unread["big"].note == "too large to be shown"


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert patch(b"caf\xe9\n", b"cafe\n").lines[3:] == ("-caf\\xe9", "+cafe")


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_text, "MAX_LINES", 5)
    monkeypatch.setattr(code_text, "MAX_ALL_LINES", 8)
    files = [CodeFile(name, "added", None, "1") for name in ("a", "b", "c")]
    found = patches(files, {"1": b"1\n2\n3\n4\n"}, {})
    assert [(len(item.lines), item.left_out) for item in found.values()] == [(5, 2), (3, 4), (0, 7)]


def test_very_many_lines_are_replaced_as_one() -> None:
    old = ["head", *(f"old {number}" for number in range(3_000)), "tail"]
    new = ["head", *(f"new {number}" for number in range(3_000)), "tail"]
    lines = unified(old, new)
    assert lines[:2] == ["@@ -1,3002 +1,3002 @@", " head"]
    assert lines[-1] == " tail"
    assert _applied(old, lines) == new


def _applied(before: list[str], lines: list[str]) -> list[str]:
    """What a diff makes of a text."""
    after: list[str] = []
    at = 0
    for line in lines:
        if line.startswith("@@"):
            start, _, length = line.split()[1][1:].partition(",")
            begin = int(start) - (0 if length == "0" else 1)
            after += before[at:begin]
            at = begin
        elif line[0] == "+":
            after.append(line[1:])
        else:
            assert before[at] == line[1:]
            at += 1
            after += [] if line[0] == "-" else [line[1:]]
    return after + before[at:]


LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30)


@given(old=LINES, new=LINES)
def test_a_diff_leads_from_the_old_text_to_the_new_one(old: list[str], new: list[str]) -> None:
    lines = unified(old, new)
    assert _applied(old, lines) == new
    assert bool(lines) == (old != new)
    # No more context than difflib itself shows.
    whole = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    assert len(lines) <= len(old) + len(new) + len(whole)
