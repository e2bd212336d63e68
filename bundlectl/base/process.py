"""Runs a child process to its end: fixed argument vector, given environment, output captured or passed on, group kill.

Called by git.command, by the engine's environment builder, by operations that run code the invoker allowed, and by
cli.wiring for the user's pager. Tasks are started by engine.worker, not here.
"""

import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

_GRACE_S = 10.0
_LONGEST_LINE = 1 << 20


class Completed(NamedTuple):
    """How a child ended: exit code (negative signal number when killed) and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes


class ProcessTimeout(Exception):
    """The child did not end in time and was killed with its whole group."""


class OutputTooLarge(Exception):
    """The child wrote more than it may and was killed with its whole group."""


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: str | None = None,
    stdin: bytes | None = None,
    timeout_s: float = 120.0,
    max_output: int | None = None,
    max_file: int | None = None,
) -> Completed:
    """Runs one process in its own group and waits for it.

    Raises FileNotFoundError when the program is missing, ProcessTimeout after `timeout_s` seconds, OutputTooLarge
    when stdout and stderr together pass `max_output` bytes. On an interrupt the group is killed before the interrupt
    goes on. `max_file`: bytes that it and its children may write to one file, where the system can limit that.
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
    if max_file is not None:
        _limit_files(child.pid, max_file)
    try:
        if max_output is None:
            stdout, stderr = child.communicate(stdin, timeout=timeout_s)
        else:
            stdout, stderr = _exchange(child, stdin or b"", timeout_s, max_output)
    except subprocess.TimeoutExpired:
        kill_group(child.pid)
        _close(child)
        raise ProcessTimeout(f"{arguments[0]} did not end within {timeout_s:g} s") from None
    except BaseException:
        kill_group(child.pid)
        _close(child)
        raise
    return Completed(child.returncode, stdout, stderr)


def run_attached(
    arguments: Sequence[str], *, environment: Mapping[str, str], folder: str, stdout_to_stderr: bool = False
) -> int:
    """Runs a program that has this process's terminal, as if it was typed there; its exit code.

    `stdout_to_stderr` keeps this process's stdout free of it. Raises FileNotFoundError when the program is missing. On
    an interrupt the child is asked to end, killed after a grace, and the interrupt goes on.
    """
    child = subprocess.Popen(
        list(arguments), env=dict(environment), cwd=folder, stdout=2 if stdout_to_stderr else None, close_fds=True
    )
    try:
        return child.wait()
    except BaseException:
        child.terminate()
        try:
            child.wait(_GRACE_S)
        except BaseException:
            child.kill()
            child.wait()
            raise
        raise


def run_reader(command: str, text: str, environment: Mapping[str, str]) -> bool:
    """Gives a text to a program that shows it on this process's terminal, and waits until its reader is done.

    `command` is split as a shell would. False when it cannot be started: nothing was shown. An interrupt is its own.
    """
    try:
        child = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, env=dict(environment))
    except (OSError, ValueError, IndexError):
        return False
    waiting = text.encode("utf-8", "backslashreplace")
    while child.returncode is None:
        with suppress(BrokenPipeError, KeyboardInterrupt):
            child.communicate(waiting)
    return True


def run_shown(
    arguments: Sequence[str], *, environment: Mapping[str, str], folder: str, show: Callable[[bytes], None]
) -> int:
    """Runs a program in its own group, without input; whole lines of its output go to `show` as they come.

    Returns its exit code once it and whatever it left running closed the output. Raises FileNotFoundError when the
    program is missing. On an interrupt the group is killed before the interrupt goes on.
    """
    child = subprocess.Popen(
        list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        rest = b""
        while chunk := os.read(child.stdout.fileno(), 1 << 16):
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, newline, rest = lines + newline + rest, b"\n", b""
            if newline:
                show(lines)
        if rest:
            show(rest)
        return child.wait()
    except BaseException:
        kill_group(child.pid)
        raise
    finally:
        _close(child)


def _limit_files(pid: int, most: int) -> None:
    """From now on the process, and what it starts, may write so many bytes to one file. Linux only."""
    import resource  # few calls have a limit

    if hasattr(resource, "prlimit"):
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        except (OSError, ValueError):
            return  # it has ended, or has a lower limit already


def kill_group(group: int) -> None:
    """Sends SIGKILL to a process group; one that is gone is fine."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _exchange(child: "subprocess.Popen[bytes]", stdin: bytes, timeout_s: float, max_output: int) -> tuple[bytes, bytes]:
    """Feeds and drains a child; like communicate, but stops at `max_output` bytes instead of filling the memory."""
    assert child.stdout is not None and child.stderr is not None
    deadline = time.monotonic() + timeout_s
    taken: dict[int, list[bytes]] = {child.stdout.fileno(): [], child.stderr.fileno(): []}
    out, err = taken
    left = memoryview(stdin)
    room = max_output
    with selectors.DefaultSelector() as selector:
        for descriptor in taken:
            selector.register(descriptor, selectors.EVENT_READ)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(child.args, timeout_s)
            for key, _ in ready:
                if key.fd in taken:
                    chunk = os.read(key.fd, 1 << 20)
                    room -= len(chunk)
                    if room < 0:
                        raise OutputTooLarge(f"more than {max_output} bytes of output")
                    if chunk:
                        taken[key.fd].append(chunk)
                    else:
                        selector.unregister(key.fd)
                    continue
                assert child.stdin is not None
                try:
                    left = left[os.write(key.fd, left[: 1 << 16]) :]
                except BrokenPipeError:
                    left = left[:0]  # the child needs no more; its exit code says why
                if not left:
                    selector.unregister(key.fileobj)
                    child.stdin.close()
    child.wait(max(0.0, deadline - time.monotonic()))
    _close(child)
    return b"".join(taken[out]), b"".join(taken[err])


def _close(child: "subprocess.Popen[bytes]") -> None:
    """Reaps a child that ended or was killed, and closes its pipes."""
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # bytes that the child did not take
