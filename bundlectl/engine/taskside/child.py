"""Runs inside the task process: processes that a notebook starts - another notebook, a shell cell, pip."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from bundlectl.engine.taskside.cells import find_notebook

_START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.py")


def run_notebook(path: str, timeout_s: int, arguments: Mapping[str, Any], scratch: str) -> str:
    """Runs a notebook in a process of its own and returns its result. Raises RuntimeError, TimeoutError."""
    import subprocess  # costly, and most tasks start no process
    import tempfile

    found = find_notebook(path, os.getcwd())
    folder = tempfile.mkdtemp(prefix="notebook-", dir=scratch)
    with open(os.path.join(scratch, "task.json"), encoding="utf-8") as file:
        database = json.load(file).get("database")
    task = {
        "kind": "notebook",
        "path": found,
        "parameters": {str(name): str(value) for name, value in arguments.items()},
        "database": database,
    }
    description = os.path.join(folder, "task.json")
    with open(description, "w", encoding="utf-8") as file:
        json.dump(task, file)
    sys.stdout.flush()
    try:
        done = subprocess.run(
            [sys.executable, _START, description], cwd=os.path.dirname(found), timeout=timeout_s or None, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f'The notebook "{path}" did not end within {timeout_s} s') from None
    if done.returncode != 0:
        raise RuntimeError(f'The notebook "{path}" ended with exit status {done.returncode}; its output is above')
    try:
        with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
            return str(json.load(file)["notebook_output"]["result"])
    except FileNotFoundError:
        return ""


def run_shell(script: str, *, stop_on_error: bool) -> None:
    """A `%sh` cell. Its exit status counts only with `%sh -e`, as on the platform. Raises RuntimeError."""
    import subprocess

    sys.stdout.flush()
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    done = subprocess.run([shell, "-ec" if stop_on_error else "-c", script], check=False)
    if done.returncode == 0:
        return
    if stop_on_error:
        raise RuntimeError(f"The shell cell ended with exit status {done.returncode}")
    print(f"(the shell cell ended with exit status {done.returncode}; %sh -e makes this an error)")


def pip(arguments: list[str]) -> None:
    """A `%pip` line. What it installs is for this run only, below its scratch folder. Raises RuntimeError."""
    import subprocess
    import tempfile

    command = [sys.executable, "-m", "pip", *arguments]
    if arguments[:1] == ["install"]:
        target = os.path.join(os.environ.get("BUNDLECTL_RUN_DIR") or tempfile.mkdtemp(), "site-packages")
        command += ["--target", target, "--disable-pip-version-check", "--no-input", "--upgrade"]
        if target not in sys.path:
            sys.path.insert(1, target)
    elif arguments[:1] not in (["list"], ["freeze"], ["show"]):
        raise RuntimeError(f"%pip {' '.join(arguments[:1])} is not supported; a run installs libraries, and no more")
    sys.stdout.flush()
    # pip runs without the search path of the notebook: packages of the snapshot are none of its business.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"%pip {' '.join(arguments)} ended with exit status {done.returncode}")
