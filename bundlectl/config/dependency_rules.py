"""Rules about the order of tasks: depends_on names other tasks, once, without a circle (config language 20.4).

Listed in config.rules.RULES; each rule takes one JobView and yields its findings.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise

from bundlectl.base.dag import find_cycle
from bundlectl.base.suggest import nearest
from bundlectl.config.job_view import Edge, JobView, elements, finding, member, resolved_text
from bundlectl.model.diagnostic import Diagnostic, Severity

ERROR, PLAN_ERROR, WARNING = Severity.ERROR, Severity.PLAN_ERROR, Severity.WARNING
_LONGEST_CYCLE_SHOWN = 12


def dependencies_exist(job: JobView) -> Iterator[Diagnostic]:
    """Each name in depends_on is another task of the job, listed once."""
    known = {task.key for task in job.outer if task.key is not None}
    listed = elements(member(job.node, "tasks"))
    # A task that is not resolved yet may be the one that is named.
    complete = len(listed) == len(job.outer) and all(
        task.key is not None or member(task.node, "task_key") is None for task in job.outer
    )
    seen: dict[tuple[int, str], Edge] = {}
    for edge in job.edges:
        task = edge.task
        first = seen.setdefault((id(task.node), edge.on), edge)
        if first is not edge:
            summary = f'"{edge.on}" is listed twice in depends_on of "{task.name}"'
            yield finding("BND255", WARNING, summary, edge.path, edge.node.span, first.node.span)
        elif edge.on == task.key:
            summary = f'task "{edge.on}" depends on itself'
            yield finding("BND254", ERROR, summary, edge.path, edge.node.span)
        elif edge.on not in known and complete:
            near = nearest(edge.on, known - {task.key})
            detail = f'did you mean "{near}"?' if near else None
            summary = f'no task "{edge.on}" in job "{job.key}"'
            yield finding("BND231", ERROR, summary, edge.path, edge.node.span, detail=detail)


def outcomes(job: JobView) -> Iterator[Diagnostic]:
    """`outcome` is "true" or "false", and its task is a condition task."""
    edges = [edge for edge in job.edges if "outcome" in edge.entry.value]
    conditions = {task.key: member(task.node, "condition_task") is not None for task in job.outer} if edges else {}
    for edge in edges:
        node = member(edge.entry, "outcome")
        text = resolved_text(node)
        if node is None or text is None:
            continue
        path = (*edge.path[:-1], "outcome")
        if text not in ("true", "false"):
            summary = f'outcome is "true" or "false", found "{text}"'
            yield finding("BND256", PLAN_ERROR, summary, path, node.span)
        elif not conditions.get(edge.on, True):
            summary = f'outcome needs a condition task, and "{edge.on}" is none'
            yield finding("BND256", PLAN_ERROR, summary, path, node.span)


def no_cycle(job: JobView) -> Iterator[Diagnostic]:
    """No task waits for itself through others; each circle is shown once, with every edge of it."""
    places: dict[tuple[str, str], Edge] = {}
    graph: dict[str, set[str]] = {}
    for edge in job.edges:
        if edge.task.key is not None and edge.task.key != edge.on:
            graph.setdefault(edge.task.key, set()).add(edge.on)
            places.setdefault((edge.task.key, edge.on), edge)
    for cycle in cycles(graph):
        edges = [places[pair] for pair in pairwise(cycle)]
        spans = [edge.node.span for edge in edges]
        yield finding("BND254", ERROR, f"cycle: {cycle_text(cycle)}", edges[0].path, *spans)


def cycles(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Circles of a graph, short ones first, each as `[a, b, a]` from its smallest name; none shares an edge."""
    left = {name: set(targets) for name, targets in graph.items()}
    ring = find_cycle(left)
    while ring is not None:
        cycle = min((_shortest(left, name) for name in sorted(set(ring))), key=lambda path: (len(path), path))
        start = cycle.index(min(cycle))
        cycle = cycle[start:-1] + cycle[: start + 1]
        yield cycle
        for name, target in pairwise(cycle):
            left[name].discard(target)
        ring = find_cycle(left)


def cycle_text(cycle: list[str], prefix: str = "") -> str:
    """`a -> b -> a`, shortened in the middle when it is long."""
    names = [prefix + name for name in cycle]
    if len(names) > _LONGEST_CYCLE_SHOWN + 1:
        half = _LONGEST_CYCLE_SHOWN // 2
        hidden = len(names) - 2 * half
        names = [*names[:half], f"... {hidden} more ...", *names[-half:]]
    return " -> ".join(names)


def _shortest(graph: Mapping[str, set[str]], start: str) -> list[str]:
    """The shortest way from `start` back to it. `start` is on a circle."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for target in sorted(graph.get(name, ())):
            if target == start:
                way = []
                while name != start:
                    way.append(name)
                    name = came_from[name]
                return [start, *reversed(way), start]
            if target not in came_from:
                came_from[target] = name
                waiting.append(target)
    raise ValueError(f"{start!r} is on no circle")
