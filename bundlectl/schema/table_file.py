"""The field tables as a file beside this module: made from the models by schema.export, read by config.structure.

Reading it takes some milliseconds, deriving the tables anew some hundred, nearly all of it to load the models. What a
field means in words is left out: nobody who reads a bundle asks.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bundlectl.schema.table import Entry, Kind, Limits, Table, Tables

PATH = Path(__file__).with_name("tables.json")

_LIMITS = ("code", "error", "choices", "least", "most", "min_length", "max_length", "max_bytes", "pattern", "form")
_FLAGS = ("unique", "read_only", "read_only_error")
_TEXTS = ("key", "read_only_hint")
_TABLE = ("keeps_unknown", "required", "must_have", "known_as", "one_of", "may_be_none", "one_of_code", "one_of_error")


def read_tables(path: Path = PATH) -> Tables:
    """The tables of the file. Raises OSError, and ValueError or KeyError for a file that we did not write."""
    document = json.loads(path.read_bytes())
    rows: Sequence[Mapping[str, Any]] = document["tables"]
    made = [Table(row["name"], row["what"], strict=row["strict"]) for row in rows]
    for table, row in zip(made, rows, strict=True):
        for name in _TABLE:
            value = row[name]
            setattr(table, name, tuple(value) if isinstance(value, list) else value)
        table.fields = {name: _read_entry(entry, made) for name, entry in row["fields"].items()}
    return Tables(made[document["file"]], made[document["job"]])


def _read_entry(row: Mapping[str, Any], made: Sequence[Table]) -> Entry:
    about = {name: row[name] for name in (*_FLAGS, *_TEXTS) if name in row}
    limits = row.get("limits")
    return Entry(
        Kind[row["kind"]],
        item=_read_entry(row["item"], made) if "item" in row else None,
        table=made[row["table"]] if "table" in row else None,
        options=tuple(_read_entry(option, made) for option in row.get("options", ())),
        limits=Limits(**{**limits, "choices": tuple(limits.get("choices", ()))}) if limits is not None else None,
        refused=tuple(row["refused"]) if "refused" in row else None,
        **about,
    )


def tables_text(tables: Tables) -> str:
    """The text of the file for some tables."""
    writer = _Writer()
    document = {"file": writer.number(tables.file), "job": writer.number(tables.job), "tables": writer.rows}
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


class _Writer:
    """Numbers tables as they are met, because a task holds a task."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}

    def number(self, table: Table) -> int:
        known = self._numbers.get(id(table))
        if known is not None:
            return known
        number = self._numbers[id(table)] = len(self.rows)
        row: dict[str, Any] = {"name": table.name, "what": table.what, "strict": table.strict}
        self.rows.append(row)
        row.update({name: getattr(table, name) for name in _TABLE})
        row["fields"] = {name: self._entry(entry) for name, entry in table.fields.items()}
        return number

    def _entry(self, entry: Entry) -> dict[str, Any]:
        row: dict[str, Any] = {"kind": entry.kind.name}
        if entry.item is not None:
            row["item"] = self._entry(entry.item)
        if entry.table is not None:
            row["table"] = self.number(entry.table)
        if entry.options:
            row["options"] = [self._entry(option) for option in entry.options]
        if entry.limits is not None:
            values = {name: getattr(entry.limits, name) for name in _LIMITS}
            row["limits"] = {name: value for name, value in values.items() if value or value.__class__ in (int, float)}
        if entry.refused is not None:
            row["refused"] = entry.refused
        row.update({name: True for name in _FLAGS if getattr(entry, name)})
        row.update({name: getattr(entry, name) for name in _TEXTS if getattr(entry, name) is not None})
        return row
