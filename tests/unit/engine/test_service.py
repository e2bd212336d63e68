"""Engine as others hold it: nothing is created by reading, one process at a time advances, the next takes over."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine
from tests.patience import until

Open = Callable[..., Engine]


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Open]:
    opened: list[Engine] = []

    def opener(**options: Any) -> Engine:
        environment = {"PATH": os.environ["PATH"]}
        engine = Engine(tmp_path / "engine", SystemClock(), environment=environment, grace_s=0.5, **options)
        opened.append(engine)
        return engine

    yield opener
    for engine in opened:
        engine.stop()


def ask(engine: Engine, call: str, **body: Any) -> dict[str, Any]:
    status, answer = engine.handle("POST", f"/api/2.2/jobs/{call}", {}, body)
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def shell(*argv: str) -> list[dict[str, Any]]:
    return [{"task_key": "a", "shell_task": {"command": list(argv)}}]


def state(engine: Engine, run: int) -> str:
    _, answer = engine.handle("GET", "/api/2.2/jobs/runs/get", {"run_id": str(run)}, None)
    found = answer["state"]
    return str(found.get("result_state", found["life_cycle_state"]))


def submit(engine: Engine, *argv: str) -> int:
    job = ask(engine, "create", name="j", tasks=shell(*argv))["job_id"]
    run: int = ask(engine, "run-now", job_id=job)["run_id"]
    return run


def test_reading_creates_nothing(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    engine.start()  # has nothing to advance, and makes nothing
    assert engine.handle("GET", "/api/bundlectl/1/identity", {}, None)[1]["id"] is None
    assert engine.handle("GET", "/api/2.2/jobs/list", {}, None) == (200, {"has_more": False})
    assert engine.handle("POST", "/api/2.2/jobs/run-now", {}, {"job_id": 1})[0] == 404
    assert engine.handle("POST", "/api/2.2/jobs/runs/cancel", {}, {"run_id": 1})[0] == 404
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_comes_to_exist_is_advanced(open_engine: Open) -> None:
    engine = open_engine()
    engine.start()
    run = submit(engine, "true")
    until(lambda: state(engine, run) == "SUCCESS")
    assert engine.active


def test_a_request_of_another_process_is_followed_at_once(open_engine: Open) -> None:
    one, other = open_engine(), open_engine()
    one.start()
    submit(one, "true")
    until(lambda: one.active and one.idle)
    other.start()
    began = time.monotonic()
    run = submit(other, "true")
    until(lambda: state(other, run) == "SUCCESS")
    assert not other.active
    assert time.monotonic() - began < 30


def test_who_stands_by_takes_over_and_finishes(open_engine: Open) -> None:
    one, other = open_engine(), open_engine()
    one.start()
    run = submit(one, "sleep", "0.5")
    until(lambda: state(one, run) == "RUNNING")
    other.start()
    one.stop()
    until(lambda: other.active)
    until(lambda: state(other, run) == "SUCCESS")


def test_draining_waits_for_every_run(open_engine: Open) -> None:
    engine = open_engine()
    run = submit(engine, "sleep", "0.2")
    engine.start()
    engine.stop(drain=True)
    assert state(engine, run) == "SUCCESS"


def test_nothing_of_the_engine_stays_behind(open_engine: Open, tmp_path: Path) -> None:
    """Workers leave with the engine when they are idle."""
    engine = open_engine()
    run = submit(engine, "true")
    engine.start()
    until(lambda: state(engine, run) == "SUCCESS")
    engine.stop()
    records = tmp_path.glob("engine/workers/*/record")
    until(lambda: all(b'"bye"' in record.read_bytes() for record in records))


def test_tasks_do_not_see_the_callers_environment(open_engine: Open) -> None:
    engine = open_engine()
    engine._environment = {**(engine._environment or {}), "DATABRICKS_TOKEN": "dapi-secret", "LANG": "C"}
    run = submit(engine, "env")
    engine.start()
    until(lambda: state(engine, run) == "SUCCESS")
    answer = engine.handle("GET", f"/api/bundlectl/1/runs/{run + 1}/log", {}, None)[1]
    assert "LANG=C" in answer["text"]
    assert "dapi-secret" not in answer["text"]


def test_a_fault_of_the_scheduler_reaches_whoever_asks(open_engine: Open) -> None:
    def hook(step: str) -> None:
        raise ZeroDivisionError(step)

    engine = open_engine(hook=hook)
    ask(engine, "create", name="j", tasks=shell("true"))
    engine.start()

    def fails() -> bool:
        try:
            engine.handle("GET", "/api/2.2/jobs/list", {}, None)
        except ZeroDivisionError:
            return True
        return False

    until(fails)


def test_ten_thousand_jobs_are_listed_from_an_index(open_engine: Open) -> None:
    engine = open_engine()
    ask(engine, "create", name="first", tasks=shell("true"))
    with engine._store.open().write() as connection:
        connection.executemany(
            "INSERT INTO jobs SELECT ?, ?, 'l', 'dev', ?, name, digest, document, created, creator, run_as"
            " FROM jobs WHERE id = 1",
            [(number, f"b1-{number:040d}", f"k{number}") for number in range(100, 10_100)],
        )
    with engine._store.read() as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT id, own, digest FROM jobs WHERE lineage = 'l' AND target = 'dev'"
            " AND own IS NOT NULL ORDER BY id"
        ).fetchall()
    assert [row["detail"] for row in plan] == [
        "SEARCH jobs USING COVERING INDEX jobs_by_owner (lineage=? AND target=?)"
    ]
    answer = engine.handle("GET", "/api/bundlectl/1/jobs", {"lineage": "l", "target": "dev"}, None)[1]
    assert len(answer["jobs"]) == 10_000
