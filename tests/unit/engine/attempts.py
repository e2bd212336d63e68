"""Attempts for tests: a context over a small snapshot, and a real process as the worker would start it."""

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.engine.attempt import AttemptValues, collect, prepare
from bundlectl.engine.tasks.base import TaskContext

NOTEBOOK = "# Databricks notebook source\n"
SEPARATOR = "\n# COMMAND ----------\n"


class Finished(NamedTuple):
    """How an attempt ended."""

    code: int
    output: str  # standard output and error, merged
    left: AttemptValues


def snapshot(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files."""
    root = folder / "snapshot"
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def context(folder: Path, task: Mapping[str, Any], **changes: Any) -> TaskContext:
    """A context over `folder/snapshot`, when there is one."""
    root = folder / "snapshot"
    settled: dict[str, Any] = {
        "job_id": "1",
        "run_id": "2",
        "task_run_id": "3",
        "task_key": "me",
        "attempt": 0,
        "settings": {},
        "task": task,
        "parameters": {},
        "snapshot_dir": root if root.is_dir() else None,
        "run_dir": folder / "runs" / "2" / "3-1",
        "engine_dir": folder / "engine",
        "interpreter": sys.executable,
        "host_environment": {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder)},
    }
    return TaskContext(**{**settled, **changes})


def run(made: TaskContext) -> Finished:
    """Prepares an attempt, runs it to its end, collects."""
    spec = prepare(made)
    done = subprocess.run(
        spec.argv,
        env=dict(spec.environment),
        cwd=spec.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    return Finished(done.returncode, done.stdout, collect(made.run_dir))


def notebook(folder: Path, *cells: str, name: str = "nb", parameters: Mapping[str, str] | None = None) -> Finished:
    """Runs a .py notebook of these cells."""
    snapshot(folder, {f"{name}.py": NOTEBOOK + SEPARATOR.join(cells)})
    body = {"notebook_path": name, "base_parameters": dict(parameters or {})}
    return run(context(folder, {"notebook_task": body}))


def wheel(folder: Path, *, name: str = "tiny", code: str = "", entry_points: str = "", version: str = "1.0") -> Path:
    """A wheel with one module, made by hand."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
    }
    record = "".join(f"{member},,\n" for member in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return path
