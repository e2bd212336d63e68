"""Python tasks: a file, the entry point of a wheel, a function or class.

A file is started as `python file args`, as if by hand, with nothing of ours in between: `sys.path[0]` and the working
directory are the folder of the file, the root of the deployed code is on PYTHONPATH. The snapshot is read-only; scratch
space is $BUNDLECTL_RUN_DIR. Wheels and operators run in $BUNDLECTL_RUN_DIR through engine.taskside.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, LaunchSpec, SetupFailed, TaskContext
from bundlectl.engine.tasks.libraries import interpreter_for
from bundlectl.engine.tasks.paths import START, code_file

TASK_FILE: Final = "task.json"


def prepare_file(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """spark_python_task. Raises SetupFailed."""
    body = context.task["spark_python_task"]
    file = code_file(context, _text(body, "python_file", "spark_python_task"), field="python_file")
    argv = (interpreter_for(context), str(file), *_words(body.get("parameters")))
    return LaunchSpec(argv, with_code(context, environment), str(file.parent))


def prepare_wheel(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """python_wheel_task: named parameters become `--name=value`. Raises SetupFailed."""
    body = context.task["python_wheel_task"]
    arguments = _words(body.get("parameters"))
    named = body.get("named_parameters")
    if named:
        if arguments:
            raise SetupFailed(
                INVALID_RUN_CONFIGURATION, "python_wheel_task: parameters and named_parameters exclude each other"
            )
        arguments = [f"--{name}={value}" for name, value in named.items()]
    task = {
        "kind": "wheel",
        "package": _text(body, "package_name", "python_wheel_task"),
        "entry_point": _text(body, "entry_point", "python_wheel_task"),
        "arguments": arguments,
    }
    return launch(context, environment, task, folder=str(context.run_dir))


def prepare_operator(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """python_operator_task: import `pkg.name` and call it with the parameters by name. Raises SetupFailed."""
    body = context.task["python_operator_task"]
    parameters = {str(item.get("name")): item.get("value") for item in body.get("parameters") or ()}
    task = {"kind": "operator", "main": _text(body, "main", "python_operator_task"), "parameters": parameters}
    return launch(context, environment, task, folder=str(context.run_dir))


def launch(context: TaskContext, environment: Mapping[str, str], task: Mapping[str, Any], *, folder: str) -> LaunchSpec:
    """Starts engine.taskside with a description of the task in a file of the run folder."""
    interpreter = interpreter_for(context)
    path = context.run_dir / TASK_FILE
    path.write_text(json.dumps(task, ensure_ascii=False), encoding="utf-8")
    return LaunchSpec((interpreter, str(START), str(path)), with_code(context, environment), folder)


def with_code(context: TaskContext, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the root of the deployed code on PYTHONPATH, after the shim and before the libraries."""
    if context.snapshot_dir is None:
        return dict(environment)
    search = (environment.get("PYTHONPATH"), str(context.snapshot_dir))
    return {**environment, "PYTHONPATH": os.pathsep.join(part for part in search if part)}


def _text(body: Mapping[str, Any], member: str, kind: str) -> str:
    value = body.get(member)
    if not isinstance(value, str) or not value:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'{kind}: "{member}" is empty')
    return value


def _words(parameters: Any) -> list[str]:
    return [str(item) for item in parameters or ()]
