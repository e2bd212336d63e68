"""Makes an existing job of the backend belong to a key of the bundle, or forgets one and leaves it where it is.

A bound job gets the ownership mark and is recorded as it is: what the bundle says otherwise is a change of the next
plan, which is shown here already. A job that is forgotten loses the mark, so that somebody else can bind it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.backends.base import Holding
from bundlectl.base.digest import digest_document
from bundlectl.base.suggest import nearest
from bundlectl.config.cache import specs_of
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import InputError, NotFound, Refused, Unsupported
from bundlectl.model.job import JobDigest, JobSpec
from bundlectl.model.location import address, key_of
from bundlectl.model.plan import ABSENT, Action, Change, FieldChange, Plan, Verdict
from bundlectl.operations.by_hand import apply_by_hand, free_world, hand_made, with_patience
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.lease import Patience
from bundlectl.operations.load import load, refuse_untrusted
from bundlectl.operations.world import World
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import with_known_ids
from bundlectl.planning.verdicts import Comparison, Sides, compare, put

BIND, UNBIND = "bind", "unbind"
_OWNED, _STATE = "BND414", "BND504"


@dataclass(frozen=True, kw_only=True)
class BindRequest:
    """What `bind` or `unbind` was asked for. `id` is given to bind alone."""

    key: str
    id: str | None = None
    auto_approve: bool = False
    reason: str | None = None
    lock_timeout_s: float = 0.0


class Bound(NamedTuple):
    """What was done. `result` is None when there was nothing to do."""

    target: str
    key: str
    id: str
    action: str
    fields: tuple[FieldChange, ...]  # what the bundle says otherwise than the job
    in_bundle: bool
    result: DeployResult | None

    @property
    def is_complete(self) -> bool:
        """Whether everything was done."""
        return self.result is None or self.result.is_complete


Approve = Callable[[Plan], str | None]


def bind(context: OperationContext, request: BindRequest, approve: Approve) -> Bound:
    """Binds. Raises NotFound for the key or the id, Refused for a job of somebody else, LeaseHeld, BackendError."""
    refuse_untrusted(context)
    key, id = key_of(request.key), request.id or ""

    def act(patience: Patience) -> Bound:
        world = free_world(context, patience)
        spec = _wanted(context, key)
        deployment = world.recorded.deployment
        _refuse_unable(world)
        if _is_bound(deployment, key, id):
            return Bound(world.bundle.target.name, key, id, BIND, (), True, None)
        held = world.backend.read([id])[id]
        if held is None:
            raise NotFound(f'no job "{id}" on the backend', code="BND703", detail="Nothing was changed.")
        holding = world.backend.holding(id)
        _refuse_owned(deployment, id, holding)
        comparison = _compared(world, spec, deployment, held)
        fields = tuple(field for field in comparison.fields if field.verdict in (Verdict.CHANGE, Verdict.CONFLICT))
        change = Change(
            address=address(key),
            action=Action.UPDATE,
            id=id,
            reason="bound: from now on it belongs to this key; its settings stay as they are",
            fields=comparison.fields,
            desired=held,
            observed=held,
            spec_digest=spec.digest,
            span=spec.span,
        )
        recorded = _as_it_is(spec, comparison, held, holding)
        made = hand_made(context, world, [change], {key: recorded}, snapshot=holding.snapshot)
        how = "auto" if request.auto_approve else approve(made.plan)
        result = apply_by_hand(context, made, how, kind=BIND, reason=request.reason)
        return Bound(world.bundle.target.name, key, id, BIND, fields, True, result)

    return with_patience(context, request.lock_timeout_s, act, again=request.auto_approve)


def unbind(context: OperationContext, request: BindRequest, approve: Approve) -> Bound:
    """Forgets a recorded job. Raises NotFound for a key that is not recorded, LeaseHeld, BackendError."""
    refuse_untrusted(context)
    key = key_of(request.key)

    def act(patience: Patience) -> Bound:
        world = free_world(context, patience)
        deployment = world.deployed_or_bound
        job = deployment.jobs.get(key)
        if job is None:
            near = nearest(key, deployment.jobs)
            raise NotFound(
                f'"jobs.{key}" is not recorded' + (f'; did you mean "jobs.{near}"?' if near else ""),
                hint="bundlectl summary lists what is",
            )
        change = Change(
            address=address(key),
            action=Action.FORGET,
            id=job.id,
            reason=f"forgotten; job {job.id} stays as it is and belongs to nobody",
        )
        made = hand_made(context, world, [change])
        how = "auto" if request.auto_approve else approve(made.plan)
        result = apply_by_hand(context, made, how, kind=UNBIND, reason=request.reason, releases=True)
        return Bound(deployment.target, key, job.id, UNBIND, (), key in world.bundle.jobs, result)

    return with_patience(context, request.lock_timeout_s, act, again=request.auto_approve)


def _wanted(context: OperationContext, key: str) -> JobSpec:
    """What the bundle says of the job, read as a plan reads it."""
    loading = load(context)
    jobs = loading.bundle.jobs
    if key not in jobs:
        near = nearest(key, jobs)
        raise NotFound(
            f'the bundle has no job "jobs.{key}"' + (f'; did you mean "jobs.{near}"?' if near else ""),
            detail="Nothing was changed.",
            hint="write it first, or let it be written: bundlectl import ID",
        )
    return specs_of(loading.loaded, [key])[key]


def _refuse_unable(world: World) -> None:
    capabilities = world.backend.capabilities
    if not capabilities.deploys:
        raise Unsupported(
            f'backend "{capabilities.kind}" cannot be deployed to by this version of bundlectl',
            detail="Nothing was changed.",
        )


def _is_bound(deployment: Deployment | None, key: str, id: str) -> bool:
    """Whether it is so already. Raises InputError when the key has another job, or the job another key."""
    jobs = deployment.jobs if deployment is not None else {}
    for name, job in jobs.items():
        if name == key and job.id == id and job.tombstone is None:
            return True
        if name == key:
            deleted = job.tombstone is not None
            raise InputError(
                f'"jobs.{key}" is job {job.id}' + (", which is deleted and kept" if deleted else ""),
                code=_STATE,
                detail="Nothing was changed.",
                hint=f"bundlectl undelete {key}" if deleted else f"bundlectl unbind {key}, if that one is not meant",
            )
        if job.id == id:
            raise InputError(
                f'job {id} is recorded as "jobs.{name}"',
                code=_STATE,
                detail="Nothing was changed.",
                hint=f"to keep it under another key: resources.jobs.{key}.bundlectl: {{renamed_from: {name}}}",
            )
    return False


def _refuse_owned(deployment: Deployment | None, id: str, holding: Holding) -> None:
    owner = holding.owner
    if owner is None:
        return
    # With our mark and not recorded it is left over from something that was cut off: whoever names it may have it.
    if deployment is not None and (owner.lineage, owner.target) == (deployment.lineage, deployment.target):
        return
    raise Refused(
        f'job {id} belongs to jobs.{owner.key} of target "{owner.target}" in another history of deployments '
        f"({owner.lineage})",
        code=_OWNED,
        detail="Nothing was changed.",
        hint=f"where it is deployed from: bundlectl unbind {owner.key}",
    )


def _compared(world: World, spec: JobSpec, deployment: Deployment | None, held: dict[str, Any]) -> Comparison:
    ids = {name: job.id for name, job in deployment.jobs.items()} if deployment is not None else {}
    desired = with_known_ids(spec.document, ids)
    table = FieldTable(world.backend.capabilities.kind)
    return compare(Sides(desired, None, held), table, operator_pause=spec.meta.pause == "operator", spans=spec.spans)


def _as_it_is(spec: JobSpec, comparison: Comparison, held: dict[str, Any], holding: Holding) -> JobSpec:
    """What is recorded: the bundle's document where the job says the same, else the job's without what the backend
    filled in, so that the next plan shows the difference and nothing else.
    """
    meta = JobDigest(spec.digest, holding.snapshot is not None, spec.meta.depends_on)
    if not comparison.written and not any(field.reason == "operator_owned" for field in comparison.fields):
        return JobSpec(key=spec.key, document=spec.document, digest=spec.digest, span=spec.span, meta=meta)
    document: Any = held
    for field in comparison.fields:
        if field.verdict is Verdict.DEFAULT:
            document = put(document, field.path, ABSENT)
    digest = digest_document(document)
    return JobSpec(key=spec.key, document=document, digest=digest, span=spec.span, meta=meta._replace(digest=digest))
