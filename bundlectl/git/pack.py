"""Objects made here: their ids, and one stream that carries them all into a repository with one process.

Called by chain and snapshot, which write a whole commit (blobs, trees, commit) at once. Git checks what it takes
(`--strict`), so a mistake here cannot damage a repository.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bundlectl.base.digest import git_checksum, git_object_id
from bundlectl.git.command import Git

_TYPES = {"commit": 1, "tree": 2, "blob": 3}

# Durable before a ref may point to it. Loose objects share one flush; a pack is flushed as a whole.
DURABLE = ("-c", "core.fsync=all", "-c", "core.fsyncMethod=batch")

# As git's own receive-pack: a few objects are kept loose, many stay one pack (10,000 loose files take seconds).
_LOOSE_LIMIT = 100


class Item(NamedTuple):
    """An object on its way into a repository."""

    id: str
    kind: str  # commit, tree, blob
    data: bytes


class TreeNode(NamedTuple):
    """One name in one tree object."""

    mode: str  # 100644, 100755, 120000, 160000, 40000 (a tree)
    id: str


def item(kind: str, data: bytes, algorithm: str) -> Item:
    """An object with its id."""
    return Item(git_object_id(kind, len(data), (data,), algorithm=algorithm), kind, data)


def tree_item(nodes: Iterable[tuple[bytes, TreeNode]], algorithm: str) -> Item:
    """A tree object over (name, node). Git sorts a subtree as if its name ended in a slash."""
    ordered = sorted(nodes, key=lambda pair: pair[0] + b"/" if pair[1].mode == "40000" else pair[0])
    data = b"".join(b"%s %s\0%s" % (node.mode.encode(), name, bytes.fromhex(node.id)) for name, node in ordered)
    return item("tree", data, algorithm)


def parse_tree(data: bytes, algorithm: str) -> dict[bytes, TreeNode]:
    """The names in one tree object. Raises ValueError when it is malformed."""
    size = 20 if algorithm == "sha1" else 32
    nodes: dict[bytes, TreeNode] = {}
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        raw = data[end + 1 : end + 1 + size]
        if len(raw) != size:
            raise ValueError("tree object ends early")
        nodes[data[space + 1 : end]] = TreeNode(data[at:space].decode("ascii"), raw.hex())
        at = end + 1 + size
    return nodes


def write_items(git: Git, items: Sequence[Item], algorithm: str, *, extra_env: Mapping[str, str] | None = None) -> None:
    """Puts objects into the repository, durably; those it already has are left. Raises RepositoryError.

    What they refer to must be there, or where `extra_env` says that git finds more objects.
    """
    if not items:
        return
    unique = {entry.id: entry for entry in items}
    stream = _stream(list(unique.values()), algorithm)
    if len(unique) < _LOOSE_LIMIT:
        git.run([*DURABLE, "unpack-objects", "-q", "--strict"], stdin=stream, extra_env=extra_env)
    else:
        git.run([*DURABLE, "index-pack", "--stdin", "--strict"], stdin=stream, extra_env=extra_env)


def _stream(items: Sequence[Item], algorithm: str) -> bytes:
    parts = [b"PACK" + (2).to_bytes(4, "big") + len(items).to_bytes(4, "big")]
    for entry in items:
        parts.append(_entry_header(_TYPES[entry.kind], len(entry.data)))
        parts.append(zlib.compress(entry.data, 1 if len(entry.data) > 1 << 16 else 6))
    body = b"".join(parts)
    return body + git_checksum(body, algorithm=algorithm)


def _entry_header(kind: int, size: int) -> bytes:
    """Type in three bits, size in four and then seven bits a byte, lowest first."""
    first, size = kind << 4 | size & 0x0F, size >> 4
    out = bytearray()
    while size:
        out.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    out.append(first)
    return bytes(out)
