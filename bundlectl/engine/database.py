"""The engine's SQLite file: one writing connection, readers of their own, format check and numbered SQL files.

Called by jobs, runs, scheduler and service, which hold the statements. WAL with synchronous=FULL: what was committed
survives a power cut. Whoever writes puts everything that is ready into one transaction.
"""

import contextlib
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from bundlectl.base.clock import Clock
from bundlectl.base.files import make_private_folder
from bundlectl.base.identifiers import random_id
from bundlectl.model.errors import StateError

APPLICATION_ID = 0x62646C65
FORMAT = 3
_SQL = Path(__file__).parent / "sql"
_BUSY_S = 30.0
# Pages of the log before it is moved into the file; the scheduler does it earlier, when it is idle.
_CHECKPOINT_PAGES = 4_000
_FOLDERS = ("workers", "logs", "runs", "snapshots", "objects")


class Database:
    """Opened for writing; readers are opened as they are needed. Threads may use it at once."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Creates the file and its folder when they are missing. Raises StateError, OSError."""
        make_private_folder(path.parent)
        for name in _FOLDERS:
            make_private_folder(path.parent / name)
        self.path = path
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._writer = _connect(path, "rwc")
        try:
            _check_format(self._writer, path)  # before anything is written to a file that may not be ours
            self._writer.execute("PRAGMA journal_mode=WAL")
            self._writer.execute("PRAGMA synchronous=FULL")
            self._writer.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
            _migrate(self._writer, path, clock)
        except BaseException:
            self._writer.close()
            raise

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed at the end, rolled back on an error. Short: no I/O and no foreign code inside."""
        with self._lock:
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back by itself
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view, on a connection of its own."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = open_reader(self.path)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.execute("ROLLBACK")
            self._idle.append(connection)

    def version(self) -> int:
        """Changes when another connection has written."""
        with self._lock:
            row = self._writer.execute("PRAGMA data_version").fetchone()
        return int(row[0])

    def checkpoint(self) -> None:
        """Moves the log into the file, if nobody is in the way."""
        with self._lock, contextlib.suppress(sqlite3.OperationalError):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()
            self._writer.close()


class Store:
    """The database of an engine that may not exist yet: reading it then finds nothing, and creates nothing."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / "engine.db"
        self._clock = clock
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._empty: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        return self._database is not None or self._path.exists()

    def open(self) -> Database:
        """The database, created when it is missing. Raises StateError, OSError."""
        with self._lock:
            if self._database is None:
                self._database = Database(self._path, self._clock)
            return self._database

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view."""
        if self._database is None and not self._path.exists():
            with self._lock:
                if self._empty is None:
                    self._empty = open_empty()
                yield self._empty
            return
        with self.open().read() as connection:
            yield connection

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
            if self._empty is not None:
                self._empty.close()
            self._database = self._empty = None


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises StateError when the file is of another format."""
    connection = _connect(path, "rw")
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA query_only=1")
        if _check_format(connection, path) == 0:
            raise StateError(f'"{path}" is not complete', code="BND410", hint="run any job, or remove the empty file")
    except BaseException:
        connection.close()
        raise
    return connection


def open_empty() -> sqlite3.Connection:
    """What an engine that does not exist yet would read: every table, no row."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    for _, script in _migrations():
        connection.executescript(script)
    return connection


def take_ids(connection: sqlite3.Connection, count: int) -> int:
    """The first of `count` new ids in a row."""
    row = connection.execute(
        "UPDATE engine SET next_id = next_id + ? WHERE one = 1 RETURNING next_id - ?", (count, count)
    ).fetchone()
    return int(row[0])


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.OperationalError as error:
        raise StateError(f'cannot open the engine\'s database "{path}"', code="BND410", detail=str(error)) from error


def _check_format(connection: sqlite3.Connection, path: Path) -> int:
    """The format of the file, 0 for an empty one. Raises StateError for what is not ours, or newer."""
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise StateError(
            f'the engine\'s database "{path}" cannot be read',
            code="BND410",
            detail=str(error),
            hint="put a copy of it back, or move the folder away to begin anew",
        ) from error
    if application not in (0, APPLICATION_ID) or (application == 0 and tables):
        raise StateError(
            f'"{path}" belongs to another program', code="BND410", hint="choose another folder: BUNDLECTL_ENGINE_DIR"
        )
    if version > FORMAT:
        raise StateError(
            f'the engine\'s database "{path}" has format {version}; this version of bundlectl reads up to {FORMAT}',
            code="BND411",
            hint="use the version of bundlectl that wrote it, or a later one",
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path, clock: Clock) -> None:
    found = _check_format(connection, path)
    if found == FORMAT:
        return
    if found:
        _keep_copy(connection, path.with_name(f"{path.name}.format{found}"))
    connection.execute("BEGIN EXCLUSIVE")
    try:
        version = _check_format(connection, path)  # somebody else may have been faster
        for number, script in _migrations():
            if number > version:
                for statement in _statements(script):
                    connection.execute(statement)
        if version == 0:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("INSERT INTO engine VALUES (1, ?, ?, 1, 0)", (random_id(), clock.now_ms()))
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _keep_copy(connection: sqlite3.Connection, path: Path) -> None:
    """What the file was before its format changed, whole: a copy that was interrupted is made again."""
    copy = sqlite3.connect(path)
    try:
        connection.backup(copy)
    finally:
        copy.close()


def _migrations() -> list[tuple[int, str]]:
    return [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in sorted(_SQL.glob("[0-9]*.sql"))]


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would commit the transaction it runs in."""
    text = re.sub(r"--[^\n]*", "", script)
    yield from (statement for statement in text.split(";") if statement.strip())
