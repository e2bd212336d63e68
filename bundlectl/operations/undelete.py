"""Brings deleted jobs that are still kept back, with their ids and runs, as they were deployed last; lists them.

What an operator paused stays paused. The bundle is not asked: a job that it does not have is deleted again by the next
deploy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.model.deployment import DeployedJob, Deployment
from bundlectl.model.errors import BackendError, NotFound, Refused
from bundlectl.model.job import JobDigest, JobSpec
from bundlectl.model.location import address, key_of
from bundlectl.model.plan import Action, Change, Plan
from bundlectl.operations.by_hand import apply_by_hand, free_world, hand_made, with_patience
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.lease import Patience
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.world import World, open_world
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import referenced, with_known_ids
from bundlectl.planning.tombstones import is_over, kept_jobs
from bundlectl.planning.verdicts import Sides, compare

KIND = "undelete"
_GONE = "BND703"


class Kept(NamedTuple):
    """A deleted job that is kept."""

    key: str
    id: str
    since: str  # RFC 3339
    until: str
    over: bool  # its time is over: `gc` lets it go
    in_bundle: bool  # the bundle has it, so that the next deploy brings it back anyway

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"address": address(self.key), **self._asdict()}


@dataclass(frozen=True, kw_only=True)
class UndeleteRequest:
    """What `undelete` was asked for."""

    keys: Sequence[str]
    auto_approve: bool = False
    reason: str | None = None
    lock_timeout_s: float = 0.0


class Undeleted(NamedTuple):
    """What came back."""

    target: str
    jobs: tuple[Kept, ...]
    result: DeployResult


Approve = Callable[[Plan], str | None]


def list_kept(context: OperationContext) -> tuple[str, tuple[Kept, ...]]:
    """The target, and its deleted jobs that are kept, by key."""
    world = open_world(context)
    deployment = world.recorded.deployment
    return world.bundle.target.name, _kept(context, world, deployment.jobs if deployment is not None else {})


def undelete(context: OperationContext, request: UndeleteRequest, approve: Approve) -> Undeleted:
    """Brings the jobs back. Raises NotFound for a key that is not kept, Refused, LeaseHeld, BackendError."""
    refuse_untrusted(context)

    def act(patience: Patience) -> Undeleted:
        world = free_world(context, patience)
        deployment = world.deployed_or_bound
        jobs = {key: _one(deployment, key) for key in dict.fromkeys(map(key_of, request.keys))}
        changes, specs = _changes(world, deployment, jobs)
        made = hand_made(context, world, changes, specs)
        how = "auto" if request.auto_approve else approve(made.plan)
        result = apply_by_hand(context, made, how, kind=KIND, reason=request.reason)
        return Undeleted(deployment.target, _kept(context, world, jobs), result)

    return with_patience(context, request.lock_timeout_s, act, again=request.auto_approve)


def _kept(context: OperationContext, world: World, jobs: Mapping[str, DeployedJob]) -> tuple[Kept, ...]:
    now = context.clock.now_ms()
    return tuple(
        Kept(
            key,
            job.id,
            (job.tombstone or {}).get("since", ""),
            (job.tombstone or {}).get("until", ""),
            is_over(job, now),
            key in world.bundle.jobs,
        )
        for key, job in kept_jobs(jobs).items()
    )


def _one(deployment: Deployment, key: str) -> DeployedJob:
    kept = kept_jobs(deployment.jobs)
    if key in kept:
        return kept[key]
    if key in deployment.jobs:
        raise NotFound(f'"jobs.{key}" is not deleted', hint="bundlectl undelete --list")
    near = nearest(key, kept)
    raise NotFound(
        f'no deleted job "jobs.{key}" is kept' + (f'; did you mean "jobs.{near}"?' if near else ""),
        hint="kept: " + ", ".join(f"jobs.{name}" for name in kept) if kept else "nothing that was deleted is kept",
    )


def _changes(
    world: World, deployment: Deployment, jobs: Mapping[str, DeployedJob]
) -> tuple[list[Change], dict[str, JobSpec]]:
    """One change for each job, with what is to be there again. Raises BackendError BND703 for what is gone for good."""
    documents = world.store.documents(world.recorded.version, list(jobs))
    held = world.backend.read([job.id for job in jobs.values()])
    ids = {key: job.id for key, job in deployment.jobs.items()}
    changes: list[Change] = []
    specs: dict[str, JobSpec] = {}
    for key, job in jobs.items():
        _check(world, deployment, key, documents[key], jobs)
        document = held[job.id]
        if document is None:
            raise BackendError(
                f"job {job.id} of jobs.{key} is gone from the backend",
                code=_GONE,
                detail="Nothing was changed.",
                hint="a deploy of a bundle that has it creates it again",
            )
        recorded = with_known_ids(documents[key], ids)
        table = FieldTable(world.backend.capabilities.kind)
        # Everything as it was deployed, except what belongs to operators: that is as they left it.
        wanted = compare(Sides(recorded, recorded, document), table, operator_pause=True, spans={})
        changes.append(
            Change(
                address=address(key),
                action=Action.UPDATE,
                id=job.id,
                reason="brought back with its id and runs",
                restores=True,
                fields=wanted.fields,
                desired=wanted.desired,
                observed=document,
                spec_digest=job.spec,
            )
        )
        meta = JobDigest(job.spec, job.snapshot is not None)
        specs[key] = JobSpec(key=key, document=documents[key], digest=job.spec, span=None, meta=meta)
    return changes, specs


def _check(
    world: World, deployment: Deployment, key: str, document: Mapping[str, Any], wanted: Mapping[str, DeployedJob]
) -> None:
    """Raises for a job that could not run if it came back."""
    deleted = kept_jobs(deployment.jobs)
    missing = sorted(
        name for name in referenced(document) if name not in wanted and (name in deleted or name not in deployment.jobs)
    )
    if missing:
        names = " ".join([key, *(name for name in missing if name in deleted)])
        raise Refused(
            f'"jobs.{key}" starts jobs.{missing[0]}, which is deleted',
            code="BND504",
            detail="Nothing was changed.",
            hint=f"bring them back together: bundlectl undelete {names}" if missing[0] in deleted else None,
        )
    snapshot = deployment.jobs[key].snapshot
    if snapshot is not None and not world.backend.has_snapshot(snapshot):
        raise BackendError(
            f'the code of "jobs.{key}" is gone from the backend: {snapshot}',
            code=_GONE,
            detail="Nothing was changed.",
            hint="deploy a commit that has the job: its code is published again",
        )
