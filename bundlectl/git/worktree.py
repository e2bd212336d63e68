"""The working tree as a source tree: what is on disk now, dirty paths included, and the id of exactly that tree.

Opened by trees.open_tree. Nothing of the repository runs: stat data is compared here, doubtful files are hashed here
without filters, and the tree's id is computed here, so that looking writes no object and refreshes no index.
"""

import os
import stat
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from bundlectl.base.digest import git_blob_id
from bundlectl.git.beneath import MOST_LOOKED_AT, Beneath
from bundlectl.git.index_file import Index, IndexEntry, UnreadableIndex, read_index
from bundlectl.git.objects import blob_sizes, build_tree, cat_file_batch, ls_tree, replace_nodes
from bundlectl.git.pack import TreeNode
from bundlectl.git.repository import Repository
from bundlectl.model.errors import RepositoryError
from bundlectl.model.source import Revision, TreeEntry

# A file may be written again within one tick of the file system's clock without its time moving. Entries this close
# to the time at which the index was written are hashed.
_RACY_NS = 20_000_000

_MODES = {0o100644: "100644", 0o100755: "100755", 0o120000: "120000", 0o160000: "160000"}
# Mode in the index -> kind and execute bit on disk. A submodule is a folder, and never certain by this.
_KINDS = {0o100644: 0o100000, 0o100755: 0o100100, 0o120000: 0o120100}
_FILE_SYSTEM = "BND623"


class Changes(NamedTuple):
    """How the disk differs from the index: path -> entry on disk, None when nothing readable is there."""

    tracked: dict[str, TreeEntry | None]
    added: dict[str, TreeEntry]  # not in the index, not ignored; or in a merge conflict


class WorkingTree:
    """Files on disk that git tracks or would add. Unchanged ones are read from their blobs, the others from disk.

    `without`: untracked paths that are not looked at.
    """

    def __init__(self, repository: Repository, without: Collection[str] = ()) -> None:
        self._repository = repository
        untracked = _Untracked(repository)
        self._index = _index(repository)
        with Beneath(repository.top) as disk:
            changes = _Scan(repository, disk).changes(self._index, untracked)
        added = {path: entry for path, entry in changes.added.items() if path not in without}
        self._changes = changes._replace(added=added)
        self._entries: dict[str, TreeEntry] | None = None
        self._revision = self._describe()

    @property
    def revision(self) -> Revision:
        return self._revision

    @property
    def label(self) -> str:
        return "working tree"

    def list(self) -> Mapping[str, TreeEntry]:
        if self._entries is None:
            entries = {entry.path: TreeEntry(_MODES[entry.mode], entry.blob) for entry in self._index.entries}
            tracked, added = self._changes
            for path, found in tracked.items():
                if found is None:
                    entries.pop(path, None)
                else:
                    entries[path] = found
            if added:
                entries.update(added)
                entries = dict(sorted(entries.items(), key=lambda pair: _bytes(pair[0])))
            self._entries = entries
        return self._entries

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """Contents by path. Raises KeyError, and RepositoryError when a file changed since the tree was opened."""
        entries = self.list()
        wanted = {path: entries[path] for path in paths}
        on_disk = {path: entry for path, entry in wanted.items() if self._is_on_disk(path)}
        blobs = cat_file_batch(
            self._repository.git, (entry.blob for path, entry in wanted.items() if path not in on_disk)
        )
        contents = self._read_disk(on_disk)
        return {path: contents[path] if path in contents else blobs[entry.blob] for path, entry in wanted.items()}

    def blobs(self, ids: Iterable[str]) -> Mapping[str, bytes]:
        """Contents by blob id, from disk where only the disk has them. Raises RepositoryError."""
        unstored = self.unstored()
        wanted = list(ids)
        paths = {blob: unstored[blob] for blob in wanted if blob in unstored}
        contents = self.read(paths.values())
        stored = cat_file_batch(self._repository.git, (blob for blob in wanted if blob not in paths))
        return {**stored, **{blob: contents[path] for blob, path in paths.items()}}

    def sizes(self, paths: Iterable[str]) -> dict[str, int]:
        """Bytes by blob id. Raises KeyError, RepositoryError."""
        entries, sizes, stored = self.list(), {}, []
        with Beneath(self._repository.top) as disk:
            for path in paths:
                status = disk.status(path) if self._is_on_disk(path) else None
                if status is not None:
                    sizes[entries[path].blob] = status.st_size
                else:
                    stored.append(entries[path].blob)
        return {**blob_sizes(self._repository.git, stored), **sizes}

    def unstored(self) -> Mapping[str, str]:
        """Blob id -> path, for contents that perhaps only the disk has."""
        found = {path: entry for path, entry in self._changes.tracked.items() if entry is not None}
        return {entry.blob: path for path, entry in {**found, **self._changes.added}.items()}

    def exists_in_working_tree(self, path: str) -> bool:
        with Beneath(self._repository.top) as disk:
            return disk.status(path) is not None

    def only_on_disk(self, folder: str) -> Iterable[str]:
        with Beneath(self._repository.top) as disk:
            return [path for path in disk.files(folder, MOST_LOOKED_AT) if path not in self.list()]

    def _is_on_disk(self, path: str) -> bool:
        return path in self._changes.added or path in self._changes.tracked

    def _read_disk(self, wanted: Mapping[str, TreeEntry]) -> dict[str, bytes]:
        if not wanted:
            return {}
        contents: dict[str, bytes] = {}
        with Beneath(self._repository.top) as disk:
            for path, entry in wanted.items():
                try:
                    data = disk.read(path)
                except OSError as error:
                    raise _unreadable(path, error) from error
                if git_blob_id(data, algorithm=self._repository.algorithm) != entry.blob:
                    raise _changed(path)
                contents[path] = data
        return contents

    def _describe(self) -> Revision:
        repository = self._repository
        dirty = self._dirty()
        return Revision(
            commit=repository.head_commit,
            tree=self._tree_id() if dirty or repository.head_tree is None else repository.head_tree,
            ref=repository.head_ref,
            remote=repository.origin_url(),
            dirty=dirty,
            working_tree=True,
        )

    def _is_index_head(self) -> bool:
        head_tree = self._repository.head_tree
        return head_tree is not None and self._index.root_tree == head_tree and not self._index.unsettled

    def _tree_id(self) -> str:
        """The id that `git write-tree` would give all of this. Nothing is written for it."""
        repository = self._repository
        tracked, added = self._changes
        changed = {**tracked, **added}
        if self._is_index_head() and not any("\n" in path for path in changed):
            nodes = {path: TreeNode(*entry) if entry else None for path, entry in changed.items()}
            return replace_nodes(repository.git, repository.head_tree, nodes, repository.algorithm)[0]
        return build_tree(self.list(), repository.algorithm)[0]

    def _dirty(self) -> tuple[str, ...]:
        """Paths at which disk and HEAD differ, staged or not."""
        repository = self._repository
        if self._is_index_head():
            return tuple(sorted((*self._changes.tracked, *self._changes.added), key=_bytes))
        head = ls_tree(repository.git, repository.head_tree) if repository.head_tree else {}
        now = self.list()
        differing = [path for path, entry in now.items() if head.get(path) != entry]
        differing += [path for path in head if path not in now]
        return tuple(sorted(differing, key=_bytes))


class _Scan:
    """One walk over the index entries, folder by folder."""

    def __init__(self, repository: Repository, disk: Beneath) -> None:
        self._repository = repository
        self._disk = disk
        self._algorithm = repository.algorithm

    def changes(self, index: Index, untracked: "_Untracked") -> Changes:
        tracked: dict[str, TreeEntry | None] = {}
        for entry, status in self._doubtful(index):
            if status is None:
                if entry.path not in index.skipped:
                    tracked[entry.path] = None
                continue
            found = self._entry(entry.path, status, entry)
            if found is None or found != (_MODES[entry.mode], entry.blob):
                tracked[entry.path] = found
        added: dict[str, TreeEntry] = {}
        for path in (*index.unsettled, *untracked.paths()):
            status = self._disk.status(path)
            found = self._entry(path, status, None) if status is not None else None
            if found is not None:
                added[path] = found
        return Changes(tracked, added)

    def _doubtful(self, index: Index) -> Iterator[tuple[IndexEntry, os.stat_result | None]]:
        """Entries whose stat data does not say for certain that they are what the index says.

        The one loop over every file, so it calls nothing that it can do without.
        """
        racy_ns = index.mtime_ns - _RACY_NS
        folder, descriptor, stat_of = "/", -1, os.stat
        for entry in index.entries:
            path, fields = entry
            head, _, name = path.rpartition("/")
            if head != folder:
                folder, descriptor = head, self._folder(head)
            if descriptor < 0:
                yield entry, None
                continue
            try:
                now = stat_of(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                yield entry, None
                continue
            except OSError as error:
                raise _unreadable(path, error) from error
            mtime = fields[2] * 1_000_000_000 + fields[3]
            if (
                now.st_mtime_ns != mtime
                or mtime >= racy_ns
                or now.st_ctime_ns != fields[0] * 1_000_000_000 + fields[1]
                or now.st_size & 0xFFFFFFFF != fields[9]
                or now.st_ino & 0xFFFFFFFF != fields[5]
                or now.st_mode & 0o170100 != _KINDS.get(fields[6])
                or now.st_uid != fields[7]
                or now.st_gid != fields[8]
            ):
                yield entry, now

    def _folder(self, path: str) -> int:
        """Descriptor of a folder, -1 when it is missing or a link: nothing is below it then."""
        try:
            return self._disk.folder(path)
        except PermissionError as error:
            raise _unreadable(path, error) from error
        except OSError:
            return -1

    def _entry(self, path: str, status: os.stat_result, known: IndexEntry | None) -> TreeEntry | None:
        """What a path on disk would be in a tree; None for a folder, a pipe, a socket or a device."""
        try:
            if stat.S_ISLNK(status.st_mode):
                return TreeEntry("120000", self._disk.link_id(path, self._algorithm))
            if stat.S_ISREG(status.st_mode):
                return TreeEntry(self._mode(status, known), self._disk.blob_id(path, self._algorithm))
        except BlockingIOError as error:
            raise _changed(path) from error
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        if stat.S_ISDIR(status.st_mode) and known is not None and known.mode == 0o160000:
            return TreeEntry("160000", known.blob)  # a submodule's own files are not read
        return None

    def _mode(self, status: os.stat_result, known: IndexEntry | None) -> str:
        mode = "100755" if status.st_mode & 0o100 else "100644"
        if known is None or _MODES[known.mode] == mode:
            return mode
        # Only where they differ is it worth asking whether this file system can tell.
        if known.mode == 0o120000:
            return mode if self._repository.setting("core.symlinks", default=True) else "120000"
        return mode if self._repository.setting("core.fileMode", default=True) else _MODES[known.mode]


class _Untracked:
    """Paths that git would add, listed by a process that runs while the index is compared.

    Only the `.gitignore` files of the tree count: what this machine ignores besides must not change the tree.
    """

    def __init__(self, repository: Repository) -> None:
        self._git = repository.git
        self._result: bytes | RepositoryError = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._git.run(["ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"])
        except RepositoryError as error:
            self._result = error

    def paths(self) -> list[str]:
        """Files and links. A repository inside this one is shown with a slash at its end, and is not ours to read."""
        self._thread.join()
        if isinstance(self._result, RepositoryError):
            raise self._result
        names = self._result.decode("utf-8", "surrogateescape").split("\0")
        return [name for name in names if name and not name.endswith("/")]


def _index(repository: Repository) -> Index:
    try:
        return read_index(repository.private_dir / "index", repository.algorithm)
    except UnreadableIndex:
        return _listed_index(repository)


def _listed_index(repository: Repository) -> Index:
    """The index as git lists it: without stat data, so that every file is hashed."""
    text = repository.git.run(["ls-files", "-z", "--stage"]).decode("utf-8", "surrogateescape")
    flagged = repository.git.run(["ls-files", "-z", "-t"]).decode("utf-8", "surrogateescape")
    skipped = frozenset(line[2:] for line in flagged.split("\0") if line.startswith("S "))
    entries: list[IndexEntry] = []
    unsettled: list[str] = []
    for line in text.split("\0"):
        if line:
            meta, _, path = line.partition("\t")
            mode, blob, stage = meta.split(" ")
            if stage != "0":
                unsettled.append(path)
            else:
                entries.append(IndexEntry(path, (0, 0, 0, 0, 0, 0, int(mode, 8), 0, 0, 0, bytes.fromhex(blob), 0)))
    return Index(entries, skipped, tuple(dict.fromkeys(unsettled)))


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _unreadable(path: str, error: OSError) -> RepositoryError:
    return RepositoryError(
        f'cannot read "{path}" in the working tree: {error.strerror or error}',
        code=_FILE_SYSTEM,
        hint="make it readable, or have .gitignore leave it out",
    )


def _changed(path: str) -> RepositoryError:
    return RepositoryError(f'"{path}" changed while it was being read', code=_FILE_SYSTEM, hint="run the command again")
