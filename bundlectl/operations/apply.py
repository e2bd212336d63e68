"""Walks a plan: lease check, the calls to the backend, event, for each change; several at once where it takes several.

Called by carry_out between begin and end. Decides nothing: the plan is the whole truth, and a failure stops only what
depends on it.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, NamedTuple

from bundlectl.backends.base import Backend, Composed
from bundlectl.base.clock import Clock, rfc3339
from bundlectl.model.deployment import DeployedJob, Operation, ownership_id
from bundlectl.model.errors import BackendError, BundlectlError, LeaseHeld, NotAuthenticated, OutcomeUnknown
from bundlectl.model.events import ApplyFinished, ApplyStarted, EventSink
from bundlectl.model.job import JobSpec
from bundlectl.model.location import key_of
from bundlectl.model.plan import Action, Change, Plan
from bundlectl.planning.references import referenced, with_known_ids
from bundlectl.planning.snoozes import SNOOZED

_REMOVALS = frozenset({Action.DELETE, Action.FORGET})
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


class _Effect(NamedTuple):
    """What a change that was made means for the record."""

    id: str | None
    job: DeployedJob | None = None  # None: not recorded any more
    document: Mapping[str, Any] | None = None
    sent: Sent | None = None


class _Ended(NamedTuple):
    """How a call ended, and the reason to stop the whole apply if there is one."""

    outcome: Outcome
    effect: _Effect | None = None
    stop: str | None = None


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
    """Carries out every change, as many at once as the backend takes: each after what it depends on, removals last.

    Never raises for one change's failure: it is in the outcomes, which are in the order of the plan.
    """
    width = request.backend.capabilities.parallel
    if width == 1:
        return _Apply(request, width, _at_once).run()
    with ThreadPoolExecutor(width, thread_name_prefix="apply") as pool:
        return _Apply(request, width, pool.submit).run()


def _at_once(work: Callable[..., _Ended], *arguments: Any) -> "Future[_Ended]":
    """The pool of one: this thread."""
    done: Future[_Ended] = Future()
    done.set_result(work(*arguments))
    return done


class _Apply:
    """One apply under way. Everything but the calls themselves happens in the thread that runs it."""

    def __init__(self, request: ApplyRequest, width: int, start: Callable[..., "Future[_Ended]"]) -> None:
        self._request = request
        self._width = width
        self._start = start
        self._applied = Applied(dict(request.jobs), {}, (), {})
        self._outcomes: dict[str, Outcome] = {}
        self._stop: str | None = None

    def run(self) -> Applied:
        changes = self._request.plan.changes
        self._some([change for change in changes if change.action not in _REMOVALS])
        self._some([change for change in changes if change.action in _REMOVALS])
        return self._applied._replace(outcomes=tuple(self._outcomes[change.address] for change in changes))

    def _some(self, changes: Sequence[Change]) -> None:
        """Some changes, in the order of the plan as far as they wait for one another."""
        places = {change.address: number for number, change in enumerate(changes)}
        needs = [0] * len(changes)
        waiting: dict[str, list[int]] = {}
        for number, change in enumerate(changes):
            for address in change.depends_on:
                # What comes later in the plan is no obstacle: recorded jobs may refer to each other in a circle.
                if places.get(address, number) < number:
                    needs[number] += 1
                    waiting.setdefault(address, []).append(number)
        ready = [number for number, count in enumerate(needs) if not count]
        flying: set[Future[_Ended]] = set()
        while ready or flying:
            while ready and len(flying) < self._width:
                flying.add(self._begin(changes[heappop(ready)]))
            finished, flying = wait(flying, return_when=FIRST_COMPLETED)
            ended = sorted((future.result() for future in finished), key=lambda end: places[end.outcome.address])
            for end in ended:
                self._take(end)
                for number in waiting.get(end.outcome.address, ()):
                    needs[number] -= 1
                    if not needs[number]:
                        heappush(ready, number)

    def _begin(self, change: Change) -> "Future[_Ended]":
        """Starts a change, or says at once why it is not started."""
        request = self._request
        if self._stop is None and request.interrupted():
            self._stop = "interrupted"
        if self._stop is not None:
            return _at_once(_Ended, Outcome(change.address, change.action, "not_started", error=self._stop))
        known = self._outcomes
        blocked = next((name for name in change.depends_on if name in known and known[name].outcome != "done"), None)
        if blocked is not None:
            error = f"it needs {blocked}, which was not applied"
            return _at_once(_Ended, Outcome(change.address, change.action, "skipped", error=error))
        request.emit(ApplyStarted(change.address, change.action.value))
        needed = referenced(_planned(request, change)) if change.action not in _REMOVALS else frozenset()
        ids = {name: self._applied.jobs[name].id for name in needed if name in self._applied.jobs}
        try:
            request.check()
        except LeaseHeld as lost:
            return _at_once(_Ended, _failed(change, "failed", lost.summary, 0), None, lost.summary)
        return self._start(_attempt, request, change, ids)

    def _take(self, end: _Ended) -> None:
        """Takes note of a change that ended."""
        outcome, applied = end.outcome, self._applied
        self._outcomes[outcome.address] = outcome
        self._stop = self._stop or end.stop
        if end.effect is not None:
            key = key_of(outcome.address)
            if outcome.renamed_from:
                applied.jobs.pop(outcome.renamed_from, None)
            if end.effect.job is None:
                applied.jobs.pop(key, None)
            else:
                applied.jobs[key] = end.effect.job
            if end.effect.document is not None:
                applied.documents[key] = end.effect.document
            if end.effect.sent is not None:
                applied.sent[key] = end.effect.sent
        self._request.emit(
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


def _attempt(request: ApplyRequest, change: Change, ids: Mapping[str, str]) -> _Ended:
    """The calls of one change. `ids`: of the jobs that its document refers to, as far as they are deployed."""
    began = request.clock.boot_s()
    stop: str | None = None
    ended = "failed"
    try:
        effect = _remove(request, change) if change.action in _REMOVALS else _write(request, change, ids)
    except OutcomeUnknown as failure:
        ended, error = "unknown", failure.summary
    except (NotAuthenticated, LeaseHeld) as failure:
        error = stop = failure.summary
    except BundlectlError as failure:
        error = failure.summary
    else:
        elapsed = round((request.clock.boot_s() - began) * 1000)
        outcome = Outcome(
            *(change.address, change.action, "done", effect.id, None, elapsed),
            renamed_from=change.renamed_from,
            until=change.until,
            restored=change.restores,
        )
        return _Ended(outcome, effect)
    return _Ended(_failed(change, ended, error, round((request.clock.boot_s() - began) * 1000)), None, stop)


def _failed(change: Change, ended: str, error: str, elapsed_ms: int) -> Outcome:
    return Outcome(
        *(change.address, change.action, ended, change.id, error, elapsed_ms),
        renamed_from=change.renamed_from,
        until=change.until,
        restored=change.restores,
    )


def _write(request: ApplyRequest, change: Change, ids: Mapping[str, str]) -> _Effect:
    spec = request.specs[key_of(change.address)]
    sent = _compose(request, change, ids, _planned(request, change))
    if change.action is Action.REPLACE and change.id is not None:
        request.backend.delete(change.id, request.fence)
    if change.action in (Action.CREATE, Action.REPLACE):
        identifier = request.backend.create(sent.composed, request.fence)
    else:
        assert change.id is not None
        identifier = change.id
        request.backend.update(identifier, sent.composed, request.fence)
    job = DeployedJob(
        id=identifier,
        spec=spec.digest,
        sent=_recorded_digest(request, change, ids, sent),
        snapshot=_snapshot(request, change),
        deployment=request.deployment,
    )
    return _Effect(identifier, job, spec.document, sent)


def _remove(request: ApplyRequest, change: Change) -> _Effect:
    """A job that goes: kept for a while, deleted for good, or only forgotten. One that is gone already is fine."""
    key, id = key_of(change.address), change.id
    if change.action is Action.FORGET and request.releases and id is not None:
        request.backend.release(id, request.fence)
    entry = request.jobs.get(key)
    if change.action is Action.FORGET or id is None or entry is None:
        return _Effect(id)
    # It is kept as it is there, not as it was sent: what an operator set comes back with it.
    document = request.backend.read([id])[id] if change.until is not None else None
    if change.until is None or document is None:
        request.backend.delete(id, request.fence)
        return _Effect(id)
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
    job = entry._replace(sent=composed.digest, deployment=request.deployment, tombstone=kept)
    return _Effect(id, job, None, Sent(composed, document))


def _snapshot(request: ApplyRequest, change: Change) -> str | None:
    """The code that a written job runs: that of the plan, or what it has when the plan leaves its code alone."""
    entry = request.jobs.get(change.renamed_from or key_of(change.address))
    if change.code is None and entry is not None and entry.id == change.id and change.action is not Action.REPLACE:
        return entry.snapshot
    return request.plan.snapshot if request.specs[key_of(change.address)].meta.uses_code else None


def _recorded_digest(request: ApplyRequest, change: Change, ids: Mapping[str, str], sent: Sent) -> str:
    """Digest of what was sent. Where drift was left as it is, of what the record says instead: so that the
    difference is seen until it is gone, also when a snooze is over.
    """
    kept = {SNOOZED, "operator_owned"} if change.restores else {SNOOZED}
    if not any(field.reason in kept for field in change.fields):
        return sent.composed.digest
    document = request.specs[key_of(change.address)].document
    return _compose(request, change, ids, document).composed.digest


def _planned(request: ApplyRequest, change: Change) -> Mapping[str, Any]:
    """The document as planned: an operator's values kept."""
    return change.desired if change.desired is not None else request.specs[key_of(change.address)].document


def _compose(request: ApplyRequest, change: Change, ids: Mapping[str, str], planned: Mapping[str, Any]) -> Sent:
    """A document with ids that were made a moment ago filled in, as it is sent."""
    needed = referenced(planned)
    document = with_known_ids(planned, {name: ids[name] for name in needed & ids.keys()})
    missing = needed - ids.keys()
    if missing:
        raise BackendError(f"it needs the id of jobs.{min(missing)}, which is not deployed", code="BND248")
    composed = request.backend.compose(
        document,
        snapshot=_snapshot(request, change),
        lineage=request.lineage,
        target=request.target,
        key=key_of(change.address),
    )
    return Sent(composed, document)
