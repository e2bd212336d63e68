"""A scheduler without processes: an executor that does what a test says, a launcher that starts nothing.

The database is real, the clock stands still until it is moved.
"""

import json
import selectors
import threading
from pathlib import Path
from typing import Any

from bundlectl.base.clock import FrozenClock
from bundlectl.engine import jobs, repairs, runs
from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.database import Database
from bundlectl.engine.dispatch import Collected, Condition, Prepared
from bundlectl.engine.executors.base import Ends, Event, Launch
from bundlectl.engine.files import log_path
from bundlectl.engine.nesting import ChildWish
from bundlectl.engine.scheduler import Scheduler
from bundlectl.engine.tasks.base import LaunchSpec, SetupFailed


class ScriptedExecutor:
    """Takes launches and stops, and starts nothing."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.folder = folder
        self.slots = slots
        self.taken = 0
        self.offset = 0
        self.opening: list[Event] = []
        self.launched: dict[str, Launch] = {}  # by launch name, not ended yet
        self.started: list[Launch] = []  # all of them
        self.stopped: list[tuple[str, str]] = []

    def open(self, selector: selectors.BaseSelector, epoch: int) -> list[Event]:
        (self.folder / "workers" / "w1").mkdir(exist_ok=True)
        return self.opening

    def assign(self) -> str | None:
        if self.taken >= self.slots:
            return None
        self.taken += 1
        return "w1"

    def release(self, worker: str) -> None:
        self.taken -= 1

    def start(self, launches: list[Launch]) -> None:
        self.started += launches
        self.launched |= {launch.name: launch for launch in launches}

    def stop(self, name: str, worker: str, cause: str) -> None:
        self.stopped.append((name, cause))

    def read(self, source: object) -> list[Event]:
        return []

    def tick(self) -> list[Event]:
        return []

    def close(self) -> None:
        return


class ScriptedLauncher:
    """Prepares nothing. Tests say what fails, what conditions come to, and what attempts leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failures: dict[str, SetupFailed] = {}
        self.outcomes: dict[str, str] = {}
        self.left: dict[str, Collected] = {}  # by launch name
        self.values: dict[str, str] = {}  # inputs of for_each tasks, where they are not those of the settings
        self.slow: set[str] = set()
        self.gate = threading.Event()  # slow tasks are prepared once it is set
        self.parameters_failure: SetupFailed | None = None

    def parameters(self, run: ActiveRun) -> dict[str, str]:
        if self.parameters_failure is not None:
            raise self.parameters_failure
        return dict(run.overrides)

    def condition(self, run: ActiveRun, task: Task) -> Condition:
        if task.key in self.failures:
            raise self.failures[task.key]
        return Condition(self.outcomes[task.key], json.dumps({"condition_task": {"left": "1", "right": "2"}}))

    def inputs(self, run: ActiveRun, task: Task) -> list[Any]:
        if task.key in self.failures:
            raise self.failures[task.key]
        found: list[Any] = json.loads(self.values.get(task.key) or task.document["for_each_task"]["inputs"])
        return found

    def child(self, run: ActiveRun, task: Task) -> ChildWish:
        body = task.document["run_job_task"]
        return ChildWish(body["job_id"], body.get("job_parameters") or {}, {}, None)

    def is_slow(self, run: ActiveRun, task: Task) -> bool:
        return task.key in self.slow

    def prepare(self, run: ActiveRun, task: Task, name: str) -> Prepared:
        if task.key in self.slow:
            self.gate.wait(10)
        if task.key in self.failures:
            raise self.failures[task.key]
        return Prepared(LaunchSpec(("true",), {}, "/"), None, name)

    def may_prepare_ahead(self, run: ActiveRun, task: Task) -> bool:
        return False

    def still_holds(self, run: ActiveRun, task: Task, prepared: Prepared) -> bool:
        return True

    def collect(self, run_id: int, name: str) -> Collected:
        return self.left.get(name, Collected({}, None, (), None))

    def make_room(self, run_id: int) -> None:
        (self.folder / "logs" / str(run_id)).mkdir(exist_ok=True)

    def log_path(self, run_id: int, attempt_id: int, launch: int) -> str:
        return log_path(self.folder, run_id, attempt_id, launch)


class Bench:
    """One engine on the bench. `again()` is a scheduler that takes over from one that died."""

    def __init__(self, folder: Path, slots: int = 8) -> None:
        self.clock = FrozenClock()
        self.folder = folder / "engine"
        self.database = Database(self.folder / "engine.db", self.clock)
        self.launcher = ScriptedLauncher(self.folder)
        self.slots = slots
        self.executor = ScriptedExecutor(self.folder, slots)
        self._schedulers: list[Scheduler] = []
        self.again()

    def again(self, *events: Event) -> None:
        offset = self.executor.offset  # the worker and its record stay
        self.executor = ScriptedExecutor(self.folder, self.slots)
        self.executor.offset = offset
        self.executor.opening = list(events)
        self.scheduler = Scheduler(self.database, self.executor, self.launcher, self.clock)
        self._schedulers.append(self.scheduler)
        self.scheduler.begin()

    def close(self) -> None:
        for scheduler in self._schedulers:
            scheduler.end()
        self.database.close()

    def job(self, tasks: list[dict[str, Any]], **settings: Any) -> int:
        with self.database.write() as connection:
            return jobs.create(connection, {"name": "etl", "tasks": tasks, **settings}, None, 1, "ann")

    def request(self, job: int, **wish: Any) -> int:
        """Leaves a request for a run, and lets the scheduler see it."""
        with self.database.write() as connection:
            found = jobs.get(connection, job)
            assert found is not None
            id = runs.request(
                *(connection, found, runs.Request(**{"parameters": {}, **wish}), self.clock.now_ms(), "ann"),
                queue_by_default=True,
            )
        self.look()
        return id

    def submit(self, tasks: list[dict[str, Any]], **settings: Any) -> int:
        return self.request(self.job(tasks, **settings))

    def cancel(self, id: int) -> bool:
        with self.database.write() as connection:
            found = runs.cancel(connection, id, self.clock.now_ms())
        self.look()
        return found

    def repair(self, run: int, **wish: Any) -> int:
        with self.database.write() as connection:
            found = repairs.request(
                *(connection, run, repairs.Wish(**wish), self.clock.now_ms()), queue_by_default=True
            )
        assert found is not None
        self.look()
        return found

    def look(self) -> None:
        """What a wake-up comes to: the requests are read, as often as something follows from them."""
        self.scheduler.notify()
        self.scheduler.once()
        self.step()

    def step(self, *events: Event) -> None:
        self.scheduler.step(list(events))
        while self.scheduler.patience == 0.0:
            self.scheduler.step([])

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.step()

    def running(self) -> list[str]:
        """Keys of the tasks that a worker has, in the order of their start."""
        keys = {row["id"]: row["task_key"] for row in self.rows("SELECT id, task_key FROM attempts")}
        return [keys[int(name.partition("-")[0])] for name in self.executor.launched]

    def end(self, key: str, code: int | None = 0, *, index: int | None = None, **more: Any) -> None:
        """The process of a task ends; with `index`, that of an iteration."""
        sql = "SELECT * FROM attempts WHERE task_key = ? AND ended = 0 AND worker IS NOT NULL"
        found = self.rows(f"{sql} AND (? IS NULL OR iteration = ?)", key, index, index)
        if len(found) > 1:  # rows of workers that died are still there while nobody settled them
            found = [row for row in found if f"{row['id']}-{row['launch']}" in self.executor.launched]
        row = found[0]
        self.end_launch(f"{row['id']}-{row['launch']}", code, **more)

    def end_launch(self, name: str, code: int | None = 0, **more: Any) -> None:
        """The process of a launch ends."""
        self.executor.launched.pop(name, None)
        self.executor.taken -= 1
        self.executor.offset += 100
        now = self.clock.now_ms()
        end = {"k": "end", "a": name, "code": code, "signal": None, "cause": None, "started_ms": now, "ended_ms": now}
        self.step(Ends("w1", self.executor.offset, [{**end, **more}]))

    def rows(self, sql: str, *values: Any) -> list[Any]:
        with self.database.read() as connection:
            return connection.execute(sql, values).fetchall()

    def run(self, id: int) -> tuple[str, str | None, str | None]:
        """State, result and code of a run."""
        (row,) = self.rows("SELECT state, result, code FROM runs WHERE id = ?", id)
        return tuple(row)

    def tasks(self, id: int) -> dict[str, str | None]:
        """Result of each task, or its state while it has none, at its last attempt."""
        sql = "SELECT task_key, state, result FROM attempts WHERE run_id = ? AND parent IS NULL ORDER BY number"
        return {row["task_key"]: row["result"] or row["state"] for row in self.rows(sql, id)}

    def iterations(self, id: int) -> list[str]:
        """The same of each iteration, by index."""
        sql = "SELECT iteration, state, result FROM attempts WHERE run_id = ? AND parent IS NOT NULL ORDER BY number"
        found = {row["iteration"]: row["result"] or row["state"] for row in self.rows(sql, id)}
        return [found[index] for index in sorted(found)]

    def task_row(self, run: int, key: str) -> Any:
        """The row of the latest attempt of a task."""
        sql = "SELECT * FROM attempts WHERE run_id = ? AND task_key = ? AND parent IS NULL ORDER BY number DESC LIMIT 1"
        return self.rows(sql, run, key)[0]


def loop(key: str, inputs: str, *after: str, nested: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A for_each task over tasks with the key `i`."""
    body = {"inputs": inputs, "task": {"task_key": "i", "shell_task": {"command": ["true"]}, **(nested or {})}}
    concurrency = {"concurrency": more.pop("concurrency")} if "concurrency" in more else {}
    return task(key, *after, for_each_task={**body, **concurrency}, **more)


def task(key: str, *after: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """A task that depends on others: keys, or whole `depends_on` entries."""
    edges = [{"task_key": parent} if isinstance(parent, str) else parent for parent in after]
    kind = {} if any(name.endswith("_task") for name in more) else {"shell_task": {"command": ["true"]}}
    return {"task_key": key, "depends_on": edges, **kind, **more}
