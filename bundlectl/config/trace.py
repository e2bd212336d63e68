"""What every loading step did to a bundle: the trees before and after each, for who has to say where a value is from.

Called by operations.explain through config.origins. The steps are those of config.loader, run once more and watched, so
that a load for any other purpose keeps no books.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bundlectl.config.collector import collector_paused
from bundlectl.config.facts import Facts, Findings, Outcome, SourceFile, Step
from bundlectl.config.loader import STEPS, Gathered, gather, resolve
from bundlectl.config.node import Node
from bundlectl.config.request import LoadRequest
from bundlectl.config.tree_view import TreeView
from bundlectl.model.source import SourceTree


class Seen(NamedTuple):
    """One step that was taken. Trees share what the step left alone."""

    name: str  # module and function: jobs.defaults
    before: Node
    after: Node


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A load that was watched. `seen` ends where an error stopped the load."""

    facts: Facts  # as the last step knew them; its sources are the files before anything was merged
    seen: tuple[Seen, ...]
    node: Node  # after the last step

    def before(self, name: str) -> Node:
        """The tree that a step was given; the last tree there is when the step was not reached."""
        return next((step.before for step in self.seen if step.name == name), self.node)

    def after(self, name: str) -> Node:
        """The tree that a step made; the last tree there is when the step was not reached."""
        return next((step.after for step in self.seen if step.name == name), self.node)


def trace(tree: SourceTree, request: LoadRequest, *, only: frozenset[str] | None, loads: bool) -> Trace | None:
    """The steps of a load; None when no file can be read.

    `only`: the jobs that matter, all others are left out. `loads`: the bundle has no errors, so whatever is found here
    comes from the jobs that are missing, and stops nothing.
    """
    with collector_paused():
        gathered = gather(TreeView(tree), request)
        if not isinstance(gathered, Gathered):
            return None
        facts = gathered.facts
        if only is not None:
            facts = replace(facts, sources=tuple(_with_jobs(source, only) for source in facts.sources))
        watch = _Watch(facts, silent=loads)
        resolved = resolve(facts, [] if loads else gathered.found, [watch.over(step) for step in STEPS])
    return Trace(facts=watch.facts, seen=tuple(watch.seen), node=resolved.node)


class _Watch:
    """Takes note of every step. `silent`: findings are not passed on."""

    def __init__(self, facts: Facts, *, silent: bool) -> None:
        self.facts = facts
        self.seen: list[Seen] = []
        self._silent = silent

    def over(self, step: Step) -> Step:
        """The step, watched."""
        learn = self._learning(step.learn) if step.learn is not None else None
        return Step(step.stage, self._running(step.run), learn)

    def _running(self, run: Callable[[Node, Facts], Outcome]) -> Callable[[Node, Facts], Outcome]:
        name = step_name(run)

        def watched(node: Node, facts: Facts) -> Outcome:
            self.facts = facts
            after, found = run(node, facts)
            self.seen.append(Seen(name, node, after))
            return after, [] if self._silent else found

        return watched

    def _learning(
        self, learn: Callable[[Node, Facts], tuple[Facts, Findings]]
    ) -> Callable[[Node, Facts], tuple[Facts, Findings]]:
        def watched(node: Node, facts: Facts) -> tuple[Facts, Findings]:
            self.facts, found = learn(node, facts)
            return self.facts, [] if self._silent else found

        return watched


def step_name(run: Callable[..., Any]) -> str:
    """Module and function of a step."""
    return f"{run.__module__.rpartition('.')[2]}.{run.__name__}"


def _with_jobs(source: SourceFile, only: frozenset[str]) -> SourceFile:
    node = source.node
    if node is None:
        return source
    node = _without_others(node, only)
    for name in ("targets", "environments"):
        targets = node.get(name)
        if targets is not None and targets.is_map:
            kept = {key: _without_others(target, only) for key, target in targets.value.items()}
            node = node.with_member(name, targets.with_value(kept))
    return source._replace(node=node)


def _without_others(holder: Node, only: frozenset[str]) -> Node:
    resources = holder.get("resources")
    jobs = resources.get("jobs") if resources is not None else None
    if resources is None or jobs is None or not jobs.is_map:
        return holder
    kept = {key: job for key, job in jobs.value.items() if key in only}
    return holder.with_member("resources", resources.with_member("jobs", jobs.with_value(kept)))
