"""Notebook tasks: source files (.py, .sql) and .ipynb, run cell by cell by engine.taskside without a kernel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bundlectl.engine.tasks.base import (
    FEATURE_DISABLED,
    INVALID_RUN_CONFIGURATION,
    OUTPUTS,
    LaunchSpec,
    SetupFailed,
    TaskContext,
)
from bundlectl.engine.tasks.paths import code_file
from bundlectl.engine.tasks.python import launch
from bundlectl.engine.tasks.sql import database

_ENDINGS: Final = ("", ".py", ".ipynb", ".sql")
_HEADERS: Final[Mapping[str, bytes]] = {
    ".py": b"# Databricks notebook source",
    ".sql": b"-- Databricks notebook source",
}


def prepare_notebook(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """The path is tried as it is, then with each ending. Raises SetupFailed."""
    body = context.task["notebook_task"]
    path = str(body.get("notebook_path") or "")
    file = code_file(context, path, field="notebook_path", endings=_ENDINGS if path else ("",))
    _check_kind(file)
    task = {
        "kind": "notebook",
        "path": str(file),
        "parameters": {str(name): str(value) for name, value in (body.get("base_parameters") or {}).items()},
        "database": database(context, str(body.get("warehouse_id") or "")),
    }
    if file.suffix.lower() == ".ipynb":
        task["executed"] = str(context.run_dir / OUTPUTS / file.name)
    return launch(context, environment, task, folder=str(file.parent))


def _check_kind(file: Path) -> None:
    ending = file.suffix.lower()
    if ending == ".ipynb":
        return
    if ending not in _HEADERS:
        raise SetupFailed(
            FEATURE_DISABLED, f'"{file.name}": the embedded engine runs notebooks in .py, .sql and .ipynb files only'
        )
    with file.open("rb") as source:
        first = source.readline(200).lstrip(b"\xef\xbb\xbf").rstrip()
    if first != _HEADERS[ending]:
        raise SetupFailed(
            INVALID_RUN_CONFIGURATION,
            f'"{file.name}" is a file, not a notebook: its first line is not "{_HEADERS[ending].decode()}"',
        )
