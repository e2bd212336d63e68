"""Walks a plan: lease check, one backend call, event, for each change; then reads back what changed.

Called by deploy between begin and end. Decides nothing: the plan is the whole truth, and a failure stops only what
depends on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.backends.base import Backend, Composed
from bundlectl.base.clock import Clock, rfc3339
from bundlectl.model.deployment import DeployedJob, Operation, ownership_id
from bundlectl.model.errors import BackendError, LeaseHeld, NotAuthenticated, NotPermitted, OutcomeUnknown
from bundlectl.model.events import ApplyFinished, ApplyStarted, EventSink
from bundlectl.model.job import JobSpec
from bundlectl.model.location import key_of
from bundlectl.model.plan import Action, Change, Plan
from bundlectl.planning.references import referenced, with_known_ids
from bundlectl.planning.snoozes import SNOOZED

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
    until: str | None = None  # of a deleted job that is kept, RFC 3339
    restored: bool = False  # a deleted job that came back


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
    releases: bool = False  # a forgotten job loses its mark of ownership too


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
                outcome.address,
                outcome.action.value,
                outcome.outcome,
                outcome.elapsed_ms,
                outcome.id,
                outcome.error,
                outcome.until,
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
    outcome = Outcome(
        *(change.address, change.action, ended, identifier, error, elapsed),
        renamed_from=change.renamed_from,
        until=change.until,
        restored=change.restores,
    )
    return outcome, stop


def _carry_out(request: ApplyRequest, change: Change, applied: Applied) -> str | None:
    key = key_of(change.address)
    if change.action in (Action.DELETE, Action.FORGET):
        _remove(request, change, applied)
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
        sent=_recorded_digest(request, change, applied, sent),
        snapshot=_snapshot(request, change),
        deployment=request.deployment,
    )
    applied.documents[key] = spec.document
    applied.sent[key] = sent
    return identifier


def _remove(request: ApplyRequest, change: Change, applied: Applied) -> None:
    """A job that goes: kept for a while, deleted for good, or only forgotten. One that is gone already is fine."""
    key, id = key_of(change.address), change.id
    if change.action is Action.FORGET and request.releases and id is not None:
        request.backend.release(id, request.fence)
    entry = request.jobs.get(key)
    if change.action is Action.FORGET or id is None or entry is None:
        applied.jobs.pop(key, None)
        return
    # It is kept as it is there, not as it was sent: what an operator set comes back with it.
    document = request.backend.read([id])[id] if change.until is not None else None
    if change.until is None or document is None:
        request.backend.delete(id, request.fence)
        applied.jobs.pop(key, None)
        return
    composed = request.backend.compose(
        document,
        snapshot=entry.snapshot,
        lineage=request.lineage,
        target=request.target,
        key=key,
        own=entry.own,
        hidden=True,
    )
    request.backend.update(id, composed, request.fence)
    since = entry.tombstone["since"] if entry.tombstone is not None else rfc3339(request.clock.now_ms())
    kept = {"since": since, "until": change.until}
    applied.jobs[key] = entry._replace(sent=composed.digest, deployment=request.deployment, tombstone=kept)
    applied.sent[key] = Sent(composed, document)


def _snapshot(request: ApplyRequest, change: Change) -> str | None:
    """The code that a written job runs: that of the plan, or what it has when the plan leaves its code alone."""
    entry = request.jobs.get(change.renamed_from or key_of(change.address))
    if change.code is None and entry is not None and entry.id == change.id and change.action is not Action.REPLACE:
        return entry.snapshot
    return request.plan.snapshot if request.specs[key_of(change.address)].meta.uses_code else None


def _recorded_digest(request: ApplyRequest, change: Change, applied: Applied, sent: Sent) -> str:
    """Digest of what was sent. Where drift was left as it is, of what the record says instead: so that the
    difference is seen until it is gone, also when a snooze is over.
    """
    kept = {SNOOZED, "operator_owned"} if change.restores else {SNOOZED}
    if not any(field.reason in kept for field in change.fields):
        return sent.composed.digest
    document = request.specs[key_of(change.address)].document
    return _compose(request, change, applied, document).composed.digest


def _compose(request: ApplyRequest, change: Change, applied: Applied, planned: Mapping[str, Any] | None = None) -> Sent:
    """The document as planned (an operator's values kept), with ids that were made a moment ago filled in."""
    key = key_of(change.address)
    spec = request.specs[key]
    if planned is None:
        planned = change.desired if change.desired is not None else spec.document
    needed = referenced(planned)
    document = with_known_ids(planned, {name: applied.jobs[name].id for name in needed & applied.jobs.keys()})
    missing = needed - applied.jobs.keys()
    if missing:
        raise BackendError(f"it needs the id of jobs.{min(missing)}, which is not deployed", code="BND248")
    composed = request.backend.compose(
        document,
        snapshot=_snapshot(request, change),
        lineage=request.lineage,
        target=request.target,
        key=key,
    )
    return Sent(composed, document)
