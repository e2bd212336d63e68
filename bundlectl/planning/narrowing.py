"""The part of a plan that was asked for, and what it leaves out. Pure.

Called by planning.planner once all changes are known, so that what is left out is known too: it is the debt of the
deployment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from bundlectl.model.job import JobDigest
from bundlectl.model.location import key_of
from bundlectl.model.plan import Action, Change, DriftedJob
from bundlectl.planning.selection import Selection

_GIVES_ID = frozenset({Action.CREATE, Action.REPLACE, Action.RENAME})
_REMOVES = frozenset({Action.DELETE, Action.FORGET})


class Narrowed(NamedTuple):
    """What a plan is about."""

    changes: tuple[Change, ...]
    drift: tuple[DriftedJob, ...]
    left_out: tuple[str, ...] = ()  # addresses of changes that are not in the plan, sorted
    unchanged: int = 0  # jobs of the bundle that are in the plan's scope and do not change
    not_selected: int = 0
    has_code: bool = False  # some change, left out or not, is one of code


def narrowed(
    changes: tuple[Change, ...],
    drift: tuple[DriftedJob, ...],
    jobs: Mapping[str, JobDigest],
    selection: Selection,
) -> Narrowed:
    """Changes and drift of the selected jobs, with what those cannot do without. `jobs`: of the bundle."""
    has_code = any(change.code for change in changes)
    written = sum(key_of(change.address) in jobs for change in changes)
    if selection.is_everything:
        return Narrowed(changes, drift, unchanged=len(jobs) - written, has_code=has_code)
    chosen = _with_needed(changes, {change.address for change in changes if selection.has(*_names(change))})
    kept = tuple(_trimmed(change, chosen) for change in changes if change.address in chosen)
    left_out = sorted(change.address for change in changes if change.address not in chosen)
    scope = {key for key, job in jobs.items() if selection.has(key, *_old(job))} | {key_of(name) for name in chosen}
    inside = scope & jobs.keys()
    outside = [name for name in left_out if key_of(name) not in jobs]
    return Narrowed(
        changes=kept,
        drift=tuple(job for job in drift if key_of(job.address) in scope),
        left_out=tuple(left_out),
        unchanged=len(inside) - sum(key_of(change.address) in jobs for change in kept),
        not_selected=len(jobs) - len(inside) + len(outside),
        has_code=has_code,
    )


def _with_needed(changes: Sequence[Change], chosen: set[str]) -> set[str]:
    """The selected changes with those that they cannot do without: ids that do not exist yet, users of what goes."""
    by_address = {change.address: change for change in changes}
    waiting = list(chosen)
    while waiting:
        change = by_address[waiting.pop()]
        for name in change.depends_on:
            needed = change.action in _REMOVES or by_address[name].action in _GIVES_ID
            if needed and name not in chosen:
                chosen.add(name)
                waiting.append(name)
    return chosen


def _trimmed(change: Change, chosen: set[str]) -> Change:
    """The change without the order after what is left out."""
    if all(name in chosen for name in change.depends_on):
        return change
    return replace(change, depends_on=tuple(name for name in change.depends_on if name in chosen))


def _names(change: Change) -> tuple[str, ...]:
    return (key_of(change.address), *((change.renamed_from,) if change.renamed_from else ()))


def _old(job: JobDigest) -> tuple[str, ...]:
    return (job.renamed_from,) if job.renamed_from else ()
