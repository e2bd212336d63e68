"""Files that clients keep in the engine by name: folders, files and notebooks as rows, content under its digest.

Called by api.files inside a transaction of its, and by mounting for a run. A client's path is a name in the database;
it never becomes a path of the file system here.
"""

import os
import posixpath
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from bundlectl.base.digest import sha256_hex
from bundlectl.base.files import make_private_folder, write_atomic
from bundlectl.engine.database import take_ids

DIRECTORY, FILE, NOTEBOOK = "DIRECTORY", "FILE", "NOTEBOOK"
ALIAS: Final = "/Workspace"
_LONGEST: Final = 4096
# Ending -> language and first line of a notebook in source form.
SOURCES: Final = {
    ".py": ("PYTHON", b"# Databricks notebook source"),
    ".sql": ("SQL", b"-- Databricks notebook source"),
    ".scala": ("SCALA", b"// Databricks notebook source"),
    ".r": ("R", b"# Databricks notebook source"),
}
ENDINGS: Final = (*SOURCES, ".ipynb")


class BadPath(Exception):
    """A text that is no path here."""


class Entry(NamedTuple):
    """One object."""

    id: int
    path: str
    kind: str
    language: str | None
    ending: str
    sha256: str | None
    size: int
    created: int
    modified: int


class Content(NamedTuple):
    """What a file or notebook is to become."""

    kind: str
    language: str | None
    ending: str
    sha256: str
    size: int


_SELECT: Final = "SELECT id, path, kind, language, ending, sha256, size, created, modified FROM workspace"


def normal(path: str) -> str:
    """The name of an object: `//` collapses, the alias of the root goes. Raises BadPath."""
    if not path.startswith("/") or len(path) > _LONGEST or "\0" in path:
        raise BadPath(f"Path ({path[:200]}) must start with '/' and have at most {_LONGEST} characters.")
    parts = [part for part in path.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise BadPath(f"Path ({path[:200]}) must not have '.' or '..' in it.")
    if parts[:1] == [ALIAS[1:]]:
        parts = parts[1:]
    return "/" + "/".join(parts)


def find(connection: sqlite3.Connection, path: str) -> Entry | None:
    """The object with this name; a notebook is found with the ending that its name has lost, too."""
    if path == "/":
        return Entry(0, "/", DIRECTORY, None, "", None, 0, 0, 0)
    row = connection.execute(f"{_SELECT} WHERE path = ?", (path,)).fetchone()
    if row is None:
        stem, ending = posixpath.splitext(path)
        if ending.lower() in ENDINGS:
            sql = f"{_SELECT} WHERE path = ? AND kind = ? AND ending = ?"
            row = connection.execute(sql, (stem, NOTEBOOK, ending.lower())).fetchone()
    return None if row is None else Entry(*row)


def children(connection: sqlite3.Connection, path: str) -> list[Entry]:
    """What lies in a folder, by name."""
    sql = f"{_SELECT} WHERE parent = ? ORDER BY path"
    return [Entry(*row) for row in connection.execute(sql, (path,))]


def beneath(connection: sqlite3.Connection, path: str, limit: int) -> list[Entry]:
    """Everything below a folder, at most `limit` objects."""
    low, high = _range(path)
    sql = f"{_SELECT} WHERE path >= ? AND path < ? ORDER BY path LIMIT ?"
    return [Entry(*row) for row in connection.execute(sql, (low, high, limit))]


def make_folder(connection: sqlite3.Connection, path: str, now: int) -> Entry | None:
    """Makes a folder and those above it; one that is there is fine. Gives the object that is no folder, else None."""
    if path == "/":
        return None
    found = find(connection, path)
    if found is not None:
        return None if found.kind == DIRECTORY else found
    inside = make_folder(connection, posixpath.dirname(path), now)
    if inside is None:
        _insert(connection, path, (DIRECTORY, None, "", None, 0), now)
    return inside


def put(connection: sqlite3.Connection, path: str, content: Content, now: int) -> None:
    """Gives an object its content; what it was before, if anything, is replaced."""
    updated = connection.execute(
        "UPDATE workspace SET kind = ?, language = ?, ending = ?, sha256 = ?, size = ?, modified = ? WHERE path = ?",
        (*content, now, path),
    )
    if updated.rowcount == 0:
        _insert(connection, path, content, now)


def remove(connection: sqlite3.Connection, path: str) -> None:
    """Removes an object and everything below it."""
    low, high = _range(path)
    connection.execute("DELETE FROM workspace WHERE path = ? OR (path >= ? AND path < ?)", (path, low, high))


def _range(path: str) -> tuple[str, str]:
    """Bounds of the names below a folder: `0` follows `/`."""
    return ("/", "0") if path == "/" else (f"{path}/", f"{path}0")


def _insert(connection: sqlite3.Connection, path: str, content: tuple[object, ...], now: int) -> None:
    connection.execute(
        "INSERT INTO workspace (parent, id, path, kind, language, ending, sha256, size, created, modified)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (posixpath.dirname(path), take_ids(connection, 1), path, *content, now, now),
    )


# Content -----------------------------------------------------------------------------------------------------------


def keep(engine: Path, content: bytes) -> str:
    """Writes content under its digest, once; the digest. Before the row that names it. Raises OSError."""
    name = sha256_hex(content)
    place = engine / "objects" / name
    try:
        os.utime(place)  # in use again: sweep leaves it
    except FileNotFoundError:
        make_private_folder(place.parent)
        write_atomic(place, content, mode=0o400)
    return name


def object_path(engine: Path, sha256: str) -> Path:
    """Where content lies."""
    return engine / "objects" / sha256


def sweep(connection: sqlite3.Connection, engine: Path, older_than_ms: int) -> int:
    """Removes content that no object has and that nobody wrote since; how many files. For the start of a server."""
    used = {row[0] for row in connection.execute("SELECT DISTINCT sha256 FROM workspace WHERE sha256 IS NOT NULL")}
    removed = 0
    try:
        found = list(os.scandir(engine / "objects"))
    except FileNotFoundError:
        return 0
    for item in found:
        if item.name not in used and item.stat(follow_symlinks=False).st_mtime * 1000 < older_than_ms:
            os.unlink(item.path)
            removed += 1
    return removed
