"""Changed files of two snapshots, and which of them a job names."""

import pytest

from bundlectl.model.plan import CodeFile
from bundlectl.planning.code import Named, blobs_to_read, changed_files

FILE = "100644"
READ = {"1": b"a\nb\nc\n", "2": b"a\nB\nc\nd\n", "3": b"\0\1\2", "4": b"x" * 1_000_001, "5": b"", "6": b"no end"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, (FILE, "1"), CodeFile("f", "added", None, "1", 3, 0)),
        ((FILE, "1"), None, CodeFile("f", "removed", "1", None, 0, 3)),
        ((FILE, "1"), (FILE, "2"), CodeFile("f", "modified", "1", "2", 2, 1)),
        ((FILE, "1"), ("100755", "1"), CodeFile("f", "mode", "1", "1", 0, 0)),
        ((FILE, "1"), (FILE, "3"), CodeFile("f", "modified", "1", "3", None, None)),
        ((FILE, "1"), (FILE, "4"), CodeFile("f", "modified", "1", "4", None, None)),
        ((FILE, "1"), (FILE, "9"), CodeFile("f", "modified", "1", "9", None, None)),
        ((FILE, "1"), (FILE, "5"), CodeFile("f", "modified", "1", "5", 0, 3)),
        ((FILE, "5"), (FILE, "6"), CodeFile("f", "modified", "5", "6", 1, 0)),
    ],
)
def test_one_file(old: tuple[str, str] | None, new: tuple[str, str] | None, expected: CodeFile) -> None:
    before, after = {"f": old} if old else {}, {"f": new} if new else {}
    assert changed_files(before, after, READ) == (expected,)


def test_files_are_sorted_and_unchanged_ones_left_out() -> None:
    old = {"b": (FILE, "1"), "a": (FILE, "1"), "same": (FILE, "1")}
    new = {"b": (FILE, "2"), "c": (FILE, "1"), "same": (FILE, "1")}
    assert [(file.path, file.status) for file in changed_files(old, new, READ)] == [
        ("a", "removed"),
        ("b", "modified"),
        ("c", "added"),
    ]
    assert blobs_to_read(old, new) == ("1", "2")


def test_very_different_large_texts_are_not_counted() -> None:
    read = {"x": b"\n".join(b"%d" % n for n in range(5000)), "y": b"\n".join(b"-%d" % n for n in range(5000))}
    [file] = changed_files({"f": (FILE, "x")}, {"f": (FILE, "y")}, read)
    assert (file.added, file.removed) == (None, None)


def test_jobs_name_files_folders_and_notebooks_without_suffix() -> None:
    files = [CodeFile(path, "modified", "1", "2") for path in ("src/load.py", "src/lib/x.py", "nb/report.ipynb")]
    named = Named.of(files)
    assert named.direct(["src/load.py"]) == ("src/load.py",)
    assert named.direct(["src/lib/"]) == ("src/lib/x.py",)
    assert named.direct(["nb/report", "src/lo"]) == ("nb/report.ipynb",)
    assert named.direct(["."]) == ("nb/report.ipynb", "src/lib/x.py", "src/load.py")
    assert named.direct([]) == ()
