"""Tasks that run a program which is not ours: java, spark-submit, and the launcher of a training script (jobs.md 1.3).

Called through engine.tasks.registry. What the machine does not have is refused by name; nothing is installed here.
"""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundlectl.engine.tasks.base import (
    FEATURE_DISABLED,
    INVALID_RUN_CONFIGURATION,
    LIBRARY_INSTALLATION_ERROR,
    RESOURCE_NOT_FOUND,
    LaunchSpec,
    SetupFailed,
    TaskContext,
)
from bundlectl.engine.tasks.libraries import interpreter_for
from bundlectl.engine.tasks.paths import code_file, is_built_file
from bundlectl.engine.tasks.python import with_code


def prepare_jar(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """spark_jar_task: `java -cp <jars of libraries> Main arguments`, in the run folder. Raises SetupFailed."""
    body = context.task["spark_jar_task"]
    main = str(body.get("main_class_name") or "")
    if not main:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, 'spark_jar_task: "main_class_name" is empty')
    if main.startswith("-"):
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'spark_jar_task: "{main}" is an option of java, not a class')
    jars = [_jar(context, library) for library in context.task.get("libraries") or ()]
    if not jars:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'spark_jar_task: no jar under libraries has the class "{main}"')
    home = environment.get("JAVA_HOME")
    path = os.pathsep.join(filter(None, (os.path.join(home, "bin") if home else "", environment.get("PATH"))))
    java = _program("java", path, "spark_jar_task")
    argv = (java, "-cp", os.pathsep.join(jars), main, *map(str, body.get("parameters") or ()))
    return LaunchSpec(argv, environment, str(context.run_dir))


def _jar(context: TaskContext, library: Mapping[str, Any]) -> str:
    path = library.get("jar")
    if not path:
        kind = next(iter(library), "")
        raise SetupFailed(
            LIBRARY_INSTALLATION_ERROR,
            f'A library of kind "{kind}" cannot be on the class path of the embedded engine; known: jar',
        )
    if is_built_file(context, str(path)):
        return str(path)
    try:
        return str(code_file(context, str(path), field="library"))
    except SetupFailed as failure:
        raise SetupFailed(LIBRARY_INSTALLATION_ERROR, f"{failure.message}; build it before you deploy") from None


def prepare_submit(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """spark_submit_task: `spark-submit parameters` in the root of the deployed code. Raises SetupFailed."""
    program = _program("spark-submit", environment.get("PATH"), "spark_submit_task")
    words = tuple(map(str, context.task["spark_submit_task"].get("parameters") or ()))
    if not words:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, 'spark_submit_task: "parameters" is empty')
    return LaunchSpec((program, *words), with_code(context, environment), str(context.snapshot_dir or context.run_dir))


def prepare_training(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """gen_ai_compute_task: its command, by default `python`, with the training script. Raises SetupFailed."""
    body = context.task["gen_ai_compute_task"]
    file = _script(context, body.get("training_script_path"), "gen_ai_compute_task", "training_script_path")
    text = str(body.get("command") or "")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'gen_ai_compute_task: command "{text}": {error}') from None
    if words[:1] in ([], ["python"], ["python3"]):
        launcher = (interpreter_for(context), *words[1:])
    else:
        launcher = (_program(words[0], environment.get("PATH"), "gen_ai_compute_task"), *words[1:])
    return LaunchSpec((*launcher, str(file)), with_code(context, environment), str(file.parent))


def prepare_runtime(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """ai_runtime_task: the script of its only deployment, on this machine. Raises SetupFailed."""
    deployments: list[Any] = context.task["ai_runtime_task"].get("deployments") or []
    if len(deployments) != 1:
        if deployments:
            raise SetupFailed(
                FEATURE_DISABLED,
                f"ai_runtime_task: {len(deployments)} deployments need as many machines; the embedded engine has one",
            )
        raise SetupFailed(INVALID_RUN_CONFIGURATION, 'ai_runtime_task: "deployments" is empty')
    file = _script(context, deployments[0].get("command_path"), "ai_runtime_task", "command_path")
    interpreter = interpreter_for(context)
    changed = with_code(context, environment)
    if file.suffix == ".py":
        return LaunchSpec((interpreter, str(file)), changed, str(file.parent))
    # `python` in the script is the interpreter that has the libraries of the task.
    changed["PATH"] = os.pathsep.join(filter(None, (os.path.dirname(interpreter), changed.get("PATH"))))
    bash = _program("bash", changed["PATH"], "ai_runtime_task")
    return LaunchSpec((bash, str(file)), changed, str(file.parent))


def _script(context: TaskContext, path: Any, kind: str, member: str) -> Path:
    if not path:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'{kind}: "{member}" is empty')
    return code_file(context, str(path), field=member)


def _program(name: str, path: str | None, kind: str) -> str:
    found = shutil.which(name, path=path or os.defpath)
    if found is None:
        raise SetupFailed(RESOURCE_NOT_FOUND, f'{kind}: the program "{name}" is not on PATH of the engine')
    return found
