"""Measuring a process: its cost, its exit code, and figures over several runs."""

import sys
from pathlib import Path

import pytest

from benchmarks.measure import BenchmarkFailed, Figures, Sample, child_environment, repeat, run_once


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_cpu_and_memory_are_those_of_the_child(tmp_path: Path) -> None:
    code = "data = bytearray(64 << 20); sum(range(3_000_000))"
    sample = run_once([sys.executable, "-c", code], folder=_folder(tmp_path), environment=child_environment(tmp_path))
    assert 0 < sample.cpu_s < 60
    assert sample.peak_mib > 64


def test_another_exit_code_is_no_figure(tmp_path: Path) -> None:
    folder, environment = _folder(tmp_path), child_environment(tmp_path)
    command = [sys.executable, "-c", "print('why'); raise SystemExit(2)"]
    run_once(command, folder=folder, environment=environment, expect=(2,))
    with pytest.raises(BenchmarkFailed, match="ended with 2, expected") as caught:
        run_once(command, folder=folder, environment=environment)
    assert "why" in str(caught.value)


def test_children_may_write_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in child_environment(tmp_path)


def test_warm_up_runs_are_thrown_away_and_preparation_comes_first() -> None:
    order: list[str] = []
    values = iter([9.0, 1.0, 3.0, 2.0])

    def once() -> Sample:
        order.append("run")
        return Sample(next(values), 0.0, 0.0)

    figures = repeat(once, runs=3, warm_up=1, before=lambda: order.append("prepare"))
    assert [sample.wall_s for sample in figures.samples] == [1.0, 3.0, 2.0]
    assert order == ["prepare", "run"] * 4


def test_document_has_median_and_range() -> None:
    figures = Figures((Sample(1.0, 0.1, 10), Sample(3.0, 0.3, 30), Sample(2.0, 0.2, 20)))
    assert figures.document()["wall_s"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert figures.document()["runs"] == 3
