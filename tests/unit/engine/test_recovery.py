"""Schedulers and workers that died: what goes on, what is repeated, what is lost. With a fake clock and executor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine import claims, recovery, runs
from bundlectl.engine.claims import claim
from bundlectl.engine.executors.base import Ends, Gone, Greeted
from bundlectl.engine.files import log_path
from bundlectl.engine.scheduler import Superseded
from bundlectl.engine.verdicts import LOST_RETRY_LIMIT
from tests.unit.engine.scripted import Bench, task

OK = ("TERMINATED", "SUCCESS", "SUCCESS")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_the_next_scheduler_goes_on_where_the_last_one_died(bench: Bench) -> None:
    run = bench.submit([task("a"), task("b", "a"), task("c", max_retries=1, min_retry_interval_millis=9_000)])
    names = {launch.name for launch in bench.executor.started}
    bench.end("c", 1)
    bench.again(Greeted("w1", frozenset(names)))
    assert bench.executor.started == []
    bench.end("a")
    assert bench.running() == ["b"]
    bench.wait(9)
    assert bench.running() == ["b", "c"], "the delay of a retry outlives the scheduler that set it"
    bench.end("b")
    bench.end("c")
    assert bench.run(run) == OK


def test_a_launch_that_nobody_claimed_is_repeated_without_a_retry(bench: Bench) -> None:
    run = bench.submit([task("a")])
    (first,) = bench.executor.started
    bench.again(Gone("w1"))
    (second,) = bench.executor.started
    assert (first.name, second.name) == (f"{run + 1}-1", f"{run + 1}-2")
    with pytest.raises(FileExistsError):
        claim(first.log)  # a worker that wakes up late does not start it
    bench.end("a")
    assert bench.run(run) == OK
    assert [row["number"] for row in bench.rows("SELECT number FROM attempts")] == [0]


def _claimed(bench: Bench) -> None:
    """The worker claimed what it was sent, and left no end."""
    for row in bench.rows("SELECT * FROM attempts WHERE state = 'RUNNING'"):
        Path(log_path(bench.folder, row["run_id"], row["id"], row["launch"])).touch()


@pytest.mark.parametrize(
    ("settings", "attempts"),
    [
        ({}, 1),
        ({"max_retries": 2}, 1 + LOST_RETRY_LIMIT),
        ({"idempotent": True}, 1 + LOST_RETRY_LIMIT),
        ({"on_lost": "retry"}, 1 + LOST_RETRY_LIMIT),
        ({"max_retries": 2, "on_lost": "fail"}, 1),
    ],
)
def test_a_claimed_attempt_without_an_end_is_lost(bench: Bench, settings: dict[str, Any], attempts: int) -> None:
    run = bench.submit([task("a", **settings)])
    for _ in range(attempts):
        _claimed(bench)
        bench.step(Gone("w1"))
    rows = bench.rows("SELECT * FROM attempts")
    assert len(rows) == attempts
    assert {(row["state"], row["result"], row["code"], row["lost"]) for row in rows} == {
        ("INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", 1)
    }
    assert rows[0]["message"].startswith("The outcome of this attempt is unknown")
    assert bench.run(run)[1] == "FAILED"


def test_lost_attempts_do_not_use_up_retries(bench: Bench) -> None:
    run = bench.submit([task("a", max_retries=1)])
    _claimed(bench)
    bench.step(Gone("w1"))
    bench.end("a", 1)
    bench.end("a", 0)
    assert bench.run(run) == OK


def test_after_a_reboot_a_missing_claim_proves_nothing(bench: Bench) -> None:
    run = bench.submit([task("a")])
    with bench.database.write() as connection:
        connection.execute("UPDATE attempts SET boot = 'another'")
    bench.again(Gone("w1"))
    assert bench.rows("SELECT lost FROM attempts")[0][0] == 1
    assert bench.run(run)[1] == "FAILED"


def test_attempts_of_a_worker_of_which_nothing_is_left(bench: Bench) -> None:
    bench.submit([task("a")])
    with bench.database.write() as connection:
        connection.execute("UPDATE attempts SET worker = 'forgotten'")
    bench.again()
    assert bench.running() == ["a"]


def test_a_cancel_that_a_dead_scheduler_did_not_see(bench: Bench) -> None:
    run = bench.submit([task("a")])
    (launch,) = bench.executor.started
    with bench.database.write() as connection:
        runs.cancel(connection, run, 1)
    bench.again(Greeted("w1", frozenset({launch.name})))
    assert (launch.name, "cancel") in bench.executor.stopped


def test_an_end_counts_once(bench: Bench) -> None:
    run = bench.submit([task("a", max_retries=5)])
    bench.end("a", 1)
    end = {"k": "end", "a": f"{run + 1}-1", "code": 1, "signal": None, "cause": None, "started_ms": 1, "ended_ms": 2}
    bench.step(Ends("w1", bench.executor.offset, [end]), Ends("w1", bench.executor.offset + 50, [end]))
    assert len(bench.rows("SELECT * FROM attempts")) == 2


def test_an_overtaken_scheduler_writes_nothing(bench: Bench) -> None:
    run = bench.submit([task("a")])
    old = bench.scheduler
    bench.again(Greeted("w1", frozenset()))
    end = {"k": "end", "a": f"{run + 1}-1", "code": 0, "signal": None, "cause": None, "started_ms": 1, "ended_ms": 2}
    with pytest.raises(Superseded):
        old.step([Ends("w1", 100, [end])])
    assert bench.tasks(run) == {"a": "RUNNING"}


def test_a_record_is_folded_from_where_it_was(tmp_path: Path) -> None:
    place = tmp_path / "workers" / "w1"
    place.mkdir(parents=True)
    lines = [claims.record_line({"k": kind, "a": str(number)}) for number, kind in enumerate(("start", "end", "end"))]
    (place / "record").write_bytes(b"".join(lines) + b"torn")
    whole = recovery.fold(tmp_path, "w1", 0)
    assert ([end["a"] for end in whole.ends], whole.offset) == (["1", "2"], sum(map(len, lines)))
    assert [end["a"] for end in recovery.fold(tmp_path, "w1", len(lines[0] + lines[1])).ends] == ["2"]
    assert recovery.fold(tmp_path, "w1", whole.offset) == recovery.Folded([], whole.offset)
    recovery.remove_worker(tmp_path, "w1")
    assert recovery.fold(tmp_path, "w1", 7) == recovery.Folded([], 7)


def test_ends_that_nobody_was_told_are_taken_from_the_record(bench: Bench) -> None:
    run = bench.submit([task("a"), task("b", "a")])
    (launch,) = bench.executor.started
    end = {"k": "end", "a": launch.name, "code": 0, "signal": None, "cause": None, "started_ms": 1, "ended_ms": 2}
    (bench.folder / "workers" / "w1" / "record").write_bytes(claims.record_line(end))
    bench.again(Gone("w1"))
    assert bench.tasks(run) == {"a": "SUCCESS", "b": "RUNNING"}
    assert not (bench.folder / "workers" / "w1").exists()
