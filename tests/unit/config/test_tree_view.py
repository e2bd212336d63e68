"""Paths of a tree: patterns of includes, links, and what a file is."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.config.tree_view import Pattern, TreeView, join, leaves, relative_to
from tests.unit.config.bundles import MemoryTree


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("r/*.yml", "r/a.yml", True),
        ("r/*.yml", "r/b/a.yml", False),
        ("r/**/*.yml", "r/b/a.yml", True),
        ("r/**/*.yml", "r/a.yml", False),
        ("r/?.yml", "r/a.yml", True),
        ("r/?.yml", "r/ab.yml", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[!a-c]x", "dx", True),
        ("[ab-]x", "-x", True),
        ("a*b*c", "axxbxxc", True),
        ("a*b*c", "axxbxx", False),
        ("*", "", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("[x", "[x", True),
    ],
)
def test_a_pattern_matches_inside_segments(pattern: str, path: str, matches: bool) -> None:
    assert Pattern(pattern).matches(path) is matches


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=8))
def test_one_segment_matches_like_the_shell(pattern: str, name: str) -> None:
    assert Pattern(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


def test_many_stars_cost_little() -> None:
    started = time.monotonic()
    assert not Pattern("*a" * 50).matches("a" * 5000 + "b")
    assert time.monotonic() - started < 20


def test_paths_are_cleaned_and_told_apart() -> None:
    assert join("a/b", "../c//d/.") == "a/c/d"
    assert join("a", "..") == ""
    assert leaves(join("a", "../../x"))
    assert leaves(join("", "/etc"))
    assert relative_to("a/b", "a") == "b"
    assert relative_to("a", "a/b") == ".."
    assert relative_to("x/y", "a/b") == "../../x/y"
    assert relative_to("", "") == "."


def view() -> TreeView:
    return TreeView(
        MemoryTree(
            {
                "a/x.py": "1",
                "b/Y.py": "1",
                "n.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4}',
                "big": "version https://git-lfs.github.com/spec/v1\n",
            },
            links={"l": "a", "l2": "l", "a/up": "../b/Y.py", "out": "../etc", "dead": "none", "o": "p", "p": "o"},
            submodules=["sub"],
        )
    )


@pytest.mark.parametrize(
    ("path", "kind", "real"),
    [
        ("a/x.py", "file", "a/x.py"),
        ("a", "directory", "a"),
        ("no", "missing", "no"),
        ("l/x.py", "file", "a/x.py"),
        ("l2/x.py", "file", "a/x.py"),
        ("a/up", "file", "b/Y.py"),
        ("out/passwd", "outside", "out/passwd"),
        ("dead", "missing", "none"),
        ("o", "loop", "p"),
        ("sub/x", "submodule", "sub/x"),
    ],
)
def test_links_are_followed_inside_the_tree_only(path: str, kind: str, real: str) -> None:
    found = view().find(path)
    assert (found.kind, found.path if kind != "loop" else "p") == (kind, real)


def test_what_a_file_is() -> None:
    assert view().similar("b/y.py") == "b/Y.py"
    assert view().similar("b/Y.py") is None
    assert view().is_notebook("n.ipynb")
    assert not view().is_notebook("a/x.py")
    assert view().is_lfs_pointer("big")
