"""Runs a child process to its end: fixed argument vector, given environment, captured output, timeout, group kill.

Called by git.command and by the engine's environment builder. Tasks are started by engine.worker, not here.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Completed(NamedTuple):
    """How a child ended: exit code (negative signal number when killed) and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes


class ProcessTimeout(Exception):
    """The child did not end in time and was killed with its whole group."""


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: str | None = None,
    stdin: bytes | None = None,
    timeout_s: float = 120.0,
) -> Completed:
    """Runs one process in its own group and waits for it.

    Raises FileNotFoundError when the program is missing, ProcessTimeout after `timeout_s` seconds. On an interrupt
    the group is killed before the interrupt goes on.
    """
    child = subprocess.Popen(
        list(arguments),
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    )
    try:
        stdout, stderr = child.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        kill_group(child.pid)
        child.communicate()
        raise ProcessTimeout(f"{arguments[0]} did not end within {timeout_s:g} s") from None
    except BaseException:
        kill_group(child.pid)
        child.communicate()
        raise
    return Completed(child.returncode, stdout, stderr)


def kill_group(group: int) -> None:
    """Sends SIGKILL to a process group; one that is gone is fine."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
