"""Workspace files of a task as a snapshot: what a job without deployed code names by its path is put in place once.

Called by launching before an attempt. The folder of the named file, and all below it, becomes a snapshot under its own
digest: a run keeps what it started with, and the next run of unchanged files copies nothing.
"""

import posixpath
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bundlectl.base.digest import digest_bytes
from bundlectl.engine import files, workspace
from bundlectl.engine.tasks.base import RESOURCE_NOT_FOUND, SetupFailed
from bundlectl.engine.workspace import DIRECTORY, BadPath, Entry

_FILES: Final = 5_000
_BYTES: Final = 500 << 20
# Where a task names the file that it runs.
_NAMED: Final = (
    ("spark_python_task", "python_file"),
    ("notebook_task", "notebook_path"),
    ("sql_task", "file", "path"),
)
_MARK: Final = "/.bundle/"  # of a bundle: all of its files are one folder, whichever of them runs
_BUNDLE_FILES: Final = "files"


def named_file(task: Mapping[str, Any]) -> str | None:
    """The absolute path that a task names; None when it names none."""
    for keys in _NAMED:
        value: Any = task
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value.startswith("/"):
            return value
    return None


def mounted(
    engine: Path, connection: sqlite3.Connection, task: Mapping[str, Any], path: str
) -> tuple[dict[str, Any], Path] | None:
    """The task with `path` replaced by the file on disk, and the root of its snapshot; None if there is no such file.

    Raises SetupFailed for a folder that is too large, OSError.
    """
    try:
        name = workspace.normal(path)
    except BadPath:
        return None
    entry = workspace.find(connection, name)
    if entry is None or entry.kind == DIRECTORY:
        return None
    top = _top(entry.path)
    found = [each for each in workspace.beneath(connection, top, _FILES + 1) if each.kind != DIRECTORY]
    if len(found) > _FILES or sum(each.size for each in found) > _BYTES:
        limit = f"{_FILES} files or {_BYTES >> 20} MiB"
        raise SetupFailed(RESOURCE_NOT_FOUND, f'the folder "{top}" of "{path}" has more than {limit}')
    root = _snapshot(engine, {_below(top, each): each for each in found})
    return _replaced(task, path, str(root / _below(top, entry))), root


def _top(path: str) -> str:
    """The folder that a file belongs to: that of its bundle, else its own."""
    if _MARK in path:
        parts = path.split("/")
        after = parts.index(_MARK.strip("/"))
        if _BUNDLE_FILES in parts[after:-1]:
            return "/".join(parts[: parts.index(_BUNDLE_FILES, after) + 1])
    return posixpath.dirname(path)


def _below(top: str, entry: Entry) -> str:
    return entry.path[len(top.rstrip("/")) + 1 :] + entry.ending


def _snapshot(engine: Path, found: Mapping[str, Entry]) -> Path:
    """The folder on disk with these files, made when it is not there. Names were checked when they were stored."""
    names = sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape"))
    lines = [f"100644 {found[name].sha256} {name}".encode() + b"\0" for name in names]
    digest = digest_bytes(b"".join(lines))
    place = files.folder_of(engine, digest)
    if not place.is_dir():
        for name in names:
            sha256 = found[name].sha256
            assert sha256 is not None
            content = workspace.object_path(engine, sha256).read_bytes()
            files.stage(engine, digest, name, "100644", content)
        files.seal(engine, digest)
    return place


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    return new if value == old else value
