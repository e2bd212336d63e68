"""run_job tasks (jobs.md 3.8, 6.4), with a fake clock and an executor that does what the test says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine import jobs, runs
from bundlectl.engine.executors.base import Greeted
from tests.unit.engine.scripted import Bench, task

OK = ("TERMINATED", "SUCCESS", "SUCCESS")
CANCEL: dict[str, Any] = {"signal": 15, "cause": "cancel"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def call(key: str, job: int, *after: str, **more: Any) -> dict[str, Any]:
    """A task that runs a job."""
    return task(key, *after, run_job_task={"job_id": job, **more.pop("body", {})}, **more)


def child_of(bench: Bench, run: int, key: str = "r") -> int:
    child: int = bench.task_row(run, key)["child"]
    return child


def again(bench: Bench) -> None:
    """Another scheduler takes over, and the worker goes on with what it runs."""
    running, taken = bench.executor.launched, bench.executor.taken
    bench.again(Greeted("w1", frozenset(running)))
    bench.executor.launched, bench.executor.taken = running, taken


def test_the_task_waits_for_the_run_that_it_starts(bench: Bench) -> None:
    job = bench.job([task("c")])
    run = bench.submit([call("r", job), task("d", "r")])
    child = child_of(bench, run)
    (row,) = bench.rows("SELECT * FROM runs WHERE id = ?", child)
    assert (row["trigger"], row["parent"], row["kind"]) == ("RUN_JOB_TASK", bench.task_row(run, "r")["id"], "JOB_RUN")
    assert (bench.tasks(run), bench.running()) == ({"r": "RUNNING", "d": "BLOCKED"}, ["c"])
    bench.end("c")
    assert (bench.run(child), bench.tasks(run)) == (OK, {"r": "SUCCESS", "d": "RUNNING"})
    bench.end("d")
    assert bench.run(run) == OK


def test_a_child_with_failures_that_no_leaf_shows_is_a_success(bench: Bench) -> None:
    """Case 38."""
    job = bench.job([task("a"), task("h", "a", run_if="AT_LEAST_ONE_FAILED")])
    run = bench.submit([call("r", job)])
    bench.end("a", 1)
    bench.end("h")
    assert bench.run(child_of(bench, run))[1] == "SUCCESS_WITH_FAILURES"
    assert bench.run(run) == OK


def test_a_child_that_fails_fails_the_task_with_its_message(bench: Bench) -> None:
    run = bench.submit([call("r", bench.job([task("c")])), task("d", "r")])
    bench.end("c", 1)
    row = bench.task_row(run, "r")
    assert (row["state"], row["result"]) == ("TERMINATED", "FAILED")
    assert row["message"] == "Task c failed with message: Workload failed, see run output for details."
    assert bench.tasks(run) == {"r": "FAILED", "d": "UPSTREAM_FAILED"}
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "FAILED")


def test_a_child_at_its_limit_is_skipped(bench: Bench) -> None:
    """Case 39."""
    job = bench.job([task("c")], queue={"enabled": False})
    bench.request(job)
    run = bench.submit([call("r", job)])
    assert bench.run(child_of(bench, run))[0] == "SKIPPED"
    row = bench.task_row(run, "r")
    assert row["result"] == "FAILED"
    assert row["message"] == "Skipping this run because the limit of 1 maximum concurrent runs has been reached."


def test_a_child_waits_in_the_queue_of_its_job(bench: Bench) -> None:
    job = bench.job([task("c")])
    first = bench.request(job)
    run = bench.submit([call("r", job)])
    child = child_of(bench, run)
    assert (bench.run(child)[0], bench.tasks(run)) == ("QUEUED", {"r": "RUNNING"})
    bench.end("c")
    assert (bench.run(first), bench.run(child)[0]) == (OK, "RUNNING")
    bench.end("c")
    assert bench.run(run) == OK


def test_a_child_is_cancelled_while_it_waits(bench: Bench) -> None:
    job = bench.job([task("c")])
    bench.request(job)
    run = bench.submit([call("r", job)])
    bench.cancel(child_of(bench, run))
    assert bench.task_row(run, "r")["message"] == "Run cancelled."
    assert bench.run(run)[1] == "FAILED"


def test_the_time_limit_of_the_task_cancels_the_child(bench: Bench) -> None:
    """Case 41."""
    job = bench.job([task("c")])
    run = bench.submit([call("r", job, timeout_seconds=30), task("h", "r", run_if="ALL_DONE")])
    child = child_of(bench, run)
    bench.wait(30)
    assert (bench.tasks(run)["r"], bench.run(child)[0]) == ("TERMINATING", "TERMINATING")
    again(bench)
    bench.end("c", None, **CANCEL)
    assert bench.run(child) == ("TERMINATED", "CANCELED", "USER_CANCELED")
    assert bench.tasks(run) == {"r": "TIMEDOUT", "h": "RUNNING"}


def test_the_time_limit_cancels_a_child_that_waits(bench: Bench) -> None:
    job = bench.job([task("c")])
    bench.request(job)
    run = bench.submit([call("r", job, timeout_seconds=30)])
    bench.wait(30)
    assert bench.run(child_of(bench, run))[:2] == ("TERMINATED", "CANCELED")
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "TIMEDOUT")


def test_a_cancel_reaches_the_innermost_run(bench: Bench) -> None:
    inner = bench.job([task("c")])
    middle = bench.job([call("m", inner)])
    run = bench.submit([call("r", middle)])
    child = child_of(bench, run)
    grandchild = child_of(bench, child, "m")
    bench.cancel(run)
    assert {bench.run(each)[0] for each in (run, child, grandchild)} == {"TERMINATING"}
    again(bench)
    bench.end("c", None, **CANCEL)
    for each in (run, child, grandchild):
        assert bench.run(each) == ("TERMINATED", "CANCELED", "USER_CANCELED")


def test_a_failed_child_is_tried_again(bench: Bench) -> None:
    run = bench.submit([call("r", bench.job([task("c")]), max_retries=1)])
    first = child_of(bench, run)
    bench.end("c", 1)
    second = child_of(bench, run)
    assert second != first
    bench.end("c")
    assert bench.run(run) == OK


def test_the_next_scheduler_goes_on_with_children(bench: Bench) -> None:
    run = bench.submit([call("r", bench.job([task("c")])), task("d", "r")])
    again(bench)
    assert len(bench.rows("SELECT * FROM runs")) == 2, "the child is not requested again"
    bench.end("c")
    again(bench)
    bench.end("d")
    assert bench.run(run) == OK


def test_a_child_that_ended_while_nobody_looked(bench: Bench) -> None:
    job = bench.job([task("c")])
    bench.request(job)
    run = bench.submit([call("r", job)])
    with bench.database.write() as connection:
        runs.cancel(connection, child_of(bench, run), bench.clock.now_ms())
    again(bench)
    assert bench.run(run)[1] == "FAILED"


def test_a_job_that_is_not_there(bench: Bench) -> None:
    job = bench.job([task("c")])
    with bench.database.write() as connection:
        jobs.delete(connection, job)
    run = bench.submit([call("r", job), task("d", "r")])
    row = bench.task_row(run, "r")
    assert (row["code"], row["message"]) == ("RESOURCE_NOT_FOUND", f"Job {job} does not exist.")
    assert bench.run(run)[1] == "FAILED"


def test_jobs_that_start_each_other_in_a_circle(bench: Bench) -> None:
    first = bench.job([task("x")])
    second = bench.job([call("r", first)])
    with bench.database.write() as connection:
        jobs.replace(connection, first, {"name": "etl", "tasks": [call("r", second)]})
    run = bench.request(first)
    row = bench.task_row(child_of(bench, run), "r")
    assert row["code"] == "INVALID_RUN_CONFIGURATION"
    assert row["message"] == f"Jobs start each other in a circle: {first} -> {second} -> {first}."
    assert bench.run(run)[1] == "FAILED"


def test_no_more_than_three_levels(bench: Bench) -> None:
    job = bench.job([task("c")])
    for _ in range(3):
        job = bench.job([call("r", job)])
    run = bench.request(job)
    bench.end("c")
    assert bench.run(run) == OK
    deeper = bench.request(bench.job([call("r", job)]))
    assert bench.run(deeper)[1] == "FAILED"
    (row,) = bench.rows("SELECT message FROM attempts WHERE code = 'INVALID_RUN_CONFIGURATION'")
    assert row[0] == "A run_job_task may be nested 3 levels deep; this one would be level 4."


def test_children_as_iterations(bench: Bench) -> None:
    job = bench.job([task("c")], max_concurrent_runs=5)
    nested = {"task_key": "i", "run_job_task": {"job_id": job}}
    body = {"inputs": "[1,2]", "concurrency": 2, "task": nested}
    run = bench.submit([task("l", for_each_task=body)])
    assert bench.running() == ["c", "c"]
    children = [row["child"] for row in bench.rows("SELECT child FROM attempts WHERE child ORDER BY iteration")]
    bench.cancel(run)
    bench.cancel(run)
    for name in list(bench.executor.launched):
        (key,) = bench.rows("SELECT run_id FROM attempts WHERE id = ?", int(name.partition("-")[0]))
        assert key[0] in children
    while bench.executor.launched:
        name = next(iter(bench.executor.launched))
        bench.end_launch(name, None, **CANCEL)
    assert bench.iterations(run) == ["CANCELED", "CANCELED"]
    assert bench.run(run) == ("TERMINATED", "CANCELED", "USER_CANCELED")
