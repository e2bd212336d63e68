"""The HTTP transport against a socket that answers byte for byte what a test says, or breaks off."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bundlectl.backends.jobs_api.gate import Gate
from bundlectl.backends.jobs_api.http import HttpTransport, Limits, Network
from bundlectl.backends.jobs_api.transport import Answer, NoAnswer, NotSent
from bundlectl.base.clock import FrozenClock

_QUICK = Limits(connect_s=0.5, read_s=0.3, whole_s=5.0, wait_s=60.0, repeats=2, answer_bytes=4096)


class Peer:
    """Takes a connection for each answer of its script; None closes it without a word, b"" waits for ever."""

    def __init__(self, *script: bytes | None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._script = script
        self._waiting: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for answer in self._script:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(10)
            self.requests.append(_read(connection))
            if answer == b"":
                self._waiting.append(connection)
                continue
            with contextlib.suppress(OSError):
                if answer is not None:
                    connection.sendall(answer)
            connection.close()

    def close(self) -> None:
        self._listening.close()
        for connection in self._waiting:
            connection.close()


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: str, body: bytes = b"{}", *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    made: list[Peer] = []
    yield made
    for peer in made:
        peer.close()


def _ask(peer: Peer, method: str = "GET", document: Any = None, *, clock: FrozenClock | None = None) -> Answer:
    transport = HttpTransport(
        peer.address, lambda: "Bearer secret", clock or FrozenClock(), agent="bundlectl/1", limits=_QUICK
    )
    return transport.request(method, "/api/2.2/jobs/get", {"job_id": "7"}, document, {"If-Fence": "3"})


def test_what_is_sent(peers: list[Peer]) -> None:
    peers.append(Peer(answer("200 OK", b'{"job_id": 7}')))
    assert _ask(peers[0], "POST", {"a": "\u00e9"}) == Answer(200, {"job_id": 7})
    head, _, body = peers[0].requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/2.2/jobs/get?job_id=7 HTTP/1.1"
    assert {"Authorization: Bearer secret", "If-Fence: 3", "Content-Type: application/json"} <= set(lines)
    assert body == '{"a":"\u00e9"}'.encode()


@pytest.mark.parametrize(
    ("raw", "document"),
    [
        (answer("200 OK", b"<html>log in</html>", kind="text/html"), "<html>log in</html>"),
        (answer("200 OK", b'{"cut', kind="application/json"), '{"cut'),
        (answer("200 OK", b"[" * 3000), "[" * 3000),
        (answer("200 OK", b'{"a": 1}', kind="application/octet-stream"), b'{"a": 1}'),
        (answer("200 OK", b""), {}),
        (answer("404 Not Found", b'{"error_code": "X"}'), {"error_code": "X"}),
    ],
    ids=["page", "cut", "deep", "bytes", "empty", "refused"],
)
def test_what_an_answer_becomes(peers: list[Peer], raw: bytes, document: Any) -> None:
    peers.append(Peer(raw))
    assert _ask(peers[0]).document == document


@pytest.mark.parametrize(
    ("raw", "error", "code", "text"),
    [
        (None, NoAnswer, "BND711", "the connection broke off"),
        (b"", NoAnswer, "BND711", "no answer in time"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", NoAnswer, "BND707", "the answer is incomplete"),
        (answer("200 OK", b"x" * 5000), NoAnswer, "BND707", "the answer is larger than"),
        (b"nonsense\r\n\r\n", NoAnswer, "BND711", "the connection broke off"),
        (answer("302 Found", b"", "Location: https://evil.example/x?t=1"), NotSent, "BND708",
         "redirected to https://evil.example; credentials are not sent there"),
        (answer("308 Moved", b"", "Location: /elsewhere"), NotSent, "BND708", "redirected to another place"),
        (answer("303 See Other", b"", "Location: https://evil.example"), NoAnswer, "BND708", "redirected to"),
    ],
)  # fmt: skip
def test_what_may_have_had_an_effect(
    peers: list[Peer], raw: bytes | None, error: type[Exception], code: str, text: str
) -> None:
    peers.append(Peer(raw))
    with pytest.raises(error, match=text) as raised:
        _ask(peers[0], "POST", {})
    assert raised.value.code == code  # type: ignore[attr-defined]  # both kinds have one
    assert len(peers[0].requests) == 1


def test_what_had_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for origin, text in (
        (f"http://127.0.0.1:{port}", "cannot connect to 127.0.0.1: Connection refused"),
        ("https://no-such-host.invalid", "cannot resolve no-such-host.invalid"),
    ):
        transport = HttpTransport(origin, lambda: "Bearer secret", FrozenClock(), agent="t", limits=_QUICK)
        with pytest.raises(NotSent, match=text) as raised:
            transport.request("POST", "/x", {}, {}, {})
        assert raised.value.code == "BND710"


def test_a_proxy_that_is_not_there_had_no_effect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    network = Network({"https": f"http://127.0.0.1:{port}"})
    transport = HttpTransport(
        "https://jobs.example", lambda: "Bearer secret", FrozenClock(), agent="t", limits=_QUICK, network=network
    )
    with pytest.raises(NotSent, match="the proxy cannot be used"):
        transport.request("POST", "/x", {}, {}, {})


def test_a_peer_without_tls_is_never_told_the_token(peers: list[Peer]) -> None:
    peers.append(Peer(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    transport = HttpTransport(
        peers[0].address.replace("http:", "https:"), lambda: "Bearer secret", FrozenClock(), agent="t", limits=_QUICK
    )
    with pytest.raises(NotSent, match=r"certificate of 127\.0\.0\.1|no connection to 127\.0\.0\.1"):
        transport.request("POST", "/x", {}, {}, {})
    assert all(b"secret" not in request for request in peers[0].requests)


@pytest.mark.parametrize(("method", "document"), [("GET", None), ("PUT", b"a file")])
def test_it_waits_as_long_as_it_is_asked_to(peers: list[Peer], method: str, document: Any) -> None:
    peers.append(
        Peer(
            answer("429 Too Many Requests", b"{}", "Retry-After: 37"),
            answer("503 x", b"{}", "Retry-After: 3"),
            answer("200 OK"),
        )
    )
    clock = FrozenClock()
    before = clock.boot_s()
    assert _ask(peers[0], method, document, clock=clock).status == 200
    assert clock.boot_s() - before == 40


def test_a_write_is_not_sent_again_when_its_lease_may_have_ended(peers: list[Peer]) -> None:
    limited = [answer("429 Too Many Requests", b"{}", "Retry-After: 10")] * 4
    peers.append(Peer(*limited))
    clock = FrozenClock()
    before = clock.boot_s()
    assert _ask(peers[0], "POST", {}, clock=clock).status == 429
    assert (len(peers[0].requests), clock.boot_s() - before) == (3, 20)
    peers.append(Peer(answer("429 Too Many Requests", b"{}", "Retry-After: 30"), answer("200 OK")))
    assert _ask(peers[1], "POST", {}, clock=clock).status == 429
    assert len(peers[1].requests) == 1


def test_a_write_that_was_answered_503_may_have_been_carried_out(peers: list[Peer]) -> None:
    peers.append(Peer(answer("503 x", b"{}", "Retry-After: 1"), answer("200 OK")))
    assert _ask(peers[0], "POST", {}).status == 503
    assert len(peers[0].requests) == 1


class _Passing(FrozenClock):
    """Every look at it, half a minute has gone by."""

    def boot_s(self) -> float:
        self.advance(30)
        return super().boot_s()


def test_an_answer_that_was_lost_late_says_so(peers: list[Peer]) -> None:
    peers.append(Peer(None, None))
    transport = HttpTransport(peers[0].address, lambda: "", FrozenClock(), agent="t", limits=_QUICK)
    with pytest.raises(NoAnswer) as soon:
        transport.request("POST", "/x", {}, {}, {})
    assert not soon.value.is_late
    slow = HttpTransport(*(peers[0].address, lambda: "", _Passing()), agent="t", limits=_QUICK._replace(write_s=45.0))
    with pytest.raises(NoAnswer) as late:
        slow.request("POST", "/x", {}, {}, {})
    assert late.value.is_late


def test_a_write_whose_turn_comes_too_late_is_not_sent(peers: list[Peer]) -> None:
    peers.append(Peer(answer("200 OK")))
    transport = HttpTransport(peers[0].address, lambda: "", _Passing(), agent="t", limits=_QUICK)
    with pytest.raises(NotSent, match="its turn did not come in time"):
        transport.request("POST", "/x", {}, {}, {})
    assert peers[0].requests == []


@pytest.mark.parametrize("wait", ["3600", "Wed, 01 Jan 2098 00:00:00 GMT"])
def test_it_does_not_wait_longer_than_it_may(peers: list[Peer], wait: str) -> None:
    peers.append(Peer(answer("429 Too Many Requests", b"{}", f"Retry-After: {wait}")))
    clock = FrozenClock()
    before = clock.boot_s()
    assert _ask(peers[0], clock=clock).status == 429
    assert clock.boot_s() == before


def test_only_a_get_is_repeated_by_itself(peers: list[Peer]) -> None:
    peers.append(Peer(answer("500 x"), answer("502 x"), answer("200 OK")))
    assert _ask(peers[0]).status == 200
    peers.append(Peer(answer("500 x"), answer("200 OK")))
    assert _ask(peers[1], "POST", {}).status == 500
    assert len(peers[1].requests) == 1


def test_a_gate_narrows_and_widens() -> None:
    gate = Gate(8)
    gate.narrow()
    gate.narrow()
    assert gate.width == 2
    for _ in range(100):
        gate.widen()
    assert gate.width == 8
    for _ in range(9):
        gate.narrow()
    assert gate.width == 1
    inside: list[int] = []

    def enter() -> None:
        with gate:
            inside.append(1)

    with gate:
        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        thread.join(0.05)
        assert inside == []
    thread.join(10)
    assert inside == [1]
