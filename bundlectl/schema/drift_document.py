"""Schemas of drift: `bundlectl.drift/v1`, `bundlectl.drift-accept/v1` and `bundlectl.drift-snoozes/v1`.

Written by schema.export; the documents are made by render.drift_document.
"""

from bundlectl.schema.parts import diagnostic, place
from bundlectl.schema.shapes import (
    Schema,
    address,
    anything,
    array,
    boolean,
    constant,
    digest,
    document,
    integer,
    nullable,
    record,
    text,
    time,
)

_REASON = "operator_owned: pause that operators own; snoozed: left as it is for a time; null: a deploy sets it back"


def _field_members() -> dict[str, Schema]:
    return {
        "path": text("Field of the job, tasks[task_key='x'].timeout_seconds"),
        "by": nullable(text("Who changed the job on the backend; null when it does not tell")),
        "at": nullable(time("When; null when it does not tell")),
        "reason": nullable(text(_REASON)),
        "snoozed_until": nullable(time("It does not count until then")),
    }


def _sides() -> dict[str, Schema]:
    return {
        "recorded": anything("What was deployed; left out when there was none"),
        "observed": anything("What the backend holds; left out when there is none"),
    }


def drift() -> Schema:
    """bundlectl.drift/v1. Open: readers ignore members that they do not know."""
    job = record(
        {
            "address": address(),
            "id": text("On the backend, as recorded"),
            "gone": boolean("Whether the job is not there any more"),
            "mark_changed": boolean("Whether its code path or ownership mark was changed"),
            "copies": array(text(), "Ids of further jobs that carry its ownership id"),
            "fields": array(record(_field_members(), _sides(), more=True), "Every differing field"),
        },
        more=True,
    )
    totals = {
        "jobs": integer("Jobs that were compared"),
        "drifted": integer("Jobs with drift that counts"),
        "fields": integer("Differences that count"),
        "snoozed": integer("Fields that are snoozed"),
    }
    required = {
        "format": constant("bundlectl.drift/v1"),
        "tool_version": text("Version of bundlectl"),
        "target": text(),
        "deployment": integer("Number of the recorded deployment"),
        "jobs": array(job, "Jobs that are not as they were deployed, by address"),
        "strays": array(text(), "Ids of jobs that carry the mark of this target and are not recorded"),
        "summary": record(totals, more=True),
        "diagnostics": array(diagnostic()),
    }
    return document("drift", "Drift of bundlectl", record(required, more=True))


def drift_accept() -> Schema:
    """bundlectl.drift-accept/v1."""
    members = {"address": address(), **_field_members(), "span": nullable(place())}
    file = record(
        {"path": text("Relative to the top of the tree"), "patch": text("Unified diff")},
        more=True,
    )
    required = {
        "format": constant("bundlectl.drift-accept/v1"),
        "tool_version": text("Version of bundlectl"),
        "target": text(),
        "written": boolean("Whether files were written; false with --dry-run"),
        "fields": array(record(members, _sides(), more=True), "A span of null: the bundle says so already"),
        "files": array(file, "Files that were, or would be, written"),
        "elsewhere": array(text(), "Jobs of other targets that change too, as target: job"),
        "diagnostics": array(diagnostic()),
    }
    return document("drift-accept", "Accepted drift of bundlectl", record(required, more=True))


def drift_snoozes() -> Schema:
    """bundlectl.drift-snoozes/v1."""
    snooze = record(
        {
            "address": address(),
            "field": text("Field of the job"),
            "until": time("When the drift counts again"),
            "reason": text("Why"),
            "by": text("Who"),
            "since": time("When it was recorded"),
            "observed": digest("Of the value that it is for"),
            "over": boolean("Whether its time has come"),
        },
        more=True,
    )
    required = {
        "format": constant("bundlectl.drift-snoozes/v1"),
        "tool_version": text("Version of bundlectl"),
        "target": text(),
        "snoozes": array(snooze, "Snoozes that are recorded, by field"),
        "diagnostics": array(diagnostic()),
    }
    return document("drift-snoozes", "Snoozed drift of bundlectl", record(required, more=True))
