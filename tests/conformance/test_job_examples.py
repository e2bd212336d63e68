"""Worked examples of jobs.md 6.2, and of 6.6 as far as they are decided without a database."""

from typing import Any

import pytest

from bundlectl.engine.dag import RUN, WORKLOAD_FAILED, Ended, Evaluation, Graph, build_graph, run_result, select
from bundlectl.engine.references import check_references
from bundlectl.engine.tasks.base import SetupFailed
from bundlectl.engine.tasks.control import evaluate_condition
from bundlectl.engine.values import (
    Scope,
    TaskFacts,
    UnresolvedReference,
    effective_parameters,
    effective_task,
    resolve,
    resolve_operand,
)
from bundlectl.model.run import LifeCycle, Result

Tasks = dict[str, tuple[Any, ...]]
_SHORT = {
    "S": Result.SUCCESS,
    "UF": Result.UPSTREAM_FAILED,
    "UC": Result.UPSTREAM_CANCELED,
    "EX": Result.EXCLUDED,
    "DI": Result.DISABLED,
}
_FAILED_BELOW = f"Task B failed with message: {WORKLOAD_FAILED}. This caused all downstream tasks to get skipped."


def task(key: str, *depends_on: str, run_if: str = "ALL_SUCCESS", **more: Any) -> dict[str, Any]:
    """`"Q:true"` is a dependency on an outcome."""
    edges = []
    for item in depends_on:
        name, _, outcome = item.partition(":")
        edges.append({"task_key": name, "outcome": outcome} if outcome else {"task_key": name})
    return {"task_key": key, "depends_on": edges, "run_if": run_if, **more}


def play(graph: Graph, script: dict[str, str], order: list[str] | None = None) -> dict[str, Ended]:
    """Runs a graph: `script` says how a task that runs ends, `order` which of several running tasks ends first."""
    evaluation = Evaluation(graph)
    queue = list(evaluation.ready())
    running: list[str] = []
    count = 0
    while queue or running:
        for key, decision in queue:
            if decision == RUN:
                running.append(key)
        queue = []
        if not running:
            break
        key = min(running, key=order.index) if order else running[0]
        running.remove(key)
        count += 1
        text = script.get(key, "S")
        result = _SHORT.get(text) or (Result.SUCCESS if text in ("true", "false") else Result(text))
        outcome = text if text in ("true", "false") else None
        message = "" if result is Result.SUCCESS else WORKLOAD_FAILED
        queue = evaluation.settle(key, Ended(result, outcome, count, message))
    assert evaluation.complete
    return evaluation.ended


DIAMOND = [task("Q", condition_task={}), task("T", "Q:true"), task("E", "Q:false")]
CASES: list[tuple[str, list[dict[str, Any]], dict[str, str], dict[str, str], str, str]] = [
    ("1", [task("A"), task("B", "A"), task("C", "B")], {}, {"A": "S", "B": "S", "C": "S"}, "TERMINATED/SUCCESS", ""),
    (
        "2",
        [task("A"), task("B", "A"), task("C", "B")],
        {"B": "FAILED"},
        {"C": "UF"},
        "INTERNAL_ERROR/FAILED",
        _FAILED_BELOW,
    ),
    ("3", [task("A"), task("B")], {"A": "FAILED"}, {"B": "S"}, "INTERNAL_ERROR/FAILED", "Task A failed"),
    (
        "4",
        [task("A"), task("H", "A", run_if="AT_LEAST_ONE_FAILED")],
        {"A": "FAILED"},
        {"H": "S"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    ("5", [task("A"), task("H", "A", run_if="AT_LEAST_ONE_FAILED")], {}, {"H": "EX"}, "TERMINATED/SUCCESS", ""),
    (
        "6",
        [task("A"), task("B", "A"), task("H", "A", run_if="AT_LEAST_ONE_FAILED")],
        {"A": "FAILED"},
        {"B": "UF", "H": "S"},
        "INTERNAL_ERROR/FAILED",
        "Task A failed",
    ),
    (
        "7",
        [task("A"), task("B", "A"), task("Z", "B", run_if="ALL_DONE")],
        {"A": "FAILED"},
        {"B": "UF", "Z": "S"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    (
        "8",
        [task("A"), task("H", "A", run_if="ALL_DONE")],
        {"A": "TIMEDOUT", "H": "FAILED"},
        {},
        "INTERNAL_ERROR/FAILED",
        "Task H failed",
    ),
    ("9", [task("A"), task("B", "A")], {"A": "TIMEDOUT"}, {"B": "UF"}, "INTERNAL_ERROR/TIMEDOUT", "Task A failed"),
    (
        "10",
        [*DIAMOND, task("J", "T", "E")],
        {"Q": "true"},
        {"T": "S", "E": "EX", "J": "S"},
        "TERMINATED/SUCCESS",
        "",
    ),
    (
        "11",
        [*DIAMOND, task("J", "T", "E")],
        {"Q": "true", "T": "FAILED"},
        {"E": "EX", "J": "UF"},
        "INTERNAL_ERROR/FAILED",
        "Task T failed",
    ),
    (
        "12",
        [*DIAMOND, task("J", "T", "E", run_if="AT_LEAST_ONE_SUCCESS")],
        {"Q": "true", "T": "FAILED"},
        {"J": "S"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    (
        "13",
        [task("Q"), task("E", "Q:false"), task("F", "E", run_if="ALL_DONE"), task("G", "F")],
        {"Q": "true"},
        {"E": "EX", "F": "EX", "G": "EX"},
        "TERMINATED/SUCCESS",
        "",
    ),
    (
        "14",
        [*DIAMOND, task("J", "T", "E", run_if="ALL_DONE")],
        {"Q": "FAILED"},
        {"T": "UF", "E": "UF", "J": "S"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    (
        "15",
        [task("Q"), task("T", "Q:true"), task("N", "Q")],
        {"Q": "false"},
        {"T": "EX", "N": "S"},
        "TERMINATED/SUCCESS",
        "",
    ),
    (
        "16",
        [task("A"), task("B"), task("J", "A", "B", run_if="AT_LEAST_ONE_SUCCESS")],
        {"B": "FAILED"},
        {"J": "S"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    (
        "17",
        [task("Q"), task("E", "Q:false"), task("B"), task("J", "E", "B", run_if="ALL_FAILED")],
        {"Q": "true", "B": "FAILED"},
        {"E": "EX", "J": "EX"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    (
        "18",
        [task("A"), task("B", "A", disabled=True), task("C", "B"), task("Z", "B", run_if="ALL_DONE")],
        {},
        {"B": "DI", "C": "DI", "Z": "S"},
        "TERMINATED/SUCCESS",
        "",
    ),
    (
        "19",
        [task("A"), task("B", disabled=True), task("C", "A", "B", run_if="NONE_FAILED"), task("D", "A", "B")],
        {},
        {"C": "S", "D": "DI"},
        "TERMINATED/SUCCESS",
        "",
    ),
    (
        "20",
        [task("A", disabled=True), task("Q", "A", condition_task={"left": "{{tasks.A.values.x}}", "right": "1"})],
        {},
        {"A": "DI", "Q": "FAILED"},
        "INTERNAL_ERROR/FAILED",
        "Task Q failed with message: The operand comes from a disabled task",
    ),
    (
        "20, for_each",
        [task("A", disabled=True), task("Q", "A", for_each_task={"inputs": "{{tasks.A.values.x}}"})],
        {},
        {"A": "DI", "Q": "FAILED"},
        "INTERNAL_ERROR/FAILED",
        "Task Q failed",
    ),
    (
        "21",
        [task("A"), task("B", "A", disabled=True)],
        {"A": "FAILED"},
        {"B": "DI"},
        "TERMINATED/SUCCESS_WITH_FAILURES",
        "",
    ),
    (
        "22",
        [task("A"), task("B", "A"), task("H", "A", run_if="ALL_DONE")],
        {"A": "CANCELED"},
        {"B": "UC", "H": "S"},
        "TERMINATED/CANCELED",
        "Task A was cancelled.",
    ),
    (
        "23",
        [task("A"), task("B"), task("C", "A", "B")],
        {"A": "CANCELED", "B": "FAILED"},
        {"C": "UF"},
        "INTERNAL_ERROR/FAILED",
        "Task B failed",
    ),
]


@pytest.mark.parametrize(("name", "tasks", "script", "states", "run", "message"), CASES, ids=[c[0] for c in CASES])
def test_dag(
    name: str, tasks: list[dict[str, Any]], script: dict[str, str], states: dict[str, str], run: str, message: str
) -> None:
    graph = build_graph(tasks)
    ended = play(graph, script)
    for key, short in states.items():
        assert ended[key].result == (_SHORT.get(short) or Result(short)), key
    outcome = run_result(graph, ended)
    assert f"{outcome.state}/{outcome.result}" == run
    assert outcome.message.startswith(message) and bool(outcome.message) == bool(message)


@pytest.mark.parametrize("first", ["A", "B"])
def test_23_in_both_orders(first: str) -> None:
    graph = build_graph([task("A"), task("B"), task("C", "A", "B")])
    ended = play(graph, {"A": "CANCELED", "B": "FAILED"}, order=["A", "B"] if first == "A" else ["B", "A"])
    assert run_result(graph, ended).message.startswith("Task B failed")


def test_24_a_cancelled_run_is_cancelled_whatever_its_tasks_are() -> None:
    graph = build_graph([task("A"), task("B", "A"), task("H", "A", run_if="ALL_DONE")])
    ended = {key: Ended(Result.CANCELED, order=1) for key in "ABH"}
    assert run_result(graph, ended, canceled=True)[:2] == (LifeCycle.TERMINATED, Result.CANCELED)


def test_30_a_run_over_its_time_is_timed_out() -> None:
    graph = build_graph([task("A"), task("B", "A")])
    ended = {key: Ended(Result.CANCELED, order=1) for key in "AB"}
    assert run_result(graph, ended, timed_out=True)[:2] == (LifeCycle.TERMINATED, Result.TIMEDOUT)


def test_25_only_with_everything_downstream() -> None:
    graph = select(build_graph([task("A"), task("B", "A"), task("C", "B")]), ["B+"])
    assert list(graph.nodes) == ["B", "C"]
    ended = play(graph, {})
    assert {key: end.result for key, end in ended.items()} == {"B": Result.SUCCESS, "C": Result.SUCCESS}
    assert run_result(graph, ended)[:2] == (LifeCycle.TERMINATED, Result.SUCCESS)


SCOPE = Scope(job_id="7", job_name="j", run_id="8", start_ms=0, trigger_ms=0, parameters={"p": "2"})


def test_55_job_parameters_win_over_those_of_a_notebook_and_do_not_reach_a_script() -> None:
    parameters = effective_parameters([{"name": "p", "default": "1"}], {"p": "2"}, SCOPE)
    assert parameters == {"p": "2"}
    notebook = effective_task({"notebook_task": {"notebook_path": "n", "base_parameters": {"p": "9"}}}, SCOPE)
    assert notebook["notebook_task"]["base_parameters"] == {"p": "2"}
    script = {"spark_python_task": {"python_file": "a.py", "parameters": ["x"]}}
    assert effective_task(script, SCOPE) == script
    script = {"spark_python_task": {"python_file": "a.py", "parameters": ["{{job.parameters.p}}"]}}
    assert effective_task(script, SCOPE)["spark_python_task"]["parameters"] == ["2"]


def test_56_what_is_no_reference_stays() -> None:
    text = "x-{{job.parameters.p}}-{{foo.bar}}-{{job.run_id"
    assert resolve(text, SCOPE) == "x-2-{{foo.bar}}-{{job.run_id"


def test_57_an_invalid_member_is_refused_at_create() -> None:
    settings = {"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "{{job.notebook_url}}"}}]}
    (message,) = check_references(settings)
    assert '"{{job.notebook_url}}"' in message and 'task "a"' in message


def _after(values: dict[str, Any]) -> Scope:
    return Scope(
        job_id="7",
        job_name="j",
        run_id="8",
        start_ms=0,
        trigger_ms=0,
        task_key="b",
        task_run_id="9",
        tasks={"A": TaskFacts(run_id="10", values=values)},
    )


def test_58_a_missing_value_names_the_reference() -> None:
    with pytest.raises(UnresolvedReference, match=r"\{\{tasks\.A\.values\.missing\}\}"):
        resolve("{{tasks.A.values.missing}}", _after({}))


def test_59_members_of_task_values() -> None:
    scope = _after({"cfg": {"a": {"b": 1}, "l": [1, 2]}})
    assert resolve("{{tasks.A.values.cfg.a.b}}", scope) == "1"
    assert resolve("{{tasks.A.values.cfg.l}}", scope) == "[1,2]"
    with pytest.raises(SetupFailed, match="left operand is a list"):
        evaluate_condition("EQUAL_TO", resolve_operand("{{tasks.A.values.cfg.l}}", scope), "x")


def test_60_parameters_are_resolved_first_and_values_never_again() -> None:
    parameters = effective_parameters([], {"p": "{{job.id}}"}, SCOPE)
    assert parameters == {"p": "7"}
    assert resolve("{{tasks.A.values.t}}", _after({"t": "{{job.id}}"})) == "{{job.id}}"
