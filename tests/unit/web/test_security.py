"""What stands between the network and the engine: token, hosts, origins, limits; every route is behind the token."""

import contextlib
import http.client
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.clock import FrozenClock, SystemClock
from bundlectl.engine.api.routes import every_route
from bundlectl.engine.service import Engine
from bundlectl.model.errors import UsageError
from bundlectl.web.security import Guard, allowed_hosts, token_of
from bundlectl.web.settings import Settings, check_exposure
from tests.served import TOKEN, Served

_AUTH = {"Authorization": f"Bearer {TOKEN}"}
_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(tmp_path_factory.mktemp("served") / "engine", SystemClock(), user="ann@example.com")
    served = Served(engine)
    yield served
    served.stop()
    engine.stop()
    assert served.faults == []


def ask(
    served: Served, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(served.address.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def error(answer: tuple[int, dict[str, str], bytes]) -> str:
    document = json.loads(answer[2])
    assert set(document) == {"error_code", "message", "details"}
    return f"{answer[0]} {document['error_code']}"


# Token


def _path(pattern: str) -> str:
    path = pattern.replace("(?P<version>2\\.[012])", "2.2").replace("2\\.[012]", "2.1").replace("(?:/.*)?", "/x")
    for group in ("([^/]+)", "(.+)"):
        path = path.replace(group, "1")
    if "(" in path and "|" in path:
        before, _, rest = path.partition("(")
        path = before + rest.partition("|")[0] + rest.partition(")")[2]
    return path.replace("(", "").replace(")", "").replace(".*", "token").replace("\\", "")


@pytest.mark.parametrize("route", every_route(), ids=lambda route: f"{route.method} {route.path.pattern}")
def test_every_route_needs_a_token(served: Served, route: Any) -> None:
    path = _path(route.path.pattern)
    assert route.path.fullmatch(path), path
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": f"token={TOKEN}"}):
        answer = ask(served, route.method, path, None, headers)
        assert answer[0] in (401, 429)
        if route.method != "HEAD" and answer[0] == 401:
            assert error(answer) == "401 UNAUTHENTICATED"
            assert answer[1]["www-authenticate"] == "Bearer"


def test_paths_that_nobody_has_need_one_too(served: Served) -> None:
    for path in ("/", "/api", "/docs", "/openapi.json", "/metrics", "/static/x", "//healthz", "/healthz/"):
        assert ask(served, "GET", path)[0] in (401, 429), path


def test_two_paths_are_open_and_hold_no_secret(served: Served) -> None:
    assert ask(served, "GET", "/healthz")[2] == b'{"status":"ok"}'
    found = json.loads(ask(served, "GET", "/.well-known/databricks-config")[2])
    assert found == {"oidc_endpoint": f"{served.address}/oidc", "workspace_id": "1"}


def test_wrong_tokens_are_limited_and_the_right_one_never_is() -> None:
    clock = FrozenClock()
    guard = Guard(TOKEN, (), scheme="http", clock=clock)
    answers = [guard.token({"authorization": "Bearer x"}, "10.0.0.1") for _ in range(21)]
    assert [answer.status for answer in answers if answer] == [401] * 20 + [429]
    assert answers[-1] is not None and answers[-1].wait_s == 60
    assert guard.token({"authorization": f"Bearer {TOKEN}"}, "10.0.0.1") is None
    other = guard.token({}, "10.0.0.2")
    assert other is not None and other.status == 401
    clock.advance(61)
    later = guard.token({}, "10.0.0.1")
    assert later is not None and later.status == 401


def test_the_token_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "engine" / "token"
    before = os.umask(0)
    try:
        token, is_new = token_of(path)
    finally:
        os.umask(before)
    assert is_new and len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_of(path) == (token, False)


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        ("x" * 43, 0o644, "can be read by others"),
        ("short", 0o600, "holds no token"),
        ("two words " * 9, 0o600, "holds no token"),
    ],
)
def test_token_files_that_are_refused(tmp_path: Path, content: str, mode: int, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(UsageError, match=text) as raised:
        token_of(path)
    assert content not in f"{raised.value.summary}{raised.value.detail}{raised.value.hint}"


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("x" * 43)
    (tmp_path / "other").chmod(0o600)
    (tmp_path / "token").symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match="cannot read"):
        token_of(tmp_path / "token")


# Where it listens


def test_other_addresses_need_tls_or_a_proxy(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        check_exposure(Settings(host, 1, TOKEN))
    for host in ("0.0.0.0", "192.0.2.1", "jobs.example", "::"):
        with pytest.raises(UsageError, match="can be reached from other machines"):
            check_exposure(Settings(host, 1, TOKEN))
        check_exposure(Settings(host, 1, TOKEN, behind_proxy=True))
        check_exposure(Settings(host, 1, TOKEN, tls_cert=tmp_path / "c"))
    with pytest.raises(UsageError, match="--tls-key without --tls-cert"):
        check_exposure(Settings("127.0.0.1", 1, TOKEN, tls_key=tmp_path / "k"))


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:8472"])
def test_hosts_that_are_not_ours(served: Served, host: str) -> None:
    for path in ("/healthz", "/api/2.2/jobs/list"):
        assert error(ask(served, "GET", path, None, {**_AUTH, "Host": host})) == "421 MISDIRECTED_REQUEST"


def test_hosts_that_are_ours() -> None:
    assert allowed_hosts("127.0.0.1", 8472, (), secure=False) == {
        "127.0.0.1:8472", "localhost:8472", "[::1]:8472"
    }  # fmt: skip
    public = allowed_hosts("0.0.0.0", 443, ("jobs.example", "other:9"), secure=True)
    assert {"jobs.example", "jobs.example:443", "other:9", "localhost"} <= public
    assert not any("0.0.0.0" in name for name in public)


# Pages of others


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_pages_of_others_cannot_write(served: Served, headers: dict[str, str]) -> None:
    answer = ask(served, "POST", "/api/2.2/jobs/create", b"{}", {**_AUTH, **_JSON, **headers})
    assert error(answer) == "403 PERMISSION_DENIED"
    assert ask(served, "GET", "/api/2.2/jobs/list", None, {**_AUTH, **headers})[0] == 200


def test_our_own_page_may(served: Served) -> None:
    headers = {**_AUTH, **_JSON, "Origin": served.address, "Sec-Fetch-Site": "same-origin"}
    assert error(ask(served, "POST", "/api/2.2/jobs/get", b"{}", headers)) == "405 METHOD_NOT_ALLOWED"
    assert ask(served, "POST", "/api/2.2/jobs/create", b'{"name":"a"}', headers)[0] == 200


def test_a_preflight_is_refused_without_a_word_about_origins(served: Served) -> None:
    status, headers, _ = ask(served, "OPTIONS", "/api/2.2/jobs/create", None, {"Origin": "https://evil.example"})
    assert status == 403
    assert not any(name.startswith("access-control") for name in headers)
    assert ask(served, "TRACE", "/api/2.2/jobs/list", None, _AUTH)[0] == 405
    assert ask(served, "HEAD", "/api/2.2/jobs/list", None, _AUTH)[0] == 200


# Bodies


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken_for_json(served: Served, kind: str) -> None:
    headers = {**_AUTH, "Content-Type": kind} if kind else _AUTH
    assert error(ask(served, "POST", "/api/2.2/jobs/create", b'{"name":"a"}', headers)) == "415 MALFORMED_REQUEST"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a":', "line 1, column 6"),
        (b"\xff", "not UTF-8"),
        (b'{"a": NaN}', "not finite"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": "\\ud800"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number is too large"),
        (b"[]", "must be a JSON object"),
        (b"", "must be a JSON object"),
    ],
    ids=["cut", "latin", "nan", "inf", "half", "deep", "digits", "list", "empty"],
)
def test_bodies_that_are_no_json(served: Served, body: bytes, text: str) -> None:
    answer = ask(served, "POST", "/api/2.2/jobs/create", body, {**_AUTH, **_JSON})
    assert error(answer) == "400 MALFORMED_REQUEST"
    assert text in json.loads(answer[2])["message"]


def test_bodies_above_their_limit(served: Served) -> None:
    large = b'{"x": "' + b"y" * (1 << 20) + b'"}'
    assert error(ask(served, "POST", "/api/2.2/jobs/run-now", large, {**_AUTH, **_JSON})) == "413 REQUEST_TOO_LARGE"
    assert ask(served, "POST", "/api/2.2/jobs/create", large, {**_AUTH, **_JSON})[0] == 200
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2]))) as connection:
        head = f"POST /api/2.2/jobs/run-now HTTP/1.1\r\nHost: {served.address[7:]}\r\nAuthorization: Bearer {TOKEN}\r\n"
        head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        chunk = b"10000\r\n" + b"z" * 0x10000 + b"\r\n"
        with contextlib.suppress(OSError):  # it stops listening, which is the point
            for _ in range(100):
                connection.sendall(chunk)
        connection.settimeout(30)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_heads_above_their_limit(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2]))) as connection:
        connection.settimeout(30)
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000)
        assert b" 400 " in connection.recv(4096)[:20]


def test_queries_that_do_not_hold(served: Served) -> None:
    for query in ("job_id=1&job_id=2", "&".join(f"a{n}=1" for n in range(60)), "a=%ff"):
        answer = ask(served, "GET", f"/api/2.2/jobs/get?{query}", None, _AUTH)
        assert answer[0] == 400


def test_who_says_nothing_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundlectl.web.server._HEAD_S", 0.2)
    for begin in (b"", b"GET /healthz HT"):
        with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2]))) as connection:
            connection.sendall(begin)
            connection.settimeout(30)
            began = time.monotonic()
            assert connection.recv(100) == b""
            assert time.monotonic() - began < 25


def test_who_stops_half_way_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundlectl.web.bodies._PART_S", 0.2)
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2]))) as connection:
        head = f"POST /api/2.2/jobs/create HTTP/1.1\r\nHost: {served.address[7:]}\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        connection.settimeout(30)
        assert connection.recv(4096).startswith(b"HTTP/1.1 408")


# What comes back


def test_no_answer_has_the_token_or_a_place_of_this_machine(served: Served, tmp_path: Path) -> None:
    bodies = [b"", b"{}", b"[1]", b'{"job_id": "../x", "run_id": -1, "path": "/../../etc/passwd"}']
    for route in every_route():
        for body in bodies:
            kind = "application/octet-stream" if route.takes == "bytes" else "application/json"
            for path in (_path(route.path.pattern), _path(route.path.pattern).replace("/1", "/..%2f..%2fetc%2fpasswd")):
                status, headers, text = ask(served, route.method, path, body, {**_AUTH, "Content-Type": kind})
                assert status < 500 or status == 501, (route.method, path, body, text)
                whole = text + repr(headers).encode()
                assert TOKEN.encode() not in whole
                assert b"Traceback" not in whole and b"/tmp" not in whole and b"root:" not in whole


def test_every_answer_has_what_clients_and_browsers_need(served: Served) -> None:
    for path in ("/healthz", "/api/2.2/jobs/list", "/api/2.2/none"):
        headers = ask(served, "GET", path, None, _AUTH)[1]
        assert headers["x-databricks-org-id"] == "1" and headers["x-request-id"]
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_a_fault_says_its_number_and_nothing_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("secret words")

    monkeypatch.setattr(served.facts.engine, "handle", broken)
    status, headers, text = ask(served, "GET", "/api/2.2/jobs/list", None, _AUTH)
    assert status == 500 and b"secret" not in text
    assert headers["x-request-id"] in json.loads(text)["message"]
    assert [str(fault) for fault in served.faults] == ["secret words"]
    served.faults.clear()
