"""Questions about paths of a source tree: what is there, what a link leads to, which file matches an include pattern.

Called by the loading steps. Asks the SourceTree for its listing once and for contents in batches; touches no disk.
"""

import functools
import json
import posixpath
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bundlectl.model.source import SourceTree, TreeEntry

LINK, SUBMODULE = "120000", "160000"
_LFS = b"version https://git-lfs.github.com/spec/v1"
_NOTEBOOK_HEADS = {
    ".py": b"# Databricks notebook source",
    ".r": b"# Databricks notebook source",
    ".scala": b"// Databricks notebook source",
    ".sql": b"-- Databricks notebook source",
}
_OLDEST_JUPYTER = 4  # nbformat
NOTEBOOK_EXTENSIONS = (".py", ".r", ".scala", ".sql", ".ipynb")


class Found(NamedTuple):
    """What stands at a path. `kind`: file, directory, missing, outside (a link out of the tree), loop, submodule."""

    kind: str
    path: str  # where it really is, links followed
    text: str = ""  # target of a link, or name of the submodule
    via_link: bool = False


def join(folder: str, relative: str) -> str:
    """A path from the top of the tree, cleaned; starts with `..` when it leaves the tree. The top itself is ""."""
    path = posixpath.normpath(posixpath.join(folder, relative))
    return "" if path == "." else path


def leaves(path: str) -> bool:
    """Whether a cleaned path leads out of its base."""
    return path == ".." or path.startswith(("../", "/"))


def folder_of(path: str) -> str:
    """The folder that holds a path; "" for the top."""
    return path.rpartition("/")[0]


def below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or something in it."""
    return not folder or path == folder or path.startswith(folder + "/")


def relative_to(path: str, folder: str) -> str:
    """`path` as seen from `folder`, both from the top of the tree; may climb. "." for the folder itself."""
    if not folder:
        return path or "."
    if path.startswith(folder + "/"):
        return path[len(folder) + 1 :]
    return posixpath.relpath("/" + path, "/" + folder)


class TreeView:
    """The listing of a tree with what the loader wants to know about it."""

    def __init__(self, tree: SourceTree) -> None:
        self.tree = tree
        self._contents: dict[str, bytes] = {}

    @functools.cached_property
    def entries(self) -> Mapping[str, TreeEntry]:
        """Every path of the tree."""
        return self.tree.list()

    @functools.cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds something; "" is the top."""
        found = {""}
        for path in self.entries:
            folder = folder_of(path)
            while folder not in found:
                found.add(folder)
                folder = folder_of(folder)
        return frozenset(found)

    @functools.cached_property
    def _folded(self) -> Mapping[str, str]:
        return {_fold(path): path for path in sorted({*self.entries, *self.folders}, reverse=True)}

    @functools.cached_property
    def _has_odd_entries(self) -> bool:
        return any(entry.mode in (LINK, SUBMODULE) for entry in self.entries.values())

    def similar(self, path: str) -> str | None:
        """A path of the tree that differs from `path` only by case or Unicode form."""
        found = self._folded.get(_fold(path))
        return found if found is not None and found != path else None

    def find(self, path: str) -> Found:
        """What stands at a cleaned path, links inside the tree followed."""
        entry = self.entries.get(path)
        if entry is not None and entry.mode not in (LINK, SUBMODULE):
            return Found("file", path)
        if entry is None and path in self.folders:
            return Found("directory", path)
        return self._follow(path) if self._has_odd_entries else Found("missing", path)

    def _follow(self, path: str) -> Found:
        seen: set[str] = set()
        via_link = False
        while True:
            holder = self._odd_prefix(path)
            if holder is None:
                kind = "file" if path in self.entries else "directory" if path in self.folders else "missing"
                return Found(kind, path, via_link=via_link)
            if self.entries[holder].mode == SUBMODULE:
                return Found("submodule", path, holder)
            target = self.read(holder).decode("utf-8", "replace")
            if holder in seen:
                return Found("loop", path, target)
            seen.add(holder)
            via_link = True
            rest = path[len(holder) :].lstrip("/")
            moved = join(folder_of(holder), target)
            if leaves(moved):
                return Found("outside", path, target)
            path = join(moved, rest) if rest else moved

    def _odd_prefix(self, path: str) -> str | None:
        """The first part of a path that is a link or a submodule."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            prefix = "/".join(parts[:count])
            entry = self.entries.get(prefix)
            if entry is not None and entry.mode in (LINK, SUBMODULE):
                return prefix
        return None

    def prefetch(self, paths: Iterable[str]) -> None:
        """Reads contents in one batch, so that `read` finds them."""
        wanted = [path for path in dict.fromkeys(paths) if path in self.entries and path not in self._contents]
        wanted = [path for path in wanted if self.entries[path].mode != SUBMODULE]
        if wanted:
            self._contents.update(self.tree.read(wanted))

    def read(self, path: str) -> bytes:
        """Content of a file, or the target of a link. Raises KeyError."""
        if path not in self._contents:
            self._contents.update(self.tree.read([path]))
        return self._contents[path]

    def is_lfs_pointer(self, path: str) -> bool:
        """Whether a file holds a Git LFS pointer and not its content."""
        return self.read(path).startswith(_LFS)

    def is_notebook(self, path: str) -> bool:
        """Whether a file is a notebook: by its first line, or by being one of Jupyter's."""
        extension = posixpath.splitext(path)[1].lower()
        if extension == ".ipynb":
            return _is_jupyter(self.read(path))
        head = _NOTEBOOK_HEADS.get(extension)
        return head is not None and self.read(path).split(b"\n", 1)[0].removesuffix(b"\r") == head


def _is_jupyter(data: bytes) -> bool:
    """Whether a file is a notebook of Jupyter's, of format 4 or later."""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        return False
    if not isinstance(notebook, dict) or "cells" not in notebook or "metadata" not in notebook:
        return False
    form = notebook.get("nbformat")
    return isinstance(form, int) and form >= _OLDEST_JUPYTER


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold() if not path.isascii() else path.lower()


class Pattern:
    """A glob over paths of the tree: `*`, `?`, `[a-z]`, `[^a]`, each inside one segment; never exponential."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._segments = text.split("/")
        self.is_literal = not any(_is_glob(segment) for segment in self._segments)
        plain: list[str] = []
        for segment in self._segments[:-1]:
            if _is_glob(segment):
                break
            plain.append(segment)
        self._prefix = "/".join(plain) + "/" if plain else ""
        self._tokens = [_tokens(segment) for segment in self._segments]
        # `resources/*.yml`, as nearly every pattern is: a prefix and an ending say it all.
        last = self._tokens[-1]
        simple = len(plain) == len(self._segments) - 1 and last[:1] == (_STAR,) and _is_text(last[1:])
        self._ending = "".join(token[1] for token in last[1:] if isinstance(token, str)) if simple else None

    def matches(self, path: str) -> bool:
        """Whether a path of the tree matches, segment by segment."""
        if not path.startswith(self._prefix) or path.count("/") != len(self._segments) - 1:
            return False
        if self._ending is not None:
            return path.endswith(self._ending, len(self._prefix))
        rest = path[len(self._prefix) :].split("/")
        tokens = self._tokens[len(self._tokens) - len(rest) :]
        return all(_segment_matches(token, part) for token, part in zip(tokens, rest, strict=True))

    def select(self, paths: Iterable[str]) -> list[str]:
        """The paths that match, sorted bytewise."""
        return sorted((path for path in paths if self.matches(path)), key=lambda path: path.encode("utf-8", "replace"))


_STAR, _ANY = "*", "?"
_Token = str | tuple[bool, tuple[tuple[str, str], ...]]  # one sign of text comes as "=x"


def _is_glob(segment: str) -> bool:
    return any(sign in segment for sign in "*?[")


def _is_text(tokens: "tuple[_Token, ...]") -> bool:
    return all(isinstance(token, str) and token.startswith("=") for token in tokens)


@functools.lru_cache(maxsize=256)
def _tokens(segment: str) -> tuple[_Token, ...]:
    found: list[_Token] = []
    at = 0
    while at < len(segment):
        sign = segment[at]
        at += 1
        if sign == "*":
            if not found or found[-1] != _STAR:
                found.append(_STAR)
        elif sign == "?":
            found.append(_ANY)
        elif sign == "[" and "]" in segment[at + 1 :]:
            end = segment.index("]", at + 1)
            body = segment[at:end]
            at = end + 1
            negated = body[:1] in ("^", "!")
            found.append((negated, _ranges(body[1:] if negated else body)))
        elif sign == "\\" and at < len(segment):
            found.append("=" + segment[at])
            at += 1
        else:
            found.append("=" + sign)
    return tuple(found)


def _ranges(body: str) -> tuple[tuple[str, str], ...]:
    ranges = []
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            ranges.append((body[at], body[at + 2]))
            at += 3
        else:
            ranges.append((body[at], body[at]))
            at += 1
    return tuple(ranges)


def _fits(token: _Token, sign: str) -> bool:
    if isinstance(token, tuple):
        negated, ranges = token
        return any(low <= sign <= high for low, high in ranges) is not negated
    return token == _ANY or token[1:] == sign


def _segment_matches(tokens: tuple[_Token, ...], name: str) -> bool:
    """Goes back to the last star only, so the work is at most the product of both lengths."""
    at = index = 0
    star, resume = -1, 0
    while index < len(name):
        if at < len(tokens) and tokens[at] == _STAR:
            star, resume = at, index
            at += 1
        elif at < len(tokens) and _fits(tokens[at], name[index]):
            at += 1
            index += 1
        elif star >= 0:
            resume += 1
            at, index = star + 1, resume
        else:
            return False
    return all(token == _STAR for token in tokens[at:])
