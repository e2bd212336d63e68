"""Work done beside this process, in a copy of it: more than one processor for what is pure and made of many parts.

Called by config.parts. Only where a copy is safe (Linux, one thread) and useful (more than one processor); the caller
does the work itself when there is no copy, or when one failed.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Forked:
    """A function that runs in a copy of this process. Its answer is bytes."""

    def __init__(self, child: int, answer: int) -> None:
        self._child = child
        self._answer = answer

    def result(self) -> bytes | None:
        """Waits; what the function gave, or None when it raised or the copy was killed."""
        try:
            with os.fdopen(self._answer, "rb") as pipe:
                data = pipe.read()
        except BaseException:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            raise
        _, status = os.waitpid(self._child, 0)
        return data if status == 0 else None

    def stop(self) -> None:
        """Ends the copy; its answer is not wanted any more."""
        os.close(self._answer)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


def spare_processors() -> int:
    """How many copies would find a processor of their own; 0 where this process must not be copied."""
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return 0
    return len(os.sched_getaffinity(0)) - 1


def run_beside(work: Callable[[], bytes]) -> Forked | None:
    """Starts `work` in a copy of this process; None when the system gives none.

    `work` reads what was there when it started, and changes nothing that the caller could see. It must not write to
    files or streams that this process has open.
    """
    reading, writing = os.pipe()
    # An interrupt must not find the copy before it has its own way to end: it would go on as if it were the original.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        child = os.fork()
        if child == 0:
            _answer(work, reading, writing)
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(writing)
    return Forked(child, reading)


def _answer(work: Callable[[], bytes], reading: int, writing: int) -> None:
    """The life of the copy. It never returns: what the caller has open is the caller's to close."""
    code = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(reading)
        data = memoryview(work())
        while data:
            data = data[os.write(writing, data) :]
        code = 0
    except BaseException:
        code = 1
    finally:
        os._exit(code)
