"""Lets deleted jobs go for good that were kept long enough.

Called by the command. What is let go cannot come back; runs of such a job stay with the engine. Code and caches are
looked after elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.model.deployment import DeployedJob
from bundlectl.model.location import address
from bundlectl.model.plan import Action, Change, Plan
from bundlectl.operations.by_hand import apply_by_hand, free_world, hand_made, with_patience
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.lease import Patience
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.world import World, open_world
from bundlectl.planning.tombstones import is_over, kept_jobs

KIND = "gc"


class Tombstone(NamedTuple):
    """A deleted job, and why it goes or stays."""

    key: str
    id: str
    until: str  # RFC 3339
    reason: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": "tombstone",
            "address": address(self.key),
            "id": self.id,
            "until": self.until,
            "reasons": [self.reason],
        }


@dataclass(frozen=True, kw_only=True)
class GcRequest:
    """What `gc` was asked for."""

    dry_run: bool = False
    auto_approve: bool = False
    reason: str | None = None
    lock_timeout_s: float = 0.0


class Collected(NamedTuple):
    """What went, or would go, and what stays."""

    target: str
    removed: tuple[Tombstone, ...]
    kept: tuple[Tombstone, ...]
    result: DeployResult | None  # None: nothing was done


Approve = Callable[[Plan], str | None]


def collect(context: OperationContext, request: GcRequest, approve: Approve) -> Collected:
    """Removes what is over. Raises Refused, LeaseHeld, StateError, BackendError; a partial result is in the result."""
    if request.dry_run:
        return _found(context, open_world(context))[0]
    refuse_untrusted(context)

    def act(patience: Patience) -> Collected:
        world = free_world(context, patience)
        found, changes = _found(context, world)
        if not changes:
            return found
        made = hand_made(context, world, changes)
        how = "auto" if request.auto_approve else approve(made.plan)
        result = apply_by_hand(context, made, how, kind=KIND, reason=request.reason)
        return found._replace(result=result)

    return with_patience(context, request.lock_timeout_s, act, again=request.auto_approve)


def _found(context: OperationContext, world: World) -> tuple[Collected, list[Change]]:
    deployment = world.recorded.deployment
    jobs = kept_jobs(deployment.jobs) if deployment is not None else {}
    now = context.clock.now_ms()
    over = {key: job for key, job in jobs.items() if is_over(job, now) and key not in world.bundle.jobs}
    stays = {key: job for key, job in jobs.items() if key not in over}
    changes = [
        Change(
            address=address(key),
            action=Action.DELETE,
            id=job.id,
            reason="its time as a tombstone is over",
            destructive=True,
        )
        for key, job in over.items()
    ]
    removed = tuple(_tombstone(key, job, "its time is over") for key, job in over.items())
    kept = tuple(
        _tombstone(
            key, job, "the bundle has it again" if key in world.bundle.jobs else "can be brought back until then"
        )
        for key, job in stays.items()
    )
    return Collected(world.bundle.target.name, removed, kept, None), changes


def _tombstone(key: str, job: DeployedJob, reason: str) -> Tombstone:
    return Tombstone(key, job.id, (job.tombstone or {}).get("until", ""), reason)
