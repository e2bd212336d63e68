"""Schema of a plan, `bundlectl.plan/v1`: what `plan -o json` prints and `plan --out` writes.

Written by schema.export; the document is made by model.plan_document.
"""

from bundlectl.schema.parts import ACTIONS, artifacts, backend, diagnostic, place, variables
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
    mapping,
    nullable,
    object_id,
    record,
    text,
    time,
)

VERDICTS = ("both", "change", "conflict", "default", "drift", "suppressed")
REASONS = (
    "alias",
    "backend_default",
    "custom",
    "empty",
    "missing_in_remote",
    "operator_owned",
    "remote_already_set",
    "snoozed",
    "unordered",
    "unset_unsupported",
    "write_only",
)


def _field() -> Schema:
    sides = {
        side: anything(f"The {side} value; left out when there is none") for side in ("recorded", "desired", "observed")
    }
    return record(
        {"path": text("Field of the job, tasks[task_key='x'].timeout_seconds"), "verdict": choice(*VERDICTS)},
        sides
        | {
            "reason": choice(*REASONS),
            "span": nullable(place()),
            "by": nullable(text("Who changed it on the backend")),
            "at": nullable(time("When")),
            "snoozed_until": nullable(time("This drift is left as it is until then")),
            "sensitive": boolean("Whether values are hidden"),
        },
    )


def _change() -> Schema:
    return record(
        {
            "address": address(),
            "action": choice(*ACTIONS),
            "destructive": boolean("Whether a running job or its history goes"),
            "fields": array(_field(), "Every differing field"),
        },
        {
            "id": nullable(text("On the backend; null for a create")),
            "depends_on": array(address(), "Jobs that are applied before"),
            "renamed_from": nullable(text("Old key")),
            "forces_replace": array(text(), "Fields that cannot be changed in place"),
            "active_runs": nullable(integer("null: not asked")),
            "span": nullable(place()),
            "code": nullable(
                record(
                    {
                        "old": nullable(digest("Snapshot before")),
                        "new": nullable(digest("Snapshot after")),
                        "direct": array(text(), "Changed files that the job names"),
                    }
                )
            ),
            "desired": nullable(mapping(anything(), "Job document; null for delete and forget")),
            "observed": nullable(mapping(anything(), "What the backend holds, if it was read")),
            "spec_digest": nullable(digest("Of the job document")),
            "reason": nullable(text("Why, in words")),
            "until": time("Of a delete: how long the job is kept; left out when it is deleted for good"),
            "restores": boolean("A deleted job that was kept comes back with its id and runs"),
        },
    )


def code_file() -> Schema:
    """One changed file."""
    return record(
        {
            "path": text("Relative to the sync root"),
            "status": choice("added", "mode", "modified", "removed"),
            "old": nullable(object_id("Blob before")),
            "new": nullable(object_id("Blob after")),
        },
        {
            "added": nullable(integer("Lines; null for binary and very large files")),
            "removed": nullable(integer("Lines; null for binary and very large files")),
        },
    )


def summary() -> Schema:
    """How many of each."""
    names = (*ACTIONS, "unchanged", "not_selected", "drift", "conflict", "code_files")
    policies = {"denied": integer("Findings of policies that deny"), "warned": integer("Findings that warn")}
    return record({name: integer() for name in names}, policies)


def _guard() -> Schema:
    return record(
        {"guard": text("destructive, dirty, rewind, ..."), "override": nullable(text("Flag; null when nothing does"))},
        {
            "addresses": array(address(), "Jobs that are concerned"),
            "code": text("Registered code", pattern=r"^BND[0-9]{3}$"),
            "summary": text("What is refused"),
            "hint": nullable(text("What to do next")),
        },
    )


def _policy() -> Schema:
    return record(
        {"name": text(), "severity": choice("deny", "warn"), "message": text()},
        {"address": nullable(text()), "span": nullable(place())},
    )


def _plan_source() -> Schema:
    return record(
        {
            "commit": nullable(object_id("Commit that was read")),
            "tree": nullable(object_id("Tree that was read, also when it has uncommitted files")),
            "dirty": boolean("Whether files were not committed"),
        },
        {
            "ref": nullable(text("refs/heads/main; null when detached")),
            "remote": nullable(text("Address of origin, without user and password")),
            "dirty_paths": array(text(), "Files that were not committed"),
            "root": text("Bundle root below the top of the tree"),
            "working_tree": boolean("Whether files were read from disk"),
        },
    )


def _plan_base() -> Schema:
    return record(
        {
            "state_ref": text("Ref that holds the state"),
            "state_tip": nullable(object_id("Its commit; null: nothing was deployed")),
            "lineage": nullable(text("Id of the deployment history")),
            "serial": integer("Deployments so far"),
            "expect": choice("absent", "recorded", description="What must be there at apply"),
        },
        {
            "deployment": nullable(integer("Number of the recorded deployment")),
            "deployment_id": nullable(text("Id of the recorded deployment")),
            "commit": nullable(object_id("Commit of the recorded deployment")),
            "snapshot": nullable(digest("Code of the recorded deployment")),
            "at": nullable(time("When it ended")),
            "by": nullable(text("Who made it")),
        },
    )


def plan() -> Schema:
    """bundlectl.plan/v1. Closed: a plan file with an unknown member is refused."""
    drifted = record({"address": address(), "gone": boolean("Whether the job is gone"), "fields": array(_field())})
    code = record(
        {"changed": array(code_file(), "Files that differ between the snapshots")},
        {"recorded_only": boolean("Whether no job uses the changed code")},
    )
    required = {
        "format": constant("bundlectl.plan/v1"),
        "tool_version": text("Version of bundlectl that made it"),
        "created": time("When it was made"),
        "expires": time("When it ceases to hold"),
        "bundle": text(),
        "target": text(),
        "source": _plan_source(),
        "snapshot": nullable(digest("Code that jobs will run")),
        "config_digest": digest("Of the resolved bundle"),
        "artifacts": artifacts(),
        "base": _plan_base(),
        "backend": backend(),
        "observed": choice("not_read", "partial", "read", description="Whether the backend was asked"),
        "complete": boolean("false: cannot be applied"),
        "changes": array(_change(), "In the order of apply"),
        "code": code,
        "policy": array(_policy(), "Findings of policies"),
        "guards": array(_guard(), "Built-in refusals"),
        "debt": array(address(), "Jobs left out of an earlier deployment, and still behind"),
        "holds": array(mapping(anything()), "Holds on the target"),
        "promotion": nullable(mapping(anything())),
        "rollback": nullable(mapping(anything())),
        "summary": summary(),
        "diagnostics": array(diagnostic()),
        "changes_digest": digest("Over what a reviewer approves"),
        "digest": digest("Over the whole document except itself"),
    }
    optional = {
        "variables": variables(),
        "policy_source": nullable(text("Ref and commit that the policies were read at")),
        "hooks": array(text(), "Hooks of the bundle that run around the deploy, when its invoker allows scripts"),
        "drift": array(drifted, "Jobs that were changed outside"),
        "unchanged": array(address(), "Jobs without a change, when asked for"),
        "left_out": array(address(), "Jobs whose changes the selection leaves out"),
        "selection": nullable(
            record(
                {
                    "select": array(text(), "Patterns of --select, without jobs."),
                    "exclude": array(text(), "Patterns of --exclude, without jobs."),
                    "changed_since": nullable(text("What --changed-since named")),
                    "only": nullable(array(text(), "Keys of the jobs that changed since")),
                }
            )
        ),
    }
    return document("plan", "Plan of bundlectl", record(required, optional))
