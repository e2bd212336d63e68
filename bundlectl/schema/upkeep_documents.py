"""Schemas of undelete, gc, bind, import and doctor.

Written by schema.export; the documents are made by render.tombstone_document, bind_text, import_text and doctor_text.
"""

from bundlectl.schema.parts import diagnostic
from bundlectl.schema.shapes import (
    Schema,
    address,
    anything,
    array,
    boolean,
    choice,
    constant,
    document,
    integer,
    nullable,
    record,
    text,
    time,
)

_OUTCOMES = ("done", "failed", "not_started", "skipped", "unknown")


def _result(kind: str, title: str, required: dict[str, Schema]) -> Schema:
    head = {
        "format": constant(f"bundlectl.{kind}/v1"),
        "tool_version": text("Version of bundlectl"),
        "diagnostics": array(diagnostic(), "Findings"),
    }
    return document(kind, title, record(head | required, more=True))


def _end() -> dict[str, Schema]:
    return {
        "outcome": nullable(choice(*_OUTCOMES) | {"description": "null when nothing was done"}),
        "error": nullable(text("Why it failed")),
    }


def undelete() -> Schema:
    """`undelete -o json`, and `undelete --list`."""
    job = record(
        {
            "address": address(),
            "key": text(),
            "id": text("On the backend; it stays"),
            "since": time("When it was deleted"),
            "until": time("How long it is kept at least"),
            "over": boolean("Whether gc lets it go"),
            "in_bundle": boolean("Whether the bundle has it; else the next deploy deletes it again"),
            **_end(),
        },
        more=True,
    )
    required = {
        "target": text(),
        "done": boolean("Whether they were brought back, or are only listed"),
        "jobs": array(job, "By key"),
    }
    return _result("undelete", "Deleted jobs that are kept, or came back", required)


def gc() -> Schema:
    """`gc -o json`."""
    item = {
        "kind": choice("tombstone"),
        "address": address(),
        "id": text("On the backend"),
        "until": time("How long it was to be kept"),
        "reasons": array(text(), "Why it goes or stays"),
    }
    required = {
        "target": text(),
        "dry_run": boolean("Whether nothing was done"),
        "removed": array(record(item | _end(), more=True), "What went, or would go"),
        "kept": array(record(item, more=True), "What stays"),
        "bytes": integer("Bytes on disk that became free; deleted jobs take none that count", least=0),
    }
    return _result("gc", "What nothing refers to any more", required)


def bind() -> Schema:
    """`bind -o json` and `unbind -o json`."""
    field = record({"path": text("Field of the job"), "verdict": text("As in a plan")}, more=True)
    required = {
        "target": text(),
        "address": address(),
        "id": text("On the backend"),
        "action": choice("bind", "unbind"),
        "fields": array(field, "What the bundle says otherwise; a deploy sets it"),
        "in_bundle": boolean("Whether the bundle has the job"),
        **_end(),
    }
    return _result("bind", "A job that was bound or forgotten", required)


def import_() -> Schema:
    """`import -o json`."""
    job = record(
        {
            "id": text("On the backend"),
            "key": nullable(text("In the bundle; null when it failed")),
            "file": nullable(text("That was written, below the top of the repository")),
            "files": array(text(), "Of its code, that were written too"),
            "text": nullable(anything("The YAML")),
            "notes": array(text(), "What could not be expressed"),
            "error": nullable(text("Why it failed")),
        },
        more=True,
    )
    return _result("import", "Jobs as files of a bundle", {"jobs": array(job)})


def doctor() -> Schema:
    """`doctor -o json`."""
    check = record(
        {
            "id": text("Of the check"),
            "status": choice("FAIL", "ok", "warn"),
            "detail": text("What was found"),
            "hint": nullable(text("How to mend it")),
        },
        more=True,
    )
    return _result("doctor", "Checks of what bundlectl stands on", {"checks": array(check)})
