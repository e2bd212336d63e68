"""Gitignore patterns over paths of a tree: one list of patterns, and the `.gitignore` files of a tree taken together.

Called by config.sync. The only module that knows pathspec; it is imported when there is a pattern to look at.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.config.tree_view import folder_of

_LONGEST_PATTERN = 4096


class Match(NamedTuple):
    """What decided about a path: whether it is ignored, and by which line (from 1) of which file."""

    ignored: bool
    file: str
    line: int


class Patterns:
    """One list of gitignore patterns. Paths are relative to the place of the list."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [line if len(line) <= _LONGEST_PATTERN else "" for line in lines]
        self._numbers = [number for number, line in enumerate(self._lines, 1) if line]  # pathspec skips empty ones

    @functools.cached_property
    def _spec(self) -> Any:
        from pathspec import GitIgnoreSpec

        return GitIgnoreSpec.from_lines(self._lines)

    @functools.cached_property
    def _any(self) -> "re.Pattern[str] | None":
        """All patterns in one: most paths match none, and one search says so."""
        bodies = [pattern.regex.pattern for pattern in self._spec.patterns if pattern.regex is not None]
        if not bodies:
            return None
        # Names of groups would be there twice.
        return re.compile("|".join(f"(?:{re.sub(r'[(][?]P<[^>]+>', '(?:', body)})" for body in bodies))

    def check(self, path: str) -> tuple[bool, int] | None:
        """Whether the last pattern that names the path takes it, and its line (from 1); None when none does.

        A folder is written with a slash at its end. What a pattern does to a folder above is not looked at: whoever
        walks down decides that first, as git does.
        """
        if self._any is None or self._any.match(path) is None:
            return None
        for number, pattern in zip(reversed(self._numbers), reversed(self._spec.patterns), strict=True):
            if pattern.include is not None and _names(pattern.regex, path):
                return bool(pattern.include), number
        return None

    def takes(self, path: str) -> bool:
        """Whether the list as a whole takes the path, or a folder that it is in."""
        if self._any is None or self._any.match(path) is None:
            return False
        return bool(self._spec.check_file(path).include)


def _names(regex: "re.Pattern[str]", path: str) -> bool:
    """Whether a pattern names this very path, and not a folder above it, or only what is inside it (`d/**`)."""
    match = regex.match(path)
    if match is None:
        return False
    if "ps_d" in regex.groupindex:
        return match.start("ps_d") in (-1, len(path) - 1)
    return not (path.endswith("/") and match.end() == len(path))


class IgnoreFiles:
    """The `.gitignore` files of a tree, each for its folder; a deeper one decides before a higher one."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        """`contents`: path of each `.gitignore` -> what it holds."""
        self._patterns: dict[str, Patterns] = {}
        for path, data in contents.items():
            lines = data.decode("utf-8", "replace").splitlines()
            if any(line.strip() and not line.startswith("#") for line in lines):
                self._patterns[folder_of(path)] = Patterns(lines)
        self._folders: dict[str, Match | None] = {"": None}

    def ignoring(self, path: str) -> Match | None:
        """What ignores a file, or None when nothing does."""
        if not self._patterns:
            return None
        inherited = self._folder(folder_of(path))
        if inherited is not None:
            return inherited
        match = self._decide(path, path)
        return match if match is not None and match.ignored else None

    def _folder(self, folder: str) -> Match | None:
        """What ignores a folder: nothing below it can be brought back by a pattern of git's."""
        if folder in self._folders:
            return self._folders[folder]
        found = self._folder(folder_of(folder))
        if found is None:
            match = self._decide(folder, folder + "/")
            found = match if match is not None and match.ignored else None
        self._folders[folder] = found
        return found

    def _decide(self, path: str, written: str) -> Match | None:
        folder = folder_of(path)
        while True:
            patterns = self._patterns.get(folder)
            if patterns is not None:
                found = patterns.check(written[len(folder) + 1 :] if folder else written)
                if found is not None:
                    file = f"{folder}/.gitignore" if folder else ".gitignore"
                    return Match(found[0], file, found[1])
            if not folder:
                return None
            folder = folder_of(folder)
