"""The fields of drift that somebody named: `jobs.etl`, `jobs.etl.max_concurrent_runs`, `jobs.etl.tasks[load].x`.

Called by drift_accept and drift_snooze. A name may be short where the place is plain.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bundlectl.model.errors import NotFound, UsageError
from bundlectl.model.location import FieldPath, key_of, path_short
from bundlectl.model.plan import FieldChange
from bundlectl.operations.drift import Drift
from bundlectl.planning.drift import JobDrift
from bundlectl.planning.field_name import job_field


class DriftField(NamedTuple):
    """One field of a job that is not as it was deployed."""

    job: JobDrift
    field: FieldChange

    @property
    def key(self) -> str:
        """Of the job."""
        return key_of(self.job.address)

    @property
    def name(self) -> str:
        """For people: jobs.etl.tasks[load].timeout_seconds."""
        return path_short(("jobs", self.key, *self.field.path))


def named_fields(drift: Drift, names: Iterable[str], *, whole_jobs: bool) -> list[DriftField]:
    """The fields in the order of the names, each once. `whole_jobs`: the name of a job stands for all its fields.

    Raises UsageError for what is no name, NotFound for what has not drifted.
    """
    found: dict[tuple[str, FieldPath], DriftField] = {}
    for text in names:
        key, path = job_field(text)
        job = next((job for job in drift.jobs if key_of(job.address) == key), None)
        if not path and not whole_jobs:
            raise UsageError(f'"{text}" is a whole job; name its field', hint=_hint(drift, key))
        wanted = [item for item in (job.fields if job is not None else ()) if _is(item.path, path)]
        if job is not None and job.gone:
            raise NotFound(
                f"jobs.{key} is gone from the backend: there is no value to take",
                hint="to have it gone, take it out of the bundle; to have it back: bundlectl deploy",
            )
        if not wanted:
            raise NotFound(f'no drift at "{text}"', code="BND311", hint=_hint(drift, key))
        for item in wanted:
            if job is not None and (path or item.reason is None):
                found[key, item.path] = DriftField(job, item)
    return list(found.values())


def _is(path: FieldPath, wanted: FieldPath) -> bool:
    """Whether a name means a field: written out, or with short keys of lists; every field when it is empty."""
    return not wanted or path == wanted or path_short(path) == path_short(wanted)


def _hint(drift: Drift, key: str) -> str:
    fields = [DriftField(job, field) for job in drift.jobs for field in job.fields]
    mine = [item.name for item in fields if item.key == key] or [item.name for item in fields]
    shown = ", ".join(mine[:10]) + (", ..." if len(mine) > 10 else "")
    return f"drift is at: {shown}" if mine else "bundlectl drift shows what is on the backend"
