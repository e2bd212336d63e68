"""Changes in the order in which they are applied: each after what it depends on, deletes last and in reverse. Pure.

Called by planning.planner.
"""

import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bundlectl.base.dag import topological
from bundlectl.model.location import address, key_of
from bundlectl.model.plan import Action, Change

_REMOVALS = frozenset({Action.DELETE, Action.FORGET})


def in_apply_order(
    changes: Iterable[Change], needs: Mapping[str, Iterable[str]], needed: Mapping[str, Iterable[str]]
) -> tuple[Change, ...]:
    """The changes with `depends_on` filled in, sorted.

    `needs`: key -> keys whose id its new document has. `needed`: key -> keys whose id its recorded document had; a job
    is deleted after those that referred to it were changed or deleted.
    """
    by_key = {key_of(change.address): change for change in changes}
    writes = {key for key, change in by_key.items() if change.action not in _REMOVALS}
    removals = by_key.keys() - writes
    edges: dict[str, set[str]] = {key: writes.intersection(needs.get(key, ())) - {key} for key in writes}
    edges.update({key: set() for key in removals})
    for user, used in needed.items():
        if user in by_key:
            for key in removals.intersection(used):
                if key != user:
                    edges[key].add(user)
    order = [key for key in _sorted(edges) if key in writes] + [key for key in _sorted(edges) if key in removals]
    return tuple(
        replace(by_key[key], depends_on=tuple(sorted(map(address, edges[key])))) if edges[key] else by_key[key]
        for key in order
    )


def _sorted(edges: Mapping[str, set[str]]) -> list[str]:
    try:
        return topological(edges)
    except graphlib.CycleError:
        # Recorded documents may refer to each other in a circle (the bundle may not): then any order is as good.
        return sorted(edges)
