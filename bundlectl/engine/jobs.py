"""Job definitions as rows: create, replace, find, list, delete, and the fence that overtaken writers run into.

Called by api.jobs and api.engine inside a transaction of theirs. Settings are kept as they were received; what they
mean is checked before they get here.
"""

import json
import sqlite3
from typing import Any, NamedTuple

from bundlectl.base.digest import canonical_bytes, digest_bytes, digest_document, without_nulls
from bundlectl.engine.database import take_ids


class Job(NamedTuple):
    """One definition."""

    id: int
    own: str | None
    lineage: str | None
    target: str | None
    name: str
    settings: dict[str, Any]
    created: int
    creator: str
    run_as: str = ""  # who its runs act for


class Owner(NamedTuple):
    """Whose job a document is; every member is None for a job of nobody."""

    own: str | None
    lineage: str | None
    target: str | None
    key: str | None


def is_hidden(settings: dict[str, Any]) -> bool:
    """Whether these are the settings of a deleted job that is kept: not listed, and never started."""
    mark = settings.get("bundlectl")
    return isinstance(mark, dict) and mark.get("hidden") is not None


class Overtaken(Exception):
    """A later writer has taken over this lineage and target: its fence is `seen`."""

    def __init__(self, seen: int) -> None:
        super().__init__(f"a later deployment holds fence {seen}")
        self.seen = seen


class OwnerTaken(Exception):
    """Another job carries this ownership id."""

    def __init__(self, own: str, job_id: int) -> None:
        super().__init__(f"job {job_id} carries the ownership id {own}")
        self.job_id = job_id


def owner_of(settings: dict[str, Any]) -> Owner:
    """What bundlectl wrote into the settings about whose job they are."""
    mark = settings.get("bundlectl")
    mark = mark if isinstance(mark, dict) else {}
    return Owner(*(value if isinstance(value := mark.get(name), str) else None for name in Owner._fields))


def raise_fence(connection: sqlite3.Connection, owner: Owner, fence: int) -> None:
    """Notes the fence of a write. Raises Overtaken when a higher one was seen."""
    if owner.lineage is None or owner.target is None:
        return
    where = (owner.lineage, owner.target)
    row = connection.execute("SELECT fence FROM fences WHERE lineage = ? AND target = ?", where).fetchone()
    if row is not None and row[0] > fence:
        raise Overtaken(row[0])
    if row is None or row[0] < fence:
        connection.execute("INSERT OR REPLACE INTO fences VALUES (?, ?, ?)", (*where, fence))


def find_owned(connection: sqlite3.Connection, own: str) -> int | None:
    """The job that carries an ownership id."""
    row = connection.execute("SELECT id FROM jobs WHERE own = ?", (own,)).fetchone()
    return None if row is None else int(row[0])


def create(connection: sqlite3.Connection, settings: dict[str, Any], own: str | None, now: int, creator: str) -> int:
    """The new job's id. Raises OwnerTaken."""
    id = take_ids(connection, 1)
    _check_free(connection, own, id)
    owner = owner_of(settings)
    connection.execute(
        "INSERT INTO jobs (id, own, lineage, target, key, name, digest, document, created, creator, run_as)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(id, own, owner.lineage, owner.target, owner.key),
            *(*_columns(connection, settings), now, creator, _run_as(settings)),
        ),
    )
    return id


def replace(connection: sqlite3.Connection, id: int, settings: dict[str, Any]) -> None:
    """Gives a job new settings, and with them perhaps another owner; whom it acts for stays when they do not say.

    Raises OwnerTaken.
    """
    owner = owner_of(settings)
    _check_free(connection, owner.own, id)
    connection.execute(
        "UPDATE jobs SET own = ?, lineage = ?, target = ?, key = ?, name = ?, digest = ?, document = ?,"
        " run_as = coalesce(?, run_as) WHERE id = ?",
        (
            *(owner.own, owner.lineage, owner.target, owner.key),
            *(*_columns(connection, settings), _run_as(settings), id),
        ),
    )


def delete(connection: sqlite3.Connection, id: int) -> None:
    """Removes a definition. Its runs stay: each has the settings it ran with."""
    connection.execute("DELETE FROM jobs WHERE id = ?", (id,))


def get(connection: sqlite3.Connection, id: int) -> Job | None:
    """One job with its settings."""
    row = connection.execute(f"{_SELECT} WHERE jobs.id = ?", (id,)).fetchone()
    return None if row is None else _job(row)


def page(
    connection: sqlite3.Connection, limit: int, *, below: int, skip: int = 0, name: str | None = None
) -> list[Job]:
    """At most `limit` jobs with ids under `below`, newest first, without hidden ones; `name`: in any case."""
    rows = connection.execute(
        f"{_SELECT} WHERE jobs.id < ? AND (? IS NULL OR lower(jobs.name) = lower(?))"
        " AND json_extract(documents.body, '$.bundlectl.hidden') IS NULL"
        " ORDER BY jobs.id DESC LIMIT ? OFFSET ?",
        (below, name, name, limit, skip),
    )
    return [_job(row) for row in rows]


def owned(connection: sqlite3.Connection, lineage: str, target: str) -> list[tuple[int, str, str]]:
    """(id, ownership id, digest) of every job of a lineage and target: read from an index alone."""
    return connection.execute(
        "SELECT id, own, digest FROM jobs WHERE lineage = ? AND target = ? AND own IS NOT NULL ORDER BY id",
        (lineage, target),
    ).fetchall()


def keep_document(connection: sqlite3.Connection, settings: dict[str, Any]) -> str:
    """Stores settings once and names them by their digest."""
    body = canonical_bytes(settings)
    digest = digest_bytes(body)
    connection.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", (digest, body.decode()))
    return digest


_SELECT = (
    "SELECT jobs.id, own, lineage, target, name, body, created, creator, run_as"
    " FROM jobs JOIN documents ON documents.digest = jobs.document"
)


def _job(row: tuple[Any, ...]) -> Job:
    id, own, lineage, target, name, body, created, creator, run_as = row
    return Job(id, own, lineage, target, name, json.loads(body), created, creator, run_as or creator)


def _run_as(settings: dict[str, Any]) -> str | None:
    """The name in `run_as`, whatever kind of principal it is; None when it is not given."""
    given = settings.get("run_as")
    names = given.values() if isinstance(given, dict) else ()
    return next((name for name in names if isinstance(name, str)), None)


def _columns(connection: sqlite3.Connection, settings: dict[str, Any]) -> tuple[str, str, str]:
    name = settings.get("name") or "Untitled"
    return name, digest_document(without_nulls(settings)), keep_document(connection, settings)


def _check_free(connection: sqlite3.Connection, own: str | None, id: int) -> None:
    holder = None if own is None else find_owned(connection, own)
    if own is not None and holder not in (None, id):
        assert holder is not None
        raise OwnerTaken(own, holder)
