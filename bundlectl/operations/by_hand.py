"""Changes of single recorded jobs that no bundle asks for: the target held, and a plan made of given changes.

Called by undelete, gc and bind. Such a plan is carried out like that of a deploy, and leaves what is deployed (commit,
code) as it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bundlectl.backends.base import Backend
from bundlectl.base.clock import rfc3339
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployed, Deployment
from bundlectl.model.errors import LeaseHeld, Refused, StalePlan
from bundlectl.model.events import Notice
from bundlectl.model.job import JobSpec
from bundlectl.model.plan import Change, Plan, PlanBase, PlanSource
from bundlectl.model.plan_document import sealed
from bundlectl.model.source import Snapshot
from bundlectl.operations.carry_out import DeployResult, Standing, carry_out
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy_manifest import Reviewed
from bundlectl.operations.lease import Patience, wait_for_holder
from bundlectl.operations.plan import refuse_other_backend
from bundlectl.operations.recover import take_over
from bundlectl.operations.world import World, open_world
from bundlectl.state.store import Recorded, StateStore

_VALID_MS = 86_400_000
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class HandMade:
    """A plan of given changes, with what it takes to carry it out."""

    plan: Plan
    bundle: Bundle
    store: StateStore
    recorded: Recorded
    backend: Backend
    specs: Mapping[str, JobSpec] = field(default_factory=dict)
    snapshot: Snapshot | None = None

    def all_specs(self) -> Mapping[str, JobSpec]:
        """Specs of every job that the plan writes."""
        return self.specs


def with_patience(context: OperationContext, timeout_s: float, act: Callable[[Patience], T], *, again: bool) -> T:
    """What `act` gives; once more when somebody else was faster, if `again`, until the time is over."""
    patience = Patience(context.clock, timeout_s)
    while True:
        try:
            return act(patience)
        except (LeaseHeld, StalePlan) as lost:
            if not again or not patience.goes_on_after(lost):
                raise
            context.emit(Notice(f"{lost.summary}; starting again"))


def free_world(context: OperationContext, patience: Patience) -> World:
    """The target once nobody holds it; an apply that was cut off is taken over, and what it made is found by its marks.

    Raises LeaseHeld, Refused BND309 for another backend than the recorded one.
    """
    world = open_world(context)
    deployment = world.recorded.deployment
    if deployment is not None and deployment.intent is not None:
        strict = world.bundle.target.strict_lease
        free = wait_for_holder(context, world.store, world.recorded, patience, strict=strict)
        if free.deployment is not None and free.deployment.intent is not None:
            take_over(context, world.store, free, world.backend)
        world = open_world(context)
    refuse_other_backend(world.recorded.deployment, world.backend.identity(), world.bundle)
    return world


def hand_made(
    context: OperationContext,
    world: World,
    changes: Sequence[Change],
    specs: Mapping[str, JobSpec] | None = None,
    *,
    snapshot: str | None = None,
) -> HandMade:
    """The plan of these changes. `snapshot`: code of the jobs that are written and not recorded yet."""
    deployment = world.recorded.deployment
    head = deployment.deployed if deployment is not None else None
    now = context.clock.now_ms()
    plan = Plan(
        tool_version=context.tool_version,
        created=rfc3339(now),
        expires=rfc3339(now + _VALID_MS),
        bundle=world.bundle.name,
        target=world.bundle.target.name,
        source=_source(head, world.bundle),
        snapshot=snapshot or (head.snapshot if head is not None else None),
        config_digest=head.config_digest if head is not None else world.bundle.config_digest,
        base=_base(world, deployment, head),
        backend=world.backend.identity(),
        observed="read",
        complete=True,
        changes=tuple(changes),
    )
    return HandMade(
        plan=sealed(plan),
        bundle=world.bundle,
        store=world.store,
        recorded=world.recorded,
        backend=world.backend,
        specs=specs or {},
    )


def apply_by_hand(
    context: OperationContext,
    made: HandMade,
    how: str | None,
    *,
    kind: str,
    reason: str | None = None,
    releases: bool = False,
) -> DeployResult:
    """Carries it out. `how` it was approved: auto, interactive, or None for no, which raises Refused."""
    if how is None:
        raise Refused("not approved", code="BND621", detail="Nothing was changed.")
    overrides = ({"guard": kind, "reason": reason},) if reason else ()
    standing = Standing(Reviewed(how, made.plan.digest), overrides, kind=kind, keeps_head=True, releases=releases)
    return carry_out(context, made, standing)


def _source(head: Deployed | None, bundle: Bundle) -> PlanSource:
    """What is deployed: no other tree was read for these changes."""
    if head is None:
        return PlanSource(commit=None, tree=None, root=bundle.root)
    return PlanSource(commit=head.commit, tree=head.tree, dirty=head.dirty, root=bundle.root)


def _base(world: World, deployment: Deployment | None, head: Deployed | None) -> PlanBase:
    return PlanBase(
        state_ref=world.store.ref,
        state_tip=world.recorded.version,
        lineage=deployment.lineage if deployment is not None else None,
        serial=deployment.serial if deployment is not None else 0,
        deployment=head.deployment if head is not None else None,
        commit=head.commit if head is not None else None,
        snapshot=head.snapshot if head is not None else None,
    )
