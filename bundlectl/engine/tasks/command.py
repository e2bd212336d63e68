"""Tasks that are a command line: shell_task (jobs.md 5.1)."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bundlectl.engine.tasks.base import (
    INVALID_RUN_CONFIGURATION,
    RESOURCE_NOT_FOUND,
    LaunchSpec,
    SetupFailed,
    TaskContext,
)

_SHELL: Final = ("/bin/sh", "-c")


def prepare_shell(context: TaskContext, environment: Mapping[str, str]) -> LaunchSpec:
    """A list is executed directly, text by /bin/sh. Raises SetupFailed."""
    body = context.task["shell_task"]
    folder = _folder(context, body.get("working_directory"))
    command = body.get("command")
    if isinstance(command, str) and command.strip():
        return LaunchSpec((*_SHELL, command), environment, str(folder))
    if not isinstance(command, list) or not command:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, 'shell_task: "command" is empty')
    argv = tuple(str(item) for item in command)
    return LaunchSpec((_program(argv[0], environment, folder), *argv[1:]), environment, str(folder))


def _program(name: str, environment: Mapping[str, str], folder: Path) -> str:
    """The program as it is started: a name from PATH, a path from the working directory."""
    if "/" in name:
        found = folder / name
        if not found.is_file():
            raise SetupFailed(RESOURCE_NOT_FOUND, f'shell_task: the program "{name}" does not exist')
        if not os.access(found, os.X_OK):
            raise SetupFailed(
                RESOURCE_NOT_FOUND,
                f'shell_task: "{name}" is not executable; start it with its interpreter, or chmod +x it',
            )
        return str(found)
    program = shutil.which(name, path=environment.get("PATH", os.defpath))
    if program is None:
        raise SetupFailed(RESOURCE_NOT_FOUND, f'shell_task: the program "{name}" is not on PATH')
    return program


def _folder(context: TaskContext, given: Any) -> Path:
    root = context.snapshot_dir or context.run_dir
    if not given:
        return root
    text = str(given)
    if ".." in text.split("/") or (text.startswith("/") and not Path(text).is_relative_to(root)):
        raise SetupFailed(
            INVALID_RUN_CONFIGURATION, f'shell_task: working_directory "{text}" is not a path inside the deployed code'
        )
    folder = root / text
    if not folder.is_dir():
        raise SetupFailed(RESOURCE_NOT_FOUND, f'shell_task: working_directory "{text}" is not in the deployed code')
    if not folder.resolve().is_relative_to(root.resolve()):
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'shell_task: working_directory "{text}" leaves the deployed code')
    return folder
