"""Work in a copy of the process: its answer, its failures, and that nothing of it stays."""

import os
import signal
import threading

import pytest

from bundlectl.base.forked import run_beside, spare_processors

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def test_the_answer_comes_back_however_long_it_is() -> None:
    found = []
    beside = run_beside(lambda: b"x" * 3_000_000)
    assert beside is not None
    found.append(len(beside.result() or b""))
    assert found == [3_000_000]


def test_the_copy_changes_nothing_here() -> None:
    kept = [1]

    def work() -> bytes:
        kept.append(2)
        return str(os.getpid()).encode()

    beside = run_beside(work)
    assert beside is not None
    assert int(beside.result() or b"0") != os.getpid()
    assert kept == [1]


def test_one_that_raises_or_is_killed_gives_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> bytes:
        raise ValueError("no")

    def die() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    def interrupted() -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        return b"went on"

    for work in (fail, die, interrupted):
        beside = run_beside(work)
        assert beside is not None
        assert beside.result() is None
    assert capfd.readouterr() == ("", "")


def test_one_that_is_stopped_is_gone() -> None:
    def wait() -> bytes:
        threading.Event().wait()
        return b""

    beside = run_beside(wait)
    assert beside is not None
    beside.stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(beside._child, os.WNOHANG)  # not even left to be waited for


def test_a_process_with_threads_is_not_copied() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert spare_processors() == 0
    finally:
        done.set()
        thread.join()
