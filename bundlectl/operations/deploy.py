"""plan or plan file -> approve -> begin -> apply -> verify -> end: the order that is the product (D5).

"No" means that nothing live changed: everything before begin only reads, or puts immutable content in place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundlectl.model.errors import InputError, LeaseHeld, Refused, StalePlan, Unsupported
from bundlectl.model.events import Notice, StageStarted
from bundlectl.model.plan import Guard, Plan
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.carry_out import DeployResult, Standing, carry_out
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy_manifest import Reviewed
from bundlectl.operations.lease import Patience, wait_for_holder
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.plan import Planned, PlanOptions, make_plan
from bundlectl.operations.recover import take_over
from bundlectl.operations.scripts import Hooks
from bundlectl.operations.stage import (
    AtPlace,
    build_artifacts,
    missing_artifacts,
    publish,
    publish_artifacts,
)
from bundlectl.planning.field_name import job_field
from bundlectl.planning.guards import conflict_override
from bundlectl.planning.selection import EVERYTHING, Selection
from bundlectl.state.plan_file import compare, load, unbuilt
from bundlectl.state.store import plan_was_used

# Guards that a flag of `deploy` lifts: guard -> attribute of DeployRequest.
OVERRIDES = {
    "destructive": "allow_destructive",
    "probable_rename": "allow_destructive",
    "rewind": "allow_rewind",
    "branch": "allow_branch",
    "lost_state": "accept_lost_state",
}
_CONFLICT = "conflict"  # lifted field by field
_POLICY = "policy"  # lifted by name


@dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """What `deploy` was asked for."""

    plan_file: Path | None = None
    auto_approve: bool = False
    allow_destructive: bool = False
    allow_rewind: bool = False
    allow_branch: bool = False
    accept_lost_state: bool = False
    allow_conflict: tuple[str, ...] = ()  # fields by name, as jobs.etl.max_concurrent_runs
    allow_policy: tuple[str, ...] = ()  # policies by name
    selection: Selection = EVERYTHING
    changed_since: str | None = None
    fail_on_active_runs: bool = False
    reason: str | None = None
    lock_timeout_s: float = 0.0  # how long a target that somebody else holds is waited for


Approve = Callable[[Plan], str | None]


def deploy(context: OperationContext, request: DeployRequest, approve: Approve) -> DeployResult:
    """Makes the target what the bundle says.

    `approve` is shown the plan, and gives how it was approved ("interactive") or None for no; it is not called with
    --auto-approve. Raises Refused, StalePlan, LeaseHeld and what planning raises, and BundlectlError or PartlyApplied
    for a hook that fails; partial results are in the result.
    """
    refuse_untrusted(context)
    for name in request.allow_conflict:
        job_field(name)  # a misspelt name is told before anything is read
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
    options = _options(request, saved)
    planned, recovered = plan_when_free(context, options, patience)
    refuse_unavailable(planned)
    if saved is not None and not saved["complete"]:
        raise Refused(
            "the saved plan is incomplete and cannot be applied",
            code="BND310",
            detail=f"the backend was {str(saved['observed']).replace('_', ' ')} when it was made. Nothing was changed.",
            hint="make it again without --offline and --refresh none: bundlectl plan --out FILE",
        )
    if saved is not None and _is_comparable(saved, planned):
        _compare(context, saved, planned)
    if _is_done(planned, recovered):
        return DeployResult(plan=planned.plan, manifest=None, outcomes=())
    refuse_guarded(planned.plan, request)
    planned = _with_builds(context, planned, saved, options, hooks.around_build(planned.loading))
    if _is_done(planned, recovered):
        return DeployResult(plan=planned.plan, manifest=None, outcomes=())
    overrides = refuse_guarded(planned.plan, request)
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
    result = carry_out(context, planned, Standing(reviewed, tuple(overrides), code_tree=code_tree))
    if result.is_complete:
        hooks.run("postdeploy", planned.loading)
    return result


def _options(request: DeployRequest, saved: Mapping[str, Any] | None) -> PlanOptions:
    """What the plan is made of again: a saved one says itself which jobs it is about."""
    if saved is None:
        return PlanOptions(
            selection=request.selection,
            changed_since=request.changed_since,
            fail_on_active_runs=request.fail_on_active_runs,
            accept_lost_state=request.accept_lost_state,
        )
    chosen = saved["selection"]
    return PlanOptions(
        hidden=unbuilt(saved),
        selection=Selection.of_document(chosen),
        changed_since=chosen.get("changed_since") if isinstance(chosen, dict) else None,
        fail_on_active_runs=request.fail_on_active_runs,
    )


def plan_when_free(context: OperationContext, options: PlanOptions, patience: Patience) -> tuple[Planned, bool]:
    """The plan once nobody else holds the target, and whether a dead apply was taken over and is still open."""
    planned = make_plan(context, options)
    deployment = planned.recorded.deployment
    if deployment is None or deployment.intent is None:
        return planned, False
    strict = planned.bundle.target.strict_lease
    free = wait_for_holder(context, planned.store, planned.recorded, patience, strict=strict)
    if free.deployment is None or free.deployment.intent is None:
        return plan_when_free(context, options, patience)
    still_open = take_over(context, planned.store, free, planned.backend)
    return make_plan(context, options), still_open


def _is_done(planned: Planned, recovered: bool) -> bool:
    return planned.plan.is_empty and not planned.plan.code_only and not recovered


def _is_comparable(saved: Mapping[str, Any], planned: Planned) -> bool:
    """Whether the plan knows every built file that the saved one knew; else it is compared after the build."""
    return {artifact.spec.name for artifact in planned.artifacts.unbuilt} <= unbuilt(saved)


def _compare(context: OperationContext, saved: Mapping[str, Any], planned: Planned) -> None:
    used = plan_was_used(planned.store, str(saved["digest"]))
    compare(saved, plan_document(planned.plan), now_ms=context.clock.now_ms(), used_as=used)


def _with_builds(
    context: OperationContext,
    planned: Planned,
    saved: Mapping[str, Any] | None,
    options: PlanOptions,
    at_place: AtPlace,
) -> Planned:
    """The plan with every artifact known, after what is missing was built. A saved plan holds for it, or it raises.

    The saved plan said which tree, command and environment the files come from; what came of them can only leave
    changes out, because a wheel may turn out to be the one that is deployed.
    """
    if not planned.artifacts.declared:
        return planned
    built = options._replace(hidden=())
    known = make_plan(context, built) if saved is not None and unbuilt(saved) else planned
    missing = missing_artifacts(context, known.loading, known.artifacts, known.backend)
    if missing:
        build_artifacts(context, known.loading, missing, at_place)
        known = make_plan(context, built)
        refuse_unavailable(known)
    if saved is not None and not _is_comparable(saved, planned):
        _compare(context, saved, make_plan(context, options))
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


def refuse_unavailable(planned: Planned) -> None:
    """Raises Unsupported for a backend that cannot be deployed to, Refused BND310 for a plan that is incomplete."""
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
            hint=None if planned.observed.read else "a deploy asks first: leave --offline and BUNDLECTL_OFFLINE out",
        )


def refuse_guarded(plan: Plan, request: DeployRequest) -> list[dict[str, str | None]]:
    """Raises for the guards that no flag lifts; the lifted ones, as the manifest records them."""
    lifted: list[dict[str, str | None]] = []
    standing: list[Guard] = []
    allowed = {conflict_override(*job_field(name)) for name in request.allow_conflict}
    accepted = {f"--allow-policy {name}" for name in request.allow_policy}
    for guard in plan.guards:
        flag = OVERRIDES.get(guard.guard)
        if guard.guard == _POLICY and guard.override in accepted:
            lifted.append({"guard": f"policy {guard.override.partition(' ')[2]}", "reason": request.reason})
            continue
        if guard.guard == _CONFLICT and guard.override in allowed:
            lifted.append({"guard": f"conflict {guard.override.partition(' ')[2]}", "reason": request.reason})
            continue
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
