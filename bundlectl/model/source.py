"""What was read: a revision of a git tree, the protocol to read its files, and the snapshot of its code.

Implemented by git.trees, used by config.loader and operations. Paths are POSIX, relative to the top of the tree.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# Folder below workspace.root_path that holds published snapshots, one folder per digest.
SNAPSHOT_FOLDER = ".bundlectl/snapshots"
_SNAPSHOT_PATH = re.compile(r"(?P<root>/.*)/\.bundlectl/snapshots/(?P<hex>[0-9a-f]{64})(?:/(?P<rest>.*))?")


class TreeEntry(NamedTuple):
    """One name in a tree: git's mode (100644, 100755, 120000 link, 160000 submodule) and blob id."""

    mode: str
    blob: str


@dataclass(frozen=True, kw_only=True)
class Revision:
    """Exactly what was read. Dirty is recorded, never hidden."""

    commit: str | None  # full id; None for a repository without a commit, or outside git
    tree: str | None  # git id of the tree as read, also when dirty; None outside git
    ref: str | None = None  # refs/heads/main; None when detached
    remote: str | None = None  # URL of origin without user, password and query
    dirty: tuple[str, ...] = ()  # changed, removed and untracked paths, sorted; empty for a commit
    commit_time: int | None = None  # seconds since 1970, of the commit
    working_tree: bool = False  # True when files were read from disk

    @property
    def branch(self) -> str | None:
        """Name of the branch that was read."""
        return self.ref.removeprefix("refs/heads/") if self.ref and self.ref.startswith("refs/heads/") else None


class SourceTree(Protocol):
    """Files of one tree. Reading starts nothing but git plumbing (D2)."""

    @property
    def revision(self) -> Revision: ...

    @property
    def label(self) -> str:
        """For messages: `commit 1a2b3c4` or `working tree`."""
        ...

    def list(self) -> Mapping[str, TreeEntry]:
        """Every path that is not ignored, sorted by path bytes. Listed once, then kept."""
        ...

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """Contents of blobs, in one batch. For a link (mode 120000) the text of its target. Raises KeyError."""
        ...

    def exists_in_working_tree(self, path: str) -> bool:
        """Whether a file of that name is on disk, for the message "exists in the working tree, not in the commit"."""
        ...

    def only_on_disk(self, folder: str) -> Iterable[str]:
        """Files on disk below a folder that are not part of the tree, for messages; not all when there are many."""
        ...


class SnapshotFile(NamedTuple):
    """One file of a snapshot. `path` is relative to the sync root; `sha256` has 64 hex digits."""

    path: str
    mode: str  # 100644 or 100755
    sha256: str
    blob: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The code of a deployment: the synced files, addressed by digest, written once."""

    digest: str  # sha256:<hex> over mode, content digest and path of each file (provenance)
    files: tuple[SnapshotFile, ...]  # sorted by path bytes

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def snapshot_path(root_path: str, digest: str) -> str:
    """Workspace path of a published snapshot: `<root_path>/.bundlectl/snapshots/<hex>`."""
    return f"{root_path}/{SNAPSHOT_FOLDER}/{digest.removeprefix('sha256:')}"


class SnapshotPath(NamedTuple):
    """A workspace path inside a published snapshot, taken apart."""

    root_path: str
    digest: str
    rest: str  # path below the snapshot; empty for the folder itself


def split_snapshot_path(path: str) -> SnapshotPath | None:
    """The parts of a path that snapshot_path made, or None for any other path."""
    match = _SNAPSHOT_PATH.fullmatch(path)
    return SnapshotPath(match["root"], "sha256:" + match["hex"], match["rest"] or "") if match else None
