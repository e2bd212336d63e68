"""Bars are held against the right figures, and a missed one says FAIL."""

from typing import Any

import pytest

from benchmarks.measure import Figures, Sample
from benchmarks.plan_bench import sizes_of
from benchmarks.report import Bar, bars, table


def _row(wall_s: float, peak_mib: float = 50.0) -> dict[str, Any]:
    return Figures((Sample(wall_s, wall_s / 2, peak_mib),) * 3).document()


def _plan(jobs: int, unchanged_s: float = 0.1, **more: Any) -> dict[str, Any]:
    rows = {"unchanged": _row(unchanged_s), "one_changed": _row(0.5), "cold": _row(1.5), "deploy": _row(9.0)}
    return {"jobs": jobs, **rows, **more}


def _verdicts(plans: list[dict[str, Any]]) -> dict[str, bool]:
    return {bar.name: bar.passed for bar in bars({"plan": plans})}


def test_every_promise_about_plans_is_held() -> None:
    terraform = {"unchanged": _row(30.0), "wall_ratio": 49.0, "memory_ratio": 20.0}
    verdicts = _verdicts([_plan(1), _plan(1_000, terraform=terraform), _plan(10_000, unchanged_s=0.7)])
    assert verdicts == {
        "plan, 1000 jobs, unchanged, wall": True,
        "plan, 1000 jobs, cold, wall": True,
        "plan, 1000 jobs, unchanged, memory": True,
        "plan, 1000 jobs, unchanged, faster than terraform": False,
        "plan, 10000 jobs, unchanged, wall": False,
        "plan, 10000 jobs, one changed, wall": True,
        "plan, 10000 jobs, unchanged, memory": True,
    }


def test_every_promise_about_reading_is_held() -> None:
    load = {"1000 files": _row(1.4), "one file": _row(1.6), "10000 files": _row(11.0, 601.0)}
    figures = {"load": {**load, "variables": {"1000": _row(0.3), "2000": _row(0.5), "growth": 1.7}}}
    assert {bar.name: bar.passed for bar in bars(figures)} == {
        "read 1000 jobs, 1000 files, cold, wall": True,
        "read 1000 jobs, one file, cold, wall": False,
        "read 10000 jobs, 10000 files, cold, wall": True,
        "read 10000 jobs, 10000 files, cold, memory": False,
        "read twice as many variables, CPU": True,
    }
    assert "| 2000 variables | 3 | 500 (500-500) | 250 (250-250) | 50 |  |" in table(figures)


def test_memory_is_judged_by_its_largest_run() -> None:
    plan = _plan(1_000)
    plan["unchanged"]["peak_mib"] = {"median": 100, "min": 90, "max": 151}
    assert not _verdicts([plan])["plan, 1000 jobs, unchanged, memory"]


@pytest.mark.parametrize(
    ("bar", "line"),
    [
        (Bar("x", 59.94, 60, "ms"), "pass  x: 59.9 ms (bar: <= 60.0 ms)"),
        (Bar("x", 61, 60, "ms"), "FAIL  x: 61.0 ms (bar: <= 60.0 ms)"),
        (Bar("x", 250, 50, "times", at_least=True), "pass  x: 250 times (bar: >= 50.0 times)"),
        (Bar("x", 1.7, 1.6, "times"), "FAIL  x: 1.70 times (bar: <= 1.60 times)"),
    ],
)
def test_line_of_a_bar(bar: Bar, line: str) -> None:
    assert bar.line() == line


def test_table_has_a_row_for_each_case() -> None:
    text = table({"plan": [_plan(1_000)]})
    assert [line.split("|")[1].strip() for line in text.split("\n") if line.startswith("| ")][1:] == [
        "nothing changed",
        "one job changed",
        "cold",
        "first deploy",
    ]
    assert "| nothing changed | 1000 | 3 | 100 (100-100) | 50.0 (50.0-50.0) | 50 |" in text


def test_sizes() -> None:
    assert sizes_of("1,100") == (1, 100)
