"""LoadIndex: the loader's cache in one SQLite file. A damaged, foreign or unwritable file is a miss, never an error.

Called by config.cache. Stores JSON under keys; what the keys mean is said there.
"""

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bundlectl.base.files import make_private_folder

_FORMAT = 1
_KEPT_LOADS = 40  # of all bundles and targets; the oldest go first
_LOCK_WAIT_S = 1.0
_MOST_BYTES = 1 << 30  # above so much everything is dropped: it can always be made again
_BATCH = 500  # values of one IN list
_SCHEMA = """
CREATE TABLE IF NOT EXISTS loads (
  request TEXT NOT NULL, tree TEXT NOT NULL, facts TEXT NOT NULL, used INTEGER NOT NULL,
  summary BLOB NOT NULL, catalog BLOB NOT NULL, code BLOB NOT NULL,
  PRIMARY KEY (request, tree, facts)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots (name TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (blob TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
"""


class StoredLoad:
    """One load as it is stored; parts are decoded when they are asked for."""

    def __init__(self, tree: str, facts: str, summary: bytes, catalog: bytes, code: bytes) -> None:
        self.tree = tree
        self.facts = facts
        self._summary = summary
        self._catalog = catalog
        self._code = code

    def summary(self) -> dict[str, Any]:
        """Raises ValueError."""
        document: dict[str, Any] = json.loads(self._summary)
        return document

    def catalog(self) -> dict[str, Any]:
        """Raises ValueError, zlib.error."""
        document: dict[str, Any] = json.loads(zlib.decompress(self._catalog))
        return document

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """Catalog and code files as they are stored."""
        return self._catalog, self._code

    def code_files(self) -> list[str]:
        """Raises ValueError, zlib.error."""
        text = zlib.decompress(self._code).decode("utf-8", "surrogateescape")
        return text.split("\0") if text else []


class LoadIndex:
    """Open lazily; after the first fault it answers as an empty one. `problem` says what it was."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self.problem: str | None = None

    @property
    def usable(self) -> bool:
        """False when there is none, or it gave up."""
        return self._path is not None and self.problem is None

    def close(self) -> None:
        """Ends the connection; the index can be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def find(self, request: str, tree: str) -> list[StoredLoad]:
        """Loads of one tree for one request: one for each set of facts that mattered."""
        rows = self._rows(
            "SELECT tree, facts, summary, catalog, code FROM loads WHERE request=? AND tree=?", (request, tree)
        )
        return [StoredLoad(*row) for row in rows]

    def latest(self, request: str) -> StoredLoad | None:
        """The load for this request that was stored or used last."""
        query = "SELECT tree, facts, summary, catalog, code FROM loads WHERE request=? ORDER BY used DESC LIMIT 1"
        rows = self._rows(query, (request,))
        return StoredLoad(*rows[0]) if rows else None

    def store(
        self,
        request: str,
        tree: str,
        facts: str,
        *,
        summary: Mapping[str, Any],
        catalog: Mapping[str, Any],
        code_files: Sequence[str],
        documents: Mapping[str, bytes],
    ) -> None:
        """Keeps a load and the documents of its jobs, by digest."""
        code = zlib.compress("\0".join(code_files).encode("utf-8", "surrogateescape"), 1)
        row = (_text(summary), zlib.compress(_text(catalog), 1), code)

        def write(connection: sqlite3.Connection) -> None:
            pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
            if pages * size > _MOST_BYTES:
                connection.execute("DELETE FROM documents")
                connection.execute("DELETE FROM loads")
            used = connection.execute("SELECT coalesce(max(used), 0) + 1 FROM loads").fetchone()[0]
            connection.executemany("INSERT OR IGNORE INTO documents VALUES (?, ?)", documents.items())
            connection.execute(
                "INSERT OR REPLACE INTO loads VALUES (?,?,?,?,?,?,?)", (request, tree, facts, used, *row)
            )
            connection.execute("DELETE FROM loads WHERE used <= ?", (used - _KEPT_LOADS,))

        self._write(write)

    def store_again(self, request: str, tree: str, facts: str, *, summary: Mapping[str, Any], old: StoredLoad) -> None:
        """Keeps a load for another tree, in which the files of the bundle are those of `old`."""
        row = (_text(summary), *old.parts)

        def write(connection: sqlite3.Connection) -> None:
            used = connection.execute("SELECT coalesce(max(used), 0) + 1 FROM loads").fetchone()[0]
            connection.execute(
                "INSERT OR REPLACE INTO loads VALUES (?,?,?,?,?,?,?)", (request, tree, facts, used, *row)
            )
            connection.execute("DELETE FROM loads WHERE used <= ?", (used - _KEPT_LOADS,))

        self._write(write)

    def documents(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Canonical documents by digest; those that are not kept are left out."""
        wanted = list(dict.fromkeys(digests))
        found: dict[str, bytes] = {}
        for at in range(0, len(wanted), _BATCH):
            part = wanted[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            found.update(self._rows(f"SELECT digest, body FROM documents WHERE digest IN ({marks})", part))  # noqa: S608
        return found

    def snapshot(self, key: str) -> str | None:
        """Digest of the snapshot of synced files with this key (Loaded.snapshot_key)."""
        rows = self._rows("SELECT digest FROM snapshots WHERE name=?", (key,))
        return rows[0][0] if rows else None

    def remember_snapshot(self, key: str, digest: str) -> None:
        """Keeps a digest for `snapshot`."""
        self._write(lambda base: base.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (key, digest)))

    def content_digests(self, blobs: Iterable[str]) -> dict[str, tuple[str, int]]:
        """SHA-256 (hex) and size of contents by git's blob id; unknown ones are left out."""
        wanted = list(dict.fromkeys(blobs))
        found: dict[str, tuple[str, int]] = {}
        for at in range(0, len(wanted), _BATCH):
            part = wanted[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            rows = self._rows(f"SELECT blob, sha256, size FROM contents WHERE blob IN ({marks})", part)  # noqa: S608
            found.update((blob, (sha256, size)) for blob, sha256, size in rows)
        return found

    def remember_content_digests(self, learned: Mapping[str, tuple[str, int]]) -> None:
        """Keeps digests for `content_digests`."""
        rows = [(blob, sha256, size) for blob, (sha256, size) in learned.items()]
        if rows:
            self._write(lambda base: base.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", rows))

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        connection = self._open()
        if connection is None:
            return []
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.Error as fault:
            self._give_up(fault)
            return []

    def _write(self, action: Callable[[sqlite3.Connection], object]) -> None:
        """One transaction; nothing happens when the index cannot be written."""
        connection = self._open()
        if connection is None:
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            action(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as fault:
            self._give_up(fault)

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is not None or not self.usable or self._path is None:
            return self._connection
        try:
            make_private_folder(self._path.parent)
            try:
                self._connection = _connect(self._path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                # Damaged, or not a database at all: what it held can be made again.
                self._path.unlink(missing_ok=True)
                self._connection = _connect(self._path)
        except (OSError, sqlite3.Error) as fault:
            self._give_up(fault)
        return self._connection

    def _give_up(self, fault: Exception) -> None:
        self.problem = str(fault) or fault.__class__.__name__
        with contextlib.suppress(sqlite3.Error):
            self.close()


class _Foreign(sqlite3.OperationalError):
    """The file was written by another version of this module."""


def _connect(path: Path) -> sqlite3.Connection:
    """Opens and prepares the file. Raises sqlite3.Error."""
    # Losing the last entries with the machine's power is no harm here, so nothing waits for the disk.
    connection = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _FORMAT):
            raise _Foreign(f"format {version} of the cache is not ours")
        if version == 0:
            path.chmod(0o600)
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version={_FORMAT}")
    except BaseException:
        connection.close()
        raise
    return connection


def _text(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode("ascii")
