"""The deployment manifest (bundlectl.deployment/v1): one finished deploy as a record that can be verified later. Pure.

Called by deploy at its end; stored by state in the closing commit.
"""

import platform
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from bundlectl.base.clock import rfc3339
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.deployment import Deployment
from bundlectl.model.location import address
from bundlectl.model.manifest import DEPLOYMENT_FORMAT
from bundlectl.model.plan import Plan
from bundlectl.model.source import Snapshot
from bundlectl.operations.apply import Applied, Outcome
from bundlectl.operations.context import OperationContext


class Reviewed(NamedTuple):
    """What was approved: how, and the digest of the plan that was looked at (of the file, if there was one)."""

    how: str  # interactive, auto, plan-file
    digest: str


class Approved(Protocol):
    """What a manifest says of a plan and where it came from."""

    @property
    def plan(self) -> Plan: ...
    @property
    def snapshot(self) -> Snapshot | None: ...


class ManifestFacts(NamedTuple):
    """What the plan does not know. Times are epoch milliseconds."""

    id: str
    parent: str | None  # digest of the manifest before it
    started: int
    ended: int
    reviewed: Reviewed
    overrides: tuple[Mapping[str, str | None], ...]
    kind: str = "deploy"


def deployment_manifest(
    context: OperationContext,
    planned: Approved,
    before: Deployment,
    after: Deployment,
    applied: Applied,
    facts: ManifestFacts,
) -> dict[str, Any]:
    """The manifest of a deploy that just ended."""
    plan, source = planned.plan, planned.plan.source
    return {
        "format": DEPLOYMENT_FORMAT,
        "id": facts.id,
        "serial": after.serial,
        "lineage": after.lineage,
        "parent": facts.parent,
        "bundle": plan.bundle,
        "target": plan.target,
        "kind": facts.kind,
        "source": {
            "repository": source.remote,
            "ref": source.ref,
            "commit": source.commit,
            "tree": source.tree,
            "root": source.root,
            "dirty": source.dirty,
        },
        "snapshot": _snapshot(planned),
        "artifacts": [dict(item) for item in plan.artifacts],
        "config_digest": plan.config_digest,
        "variables": [dict(item) for item in plan.variables],
        "jobs": [_job(item, applied) for item in applied.outcomes],
        "plan": {
            "digest": facts.reviewed.digest,
            "changes_digest": plan.changes_digest,
            "reviewed": facts.reviewed.how,
        },
        "approval": {
            "by": context.actor.name,
            "how": {"interactive": "prompt", "auto": "flag", "plan-file": "flag"}[facts.reviewed.how],
            "overrides": [dict(item) for item in facts.overrides],
            "allowed": context.allowed.kinds,
            "policies": [{"name": item.name, "severity": item.severity} for item in plan.policies],
            "policy_source": plan.policy_source,
        },
        "promotion": None,
        "rollback": None,
        "hold": None,
        "debt": [address(key) for key in after.debt],
        "backend": _backend(after.backend),
        "actor": {"name": context.actor.name, "verified": context.actor.verified, "ci": context.actor.ci},
        "tool": {"name": "bundlectl", "version": context.tool_version, "python": platform.python_version()},
        "started": rfc3339(facts.started),
        "ended": rfc3339(facts.ended),
        "outcome": _outcome(applied.outcomes),
        "recovered_from": before.intent.recovered_from if before.intent else None,
        "unknown": [],
    }


def _snapshot(planned: Approved) -> dict[str, Any] | None:
    if planned.plan.snapshot is None:
        return None
    files = planned.snapshot
    return {
        "digest": planned.plan.snapshot,
        "files": len(files.files) if files is not None else None,
        "bytes": files.size if files is not None else None,
        "mode": "snapshot",
    }


def _job(outcome: Outcome, applied: Applied) -> dict[str, Any]:
    key = outcome.address.removeprefix("resources.jobs.")
    recorded = applied.jobs.get(key)
    return {
        "address": outcome.address,
        "id": outcome.id,
        "action": "tombstone" if outcome.until else "undelete" if outcome.restored else outcome.action.value,
        "spec_digest": recorded.spec if recorded is not None else None,
        "outcome": outcome.outcome,
        "error": outcome.error,
        "not_converged": list(outcome.not_converged),
        "renamed_from": outcome.renamed_from,
    }


def _backend(identity: BackendIdentity | None) -> dict[str, Any] | None:
    if identity is None:
        return None
    return {"kind": identity.kind, "host": identity.host, "workspace_id": identity.workspace_id}


def _outcome(outcomes: tuple[Outcome, ...]) -> str:
    if all(item.outcome == "done" and not item.not_converged for item in outcomes):
        return "complete"
    return "partial" if any(item.outcome == "done" for item in outcomes) else "failed"
