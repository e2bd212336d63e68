"""What a trivial Python task costs beside a bare interpreter: `python -c pass`, a file, a notebook, a wheel's function.

    python -m benchmarks.task_bench

Each is started with the argument vector and the environment that `attempt.prepare` makes. Every round starts each kind
once, from another one on, and ratios are taken round by round, so that a busy second favours none. The
bare interpreter is there twice; how far the second is from 1 is what the figures cannot tell apart. Memory is not
shown: the peak of a short process is that of its parent before exec. Scheduler and worker are engine_bench's.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Sample, compile_package, run_once
from bundlectl.engine.attempt import prepare
from bundlectl.engine.tasks.base import LaunchSpec, TaskContext

RUNS: Final = 40
FILE_LIMIT: Final = 1.5  # times the bare interpreter: the promise for a trivial Python file
_BARE: Final = "python -c pass"
_CONTROL: Final = "python -c pass, again"
_TASKS: Final[Mapping[str, dict[str, Any]]] = {
    "file": {"spark_python_task": {"python_file": "main.py"}},
    "notebook": {"notebook_task": {"notebook_path": "book"}},
    "operator": {"python_operator_task": {"main": "main.run"}},
    "shell": {"shell_task": {"command": ["true"]}},
}


def measure(folder: Path, runs: int = RUNS) -> dict[str, Any]:
    """Figures by kind of task, with the ratio of medians to the bare interpreter. `folder` is an empty folder."""
    code = folder / "code"
    code.mkdir()
    (code / "main.py").write_text("def run():\n    pass\n", encoding="utf-8")
    (code / "book.py").write_text("# Databricks notebook source\npass\n", encoding="utf-8")
    specs = {name: _spec(folder, name, task) for name, task in _TASKS.items()}
    file = specs["file"]
    specs[_BARE] = specs[_CONTROL] = file._replace(argv=(sys.executable, "-c", "pass"))
    names = list(specs)
    samples: dict[str, list[Sample]] = {name: [] for name in specs}
    for number in range(runs + 1):
        at = number % len(names)
        for name in (*names[at:], *names[:at]):
            spec = specs[name]
            sample = run_once(spec.argv, folder=Path(spec.folder), environment=spec.environment)
            if number:  # the first round warms up
                samples[name].append(sample)
    return {name: _row(taken, samples[_BARE]) for name, taken in samples.items()}


def _row(taken: list[Sample], bare: list[Sample]) -> dict[str, Any]:
    row: dict[str, Any] = {"runs": len(taken)}
    for field in ("wall_s", "cpu_s"):
        own = [getattr(sample, field) for sample in taken]
        pairs = zip(own, (getattr(sample, field) for sample in bare), strict=True)
        row[field] = {"median": round(statistics.median(own), 5), "min": round(min(own), 5), "max": round(max(own), 5)}
        row[f"{field.removesuffix('_s')}_ratio"] = round(statistics.median(a / b for a, b in pairs), 2)
    return row


def _spec(folder: Path, name: str, task: dict[str, Any]) -> LaunchSpec:
    return prepare(
        TaskContext(
            job_id="1",
            run_id="2",
            task_run_id="3",
            task_key=name,
            attempt=0,
            settings={},
            task=task,
            parameters={},
            snapshot_dir=folder / "code",
            run_dir=folder / "runs" / name,
            engine_dir=folder / "engine",
            interpreter=sys.executable,
        )
    )


def bars(figures: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Name, value, limit of what was promised."""
    return [("trivial Python file, times python -c pass, wall", figures["file"]["wall_ratio"], FILE_LIMIT)]


def table(figures: dict[str, Any]) -> list[str]:
    """The figures as a Markdown table."""
    lines = ["| task | runs | wall ms | CPU ms | wall, times bare | CPU, times bare |", "|---|---|---|---|---|---|"]
    for name, row in figures.items():
        wall, cpu = (row[field]["median"] * 1000 for field in ("wall_s", "cpu_s"))
        lines.append(f"| {name} | {row['runs']} | {wall:.1f} | {cpu:.1f} | {row['wall_ratio']} | {row['cpu_ratio']} |")
    return lines


def main() -> int:
    """Measures, prints table and figures; 1 when the promise is missed."""
    compile_package()
    with tempfile.TemporaryDirectory(prefix="bundlectl-bench-") as name:
        figures = measure(Path(name))
    held = bars(figures)
    lines = [f"{'pass' if value <= limit else 'FAIL'}  {what}: {value} (<= {limit})" for what, value, limit in held]
    print("\n".join([*table(figures), "", *lines, json.dumps(figures)]))
    return 0 if all(value <= limit for _, value, limit in held) else 1


if __name__ == "__main__":
    sys.exit(main())
