"""Walks a plan: lease check, one backend call, event, for each change; then reads back what changed.

Called by deploy between begin and end. Decides nothing: the plan is the whole truth, and a failure stops only what
depends on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.backends.base import Backend, Composed
from bundlectl.base.clock import Clock
from bundlectl.model.deployment import DeployedJob, Operation, ownership_id
from bundlectl.model.errors import BackendError, LeaseHeld, NotAuthenticated, NotPermitted, OutcomeUnknown
from bundlectl.model.events import ApplyFinished, ApplyStarted, EventSink
from bundlectl.model.job import JobSpec
from bundlectl.model.location import key_of
from bundlectl.model.plan import Action, Change, Plan
from bundlectl.planning.references import referenced, with_known_ids

WRITES_DOCUMENT = frozenset({Action.CREATE, Action.UPDATE, Action.RENAME, Action.REPLACE})


class Outcome(NamedTuple):
    """How one change ended: done, failed, skipped, not_started or unknown."""

    address: str
    action: Action
    outcome: str
    id: str | None = None
    error: str | None = None
    elapsed_ms: int = 0
    not_converged: tuple[str, ...] = ()
    renamed_from: str | None = None


class Sent(NamedTuple):
    """What was sent for a job: as composed, and the job document that it was composed from."""

    composed: Composed
    document: Mapping[str, Any]


class Applied(NamedTuple):
    """What is on the backend after an apply: recorded jobs, documents that are new in the record, outcomes."""

    jobs: dict[str, DeployedJob]
    documents: dict[str, Mapping[str, Any]]
    outcomes: tuple[Outcome, ...]
    sent: dict[str, Sent]  # for the read-back


@dataclass(frozen=True, kw_only=True)
class ApplyRequest:
    """Everything that an apply needs; nothing is looked up on the way."""

    plan: Plan
    deployment: str  # id of this deployment
    lineage: str
    target: str
    fence: int
    check: Callable[[], None]  # before each call: keeps the lease, or raises LeaseHeld when it is lost
    jobs: Mapping[str, DeployedJob]  # as recorded before
    specs: Mapping[str, JobSpec]
    backend: Backend
    clock: Clock
    emit: EventSink
    interrupted: Callable[[], bool]  # asked before each change: True ends the apply in part


def operations_of(plan: Plan, lineage: str, target: str) -> tuple[Operation, ...]:
    """The plan's changes as the operation list of an intent."""
    return tuple(
        Operation(
            op=str(number),
            action=change.action.value,
            key=key_of(change.address),
            own=ownership_id(lineage, target, key_of(change.address)),
            id=change.id,
            old_own=ownership_id(lineage, target, change.renamed_from) if change.renamed_from else None,
            want=change.spec_digest,
        )
        for number, change in enumerate(plan.changes, 1)
    )


def apply(request: ApplyRequest) -> Applied:
    """Carries out every change in the plan's order. Never raises for one change's failure: it is in the outcomes."""
    applied = Applied(dict(request.jobs), {}, (), {})
    outcomes: list[Outcome] = []
    bad: set[str] = set()
    stop: str | None = None
    for change in request.plan.changes:
        blocked = next((address for address in change.depends_on if address in bad), None)
        if stop is None and request.interrupted():
            stop = "interrupted"
        if stop is not None:
            outcome = Outcome(change.address, change.action, "not_started", error=stop)
        elif blocked is not None:
            outcome = Outcome(
                change.address, change.action, "skipped", error=f"it needs {blocked}, which was not applied"
            )
        else:
            outcome, stop = _attempt(request, change, applied)
        if outcome.outcome != "done":
            bad.add(change.address)
        outcomes.append(outcome)
        request.emit(
            ApplyFinished(
                outcome.address, outcome.action.value, outcome.outcome, outcome.elapsed_ms, outcome.id, outcome.error
            )
        )
    return applied._replace(outcomes=tuple(outcomes))


def _attempt(request: ApplyRequest, change: Change, applied: Applied) -> tuple[Outcome, str | None]:
    """One change: its outcome, and the reason to stop the whole apply if there is one."""
    request.emit(ApplyStarted(change.address, change.action.value))
    began = request.clock.boot_s()
    stop: str | None = None
    ended, identifier, error = "failed", change.id, None
    try:
        request.check()
        identifier = _carry_out(request, change, applied)
        ended = "done"
    except OutcomeUnknown as failure:
        ended, error = "unknown", failure.summary
    except (NotAuthenticated, LeaseHeld) as failure:
        error = stop = failure.summary
    except (NotPermitted, BackendError) as failure:
        error = failure.summary
    elapsed = round((request.clock.boot_s() - began) * 1000)
    return Outcome(
        change.address, change.action, ended, identifier, error, elapsed, renamed_from=change.renamed_from
    ), stop


def _carry_out(request: ApplyRequest, change: Change, applied: Applied) -> str | None:
    key = key_of(change.address)
    if change.action in (Action.DELETE, Action.FORGET):
        if change.action is Action.DELETE and change.id is not None:
            request.backend.delete(change.id, request.fence)
        applied.jobs.pop(key, None)
        return change.id
    spec = request.specs[key]
    sent = _compose(request, change, applied)
    if change.action is Action.REPLACE and change.id is not None:
        request.backend.delete(change.id, request.fence)
    if change.action in (Action.CREATE, Action.REPLACE):
        identifier = request.backend.create(sent.composed, request.fence)
    else:
        assert change.id is not None
        identifier = change.id
        request.backend.update(identifier, sent.composed, request.fence)
    if change.renamed_from:
        applied.jobs.pop(change.renamed_from, None)
    applied.jobs[key] = DeployedJob(
        id=identifier,
        spec=spec.digest,
        sent=sent.composed.digest,
        snapshot=request.plan.snapshot if spec.meta.uses_code else None,
        deployment=request.deployment,
    )
    applied.documents[key] = spec.document
    applied.sent[key] = sent
    return identifier


def _compose(request: ApplyRequest, change: Change, applied: Applied) -> Sent:
    """The document as planned (an operator's values kept), with ids that were made a moment ago filled in."""
    key = key_of(change.address)
    spec = request.specs[key]
    planned = change.desired if change.desired is not None else spec.document
    needed = referenced(planned)
    document = with_known_ids(planned, {name: applied.jobs[name].id for name in needed & applied.jobs.keys()})
    missing = needed - applied.jobs.keys()
    if missing:
        raise BackendError(f"it needs the id of jobs.{min(missing)}, which is not deployed", code="BND248")
    composed = request.backend.compose(
        document,
        snapshot=request.plan.snapshot if spec.meta.uses_code else None,
        lineage=request.lineage,
        target=request.target,
        key=key,
    )
    return Sent(composed, document)
