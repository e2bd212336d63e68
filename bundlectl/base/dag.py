"""Generic DAG over graphlib: order, batches, and a cycle with its path. Pure."""

import graphlib
from collections.abc import Iterable, Mapping


def find_cycle(edges: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A cycle as `[a, b, ..., a]`, each element depending on the next, or None.

    `edges` maps a node to the nodes it depends on. The same graph always gives the same cycle, started at its
    smallest node.
    """
    if _has_order(edges):
        return None
    ordered = {node: sorted(set(edges[node])) for node in sorted(edges)}
    try:
        graphlib.TopologicalSorter(ordered).prepare()
    except graphlib.CycleError as error:
        # graphlib lists each node before the ones that depend on it; the reader follows dependencies.
        ring: list[str] = list(reversed(error.args[1]))[:-1]
        start = ring.index(min(ring))
        return ring[start:] + ring[: start + 1]
    return None


def _has_order(edges: Mapping[str, Iterable[str]]) -> bool:
    """Whether there is no cycle: much cheaper to say than graphlib's way to find one."""
    waits: dict[str, int] = {}
    dependents: dict[str, list[str]] = {}
    for node, needed in edges.items():
        inside = {other for other in needed if other in edges}
        waits[node] = len(inside)
        for other in inside:
            dependents.setdefault(other, []).append(node)
    ready = [node for node, count in waits.items() if not count]
    for node in ready:  # grows while it is walked
        for dependent in dependents.get(node, ()):
            waits[dependent] -= 1
            if not waits[dependent]:
                ready.append(dependent)
    return len(ready) == len(waits)


def topological(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Nodes, dependencies first, ties by name. Raises graphlib.CycleError."""
    return [node for batch in batches(edges) for node in batch]


def batches(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of nodes: each group depends only on earlier groups; sorted inside. Raises graphlib.CycleError."""
    sorter = graphlib.TopologicalSorter(edges)
    sorter.prepare()
    groups: list[list[str]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        groups.append(ready)
        sorter.done(*ready)
    return groups
