"""Messages over a socket: in order, whole, however they are cut."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.channel import Channel, Closed, short_path, wake


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    left, right = map(Channel, socket.socketpair())
    yield left, right
    left.close()
    right.close()


def test_messages_arrive_in_order(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    for number in range(3):
        left.put({"n": number, "text": "a\nb"})
    assert left.flush()
    assert right.receive() == [{"n": number, "text": "a\nb"} for number in range(3)]
    assert right.receive() == []


def test_what_does_not_fit_waits(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.put({"text": "x" * (4 << 20)})
    assert not left.flush()
    found: list[dict[str, Any]] = []
    sent = False
    while not found:
        found = right.receive()
        sent = left.flush()
    assert sent
    assert len(found[0]["text"]) == 4 << 20


def test_the_last_messages_are_read_before_the_end(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.put({"n": 1})
    left.flush()
    left.close()
    assert right.receive() == [{"n": 1}]
    with pytest.raises(Closed):
        right.receive()
    with pytest.raises(Closed):
        right.put({})
        right.flush()


def test_deep_folders_have_a_short_path(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder"] * 20)
    deep.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        with short_path(deep, "wake") as path:
            server.bind(path)
        assert (deep / "wake").exists()
        wake(deep)
        assert server.recv(10) == b"1"
    wake(tmp_path)  # nobody there
