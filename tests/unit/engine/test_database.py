"""The engine's database: format, one sequence, transactions, reading what does not exist."""

import sqlite3
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.engine.database import APPLICATION_ID, FORMAT, Database, Store, open_reader, take_ids
from bundlectl.model.errors import StateError


def _open(folder: Path) -> Database:
    return Database(folder / "engine.db", FrozenClock())


def test_a_new_database(tmp_path: Path) -> None:
    database = _open(tmp_path / "engine")
    with database.read() as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        identity = connection.execute("SELECT id FROM engine").fetchone()[0]
    assert (tmp_path / "engine").stat().st_mode & 0o777 == 0o700
    database.close()
    again = _open(tmp_path / "engine")
    with again.read() as connection:
        assert connection.execute("SELECT id FROM engine").fetchone()[0] == identity
    again.close()


def test_writing_is_synchronous(tmp_path: Path) -> None:
    database = _open(tmp_path)
    with database.write() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    database.close()


def test_ids_come_from_one_sequence(tmp_path: Path) -> None:
    database = _open(tmp_path)
    with database.write() as connection:
        assert [take_ids(connection, 3), take_ids(connection, 1), take_ids(connection, 1)] == [1, 4, 5]
    database.close()


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    database = _open(tmp_path)
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        take_ids(connection, 5)
        raise ZeroDivisionError
    with database.write() as connection:
        assert take_ids(connection, 1) == 1
    database.close()


def test_a_reader_sees_one_moment_and_cannot_write(tmp_path: Path) -> None:
    database = _open(tmp_path)
    with database.read() as reader:
        assert reader.execute("SELECT next_id FROM engine").fetchone()[0] == 1
        with database.write() as connection:
            take_ids(connection, 1)
        assert reader.execute("SELECT next_id FROM engine").fetchone()[0] == 1
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("UPDATE engine SET next_id = 9")
    database.close()


@pytest.mark.parametrize(
    ("statement", "code", "text"),
    [
        (f"PRAGMA user_version={FORMAT + 1}", "BND411", f"has format {FORMAT + 1}"),
        ("PRAGMA application_id=7", "BND410", "belongs to another program"),
    ],
)
def test_files_of_others_are_refused(tmp_path: Path, statement: str, code: str, text: str) -> None:
    _open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "engine.db")
    connection.execute(statement)
    connection.close()
    for opener in (lambda: _open(tmp_path), lambda: open_reader(tmp_path / "engine.db")):
        with pytest.raises(StateError) as caught:
            opener()
        assert caught.value.code == code
        assert text in caught.value.summary


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "engine.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StateError):
        _open(tmp_path)


def test_an_engine_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "engine", FrozenClock())
    for table in ("engine", "jobs", "runs", "attempts"):
        with store.read() as connection:
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == []
    assert list(tmp_path.iterdir()) == []
    store.open()
    with store.read() as connection:
        assert len(connection.execute("SELECT * FROM engine").fetchall()) == 1
    store.close()
