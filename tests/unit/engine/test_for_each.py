"""for_each tasks (jobs.md 3.7, 6.4), with a fake clock and an executor that does what the test says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.executors.base import Gone, Greeted
from bundlectl.engine.tasks.base import SetupFailed
from tests.unit.engine.scripted import Bench, loop, task

OK = ("TERMINATED", "SUCCESS", "SUCCESS")
CANCEL: dict[str, Any] = {"signal": 15, "cause": "cancel"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def again(bench: Bench) -> None:
    """Another scheduler takes over, and the worker goes on with what it runs."""
    running, taken = bench.executor.launched, bench.executor.taken
    bench.again(Greeted("w1", frozenset(running)))
    bench.executor.launched, bench.executor.taken = running, taken


def test_iterations_run_one_after_the_other_and_one_of_them_fails(bench: Bench) -> None:
    """Case 32."""
    run = bench.submit([loop("l", "[1,2,3]"), task("d", "l")])
    assert bench.tasks(run) == {"l": "RUNNING", "d": "BLOCKED"}
    for index, code in enumerate((0, 1, 0)):
        assert bench.running() == ["i"], "one at a time is the default"
        bench.end("i", code, index=index)
    assert bench.iterations(run) == ["SUCCESS", "FAILED", "SUCCESS"]
    assert bench.tasks(run) == {"l": "FAILED", "d": "UPSTREAM_FAILED"}
    assert bench.task_row(run, "l")["message"] == "1 out of 3 iterations failed"
    assert bench.run(run) == ("INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR")


def test_retries_belong_to_the_iterations(bench: Bench) -> None:
    """Case 33."""
    run = bench.submit([loop("l", "[1,2,3]", nested={"max_retries": 1})])
    for code in (0, 1, 0, 0):
        bench.end("i", code)
    assert bench.iterations(run) == ["SUCCESS"] * 3
    assert bench.run(run) == OK
    rows = bench.rows("SELECT number, first_id, id, parent FROM attempts WHERE iteration = 1 ORDER BY number")
    assert [row["number"] for row in rows] == [0, 1]
    assert {row["first_id"] for row in rows} == {rows[0]["id"]}
    assert {row["parent"] for row in rows} == {bench.task_row(run, "l")["id"]}


@pytest.mark.parametrize(("inputs", "expected"), [("[1,2,3]", [1]), ("[1,2,4]", [0, 1, 2]), ("[1]", [0])])
def test_a_repair_runs_what_did_not_succeed_unless_the_inputs_changed(
    bench: Bench, inputs: str, expected: list[int]
) -> None:
    """Case 34."""
    run = bench.submit([loop("l", "[1,2,3]", concurrency=3), task("d", "l")])
    for index, code in enumerate((0, 1, 0)):
        bench.end("i", code, index=index)
    bench.launcher.values = {"l": inputs}
    repair = bench.repair(run, all_failed=True)
    ran = [row["iteration"] for row in bench.rows("SELECT iteration FROM attempts WHERE repair = ? AND parent", repair)]
    assert ran == expected
    again(bench)
    for index in expected:
        bench.end("i", index=index)
    bench.end("d")
    assert bench.run(run) == OK
    assert bench.task_row(run, "l")["number"] == 1
    number = bench.rows("SELECT max(number) FROM attempts WHERE iteration = ?", expected[0])[0][0]
    assert number == (1 if inputs == "[1,2,3]" else 0)


def test_no_inputs(bench: Bench) -> None:
    """Case 35."""
    run = bench.submit([loop("l", "[]"), task("d", "l")])
    assert bench.tasks(run) == {"l": "SUCCESS", "d": "RUNNING"}
    assert bench.iterations(run) == []


def test_inputs_that_do_not_hold(bench: Bench) -> None:
    """Case 36; which inputs do not is in test_launching."""
    bench.launcher.failures = {"l": SetupFailed("INVALID_RUN_CONFIGURATION", "no array")}
    run = bench.submit([loop("l", "not json")])
    row = bench.task_row(run, "l")
    assert (row["state"], row["result"], row["code"]) == ("INTERNAL_ERROR", "FAILED", "INVALID_RUN_CONFIGURATION")
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "FAILED")


@pytest.mark.parametrize(("concurrency", "slots", "running"), [(1, 8, 1), (2, 8, 2), (5, 8, 5), (100, 3, 3)])
def test_as_many_run_as_may(bench: Bench, concurrency: int, slots: int, running: int) -> None:
    bench.executor.slots = slots
    run = bench.submit([loop("l", "[1,2,3,4,5]", concurrency=concurrency)])
    assert bench.running() == ["i"] * running
    waiting = [index for index, state in enumerate(bench.iterations(run)) if state == "BLOCKED"]
    assert waiting == list(range(concurrency, 5))
    for index in range(5):
        bench.end("i", index=index)
    assert bench.run(run) == OK


def test_an_iteration_that_waits_for_its_retry_keeps_its_place(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2]", nested={"max_retries": 1, "min_retry_interval_millis": 60_000})])
    bench.end("i", 1)
    assert bench.iterations(run) == ["WAITING_FOR_RETRY", "BLOCKED"]
    bench.wait(60)
    bench.end("i", index=0)
    bench.end("i", index=1)
    assert bench.run(run) == OK


def test_conditions_as_iterations_take_no_slot(bench: Bench) -> None:
    bench.executor.slots = 0
    bench.launcher.outcomes = {"i": "true"}
    nested = {"condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
    body = {"inputs": "[1,2,3]", "task": {"task_key": "i", **nested}}
    run = bench.submit([task("l", for_each_task=body)])
    assert bench.iterations(run) == ["SUCCESS"] * 3
    assert bench.run(run) == OK


# Cancel and time limits


def test_a_cancelled_run_stops_its_iterations(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2,3]", concurrency=2), task("h", "l", run_if="ALL_DONE")])
    bench.cancel(run)
    assert bench.iterations(run) == ["TERMINATING", "TERMINATING", "CANCELED"]
    bench.end("i", None, index=0, **CANCEL)
    bench.end("i", None, index=1, **CANCEL)
    assert bench.tasks(run) == {"l": "CANCELED", "h": "CANCELED"}
    assert bench.run(run) == ("TERMINATED", "CANCELED", "USER_CANCELED")


def test_a_cancelled_loop_lets_its_handlers_run(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2]", nested={"max_retries": 3}), task("h", "l", run_if="ALL_DONE")])
    bench.cancel(bench.task_row(run, "l")["id"])
    assert bench.tasks(run)["l"] == "TERMINATING"
    bench.end("i", None, **CANCEL)
    assert bench.tasks(run) == {"l": "CANCELED", "h": "RUNNING"}
    assert bench.iterations(run) == ["CANCELED", "CANCELED"]


def test_a_cancelled_iteration_counts_as_one_that_did_not_succeed(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2,3]", nested={"max_retries": 3})])
    for index in (0, 1):  # one that runs, one before its turn
        bench.cancel(bench.rows("SELECT id FROM attempts WHERE iteration = ?", index)[0][0])
    bench.end("i", None, index=0, **CANCEL)
    bench.end("i", index=2)
    assert bench.iterations(run) == ["CANCELED", "CANCELED", "SUCCESS"]
    assert bench.tasks(run) == {"l": "FAILED"}


def test_a_loop_takes_too_long(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2]", timeout_seconds=60)])
    bench.wait(59)
    assert bench.tasks(run) == {"l": "RUNNING"}
    bench.wait(1)
    assert bench.tasks(run) == {"l": "TERMINATING"}
    again(bench)
    assert bench.executor.stopped, "the stop outlives the scheduler"
    bench.end("i", None, **CANCEL)
    assert bench.iterations(run) == ["CANCELED", "CANCELED"]
    assert bench.tasks(run) == {"l": "TIMEDOUT"}
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "TIMEDOUT")


def test_the_run_takes_too_long(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2]")], timeout_seconds=5)
    bench.wait(5)
    bench.end("i", None, **CANCEL)
    assert bench.run(run) == ("TERMINATED", "TIMEDOUT", "CANCELED")
    assert {row["code"] for row in bench.rows("SELECT code FROM attempts")} == {"CANCELED"}


# After a crash


def test_the_next_scheduler_goes_on_with_the_iterations(bench: Bench) -> None:
    nested = {"max_retries": 1, "min_retry_interval_millis": 9_000}
    run = bench.submit([loop("l", "[1,2,3,4]", concurrency=2, nested=nested), task("d", "l")])
    bench.end("i", 0, index=0)
    bench.end("i", 1, index=1)
    assert bench.iterations(run) == ["SUCCESS", "WAITING_FOR_RETRY", "RUNNING", "BLOCKED"]
    again(bench)
    assert bench.executor.started == []
    bench.end("i", 0, index=2)
    assert bench.iterations(run) == ["SUCCESS", "WAITING_FOR_RETRY", "SUCCESS", "RUNNING"]
    bench.wait(9)
    bench.end("i", 0, index=3)
    bench.end("i", 0, index=1)
    bench.end("d")
    assert bench.run(run) == OK


def test_iterations_that_nobody_claimed_are_launched_again(bench: Bench) -> None:
    run = bench.submit([loop("l", "[1,2]", concurrency=2)])
    bench.again(Gone("w1"))
    assert [launch.name.partition("-")[2] for launch in bench.executor.started] == ["2", "2"]
    bench.executor.taken = 2
    bench.end("i", index=0)
    bench.end("i", index=1)
    assert bench.run(run) == OK
    assert [row["number"] for row in bench.rows("SELECT number FROM attempts")] == [0, 0, 0]


def test_many_iterations(bench: Bench) -> None:
    """More than a block of ids, begun in one transaction."""
    run = bench.submit([loop("l", str(list(range(300))), concurrency=100)])
    assert len(bench.executor.started) == 8
    assert bench.iterations(run).count("BLOCKED") == 200
    ids = [row["id"] for row in bench.rows("SELECT id FROM attempts WHERE parent ORDER BY iteration")]
    assert len(ids) == len(set(ids)) == 300


def test_a_retry_with_a_lower_id_is_still_the_latest_attempt(bench: Bench) -> None:
    """Ids of retries come from a block that was taken before another run was asked for."""
    first = bench.submit([task("x", max_retries=1)])
    bench.end("x", 1)
    second = bench.submit([task("y", max_retries=1)])
    bench.end("y", 1)
    ids = [row["id"] for row in bench.rows("SELECT id FROM attempts WHERE run_id = ? ORDER BY number", second)]
    assert ids[1] < ids[0]
    again(bench)
    assert bench.tasks(second) == {"y": "RUNNING"}
    assert bench.run(first) == bench.run(second) == ("RUNNING", None, None)
    bench.end("y")
    assert bench.run(second) == OK
