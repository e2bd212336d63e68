"""Runs the benchmarks, prints a table with the project's bars as pass or FAIL, and keeps the figures.

    python -m benchmarks [--sizes 1,100,1000,10000] [--only startup,load,plan,engine,task] [--no-terraform] [--strict]

Called by `make bench`. Results go to benchmarks/results/: latest.json, latest.md. It is no test: a bar that is
missed on a busy machine is a line to look at; with --strict it is exit code 1.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from benchmarks import load_bench, plan_bench, startup_bench
from benchmarks.measure import ROOT, BenchmarkFailed, compile_package

RESULTS = ROOT / "benchmarks" / "results"
PARTS = ("startup", "load", "plan", "engine", "task")
_MIB = "MiB"


class Bar(NamedTuple):
    """A figure that was promised: `value` must be below `limit`, or above it when `at_least`."""

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def passed(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "pass" if self.passed else "FAIL"
        return (
            f"{verdict}  {self.name}: {_number(self.value)} {self.unit} (bar: {sign} {_number(self.limit)} {self.unit})"
        )


def measure(parts: list[str], sizes: tuple[int, ...], terraform: bool) -> dict[str, Any]:
    """All figures that were asked for."""
    compile_package()
    figures: dict[str, Any] = {"machine": _machine()}
    with tempfile.TemporaryDirectory(prefix="bundlectl-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if "startup" in parts:
            _say("start-up")
            (folder / "startup" / "run").mkdir(parents=True)
            figures["startup"] = startup_bench.measure(folder / "startup" / "run")
        if "load" in parts:
            (folder / "load").mkdir()
            figures["load"] = load_bench.measure(folder / "load", _say)
        if "plan" in parts:
            figures["plan"] = []
            for size in sizes:
                place = folder / f"plan-{size}"
                figures["plan"].append(plan_bench.measure(place, size, _say, terraform=terraform))
                shutil.rmtree(place, ignore_errors=True)
        if "engine" in parts:
            _say("engine")
            (folder / "engine").mkdir()
            figures["engine"] = _engine_bench().measure(folder / "engine")
        if "task" in parts:
            _say("task")
            (folder / "task").mkdir()
            figures["task"] = _task_bench().measure(folder / "task")
    return figures


def bars(figures: dict[str, Any]) -> Iterator[Bar]:
    """The promises that the figures can be held against."""
    for name, limit in startup_bench.BARS.items():
        if "startup" in figures:
            yield Bar(f"bundlectl {name}, CPU", figures["startup"][name]["cpu_s"]["median"] * 1000, limit * 1000, "ms")
    if "load" in figures:
        yield from _load_bars(figures["load"])
    for plan in figures.get("plan", []):
        yield from _plan_bars(plan)
    if "engine" in figures:
        for name, value, limit in _engine_bench().bars(figures["engine"]):
            yield Bar(name, value, limit, "times")
    if "task" in figures:
        for name, value, limit in _task_bench().bars(figures["task"]):
            yield Bar(name, value, limit, "times")


def _load_bars(load: dict[str, Any]) -> Iterator[Bar]:
    for name, (jobs, seconds, mib) in load_bench.BARS.items():
        yield Bar(f"read {jobs} jobs, {name}, cold, wall", load[name]["wall_s"]["median"] * 1000, seconds * 1000, "ms")
        if mib is not None:
            yield Bar(f"read {jobs} jobs, {name}, cold, memory", load[name]["peak_mib"]["max"], mib, _MIB)
    yield Bar("read twice as many variables, CPU", load["variables"]["growth"], load_bench.LINEAR, "times")


def _plan_bars(plan: dict[str, Any]) -> Iterator[Bar]:
    jobs = plan["jobs"]
    limits = {
        ("unchanged", 1_000): 300,
        ("unchanged", 10_000): 600,
        ("one_changed", 10_000): 1_000,
        ("cold", 1_000): 2_000,
    }
    for (case, size), limit in limits.items():
        if size == jobs:
            name = f"plan, {jobs} jobs, {case.replace('_', ' ')}, wall"
            yield Bar(name, plan[case]["wall_s"]["median"] * 1000, limit, "ms")
    if jobs in (1_000, 10_000):
        yield Bar(f"plan, {jobs} jobs, unchanged, memory", plan["unchanged"]["peak_mib"]["max"], 150, _MIB)
    if jobs == 1_000 and "terraform" in plan:
        yield Bar(
            "plan, 1000 jobs, unchanged, faster than terraform", plan["terraform"]["wall_ratio"], 50, "times", True
        )


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown tables."""
    lines: list[str] = []
    if "startup" in figures:
        lines += [
            "",
            "| start-up | runs | CPU ms | wall ms | MiB | CPU, times the interpreter |",
            "|---|---|---|---|---|---|",
        ]
        for name, row in figures["startup"].items():
            ratio = row["cpu_ratio_to_interpreter"]
            lines.append(f"| {name} | {row['runs']} | {_spread(row, 'cpu_s')} | {_spread(row, 'wall_s')} | "
                         f"{row['peak_mib']['median']:.0f} | {ratio} |")  # fmt: skip
    if "load" in figures:
        lines += ["", "| read, empty cache | runs | wall ms | CPU ms | MiB | wall, times PyYAML alone |"]
        lines += ["|---|---|---|---|---|---|", *_load_rows(figures["load"])]
    if "plan" in figures:
        lines += ["", "| plan | jobs | runs | wall ms | CPU ms | MiB |", "|---|---|---|---|---|---|"]
        for plan in figures["plan"]:
            lines += _plan_rows(plan)
    if "engine" in figures:
        lines += ["", *_engine_bench().table(figures["engine"])]
    if "task" in figures:
        lines += ["", *_task_bench().table(figures["task"])]
    return "\n".join(lines)


def _load_rows(load: dict[str, Any]) -> Iterator[str]:
    rows = {f"{jobs} jobs, {name}": load[name] for name, (jobs, _, _) in load_bench.BARS.items()}
    rows |= {f"{count} variables": load["variables"][count] for count in ("1000", "2000")}
    for name, row in rows.items():
        yield (f"| {name} | {row['runs']} | {_spread(row, 'wall_s')} | {_spread(row, 'cpu_s')} | "
               f"{row['peak_mib']['median']:.0f} | {row.get('times_reference', '')} |")  # fmt: skip


def _plan_rows(plan: dict[str, Any]) -> Iterator[str]:
    rows = {"nothing changed": plan["unchanged"], "one job changed": plan["one_changed"], "cold": plan["cold"]}
    rows["first deploy"] = plan["deploy"]
    if "terraform" in plan:
        rows["terraform plan, nothing changed"] = plan["terraform"]["unchanged"]
    for name, row in rows.items():
        yield (f"| {name} | {plan['jobs']} | {row['runs']} | {_spread(row, 'wall_s')} | {_spread(row, 'cpu_s')} | "
               f"{row['peak_mib']['median']:.0f} |")  # fmt: skip
    if "terraform" in plan:
        yield f"| terraform / bundlectl, pair by pair | {plan['jobs']} | 3 | {plan['terraform']['wall_ratio']} times | | {plan['terraform']['memory_ratio']} times |"  # noqa: E501


def _spread(row: dict[str, Any], field: str) -> str:
    """Seconds as `median (min-max)` in milliseconds."""
    taken = row[field]
    if row["runs"] == 1:
        return _number(taken["median"] * 1000)
    return f"{_number(taken['median'] * 1000)} ({_number(taken['min'] * 1000)}-{_number(taken['max'] * 1000)})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _engine_bench() -> ModuleType:
    """Loaded late: it brings the engine along, and a child never shows less memory than its parent had."""
    from benchmarks import engine_bench

    return engine_bench


def _task_bench() -> ModuleType:
    """Loaded late, as engine_bench is."""
    from benchmarks import task_bench

    return task_bench


def _machine() -> dict[str, Any]:
    """What a reader must know to compare figures; nothing that names the machine."""
    versions = {}
    for tool in ("git", "terraform"):
        if shutil.which(tool) is not None:
            asked = subprocess.run([tool, "version"], capture_output=True, text=True, check=False)
            versions[tool] = asked.stdout.split("\n")[0].strip()
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        **versions,
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, plan_bench.SIZES)), help="numbers of jobs")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run")
    parser.add_argument("--no-terraform", action="store_true", help="leave the comparison out")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a bar is missed")
    arguments = parser.parse_args()
    try:
        parts = arguments.only.split(",")
        if set(parts) - set(PARTS):
            raise BenchmarkFailed(f"--only takes {', '.join(PARTS)}")
        figures = measure(parts, plan_bench.sizes_of(arguments.sizes), not arguments.no_terraform)
    except BenchmarkFailed as error:
        _say(str(error))
        return 1
    held = list(bars(figures))
    text = "\n".join([*(f"- {name}: {value}" for name, value in figures["machine"].items()), table(figures), ""])
    verdicts = "\n".join(bar.line() for bar in held)
    print(f"{text}\n{verdicts}" if verdicts else text)
    figures["bars"] = [{**bar._asdict(), "passed": bar.passed} for bar in held]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "latest.md").write_text(f"{text}\n```\n{verdicts}\n```\n", encoding="utf-8")
    return 1 if arguments.strict and not all(bar.passed for bar in held) else 0


if __name__ == "__main__":
    sys.exit(main())
