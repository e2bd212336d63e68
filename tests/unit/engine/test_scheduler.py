"""Runs from request to end, with a fake clock and an executor that does what the test says."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundlectl.engine import dispatch, jobs, runs
from bundlectl.engine.dispatch import Collected
from bundlectl.engine.executors.base import Ends
from bundlectl.engine.tasks.base import SetupFailed
from tests.unit.engine.scripted import Bench, task

OK = ("TERMINATED", "SUCCESS", "SUCCESS")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_chain_runs_in_order(bench: Bench) -> None:
    run = bench.submit([task("a"), task("b", "a"), task("c", "b")])
    for key in "abc":
        assert bench.running() == [key]
        assert bench.run(run) == ("RUNNING", None, None)
        bench.end(key)
    assert bench.run(run) == OK


def test_states_while_a_run_is_under_way(bench: Bench) -> None:
    bench.executor.slots = 1
    run = bench.submit([task("a"), task("b"), task("c", "a")])
    assert bench.tasks(run) == {"a": "RUNNING", "b": "PENDING", "c": "BLOCKED"}


def test_slots_go_to_whoever_was_ready_first(bench: Bench) -> None:
    bench.executor.slots = 2
    bench.submit([task("a"), task("b"), task("c"), task("d", "a")])
    assert bench.running() == ["a", "b"]
    bench.end("a")
    assert bench.running() == ["b", "c"]
    bench.end("b")
    assert bench.running() == ["c", "d"]


def test_one_commit_records_an_end_and_launches_the_next(bench: Bench) -> None:
    bench.submit([task("a"), task("b", "a")])
    commits: list[str] = []
    bench.scheduler._hook = commits.append
    bench.end("a")
    assert commits == ["commit", "committed", "sent"]


def test_a_failed_task_skips_what_depends_on_it(bench: Bench) -> None:
    run = bench.submit([task("a"), task("b", "a"), task("h", "a", run_if="AT_LEAST_ONE_FAILED")])
    bench.end("a", 3)
    assert bench.tasks(run) == {"a": "FAILED", "b": "UPSTREAM_FAILED", "h": "RUNNING"}
    bench.end("h")
    assert bench.run(run) == ("INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR")
    (row,) = bench.rows("SELECT message FROM runs")
    assert row[0] == "Task a failed with message: Workload failed, see run output for details."


def test_a_condition_takes_no_slot_and_chooses_a_branch(bench: Bench) -> None:
    bench.executor.slots = 1
    bench.launcher.outcomes = {"q": "true"}
    condition = {"op": "EQUAL_TO", "left": "1", "right": "1"}
    yes, no = ({"task_key": "q", "outcome": outcome} for outcome in ("true", "false"))
    tasks = [task("x"), task("q", condition_task=condition), task("t", yes), task("e", no), task("j", "t", "e")]
    run = bench.submit(tasks)
    assert bench.running() == ["x"]
    assert bench.tasks(run) == {"x": "RUNNING", "q": "SUCCESS", "t": "PENDING", "e": "EXCLUDED", "j": "BLOCKED"}
    for key in ("x", "t", "j"):
        bench.end(key)
    assert bench.run(run) == OK


def test_a_condition_that_cannot_be_decided_fails_its_task(bench: Bench) -> None:
    bench.launcher.failures = {"q": SetupFailed("INVALID_RUN_CONFIGURATION", "no number")}
    run = bench.submit([task("q", condition_task={}), task("t", {"task_key": "q", "outcome": "true"})])
    assert bench.tasks(run) == {"q": "FAILED", "t": "UPSTREAM_FAILED"}
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "FAILED")


def test_a_task_that_cannot_be_set_up(bench: Bench) -> None:
    bench.launcher.failures = {"a": SetupFailed("RESOURCE_NOT_FOUND", "no such file")}
    run = bench.submit([task("a"), task("b")])
    (row,) = bench.rows("SELECT * FROM attempts WHERE task_key = 'a'")
    assert (row["state"], row["result"], row["code"]) == ("INTERNAL_ERROR", "FAILED", "RESOURCE_NOT_FOUND")
    assert row["message"] == row["error"] == "no such file"
    assert bench.executor.taken == 1, "the slot of the task that did not start is free again"
    bench.end("b")
    assert bench.run(run)[1] == "FAILED"


def test_parameters_that_do_not_hold_fail_every_task(bench: Bench) -> None:
    bench.launcher.parameters_failure = SetupFailed("INVALID_RUN_CONFIGURATION", "no such reference")
    run = bench.submit([task("a"), task("q", condition_task={})])
    assert bench.executor.started == []
    assert bench.tasks(run) == {"a": "FAILED", "q": "FAILED"}


def test_a_program_that_is_not_there(bench: Bench) -> None:
    run = bench.submit([task("a")])
    bench.end("a", error={"code": "RESOURCE_NOT_FOUND", "message": "no command"})
    assert bench.tasks(run) == {"a": "FAILED"}
    (row,) = bench.rows("SELECT code FROM attempts")
    assert row[0] == "RESOURCE_NOT_FOUND"


def test_values_that_do_not_hold_fail_an_attempt_that_succeeded(bench: Bench) -> None:
    run = bench.submit([task("a")])
    bench.launcher.left[bench.executor.started[0].name] = Collected({}, "Line 2 is no value", (), None)
    bench.end("a")
    assert bench.tasks(run) == {"a": "FAILED"}


# Retries (jobs.md 6.3)


def test_retries_count_from_the_start_of_the_failed_attempt(bench: Bench) -> None:
    """Case 26."""
    run = bench.submit([task("a", max_retries=2, min_retry_interval_millis=60_000)])
    bench.clock.advance(10)
    bench.end("a", 1)
    assert bench.tasks(run) == {"a": "WAITING_FOR_RETRY"}
    bench.wait(49)
    assert bench.running() == []
    bench.wait(1)
    assert bench.running() == ["a"]
    bench.clock.advance(90)
    bench.end("a", 1)
    assert bench.running() == ["a"], "the interval is long over: at once"
    bench.end("a")
    assert bench.run(run) == OK
    rows = bench.rows("SELECT * FROM attempts ORDER BY id")
    assert [(row["number"], row["result"]) for row in rows] == [(0, "FAILED"), (1, "FAILED"), (2, "SUCCESS")]
    assert {row["first_id"] for row in rows} == {rows[0]["id"]}
    assert [row["started"] - rows[0]["started"] for row in rows] == [0, 60_000, 150_000]


@pytest.mark.parametrize(("again", "attempts"), [(False, 1), (True, 4)])
def test_time_outs_are_retried_only_when_asked_for(bench: Bench, again: bool, attempts: int) -> None:
    """Cases 27 and 28."""
    run = bench.submit([task("a", max_retries=3, timeout_seconds=30, retry_on_timeout=again)])
    for _ in range(attempts):
        assert bench.executor.started[-1].timeout_s == 30
        bench.end("a", None, signal=15, cause="timeout")
    assert bench.tasks(run) == {"a": "TIMEDOUT"}
    assert bench.run(run)[:2] == ("INTERNAL_ERROR", "TIMEDOUT")
    assert len(bench.rows("SELECT * FROM attempts")) == attempts


def test_unlimited_retries(bench: Bench) -> None:
    """Case 29."""
    run = bench.submit([task("a", max_retries=-1)])
    for code in (1, 1, 0):
        bench.end("a", code)
    assert bench.run(run) == OK


def test_a_job_takes_too_long(bench: Bench) -> None:
    """Case 30: the clock starts when the run starts, not when it is queued."""
    job = bench.job([task("a"), task("b", "a")], timeout_seconds=60, max_concurrent_runs=1)
    first = bench.request(job)
    run = bench.request(job)
    bench.clock.advance(50)
    bench.end("a")
    bench.end("b")
    assert bench.run(first) == OK
    bench.wait(59)
    assert bench.run(run)[0] == "RUNNING"
    bench.wait(1)
    assert bench.run(run)[0] == "TERMINATING"
    assert len(bench.executor.stopped) == 1
    bench.end("a", None, signal=15, cause="cancel")
    assert bench.run(run) == ("TERMINATED", "TIMEDOUT", "CANCELED")
    rows = bench.rows("SELECT result, code FROM attempts WHERE run_id = ?", run)
    assert [tuple(row) for row in rows] == [("CANCELED", "CANCELED")] * 2


def test_a_changed_time_limit_holds_for_active_runs(bench: Bench) -> None:
    job = bench.job([task("a")])
    run = bench.request(job)
    with bench.database.write() as connection:
        runs.set_timeout(connection, job, 5)
    bench.look()
    bench.wait(5)
    assert bench.run(run)[0] == "TERMINATING"


def test_a_task_is_cancelled_while_it_waits_for_its_retry(bench: Bench) -> None:
    """Case 31."""
    run = bench.submit([task("a", max_retries=5, min_retry_interval_millis=60_000)])
    bench.end("a", 1)
    bench.cancel(bench.rows("SELECT id FROM attempts WHERE number = 1")[0][0])
    assert bench.tasks(run) == {"a": "CANCELED"}
    bench.wait(1_000)
    assert len(bench.executor.started) == 1
    assert bench.run(run)[:2] == ("TERMINATED", "CANCELED")


# Cancel (jobs.md 3.12, 6.2 cases 22 to 24)


def test_a_cancelled_run_starts_no_handler(bench: Bench) -> None:
    run = bench.submit([task("a"), task("b", "a"), task("h", "a", run_if="ALL_DONE")])
    bench.cancel(run)
    assert bench.run(run)[0] == "TERMINATING"
    assert bench.tasks(run) == {"a": "TERMINATING", "b": "CANCELED", "h": "CANCELED"}
    bench.end("a", None, signal=15, cause="cancel")
    assert bench.run(run) == ("TERMINATED", "CANCELED", "USER_CANCELED")
    assert bench.cancel(run), "a run that has ended stays as it is"
    assert bench.run(run) == ("TERMINATED", "CANCELED", "USER_CANCELED")


def test_a_cancelled_task_lets_its_handlers_run(bench: Bench) -> None:
    run = bench.submit([task("a", max_retries=3), task("b", "a"), task("h", "a", run_if="ALL_DONE")])
    bench.cancel(bench.rows("SELECT id FROM attempts WHERE task_key = 'a'")[0][0])
    bench.end("a", None, signal=15, cause="cancel")
    assert bench.tasks(run) == {"a": "CANCELED", "b": "UPSTREAM_CANCELED", "h": "RUNNING"}
    bench.end("h")
    assert bench.run(run)[:2] == ("TERMINATED", "CANCELED")


def test_an_end_that_comes_before_the_cancel_counts(bench: Bench) -> None:
    run = bench.submit([task("a")])
    bench.cancel(run)
    bench.end("a", 0)
    assert bench.tasks(run) == {"a": "SUCCESS"}
    assert bench.run(run)[:2] == ("TERMINATED", "CANCELED")


def test_a_task_whose_setup_is_under_way_is_cancelled_at_once(bench: Bench) -> None:
    bench.launcher.slow = {"a"}
    run = bench.submit([task("a")])
    assert bench.cancel(run)
    assert bench.run(run)[:2] == ("TERMINATED", "CANCELED")
    bench.launcher.gate.set()
    bench.scheduler.once()  # the thread says that it is done
    assert bench.executor.started == []


def test_a_slow_setup_keeps_nobody_waiting(bench: Bench) -> None:
    bench.launcher.slow = {"a"}
    run = bench.submit([task("a"), task("b")])
    assert bench.running() == ["b"]
    assert bench.tasks(run) == {"a": "PENDING", "b": "RUNNING"}
    bench.launcher.gate.set()
    bench.scheduler.once()
    assert bench.running() == ["b", "a"]


# Concurrency and queue (jobs.md 2.9, 6.6)


def test_waiting_runs_start_in_order_with_the_settings_of_then(bench: Bench) -> None:
    """Case 48."""
    job = bench.job([task("a")], max_concurrent_runs=1, queue={"enabled": True})
    first, second, third = bench.request(job), bench.request(job, parameters={"p": "2"}), bench.request(job)
    assert [bench.run(run)[0] for run in (first, second, third)] == ["RUNNING", "QUEUED", "QUEUED"]
    with bench.database.write() as connection:
        jobs.replace(connection, job, {"name": "new", "tasks": [task("b")]})
    bench.clock.advance(5)
    bench.end("a")
    assert [bench.run(run)[0] for run in (first, second, third)] == ["TERMINATED", "RUNNING", "QUEUED"]
    assert bench.running() == ["b"]
    (row,) = bench.rows("SELECT * FROM runs WHERE id = ?", second)
    assert (row["name"], row["started"] - row["requested"], row["parameters"]) == ("new", 5_000, '{"p":"2"}')


@pytest.mark.parametrize(("limit", "queue"), [(1, False), (0, True), (0, False)])
def test_runs_over_the_limit_are_skipped(bench: Bench, limit: int, queue: bool) -> None:
    """Cases 49 and 50."""
    job = bench.job([task("a")], max_concurrent_runs=limit, queue={"enabled": queue})
    states = [bench.run(bench.request(job)) for _ in range(limit + 2)]
    skipped = ("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "MAX_CONCURRENT_RUNS_EXCEEDED")
    assert states == [("RUNNING", None, None)] * limit + [skipped] * 2


def test_a_run_may_say_itself_whether_it_waits(bench: Bench) -> None:
    job = bench.job([task("a")], queue={"enabled": True})
    bench.request(job)
    assert bench.run(bench.request(job, queue=False))[0] == "SKIPPED"
    assert bench.run(bench.request(job))[0] == "QUEUED"


def test_a_lower_limit_stops_nothing(bench: Bench) -> None:
    """Case 51."""
    job = bench.job([task("a")], max_concurrent_runs=3)
    active = [bench.request(job) for _ in range(3)]
    with bench.database.write() as connection:
        jobs.replace(connection, job, {"tasks": [task("a")], "max_concurrent_runs": 1})
    late = bench.request(job)
    assert {bench.run(run)[0] for run in active} == {"RUNNING"}
    for run in active[:2]:
        bench.cancel(run)
        (name,) = {name for name, _ in bench.executor.stopped} & set(bench.executor.launched)
        del bench.executor.launched[name]
        bench.executor.offset += 1
        end = {"k": "end", "a": name, "code": None, "signal": 15, "cause": "cancel", "started_ms": 1, "ended_ms": 2}
        bench.step(Ends("w1", bench.executor.offset, [end]))
        assert bench.run(late)[0] == "QUEUED"


def test_a_run_waits_no_longer_than_two_days(bench: Bench) -> None:
    job = bench.job([task("a")])
    bench.request(job)
    late = bench.request(job)
    bench.clock.advance(47 * 3600)
    bench.scheduler.once()  # nothing happens for a second
    assert bench.run(late)[0] == "QUEUED"
    bench.clock.advance(3600)
    bench.scheduler.once()
    assert bench.run(late)[:2] == ("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED")
    assert bench.running() == ["a"]


def test_a_known_token_gives_the_first_run(bench: Bench) -> None:
    """Case 61."""
    job = bench.job([task("a")])
    first = bench.request(job, token="t")
    bench.end("a", 1)
    assert bench.request(job, token="t") == first
    with pytest.raises(runs.TokenTaken):
        bench.request(bench.job([task("a")]), token="t")
    assert len(bench.rows("SELECT * FROM runs")) == 1


def test_only_some_tasks(bench: Bench) -> None:
    """Case 25."""
    run = bench.request(bench.job([task("a"), task("b", "a"), task("c", "b")]), only=("b+",))
    assert bench.running() == ["b"]
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK
    assert set(bench.tasks(run)) == {"b", "c"}


# Trouble


def test_a_full_disk_stops_launching_and_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MIN_FREE_BYTES", 1 << 60)
    run = bench.submit([task("a")])
    assert bench.executor.started == []
    assert bench.scheduler.paused is not None
    assert "free" in bench.rows("SELECT message FROM runs")[0][0]
    monkeypatch.setattr(dispatch, "MIN_FREE_BYTES", 1)
    bench.wait(1)
    assert bench.running() == ["a"]
    bench.end("a")
    assert bench.run(run) == OK


def test_decisions_outlive_a_database_that_cannot_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench.submit([task("a"), task("b", "a")])
    works = bench.scheduler._write

    def full(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(bench.scheduler, "_write", full)
    bench.end("a")
    assert bench.running() == [], "nothing is sent before its row is written"
    assert bench.scheduler.paused == "Paused: database or disk is full."
    monkeypatch.setattr(bench.scheduler, "_write", works)
    bench.step()
    assert bench.running() == ["b"]
    bench.end("b")
    assert bench.run(run) == OK
