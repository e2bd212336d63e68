"""What tasks did, by their own account, and whether the engine's rows agree with it. Shares no code with the engine.

A task appends `begin` and `end` lines with its key, which the element of an iteration follows, and the name of its
launch to one file; the judge reads that file
and the database with nothing but sqlite3.
"""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

TASK = (
    'echo "begin $BUNDLECTL_TASK_KEY$1 $BUNDLECTL_ATTEMPT" >> "$LEDGER"; sleep {seconds}; '
    'echo "end $BUNDLECTL_TASK_KEY$1 $BUNDLECTL_ATTEMPT" >> "$LEDGER"; exit {code}'
)


class Entry(NamedTuple):
    """One line of a ledger."""

    what: str
    task: str
    launch: str  # attempt id and number of the launch


def read(path: Path) -> list[Entry]:
    """The ledger, in order."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Entry(what, task, mark.partition(":")[0]) for what, task, mark in (line.split() for line in lines)]


def rows(database: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of the engine's database."""
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def judge(database: Path, ledger: list[Entry]) -> dict[str, int]:
    """Holds the ledger against the rows; raises AssertionError. Gives counts of what happened."""
    assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    attempts = rows(database, "SELECT * FROM attempts")
    assert not [row for row in rows(database, "SELECT * FROM runs") if row["ended"] == 0], "a run never ended"
    assert not [row for row in attempts if row["ended"] == 0], "an attempt never ended"
    began = Counter(entry.launch for entry in ledger if entry.what == "begin")
    assert not [launch for launch, count in began.items() if count > 1], "an attempt was started twice"
    finished = Counter(entry.task for entry in ledger if entry.what == "end")
    ended = {entry.launch for entry in ledger if entry.what == "end"}
    for row in attempts:
        mine = f"{row['id']}-{row['launch']}"
        if not row["launch"]:
            continue  # it never had a process
        if row["result"] == "SUCCESS":
            assert mine in ended, f"{row['task_key']} is a success, and its process did not get to its end"
        if row["lost"]:
            assert row["state"] == "INTERNAL_ERROR" and "unknown" in row["message"]
        elif mine in ended and row["result"] not in ("SUCCESS", "FAILED"):
            raise AssertionError(f"{row['task_key']} ran to its end and is {row['result']}")
    known = {f"{row['id']}-{row['launch']}" for row in attempts}
    assert not [entry for entry in ledger if entry.launch not in known], "a process that no row knows"
    return {
        "attempts": len(attempts),
        "finished": sum(finished.values()),
        "lost": sum(row["lost"] for row in attempts),
        "launches": sum(row["launch"] for row in attempts),
    }


def assert_no_overlap(ledger: list[Entry]) -> None:
    """A retry of a task never runs beside the attempt before it: begin and end lines do not cross."""
    last: dict[str, str] = {}
    for entry in ledger:
        if entry.what == "begin":
            last[entry.task] = entry.launch
        else:
            assert last[entry.task] == entry.launch, f"an attempt of {entry.task} went on beside its retry"
