"""Whether an engine's database is whole: asked by doctor, without opening it for writing.

Does not mend anything; what is found is text for people.
"""

import sqlite3
from pathlib import Path

from bundlectl.engine.database import open_reader
from bundlectl.model.errors import StateError

_MOST = 10  # findings that are worth reading


def problems(folder: Path) -> tuple[str, ...] | None:
    """What is wrong with the database in a folder; None when there is no engine. Takes seconds for a large one."""
    path = folder / "engine.db"
    if not path.exists():
        return None
    try:
        connection = open_reader(path)
    except StateError as error:
        return (error.summary,)
    except sqlite3.DatabaseError as error:
        return (str(error),)
    try:
        rows = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
        broken = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST)
        dangling = [f"{row[0]}: a row refers to one that is gone" for row in broken]
        return tuple([row for row in rows if row != "ok"] + dangling)
    except sqlite3.DatabaseError as error:
        return (str(error),)
    finally:
        connection.close()
