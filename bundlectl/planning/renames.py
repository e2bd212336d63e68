"""Pairs of a deleted and a created job that are nearly the same: a rename that nobody declared. Pure.

Called by planning.planner only when a plan has both deletes and creates.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bundlectl.planning.diff import keyed, leaves
from bundlectl.planning.field_table import FieldTable

_ALIKE = 0.8  # share of equal fields from which two jobs count as one
_MAX_COMPARED = 2_000  # pairs; beyond that a plan is no rename any more
_NEVER_TELL = frozenset({"name", "deployment", "edit_mode", "format", "queue", "max_concurrent_runs"})

Document = Mapping[str, Any]


class Pair(NamedTuple):
    """A created job that looks like a deleted one."""

    created: str
    deleted: str


def probable_renames(
    created: Mapping[str, Document], deleted: Mapping[str, Document], table: FieldTable
) -> tuple[Pair, ...]:
    """At most one pair per job, the most alike first; sorted by created key."""
    if not created or not deleted:
        return ()
    old = {key: _facts(document, table) for key, document in deleted.items()}
    by_tasks: dict[frozenset[str], list[str]] = {}
    for key in sorted(deleted):
        by_tasks.setdefault(_task_keys(deleted[key]), []).append(key)
    scored: list[tuple[float, str, str]] = []
    left = _MAX_COMPARED
    for key in sorted(created):
        facts = _facts(created[key], table)
        for candidate in by_tasks.get(_task_keys(created[key]), ()):
            left -= 1
            if left < 0:
                break
            score = _likeness(facts, old[candidate])
            if score >= _ALIKE:
                scored.append((-score, key, candidate))
    return _best(scored)


def _best(scored: Iterable[tuple[float, str, str]]) -> tuple[Pair, ...]:
    taken: set[str] = set()
    gone: set[str] = set()
    pairs: list[Pair] = []
    for _, created, deleted in sorted(scored):
        if created not in taken and deleted not in gone:
            taken.add(created)
            gone.add(deleted)
            pairs.append(Pair(created, deleted))
    return tuple(sorted(pairs))


def _task_keys(document: Document) -> frozenset[str]:
    tasks = document.get("tasks")
    return frozenset(str(task.get("task_key")) for task in tasks or () if isinstance(task, dict))


def _facts(document: Document, table: FieldTable) -> frozenset[tuple[Any, str]]:
    kept = {name: value for name, value in document.items() if name not in _NEVER_TELL}
    return frozenset((path, repr(value)) for path, value in leaves(keyed(kept, table)))


def _likeness(one: frozenset[Any], other: frozenset[Any]) -> float:
    total = len(one | other)
    return len(one & other) / total if total else 0.0
