"""Removes every job of a target: the plan of a bundle without jobs, carried out like any other.

Jobs are kept as tombstones first, as when a bundle loses them; `now` deletes them for good, those that are kept
already as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bundlectl.model.errors import LeaseHeld, Refused, StalePlan
from bundlectl.model.events import Notice
from bundlectl.model.plan import Plan
from bundlectl.model.plan_document import sealed
from bundlectl.operations.carry_out import DeployResult, Standing, carry_out
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, plan_when_free, refuse_guarded, refuse_unavailable
from bundlectl.operations.deploy_manifest import Reviewed
from bundlectl.operations.lease import Patience
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.plan import PlanOptions
from bundlectl.planning.selection import EVERYTHING, Selection

KIND = "destroy"


@dataclass(frozen=True, kw_only=True)
class DestroyRequest:
    """What `destroy` was asked for."""

    auto_approve: bool = False
    allow_destructive: bool = False
    now: bool = False  # nothing is kept
    selection: Selection = EVERYTHING
    reason: str | None = None
    lock_timeout_s: float = 0.0


# Shown the plan; gives how it was approved, or None for no.
Approve = Callable[[Plan], str | None]


def destroy(context: OperationContext, request: DestroyRequest, approve: Approve) -> DeployResult:
    """Removes the jobs. Raises Refused, LeaseHeld and what planning raises; partial results are in the result."""
    refuse_untrusted(context)
    patience = Patience(context.clock, request.lock_timeout_s)
    while True:
        try:
            return _destroy(context, request, approve, patience)
        except (LeaseHeld, StalePlan) as lost:
            # What somebody has looked at is never replaced by another plan.
            if not request.auto_approve or not patience.goes_on_after(lost):
                raise
            context.emit(Notice(f"{lost.summary}; planning again"))


def _destroy(context: OperationContext, request: DestroyRequest, approve: Approve, patience: Patience) -> DeployResult:
    options = PlanOptions(selection=request.selection, empty=True, purge=request.now)
    planned, recovered = plan_when_free(context, options, patience)
    refuse_unavailable(planned)
    # What is not selected stays as it is wanted: it is no debt.
    planned = replace(planned, plan=sealed(replace(planned.plan, left_out=())))
    plan = planned.plan
    # Without a state there is nothing to destroy, unless jobs are there and only the state has gone.
    lost = any(guard.guard == "lost_state" for guard in plan.guards)
    if plan.is_empty and not recovered and not lost:
        return DeployResult(plan=plan, manifest=None, outcomes=())
    guards = DeployRequest(
        auto_approve=request.auto_approve, allow_destructive=request.allow_destructive, reason=request.reason
    )
    overrides = refuse_guarded(plan, guards)
    how = approve(plan)
    if how is None:
        raise Refused("not approved", code="BND621", detail="Nothing was changed.")
    standing = Standing(
        Reviewed(how, plan.digest), tuple(overrides), kind=KIND, keeps_head=not request.selection.is_everything
    )
    return carry_out(context, planned, standing)
