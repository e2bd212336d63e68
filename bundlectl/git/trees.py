"""The kinds of source tree: of a commit, of the working tree, of a folder outside git. Chosen by `open_tree`.

Called by operations. What a tree means to a bundle is config's business; what a dirty tree is, worktree's.
"""

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from bundlectl.git.beneath import MOST_LOOKED_AT, Beneath
from bundlectl.git.objects import blob_sizes, cat_file_batch, commit_info, ls_tree
from bundlectl.git.repository import Repository, no_commit
from bundlectl.git.worktree import WorkingTree
from bundlectl.model.errors import InputError, RepositoryError
from bundlectl.model.source import Revision, SourceTree, TreeEntry

# A folder outside git has no ignore rules: without a bound, a bundle in a home folder would list all of it.
_MAX_ENTRIES = 200_000


class CommitTree:
    """Files of one commit. Opening lists and reads none of them."""

    def __init__(self, repository: Repository, commit: str, tree: str, ref: str | None) -> None:
        self._repository = repository
        self._entries: dict[str, TreeEntry] | None = None
        self._revision = Revision(commit=commit, tree=tree, ref=ref, remote=repository.origin_url())

    @property
    def revision(self) -> Revision:
        return self._revision

    @property
    def label(self) -> str:
        return f"commit {(self._revision.commit or '')[:7]}"

    def list(self) -> Mapping[str, TreeEntry]:
        if self._entries is None:
            assert self._revision.tree is not None
            self._entries = ls_tree(self._repository.git, self._revision.tree)
        return self._entries

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        entries = self.list()
        wanted = {path: entries[path].blob for path in paths}
        blobs = cat_file_batch(self._repository.git, wanted.values())
        return {path: blobs[blob] for path, blob in wanted.items()}

    def blobs(self, ids: Iterable[str]) -> Mapping[str, bytes]:
        """Contents by blob id. Raises RepositoryError."""
        return cat_file_batch(self._repository.git, ids)

    def sizes(self, paths: Iterable[str]) -> dict[str, int]:
        """Bytes by blob id, without contents. Raises KeyError, RepositoryError."""
        entries = self.list()
        return blob_sizes(self._repository.git, (entries[path].blob for path in paths))

    def exists_in_working_tree(self, path: str) -> bool:
        if self._repository.bare:
            return False
        with Beneath(self._repository.top) as disk:
            return disk.status(path) is not None

    def only_on_disk(self, folder: str) -> Iterable[str]:
        if self._repository.bare:
            return ()
        with Beneath(self._repository.top) as disk:
            return [path for path in disk.files(folder, MOST_LOOKED_AT) if path not in self.list()]


class FolderTree:
    """Files of a folder outside git: enough to validate a bundle, not to deploy it.

    Nothing has a blob id here; an entry's `blob` is `stat:` and what changes when the file does. Links are listed,
    never followed; other files, and git's own folder, are left out. `parts` are the folders that belong to it, each
    with how many levels; None stands for all. It is all of `path` when there are none.
    """

    def __init__(self, path: Path, parts: Mapping[str, int | None] | None = None) -> None:
        self._path = path
        self._parts = parts or {"": None}
        self._entries: dict[str, TreeEntry] | None = None

    @property
    def revision(self) -> Revision:
        return Revision(commit=None, tree=None, working_tree=True)

    @property
    def label(self) -> str:
        return "folder"

    def list(self) -> Mapping[str, TreeEntry]:
        """Raises InputError for a folder with too many files or one that cannot be read."""
        if self._entries is None:
            found: dict[str, TreeEntry] = {}
            for part, levels in self._parts.items():
                self._walk(self._path / part, part + "/" if part else "", levels, found)
            self._entries = dict(sorted(found.items(), key=lambda pair: os.fsencode(pair[0])))
        return self._entries

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        entries = self.list()
        contents: dict[str, bytes] = {}
        with Beneath(self._path) as disk:
            for path in paths:
                _ = entries[path]
                try:
                    contents[path] = disk.read(path)
                except OSError as error:
                    raise InputError(f'cannot read "{path}": {error.strerror or error}', code="BND623") from error
        return contents

    def sizes(self, paths: Iterable[str]) -> dict[str, int]:
        """Bytes by what stands for a blob id."""
        entries = self.list()
        with Beneath(self._path) as disk:
            statuses = {entries[path].blob: disk.status(path) for path in paths}
        return {blob: status.st_size for blob, status in statuses.items() if status is not None}

    def exists_in_working_tree(self, path: str) -> bool:
        with Beneath(self._path) as disk:
            return disk.status(path) is not None

    def only_on_disk(self, folder: str) -> Iterable[str]:
        return ()  # everything on disk is part of it

    def _walk(self, folder: Path, prefix: str, levels: int | None, found: dict[str, TreeEntry]) -> None:
        try:
            with os.scandir(folder) as names:
                items = list(names)
        except OSError as error:
            raise InputError(f'cannot read the folder "{folder}": {error.strerror}', code="BND623") from error
        for item in items:
            path = prefix + item.name
            status = item.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if item.name != ".git" and levels != 1:
                    self._walk(Path(item.path), path + "/", levels - 1 if levels is not None else None, found)
            elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                found[path] = _folder_entry(status)
                if len(found) > _MAX_ENTRIES:
                    raise InputError(
                        f'more than {_MAX_ENTRIES} files below "{self._path}"',
                        code="BND289",
                        hint="git init here, so that .gitignore says which of them belong to the bundle",
                    )


def open_tree(repository: Repository, *, ref: str | None, worktree: bool, without: Collection[str] = ()) -> SourceTree:
    """The working tree when `worktree` is set, else the commit of `ref` (HEAD when it is None).

    Raises RepositoryError: BND601 bare repository, BND603 no commit, BND604 to BND607 for a ref that does not hold.
    """
    if worktree:
        if repository.bare:
            raise RepositoryError("bare repository: give --ref", code="BND601")
        return WorkingTree(repository, without)
    commit = repository.resolve(ref if ref is not None else "HEAD")
    if commit == repository.head_commit:
        if repository.head_tree is None:
            raise no_commit()
        at_head = ref in (None, "HEAD", "@") or ref == _short(repository.head_ref)
        return CommitTree(
            repository, commit, repository.head_tree, repository.head_ref if at_head else _full(repository, ref)
        )
    return CommitTree(repository, commit, commit_info(repository.git, commit).tree, _full(repository, ref))


def read_blobs(source: Repository | SourceTree, ids: Iterable[str]) -> Mapping[str, bytes]:
    """Contents by blob id; a tree also gives those that only the disk has. Raises RepositoryError."""
    wanted = list(dict.fromkeys(ids))
    if isinstance(source, Repository):
        return cat_file_batch(source.git, wanted)
    if isinstance(source, CommitTree | WorkingTree):
        return source.blobs(wanted)
    paths = {entry.blob: path for path, entry in source.list().items()}
    missing = next((blob for blob in wanted if blob not in paths), None)
    if missing is not None:
        raise RepositoryError(f'no file of the {source.label} has the content "{missing}"')
    contents = source.read(paths[blob] for blob in wanted)
    return {blob: contents[paths[blob]] for blob in wanted}


def read_sizes(source: SourceTree, paths: Iterable[str]) -> dict[str, int]:
    """Bytes of files by blob id; nothing is read but sizes. Raises KeyError, RepositoryError."""
    if isinstance(source, CommitTree | WorkingTree | FolderTree):
        return source.sizes(paths)
    entries = source.list()
    return {entries[path].blob: len(data) for path, data in source.read(paths).items()}


def _folder_entry(status: os.stat_result) -> TreeEntry:
    if stat.S_ISLNK(status.st_mode):
        mode = "120000"
    else:
        mode = "100755" if status.st_mode & 0o100 else "100644"
    return TreeEntry(mode, f"stat:{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}")


def _short(ref: str | None) -> str | None:
    return ref.removeprefix("refs/heads/") if ref else None


def _full(repository: Repository, ref: str | None) -> str | None:
    """The branch or tag that a ref names, in full; None for an id or a step back from a name."""
    if ref is None:
        return repository.head_ref
    listed = repository.git.run(
        ["for-each-ref", "--format=%(refname)", f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/remotes/{ref}"]
    )
    names = listed.decode("utf-8", "replace").split()
    if ref.startswith("refs/"):
        return ref
    exact = [name for name in names if name.partition("/")[2].partition("/")[2] == ref]
    return exact[0] if exact else None
