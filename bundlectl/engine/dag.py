"""Which tasks of a run start, wait or are skipped, and how the run ends (jobs.md 3.2 to 3.4). Pure.

Called by engine.scheduler: `build_graph` once a run, `Evaluation` as tasks end, `run_result` at the end. Knows nothing
of attempts, times or the database; `Ended.order` is any number that grows with the time of an end.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from bundlectl.engine.references import referenced_tasks
from bundlectl.model.run import LifeCycle, Result

# Class of a dependency after its last attempt: succeeded, failed, cancelled, excluded, disabled.
Cls = Literal["S", "F", "C", "X", "D"]
Decision = Literal["run"] | Result

RUN: Final = "run"
RUN_IF: Final = frozenset(
    {"ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"}
)
CLASSES: Final[Mapping[Result, Cls]] = {
    Result.SUCCESS: "S",
    Result.SUCCESS_WITH_FAILURES: "S",
    Result.FAILED: "F",
    Result.TIMEDOUT: "F",
    Result.UPSTREAM_FAILED: "F",
    Result.CANCELED: "C",
    Result.UPSTREAM_CANCELED: "C",
    Result.EXCLUDED: "X",
    Result.DISABLED: "D",
}

WORKLOAD_FAILED: Final = "Workload failed, see run output for details"
UPSTREAM_MESSAGE: Final = "An upstream task failed."
ALL_SKIPPED: Final = " This caused all downstream tasks to get skipped."
# Message of a task that ends without having started, by result.
SKIP_MESSAGES: Final[Mapping[Result, str]] = {
    Result.UPSTREAM_FAILED: UPSTREAM_MESSAGE,
    Result.UPSTREAM_CANCELED: "An upstream task was cancelled.",
    Result.EXCLUDED: "The condition to run this task was not met.",
    Result.DISABLED: "The task, or a task that it depends on, is disabled.",
    Result.FAILED: "The operand comes from a disabled task, so it has no value.",
}
_SKIPPED: Final = frozenset(SKIP_MESSAGES) - {Result.FAILED}
_HANDED_DOWN: Final = frozenset({Result.UPSTREAM_FAILED, Result.UPSTREAM_CANCELED})


class UnknownTask(Exception):
    """`only` names a task that the job does not have."""

    def __init__(self, item: str, key: str) -> None:
        super().__init__(f'"only" names the task "{key}", which the job does not have (item "{item}")')
        self.item = item
        self.key = key


class Edge(NamedTuple):
    """One dependency. `outcome` is "true" or "false" when only one branch of a condition task counts."""

    task_key: str
    outcome: str | None = None


class Node(NamedTuple):
    """One task as far as the order of tasks is concerned."""

    key: str
    edges: tuple[Edge, ...] = ()
    run_if: str = "ALL_SUCCESS"
    disabled: bool = False
    # Tasks whose values are operands of a condition or inputs of a for_each: it fails when one of them is disabled.
    operands: frozenset[str] = frozenset()


class Ended(NamedTuple):
    """How a task ended, after its last attempt."""

    result: Result
    outcome: str | None = None  # of a condition task
    order: int = 0  # grows with the time of the end
    message: str = ""


class RunOutcome(NamedTuple):
    """How the whole run ended."""

    state: LifeCycle
    result: Result
    message: str


class Graph:
    """Tasks of one run with their adjacency, computed once."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes: dict[str, Node] = {node.key: node for node in nodes}
        children: dict[str, list[str]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for parent in {edge.task_key: None for edge in node.edges}:
                children[parent].append(node.key)
        self.children: Mapping[str, Sequence[str]] = children
        self.leaves: tuple[str, ...] = tuple(key for key, below in children.items() if not below)

    def downstream(self, key: str) -> set[str]:
        """Every task that depends on `key`, directly or not."""
        return _closure(key, self.children)

    def upstream(self, key: str) -> set[str]:
        """Every task that `key` depends on, directly or not."""
        return _closure(key, {node.key: [edge.task_key for edge in node.edges] for node in self.nodes.values()})


def build_graph(tasks: Sequence[Mapping[str, Any]]) -> Graph:
    """The graph of the `tasks` of a job, as they are in its settings. They were checked at create."""
    return Graph(_node(task) for task in tasks)


def build_part(tasks: Sequence[Mapping[str, Any]], keys: Collection[str]) -> Graph:
    """The graph of some tasks; dependencies on others are dropped."""
    return _within((_node(task) for task in tasks), keys)


def _within(nodes: Iterable[Node], keys: Collection[str]) -> Graph:
    return Graph(
        node._replace(edges=tuple(edge for edge in node.edges if edge.task_key in keys))
        for node in nodes
        if node.key in keys
    )


def _node(task: Mapping[str, Any]) -> Node:
    edges = tuple(Edge(edge["task_key"], edge.get("outcome")) for edge in task.get("depends_on") or ())
    operands: frozenset[str] = frozenset()
    if condition := task.get("condition_task"):
        operands = referenced_tasks([condition.get("left"), condition.get("right")])
    elif loop := task.get("for_each_task"):
        operands = referenced_tasks(loop.get("inputs"))
    run_if = task.get("run_if") or "ALL_SUCCESS"
    return Node(task["task_key"], edges, run_if, bool(task.get("disabled")), operands)


def _closure(start: str, adjacency: Mapping[str, Sequence[str]]) -> set[str]:
    seen: set[str] = set()
    stack = [start]
    while stack:
        for key in adjacency[stack.pop()]:
            if key not in seen:
                seen.add(key)
                stack.append(key)
    return seen


def edge_class(edge: Edge, parent: Ended) -> Cls:
    """Class of one dependency: the other branch of a succeeded condition task counts as excluded."""
    cls = CLASSES[parent.result]
    if cls == "S" and edge.outcome is not None and edge.outcome != parent.outcome:
        return "X"
    return cls


def decide(run_if: str, classes: Sequence[Cls]) -> Decision:
    """What happens to a task whose dependencies, of these classes, are all terminal.

    Raises ValueError for an unknown `run_if`.
    """
    if not classes:
        return RUN
    kinds = set(classes)
    if kinds == {"X"}:
        return Result.EXCLUDED
    failed = kinds & {"F", "C"}
    match run_if:
        case "ALL_SUCCESS":
            runs = not failed and "D" not in kinds
        case "AT_LEAST_ONE_SUCCESS":
            # "Excluded is treated as successful" counts only beside a failure: without one, X alone ran nothing.
            runs = "S" in kinds or ("X" in kinds and bool(failed))
        case "NONE_FAILED":
            runs = not failed and "S" in kinds
        case "ALL_DONE":
            runs = True
        case "AT_LEAST_ONE_FAILED":
            return RUN if failed else _not_failed(kinds)
        case "ALL_FAILED":
            return RUN if failed == kinds else _not_failed(kinds)
        case _:
            raise ValueError(f'run_if is "{run_if}"')
    if runs:
        return RUN
    if not failed:
        return Result.DISABLED
    return Result.UPSTREAM_CANCELED if failed == {"C"} else Result.UPSTREAM_FAILED


def _not_failed(kinds: set[Cls]) -> Result:
    """Result of a handler of failures that has nothing to handle."""
    return Result.DISABLED if "D" in kinds else Result.EXCLUDED


def evaluate(node: Node, ended: Mapping[str, Ended]) -> Decision | None:
    """What happens to a task now, or None while a dependency is not terminal.

    Result.FAILED means that the task is a condition or a for_each over the value of a disabled task (3.4).
    """
    if node.disabled:
        return Result.DISABLED
    classes: list[Cls] = []
    for edge in node.edges:
        parent = ended.get(edge.task_key)
        if parent is None:
            return None
        classes.append(edge_class(edge, parent))
    decision = decide(node.run_if, classes)
    if decision == Result.DISABLED and node.operands:
        disabled = {key for key in node.operands if key in ended and ended[key].result == Result.DISABLED}
        if disabled:
            return Result.FAILED
    return decision


class Evaluation:
    """Evaluates a run step by step, touching only what an end can change. Rebuilt from the rows after a restart."""

    def __init__(self, graph: Graph, ended: Mapping[str, Ended] | None = None) -> None:
        self.graph = graph
        self.ended: dict[str, Ended] = dict(ended or {})
        self._decided: set[str] = set(self.ended)
        self._open: dict[str, int] = {
            key: len({edge.task_key for edge in node.edges} - self.ended.keys()) for key, node in graph.nodes.items()
        }

    @property
    def complete(self) -> bool:
        """True when every task is terminal."""
        return len(self.ended) == len(self.graph.nodes)

    def ready(self, started: Iterable[str] = ()) -> list[tuple[str, Decision]]:
        """Decisions that can be taken now, in the order of the tasks: called first. `started` were decided before.

        A task that is skipped counts as ended at once, and what follows from that is in the list.
        """
        self._decided.update(started)
        decisions: list[tuple[str, Decision]] = []
        for key, node in self.graph.nodes.items():
            if key not in self._decided and (node.disabled or not self._open[key]):
                self._take(key, decisions)
        return decisions

    def settle(self, key: str, end: Ended) -> list[tuple[str, Decision]]:
        """Records the end of a task; the decisions that follow, parents first. Skipped tasks count as ended at once."""
        decisions: list[tuple[str, Decision]] = []
        self._end(key, end, decisions)
        return decisions

    def _end(self, key: str, end: Ended, decisions: list[tuple[str, Decision]]) -> None:
        self._decided.add(key)
        pending = [(key, end)]
        for parent, ending in pending:
            if parent in self.ended:
                continue
            self.ended[parent] = ending
            for child in self.graph.children[parent]:
                self._open[child] -= 1
                if self._open[child] or child in self._decided:
                    continue
                decision = self._decide(child, decisions)
                if decision != RUN:
                    pending.append((child, self._skipped(decision, ending.order)))

    def _take(self, key: str, decisions: list[tuple[str, Decision]]) -> None:
        decision = self._decide(key, decisions)
        if decision != RUN:
            self._end(key, self._skipped(decision, 0), decisions)

    def _decide(self, key: str, decisions: list[tuple[str, Decision]]) -> Decision:
        decision = evaluate(self.graph.nodes[key], self.ended)
        if decision is None:
            raise AssertionError(f"{key} was evaluated before its dependencies ended")
        self._decided.add(key)
        decisions.append((key, decision))
        return decision

    @staticmethod
    def _skipped(decision: Decision, order: int) -> Ended:
        result = Result(decision)
        return Ended(result, order=order, message=SKIP_MESSAGES[result])


def select(graph: Graph, only: Sequence[str]) -> Graph:
    """The part of a graph that `only` of run-now names; dependencies on other tasks are dropped. Raises UnknownTask."""
    if not only:
        return graph
    chosen: set[str] = set()
    for item in only:
        key = item.removeprefix("+").removesuffix("+")
        if key not in graph.nodes:
            raise UnknownTask(item, key)
        around = (graph.upstream(key) if item.startswith("+") else set()) | (
            graph.downstream(key) if item.endswith("+") else set()
        )
        chosen.add(key)
        chosen.update(other for other in around if not graph.nodes[other].disabled)
    return _within(graph.nodes.values(), chosen)


def run_result(
    graph: Graph, ended: Mapping[str, Ended], *, canceled: bool = False, timed_out: bool = False
) -> RunOutcome:
    """How a run ends whose tasks are all terminal. `canceled` and `timed_out` are those of the whole run."""
    if canceled:
        return RunOutcome(LifeCycle.TERMINATED, Result.CANCELED, "Run cancelled.")
    if timed_out:
        return RunOutcome(LifeCycle.TERMINATED, Result.TIMEDOUT, "The run took longer than its timeout_seconds.")
    failed = [key for key in graph.leaves if CLASSES[ended[key].result] in "FC"]
    if not failed:
        some = any(CLASSES[end.result] in "FC" for key, end in ended.items() if key in graph.nodes)
        result = Result.SUCCESS_WITH_FAILURES if some else Result.SUCCESS
        return RunOutcome(LifeCycle.TERMINATED, result, "")
    causes = sorted({cause for leaf in failed for cause in _causes(graph, ended, leaf)}, key=lambda k: ended[k].order)
    broken = [key for key in causes if CLASSES[ended[key].result] == "F"]
    if not broken:
        return RunOutcome(LifeCycle.TERMINATED, Result.CANCELED, f"Task {causes[0]} was cancelled.")
    cause = broken[0]
    result = Result.FAILED if ended[cause].result in _HANDED_DOWN else ended[cause].result
    return RunOutcome(LifeCycle.INTERNAL_ERROR, result, _message(graph, ended, cause))


def _causes(graph: Graph, ended: Mapping[str, Ended], leaf: str) -> list[str]:
    """The task that made a leaf fail: itself, or its first-ended failed ancestor that failed by itself."""
    if ended[leaf].result not in _HANDED_DOWN:
        return [leaf]
    found: list[str] = []
    seen = {leaf}
    stack = [leaf]
    while stack:
        for edge in graph.nodes[stack.pop()].edges:
            key = edge.task_key
            if key in seen or edge_class(edge, ended[key]) not in "FC":
                continue
            seen.add(key)
            stack.append(key)
            if ended[key].result not in _HANDED_DOWN:
                found.append(key)
    found.sort(key=lambda key: ended[key].order)
    # A cancelled ancestor does not hide one that failed: case 23 of jobs.md 6.2.
    broken = [key for key in found if CLASSES[ended[key].result] == "F"]
    # None at all: they were repaired, and what they had kept from running was not run again (case 45 of 6.5).
    return (broken or found or [leaf])[:1]


def _message(graph: Graph, ended: Mapping[str, Ended], cause: str) -> str:
    text = (ended[cause].message or WORKLOAD_FAILED).rstrip(".")
    below = [ended[key].result for key in graph.downstream(cause)]
    skipped = bool(below) and all(result in _SKIPPED for result in below) and any(r in _HANDED_DOWN for r in below)
    return f"Task {cause} failed with message: {text}.{ALL_SKIPPED if skipped else ''}"
