"""Schemas of the manifests of deployments and runs, which are kept with the state.

Written by schema.export; the documents are made by operations and the engine (model.manifest).
"""

from bundlectl.schema.parts import ACTIONS, artifacts, backend, unknown, variables
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

KINDS = (
    "accept-rewrite",
    "bind",
    "deploy",
    "destroy",
    "gc",
    "hold",
    "lift",
    "promote",
    "recover",
    "rollback",
    "snooze",
    "unbind",
    "undelete",
    "unlock",
)
ATTEMPT_STATES = (
    "CANCELED",
    "DISABLED",
    "EXCLUDED",
    "FAILED",
    "LOST",
    "MAXIMUM_CONCURRENT_RUNS_REACHED",
    "SUCCESS",
    "SUCCESS_WITH_FAILURES",
    "TIMEDOUT",
    "UPSTREAM_CANCELED",
    "UPSTREAM_FAILED",
)


def deployment() -> Schema:
    """bundlectl.deployment/v1."""
    return document("deployment", "Deployment manifest of bundlectl", deployment_body())


def deployment_body() -> Schema:
    """The manifest without the head of a schema, for documents that hold one."""
    source = record(
        {
            "repository": nullable(text("Address, without user and password")),
            "ref": nullable(text()),
            "commit": nullable(object_id()),
            "tree": nullable(object_id()),
            "root": text("Bundle root below the top of the tree"),
            "dirty": boolean(),
        },
        {"dirty_paths": array(text())},
    )
    job = record(
        {
            "address": address(),
            "id": nullable(text("On the backend")),
            "action": choice(*ACTIONS, "none", "tombstone", "unchanged", "undelete"),
            "spec_digest": nullable(digest()),
            "outcome": choice("done", "failed", "not_started", "skipped", "unknown"),
            "renamed_from": nullable(text("Old key")),
        },
        {"error": nullable(text()), "not_converged": array(text())},
    )
    return record(
        {
            "format": constant("bundlectl.deployment/v1"),
            "id": text("Sorts by time"),
            "serial": integer("Counts finished deployments"),
            "lineage": text("Id of the deployment history"),
            "parent": nullable(digest("Of the manifest before; null for the first")),
            "bundle": text(),
            "target": text(),
            "kind": choice(*KINDS),
            "source": source,
            "snapshot": nullable(_snapshot()),
            "artifacts": artifacts(),
            "config_digest": digest(),
            "variables": variables(),
            "jobs": array(job),
            "plan": nullable(_plan_reference()),
            "approval": nullable(_approval()),
            "promotion": nullable(mapping(anything())),
            "rollback": nullable(mapping(anything())),
            "hold": nullable(mapping(anything())),
            "debt": array(address()),
            "backend": backend(),
            "actor": _actor(),
            "tool": _tool(),
            "started": time(),
            "ended": nullable(time()),
            "outcome": choice("complete", "failed", "partial"),
            "recovered_from": nullable(text("Deployment whose apply was ended")),
            "unknown": unknown(),
        }
    )


def _approval() -> Schema:
    return record(
        {"by": text(), "how": text("prompt, flag, ..."), "overrides": array(_override())},
        {
            "allowed": array(choice("build", "python", "scripts"), "Kinds of code of the bundle that might run"),
            "policies": array(_policy_line()),
            "policy_source": nullable(text()),
        },
    )


def _override() -> Schema:
    return record({"guard": text()}, {"reason": nullable(text()), "value": nullable(text())})


def _policy_line() -> Schema:
    return record({"name": text(), "severity": choice("deny", "warn")})


def _snapshot() -> Schema:
    return record(
        {"digest": digest(), "files": nullable(integer()), "bytes": nullable(integer())},
        {"mode": choice("git_source", "in_place", "snapshot")},
    )


def _plan_reference() -> Schema:
    return record(
        {
            "digest": digest(),
            "changes_digest": digest(),
            "reviewed": choice("auto", "expect", "interactive", "plan-file"),
        }
    )


def _actor() -> Schema:
    ci = record({"platform": text()}, {name: nullable(text()) for name in ("run_url", "workflow", "actor")})
    return record({"name": text(), "verified": boolean()}, {"ci": nullable(ci)})


def _tool() -> Schema:
    return record(
        {"name": constant("bundlectl"), "version": text()},
        {"python": text(), "lock_digest": nullable(digest("Of the packages that bundlectl runs with"))},
    )


def run_manifest() -> Schema:
    """bundlectl.run-manifest/v1. `outcome`, its digest and `sealed` come at the end of the run."""
    return document("run-manifest", "Run manifest of bundlectl", run_manifest_body())


def run_manifest_body() -> Schema:
    """The manifest without the head of a schema, for documents that hold one."""
    return record(
        {
            "format": constant("bundlectl.run-manifest/v1"),
            "inputs": _inputs(),
            "inputs_digest": digest("Over what determines a run"),
            "inputs_full_digest": digest("Over all inputs"),
        },
        {
            "outcome": _outcome(),
            "outcome_digest": digest(),
            "sealed": time(),
            "run_id": text("Of a run that has not ended"),
            "queued": time("When a run that has not ended was asked for"),
        },
    )


def _inputs() -> Schema:
    parameter = record(
        {"name": text(), "value": anything(), "origin": choice("backfill", "default", "job", "run", "trigger")},
        {"digest": text("Keyed digest of a sensitive value")},
    )
    package = record({"name": text(), "version": text()}, {"digest": nullable(text())})
    environment = record(
        {"key": text(), "lock": nullable(digest()), "python": nullable(text()), "packages": array(package)},
        {"image": nullable(text())},
    )
    return record(
        {
            "bundle": text(),
            "job": address(),
            "target": text(),
            "source": record({"commit": nullable(object_id()), "tree": nullable(object_id()), "dirty": boolean()}),
            "snapshot": nullable(digest()),
            "artifacts": artifacts(),
            "spec": record({"digest": digest(), "document": mapping(anything())}),
            "parameters": array(parameter),
            "task_overrides": mapping(anything()),
            "only": array(text()),
            "environment": array(environment),
            "secrets": array(record({"ref": text(pattern=r"^secret:")}, {"version": nullable(text())})),
            "engine": record({"kind": text(), "version": nullable(text()), "semantics": text()}),
            "deployment": nullable(
                record(
                    {"lineage": text(), "serial": integer()},
                    {"manifest": nullable(digest()), "id": text("Of the deployment")},
                )
            ),
        },
        {"logical_time": nullable(time())},
    )


def _outcome() -> Schema:
    log = record({"digest": nullable(digest()), "bytes": integer(), "truncated": integer()})
    attempt = record(
        {
            "n": integer(),
            "run_id": text(),
            "started": nullable(time()),
            "ended": nullable(time()),
            "exit_code": nullable(integer(least=None)),
            "signal": nullable(anything()),
            "host": nullable(text()),
            "state": choice(*ATTEMPT_STATES),
            "log": nullable(log),
        },
        {"message": nullable(text())},
    )
    outputs = array(record({"path": text(), "digest": digest(), "bytes": integer()}))
    iteration = record(
        {"index": integer(), "result_state": nullable(text()), "attempts": array(attempt), "outputs": outputs}
    )
    task = record(
        {
            "task_key": text(),
            "run_if": nullable(text()),
            "result_state": nullable(text()),
            "attempts": array(attempt),
            "values": array(record({"key": text(), "digest": digest()}, {"value": anything()})),
            "outputs": outputs,
        },
        {
            "life_cycle_state": text(),
            "message": nullable(text()),
            "outcome": nullable(text()),
            "iterations": array(iteration),
            "child_run": text("Run that a run_job_task started"),
        },
    )
    trigger = record({"type": text()}, {"by": nullable(text()), "ci_run_url": nullable(text())})
    return record(
        {
            "run_id": text(),
            "number_in_job": nullable(integer()),
            "trigger": trigger,
            "repairs": array(mapping(anything())),
            "replay_of": nullable(text()),
            "backfill": nullable(mapping(anything())),
            "parent_run": nullable(text()),
            "queued": nullable(time()),
            "started": nullable(time()),
            "ended": nullable(time()),
            "life_cycle_state": text(),
            "result_state": nullable(text()),
            "tasks": array(task),
            "messages": array(anything()),
            "unknown": unknown(),
        }
    )
