"""What a task costs on the embedded engine, beside two loops that start the same processes.

    python -m benchmarks.engine_bench [--rounds N] [--json FILE]

A chain of 100 and a fan-out 1-200-1 of `true`, each round in turn: a bare asyncio loop that writes nothing, the same
loop with two durable SQLite commits a task, the engine with every state change durable. Start-up is not counted. The
ratios are the figures: they carry over to other machines, times do not. Called by report, and by itself.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine

CHAIN, FAN = 100, 200
ROUNDS = 9
# The most that the engine may take, in times of the durable loop.
BARS = {"chain": 1.6, "fan-out": 1.8}
_COMMAND = "true"
_STEP_S = 0.05

Dag = dict[str, list[str]]  # task -> tasks it depends on


def dags() -> dict[str, Dag]:
    """The two shapes."""
    chain: Dag = {f"t{number}": [f"t{number - 1}"] if number else [] for number in range(CHAIN)}
    middle = [f"t{number}" for number in range(FAN)]
    fan: Dag = {"first": [], **{key: ["first"] for key in middle}, "last": middle}
    return {"chain": chain, "fan-out": fan}


class _Commits:
    """Two durable commits a task, as the references make them: WAL, FULL, one row each."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, state TEXT, at REAL)")

    def begin(self, number: int) -> None:
        self._connection.execute("INSERT INTO tasks VALUES (?, 'running', ?)", (number, time.time()))

    def end(self, number: int) -> None:
        self._connection.execute("UPDATE tasks SET state = 'done', at = ? WHERE id = ?", (time.time(), number))

    def close(self) -> None:
        self._connection.close()


async def _loop(dag: Dag, commits: _Commits | None) -> float:
    """Runs a DAG: each task starts when what it depends on has ended. Seconds."""
    began = time.perf_counter()
    left = {key: len(above) for key, above in dag.items()}
    below: dict[str, list[str]] = {key: [] for key in dag}
    for key, above in dag.items():
        for parent in above:
            below[parent].append(key)
    numbers = {key: number for number, key in enumerate(dag)}
    async with asyncio.TaskGroup() as group:

        async def work(key: str) -> None:
            if commits is not None:
                commits.begin(numbers[key])
            child = await asyncio.create_subprocess_exec(
                _COMMAND, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
            )
            if await child.wait():
                raise RuntimeError(f"{_COMMAND} failed")
            if commits is not None:
                commits.end(numbers[key])
            for child_key in below[key]:
                left[child_key] -= 1
                if not left[child_key]:
                    group.create_task(work(child_key))

        for key, open_above in left.items():
            if not open_above:
                group.create_task(work(key))
    return time.perf_counter() - began


def bare(dag: Dag, folder: Path) -> float:
    """The loop that writes nothing."""
    return asyncio.run(_loop(dag, None))


def durable(dag: Dag, folder: Path) -> float:
    """The loop with two durable commits a task."""
    path = folder / f"durable-{time.monotonic_ns()}.db"
    commits = _Commits(path)
    try:
        return asyncio.run(_loop(dag, commits))
    finally:
        commits.close()


class EngineRuns:
    """A started engine with one job for each DAG."""

    def __init__(self, folder: Path) -> None:
        self._engine = Engine(folder, SystemClock(), environment=dict(os.environ))
        self._engine.start()
        self._jobs: dict[int, int] = {}

    def run(self, dag: Dag, folder: Path) -> float:
        """Seconds from the request to the recorded end of the run."""
        job = self._jobs.get(id(dag)) or self._create(dag)
        run = self._ask("POST", "run-now", document={"job_id": job})["run_id"]
        while not self._engine.idle:
            time.sleep(_STEP_S)  # looked at as seldom as `bundlectl run` does: looking takes time from the engine
        document = self._ask("GET", "runs/get", query={"run_id": str(run)})
        if document["state"].get("result_state") != "SUCCESS":
            raise RuntimeError(f"the run ended as {document['state']}")
        return float(document["end_time"] - document["bundlectl"]["queued_time"]) / 1000

    def _create(self, dag: Dag) -> int:
        tasks = [
            {
                "task_key": key,
                "shell_task": {"command": [_COMMAND]},
                "depends_on": [{"task_key": parent} for parent in above],
            }
            for key, above in dag.items()
        ]
        job: int = self._ask("POST", "create", document={"name": "benchmark", "tasks": tasks})["job_id"]
        self._jobs[id(dag)] = job
        return job

    def _ask(self, method: str, call: str, *, query: dict[str, str] | None = None, document: Any = None) -> Any:
        status, answer = self._engine.handle(method, f"/api/2.2/jobs/{call}", query or {}, document)
        if status != 200:
            raise RuntimeError(f"{call} answered {status}: {answer}")
        return answer

    def close(self) -> None:
        self._engine.stop()


def measure(folder: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """Figures by shape and contender; `folder` is an empty folder on the disk that is to be measured."""
    engine = EngineRuns(folder / "engine")
    contenders: dict[str, Callable[[Dag, Path], float]] = {"bare": bare, "durable": durable, "engine": engine.run}
    figures: dict[str, Any] = {"rounds": rounds}
    try:
        for shape, dag in dags().items():
            taken: dict[str, list[float]] = {name: [] for name in contenders}
            for number in range(rounds + 1):
                for name, contender in contenders.items():
                    seconds = contender(dag, folder)
                    if number:  # the first round warms up
                        taken[name].append(seconds)
            figures[shape] = _figures(taken, len(dag))
    finally:
        engine.close()
    return figures


def _figures(taken: dict[str, list[float]], tasks: int) -> dict[str, Any]:
    ratios = {
        f"to_{other}": round(
            statistics.median(mine / theirs for mine, theirs in zip(taken["engine"], taken[other], strict=True)), 3
        )
        for other in ("bare", "durable")
    }
    times = {
        name: {
            "median_s": round(statistics.median(seconds), 4),
            "min_s": round(min(seconds), 4),
            "max_s": round(max(seconds), 4),
            "ms_per_task": round(statistics.median(seconds) * 1000 / tasks, 3),
        }
        for name, seconds in taken.items()
    }
    return {"tasks": tasks, **times, "ratio": ratios}


def bars(figures: dict[str, Any]) -> list[tuple[str, float, float]]:
    """(name, value, limit) of what was promised."""
    return [
        (f"engine, {shape}, to the durable loop", figures[shape]["ratio"]["to_durable"], limit)
        for shape, limit in BARS.items()
    ]


def table(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of a Markdown table."""
    lines = ["| engine | tasks | contender | ms per task | s (min-max) | engine to it, pair by pair |"]
    lines.append("|---|---|---|---|---|---|")
    for shape in BARS:
        row = figures[shape]
        for name in ("bare", "durable", "engine"):
            times = row[name]
            ratio = "" if name == "engine" else f"{row['ratio'][f'to_{name}']:.2f} times"
            lines.append(
                f"| {shape} | {row['tasks']} | {name} | {times['ms_per_task']:.2f} | "
                f"{times['median_s']:.3f} ({times['min_s']:.3f}-{times['max_s']:.3f}) | {ratio} |"
            )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measured rounds")
    parser.add_argument("--json", type=Path, help="where the figures go as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bundlectl-bench-", ignore_cleanup_errors=True) as name:
        figures = measure(Path(name), arguments.rounds)
    print("\n".join(table(figures)))
    for name, value, limit in bars(figures):
        print(f"{'pass' if value <= limit else 'FAIL'}  {name}: {value:.2f} (bar: {limit})")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    else:
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
