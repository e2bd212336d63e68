"""Generic DAG over graphlib: order, batches, and a cycle with its path. Pure."""

import graphlib
from collections.abc import Iterable, Mapping


def find_cycle(edges: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A cycle as `[a, b, ..., a]`, each element depending on the next, or None.

    `edges` maps a node to the nodes it depends on. The same graph always gives the same cycle, started at its
    smallest node.
    """
    ordered = {node: sorted(set(edges[node])) for node in sorted(edges)}
    try:
        graphlib.TopologicalSorter(ordered).prepare()
    except graphlib.CycleError as error:
        # graphlib lists each node before the ones that depend on it; the reader follows dependencies.
        ring: list[str] = list(reversed(error.args[1]))[:-1]
        start = ring.index(min(ring))
        return ring[start:] + ring[: start + 1]
    return None


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
