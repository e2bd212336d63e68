"""Small builders of JSON Schema (draft-07 words): what the published shapes of documents are written with.

Used by schema.documents, schema.results and schema.export. Makes plain dictionaries; validates nothing.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"


def text(description: str = "", *, pattern: str | None = None) -> Schema:
    """Any text, or text of a form."""
    return _described({"type": "string"} | ({"pattern": pattern} if pattern else {}), description)


def integer(description: str = "", *, least: int | None = 0) -> Schema:
    """A whole number, by default not below zero."""
    return _described({"type": "integer"} | ({} if least is None else {"minimum": least}), description)


def boolean(description: str = "") -> Schema:
    """true or false."""
    return _described({"type": "boolean"}, description)


def choice(*values: str, description: str = "") -> Schema:
    """One of some words."""
    return _described({"enum": list(values)}, description)


def constant(value: str, description: str = "") -> Schema:
    """Exactly this text."""
    return _described({"const": value}, description)


def digest(description: str = "") -> Schema:
    """sha256:<64 hex digits>."""
    return text(description, pattern=r"^sha256:[0-9a-f]{64}$")


def object_id(description: str = "") -> Schema:
    """The full id of a git object: 40 hex digits, or 64."""
    return text(description, pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")


def time(description: str = "") -> Schema:
    """RFC 3339 in UTC."""
    return text(description, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$")


def address(description: str = "The job, resources.jobs.<key>") -> Schema:
    """The address of a job."""
    return text(description, pattern=r"^resources\.jobs\..+$")


def anything(description: str = "") -> Schema:
    """Any JSON value."""
    return _described({}, description)


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return schema | {"type": [kind, "null"]}
    description = schema.get("description", "")
    inner = {name: value for name, value in schema.items() if name != "description"}
    return _described({"anyOf": [inner, {"type": "null"}]}, description)


def array(items: Schema, description: str = "") -> Schema:
    """A list of one kind of elements."""
    return _described({"type": "array", "items": items}, description)


def mapping(values: Schema, description: str = "") -> Schema:
    """A map with any keys."""
    return _described({"type": "object", "additionalProperties": values}, description)


def record(
    required: Mapping[str, Schema],
    optional: Mapping[str, Schema] | None = None,
    *,
    description: str = "",
    more: bool = False,
) -> Schema:
    """A map with known members. `more`: readers ignore members that they do not know."""
    schema: Schema = {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": more,
    }
    return _described(schema, description)


def document(kind: str, title: str, schema: Schema) -> Schema:
    """A whole schema, with its name and version."""
    return {"$schema": DRAFT, "$id": f"urn:bundlectl:schema:{kind}:v1", "title": title, **schema}


def _described(schema: Schema, description: str) -> Schema:
    return {"description": description, **schema} if description else schema
