"""Parts that several published schemas share: findings, places, backends, artifacts, variables.

Used by the schemas of documents and results beside it.
"""

from bundlectl.schema.shapes import Schema, array, choice, digest, integer, nullable, record, text

ACTIONS = ("create", "delete", "forget", "rename", "replace", "update")


def position() -> Schema:
    """Line and column, from 1."""
    return record({"line": integer("From 1", least=1), "column": integer("From 1, in characters", least=1)})


def place() -> Schema:
    """Where a plan says that something is written."""
    return record(
        {
            "file": text("Relative to the top of the tree"),
            "line": integer("From 1", least=1),
            "column": integer("From 1, in characters", least=1),
        },
        {"revision": nullable(text("Commit that was read"))},
    )


def diagnostic() -> Schema:
    """One finding."""
    span = record(
        {"file": text("Relative to the top of the tree"), "start": position()},
        {"end": position(), "revision": nullable(text("Commit that was read"))},
        more=True,
    )
    return record(
        {
            "code": text("Registered code", pattern=r"^BND[0-9]{3}$"),
            "severity": choice("error", "warning", "note"),
            "summary": text("What is wrong, in one line"),
        },
        {
            "detail": nullable(text("What the caret line adds")),
            "hint": nullable(text("What to do next")),
            "path": nullable(text("Field in the bundle")),
            "spans": array(span, "The place to edit first"),
            "related": array(record({"span": span, "text": text()}, more=True), "Other places that explain it"),
            "docs": nullable(text("Where to read more")),
        },
        more=True,
    )


def backend() -> Schema:
    """Which backend."""
    return record(
        {"kind": text("local, databricks, server, airflow or a plug-in's name")},
        {"host": nullable(text("Address")), "workspace_id": nullable(text("Workspace, or UUID of the engine"))},
    )


def artifacts() -> Schema:
    """Built files that belong to a deployment."""
    return array(
        record(
            {"path": text("Relative to the top of the tree; a pattern while it is not built")},
            {
                "digest": nullable(digest("Of the file; null when it is built at deploy")),
                "built_from": nullable(text("Git id of the files that the build sees; null for a file of the tree")),
                "name": text("Key of the artifact; left out for a library that is no artifact"),
                "build": text("Command, of an artifact that is built at deploy"),
                "environment": digest("Of the environment, of an artifact that is built at deploy"),
            },
        ),
        "Built files that belong to the deployment",
    )


def variables() -> Schema:
    """Variables that the invoker gave; by digest, never by value."""
    return array(
        record(
            {"name": text(), "origin": text("flag, environment, file, overrides-file"), "digest": nullable(digest())}
        ),
        "Variables that the invoker gave, by digest",
    )


def unknown() -> Schema:
    """What could not be determined, and why."""
    return array(
        record({"field": text("What could not be determined"), "reason": text()}),
        "What could not be determined, and why",
    )
