"""Repairs (jobs.md 3.12, 6.5), with a fake clock and an executor that does what the test says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine import jobs, runs
from bundlectl.engine.executors.base import Greeted
from bundlectl.engine.repairs import LATEST_NEEDED, RepairRefused
from tests.unit.engine.scripted import Bench, task

OK = ("TERMINATED", "SUCCESS", "SUCCESS")
FAILED = ("INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR")
CHAIN = [task("a"), task("b", "a"), task("c", "b")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def failed_chain(bench: Bench, **settings: Any) -> int:
    """a succeeded, b failed, c was skipped."""
    run = bench.submit(CHAIN, **settings)
    bench.end("a")
    bench.end("b", 1)
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED"}
    return run


def refused(bench: Bench, run: int, **wish: Any) -> str:
    before = [tuple(row) for row in bench.rows("SELECT * FROM runs")]
    with pytest.raises(RepairRefused) as error:
        bench.repair(run, **wish)
    assert [tuple(row) for row in bench.rows("SELECT * FROM runs")] == before, "nothing changes"
    state = "INVALID_STATE: " if error.value.in_this_state else ""
    return f"{state}{error.value}"


def test_what_failed_and_what_it_kept_from_running_run_again(bench: Bench) -> None:
    """Cases 42 to 44."""
    run = failed_chain(bench)
    first = bench.repair(run, all_failed=True)
    assert bench.run(run) == ("RUNNING", None, None)
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "RUNNING", "c": "BLOCKED"}
    bench.end("b", 1)
    assert bench.run(run) == FAILED
    assert [bench.task_row(run, key)["number"] for key in "abc"] == [0, 1, 1]
    for latest in (None, first + 1000):
        assert refused(bench, run, all_failed=True, latest=latest) == LATEST_NEEDED
    second = bench.repair(run, all_failed=True, latest=first)
    assert second > first
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK
    assert [bench.task_row(run, key)["number"] for key in "abc"] == [0, 2, 2]
    assert len(bench.rows("SELECT * FROM repairs")) == 3
    firsts = bench.rows("SELECT DISTINCT first_id FROM attempts WHERE task_key = 'b'")
    assert len(firsts) == 1


def test_one_task_alone(bench: Bench) -> None:
    """Case 45."""
    run = failed_chain(bench)
    bench.repair(run, tasks=("b",))
    bench.end("b")
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "SUCCESS", "c": "UPSTREAM_FAILED"}
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "FAILED")


def test_with_everything_that_depends_on_it(bench: Bench) -> None:
    run = bench.submit(CHAIN)
    for key in "abc":
        bench.end(key)
    bench.repair(run, tasks=("b",), dependents=True)
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK
    assert [bench.task_row(run, key)["number"] for key in "abc"] == [0, 1, 1]


def test_parameters_last_into_later_repairs(bench: Bench) -> None:
    """Case 46."""
    run = failed_chain(bench)
    first = bench.repair(run, all_failed=True, parameters={"p": "2"})
    bench.end("b", 1)
    assert bench.rows("SELECT parameters FROM runs")[0][0] == '{"p":"2"}'
    bench.repair(run, all_failed=True, latest=first, parameters={"q": "3"})
    assert bench.rows("SELECT parameters FROM runs")[0][0] == '{"p":"2","q":"3"}'


def test_a_run_that_is_active(bench: Bench) -> None:
    """Case 47."""
    run = bench.submit(CHAIN)
    assert refused(bench, run, all_failed=True).startswith("INVALID_STATE: ")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({}, "Exactly one of rerun_tasks and rerun_all_failed_tasks is needed."),
        ({"tasks": ("a",), "all_failed": True}, "Exactly one of rerun_tasks and rerun_all_failed_tasks is needed."),
        ({"tasks": ("z",)}, "Run {run} has no task 'z'."),
        ({"all_failed": True, "latest": 5}, "Run {run} was never repaired."),
    ],
)
def test_wishes_that_do_not_hold(bench: Bench, wish: dict[str, Any], message: str) -> None:
    run = failed_chain(bench)
    assert refused(bench, run, **wish) == message.format(run=run)


def test_a_run_without_failures(bench: Bench) -> None:
    run = bench.submit([task("a")])
    bench.end("a")
    assert refused(bench, run, all_failed=True) == f"No task of run {run} failed."


def test_a_run_that_never_started(bench: Bench) -> None:
    job = bench.job([task("a")], max_concurrent_runs=0)
    assert "never started" in refused(bench, bench.request(job), all_failed=True)


def test_the_current_settings_hold(bench: Bench) -> None:
    run = failed_chain(bench)
    (job,) = (row[0] for row in bench.rows("SELECT job_id FROM runs"))
    with bench.database.write() as connection:
        jobs.replace(connection, job, {"tasks": [task("a"), task("b", "a", max_retries=1), task("n"), task("c", "n")]})
    first = bench.repair(run, all_failed=True)
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "RUNNING", "c": "RUNNING"}, "c depends on nothing of this run now"
    bench.end("b", 1)
    assert bench.running() == ["c", "b"], "b has a retry now"
    bench.end("b", 1)
    bench.end("c")
    with bench.database.write() as connection:
        jobs.replace(connection, job, {"tasks": [task("a")]})
    assert refused(bench, run, all_failed=True, latest=first) == "Task 'b' does not exist in the job any more."
    bench.repair(run, all_failed=True, latest=first, original=True)
    bench.end("b", 1)
    assert bench.run(run) == FAILED, "without the retry of the edited job"


def test_a_job_that_is_gone(bench: Bench) -> None:
    run = failed_chain(bench)
    with bench.database.write() as connection:
        jobs.delete(connection, 1)
    assert "does not exist any more" in refused(bench, run, all_failed=True)


def test_old_and_new_dependencies_in_a_circle(bench: Bench) -> None:
    run = bench.submit([task("a"), task("b", "a")])
    bench.end("a")
    bench.end("b")
    with bench.database.write() as connection:
        jobs.replace(connection, 1, {"tasks": [task("a", "b"), task("b")]})
    assert refused(bench, run, tasks=("a",)).endswith("in a circle: a -> b -> a.")


def test_what_was_excluded_is_decided_again(bench: Bench) -> None:
    """A branch that was not taken, because its condition could not be decided for another reason upstream."""
    bench.launcher.outcomes = {"q": "false"}
    condition = {"op": "EQUAL_TO", "left": "1", "right": "1"}
    tasks = [
        task("a"),
        task("q", "a", condition_task=condition, run_if="ALL_DONE"),
        task("t", {"task_key": "q", "outcome": "true"}, "a", run_if="NONE_FAILED"),
        task("u", {"task_key": "q", "outcome": "true"}),
    ]
    run = bench.submit(tasks)
    bench.end("a", 1)
    assert bench.tasks(run) == {"a": "FAILED", "q": "SUCCESS", "t": "UPSTREAM_FAILED", "u": "EXCLUDED"}
    bench.repair(run, all_failed=True)
    bench.end("a")
    # q is not run again, so u stays excluded; t runs: one of its dependencies succeeded and none failed.
    assert bench.tasks(run) == {"a": "SUCCESS", "q": "SUCCESS", "t": "RUNNING", "u": "EXCLUDED"}
    assert [bench.task_row(run, key)["number"] for key in "aqtu"] == [1, 0, 1, 1]


def test_retries_start_from_scratch(bench: Bench) -> None:
    run = bench.submit([task("a", max_retries=1)])
    bench.end("a", 1)
    bench.end("a", 1)
    assert bench.run(run) == FAILED
    bench.repair(run, all_failed=True)
    bench.end("a", 1)
    assert bench.tasks(run) == {"a": "RUNNING"}
    bench.end("a")
    assert bench.run(run) == OK
    assert bench.task_row(run, "a")["number"] == 3


def test_a_cancelled_run_is_repaired(bench: Bench) -> None:
    run = bench.submit(CHAIN)
    bench.cancel(run)
    bench.end("a", None, signal=15, cause="cancel")
    bench.repair(run, all_failed=True)
    for key in "abc":
        bench.end(key)
    assert bench.run(run) == OK


def test_the_time_limit_counts_anew(bench: Bench) -> None:
    run = failed_chain(bench, timeout_seconds=60)
    bench.clock.advance(1_000)
    bench.repair(run, all_failed=True)
    bench.wait(59)
    assert bench.run(run)[0] == "RUNNING"
    bench.wait(1)
    assert bench.run(run)[0] == "TERMINATING"


def test_a_repair_takes_a_place(bench: Bench) -> None:
    run = failed_chain(bench)
    other = bench.request(1)
    repair = bench.repair(run, all_failed=True)
    late = bench.request(1)
    assert [bench.run(each)[0] for each in (other, run, late)] == ["RUNNING", "QUEUED", "QUEUED"]
    for key in "abc":
        bench.end(key)
    assert [bench.run(each)[0] for each in (other, run, late)] == ["TERMINATED", "RUNNING", "QUEUED"], repair
    bench.end("b")
    bench.end("c")
    assert (bench.run(run), bench.run(late)[0]) == (OK, "RUNNING")


def test_a_repair_that_waits_is_cancelled(bench: Bench) -> None:
    run = failed_chain(bench)
    bench.request(1)
    first = bench.repair(run, all_failed=True)
    bench.cancel(run)
    assert bench.run(run)[:2] == ("TERMINATED", "CANCELED")
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "CANCELED", "c": "CANCELED"}
    bench.cancel(bench.rows("SELECT max(id) FROM runs")[0][0])
    bench.end("a", None, signal=15, cause="cancel")
    bench.repair(run, all_failed=True, latest=first)
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK


def test_a_repair_waits_no_longer_than_two_days(bench: Bench) -> None:
    run = failed_chain(bench)
    bench.clock.advance(48 * 3600)
    bench.request(1)
    bench.repair(run, all_failed=True)
    with bench.database.write() as connection:
        assert runs.expire_queued(connection, bench.clock.now_ms()) == 0
    bench.clock.advance(48 * 3600)
    with bench.database.write() as connection:
        assert runs.expire_queued(connection, bench.clock.now_ms()) == 1
    assert bench.run(run)[0] == "SKIPPED"


def test_no_place_and_no_queue(bench: Bench) -> None:
    run = failed_chain(bench, queue={"enabled": False})
    bench.request(1)
    assert refused(bench, run, all_failed=True).startswith("INVALID_STATE: The limit of concurrent runs")


def test_only_a_part_of_the_job(bench: Bench) -> None:
    job = bench.job(CHAIN)
    run = bench.request(job, only=("b+",))
    bench.end("b", 1)
    bench.repair(run, all_failed=True)
    bench.end("b")
    bench.end("c")
    assert (bench.run(run), set(bench.tasks(run))) == (OK, {"b", "c"})


def test_the_next_scheduler_goes_on_with_a_repair(bench: Bench) -> None:
    run = failed_chain(bench)
    bench.repair(run, all_failed=True)
    running = bench.executor.launched
    bench.again(Greeted("w1", frozenset(running)))
    bench.executor.launched, bench.executor.taken = running, 1
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "RUNNING", "c": "BLOCKED"}
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK


def test_a_repair_that_nobody_saw_yet(bench: Bench) -> None:
    run = failed_chain(bench)
    with bench.database.write() as connection:
        from bundlectl.engine import repairs

        repairs.request(connection, run, repairs.Wish(all_failed=True), 1, queue_by_default=True)
    bench.again()
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK
