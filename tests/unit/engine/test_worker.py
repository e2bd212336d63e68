"""A real worker process: claims, ends, time-outs, epochs, and what it does when nobody listens."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine import claims, worker
from bundlectl.engine.channel import Channel, Closed, short_path

_PATIENCE_S = 60.0


class Place:
    """One worker and the scheduler's side of its conversation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "workers" / "w1"
        self.folder.mkdir(parents=True)
        self.logs = folder / "logs"
        self.logs.mkdir()
        (folder / "ballast").write_bytes(b"")
        with socket.socket(socket.AF_UNIX) as listening:
            with short_path(self.folder, "sock") as path:
                listening.bind(path)
            listening.listen(4)
            self.pid = worker.spawn(worker.command(sys.executable), self.folder, {}, listening.fileno())
        self.channels: list[Channel] = []

    def connect(self, epoch: int = 1) -> Channel:
        connection = socket.socket(socket.AF_UNIX)
        with short_path(self.folder, "sock") as path:
            connection.connect(path)
        channel = Channel(connection)
        self.channels.append(channel)
        channel.put({"k": "hello", "epoch": epoch})
        channel.flush()
        return channel

    def order(self, channel: Channel, name: str, *argv: str, epoch: int = 1, **more: Any) -> None:
        log = str(self.logs / f"{name}.log")
        order = {"k": "start", "epoch": epoch, "a": name, "t": "tok", "argv": argv, "env": {"PATH": os.defpath}}
        channel.put({**order, "cwd": "/", "log": log, "grace": 0.3, **more})
        while not channel.flush():
            time.sleep(0.001)

    def hear(self, channel: Channel, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        give_up = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up:
            for message in channel.receive():
                if message["k"] == kind:
                    return message
            time.sleep(0.002)
        raise AssertionError(f"no {kind}")

    def ended(self, channel: Channel) -> dict[str, Any]:
        (end,) = self.hear(channel, "ends")["ends"]
        assert isinstance(end, dict)
        return end

    def record(self, kind: str) -> list[dict[str, Any]]:
        return [line for line, _ in claims.read_record(self.folder / "record").lines if line["k"] == kind]

    def gone(self) -> None:
        """Waits until the worker has left."""
        give_up = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                self.pid = 0
                return
            time.sleep(0.005)
        raise AssertionError("the worker stays")

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def test_an_attempt_from_order_to_end(place: Place) -> None:
    channel = place.connect()
    place.order(channel, "1-1", "/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    message = place.hear(channel, "ends")
    (end,) = message["ends"]
    assert (end["a"], end["code"], end["signal"], end["cause"], end["log"]) == ("1-1", 3, None, None, 8)
    assert (place.logs / "1-1.log").read_bytes() == b"out\nerr\n"
    assert place.record("end") == [end], "recorded before it is told"
    assert [line["a"] for line in place.record("start")] == ["1-1"]
    assert message["offset"] <= (place.folder / "record").stat().st_size


def test_the_environment_is_what_was_ordered_and_the_mark(place: Place) -> None:
    channel = place.connect()
    place.order(channel, "1-1", "/usr/bin/env", env={"A": "1"})
    place.ended(channel)
    assert (place.logs / "1-1.log").read_text().splitlines() == ["A=1", "BUNDLECTL_ATTEMPT=1-1:tok"]


def test_nothing_starts_twice(place: Place) -> None:
    channel = place.connect()
    place.order(channel, "1-1", "true")
    place.ended(channel)
    place.order(channel, "1-1", "true")
    assert place.hear(channel, "refused") == {"k": "refused", "a": "1-1", "why": "claim"}


def test_a_fenced_attempt_does_not_start(place: Place) -> None:
    channel = place.connect()
    claims.fence(str(place.logs / "1-1.log"))
    place.order(channel, "1-1", "true")
    assert place.hear(channel, "refused")["why"] == "claim"


def test_an_overtaken_scheduler_is_refused(place: Place) -> None:
    old = place.connect(1)
    place.hear(old, "hello")
    place.hear(place.connect(2), "hello")
    place.order(old, "1-1", "true", epoch=1)
    assert place.hear(old, "refused")["why"] == "epoch"
    assert not (place.logs / "1-1.log").exists()


@pytest.mark.parametrize(
    ("argv", "more", "code"),
    [
        (("no-such-program",), {}, "RESOURCE_NOT_FOUND"),
        (("true",), {"cwd": "/no/such/folder"}, "RESOURCE_NOT_FOUND"),
        (("/etc/passwd",), {}, "RESOURCE_NOT_FOUND"),
        (("true", "x" * (4 << 20)), {}, "INVALID_RUN_CONFIGURATION"),
        (("tr\0ue",), {}, "INVALID_RUN_CONFIGURATION"),
    ],
)
def test_what_cannot_be_started(place: Place, argv: tuple[str, ...], more: dict[str, Any], code: str) -> None:
    channel = place.connect()
    place.order(channel, "1-1", *argv, **more)
    assert place.ended(channel)["error"]["code"] == code


def test_a_time_out_is_the_workers_business(place: Place) -> None:
    channel = place.connect()
    place.order(channel, "1-1", "/bin/sh", "-c", "sleep 60", timeout_s=0.2)
    place.hear(channel, "hello")
    channel.close()
    place.channels.clear()
    give_up = time.monotonic() + _PATIENCE_S
    while not place.record("end") and time.monotonic() < give_up:
        time.sleep(0.01)
    (end,) = place.record("end")
    assert (end["cause"], end["signal"]) == ("timeout", signal.SIGTERM)


def test_who_does_not_listen_is_killed_after_the_grace(place: Place) -> None:
    channel = place.connect()
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    place.order(channel, "1-1", "/bin/sh", "-c", script)
    while (place.logs / "1-1.log").stat().st_size == 0 if (place.logs / "1-1.log").exists() else True:
        time.sleep(0.01)
    channel.put({"k": "stop", "epoch": 1, "a": "1-1", "cause": "cancel"})
    channel.flush()
    end = place.ended(channel)
    assert (end["cause"], end["signal"]) == ("cancel", signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_nothing_of_a_stopped_attempt_is_left(place: Place) -> None:
    """Also what left its group and its session."""
    channel = place.connect()
    script = "setsid sleep 60 & sleep 60 & echo ready; wait"
    place.order(channel, "1-1", "/bin/sh", "-c", script)
    while not (place.logs / "1-1.log").exists() or (place.logs / "1-1.log").stat().st_size == 0:
        time.sleep(0.01)
    channel.put({"k": "stop", "epoch": 1, "a": "1-1", "cause": "cancel"})
    channel.flush()
    place.ended(channel)
    give_up = time.monotonic() + _PATIENCE_S
    while claims.members("1-1", "tok") and time.monotonic() < give_up:
        time.sleep(0.01)
    assert claims.members("1-1", "tok") == []


def test_a_new_scheduler_hears_what_runs(place: Place) -> None:
    first = place.connect(1)
    place.order(first, "1-1", "sleep", "60")
    while not place.record("start"):
        time.sleep(0.005)
    first.close()
    place.channels.clear()
    second = place.connect(2)
    assert place.hear(second, "hello")["running"] == ["1-1"]
    second.put({"k": "stop", "epoch": 2, "a": "1-1", "cause": "cancel"})
    second.flush()
    assert place.ended(second)["a"] == "1-1"


def test_it_leaves_when_it_is_told_and_idle(place: Place) -> None:
    channel = place.connect()
    place.order(channel, "1-1", "sleep", "0.3")
    channel.put({"k": "leave", "epoch": 1})
    channel.flush()
    place.gone()
    assert [line["a"] for line in place.record("end")] == ["1-1"]
    assert place.record("bye")
    with pytest.raises(Closed):
        while True:
            channel.receive()
