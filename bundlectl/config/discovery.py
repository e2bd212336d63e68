"""Where the bundle is: the root file in the source tree, and the files that its `include` names (config language 1, 4).

Called by config.loader and, for the include list of a changed tree, by config.incremental. Reads no YAML.
"""

import posixpath
from typing import NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config.findings import did_you_mean, error, note, warning
from bundlectl.config.node import Node
from bundlectl.config.request import ROOT_FILES, LoadRequest
from bundlectl.config.tree_view import Found, Pattern, TreeView, folder_of, join, leaves, relative_to
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan

_EXTENSIONS = (".yml", ".yaml", ".json")


class RootPlace(NamedTuple):
    """Bundle root and root file, relative to the top of the tree; None with a finding when there is none."""

    root: str
    file: str


def find_root(view: TreeView, request: LoadRequest) -> tuple[RootPlace | None, list[Diagnostic]]:
    """The given root, else the nearest folder upwards that holds a root file, up to the top of the tree."""
    start = join("", request.start)
    if request.root is not None:
        given = _given_root(start, request)
        if leaves(given):
            summary = f'{request.root_from} "{request.root}" is outside the repository'
            return None, [error("BND101", summary)]
        names = _root_files(view, given)
        if names:
            return _one(given, names)
        hint = _on_disk(view, given)
        summary = f'no bundle file in "{given or "."}", given by {request.root_from}'
        return None, [error("BND101", summary, detail=hint, hint=f"create {ROOT_FILES[0]} there")]
    folder = start
    while True:
        names = _root_files(view, folder)
        if names:
            return _one(folder, names)
        if not folder:
            break
        folder = folder_of(folder)
    top = "the repository root" if view.tree.revision.tree is not None else "this folder"
    where = f'between "{start}" and {top}' if start else f"in {top}"
    detail = next((text for text in (_on_disk(view, at) for at in _upwards(start)) if text), None)
    hint = "go to the folder of the bundle, name it with --bundle-root, or make one: bundlectl init"
    return None, [error("BND101", f"no bundle file {where}", detail=detail, hint=hint)]


def _given_root(start: str, request: LoadRequest) -> str:
    """The root as a path of the tree; an absolute one is on this machine."""
    root = request.root or "."
    if root.startswith("/") and request.top:
        return join("", posixpath.relpath(root, request.top))
    return join(start, root)


def _upwards(folder: str) -> list[str]:
    folders = [folder]
    while folder:
        folder = folder_of(folder)
        folders.append(folder)
    return folders


def _root_files(view: TreeView, folder: str) -> list[str]:
    return [name for name in ROOT_FILES if join(folder, name) in view.entries]


def _one(folder: str, names: list[str]) -> tuple[RootPlace | None, list[Diagnostic]]:
    if len(names) > 1:
        where = folder or "."
        spans = [SourceSpan(join(folder, name), 1, 1) for name in names]
        summary = f'more than one bundle file in "{where}": {", ".join(names)}'
        return None, [error("BND102", summary, *spans, hint="keep one of them")]
    return RootPlace(folder, join(folder, names[0])), []


def _on_disk(view: TreeView, folder: str) -> str | None:
    """For a tree of a commit: a root file that was not committed."""
    if view.tree.revision.working_tree:
        return None
    for name in ROOT_FILES:
        path = join(folder, name)
        if view.tree.exists_in_working_tree(path):
            return f'"{path}" exists in the working tree, not in {view.tree.label}'
    return None


def include_files(
    view: TreeView, place: RootPlace, root_node: Node, max_files: int
) -> tuple[tuple[str, ...], list[Diagnostic]]:
    """The files that the root file includes, in the order of merging, and what is wrong with the entries."""
    found: list[Diagnostic] = []
    files: dict[str, None] = {}
    include = root_node.get("include")
    entries = include.value if include is not None and isinstance(include.value, list) else []
    for index, entry in enumerate(entries):
        if not isinstance(entry.value, str):
            continue
        for path in _matches(view, place, entry, index, found):
            files.setdefault(path)
    files.pop(place.file, None)
    if len(files) >= max_files:
        span = include.span if include is not None else SourceSpan(place.file, 1, 1)
        found.append(error("BND122", f"more than {max_files} files in one bundle", span, path=("include",)))
        return (), found
    return tuple(files), found


def _matches(view: TreeView, place: RootPlace, entry: Node, index: int, found: list[Diagnostic]) -> list[str]:
    text, path = entry.value, ("include", index)
    if text.startswith("/"):
        summary = f'"{text}" is absolute; includes are relative to the bundle root'
        found.append(error("BND133", summary, entry.span, path=path))
        return []
    pattern = Pattern(join(place.root, text))
    if leaves(pattern.text):
        found.append(error("BND134", f'"{text}" is outside the repository', entry.span, path=path))
        return []
    if pattern.is_literal:
        return _literal(view, place, entry, pattern.text, path, found)
    roots = {join(place.root, name) for name in ROOT_FILES}
    names = [name for name in pattern.select(view.entries) if name not in roots]
    if not names:
        hint = "correct the pattern, or remove it when the folder is gone"
        found.append(warning("BND131", f'"{text}" matches no file', entry.span, path=path, hint=hint))
    return [name for name in names if _readable(view, name, entry, path, found)]


def _literal(
    view: TreeView, place: RootPlace, entry: Node, path: str, at: tuple[str, int], found: list[Diagnostic]
) -> list[str]:
    if path in {join(place.root, name) for name in ROOT_FILES}:
        return []
    where = view.find(path)
    if where.kind == "missing":
        folder = folder_of(path)
        names = [relative_to(name, place.root) for name in view.entries if folder_of(name) == folder]
        near = did_you_mean(nearest(relative_to(path, place.root), names))
        if near is None and view.tree.exists_in_working_tree(path) and not view.tree.revision.working_tree:
            near = f"it exists in the working tree, not in {view.tree.label}"
        found.append(error("BND130", f'"{entry.value}" does not exist', entry.span, path=at, detail=near))
        return []
    return [path] if _readable(view, path, entry, at, found) else []


def _readable(view: TreeView, path: str, entry: Node, at: tuple[str, int], found: list[Diagnostic]) -> bool:
    where = view.find(path)
    if where.kind != "file":
        found.append(error("BND288", not_regular(path, where), entry.span, path=at))
        return False
    if posixpath.splitext(path)[1] not in _EXTENSIONS:
        summary = f'"{path}" is no {", ".join(_EXTENSIONS[:-1])} or {_EXTENSIONS[-1]} file'
        found.append(error("BND132", summary, entry.span, path=at))
        return False
    return True


def not_regular(path: str, where: Found) -> str:
    """Why something that exists is not read as a file."""
    if where.kind == "directory":
        return f'"{path}" is a directory'
    if where.kind == "loop":
        return f'"{path}" is a symlink loop'
    if where.kind == "submodule":
        return f'"{path}" is in submodule "{where.text}", which is not read'
    if where.kind == "outside":
        return f'"{path}" is a symlink to "{where.text}", outside the source tree'
    return f'"{path}" is a symlink to "{where.text}", which does not exist'


def single_resource(path: str, node: Node) -> Diagnostic | None:
    """`name.job.yml` should define one job and nothing else: a recommendation, or None."""
    if posixpath.splitext(posixpath.splitext(path)[0])[1] != ".job":
        return None
    resources = node.get("resources")
    kinds = resources.value if resources is not None and isinstance(resources.value, dict) else {}
    defined = [f"{each}.{key}" for each, child in kinds.items() if isinstance(child.value, dict) for key in child.value]
    if not defined or (len(defined) == 1 and defined[0].startswith("jobs.")):
        return None
    summary = f'"{posixpath.basename(path)}" should define one job; it defines {", ".join(defined[:5])}'
    return note("BND137", summary, SourceSpan(path, 1, 1))
