"""JSON forms of undelete and gc. Pure.

Called by cli.commands.tombstones.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from bundlectl.render.documents import AppliedChange, result_document


class HasDocument(Protocol):
    """A deleted job that is kept, or goes."""

    def document(self) -> dict[str, Any]: ...


def undelete_document(
    target: str, jobs: Iterable[HasDocument], outcomes: Iterable[AppliedChange] = (), *, done: bool
) -> dict[str, Any]:
    """`undelete -o json`; `done`: they were brought back, else they are only listed."""
    ends = {item.address: item for item in outcomes}
    return result_document("undelete", target=target, jobs=[_with_end(job.document(), ends) for job in jobs], done=done)


def gc_document(
    target: str,
    removed: Iterable[HasDocument],
    kept: Iterable[HasDocument],
    outcomes: Iterable[AppliedChange] = (),
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """`gc -o json`."""
    ends = {item.address: item for item in outcomes}
    return result_document(
        "gc",
        target=target,
        dry_run=dry_run,
        removed=[_with_end(job.document(), ends) for job in removed],
        kept=[job.document() for job in kept],
        bytes=0,
    )


def _with_end(document: dict[str, Any], ends: Mapping[str, AppliedChange]) -> dict[str, Any]:
    end = ends.get(str(document["address"]))
    return {
        **document,
        "outcome": end.outcome if end is not None else None,
        "error": end.error if end is not None else None,
    }
