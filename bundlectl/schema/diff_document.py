"""Schema of a comparison, `bundlectl.diff/v1`: what `diff -o json` prints.

Written by schema.export; the document is made by render.diff_document. What is said in a plan too has the plan's names.
"""

from bundlectl.schema.parts import diagnostic, place
from bundlectl.schema.plan_document import code_file
from bundlectl.schema.shapes import (
    Schema,
    address,
    anything,
    array,
    boolean,
    choice,
    constant,
    digest,
    document,
    integer,
    nullable,
    object_id,
    record,
    text,
)

KINDS = ("deployment", "observed", "recorded", "ref", "source", "target", "worktree")
STATUSES = ("added", "changed", "code", "removed", "renamed")


def _class() -> Schema:
    meaning = (
        "Why two targets differ. override: a target says so, also at one commit; version: another commit; drift: the "
        "backend does not hold what was deployed. null: one target, or it cannot be told"
    )
    return {"description": meaning, "enum": ["drift", "override", "version", None]}


def _point() -> Schema:
    return record(
        {
            "kind": choice(*KINDS, description="What was asked for"),
            "name": text("As it can be typed: ref:main, recorded:prod; source is what stands for no word"),
            "target": text("Target that it is resolved for"),
            "commit": nullable(object_id("Commit that was read or deployed")),
            "tree": nullable(object_id("Tree that was read or deployed, also when it has uncommitted files")),
            "ref": nullable(text("refs/heads/main, when a branch or tag was named")),
            "dirty": boolean("Whether files were not committed"),
            "dirty_paths": array(text(), "Files that were not committed, where they are known"),
            "deployment": nullable(integer("Number of the deployment; null for what is not recorded")),
            "snapshot": nullable(digest("Code that jobs run; null when none uses code")),
        },
        more=True,
    )


def _field() -> Schema:
    return record(
        {
            "path": text("Field of the job, tasks[task_key='x'].timeout_seconds"),
            "class": _class(),
            "left_span": nullable(place()),
            "right_span": nullable(place()),
        },
        {
            "left": anything("Value on the side of `from`; left out when there is none"),
            "right": anything("Value on the side of `to`; left out when there is none"),
        },
        more=True,
    )


def _job() -> Schema:
    code = record(
        {
            "old": nullable(digest("Snapshot on the side of `from`")),
            "new": nullable(digest("Snapshot on the side of `to`")),
            "direct": array(text(), "Changed files that the job names"),
        },
        more=True,
    )
    return record(
        {
            "address": address("The job as `to` names it, a removed one as `from` does"),
            "status": choice(*STATUSES, description="code: its fields are equal, a file that it names is not"),
            "renamed_from": nullable(text("Key on the side of `from`")),
            "class": _class(),
            "left_span": nullable(place()),
            "right_span": nullable(place()),
            "code": nullable(code),
            "fields": array(_field(), "Every differing field, by path"),
        },
        more=True,
    )


def _file() -> Schema:
    patch = record(
        {
            "text": text("Unified diff; empty when there is a note"),
            "lines_left_out": integer("Lines beyond the limit"),
            "note": nullable(text("Why there is no diff: binary, too large")),
        },
        more=True,
    )
    file = code_file()
    members = {name: file["properties"][name] for name in file["required"]}
    others = {name: schema for name, schema in file["properties"].items() if name not in members}
    members["jobs"] = array(address(), "Jobs that name the file")
    return record(members, others | {"patch": patch}, more=True)


def diff() -> Schema:
    """bundlectl.diff/v1. Open: readers ignore members that they do not know."""
    totals = (*STATUSES, "unchanged", "not_selected", "code_files", "code_jobs")
    required = {
        "format": constant("bundlectl.diff/v1"),
        "tool_version": text("Version of bundlectl"),
        "bundle": text(),
        "from": _point(),
        "to": _point(),
        "jobs": array(_job(), "Jobs that differ, by address"),
        "code": array(_file(), "Files of the code that differ, by path"),
        "summary": record({name: integer() for name in totals}, more=True),
        "diagnostics": array(diagnostic(), "Findings of both sides; spans name the commit"),
    }
    return document("diff", "Comparison of bundlectl", record(required, more=True))
