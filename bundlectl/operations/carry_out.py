"""begin -> apply -> sweep -> verify -> end: carries out a plan that was approved (D5, safety 2.2).

Called by deploy and by everything else that changes jobs: destroy, undelete, gc, bind, unbind. Decides nothing about
what changes; every step is safe to be cut off at, and the next command recovers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from bundlectl.backends.base import Backend
from bundlectl.base.clock import rfc3339
from bundlectl.base.digest import digest_document
from bundlectl.base.identifiers import random_id, time_ordered_id
from bundlectl.base.interrupts import held
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployed, DeployedJob, Deployment, Intent
from bundlectl.model.errors import BundlectlError, Interrupted
from bundlectl.model.events import StageStarted
from bundlectl.model.job import JobSpec
from bundlectl.model.plan import Plan
from bundlectl.model.source import Snapshot
from bundlectl.operations.apply import Applied, ApplyRequest, Outcome, apply, operations_of
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy_manifest import ManifestFacts, Reviewed, deployment_manifest
from bundlectl.operations.deploy_record import debt_after, note_of, protection_after, snoozes_after
from bundlectl.operations.lease import Lease
from bundlectl.operations.recover import close
from bundlectl.operations.sweep import Scope, sweep
from bundlectl.operations.verify_apply import not_read_back, read_back
from bundlectl.state.recovery_file import Ending
from bundlectl.state.store import Recorded, StateStore, begin

LEASE_S = 300
MAX_REQUEST_S = 60


class Prepared(Protocol):
    """A plan, and what it takes to carry it out."""

    @property
    def plan(self) -> Plan: ...
    @property
    def bundle(self) -> Bundle: ...
    @property
    def store(self) -> StateStore: ...
    @property
    def recorded(self) -> Recorded: ...
    @property
    def backend(self) -> Backend: ...
    @property
    def snapshot(self) -> Snapshot | None: ...
    def all_specs(self) -> Mapping[str, JobSpec]:
        """Specs of every job that the plan writes."""
        ...


class Standing(NamedTuple):
    """On whose word a plan is carried out, and as what it is recorded."""

    reviewed: Reviewed
    overrides: tuple[Mapping[str, str | None], ...] = ()
    kind: str = "deploy"
    code_tree: str | None = None  # git tree that holds the plan's code
    keeps_head: bool = False  # commit and code of the deployment before stay what is deployed
    releases: bool = False  # a forgotten job loses its mark of ownership too


@dataclass(frozen=True, kw_only=True)
class DeployResult:
    """A finished deploy. `manifest` is None when there was nothing to do."""

    plan: Plan
    manifest: Mapping[str, Any] | None
    outcomes: tuple[Outcome, ...]

    @property
    def is_complete(self) -> bool:
        """True when every change was made and reads back as sent."""
        return all(item.outcome == "done" and not item.not_converged for item in self.outcomes)


def carry_out(context: OperationContext, planned: Prepared, standing: Standing) -> DeployResult:
    """Begin, apply, sweep, verify, end. Raises LeaseHeld, StalePlan, StateError, Interrupted; a change that fails is in
    the result.
    """
    plan, target = planned.plan, planned.bundle.target.name
    started = context.clock.now_ms()
    lineage = plan.base.lineage or random_id()
    intent = _intent(context, planned, lineage, standing.reviewed.digest, started)
    with held() as interrupt:
        context.emit(StageStarted("begin", "recording what is about to be done"))
        began_s = context.clock.boot_s()
        begun = begin(
            planned.store,
            planned.recorded,
            intent,
            note_of(context, "apply-begin", intent.deployment, plan),
            bundle=plan.bundle,
            target=target,
            backend=planned.backend.identity(),
            lineage=lineage,
            fence=_first_fence(plan, planned.recorded, started),
        )
        assert begun.deployment is not None
        note = note_of(context, "lease", intent.deployment, plan)
        lease = Lease(planned.store, begun, note, began_s=began_s, clock=context.clock, emit=context.emit)
        context.emit(StageStarted("apply", "1 change" if len(plan.changes) == 1 else f"{len(plan.changes)} changes"))
        applied = apply(
            ApplyRequest(
                plan=plan,
                deployment=intent.deployment,
                lineage=lineage,
                target=target,
                fence=begun.deployment.fence,
                check=lease.check,
                jobs=begun.deployment.jobs,
                specs=planned.all_specs(),
                backend=planned.backend,
                clock=context.clock,
                emit=context.emit,
                interrupted=lambda: interrupt.received,
                releases=standing.releases,
            )
        )
        context.emit(StageStarted("verify", "reading back what changed"))
        named = [operation.id for operation in intent.ops if operation.id is not None]
        scope = Scope(planned.backend, lineage, target, begun.deployment.fence, lease.check, context.emit)
        applied = _verified(scope, applied, named, begun.deployment.jobs)
        ended = context.clock.now_ms()
        facts = ManifestFacts(
            *(intent.deployment, _parent(begun, planned), started, ended, standing.reviewed, standing.overrides),
            kind=standing.kind,
        )
        result = _finish(context, planned, lease.held(), applied, standing, facts)
    if interrupt.received and not result.is_complete:
        raise Interrupted(
            f"interrupted after {sum(item.outcome == 'done' for item in result.outcomes)} of "
            f"{len(result.outcomes)} changes, which are recorded; run the same command to continue",
            exit_code=interrupt.exit_code,
        )
    return result


def _first_fence(plan: Plan, recorded: Recorded, started_ms: int) -> int:
    """Where the fence of a new record begins. That of jobs whose state was lost is not known: higher than any count."""
    regains = recorded.deployment is None and plan.base.lineage is not None
    return started_ms // 1000 if regains else 0


def _verified(scope: Scope, applied: Applied, named: list[str], before: Mapping[str, DeployedJob]) -> Applied:
    """The copies of our jobs removed, and every changed job read back. A lease that is lost ends both; the next deploy
    looks again.
    """
    try:
        listed = scope.backend.observe(scope.lineage, scope.target).jobs
        if sweep(scope, listed, applied.jobs, named):
            listed = scope.backend.observe(scope.lineage, scope.target).jobs
    except BundlectlError as error:
        return not_read_back(applied, error, before)
    return read_back(scope.backend, applied, listed, before)


def _intent(context: OperationContext, planned: Prepared, lineage: str, reviewed: str, started: int) -> Intent:
    plan = planned.plan
    open_apply = planned.recorded.deployment.intent if planned.recorded.deployment is not None else None
    return Intent(
        deployment=time_ordered_id(started),
        owner=context.owner,
        commit=plan.source.commit,
        plan=reviewed,
        ops=operations_of(plan, lineage, planned.bundle.target.name),
        begun_at=rfc3339(started),
        lease_s=LEASE_S,
        lease_until=rfc3339(started + LEASE_S * 1000),
        max_request_s=MAX_REQUEST_S,
        recovered_from=open_apply.recovered_from if open_apply is not None else None,
    )


def _parent(begun: Recorded, planned: Prepared) -> str | None:
    """Digest of the manifest of the deployment before this one."""
    if begun.deployment is None or begun.deployment.deployed is None:
        return None
    entries = planned.store.history()
    return next((digest_document(entry.manifest) for entry in entries if entry.manifest is not None), None)


def _finish(
    context: OperationContext,
    planned: Prepared,
    begun: Recorded,
    applied: Applied,
    standing: Standing,
    facts: ManifestFacts,
) -> DeployResult:
    """The closing commit: new record, manifest, intent gone."""
    assert begun.deployment is not None
    plan, before = planned.plan, begun.deployment
    after = replace(
        before,
        serial=before.serial + 1,
        backend=_identity(planned, before),
        deployed=_head(before.deployed, plan, standing, facts.id),
        jobs=applied.jobs,
        intent=None,
        protection=protection_after(context, before, planned.bundle),
        snoozes=snoozes_after(before, applied, plan),
        debt=debt_after(before, applied, plan),
    )
    manifest = deployment_manifest(context, planned, before, after, applied, facts)
    context.emit(StageStarted("end", "recording what was done"))
    note = note_of(context, "apply-end", facts.id, plan)
    close(context, planned.store, begun, Ending(facts.id, before.fence, after, note, applied.documents, manifest))
    return DeployResult(plan=plan, manifest=manifest, outcomes=applied.outcomes)


def _identity(planned: Prepared, before: Deployment) -> BackendIdentity | None:
    """Which backend it was: the first deploy may have made it. One that is away by now is what it was at the begin."""
    try:
        return planned.backend.identity()
    except BundlectlError:
        return before.backend


def _head(before: Deployed | None, plan: Plan, standing: Standing, deployment: str) -> Deployed | None:
    """What counts as deployed afterwards. None: jobs are recorded, and no bundle was deployed yet."""
    if standing.keeps_head:
        return replace(before, deployment=deployment) if before is not None else None
    return Deployed(
        deployment=deployment,
        commit=plan.source.commit,
        tree=plan.source.tree,
        dirty=plan.source.dirty,
        snapshot=plan.snapshot,
        code_tree=standing.code_tree,
        config_digest=plan.config_digest,
    )
