"""The published schema of bundle files, made of the field tables: for editors and for other tools.

Written by schema.export. Accepts every bundle that loads without a warning: a reference wherever a value may be one,
numbers and booleans where text is expected, null for lists and maps, and keys that only serve YAML anchors outside of
jobs. What a target changes may be a part, so nothing is required there.
"""

import re
from collections.abc import Iterator

from bundlectl.schema.shapes import Schema, boolean, document
from bundlectl.schema.table import Entry, Kind, Limits, Table, Tables

_REFERENCE: Schema = {"$ref": "#/definitions/Reference"}
_TEXT_WITH_REFERENCE: Schema = {"$ref": "#/definitions/TextWithReference"}
_COMMON: dict[str, Schema] = {
    "Reference": {
        "description": "A value given by reference, for example ${var.name}",
        "type": "string",
        "pattern": r"^\$\{[^{}]+\}$",
    },
    "TextWithReference": {
        "description": "Text that holds a reference, for example ${var.name}",
        "type": "string",
        "pattern": r"\$\{[^{}]+\}",
    },
}
# Kinds that become text, the most first, and what they become.
_NOT_TEXT: tuple[tuple[list[str], tuple[str, ...]], ...] = (
    (["number", "boolean"], ("7", "-7", "1.5", "true", "false")),
    (["integer", "boolean"], ("7", "-7", "true", "false")),
)
_PARTIAL = "Part"  # suffix of definitions in which nothing is required


def bundle_schema(tables: Tables) -> Schema:
    """The schema of a bundle file."""
    return _Writer().whole("bundle", "Bundle", tables.file)


def job_schema(tables: Tables) -> Schema:
    """The schema of one job, as it stands under resources.jobs."""
    return _Writer().whole("job", "Job of a bundle", tables.job)


class _Writer:
    """Collects the definitions that a root needs, each once; those below a target are parts."""

    def __init__(self) -> None:
        self._definitions: dict[str, Schema] = dict(_COMMON)
        self._demanding: dict[int, bool] = {}

    def whole(self, kind: str, title: str, root: Table) -> Schema:
        body = self._map(root, partial=False)
        return document(kind, title, {**body, "definitions": dict(sorted(self._definitions.items()))})

    def _map(self, table: Table, *, partial: bool) -> Schema:
        schema: Schema = {"type": "object", "properties": {}}
        for name, entry in table.fields.items():
            below_target = partial or (not table.strict and name in ("targets", "environments"))
            schema["properties"][name] = self._field(entry, partial=below_target)
        if table.must_have and not partial:
            schema["required"] = list(table.must_have)
        if table.one_of and not partial and not table.may_be_none:
            schema["oneOf"] = [{"required": [name]} for name in table.one_of]
        if table.strict:
            schema["additionalProperties"] = False
        return schema

    def _field(self, entry: Entry, *, partial: bool) -> Schema:
        schema = {"description": entry.description} if entry.description else {}
        if entry.read_only:
            return {**schema, "readOnly": True}
        options = list(self._options(entry, partial=partial))
        return {**schema, **(options[0] if len(options) == 1 else {"anyOf": options})}

    def _options(self, entry: Entry, *, partial: bool) -> Iterator[Schema]:
        """The forms that a value may have."""
        if entry.kind is Kind.ANY:
            yield {}
        elif entry.kind is Kind.SCALAR:
            yield {"type": ["string", "number", "boolean"]}
        elif entry.kind is Kind.TEXT:
            yield from _texts(entry.limits)
        elif entry.kind is Kind.BOOL:
            yield from (boolean(), _REFERENCE)
        elif entry.kind in (Kind.INT, Kind.FLOAT):
            yield from _numbers(entry)
        elif entry.kind is Kind.EITHER:
            for option in entry.options:
                yield from self._options(option, partial=partial)
        else:
            yield self._container(entry, partial=partial)
            yield from ({"type": "null"}, _REFERENCE)

    def _container(self, entry: Entry, *, partial: bool) -> Schema:
        if entry.table is not None:
            return self._reference(entry.table, partial=partial)
        assert entry.item is not None
        item = self._field(entry.item, partial=partial)
        if entry.kind is Kind.MAP:
            most = {"maxProperties": entry.limits.max_length} if entry.limits and entry.limits.max_length else {}
            return {"type": "object", "additionalProperties": item, **most}
        limits = entry.limits
        least = {"minItems": limits.min_length} if limits and limits.min_length and not partial else {}
        most = {"maxItems": limits.max_length} if limits and limits.max_length else {}
        return {"type": "array", "items": item, **least, **most}

    def _reference(self, table: Table, *, partial: bool) -> Schema:
        partial = partial and self._demands(table)
        name = table.name + (_PARTIAL if partial else "")
        if name not in self._definitions:
            self._definitions[name] = {}  # a task holds a task
            self._definitions[name] = self._map(table, partial=partial)
        return {"$ref": f"#/definitions/{name}"}

    def _demands(self, table: Table) -> bool:
        """Whether something is required in a map or below it, so that a part of it needs a definition of its own."""
        if id(table) not in self._demanding:
            self._demanding[id(table)] = bool(table.must_have or table.one_of)
            below = (inner for entry in table.fields.values() for inner in _tables_in(entry))
            self._demanding[id(table)] = self._demanding[id(table)] or any(self._demands(inner) for inner in below)
        return self._demanding[id(table)]


def _tables_in(entry: Entry) -> Iterator[Table]:
    if entry.table is not None:
        yield entry.table
    for part in (entry.item, *entry.options):
        if part is not None:
            yield from _tables_in(part)


def _texts(limits: Limits | None) -> Iterator[Schema]:
    if limits is None:
        yield {"type": ["string", "number", "boolean"]}
        return
    if limits.choices:
        yield {"enum": list(limits.choices)}
    else:
        schema: Schema = {"type": "string"}
        if limits.pattern is not None:
            schema["pattern"] = limits.pattern
        if limits.form == "duration":
            schema["pattern"] = "^[1-9][0-9]*[smhdw]$"
        if limits.min_length is not None:
            schema["minLength"] = limits.min_length
        if limits.max_length is not None:
            schema["maxLength"] = limits.max_length
        elif limits.max_bytes is not None:
            schema["maxLength"] = limits.max_bytes  # no text has more characters than bytes
        yield schema
        if len(schema) == 1:
            yield {"type": ["number", "boolean"]}
        else:
            yield from _as_text(limits)
    yield _TEXT_WITH_REFERENCE


def _as_text(limits: Limits) -> Iterator[Schema]:
    """Numbers and booleans become text: good where such text is."""
    good = limits.form != "duration"
    for kinds, texts in _NOT_TEXT:
        if good and all(limits.pattern is None or re.fullmatch(limits.pattern, text) for text in texts):
            yield {"type": kinds}
            return


def _numbers(entry: Entry) -> Iterator[Schema]:
    whole = entry.kind is Kind.INT
    schema: Schema = {"type": "integer" if whole else "number"}
    if entry.limits is not None and entry.limits.least is not None:
        schema["minimum"] = entry.limits.least
    if entry.limits is not None and entry.limits.most is not None:
        schema["maximum"] = entry.limits.most
    yield schema
    digits = "^[-+]?[0-9]+$" if whole else r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"
    yield {"description": "The number as text", "type": "string", "pattern": digits}
    yield _TEXT_WITH_REFERENCE
