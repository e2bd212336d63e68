"""Plumbing over git objects: read many in one process, list a tree, edit a tree, walk a chain.

Called by the other modules of this package and by state. Bytes in, bytes out; nothing here starts a filter, a hook
or a checkout.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bundlectl.git.command import MAX_OUTPUT, Git, complaint
from bundlectl.git.pack import Item, TreeNode, item, parse_tree, tree_item
from bundlectl.model.errors import RepositoryError
from bundlectl.model.source import TreeEntry

_NO_NODE = TreeNode("", "")
FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class GitObject(NamedTuple):
    """An object as it was read."""

    id: str
    kind: str  # commit, tree, blob, tag
    data: bytes


class CommitInfo(NamedTuple):
    """What a commit says of itself. `time` is the committer's, seconds since 1970."""

    id: str
    tree: str
    parents: tuple[str, ...]
    time: int
    message: str


def read_objects(git: Git, names: Sequence[str], *, max_output: int = MAX_OUTPUT) -> list[GitObject | None]:
    """The object that each name stands for (an id, `ref`, `commit:path`), None where there is none; one process.

    Names must be free of line breaks: callers give ids, and refs and paths that they have checked or encoded.
    Raises RepositoryError BND602 for an object that is named but damaged.
    """
    if not names:
        return []
    stdin = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
    done = git.attempt(["cat-file", "--batch", "--buffer"], stdin=stdin, max_output=max_output)
    found = _parse_batch(done.stdout, len(names))
    if found is None:
        raise RepositoryError(f"an object of the repository is damaged: {complaint(done)}", hint="git fsck")
    return found


def _parse_batch(data: bytes, count: int) -> list[GitObject | None] | None:
    """Answers of `cat-file --batch`, or None when they end before `count` of them."""
    found: list[GitObject | None] = []
    at = 0
    for _ in range(count):
        end = data.find(b"\n", at)
        if end < 0:
            return None
        words = data[at:end].decode("utf-8", "surrogateescape").rsplit(" ", 2)
        if len(words) == 3 and words[2].isdigit():
            stop = end + 1 + int(words[2])
            if len(data) <= stop:
                return None
            found.append(GitObject(words[0], words[1], data[end + 1 : stop]))
            at = stop + 1
        else:
            found.append(None)
            at = end + 1
    return found


def cat_file_batch(git: Git, ids: Iterable[str]) -> dict[str, bytes]:
    """Contents of blobs by id, in one process. Raises RepositoryError BND602 naming the first that is not there."""
    wanted = list(dict.fromkeys(ids))
    contents: dict[str, bytes] = {}
    for name, found in zip(wanted, read_objects(git, wanted), strict=True):
        if found is None or found.kind != "blob":
            raise RepositoryError(
                f'file content "{name}" is missing from the repository',
                hint="fetch what is missing: git fetch --refetch (a partial clone), or look for damage: git fsck",
            )
        contents[name] = found.data
    return contents


def blob_sizes(git: Git, ids: Iterable[str]) -> dict[str, int]:
    """Sizes in bytes of the blobs that the repository has; the others are left out. One process, no contents."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    stdin = "".join(f"{name}\n" for name in wanted).encode("ascii")
    lines = git.run(["cat-file", "--batch-check", "--buffer"], stdin=stdin).decode("ascii").split("\n")
    split = (line.split(" ") for line in lines)
    return {words[0]: int(words[2]) for words in split if len(words) == 3 and words[1] == "blob"}


def ls_tree(git: Git, tree: str) -> dict[str, TreeEntry]:
    """Every file, link and submodule below a tree, sorted by path bytes. `tree` is an id. Raises RepositoryError."""
    text = git.run(["ls-tree", "-r", "-z", "--full-tree", tree]).decode("utf-8", "surrogateescape")
    entries: dict[str, TreeEntry] = {}
    for line in text.split("\0"):
        if line:
            meta, _, path = line.partition("\t")
            mode, _, blob = meta.split(" ")
            entries[path] = TreeEntry(mode, blob)
    return entries


def edit_tree(
    git: Git, root: str | None, changes: Mapping[str, bytes | None], algorithm: str
) -> tuple[str, list[Item]]:
    """A tree like `root` (an id; None: empty) with files replaced, added, or removed (None).

    Returns the new root's id and the objects to write. Raises RepositoryError.
    """
    blobs = {path: item("blob", data, algorithm) for path, data in changes.items() if data is not None}
    nodes = {path: TreeNode("100644", blobs[path].id) if path in blobs else None for path in changes}
    tree, items = replace_nodes(git, root, nodes, algorithm)
    return tree, [*blobs.values(), *items]


def replace_nodes(
    git: Git, root: str | None, changes: Mapping[str, TreeNode | None], algorithm: str
) -> tuple[str, list[Item]]:
    """A tree like `root` (None: empty) with names set to other nodes, or removed: its id and the new tree objects.

    Only folders on the way to a change are read, and only they become new objects. Folder names hold no line break.
    """
    folders = {""}
    for path in changes:
        while "/" in path:
            path = path.rpartition("/")[0]
            folders.add(path)
    nodes = _read_folders(git, root, folders, algorithm)
    # Removals first: a file that became a folder is one name with two changes.
    for path, node in sorted(changes.items(), key=lambda pair: pair[1] is not None):
        folder, _, name = path.rpartition("/")
        if node is None:
            nodes[folder].pop(_bytes(name), None)
        else:
            nodes[folder][_bytes(name)] = node
    items: list[Item] = []
    # Deepest first: a folder's id is part of its parent. An empty folder does not exist in git.
    for folder in sorted(folders - {""}, key=lambda path: -path.count("/")):
        parent, _, name = folder.rpartition("/")
        if nodes[folder]:
            tree = tree_item(nodes[folder].items(), algorithm)
            items.append(tree)
            nodes[parent][_bytes(name)] = TreeNode("40000", tree.id)
        elif nodes[parent].get(_bytes(name), _NO_NODE).mode == "40000":
            del nodes[parent][_bytes(name)]
    tree = tree_item(nodes[""].items(), algorithm)
    items.append(tree)
    return tree.id, items


def _read_folders(git: Git, root: str | None, folders: set[str], algorithm: str) -> dict[str, dict[bytes, TreeNode]]:
    if root is None:
        return {folder: {} for folder in folders}
    names = sorted(folders)
    found = read_objects(git, [f"{root}:{folder}" for folder in names])
    nodes: dict[str, dict[bytes, TreeNode]] = {}
    for folder, tree in zip(names, found, strict=True):
        if tree is None or tree.kind != "tree":
            nodes[folder] = {}
            continue
        try:
            nodes[folder] = parse_tree(tree.data, algorithm)
        except ValueError as error:
            raise RepositoryError(f"tree {tree.id} is damaged: {error}", hint="git fsck") from error
    return nodes


def build_tree(files: Mapping[str, TreeEntry], algorithm: str) -> tuple[str, list[Item]]:
    """The tree object over `files`, with all its subtrees: the root's id and the tree objects."""
    nodes: dict[str, list[tuple[bytes, TreeNode]]] = {"": []}
    for path, entry in files.items():
        folder, _, name = path.rpartition("/")
        if folder not in nodes:
            _add_folder(nodes, folder)
        nodes[folder].append((_bytes(name), TreeNode(entry.mode, entry.blob)))
    items: list[Item] = []
    for folder in sorted(nodes, key=lambda path: -path.count("/")):
        if folder:
            parent, _, name = folder.rpartition("/")
            tree = tree_item(nodes[folder], algorithm)
            items.append(tree)
            nodes[parent].append((_bytes(name), TreeNode("40000", tree.id)))
    root = tree_item(nodes[""], algorithm)
    items.append(root)
    return root.id, items


def _add_folder(nodes: dict[str, list[tuple[bytes, TreeNode]]], folder: str) -> None:
    while folder and folder not in nodes:
        nodes[folder] = []
        folder = folder.rpartition("/")[0]


def parse_commit(found: GitObject) -> CommitInfo:
    """The parts of a commit object. Raises RepositoryError when it is none."""
    head, _, message = found.data.partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(" ")
        fields.setdefault(name, []).append(value)
    try:
        time = int(fields["committer"][0].rpartition("> ")[2].split(" ")[0])
        tree = fields["tree"][0]
    except (KeyError, ValueError) as error:
        raise RepositoryError(f"commit {found.id} is damaged", hint="git fsck") from error
    return CommitInfo(found.id, tree, tuple(fields.get("parent", ())), time, message.decode("utf-8", "replace"))


def commit_info(git: Git, commit: str) -> CommitInfo:
    """What a commit says of itself. Raises RepositoryError BND602 when there is no such commit."""
    found = read_objects(git, [commit])[0]
    if found is None or found.kind != "commit":
        raise RepositoryError(f"commit {commit} is missing from the repository", hint="git fsck")
    return parse_commit(found)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
