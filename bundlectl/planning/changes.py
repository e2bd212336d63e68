"""One job of a plan: what happens to it and why. Pure.

Called by planning.planner for the jobs that planning.classify found; fields are judged by planning.verdicts.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.model.backend import Observed, ObservedJob
from bundlectl.model.deployment import DeployedJob
from bundlectl.model.job import JobDigest, JobSpec
from bundlectl.model.location import address
from bundlectl.model.plan import Action, Change, CodeRef, DriftedJob, Verdict
from bundlectl.planning.classify import Differing
from bundlectl.planning.code import Named
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import referenced, with_known_ids
from bundlectl.planning.snoozes import NO_SNOOZES, JobSnoozes, Snoozes
from bundlectl.planning.verdicts import Comparison, Sides, compare

_GONE = "gone from the backend; it is created again"
_ADOPTED = "already on the backend with this ownership id, and not recorded"
_TAMPERED = "what bundlectl wrote into it was changed on the backend"
_REFERENCES = "it refers to a renamed job"
NO_LONGER = "no longer in the bundle"
_RESTORED = "brought back with its id and runs: the bundle has it again"
_MOVED = "deleted, and changed on the backend since"


class Removal(NamedTuple):
    """How jobs that are not wanted any more go."""

    reason: str = NO_LONGER
    until: str | None = None  # RFC 3339: kept until then; None: deleted for good


class Context(NamedTuple):
    """What every job is looked up in."""

    bundle_jobs: Mapping[str, JobDigest]
    specs: Mapping[str, JobSpec]
    jobs: Mapping[str, DeployedJob]  # as recorded
    recorded_documents: Mapping[str, Mapping[str, Any]]
    observed: Observed
    snapshot: str | None
    found: Differing
    ids: Mapping[str, str]  # desired key -> id that it keeps
    recorded_ids: Mapping[str, str]
    table: FieldTable
    named: Named
    code_paths: Mapping[str, tuple[str, ...]]
    active_runs: Mapping[str, int]
    snoozes: Snoozes = Snoozes()
    told: Mapping[str, ObservedJob] = {}  # id -> who changed a job on the backend, and when
    removal: Removal = Removal()


class Judged(NamedTuple):
    """One job that was looked at: its change, if there is one, and its drift."""

    change: Change | None = None
    drift: DriftedJob | None = None


def created(context: Context, key: str) -> Judged:
    """A job that is not recorded: created, or taken over when it carries our ownership id."""
    if key in context.found.adopted:
        return Judged(_adopt(context, key))
    return Judged(_create(context, key, None))


def _create(context: Context, key: str, reason: str | None) -> Change:
    spec = context.specs[key]
    return Change(
        address=address(key),
        action=Action.CREATE,
        reason=reason,
        desired=with_known_ids(spec.document, context.ids),
        spec_digest=spec.digest,
        span=spec.span,
        code=_code(context, key, None),
    )


def _adopt(context: Context, key: str) -> Change:
    spec, id = context.specs[key], context.found.adopted[key]
    held = context.observed.documents.get(id)
    comparison = _compare(context, spec, Sides(_desired(context, spec), None, held))
    return Change(
        address=address(key),
        action=Action.UPDATE,
        id=id,
        reason=_ADOPTED,
        fields=comparison.fields,
        desired=comparison.desired,
        observed=held,
        spec_digest=spec.digest,
        span=spec.span,
        code=_code(context, key, None),
        active_runs=context.active_runs.get(id),
    )


def renamed(context: Context, key: str, old: str) -> Judged:
    """A job under a new key: it keeps id and runs."""
    if old in context.found.gone:
        return Judged(_create(context, key, _GONE))
    spec, entry = context.specs[key], context.jobs[old]
    comparison, held = _sides(context, spec, old)
    change = _update(context, spec, entry, comparison, held)
    action = Action.REPLACE if comparison.forces_replace else Action.RENAME
    drift = _drift(key, comparison)
    restores = context.jobs[old].tombstone is not None
    return Judged(replace(change, action=action, renamed_from=old, restores=restores), drift)


def changed(context: Context, key: str) -> Judged:
    """A recorded job whose spec, document on the backend or needed ids differ; possibly nothing to do."""
    found = context.found
    if key in found.gone:
        if key in found.adopted:
            return Judged(_adopt(context, key))
        return Judged(_create(context, key, _GONE), DriftedJob(address(key), True, ()))
    spec, entry = context.specs[key], context.jobs[key]
    comparison, held = _sides(context, spec, key)
    reason = _reason(context, spec, entry, comparison, held)
    change = _update(context, spec, entry, comparison, held, reason)
    drift = _drift(key, comparison)
    if reason == _TAMPERED:
        drift = DriftedJob(address(key), False, ())
    if entry.tombstone is not None:
        return Judged(replace(change, reason=_RESTORED, restores=True), drift)
    written = comparison.written or reason is not None or change.code is not None
    return Judged(change if written else None, drift)


def _reason(
    context: Context, spec: JobSpec, entry: DeployedJob, comparison: Comparison, held: Mapping[str, Any] | None
) -> str | None:
    """Why a job is written although no field says so; None otherwise."""
    if comparison.written:
        return None
    recorded = context.recorded_documents.get(spec.key)
    if recorded is not None and spec.digest != entry.spec and referenced(recorded) != referenced(spec.document):
        return _REFERENCES
    # The digest differs and no field does: it is the part that neutral documents leave out.
    drifted = spec.key in context.found.drifted and held is not None
    digests = {job.id: job.digest for job in context.observed.jobs} if drifted and not comparison.fields else {}
    return _TAMPERED if digests.get(entry.id) is not None else None


def _update(
    context: Context,
    spec: JobSpec,
    entry: DeployedJob,
    comparison: Comparison,
    held: Mapping[str, Any] | None,
    reason: str | None = None,
) -> Change:
    replaced = bool(comparison.forces_replace)
    return Change(
        address=address(spec.key),
        action=Action.REPLACE if replaced else Action.UPDATE,
        id=entry.id,
        reason=reason,
        destructive=replaced,
        forces_replace=comparison.forces_replace,
        fields=comparison.fields,
        code=_code(context, spec.key, entry),
        desired=comparison.desired,
        observed=held,
        spec_digest=spec.digest,
        span=spec.span,
        active_runs=context.active_runs.get(entry.id),
    )


def _sides(context: Context, spec: JobSpec, recorded_key: str) -> tuple[Comparison, Mapping[str, Any] | None]:
    """Compares three ways; also gives the document that the backend holds, if it was read."""
    entry = context.jobs[recorded_key]
    document = context.recorded_documents.get(recorded_key)
    recorded = with_known_ids(document, context.recorded_ids) if document is not None else None
    held: Mapping[str, Any] | None = context.observed.documents.get(entry.id)
    # Equal digests: the backend holds what was sent, so the recorded document is what was observed.
    same = context.observed.read and recorded_key not in context.found.drifted
    observed = held if held is not None else recorded if same else None
    sides = Sides(_desired(context, spec), recorded, observed)
    comparison = _compare(context, spec, sides, context.snoozes.of(recorded_key))
    return with_author(comparison, context.told.get(entry.id)), held


def _desired(context: Context, spec: JobSpec) -> dict[str, Any]:
    return with_known_ids(spec.document, context.ids)


def _compare(context: Context, spec: JobSpec, sides: Sides, snoozes: JobSnoozes = NO_SNOOZES) -> Comparison:
    operator_pause = spec.meta.pause == "operator"
    return compare(sides, context.table, operator_pause=operator_pause, spans=spec.spans, snoozes=snoozes)


def with_author(comparison: Comparison, job: ObservedJob | None) -> Comparison:
    """The comparison with who changed the job on the backend, and when, at each field that is drift."""
    if job is None or not comparison.drift:
        return comparison
    drifted = (Verdict.DRIFT, Verdict.CONFLICT)
    told = [
        field._replace(by=job.changed_by, at=job.changed_at) if field.verdict in drifted else field
        for field in comparison.fields
    ]
    return comparison._replace(fields=tuple(told))


def told_by(observed: Observed) -> dict[str, ObservedJob]:
    """Jobs of which the backend tells who changed them last, or when, by id."""
    return {job.id: job for job in observed.jobs if job.changed_by is not None or job.changed_at is not None}


def _drift(key: str, comparison: Comparison) -> DriftedJob | None:
    fields = comparison.drift
    return DriftedJob(address(key), False, fields) if fields else None


def code_only(context: Context, key: str) -> Judged:
    """A recorded job of which only the code changes."""
    entry = context.jobs[key]
    # Its document is the recorded one, so that it is told by digest: a plan of 10,000 such jobs stays small.
    change = Change(
        address=address(key),
        action=Action.UPDATE,
        id=entry.id,
        code=_code(context, key, entry),
        spec_digest=context.bundle_jobs[key].digest,
        active_runs=context.active_runs.get(entry.id),
    )
    return Judged(change)


def removed(context: Context, key: str) -> Judged:
    """A recorded job that the bundle does not have any more."""
    entry = context.jobs[key]
    removal = context.removal
    if key in context.found.gone:
        reason = f"{removal.reason}, and already gone from the backend"
        return Judged(Change(address=address(key), action=Action.FORGET, id=entry.id, reason=reason))
    kept = entry.tombstone if removal.until is not None else None
    change = Change(
        address=address(key),
        action=Action.DELETE,
        id=entry.id,
        reason=_MOVED if kept is not None else removal.reason,
        destructive=True,
        active_runs=context.active_runs.get(entry.id),
        until=kept.get("until", removal.until) if kept is not None else removal.until,
    )
    return Judged(change)


def _code(context: Context, key: str, entry: DeployedJob | None) -> CodeRef | None:
    """How the code of a job changes; None when it stays, or when the job uses none before and after."""
    old = entry.snapshot if entry is not None else None
    new = context.snapshot if context.bundle_jobs[key].uses_code else None
    if old == new:
        return None
    spec = context.specs.get(key)
    paths = spec.code_paths if spec is not None else context.code_paths.get(key, ())
    return CodeRef(old, new, context.named.direct(paths) if entry is not None else ())
