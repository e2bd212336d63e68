"""How a request reaches the Jobs API: the Transport protocol, one for an engine in this process, one opened late.

Used by client. Whoever carries requests over a network is another Transport; documents, statuses and error bodies
are the same.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from bundlectl.backends.base import Handler


class Answer(NamedTuple):
    """What came back. `document` is decoded JSON; text or bytes when it was none."""

    status: int
    document: Any
    workspace: str | None = None  # id of the workspace, where the answer says it


class NotSent(Exception):
    """The request surely had no effect: no connection, name not known, certificate refused. `code` is a BND7xx."""

    def __init__(self, text: str, code: str = "BND710") -> None:
        super().__init__(text)
        self.code = code


class NoAnswer(Exception):
    """The request was sent, wholly or in part, and no complete answer came: it may have taken effect.

    `is_late`: so much time has passed that a write may not be sent again; the lease it was made under may have ended.
    """

    def __init__(self, text: str, code: str = "BND711") -> None:
        super().__init__(text)
        self.code = code
        self.is_late = False


class Transport(Protocol):
    """One exchange. Threads may call it at once."""

    @property
    def place(self) -> str:
        """Where requests go, for messages: `the local engine`, `https://...`."""
        ...

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        """Sends one request; `document` is JSON, bytes, or None for no body.

        May by itself repeat a GET, what was answered 429 with Retry-After, and a file that was answered 503 with it;
        nothing else. A write of a record is not sent again later than a lease allows.
        Raises NotSent, NoAnswer.
        """
        ...


class InProcessTransport:
    """Calls the engine's handler function."""

    def __init__(self, handler: Handler, place: str = "the local engine") -> None:
        self._handler = handler
        self.place = place

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        return Answer(*self._handler(method, path, query, document, headers))


class DeferredTransport:
    """A transport that is opened by its first use: what asks nothing needs no credentials, and loads nothing.

    Its methods raise what `open_transport` raises too.
    """

    def __init__(self, open_transport: Callable[[], Transport]) -> None:
        self._open = open_transport
        self._lock = threading.Lock()
        self._transport: Transport | None = None

    @property
    def place(self) -> str:
        return self._opened().place

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        return self._opened().request(method, path, query, document, headers)

    def _opened(self) -> Transport:
        with self._lock:
            if self._transport is None:
                self._transport = self._open()
            return self._transport
