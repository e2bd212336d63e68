"""Runs inside the task process: statements on DuckDB with bound parameters; the last result set is kept.

Called by engine.taskside.launcher and notebook. One process at a time works on a database file: the others wait.
"""

import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from bundlectl.engine.taskside.sql_text import Statement, split

MAX_ROWS = 1000
MAX_BYTES = 48 * 1024  # of the rows as JSON
_SHOWN_ROWS = 20
_POLL_S = 0.05


class SqlFailed(Exception):
    """A statement cannot run. The message is one line that names the statement and the place."""


class ResultSet(NamedTuple):
    """What a statement returned, as JSON values."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    truncated: bool  # there were more rows than are kept


EMPTY = ResultSet((), [], False)


def run_file(task: Mapping[str, Any]) -> dict[str, Any]:
    """Runs the file of an SQL task; the result document for the engine. Raises SqlFailed."""
    with open(task["path"], encoding="utf-8-sig") as file:
        text = file.read()
    result = run_text(text, task["database"], task["parameters"], task["path"], 1)
    output = {"query_text": text[:MAX_BYTES], "warehouse_id": task["warehouse_id"]}
    return {
        "sql_output": {"file_output": output},
        "columns": list(result.columns),
        "rows": result.rows,
        "truncated": result.truncated,
    }


def run_text(text: str, database: str, parameters: Mapping[str, str], file: str, line: int) -> ResultSet:
    """Runs statements in order on one connection and stops at the first error; the last result set.

    `line` is that of the first line of `text` in `file`. Raises SqlFailed.
    """
    try:
        import duckdb
    except ImportError:
        raise SqlFailed("DuckDB is not installed in this environment: install bundlectl[sql], or duckdb") from None
    statements = split(text)
    result = EMPTY
    with _only_one(database), _connect(duckdb, database) as connection:
        for number, statement in enumerate(statements, 1):
            where = f"statement {number} of {len(statements)} ({os.path.basename(file)}:{line + statement.line - 1})"
            try:
                returned = _execute(connection, statement, parameters)
            except KeyError as missing:
                raise SqlFailed(f'{where}: no value for the parameter ":{missing.args[0]}"') from None
            except duckdb.Error as error:
                print(f"-- {where}\n{statement.text}\n{error}", flush=True)
                first = str(error).partition("\n")[0]
                raise SqlFailed(f"{where}: {first}") from None
            if returned is not None:
                result = returned
                _show(result)
    return result


def _execute(connection: Any, statement: Statement, parameters: Mapping[str, str]) -> ResultSet | None:
    values = {f"bundlectl_{index}": parameters[name] for index, name in enumerate(statement.names, 1)}
    connection.execute(statement.text, values) if values else connection.execute(statement.text)
    description = connection.description
    if not description:
        return None
    kinds = {kind.name for kind in connection.extract_statements(statement.text)[0].expected_result_type}
    if "NOTHING" in kinds or ("CHANGED_ROWS" in kinds and [column[0] for column in description] == ["Count"]):
        return None
    columns = _unique([str(column[0]) for column in description])
    rows: list[dict[str, Any]] = []
    size = 2
    while (row := connection.fetchone()) is not None:
        made = {name: plain(value) for name, value in zip(columns, row, strict=True)}
        size += len(json.dumps(made, ensure_ascii=False).encode()) + 1
        if len(rows) == MAX_ROWS or size > MAX_BYTES:
            return ResultSet(columns, rows, True)
        rows.append(made)
    return ResultSet(columns, rows, False)


def plain(value: Any) -> Any:
    """A value of the database as JSON: numbers as numbers, dates, decimals and the rest as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        import base64

        return base64.b64encode(bytes(value)).decode("ascii")
    moment = getattr(value, "isoformat", None)
    return moment() if moment is not None else str(value)


def _unique(names: list[str]) -> tuple[str, ...]:
    """Column names, a repeated one with a number."""
    found: dict[str, None] = {}
    for name in names:
        candidate, count = name, 1
        while candidate in found:
            candidate, count = f"{name}_{count}", count + 1
        found[candidate] = None
    return tuple(found)


def _show(result: ResultSet) -> None:
    """The beginning of a result set as a table in the log."""
    shown = [[_cell(row[name]) for name in result.columns] for row in result.rows[:_SHOWN_ROWS]]
    widths = [max(len(line[i]) for line in [list(result.columns), *shown]) for i in range(len(result.columns))]
    for line in [list(result.columns), ["-" * width for width in widths], *shown]:
        print(" | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    more = len(result.rows) - len(shown)
    rest = f", {more} not shown" if more else ""
    print(f"({len(result.rows)}{' or more' if result.truncated else ''} rows{rest})\n", flush=True)


def _cell(value: Any) -> str:
    text = "NULL" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "..."


@contextmanager
def _only_one(database: str) -> Iterator[None]:
    """Waits until no other task of the engine works on the database file: DuckDB allows one writing process."""
    descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("(waiting for another task that uses the database)", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _connect(duckdb: Any, database: str) -> Any:
    """A connection; waits while a process that does not know our lock has the file open. Raises SqlFailed."""
    said = False
    while True:
        try:
            return duckdb.connect(database)
        except duckdb.Error as error:
            if not isinstance(error, duckdb.IOException) or "lock" not in str(error).lower():
                raise SqlFailed(f"The database cannot be opened: {str(error).partition(chr(10))[0]}") from None
        if not said:
            print("(waiting for another process that has the database open)", flush=True)
            said = True
        time.sleep(_POLL_S)
