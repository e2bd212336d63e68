"""What an answer depends on in the tree beside the bundle's files, as short texts: paths that jobs name, ignore rules.

Made by config.decode, compared by config.parts and config.reload: what has the state that it had is not resolved again.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bundlectl.base.digest import digest_document
from bundlectl.config.code_files import SyncedFiles
from bundlectl.config.job_paths import DIRECTORY, LIBRARY
from bundlectl.config.tree_view import Pattern, TreeView, join

_BUILD_FILES = ("setup.py", "pyproject.toml")


class PathState(NamedTuple):
    """Blob and mode of a named file, when it is one, and what that content means to a job."""

    blob: str
    state: str


def name_of(kind: str, path: str) -> str:
    """How a use of a path is kept: `notebook:src/a.py`."""
    return f"{kind}:{path}"


def states(
    names: Iterable[str], view: TreeView, code: SyncedFiles, known: Mapping[str, PathState] | None = None
) -> dict[str, PathState]:
    """The state of each name. A file with the blob that is `known` is not read again."""
    wanted = list(names)
    paths = {name: name.partition(":")[2] for name in wanted}
    known = known or {}
    blobs = {name: _blob(view, path) for name, path in paths.items()}
    changed = [name for name in wanted if name not in known or known[name].blob != blobs[name]]
    view.prefetch(paths[name] for name in changed if paths[name] in view.entries)
    same = set(wanted).difference(changed)
    found = {}
    for name in wanted:
        kind = name.partition(":")[0]
        content = known[name].state.partition("|")[0] if name in same else _content(kind, paths[name], view)
        found[name] = PathState(blobs[name], f"{content}|{_place(kind, paths[name], view, code)}")
    return found


def _blob(view: TreeView, path: str) -> str:
    entry = view.entries.get(path)
    return f"{entry.mode} {entry.blob}" if entry is not None else ""


def _content(kind: str, path: str, view: TreeView) -> str:
    """What kind of file it is; empty for what is no plain file of the tree."""
    if kind in (LIBRARY, DIRECTORY):
        return ""
    at = view.find(path)
    if at.kind != "file":
        return at.kind
    if view.is_lfs_pointer(at.path):
        return "lfs"
    return "notebook" if view.is_notebook(at.path) else "file"


def _place(kind: str, path: str, view: TreeView, code: SyncedFiles) -> str:
    """Whether and where it is among the synced files."""
    if kind == LIBRARY:
        return "\n".join(Pattern(path).select(code.files))
    at = view.find(path)
    synced = code.holds_folder(path) if at.kind == "directory" else path in code
    return f"{at.kind} {at.path} {'synced' if synced else 'left out'}"


def listing_digest(view: TreeView) -> str:
    """Names which paths there are, with their modes."""
    return digest_document([f"{entry.mode} {path}" for path, entry in view.entries.items()])


def blobs_digest(view: TreeView, paths: Iterable[str]) -> str:
    """Names the contents of some files."""
    return digest_document([[path, view.entries[path].blob] for path in paths])


def build_digest(view: TreeView, root: str) -> str:
    """Names other files that a load looks into: how a wheel is built, values of variables."""
    paths = [path for name in _BUILD_FILES if (path := join(root, name)) in view.entries]
    values = join(root, ".databricks") + "/"
    return blobs_digest(view, [*paths, *(path for path in view.entries if path.startswith(values))])
