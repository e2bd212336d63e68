"""SQL tasks: a file of statements on the engine's own DuckDB database (jobs.md 5.4), run by engine.taskside."""

import os
import sys
from collections.abc import Mapping
from typing import Final

from bundlectl.engine.tasks.base import (
    FEATURE_DISABLED,
    INVALID_RUN_CONFIGURATION,
    LIBRARY_INSTALLATION_ERROR,
    RESOURCE_NOT_FOUND,
    LaunchSpec,
    SetupFailed,
    TaskContext,
)
from bundlectl.engine.tasks.paths import code_file
from bundlectl.engine.tasks.python import launch

NO_DUCKDB: Final = "SQL tasks need DuckDB: install bundlectl[sql] into the environment of the engine"
_DATABASE: Final = "sql/main.duckdb"


def prepare_sql(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """Raises SetupFailed."""
    body = context.task["sql_task"]
    for member in ("query", "alert", "dashboard"):
        if body.get(member):
            raise SetupFailed(
                FEATURE_DISABLED, f"sql_task.{member} is not supported by the embedded engine; use a file"
            )
    path = (body.get("file") or {}).get("path")
    if not path:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, 'sql_task: "file.path" is empty')
    file = code_file(context, path, field="file.path")
    if context.interpreter == sys.executable and not _has_duckdb():
        raise SetupFailed(LIBRARY_INSTALLATION_ERROR, NO_DUCKDB)
    warehouse = str(body.get("warehouse_id") or "")
    task = {
        "kind": "sql",
        "path": str(file),
        "parameters": {str(name): str(value) for name, value in (body.get("parameters") or {}).items()},
        "database": database(context, warehouse),
        "warehouse_id": warehouse,
    }
    return launch(context, environment, task, folder=str(file.parent))


def database(context: TaskContext, warehouse: str) -> str:
    """The database file behind a warehouse id; its folder exists afterwards. Raises SetupFailed."""
    if warehouse and context.strict_warehouses:
        raise SetupFailed(RESOURCE_NOT_FOUND, f'The engine has no warehouse "{warehouse}"')
    path = context.engine_dir / _DATABASE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(path)


def _has_duckdb() -> bool:
    """Whether this interpreter can import DuckDB; importing it would take 100 ms."""
    return any(os.path.isdir(os.path.join(folder, "duckdb")) for folder in sys.path)
