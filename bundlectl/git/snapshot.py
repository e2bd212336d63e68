"""The code of a bundle as a snapshot: its digest, its files, and the tree of git objects that keeps it (D3).

`describe` reads and writes nothing to the repository; `write_code_tree` and `append_code` are for a deploy, which
stages before anything live changes. Which files are synced is config's decision.
"""

import random
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from bundlectl.base.clock import Clock, SystemClock
from bundlectl.base.digest import digest_bytes, sha256_hex
from bundlectl.git.chain import AnyChain, Chain, Committed, Conflict, Unknown, encode_name
from bundlectl.git.objects import build_tree, ls_tree
from bundlectl.git.pack import item, write_items
from bundlectl.git.repository import Repository
from bundlectl.git.trees import read_blobs
from bundlectl.git.worktree import WorkingTree
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.errors import InputError, RepositoryError
from bundlectl.model.source import Snapshot, SnapshotFile, SourceTree, TreeEntry

Known = Mapping[str, tuple[str, int]]  # blob id -> (sha256 as hex, size)

_NOT_A_FILE = "BND288"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_MAX_HOPS = 40

# Files are hashed in batches, so that the memory needed is that of some files, not of all.
_BATCH = 256
_APPEND_TRIES = 20
_FIRST_BOUND_S, _LARGEST_BOUND_S = 0.01, 2.0


class _Selected(NamedTuple):
    """A path of the snapshot, and the file whose content it has (another one for a link)."""

    path: str
    source: str
    entry: TreeEntry


def describe(
    tree: SourceTree, paths: Iterable[str], sync_root: str, known: Known
) -> tuple[Snapshot, dict[str, tuple[str, int]]]:
    """The snapshot of `paths` (of the tree, below `sync_root`), and what was learned about contents not in `known`.

    A link is taken as the regular file that it leads to. Raises InputError BND288 with one finding for each path
    that is no regular file of the tree: a link out of it or in a circle, a folder, a submodule, a Git LFS pointer.
    """
    problems: list[Diagnostic] = []
    entries = tree.list()
    selected = _select(tree, entries, paths, problems)
    learned = _learn(tree, selected, known, problems)
    if problems:
        raise InputError(problems[0].summary, code=_NOT_A_FILE, hint=problems[0].hint, diagnostics=problems)
    files = []
    for path, _, entry in selected:
        sha256, size = learned.get(entry.blob) or known[entry.blob]
        files.append(SnapshotFile(_below(path, sync_root), entry.mode, sha256, entry.blob, size))
    files.sort(key=lambda file: _bytes(file.path))
    return Snapshot(digest=snapshot_digest(files), files=tuple(files)), learned


def snapshot_digest(files: Iterable[SnapshotFile]) -> str:
    """Digest over mode, content and path of each file; `files` are sorted by path bytes (provenance 1)."""
    return digest_bytes(b"".join(b"%s %s %s\0" % (f.mode.encode(), f.sha256.encode(), _bytes(f.path)) for f in files))


def write_code_tree(repository: Repository, tree: SourceTree, snapshot: Snapshot) -> str:
    """Writes the git tree that holds the snapshot's files, with contents that only the disk had. Returns its id.

    Raises RepositoryError, also when a file changed since it was described.
    """
    root, items = build_tree(
        {file.path: TreeEntry(file.mode, file.blob) for file in snapshot.files}, repository.algorithm
    )
    unstored = tree.unstored() if isinstance(tree, WorkingTree) else {}
    missing = [blob for blob in dict.fromkeys(file.blob for file in snapshot.files) if blob in unstored]
    contents = read_blobs(tree, missing)
    blobs = [item("blob", contents[blob], repository.algorithm) for blob in missing]
    write_items(repository.git, [*blobs, *items], repository.algorithm)
    return root


def read_code_tree(repository: Repository, tree_id: str) -> dict[str, TreeEntry]:
    """Files of a code tree that was written earlier: path -> mode and blob. Raises RepositoryError when it is gone."""
    return ls_tree(repository.git, tree_id)


def blobs(source: Repository | SourceTree, ids: Iterable[str]) -> Mapping[str, bytes]:
    """Contents by blob id, for publishing. Raises RepositoryError."""
    return read_blobs(source, ids)


def code_ref(bundle: str, target: str) -> str:
    """The ref that keeps deployed code reachable."""
    return f"refs/bundlectl/code/{encode_name(bundle)}/{encode_name(target)}"


def append_code(repository: Repository, bundle: str, target: str, tree_id: str, digest: str) -> str:
    """Keeps a code tree for ever in the repository itself; see keep_code."""
    return keep_code(Chain(repository, code_ref(bundle, target)), tree_id, digest)


def keep_code(chain: AnyChain, tree_id: str, digest: str, clock: Clock | None = None) -> str:
    """Keeps a code tree for ever: a commit on a code chain, unless its tip has that tree already. Returns the commit.

    Whoever else appends at the same time is no conflict: the order of snapshots means nothing. Raises RepositoryError.
    """
    message = f"snapshot {digest}\n\nBundlectl-Format: 1\nBundlectl-Snapshot: {digest}\n"
    bound = _FIRST_BOUND_S
    for _ in range(_APPEND_TRIES):
        newest = next(chain.walk(1), None)
        if newest is not None and newest.tree == tree_id:
            return newest.version
        done = chain.append(newest.version if newest else None, tree_id, message)
        if isinstance(done, Unknown):
            done = chain.resolve(done)
        if isinstance(done, Committed):
            return done.version
        if not isinstance(done, Conflict):
            break
        chain.sync()
        (clock or SystemClock()).sleep(random.uniform(0, bound))  # noqa: S311  # spreads writers out
        bound = min(bound * 2, _LARGEST_BOUND_S)
    raise RepositoryError(f"{chain.ref} could not be advanced: others keep changing it", hint="run the command again")


def _select(
    tree: SourceTree, entries: Mapping[str, TreeEntry], paths: Iterable[str], problems: list[Diagnostic]
) -> list[_Selected]:
    selected: list[_Selected] = []
    links: list[str] = []
    for path in paths:
        entry = entries.get(path)
        if entry is not None and entry.mode in ("100644", "100755"):
            selected.append(_Selected(path, path, entry))
        elif entry is not None and entry.mode == "120000":
            links.append(path)
        else:
            problems.append(_why_no_file(path, entries))
    if links:
        resolver = Links(tree, entries)
        for path in links:
            target, problem = resolver.file_behind(path)
            if problem is not None:
                problems.append(problem)
            else:
                selected.append(_Selected(path, target, entries[target]))
    return selected


def _learn(
    tree: SourceTree, selected: list[_Selected], known: Known, problems: list[Diagnostic]
) -> dict[str, tuple[str, int]]:
    unknown = {entry.blob: source for _, source, entry in selected if entry.blob not in known}
    learned: dict[str, tuple[str, int]] = {}
    sources = list(unknown.values())
    for at in range(0, len(sources), _BATCH):
        for path, data in tree.read(sources[at : at + _BATCH]).items():
            if data.startswith(_LFS_POINTER):
                problems.append(
                    _problem(
                        f'"{path}" is a Git LFS pointer',
                        "its content is not in the commit: leave it out with sync.exclude, or commit the file itself",
                    )
                )
            learned[tree.list()[path].blob] = (sha256_hex(data), len(data))
    return learned


class Links:
    """Follows links inside a tree, by its entries alone. Nothing is followed on disk."""

    def __init__(self, tree: SourceTree, entries: Mapping[str, TreeEntry]) -> None:
        self._entries = entries
        links = [path for path, entry in entries.items() if entry.mode == "120000"]
        self._targets = {path: text.decode("utf-8", "surrogateescape") for path, text in tree.read(links).items()}

    def file_behind(self, link: str) -> tuple[str, Diagnostic | None]:
        """The regular file that a link leads to, or why there is none."""
        at = link
        for _ in range(_MAX_HOPS):
            crossed = self._first_link(at)
            if crossed is None:
                entry = self._entries.get(at)
                if entry is None or entry.mode == "160000":
                    return at, _why_no_file(at, self._entries, link)
                return at, None
            moved = _joined(PurePosixPath(crossed).parent, self._targets[crossed])
            if moved is None:
                text = self._targets[crossed]
                return at, _problem(f'"{link}" is a symlink to "{text}", outside the source tree', _LINK_HINT)
            at = (moved + at[len(crossed) :]).lstrip("/")
        return at, _problem(f'"{link}" is a symlink loop', _LINK_HINT)

    def _first_link(self, path: str) -> str | None:
        parts = path.split("/")
        prefixes = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        return next((prefix for prefix in prefixes if prefix in self._targets), None)


_LINK_HINT = "link to a file of the repository, or leave the link out with sync.exclude"


def _joined(folder: PurePosixPath, target: str) -> str | None:
    """A relative target seen from a folder, or None when it leaves the tree."""
    if target.startswith("/"):
        return None
    parts = [part for part in folder.parts if part != "."]
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _why_no_file(path: str, entries: Mapping[str, TreeEntry], link: str | None = None) -> Diagnostic:
    shown = f'"{link}" is a symlink to "{path}", which' if link else f'"{path}"'
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        module = "/".join(parts[:count])
        entry = entries.get(module)
        if entry is not None and entry.mode == "160000":
            inside = "is a submodule" if module == path else f'is in submodule "{module}"'
            return _problem(f"{shown} {inside}, which is not read", "leave it out with sync.exclude")
    if not path or any(known.startswith(path + "/") for known in entries):
        return _problem(f"{shown} is a directory", "name a file")
    return _problem(f"{shown} is not in the source tree", None)


def _problem(summary: str, hint: str | None) -> Diagnostic:
    return Diagnostic(code=_NOT_A_FILE, severity=Severity.ERROR, summary=summary, hint=hint)


def _below(path: str, sync_root: str) -> str:
    if sync_root in ("", "."):
        return path
    below = path.removeprefix(sync_root.rstrip("/") + "/")
    if below == path:
        raise InputError(f'"{path}" is not contained in the sync root "{sync_root}"', code="BND282")
    return below


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
