"""Removes copies of our jobs after an apply: a request that outlived its sender may have made one (safety 2.5).

Called by carry_out, and by doctor through `copies_of`. The recorded job stays, whichever id is lower. A copy that has
runs is kept hidden and told; an object of ours whose key is not known is never touched here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from bundlectl.backends.base import Backend
from bundlectl.model.backend import ObservedJob
from bundlectl.model.deployment import DeployedJob, ownership_id
from bundlectl.model.errors import BackendError, NotPermitted
from bundlectl.model.events import EventSink, Notice


class Copy(NamedTuple):
    """A second job with the ownership id of a recorded one."""

    key: str
    id: str
    own: str


class Scope(NamedTuple):
    """Whose copies are looked for, and how writes are guarded."""

    backend: Backend
    lineage: str
    target: str
    fence: int
    check: Callable[[], None]  # before each call: raises LeaseHeld when the lease is lost
    emit: EventSink


def copies_of(
    observed: Iterable[ObservedJob],
    jobs: Mapping[str, DeployedJob],
    lineage: str,
    target: str,
    known: Iterable[str] = (),
) -> tuple[Copy, ...]:
    """Jobs that carry the ownership id of a recorded job which is there too. `known`: ids that are named elsewhere."""
    seen = list(observed)
    there = {job.id for job in seen}
    recorded = {*(entry.id for entry in jobs.values()), *known}
    owners = {entry.own or ownership_id(lineage, target, key): key for key, entry in jobs.items() if entry.id in there}
    return tuple(Copy(owners[job.own], job.id, job.own) for job in seen if job.id not in recorded and job.own in owners)


def sweep(
    scope: Scope, observed: Iterable[ObservedJob], jobs: Mapping[str, DeployedJob], known: Iterable[str] = ()
) -> bool:
    """Removes the copies, tells what cannot be removed; whether there were any. Raises LeaseHeld, NotAuthenticated."""
    found = copies_of(observed, jobs, scope.lineage, scope.target, known)
    for copy in found:
        scope.check()
        try:
            scope.emit(Notice(_removed(scope, copy, jobs[copy.key])))
        except (BackendError, NotPermitted) as error:
            scope.emit(Notice(f"a copy of jobs.{copy.key}, id {copy.id}, could not be removed: {error.summary}"))
    return bool(found)


def _removed(scope: Scope, copy: Copy, recorded: DeployedJob) -> str:
    backend = scope.backend
    owner = backend.holding(copy.id).owner
    if owner is None or owner != (copy.own, scope.lineage, scope.target, copy.key):
        return f"job {copy.id} looks like a copy of jobs.{copy.key} and says that it is not; it was left alone"
    if not backend.runs(copy.id, 1):
        backend.delete(copy.id, scope.fence)
        return f"removed a copy of jobs.{copy.key}, id {copy.id}; {recorded.id} is the recorded one"
    document = backend.read([copy.id])[copy.id]
    if document is not None:
        hidden = backend.compose(
            document,
            snapshot=recorded.snapshot,
            lineage=scope.lineage,
            target=scope.target,
            key=copy.key,
            own=copy.own,
            hidden=True,
        )
        backend.update(copy.id, hidden, scope.fence)
    return (
        f"a copy of jobs.{copy.key}, id {copy.id}, has runs: it is paused and kept; {recorded.id} is the recorded one"
    )
