"""Results of undelete and gc as text. Pure.

Called by cli.commands.tombstones; JSON forms are in render.tombstone_document.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from bundlectl.render.documents import AppliedChange
from bundlectl.render.escape import visible
from bundlectl.render.values import counted, day_text, job_name, minute_text, table


class KeptJob(Protocol):
    """A deleted job that is kept."""

    @property
    def key(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def since(self) -> str: ...
    @property
    def until(self) -> str: ...
    @property
    def over(self) -> bool: ...
    @property
    def in_bundle(self) -> bool: ...


class Tombstone(Protocol):
    """A deleted job, and why it goes or stays."""

    @property
    def key(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def until(self) -> str: ...
    @property
    def reason(self) -> str: ...


def kept_text(target: str, jobs: Sequence[KeptJob]) -> str:
    """`undelete --list`: every deleted job with its id, since when and until when."""
    if not jobs:
        return f"{visible(target)}: nothing that was deleted is kept\n"
    rows = [
        (
            job_name(job.key),
            visible(job.id),
            minute_text(job.since),
            day_text(job.until) + (" over" if job.over else ""),
            "in the bundle again" if job.in_bundle else "",
        )
        for job in jobs
    ]
    return table([("job", "id", "deleted", "kept until", ""), *rows])


def undeleted_text(target: str, outcomes: Iterable[AppliedChange]) -> str:
    """`undelete`: each job with its id, or why it did not come back."""
    return "".join(f"{_line(item, target)}\n" for item in outcomes)


def _line(item: AppliedChange, target: str) -> str:
    if item.outcome != "done":
        return f"{job_name(item.address)} {visible(item.outcome.replace('_', ' '))}: {visible(item.error or '')}"
    odd = f"; it reads back differently: {', '.join(map(visible, item.not_converged))}" if item.not_converged else ""
    return f"{job_name(item.address)} is back in {visible(target)}, id {visible(item.id)}, with its runs{odd}"


def warning_text(keys: Sequence[str]) -> str:
    """What the next deploy does to jobs that the bundle does not have."""
    names = ", ".join(map(job_name, keys))
    one = len(keys) == 1
    return f"The bundle does not have {names}: the next deploy deletes {'it' if one else 'them'} again."


def collected_text(
    target: str,
    removed: Sequence[Tombstone],
    kept: Sequence[Tombstone],
    outcomes: Iterable[AppliedChange],
    *,
    dry_run: bool,
) -> str:
    """`gc`: what goes and what stays, with reasons, and the totals."""
    ends = {item.address.removeprefix("resources.jobs."): item for item in outcomes}
    rows = []
    for item in removed:
        end = ends.get(item.key)
        failed = end is not None and end.outcome != "done"
        word = "would go" if dry_run else "not removed" if failed else "removed"
        why = visible(end.error or "") if end is not None and failed else visible(item.reason)
        rows.append((word, job_name(item.key), visible(item.id), day_text(item.until), why))
    rows += [
        ("kept", job_name(item.key), visible(item.id), day_text(item.until), visible(item.reason)) for item in kept
    ]
    shown = table(rows) if rows else ""
    return f"{shown}{visible(target)}: {collected_summary(removed, kept, dry_run=dry_run)}"


def collected_summary(removed: Sequence[Tombstone], kept: Sequence[Tombstone], *, dry_run: bool) -> str:
    """`would remove 1 tombstone; kept 2`."""
    verb = "would remove" if dry_run else "removed"
    return f"{verb} {counted(len(removed), 'tombstone')}; kept {len(kept)}\n"
