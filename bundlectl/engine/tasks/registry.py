"""Task type -> preparer: a literal table. The module of a type is imported when a task of that type starts.

Called by engine.attempt. Condition tasks are not here: the scheduler decides them without a process (tasks.control).
"""

from collections.abc import Mapping
from typing import Any, Final

from bundlectl.engine.tasks.base import (
    FEATURE_DISABLED,
    INVALID_RUN_CONFIGURATION,
    LaunchSpec,
    Preparer,
    SetupFailed,
    TaskContext,
)

# Types that run as a process of this engine, each with a branch in `_preparer`.
PROCESS_TYPES: Final = (
    "spark_python_task",
    "notebook_task",
    "python_wheel_task",
    "python_operator_task",
    "sql_task",
    "shell_task",
    "spark_jar_task",
    "spark_submit_task",
    "gen_ai_compute_task",
    "ai_runtime_task",
)


def task_type(task: Mapping[str, Any]) -> str:
    """The name of the type field of a task, `shell_task`; "" when it has none."""
    kinds = [key for key, body in task.items() if key.endswith("_task") and isinstance(body, Mapping)]
    return kinds[0] if kinds else ""


def prepare(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """What to start for a task. Raises SetupFailed."""
    kind = task_type(context.task)
    if not kind:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'the task "{context.task_key}" has no task type')
    if kind not in PROCESS_TYPES:
        raise SetupFailed(FEATURE_DISABLED, f"Task type {kind} is not supported by the embedded engine")
    return _preparer(kind)(context, environment)


def _preparer(kind: str) -> Preparer:
    if kind == "shell_task":
        from bundlectl.engine.tasks.command import prepare_shell

        return prepare_shell
    if kind == "sql_task":
        from bundlectl.engine.tasks.sql import prepare_sql

        return prepare_sql
    if kind == "notebook_task":
        from bundlectl.engine.tasks.notebook import prepare_notebook

        return prepare_notebook
    from bundlectl.engine.tasks import programs, python

    return {
        "spark_jar_task": programs.prepare_jar,
        "spark_submit_task": programs.prepare_submit,
        "gen_ai_compute_task": programs.prepare_training,
        "ai_runtime_task": programs.prepare_runtime,
        "spark_python_task": python.prepare_file,
        "python_wheel_task": python.prepare_wheel,
        "python_operator_task": python.prepare_operator,
    }[kind]
