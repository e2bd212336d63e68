"""Ignore rules, with git itself as the judge."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bundlectl.config.ignore import IgnoreFiles, Match, Patterns

PATHS = ("a.py", "b.txt", "d/a.py", "d/b.txt", "d/e/a.py", "d/e/c.md", "build/x.py", "d/build/y", "logs/z.log")
PATTERN = st.sampled_from(
    ["*.py", "/a.py", "d/", "d/*", "!a.py", "!d/e/", "**/e/*", "build/", "build", "/build/", "!*.py", "*", "!d", "d/**",
     "# note", "", "\\!a.py", "[ab].*", "?.py", "e", "logs/*.log", "!logs/", "a.py/", "**/a.py", " ", "*.PY"]
)  # fmt: skip


@example(top=["d/**"], inner=["!a.py"])
@example(top=["d/**", "!d/e/"], inner=[])
@example(top=["d/*", "!d"], inner=[])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=st.lists(PATTERN, max_size=4), inner=st.lists(PATTERN, max_size=3))
def test_git_agrees(tmp_path_factory: pytest.TempPathFactory, top: list[str], inner: list[str]) -> None:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
    contents = {".gitignore": "\n".join(top), "d/.gitignore": "\n".join(inner)}
    for path in (*PATHS, *contents):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(contents.get(path, ""))
    answer = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin"],
        cwd=folder,
        input="\n".join(PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    ignore = IgnoreFiles({path: text.encode() for path, text in contents.items()})
    assert sorted(path for path in PATHS if ignore.ignoring(path)) == sorted(answer.stdout.split())


def test_the_deciding_line_is_known() -> None:
    ignore = IgnoreFiles({".gitignore": b"# note\n\n*.py\nd/\n", "e/.gitignore": b"!a.py\n"})
    assert ignore.ignoring("a.py") == Match(True, ".gitignore", 3)
    assert ignore.ignoring("d/x.txt") == Match(True, ".gitignore", 4)
    assert ignore.ignoring("e/a.py") is None
    assert ignore.ignoring("e/b.py") == Match(True, ".gitignore", 3)


def test_a_list_without_a_pattern_takes_nothing(tmp_path: Path) -> None:
    assert not Patterns([]).takes("a")
    assert not Patterns(["# x", ""]).takes("a")
    assert Patterns(["*", "!a"]).check("a") == (False, 2)
    assert not Patterns(["a" * 5000]).takes("a" * 5000)
    assert IgnoreFiles({}).ignoring("a") is None
