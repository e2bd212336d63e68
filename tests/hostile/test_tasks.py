"""Tasks that misbehave, as real processes under a real worker: it stays, and each has one recorded end."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundlectl.engine import claims, logs
from tests.patience import until
from tests.unit.engine.test_worker import Place

PYTHON = (sys.executable, "-I", "-S", "-c")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.mark.parametrize(
    ("script", "code", "number"),
    [
        pytest.param("import os; os.write(1, bytes(range(256)) * 4096)", 0, None, id="binary output"),
        pytest.param("import os; os.write(1, b'\\xff\\xfe\\xe2\\x82'); os._exit(4)", 4, None, id="invalid UTF-8"),
        pytest.param("import os; os.close(1); os.close(2); os._exit(5)", 5, None, id="closes its output"),
        pytest.param("import os; os.kill(os.getpid(), 9)", None, signal.SIGKILL, id="dies by SIGKILL"),
        pytest.param("import os; os.abort()", None, signal.SIGABRT, id="aborts"),
        pytest.param("import os; os.kill(0, 15)", None, signal.SIGTERM, id="signals its own group"),
        pytest.param("import os; os.write(1, b'x' * 10_000_000)", 0, None, id="one endless line"),
        pytest.param("import os; os.ftruncate(1, 0); os.unlink(os.readlink('/proc/self/fd/1'))", 0, None,
                     id="removes its log"),
        pytest.param("import os; os.closerange(0, 256); os._exit(0)", 0, None,
                     id="closes every descriptor"),
    ],
)  # fmt: skip
def test_however_it_ends_the_end_is_recorded_once(
    place: Place, script: str, code: int | None, number: int | None
) -> None:
    channel = place.connect()
    place.order(channel, "1-1", *PYTHON, script)
    end = place.ended(channel)
    assert (end["code"], end["signal"], end["cause"]) == (code, number, None)
    place.order(channel, "1-2", "true")
    assert place.ended(channel)["code"] == 0, "the worker goes on"
    assert [line["a"] for line in place.record("end")] == ["1-1", "1-2"]


def test_endless_output_does_not_fill_the_disk(place: Place) -> None:
    """The limit holds while the task runs: it needs no end of the task."""
    channel = place.connect()
    script = "import os\nblock = b'y' * (1 << 20)\nfor _ in range(400): os.write(1, block)\nos.write(1, b'end')\n"
    place.order(channel, "1-1", *PYTHON, script + "import time; time.sleep(600)")
    log = place.logs / "1-1.log"
    until(lambda: log.exists() and log.stat().st_size == (400 << 20) + 3)
    until(lambda: log.stat().st_blocks * 512 <= logs.LIMIT + (1 << 20))
    channel.put({"k": "stop", "epoch": 1, "a": "1-1", "cause": "cancel"})
    channel.flush()
    end = place.ended(channel)
    assert (end["cause"], end["log"]) == ("cancel", (400 << 20) + 3)
    with log.open("rb") as file:
        assert logs.dropped(file) >= (400 << 20) - logs.LIMIT
        file.seek(-3, 2)
        assert file.read() == b"end"


def test_a_short_task_with_a_long_log_is_cut_when_it_ends(place: Place) -> None:
    channel = place.connect()
    script = "import os\nblock = b'y' * (1 << 20)\nfor _ in range(80): os.write(1, block)\n"
    place.order(channel, "1-1", *PYTHON, script)
    place.ended(channel)
    assert (place.logs / "1-1.log").stat().st_blocks * 512 <= logs.LIMIT + (1 << 20)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_timed_out_task_that_ignores_sigterm_and_forked_away_is_gone(place: Place) -> None:
    channel = place.connect()
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        os.fork()\n"
        "        time.sleep(600)\n"
        "time.sleep(600)\n"
    )
    place.order(channel, "1-1", *PYTHON, script, timeout_s=1.0)
    end = place.ended(channel)
    assert (end["cause"], end["signal"]) == ("timeout", signal.SIGKILL)
    until(lambda: claims.members("1-1", "tok") == [])
