"""Rules about references between resources: they exist, they are managed, and jobs do not need each other in a circle.

Config language 8.6. Called by config.rules for all jobs at once; resolves nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config.dependency_rules import cycle_text, cycles
from bundlectl.config.interpolation import place_in, references
from bundlectl.config.job_view import finding
from bundlectl.config.node import Node
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import FieldPath, SourceSpan
from bundlectl.schema.kinds import UNMANAGED_KINDS

# What a job has that is in no file: known once it is deployed.
_DEPLOYED = ("id", "url")


class Reference(NamedTuple):
    """One `${resources.kind.key.rest}` in a job."""

    kind: str
    key: str
    rest: tuple[str | int, ...]
    text: str  # ${resources...}
    span: SourceSpan
    path: FieldPath


class Known(NamedTuple):
    """What references may name."""

    jobs: Mapping[str, Node]  # jobs at hand
    job_keys: Collection[str]  # of all jobs
    resources: Mapping[str, Node] | None  # kind -> its resources; None when not known
    externals: Collection[str]  # resources.kind.key.field that the bundle gives a value for


def references_in(node: Node, path: FieldPath) -> Iterator[Reference]:
    """Every reference to a resource below `node`, in order."""
    return _with_paths(node, path) if _mentions_resources(node) else iter(())


def _mentions_resources(node: Node) -> bool:
    """Whether some text below `node` may hold such a reference: most jobs have none, and paths cost."""
    waiting = [node]
    while waiting:
        value = waiting.pop().value
        for child in value.values() if value.__class__ is dict else value:
            inner = child.value
            kind = inner.__class__
            if kind is str:
                if "${resources." in inner:
                    return True
            elif kind is dict or kind is list:
                waiting.append(child)
    return False


def _with_paths(node: Node, path: FieldPath) -> Iterator[Reference]:
    waiting = [(node, path)]
    while waiting:
        here, at = waiting.pop()
        value = here.value
        if isinstance(value, str):
            yield from _in_text(value, here, at)
        elif isinstance(value, dict):
            waiting.extend((child, (*at, name)) for name, child in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((child, (*at, index)) for index, child in reversed(list(enumerate(value))))


def _in_text(text: str, node: Node, path: FieldPath) -> Iterator[Reference]:
    for found in references(text):
        steps = found.steps
        if len(steps) >= 3 and steps[0] == "resources" and isinstance(steps[1], str) and isinstance(steps[2], str):
            span = place_in(node, found.start, found.end - found.start)
            yield Reference(steps[1], steps[2], steps[3:], found.text, span, path)


def check_references(found: list[Reference], known: Known) -> Iterator[Diagnostic]:
    """Each reference names a resource that exists, and a field that it has."""
    for reference in found:
        if reference.kind == "jobs":
            yield from _check_job(reference, known)
        elif reference.kind not in UNMANAGED_KINDS:
            near = nearest(reference.kind, ("jobs", *UNMANAGED_KINDS))
            yield _fault(reference, f'no kind of resource "{reference.kind}": {reference.text}', near)
        elif reference.text[2:-1] not in known.externals:
            yield from _check_unmanaged(reference, known)


def _check_unmanaged(reference: Reference, known: Known) -> Iterator[Diagnostic]:
    """Of a resource of another kind only what the bundle itself says is known."""
    if known.resources is not None:
        holder = known.resources.get(reference.kind)
        keys: Mapping[str, Node] = holder.value if holder is not None and isinstance(holder.value, dict) else {}
        if reference.key not in keys:
            summary = f'no resource "{reference.kind}.{reference.key}": {reference.text}'
            yield _fault(reference, summary, nearest(reference.key, keys))
            return
        if reference.rest and _missing_step(keys[reference.key], reference.rest) is None:
            return
    summary = f"no value for {reference.text}: {reference.kind} are not managed"
    hint = f'set bundlectl.externals: {{"{reference.text[2:-1]}": <value>}}'
    yield finding("BND250", Severity.PLAN_ERROR, summary, reference.path, reference.span, hint=hint)


def _check_job(reference: Reference, known: Known) -> Iterator[Diagnostic]:
    if reference.key not in known.job_keys:
        summary = f'no job "{reference.key}": {reference.text}'
        yield _fault(reference, summary, nearest(reference.key, known.job_keys))
        return
    if not reference.rest:
        yield _fault(reference, f"name a field of the job: {reference.text}", "id")
        return
    node = known.jobs.get(reference.key)
    missing = _missing_step(node, reference.rest) if node is not None else None
    if missing is None or reference.rest[0] in _DEPLOYED:
        return
    holder, step = missing
    shown = f"[{step}]" if isinstance(step, int) else f'"{step}"'
    names = holder.value if isinstance(holder.value, dict) else ()
    near = nearest(step, (*names, *_DEPLOYED)) if isinstance(step, str) else None
    yield _fault(reference, f'job "{reference.key}" has no {shown}: {reference.text}', near)


def _missing_step(node: Node, steps: tuple[str | int, ...]) -> tuple[Node, str | int] | None:
    """The first step that leads nowhere, with the node that lacks it; None when all lead somewhere."""
    for step in steps:
        value = node.value
        if isinstance(value, str) and references(value):
            return None  # not resolved yet
        inside = step < len(value) if isinstance(step, int) and isinstance(value, list) else False
        if not inside and not (isinstance(step, str) and isinstance(value, dict) and step in value):
            return node, step
        node = value[step]
    return None


def _fault(reference: Reference, summary: str, near: str | None) -> Diagnostic:
    detail = f'did you mean "{near}"?' if near else None
    return finding("BND248", Severity.ERROR, summary, reference.path, reference.span, detail=detail)


def check_cycles(
    references: Mapping[str, list[Reference]], other_edges: Mapping[str, Collection[str]]
) -> Iterator[Diagnostic]:
    """Jobs that need each other before they exist. `other_edges`: what the jobs not at hand refer to."""
    graph = {job: set(targets) for job, targets in other_edges.items() if targets and job not in references}
    places: dict[tuple[str, str], Reference] = {}
    for job, found in references.items():
        for reference in found:
            if reference.kind == "jobs":
                graph.setdefault(job, set()).add(reference.key)
                places.setdefault((job, reference.key), reference)
    for cycle in cycles(graph):
        edges = [places[pair] for pair in pairwise(cycle) if pair in places]
        if edges:
            summary = f"cycle: {cycle_text(cycle, 'jobs.')}"
            yield finding("BND248", Severity.ERROR, summary, edges[0].path, *(edge.span for edge in edges))
