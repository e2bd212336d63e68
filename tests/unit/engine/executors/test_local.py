"""Real workers behind the executor: slots, more than one worker, take-over, death."""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.engine.executors import local
from bundlectl.engine.executors.base import Ends, Event, Gone, Greeted, Launch
from bundlectl.engine.executors.local import WORKER_SLOTS, LocalExecutor, worker_identity
from bundlectl.engine.worker import command

_PATIENCE_S = 60.0


class Side:
    """A scheduler's side: an executor and its selector."""

    def __init__(self, folder: Path, epoch: int, slots: int = 4) -> None:
        self.clock = FrozenClock()
        self.executor = LocalExecutor(
            folder, self.clock, arguments=command(sys.executable), environment={}, slots=slots, grace_s=0.3
        )
        self.selector = selectors.DefaultSelector()
        self.opened = self.executor.open(self.selector, epoch)
        self.number = 0
        self.heard: list[Event] = []

    def launch(self, *argv: str) -> Launch:
        worker = self.executor.assign()
        assert worker is not None
        self.number += 1
        log = str(self.executor.folder / "logs" / f"{self.number}.log")
        launch = Launch(f"{self.number}-1", "t", worker, argv, {"PATH": os.defpath}, "/", log, None)
        self.executor.start([launch])
        return launch

    def hear(self, kind: type, holds: Callable[[Event], bool] = lambda event: True) -> Event:
        """The next event of a kind."""
        give_up = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up:
            # What came together with an event that was waited for is kept for the next one who asks.
            for number, event in enumerate(self.heard):
                if isinstance(event, kind) and holds(event):
                    del self.heard[number]
                    return event
            for key, _ in self.selector.select(0.05):
                self.heard.extend(self.executor.read(key.data))
        raise AssertionError(f"no {kind.__name__}")

    def close(self) -> None:
        self.executor.close()
        self.selector.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("workers", "logs"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def side(folder: Path) -> Iterator[Side]:
    side = Side(folder, 1)
    yield side
    side.close()


def test_slots_are_given_and_come_back(side: Side) -> None:
    launches = [side.launch("sleep", "0.1") for _ in range(4)]
    assert side.executor.assign() is None
    left = {launch.name for launch in launches}
    while left:
        ends = side.hear(Ends)
        assert isinstance(ends, Ends)
        left -= {end["a"] for end in ends.ends}
    workers = [side.executor.assign() for _ in range(5)]
    assert workers == [launches[0].worker] * 4 + [None]
    side.executor.release(launches[0].worker)
    assert side.executor.assign() == launches[0].worker


def test_more_slots_than_one_worker_may_have(folder: Path) -> None:
    side = Side(folder, 1, slots=WORKER_SLOTS + 2)
    workers = [side.executor.assign() for _ in range(WORKER_SLOTS + 3)]
    assert workers.count(None) == 1
    assert len(set(workers)) == 3
    side.close()


def test_an_attempt_is_stopped(side: Side) -> None:
    launch = side.launch("sleep", "60")
    side.executor.stop(launch.name, launch.worker, "cancel")
    ends = side.hear(Ends)
    assert isinstance(ends, Ends)
    assert (ends.ends[0]["cause"], ends.ends[0]["signal"]) == ("cancel", signal.SIGTERM)


def test_the_next_scheduler_finds_the_workers_that_live(folder: Path) -> None:
    first = Side(folder, 1)
    launch = first.launch("sleep", "60")
    while not (folder / "logs" / "1.log").exists():
        time.sleep(0.005)
    for link in list(first.executor._links.values()):  # dies without a word
        link.channel.close()
    second = Side(folder, 2)
    assert second.opened == []
    assert second.hear(Greeted) == Greeted(launch.worker, frozenset({launch.name}))
    second.executor.stop(launch.name, launch.worker, "cancel")
    second.hear(Ends)
    second.close()
    first.selector.close()


def test_a_dead_worker_is_reported_and_replaced(side: Side) -> None:
    launch = side.launch("sleep", "0.01")
    side.hear(Ends)
    who = worker_identity(side.executor.folder / "workers" / launch.worker)
    assert who is not None
    os.kill(who["pid"], signal.SIGKILL)
    assert side.hear(Gone) == Gone(launch.worker)
    assert side.executor.assign() not in (None, launch.worker)


def test_a_folder_where_nobody_listens_is_a_dead_worker(folder: Path) -> None:
    (folder / "workers" / "old").mkdir()
    side = Side(folder, 1)
    assert side.opened == [Gone("old")]
    side.close()


def test_a_worker_that_does_not_answer_is_killed_in_the_end(folder: Path) -> None:
    first = Side(folder, 1)
    launch = first.launch("true")
    first.hear(Ends)
    who = worker_identity(folder / "workers" / launch.worker)
    assert who is not None
    os.kill(who["pid"], signal.SIGSTOP)
    for link in list(first.executor._links.values()):
        link.channel.close()
    second = Side(folder, 2)
    assert second.executor.assign() != launch.worker, "work goes to another one meanwhile"
    second.executor.tick()
    second.clock.advance(local.UNRESPONSIVE_S)
    second.executor.tick()
    assert second.hear(Gone) == Gone(launch.worker)
    second.close()
    first.selector.close()
