"""Kills of schedulers in the middle of loops, nested runs and repairs, judged by the ledger that the tasks write."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash import ledger
from tests.crash.test_engine_kills import SOAK, Place

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def _nested(place: Place, key: str, *, seconds: float = 0.02, code: str = "0") -> dict[str, Any]:
    """A task of a loop that says in the ledger what it does, and for which element."""
    script = ledger.TASK.format(seconds=seconds, code=code)
    command = ["sh", "-c", f"LEDGER={place.ledger}; export LEDGER; {script}", "sh", "{{input}}"]
    return {"task_key": key, "shell_task": {"command": command}}


def _tasks(place: Place, *, seconds: float = 0.02, size: int = 3) -> list[dict[str, Any]]:
    """A task, a loop and a nested run after it, and a task after both."""
    child = place.ask("POST", "create", name="child", tasks=[place.task("c", seconds=seconds)], max_concurrent_runs=9)
    body = {"inputs": str(list(range(size))), "concurrency": 2, "task": _nested(place, "i", seconds=seconds)}
    after = [{"task_key": "a"}]
    return [
        place.task("a", seconds=seconds),
        {"task_key": "l", "for_each_task": body, "depends_on": after},
        {"task_key": "r", "run_job_task": {"job_id": child["job_id"]}, "depends_on": after},
        place.task("z", "l", "r", seconds=seconds),
    ]


def _ran(place: Place) -> list[str]:
    return sorted(entry.task for entry in ledger.read(place.ledger) if entry.what == "end")


# Steps of a scheduler over such a run, start included; the last numbers are never reached.
@pytest.mark.parametrize("step", range(1, 34, 2))
def test_a_scheduler_killed_at_each_step_of_a_loop_and_a_child(place: Place, step: int) -> None:
    run = place.submit(_tasks(place))
    first = place.scheduler(step)
    deadline = time.monotonic() + 1.0
    while first.poll() is None and time.monotonic() < deadline and place.state(run)[0] != "TERMINATED":
        time.sleep(0.01)
    first.kill()
    first.wait()
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "SUCCESS")
    assert _ran(place) == ["a", "c", "i0", "i1", "i2", "z"]
    assert ledger.judge(place.database, ledger.read(place.ledger))["lost"] == 0
    assert len(ledger.rows(place.database, "SELECT 1 FROM runs")) == 2, "the child was asked for once"


# Steps of a scheduler over a repair of a run one of whose iterations failed.
@pytest.mark.parametrize("step", range(1, 16, 2))
def test_a_scheduler_killed_at_each_step_of_a_repair(place: Place, step: int) -> None:
    flag = place.ledger.with_name("flag")
    code = f"$(test -e {flag} || test $1 != 1; echo $?)"
    body = {"inputs": "[0,1,2]", "concurrency": 3, "task": _nested(place, "i", code=code)}
    run = place.submit([{"task_key": "l", "for_each_task": body}, place.task("z", "l")])
    place.scheduler()
    assert place.settle(run) == ("INTERNAL_ERROR", "FAILED")
    place.processes[-1].kill()
    place.processes[-1].wait()
    flag.touch()
    place.ask("POST", "runs/repair", run_id=run, rerun_all_failed_tasks=True)
    second = place.scheduler(step)
    deadline = time.monotonic() + 0.5
    while second.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    second.kill()
    second.wait()
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "SUCCESS")
    assert _ran(place) == ["i0", "i1", "i1", "i2", "z"], "what had succeeded is not run again"
    assert ledger.judge(place.database, ledger.read(place.ledger))["lost"] == 0


def _kill_schedulers(place: Place, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    expected: list[str] = []
    live = place.scheduler()
    run = None
    for _ in range(kills):
        if run is None or place.state(run)[0] in ("TERMINATED", "INTERNAL_ERROR"):
            run = place.submit(_tasks(place, seconds=0.05, size=6))
            expected += ["a", "c", *(f"i{number}" for number in range(6)), "z"]
        time.sleep(chance.uniform(0.0, 0.4))
        live.kill()
        live.wait()
        live = place.scheduler()
    assert run is not None
    assert place.settle(run) == ("TERMINATED", "SUCCESS"), f"seed {seed}"
    assert _ran(place) == sorted(expected), f"seed {seed}"
    assert ledger.judge(place.database, ledger.read(place.ledger))["lost"] == 0


def test_killed_schedulers_repeat_no_iteration_and_no_child(place: Place) -> None:
    _kill_schedulers(place, 8, seed=11)


@pytest.mark.soak
def test_many_killed_schedulers_over_loops_and_children(place: Place) -> None:
    _kill_schedulers(place, 300 * SOAK, seed=12)


def test_a_cancel_reaches_iterations_and_children_after_a_kill(place: Place) -> None:
    run = place.submit([{**task, "depends_on": []} for task in _tasks(place, seconds=60)[1:3]])
    first = place.scheduler()
    while len(ledger.read(place.ledger)) < 3:
        time.sleep(0.02)
    first.kill()
    first.wait()
    place.ask("POST", "runs/cancel", run_id=run)
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "CANCELED")
    assert place.tasks_alive() == []
    assert {row["result"] for row in ledger.rows(place.database, "SELECT result FROM runs")} == {"CANCELED"}
