"""Order of tasks beyond the worked examples: evaluation step by step, selection, results of random runs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.engine.dag import (
    CLASSES,
    RUN,
    RUN_IF,
    Edge,
    Ended,
    Evaluation,
    Graph,
    Node,
    UnknownTask,
    build_graph,
    edge_class,
    evaluate,
    run_result,
    select,
)
from bundlectl.model.run import LifeCycle, Result

OK = Ended(Result.SUCCESS)


def chain(*keys: str, **disabled: bool) -> Graph:
    """Each key depends on the one before it."""
    edges = [(), *((Edge(key),) for key in keys)]
    return Graph(Node(key, edge, disabled=disabled.get(key, False)) for key, edge in zip(keys, edges, strict=False))


@pytest.mark.parametrize(
    ("parent", "outcome", "expected"),
    [
        (Ended(Result.SUCCESS, "true"), "true", "S"),
        (Ended(Result.SUCCESS, "true"), "false", "X"),
        (Ended(Result.SUCCESS, "false"), None, "S"),
        (Ended(Result.SUCCESS_WITH_FAILURES), None, "S"),
        (Ended(Result.FAILED), "false", "F"),
        (Ended(Result.TIMEDOUT), None, "F"),
        (Ended(Result.UPSTREAM_FAILED), None, "F"),
        (Ended(Result.CANCELED), "true", "C"),
        (Ended(Result.UPSTREAM_CANCELED), None, "C"),
        (Ended(Result.EXCLUDED), "true", "X"),
        (Ended(Result.DISABLED), "true", "D"),
    ],
)
def test_class_of_a_dependency(parent: Ended, outcome: str | None, expected: str) -> None:
    assert edge_class(Edge("q", outcome), parent) == expected


def test_nothing_is_decided_before_every_dependency_ended() -> None:
    node = Node("c", (Edge("a"), Edge("b")))
    assert evaluate(node, {}) is None
    assert evaluate(node, {"a": Ended(Result.FAILED)}) is None
    assert evaluate(node, {"a": Ended(Result.FAILED), "b": OK}) == Result.UPSTREAM_FAILED


def test_two_edges_to_one_task_are_evaluated_once() -> None:
    graph = Graph([Node("q"), Node("j", (Edge("q", "true"), Edge("q", "false")))])
    evaluation = Evaluation(graph)
    assert evaluation.ready() == [("q", RUN)]
    assert evaluation.settle("q", Ended(Result.SUCCESS, "true")) == [("j", RUN)]


def test_a_failure_cascades_at_once_and_in_order() -> None:
    evaluation = Evaluation(chain("a", "b", "c"))
    assert evaluation.ready() == [("a", RUN)]
    decided = evaluation.settle("a", Ended(Result.FAILED, order=1))
    assert decided == [("b", Result.UPSTREAM_FAILED), ("c", Result.UPSTREAM_FAILED)]
    assert evaluation.complete


def test_disabled_tasks_end_before_anything_runs() -> None:
    evaluation = Evaluation(chain("a", "b", "c", b=True))
    assert evaluation.ready() == [("a", RUN), ("b", Result.DISABLED), ("c", Result.DISABLED)]
    assert not evaluation.complete
    assert evaluation.settle("a", OK) == []
    assert evaluation.complete


def test_settling_twice_changes_nothing() -> None:
    evaluation = Evaluation(chain("a", "b"))
    evaluation.ready()
    assert evaluation.settle("a", OK) == [("b", RUN)]
    assert evaluation.settle("a", Ended(Result.FAILED)) == []
    assert evaluation.ended["a"] == OK


def test_a_rebuilt_evaluation_goes_on_where_the_rows_are() -> None:
    graph = Graph([Node("a"), Node("b"), Node("c", (Edge("a"),)), Node("d", (Edge("b"), Edge("c")))])
    evaluation = Evaluation(graph, {"a": OK})
    assert evaluation.ready(started=["b"]) == [("c", RUN)]
    assert evaluation.settle("b", OK) == []
    assert evaluation.settle("c", OK) == [("d", RUN)]


def test_a_skip_that_was_not_recorded_is_decided_again_after_a_restart() -> None:
    evaluation = Evaluation(chain("a", "b", "c"), {"a": Ended(Result.FAILED)})
    assert evaluation.ready() == [("b", Result.UPSTREAM_FAILED), ("c", Result.UPSTREAM_FAILED)]


def test_a_condition_over_a_disabled_task_fails_only_when_it_would_be_disabled() -> None:
    tasks: list[dict[str, Any]] = [
        {"task_key": "a", "disabled": True},
        {
            "task_key": "q",
            "depends_on": [{"task_key": "a"}],
            "run_if": "ALL_DONE",
            "condition_task": {"left": "{{tasks.a.values.x}}", "right": "1"},
        },
        {"task_key": "r", "depends_on": [{"task_key": "a"}], "condition_task": {"left": "1", "right": "1"}},
    ]
    decided = dict(Evaluation(build_graph(tasks)).ready())
    assert decided == {"a": Result.DISABLED, "q": RUN, "r": Result.DISABLED}


DIAMOND = Graph([Node("a"), Node("b", (Edge("a"),)), Node("c", (Edge("a"),)), Node("d", (Edge("b"), Edge("c")))])


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ([], "abcd"),
        (["b"], "b"),
        (["+b"], "ab"),
        (["b+"], "bd"),
        (["+b+"], "abd"),
        (["c", "b"], "bc"),
        (["+d"], "abcd"),
    ],
)
def test_selection(only: list[str], expected: str) -> None:
    chosen = select(DIAMOND, only)
    assert "".join(chosen.nodes) == expected
    assert all(edge.task_key in chosen.nodes for node in chosen.nodes.values() for edge in node.edges)


def test_disabled_tasks_drop_out_of_an_expansion_unless_named() -> None:
    graph = chain("a", "b", "c", b=True)
    assert list(select(graph, ["a+"]).nodes) == ["a", "c"]
    assert list(select(graph, ["a+", "b"]).nodes) == ["a", "b", "c"]


def test_selection_of_an_unknown_task_names_it() -> None:
    with pytest.raises(UnknownTask, match=r'"x".*"\+x"'):
        select(DIAMOND, ["a", "+x"])


def test_the_first_failure_names_the_run() -> None:
    graph = Graph([Node("a"), Node("b")])
    ended = {"a": Ended(Result.FAILED, order=2, message="late"), "b": Ended(Result.TIMEDOUT, order=1, message="early")}
    assert run_result(graph, ended) == (
        LifeCycle.INTERNAL_ERROR,
        Result.TIMEDOUT,
        "Task b failed with message: early.",
    )


def test_the_cause_is_the_first_failed_ancestor() -> None:
    graph = Graph([Node("a"), Node("b", (Edge("a"),), "ALL_DONE"), Node("c", (Edge("b"),))])
    ended = {
        "a": Ended(Result.FAILED, order=1, message="first"),
        "b": Ended(Result.FAILED, order=2, message="second"),
        "c": Ended(Result.UPSTREAM_FAILED, order=2),
    }
    assert run_result(graph, ended).message == "Task a failed with message: first."


def test_a_run_of_nothing_succeeds() -> None:
    assert run_result(Graph([]), {})[:2] == (LifeCycle.TERMINATED, Result.SUCCESS)
    assert Evaluation(Graph([])).complete


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 8))
    nodes = []
    for index in range(count):
        parents = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        edges = tuple(Edge(f"t{p}", draw(st.sampled_from([None, None, "true", "false"]))) for p in sorted(parents))
        nodes.append(Node(f"t{index}", edges, draw(st.sampled_from(sorted(RUN_IF))), draw(st.integers(0, 9)) == 0))
    return Graph(nodes)


ENDS = st.sampled_from(
    [
        (Result.SUCCESS, "true"),
        (Result.SUCCESS, "false"),
        (Result.FAILED, None),
        (Result.TIMEDOUT, None),
        (Result.CANCELED, None),
    ]
)


@given(graphs(), st.data())
def test_any_run_ends_with_every_task_decided_once(graph: Graph, data: st.DataObject) -> None:
    evaluation = Evaluation(graph)
    seen: list[str] = []
    running: list[str] = []
    queue = evaluation.ready()
    count = 0
    while True:
        seen += [key for key, _ in queue]
        running += [key for key, decision in queue if decision == RUN]
        if not running:
            break
        key = running.pop(data.draw(st.integers(0, len(running) - 1)))
        result, outcome = data.draw(ENDS)
        count += 1
        queue = evaluation.settle(key, Ended(result, outcome, count))
    assert sorted(seen) == sorted(graph.nodes)
    assert evaluation.complete
    # The step by step evaluation agrees with looking at the whole.
    for key, node in graph.nodes.items():
        decision = evaluate(node, evaluation.ended)
        end = evaluation.ended[key].result
        assert decision in (RUN, end)
    final = run_result(graph, evaluation.ended)
    classes = {CLASSES[evaluation.ended[leaf].result] for leaf in graph.leaves}
    assert (final.result in (Result.SUCCESS, Result.SUCCESS_WITH_FAILURES)) == (not classes & {"F", "C"})


def test_a_wide_run_is_evaluated_in_linear_time() -> None:
    middle = [Node(f"m{i}", (Edge("a"),)) for i in range(5000)]
    graph = Graph([Node("a"), *middle, Node("z", tuple(Edge(node.key) for node in middle))])
    evaluation = Evaluation(graph)
    evaluation.ready()
    assert len(evaluation.settle("a", OK)) == 5000
    decided = [decision for node in middle for decision in evaluation.settle(node.key, OK)]
    assert decided == [("z", RUN)]
