"""What was deployed against what the backend holds, job by job, without a look at what the bundle says now. Pure.

Called by operations.drift. Digests tell first which jobs have to be read; fields are judged as in a plan
(planning.verdicts), with the record in place of the bundle.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bundlectl.model.backend import Observed, ObservedJob
from bundlectl.model.deployment import Deployment, ownership_id
from bundlectl.model.job import JobDigest
from bundlectl.model.location import address
from bundlectl.model.plan import FieldChange
from bundlectl.planning.changes import with_author
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.references import with_known_ids
from bundlectl.planning.selection import EVERYTHING, Selection
from bundlectl.planning.snoozes import Snoozes
from bundlectl.planning.verdicts import Sides, compare


class JobDrift(NamedTuple):
    """One deployed job that is not on the backend as it was deployed."""

    address: str
    id: str  # as recorded
    gone: bool = False
    mark_changed: bool = False  # what bundlectl wrote beside the settings: code path, ownership
    copies: tuple[str, ...] = ()  # ids of further jobs with its ownership id
    fields: tuple[FieldChange, ...] = ()

    @property
    def counted(self) -> int:
        """How many differences count: not those that are snoozed."""
        whole = self.gone + self.mark_changed + len(self.copies)
        return whole + sum(field.snoozed_until is None for field in self.fields)


class Suspects(NamedTuple):
    """What digests tell."""

    gone: tuple[str, ...] = ()  # recorded keys
    read: Mapping[str, str] = {}  # recorded key -> id of a job that is not, or may not be, as it was sent
    copies: Mapping[str, tuple[str, ...]] = {}  # recorded key -> ids
    strays: tuple[str, ...] = ()  # ids that carry our lineage and target, and belong to no recorded job
    looked_at: int = 0  # jobs that were compared


def suspects(deployment: Deployment, observed: Observed, selection: Selection = EVERYTHING) -> Suspects:
    """Which jobs have to be read. Raises NotFound for a selected job that is not deployed."""
    live = {key: entry for key, entry in deployment.jobs.items() if entry.tombstone is None}
    selection.check(live)
    chosen = {key: entry for key, entry in live.items() if selection.has(key)}
    digests = {job.id: job.digest for job in observed.jobs}
    known = {entry.id for entry in deployment.jobs.values()}
    owners = {
        entry.own or ownership_id(deployment.lineage, deployment.target, key): key
        for key, entry in deployment.jobs.items()
    }
    copies: dict[str, list[str]] = {}
    strays: list[str] = []
    for job in observed.jobs:
        if job.id not in known:
            key = owners.get(job.own)
            if key is None:
                strays.append(job.id)
            elif key in chosen:
                copies.setdefault(key, []).append(job.id)
    return Suspects(
        gone=tuple(sorted(key for key, entry in chosen.items() if entry.id not in digests)),
        read={
            key: entry.id
            for key, entry in sorted(chosen.items())
            if entry.id in digests and digests[entry.id] != entry.sent
        },
        copies={key: tuple(sorted(ids)) for key, ids in sorted(copies.items())},
        strays=tuple(sorted(strays)),
        looked_at=len(chosen),
    )


class DriftInputs(NamedTuple):
    """What drift is made of. Documents are those of Suspects.read: recorded ones by key, held ones by id."""

    deployment: Deployment
    suspects: Suspects
    recorded: Mapping[str, Mapping[str, Any]]
    held: Mapping[str, Mapping[str, Any] | None]
    observed: Observed
    told: Mapping[str, ObservedJob]  # id -> who changed a job, where the backend tells
    bundle_jobs: Mapping[str, JobDigest]  # of the bundle now: only who owns the pause of a job is asked
    table: FieldTable
    snoozes: Snoozes


def drifted_jobs(inputs: DriftInputs) -> tuple[JobDrift, ...]:
    """Every job that differs, by address."""
    deployment, found = inputs.deployment, inputs.suspects
    digests = {job.id: job.digest for job in inputs.observed.jobs}
    jobs: dict[str, JobDrift] = {}
    for key in found.gone:
        jobs[key] = JobDrift(address(key), deployment.jobs[key].id, gone=True)
    for key, id in found.read.items():
        document = inputs.held.get(id)
        if document is None:
            jobs[key] = JobDrift(address(key), id, gone=True)
            continue
        fields = _fields(inputs, key, document)
        # The digest differs and no field does: it is the part that neutral documents leave out.
        mark_changed = not fields and digests.get(id) is not None
        if fields or mark_changed:
            jobs[key] = JobDrift(address(key), id, mark_changed=mark_changed, fields=fields)
    for key, copies in found.copies.items():
        job = jobs.get(key, JobDrift(address(key), deployment.jobs[key].id))
        jobs[key] = job._replace(copies=copies)
    return tuple(jobs[key] for key in sorted(jobs))


def _fields(inputs: DriftInputs, key: str, document: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    ids = {name: entry.id for name, entry in inputs.deployment.jobs.items()}
    recorded = with_known_ids(inputs.recorded[key], ids)
    job = inputs.bundle_jobs.get(key)
    comparison = compare(
        Sides(recorded, recorded, document),
        inputs.table,
        operator_pause=job is not None and job.pause == "operator",
        spans={},
        snoozes=inputs.snoozes.of(key),
    )
    return with_author(comparison, inputs.told.get(inputs.suspects.read[key])).drift
