"""plan or plan file -> approve -> begin -> apply -> verify -> end: the order that is the product (D5).

"No" means that nothing live changed: everything before begin only reads, or puts immutable content in place.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bundlectl.base.clock import rfc3339
from bundlectl.base.digest import digest_document
from bundlectl.base.identifiers import random_id, time_ordered_id
from bundlectl.base.interrupts import held
from bundlectl.model.deployment import Deployed, Deployment, Intent
from bundlectl.model.errors import InputError, Interrupted, LeaseHeld, Refused, StalePlan, Unsupported
from bundlectl.model.events import Notice, StageStarted
from bundlectl.model.location import key_of
from bundlectl.model.plan import Guard, Plan
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.apply import Applied, ApplyRequest, Outcome, apply, operations_of
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy_manifest import ManifestFacts, Reviewed, deployment_manifest
from bundlectl.operations.lease import Lease, Patience, wait_for_holder
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.plan import Planned, make_plan
from bundlectl.operations.recover import take_over
from bundlectl.operations.scripts import Hooks
from bundlectl.operations.stage import (
    AtPlace,
    build_artifacts,
    missing_artifacts,
    publish,
    publish_artifacts,
)
from bundlectl.operations.verify_apply import read_back
from bundlectl.state.plan_file import compare, load, unbuilt
from bundlectl.state.store import Note, Recorded, begin, end, plan_was_used

LEASE_S = 300
MAX_REQUEST_S = 60

# Guards that a flag of `deploy` lifts: guard -> attribute of DeployRequest.
OVERRIDES = {
    "destructive": "allow_destructive",
    "probable_rename": "allow_destructive",
    "rewind": "allow_rewind",
    "branch": "allow_branch",
}


@dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """What `deploy` was asked for."""

    plan_file: Path | None = None
    auto_approve: bool = False
    allow_destructive: bool = False
    allow_rewind: bool = False
    allow_branch: bool = False
    reason: str | None = None
    lock_timeout_s: float = 0.0  # how long a target that somebody else holds is waited for


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


Approve = Callable[[Plan], str | None]


def deploy(context: OperationContext, request: DeployRequest, approve: Approve) -> DeployResult:
    """Makes the target what the bundle says.

    `approve` is shown the plan, and gives how it was approved ("interactive") or None for no; it is not called with
    --auto-approve. Raises Refused, StalePlan, LeaseHeld and what planning raises, and BundlectlError or PartlyApplied
    for a hook that fails; partial results are in the result.
    """
    refuse_untrusted(context)
    patience = Patience(context.clock, request.lock_timeout_s)
    with Hooks(context) as hooks:
        while True:
            try:
                return _deploy(context, request, approve, hooks, patience)
            except (LeaseHeld, StalePlan) as lost:
                # What somebody has looked at is never replaced by another plan.
                if request.plan_file is not None or not request.auto_approve or not patience.goes_on_after(lost):
                    raise
                context.emit(Notice(f"{lost.summary}; planning again"))


def _deploy(
    context: OperationContext, request: DeployRequest, approve: Approve, hooks: Hooks, patience: Patience
) -> DeployResult:
    saved = load(request.plan_file) if request.plan_file is not None else None
    planned, recovered = _plan(context, unbuilt(saved) if saved is not None else frozenset(), patience)
    _refuse_unavailable(planned)
    if saved is not None and _is_comparable(saved, planned):
        _compare(context, saved, planned)
    if _is_done(planned, recovered):
        return DeployResult(plan=planned.plan, manifest=None, outcomes=())
    _refuse_guarded(planned.plan, request)
    planned = _with_builds(context, planned, saved, hooks.around_build(planned.loading))
    if _is_done(planned, recovered):
        return DeployResult(plan=planned.plan, manifest=None, outcomes=())
    overrides = _refuse_guarded(planned.plan, request)
    context.emit(StageStarted("stage", "putting code in place"))
    code_tree = publish(context, planned.loading, planned.backend, planned.store.code, planned.plan.snapshot)
    publish_artifacts(context, planned.loading, planned.backend, planned.artifacts)
    how = "auto" if request.auto_approve else approve(planned.plan)
    if how is None:
        raise Refused("not approved", code="BND621", detail="Nothing was changed.")
    reviewed = Reviewed(
        "plan-file" if saved is not None else how, str((saved or {}).get("digest", planned.plan.digest))
    )
    hooks.run("predeploy", planned.loading)
    result = _carry_out(context, planned, code_tree, reviewed, overrides)
    if result.is_complete:
        hooks.run("postdeploy", planned.loading)
    return result


def _plan(context: OperationContext, hidden: Collection[str], patience: Patience) -> tuple[Planned, bool]:
    """The plan once nobody else holds the target, and whether a dead apply was taken over."""
    planned = make_plan(context, hidden)
    deployment = planned.recorded.deployment
    if deployment is None or deployment.intent is None:
        return planned, False
    strict = planned.bundle.target.strict_lease
    free = wait_for_holder(context, planned.store, planned.recorded, patience, strict=strict)
    if free.deployment is None or free.deployment.intent is None:
        return _plan(context, hidden, patience)
    take_over(context, planned.store, free, planned.backend)
    return make_plan(context, hidden), True


def _is_done(planned: Planned, recovered: bool) -> bool:
    return planned.plan.is_empty and not planned.plan.code_only and not recovered


def _is_comparable(saved: Mapping[str, Any], planned: Planned) -> bool:
    """Whether the plan knows every built file that the saved one knew; else it is compared after the build."""
    return {artifact.spec.name for artifact in planned.artifacts.unbuilt} <= unbuilt(saved)


def _compare(context: OperationContext, saved: Mapping[str, Any], planned: Planned) -> None:
    used = plan_was_used(planned.store, str(saved["digest"]))
    compare(saved, plan_document(planned.plan), now_ms=context.clock.now_ms(), used_as=used)


def _with_builds(
    context: OperationContext, planned: Planned, saved: Mapping[str, Any] | None, at_place: AtPlace
) -> Planned:
    """The plan with every artifact known, after what is missing was built. A saved plan holds for it, or it raises.

    The saved plan said which tree, command and environment the files come from; what came of them can only leave
    changes out, because a wheel may turn out to be the one that is deployed.
    """
    if not planned.artifacts.declared:
        return planned
    known = make_plan(context) if saved is not None and unbuilt(saved) else planned
    missing = missing_artifacts(context, known.loading, known.artifacts, known.backend)
    if missing:
        build_artifacts(context, known.loading, missing, at_place)
        known = make_plan(context)
        _refuse_unavailable(known)
    if saved is not None and not _is_comparable(saved, planned):
        _compare(context, saved, make_plan(context, unbuilt(saved)))
    if known.artifacts.unbuilt:
        names = ", ".join(f'"{artifact.spec.name}"' for artifact in known.artifacts.unbuilt)
        raise InputError(
            f"artifacts were built, and are not what the tree asks for any more: {names}",
            code="BND292",
            detail="Files changed while they were built. Nothing was changed.",
            hint="deploy again",
        )
    if known.recorded.version != planned.recorded.version:
        raise StalePlan(
            "something was deployed while artifacts were built", detail="Nothing was changed.", hint="deploy again"
        )
    return known


def _refuse_unavailable(planned: Planned) -> None:
    capabilities = planned.backend.capabilities
    if not capabilities.deploys:
        identity = planned.backend.identity()
        where = f" at {identity.host}" if identity.host else ""
        raise Unsupported(
            f'target "{planned.plan.target}" is on backend "{capabilities.kind}"{where}, '
            "which this version of bundlectl cannot deploy to",
            detail="validate and plan work for it. Nothing was changed.",
            hint="to run the bundle on this machine: give the target bundlectl: {backend: local}",
        )
    if not planned.plan.complete:
        raise Refused(
            f'the plan for target "{planned.plan.target}" is incomplete and cannot be applied',
            code="BND310",
            detail=planned.observed.why_not or "something that it needs is not known yet. Nothing was changed.",
        )


def _refuse_guarded(plan: Plan, request: DeployRequest) -> list[dict[str, str | None]]:
    """Raises for the guards that no flag lifts; the lifted ones, as the manifest records them."""
    lifted: list[dict[str, str | None]] = []
    standing: list[Guard] = []
    for guard in plan.guards:
        flag = OVERRIDES.get(guard.guard)
        asked = guard.guard == "destructive" and not request.auto_approve
        if flag is not None and (getattr(request, flag) or asked):
            # A person at the prompt sees the deletion and says yes to it by name of the plan.
            lifted.append(
                {"guard": guard.guard, "reason": request.reason or ("approved at the prompt" if asked else None)}
            )
        else:
            standing.append(guard)
    if not standing:
        return lifted
    first = standing[0]
    raise Refused(
        first.summary,
        code=first.code,
        detail="\n".join([*(item.summary for item in standing[1:]), "Nothing was changed."]),
        hint=first.hint or (f"if that is wanted: {first.override}" if first.override else None),
    )


def _carry_out(
    context: OperationContext,
    planned: Planned,
    code_tree: str | None,
    reviewed: Reviewed,
    overrides: list[dict[str, str | None]],
) -> DeployResult:
    plan, target = planned.plan, planned.bundle.target.name
    started = context.clock.now_ms()
    lineage = plan.base.lineage or random_id()
    intent = _intent(context, planned, lineage, reviewed.digest, started)
    with held() as interrupt:
        context.emit(StageStarted("begin", "recording what is about to be done"))
        began_s = context.clock.boot_s()
        begun = begin(
            planned.store,
            planned.recorded,
            intent,
            _note(context, "apply-begin", intent.deployment, plan),
            bundle=plan.bundle,
            target=target,
            backend=planned.backend.identity(),
            lineage=lineage,
        )
        assert begun.deployment is not None
        note = _note(context, "lease", intent.deployment, plan)
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
            )
        )
        context.emit(StageStarted("verify", "reading back what changed"))
        applied = read_back(planned.backend, applied, lineage, target)
        ended = context.clock.now_ms()
        facts = ManifestFacts(intent.deployment, _parent(begun, planned), started, ended, reviewed, tuple(overrides))
        result = _finish(context, planned, lease.held(), applied, code_tree, facts)
    if interrupt.received and not result.is_complete:
        raise Interrupted(
            f"interrupted after {sum(item.outcome == 'done' for item in result.outcomes)} of "
            f"{len(result.outcomes)} changes, which are recorded; run the same command to continue",
            exit_code=interrupt.exit_code,
        )
    return result


def _intent(context: OperationContext, planned: Planned, lineage: str, reviewed: str, started: int) -> Intent:
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


def _parent(begun: Recorded, planned: Planned) -> str | None:
    """Digest of the manifest of the deployment before this one."""
    if begun.deployment is None or begun.deployment.deployed is None:
        return None
    entries = planned.store.history()
    return next((digest_document(entry.manifest) for entry in entries if entry.manifest is not None), None)


def _finish(
    context: OperationContext,
    planned: Planned,
    begun: Recorded,
    applied: Applied,
    code_tree: str | None,
    facts: ManifestFacts,
) -> DeployResult:
    """The closing commit: new record, manifest, intent gone."""
    assert begun.deployment is not None
    plan, before = planned.plan, begun.deployment
    after = replace(
        before,
        serial=before.serial + 1,
        backend=planned.backend.identity(),
        deployed=Deployed(
            deployment=facts.id,
            commit=plan.source.commit,
            tree=plan.source.tree,
            dirty=plan.source.dirty,
            snapshot=plan.snapshot,
            code_tree=code_tree,
            config_digest=plan.config_digest,
        ),
        jobs=applied.jobs,
        intent=None,
        protection=_protection(context, before, planned),
    )
    manifest = deployment_manifest(context, planned, before, after, applied, facts)
    context.emit(StageStarted("end", "recording what was done"))
    end(planned.store, begun, after, _note(context, "apply-end", facts.id, plan), applied.documents, manifest)
    return DeployResult(plan=plan, manifest=manifest, outcomes=applied.outcomes)


def _protection(context: OperationContext, before: Deployment, planned: Planned) -> Mapping[str, Mapping[str, str]]:
    """Protection is kept in state: what is marked now is added, nothing is dropped by leaving the mark out."""
    mark = {"since": rfc3339(context.clock.now_ms()), "by": context.actor.name}
    marked = [*(["target"] if planned.bundle.target.protected else []), *planned.bundle.protected_jobs]
    return {**dict.fromkeys(marked, mark), **before.protection}


def _note(context: OperationContext, verb: str, deployment: str, plan: Plan) -> Note:
    done = ", ".join(f"{change.action.value} {key_of(change.address)}" for change in plan.changes[:3])
    more = f" and {len(plan.changes) - 3} more" if len(plan.changes) > 3 else ""
    return Note(
        verb=verb,
        deployment=deployment,
        summary=f"{plan.bundle} -> {plan.target}: {done or 'code'}{more}",
        commit=plan.source.commit,
        actor=context.actor.name,
        run_url=context.actor.run_url,
    )
