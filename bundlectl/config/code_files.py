"""The synced files of a tree, by the rules of its bundle, and why a file is not among them.

Made by config.translate and config.incremental, read wherever a path of a job is checked. Reads no file but .gitignore.
"""

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from bundlectl.config.ignore import IgnoreFiles, Match, Patterns
from bundlectl.config.tree_view import LINK, SUBMODULE, TreeView, below, join

_NEVER = (".git", ".databricks", ".bundlectl")


class SyncRules(NamedTuple):
    """What decides which files go along. Everything relative to the sync root."""

    root: str
    paths: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]


class SyncedFiles:
    """Paths of the tree that go along."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        self._set = frozenset(self.files)

    def __contains__(self, path: str) -> bool:
        return path in self._set

    def holds_folder(self, folder: str) -> bool:
        """Whether a synced file lies in a folder."""
        prefix = folder + "/" if folder else ""
        return any(path.startswith(prefix) for path in self.files)


class CodeFiles(SyncedFiles):
    """The synced files of a tree, and why a file is not among them."""

    def __init__(self, view: TreeView, rules: SyncRules, bundle_files: Sequence[str]) -> None:
        self._view = view
        self._rules = rules
        self._bundle_files = frozenset(bundle_files)
        ignore_paths = find_ignore_files(view)
        view.prefetch(ignore_paths)
        self.ignore_files = tuple(ignore_paths)
        self._ignore = IgnoreFiles({path: view.read(path) for path in ignore_paths})
        self._include = Patterns(rules.include)
        self._exclude = Patterns(rules.exclude)
        self._folders = tuple(join(rules.root, path) for path in rules.paths)
        super().__init__(self._select())

    def _select(self) -> list[str]:
        root, prefix = self._rules.root, len(self._rules.root) + 1 if self._rules.root else 0
        everything = self._folders == (root,)
        bundle_files, brings_back = self._bundle_files, bool(self._rules.include)
        kept = []
        for path, entry in self._view.entries.items():
            if path in bundle_files and not brings_back:
                continue  # of a large bundle nearly all files
            if entry.mode == SUBMODULE or (prefix and not path.startswith(root + "/")):
                continue
            if (path[0] == "." or "/." in path) and _is_never(path):
                continue
            relative = path[prefix:]
            taken = (
                path not in bundle_files
                and (everything or any(below(path, folder) for folder in self._folders))
                and self._ignore.ignoring(path) is None
            )
            if not taken and brings_back:
                taken = self._include.takes(relative)
            if taken and self._rules.exclude and self._exclude.takes(relative):
                taken = False
            if taken:
                kept.append(path)
        return kept

    def is_for(self, view: TreeView, rules: SyncRules, bundle_files: Sequence[str]) -> bool:
        """Whether these are the files that such rules would give."""
        same = self._view is view and self._rules == rules
        return same and len(self._bundle_files) == len(bundle_files) and self._bundle_files.issuperset(bundle_files)

    def why_not(self, path: str) -> str:
        """Why a file of the tree is not synced, for a message."""
        root = self._rules.root
        if not below(path, root):
            return "outside the sync root"
        if self._exclude.takes(path[len(root) + 1 if root else 0 :]):
            return "excluded by sync.exclude"
        if path in self._bundle_files:
            return "it is a file of the bundle's configuration"
        match = self._ignore.ignoring(path)
        if match is not None:
            return f"ignored by {match.file}:{match.line}"
        return "not below sync.paths"

    def ignored(self, path: str) -> Match | None:
        """What of git's rules leaves a file out."""
        return self._ignore.ignoring(path)


def find_ignore_files(view: TreeView) -> list[str]:
    """Every `.gitignore` of a tree that is a file."""
    return [
        path
        for path, entry in view.entries.items()
        if path.endswith(".gitignore")
        and posixpath.basename(path) == ".gitignore"
        and entry.mode not in (LINK, SUBMODULE)
    ]


def _is_never(path: str) -> bool:
    return any(part in _NEVER for part in path.split("/"))
