"""Runs inside the task process: reads what the task is, runs it, reports its end by exit code and result file.

Called by start.py only. The last line that a failed task prints is the exception: the engine shows it as the error.
"""

import json
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from bundlectl.engine.taskside.dbutils import NotebookExit
from bundlectl.engine.taskside.namespace import UserNamespaceInitializer
from bundlectl.engine.taskside.notebook import Notebook
from bundlectl.engine.taskside.sql import SqlFailed, run_file

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
RESULT_LIMIT = 5 * 1024 * 1024  # characters of a notebook's result


class TaskFailed(Exception):
    """The task cannot go on, and the message says why: no traceback of ours would help."""


def main(description: str) -> int | str | None:
    """Runs the task that the file describes; what sys.exit is to be called with."""
    with open(description, encoding="utf-8") as file:
        task = json.load(file)
    result = task.get("result") or os.path.join(os.path.dirname(description), "result.json")
    try:
        _RUNNERS[task["kind"]](task, result)
    except NotebookExit as leaving:
        write_result(result, {"notebook_output": _notebook_output(leaving.value)})
    except SystemExit as leaving:
        return leaving.code
    except (TaskFailed, SqlFailed) as failure:
        sys.stdout.flush()
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        print_error(error)
        return 1
    return 0


def write_result(path: str, document: dict[str, Any]) -> None:
    """Leaves a result for the engine; a reader sees all of it or nothing."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
    os.replace(temporary, path)


def print_error(error: BaseException) -> None:
    """The traceback of user code, without the frames of this package."""
    import traceback

    sys.stdout.flush()
    shown = traceback.TracebackException(type(error), error, _user_frames(error.__traceback__))
    print("".join(shown.format()), end="", file=sys.stderr)


def _user_frames(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return frames


def _notebook_output(value: str) -> dict[str, Any]:
    return {"result": value[:RESULT_LIMIT], "truncated": len(value) > RESULT_LIMIT}


def _run_wheel(task: dict[str, Any], _result: str) -> None:
    function = _entry_point(task["package"], task["entry_point"])
    sys.argv = [task["package"], *task["arguments"]]
    function()


def _entry_point(package: str, name: str) -> Callable[[], Any]:
    """console_scripts, then any other group, then a function of the package itself."""
    import importlib
    from importlib import metadata

    try:
        points = [point for point in metadata.distribution(package).entry_points if point.name == name]
    except metadata.PackageNotFoundError:
        points = []
    points.sort(key=lambda point: point.group != "console_scripts")
    if points:
        loaded: Callable[[], Any] = points[0].load()
        return loaded
    module = package.replace("-", "_")
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise TaskFailed(f'The package "{package}" is not installed; name its wheel under libraries') from None
    try:
        found: Callable[[], Any] = getattr(imported, name)
    except AttributeError:
        raise TaskFailed(f'The package "{package}" has no entry point "{name}", and no function of that name') from None
    return found


def _run_operator(task: dict[str, Any], _result: str) -> None:
    import importlib

    module, _, name = task["main"].replace(":", ".").rpartition(".")
    if not module:
        raise TaskFailed(f'"{task["main"]}" names no module; write it as package.function')
    try:
        target = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise TaskFailed(f'The module "{module}" has no "{name}"') from None
    made = target(**task["parameters"])
    # A class is an operator: made with the parameters, then called.
    if isinstance(target, type) and callable(made):
        made()


def _run_notebook(task: dict[str, Any], _result: str) -> None:
    namespace = UserNamespaceInitializer.getOrCreate()
    namespace.dbutils.widgets.given(task["parameters"])
    Notebook(task["database"], namespace, task.get("executed")).run(task["path"])


def _run_sql(task: dict[str, Any], result: str) -> None:
    write_result(result, run_file(task))


_RUNNERS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "wheel": _run_wheel,
    "operator": _run_operator,
    "notebook": _run_notebook,
    "sql": _run_sql,
}
