"""Kills of schedulers and workers in the middle of runs, judged by a ledger that the tasks write themselves."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine
from tests.crash import ledger

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
SOAK = int(os.environ.get("SOAK_FACTOR", "1"))
ROOT = Path(__file__).resolve().parent.parent.parent
_PATIENCE_S = 60.0


class Place:
    """An engine's folder, the schedulers that work on it, and the ledger of its tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "engine"
        self.ledger = folder / "ledger"
        self.database = self.folder / "engine.db"
        self.client = Engine(self.folder, SystemClock())  # asks, and never advances anything
        self.processes: list[subprocess.Popen[bytes]] = []

    def scheduler(self, step: int = 0, worker_step: int = 0, slots: int = 4) -> subprocess.Popen[bytes]:
        arguments = [str(self.folder), str(step), str(worker_step), str(slots)]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(self.folder.parent)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.engine_process", *arguments],
            stdout=subprocess.PIPE,
            env=environment,
        )
        self.processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        query = {name: str(value) for name, value in body.items()} if method == "GET" else {}
        status, answer = self.client.handle(method, f"/api/2.2/jobs/{path}", query, body if method == "POST" else None)
        assert status == 200, answer
        assert isinstance(answer, dict)
        return answer

    def submit(self, tasks: list[dict[str, Any]], **settings: Any) -> int:
        job = self.ask("POST", "create", name="killed", tasks=tasks, **settings)["job_id"]
        run: int = self.ask("POST", "run-now", job_id=job)["run_id"]
        return run

    def state(self, run: int) -> tuple[str, str | None]:
        state = self.ask("GET", "runs/get", run_id=run)["state"]
        return state["life_cycle_state"], state.get("result_state")

    def settle(self, run: int) -> tuple[str, str | None]:
        give_up = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up:
            state = self.state(run)
            if state[0] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                return state
            time.sleep(0.02)
        raise AssertionError(f"run {run} did not end: {self.ask('GET', 'runs/get', run_id=run)['tasks']}")

    def workers(self) -> list[int]:
        """Worker processes of this engine that live."""
        mark = f"{self.folder}/workers/".encode()
        found = []
        for name in os.listdir("/proc"):
            try:
                line = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
            except OSError:
                continue
            if mark in line:
                found.append(int(name))
        return found

    def tasks_alive(self) -> list[int]:
        """Processes of this engine's tasks that live."""
        mark = f"LEDGER={self.ledger}".encode()
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and mark in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                    found.append(int(name))
            except OSError:
                continue
        return found

    def task(self, key: str, *after: str, seconds: float = 0.02, code: int = 0, **more: Any) -> dict[str, Any]:
        """A task that says in the ledger what it does."""
        command = ledger.TASK.format(seconds=seconds, code=code)
        return {
            "task_key": key,
            "depends_on": [{"task_key": parent} for parent in after],
            "shell_task": {"command": f"LEDGER={self.ledger}; export LEDGER; {command}"},
            **more,
        }

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
        self.client.stop()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def _random_dag(place: Place, chance: random.Random, size: int) -> list[dict[str, Any]]:
    tasks = []
    for number in range(size):
        after = chance.sample(range(number), min(number, chance.randint(0, 3)))
        more: dict[str, Any] = {"max_retries": 1} if chance.random() < 0.3 else {}
        code = 1 if chance.random() < 0.03 else 0
        # Some outlive the take-over and have to be adopted; the others end before or while it happens.
        seconds = chance.uniform(0.5, 1.0) if chance.random() < 0.2 else chance.uniform(0.01, 0.12)
        key, parents = f"t{number}", [f"t{parent}" for parent in after]
        tasks.append(place.task(key, *parents, seconds=seconds, code=code, run_if="ALL_DONE", **more))
    return tasks


def _kill_schedulers(place: Place, kills: int, size: int, seed: int, rivals: int = 1) -> None:
    chance = random.Random(seed)
    run = place.submit(_random_dag(place, chance, size))
    live = [place.scheduler() for _ in range(rivals)]
    done = 0
    while done < kills:
        time.sleep(chance.uniform(0.0, 0.5))
        if place.state(run)[0] in ("TERMINATED", "INTERNAL_ERROR"):
            run = place.submit(_random_dag(place, chance, size))
        victim = chance.randrange(rivals)
        live[victim].kill()
        live[victim].wait()
        done += 1
        live[victim] = place.scheduler()
    place.settle(run)
    entries = ledger.read(place.ledger)
    counts = ledger.judge(place.database, entries)
    assert counts["lost"] == 0, f"seed {seed}: only schedulers were killed, and {counts}"
    ledger.assert_no_overlap(entries)


def test_killed_schedulers_lose_nothing_and_repeat_nothing(place: Place) -> None:
    _kill_schedulers(place, 10, 30, seed=1)


def test_two_schedulers_take_over_from_each_other(place: Place) -> None:
    _kill_schedulers(place, 6, 30, seed=2, rivals=2)


@pytest.mark.soak
def test_many_killed_schedulers(place: Place) -> None:
    _kill_schedulers(place, 500 * SOAK, 50, seed=3)


@pytest.mark.soak
def test_many_killed_rivals(place: Place) -> None:
    _kill_schedulers(place, 300 * SOAK, 50, seed=4, rivals=2)


# Steps of a scheduler over a run of three tasks, start included; the last numbers are never reached.
@pytest.mark.parametrize("step", range(1, 16))
def test_a_scheduler_killed_at_each_step(place: Place, step: int) -> None:
    run = place.submit([place.task("a"), place.task("b", "a"), place.task("c", "b")])
    place.scheduler(step)
    time.sleep(0.2)
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "SUCCESS")
    entries = ledger.read(place.ledger)
    counts = ledger.judge(place.database, entries)
    assert [entry.task for entry in entries] == ["a", "a", "b", "b", "c", "c"]
    assert counts["lost"] == 0


# Steps of a worker: claim, spawn, started, end, recorded, of each of two tasks.
@pytest.mark.parametrize("step", range(1, 12))
def test_a_worker_killed_at_each_step(place: Place, step: int) -> None:
    """Whatever the step: never a success without an end in the ledger, and the retry runs to its end."""
    tasks = [place.task("a", seconds=0.1, on_lost="retry"), place.task("b", "a", seconds=0.1, on_lost="retry")]
    run = place.submit(tasks)
    first = place.scheduler(worker_step=step)
    # Each of its workers dies at that step. One death is what is wanted: four lost attempts are the limit of retries.
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline and not ledger.rows(place.database, "SELECT 1 FROM attempts WHERE lost = 1"):
        time.sleep(0.005)
    first.kill()
    first.wait()
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "SUCCESS")
    entries = ledger.read(place.ledger)
    ledger.judge(place.database, entries)
    ledger.assert_no_overlap(entries)


def _kill_workers(place: Place, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    tasks = [place.task(f"t{n}", *([f"t{n - 4}"] if n > 3 else []), seconds=0.1, run_if="ALL_DONE") for n in range(40)]
    for task in tasks[::2]:
        task["on_lost"] = "retry"
    place.scheduler()
    run = place.submit(tasks)
    done = 0
    while done < kills:
        time.sleep(chance.uniform(0.05, 0.3))
        if place.state(run)[0] in ("TERMINATED", "INTERNAL_ERROR"):
            run = place.submit(tasks)
        for pid in place.workers():
            os.kill(pid, signal.SIGKILL)
            done += 1
    place.settle(run)
    assert place.tasks_alive() == []
    entries = ledger.read(place.ledger)
    ledger.judge(place.database, entries)
    ledger.assert_no_overlap(entries)
    for row in ledger.rows(place.database, "SELECT * FROM attempts WHERE lost = 1"):
        again = ledger.rows(
            place.database,
            f"SELECT * FROM attempts WHERE first_id = {row['first_id']} AND number = {row['number'] + 1}",
        )
        retried = int(row["task_key"][1:]) % 2 == 0
        assert bool(again) == (retried and _lost_before(place, row) < 3), row


def _lost_before(place: Place, row: dict[str, Any]) -> int:
    sql = f"SELECT * FROM attempts WHERE first_id = {row['first_id']} AND number < {row['number']} AND lost = 1"
    return len(ledger.rows(place.database, sql))


def test_killed_workers_leave_lost_attempts_and_no_process(place: Place) -> None:
    _kill_workers(place, 6, seed=5)


@pytest.mark.soak
def test_many_killed_workers(place: Place) -> None:
    _kill_workers(place, 200 * SOAK, seed=6)


def test_a_cancel_outlives_the_scheduler_that_did_not_see_it(place: Place) -> None:
    run = place.submit([place.task("a", seconds=60), place.task("b", "a")])
    first = place.scheduler()
    while not ledger.read(place.ledger):
        time.sleep(0.02)
    first.kill()
    first.wait()
    place.ask("POST", "runs/cancel", run_id=run)
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "CANCELED")
    assert place.tasks_alive() == []


def test_a_task_that_runs_through_a_take_over_is_adopted(place: Place) -> None:
    run = place.submit([place.task("a", seconds=3.0), place.task("b", "a")])
    first = place.scheduler()
    while not ledger.read(place.ledger):
        time.sleep(0.02)
    first.kill()
    first.wait()
    place.scheduler()
    while ledger.rows(place.database, "SELECT epoch FROM engine") != [{"epoch": 2}]:
        time.sleep(0.01)
    assert len(ledger.read(place.ledger)) == 1, "the task still runs when the second scheduler takes over"
    assert place.settle(run) == ("TERMINATED", "SUCCESS")
    assert [entry.task for entry in ledger.read(place.ledger)] == ["a", "a", "b", "b"]
    assert ledger.judge(place.database, ledger.read(place.ledger))["lost"] == 0


def test_a_task_that_ended_while_nobody_listened_is_not_run_again(place: Place) -> None:
    run = place.submit([place.task("a", seconds=0.4), place.task("b", "a")])
    first = place.scheduler()
    while not ledger.read(place.ledger):
        time.sleep(0.02)
    first.kill()
    first.wait()
    while len(ledger.read(place.ledger)) < 2:
        time.sleep(0.02)
    assert place.state(run)[0] == "RUNNING"
    place.scheduler()
    assert place.settle(run) == ("TERMINATED", "SUCCESS")
    assert [entry.task for entry in ledger.read(place.ledger)] == ["a", "a", "b", "b"]
    ledger.judge(place.database, ledger.read(place.ledger))
