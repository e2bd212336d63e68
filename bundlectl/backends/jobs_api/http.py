"""The Jobs API over HTTP: one Transport for a remote `bundlectl serve` and for a workspace.

Opened by registry. Sends what client asks, tells apart what surely had no effect (NotSent) and what may have had one
(NoAnswer), waits where the other side asks for it, and hands back documents. Knows no calls and no credentials: those
come as a function that gives the Authorization header.
"""

import json
import threading
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bundlectl.backends.jobs_api.gate import Gate
from bundlectl.backends.jobs_api.transport import Answer, NoAnswer, NotSent
from bundlectl.base.clock import Clock

CONNECTIONS = 32
_CHUNK = 1 << 16
_REPEATED = (429, 500, 502, 503, 504)  # a GET that was answered so is asked again
_ASKS_TO_WAIT = (429, 503)
_REFUSED_FOR_NOW = (429,)  # the same for a write of a record: after a 503 it may have been carried out
_FIRST_PAUSE_S = 0.5
_SAFE = "%/:@!$&'()*+,;=~"  # what a caller has quoted stays as it is


class Limits(NamedTuple):
    """What one exchange may cost."""

    connect_s: float = 10.0
    read_s: float = 60.0  # between two parts of an answer
    whole_s: float = 300.0  # for a whole answer
    wait_s: float = 120.0  # from the first to the last time that a request is sent, when the other side asks to wait
    write_s: float = 25.0  # the same for a write of a record: with one repetition it ends before the lease may
    repeats: int = 4  # of a GET that failed on the other side
    answer_bytes: int = 256 << 20


class Network(NamedTuple):
    """What the invoker's environment says of the way there."""

    proxies: Mapping[str, str] = {}  # scheme -> address; never changed
    authorities: str | bool = True  # file with certificates, or the usual ones


_DEFAULTS = Limits()
_DIRECT = Network()


class HttpTransport:
    """Exchanges with `origin` (scheme, host and port). Threads share it; at most 32 requests are under way.

    `authorize` gives the value of the Authorization header and may raise what model.errors has for credentials.
    """

    def __init__(
        self,
        origin: str,
        authorize: Callable[[], str],
        clock: Clock,
        *,
        agent: str,
        network: Network = _DIRECT,
        limits: Limits = _DEFAULTS,
    ) -> None:
        self.place = origin
        self._host = urlsplit(origin).hostname or origin
        self._authorize = authorize
        self._clock = clock
        self._agent = agent
        self._network = network
        self._limits = limits
        self._sent = threading.local()
        self._adapter = _Adapter(self._begin)
        self._gate = Gate(CONNECTIONS)

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        """See transport.Transport."""
        asked = self._prepared(method, path, query, document, headers)
        # Files are named by what is in them: one that arrives late does no harm.
        writes = method != "GET" and not isinstance(document, bytes)
        until = self._clock.boot_s() + (self._limits.write_s if writes else self._limits.wait_s)
        repeats, pause = 0, _FIRST_PAUSE_S
        while True:
            with self._gate:
                if writes and self._clock.boot_s() > until:
                    raise NotSent(f"{self._host} takes so few requests at once that its turn did not come in time")
                try:
                    answer, wait = self._exchange(asked, _REFUSED_FOR_NOW if writes else _ASKS_TO_WAIT)
                except NoAnswer as error:
                    error.is_late = writes and self._clock.boot_s() > until
                    raise
            if answer.status == 429:
                self._gate.narrow()
            else:
                self._gate.widen()
            if wait is None and method == "GET" and answer.status in _REPEATED and repeats < self._limits.repeats:
                repeats += 1
                wait, pause = pause, pause * 2
            if wait is None or self._clock.boot_s() + wait > until:
                return answer
            self._clock.sleep(wait)

    def close(self) -> None:
        """Closes idle connections."""
        self._adapter.close()

    def _prepared(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        sent = {"Accept": "application/json", "User-Agent": self._agent, **headers}
        body: bytes | None = None
        if isinstance(document, bytes):
            body, sent["Content-Type"] = document, sent.get("Content-Type", "application/octet-stream")
        elif document is not None:
            body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
            sent["Content-Type"] = "application/json"
        url = f"{self.place}{quote(path, safe=_SAFE)}"
        if query:
            url = f"{url}?{urlencode(query)}"
        prepared = requests.PreparedRequest()
        # No hooks, cookies or `.netrc`: what is sent is what stands here.
        prepared.prepare(method=method, url=url, headers=sent, data=body)
        return prepared

    # One exchange

    def _begin(self) -> None:
        self._sent.begun = True

    def _exchange(self, asked: requests.PreparedRequest, asks_to_wait: tuple[int, ...]) -> tuple[Answer, float | None]:
        """The answer, and for how long the other side asks to wait before the request is sent again."""
        authorization = self._authorize()
        if authorization:
            asked.headers["Authorization"] = authorization
        self._sent.begun = False
        limits = self._limits
        try:
            response = self._adapter.send(
                asked,
                stream=True,
                timeout=(limits.connect_s, limits.read_s),
                verify=self._network.authorities,
                proxies=dict(self._network.proxies),
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(error) from error
        try:
            self._refuse_redirect(response)
            document = self._document(response, self._body(response))
        finally:
            response.close()
        wait = self._wait(response) if response.status_code in asks_to_wait else None
        return Answer(response.status_code, document, response.headers.get("X-Databricks-Org-Id")), wait

    def _failure(self, error: Exception) -> NotSent | NoAnswer:
        """Only whether the first byte of the request went out decides what is known about its effect."""
        late = isinstance(error, requests.Timeout)
        if self._sent.begun:
            return NoAnswer("no answer in time") if late else NoAnswer(f"the connection broke off ({_reason(error)})")
        if late:
            return NotSent(f"no connection to {self._host} in time", "BND711")
        if isinstance(error, requests.exceptions.ProxyError):
            return NotSent(f"the proxy cannot be used: {_reason(error)}")
        if isinstance(error, requests.exceptions.SSLError):
            return NotSent(f"certificate of {self._host}: {_reason(error)}", "BND709")
        if _is_caused_by(error, urllib3.exceptions.NameResolutionError):
            return NotSent(f"cannot resolve {self._host}")
        return NotSent(f"cannot connect to {self._host}: {_reason(error)}")

    def _refuse_redirect(self, response: requests.Response) -> None:
        if not 300 <= response.status_code < 400:
            return
        there = urlsplit(response.headers.get("Location", ""))
        place = f"{there.scheme}://{there.netloc}" if there.netloc else "another place"
        text = f"redirected to {place}; credentials are not sent there"
        # "See other" is how a request that was carried out may be answered; the rest says that it was not.
        raise NoAnswer(text, "BND708") if response.status_code == 303 else NotSent(text, "BND708")

    def _body(self, response: requests.Response) -> bytes:
        until = self._clock.boot_s() + self._limits.whole_s
        parts, size = [], 0
        try:
            for part in response.iter_content(_CHUNK):
                size += len(part)
                if size > self._limits.answer_bytes:
                    raise NoAnswer(f"the answer is larger than {self._limits.answer_bytes >> 20} MiB", "BND707")
                if self._clock.boot_s() > until:
                    raise NoAnswer(f"the answer took longer than {self._limits.whole_s:.0f} s")
                parts.append(part)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, requests.Timeout) or _is_caused_by(error, urllib3.exceptions.ReadTimeoutError):
                raise NoAnswer("the answer stopped half-way") from error
            raise NoAnswer("the answer is incomplete", "BND707") from error
        return b"".join(parts)

    def _document(self, response: requests.Response, body: bytes) -> Any:
        if not body:
            return {} if response.ok else ""
        if response.headers.get("Content-Type", "").startswith("application/octet-stream"):
            return body
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return body.decode("utf-8", "replace")

    def _wait(self, response: requests.Response) -> float | None:
        """Seconds that `Retry-After` asks for; None without a usable one."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdecimal() and len(text) < 10:
            return float(text)
        try:
            when = parsedate_to_datetime(text).timestamp()
        except (ValueError, OverflowError):
            return None
        return max(0.0, when - self._clock.now_ms() / 1000)


# Connections that say when a request begins to leave ---------------------------------------------------------------


class _Adapter(HTTPAdapter):
    """Pools whose connections call `begin` once connected, before the first byte of a request."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._pools = _pools(begin)
        super().__init__(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0, pool_block=True)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(begin: Callable[[], None]) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
            if self.sock is None:
                self.connect()
            begin()
            super().endheaders(message_body, encode_chunked=encode_chunked)

    class Secured(HTTPSConnection):
        def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
            if self.sock is None:
                self.connect()
            begin()
            super().endheaders(message_body, encode_chunked=encode_chunked)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecuredPool(HTTPSConnectionPool):
        ConnectionCls = Secured

    return {"http": PlainPool, "https": SecuredPool}


def _is_caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(each, kind) for each in _chain(error))


def _reason(error: BaseException) -> str:
    """What the system said, without addresses of objects and the layers around it."""
    for each in _chain(error):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    last = list(_chain(error))[-1]
    return str(last).rpartition(">: ")[2] or type(last).__name__


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what it was made of, outermost first."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < 16:
        each = waiting.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        inner = [item for item in each.args if isinstance(item, BaseException)]
        reason = getattr(each, "reason", None)
        waiting += [*inner, reason if isinstance(reason, BaseException) else None, each.__cause__, each.__context__]
    return found
