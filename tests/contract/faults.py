"""A transport that fails at the n-th request, in the ways in which the other side of a network fails.

Put between a client and any transport: in process, or over HTTP. What each fault leaves behind is said by its name.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bundlectl.backends.jobs_api.transport import Answer, NoAnswer, NotSent, Transport

Send = Callable[[], Answer]


def status(code: int, error_code: str) -> Callable[[Send], Answer]:
    """Answered without an effect."""

    def act(send: Send) -> Answer:
        return Answer(code, {"error_code": error_code, "message": "injected"})

    return act


def not_sent(send: Send) -> Answer:
    """No connection."""
    raise NotSent("connection refused")


def reset_before(send: Send) -> Answer:
    """The connection broke while the request was sent: no effect, which the sender cannot know."""
    raise NoAnswer("connection reset")


def lost_answer(send: Send) -> Answer:
    """It took effect, and the answer was lost."""
    send()
    raise NoAnswer("timed out")


def html(send: Send) -> Answer:
    """Something between answered with a page."""
    return Answer(502, "<html>bad gateway</html>")


def html_with_200(send: Send) -> Answer:
    """A login page, sent as if all was well."""
    return Answer(200, "<html>sign in</html>")


def truncated(send: Send) -> Answer:
    """It took effect, and half of the answer came."""
    send()
    return Answer(200, '{"job_id": 1')


def error_after(send: Send) -> Answer:
    """It took effect, and the server failed afterwards."""
    send()
    return Answer(500, {"error_code": "INTERNAL_ERROR", "message": "injected"})


FAULTS: Mapping[str, Callable[[Send], Answer]] = {
    "400": status(400, "INVALID_PARAMETER_VALUE"),
    "401": status(401, "UNAUTHENTICATED"),
    "403": status(403, "PERMISSION_DENIED"),
    "404": status(404, "RESOURCE_DOES_NOT_EXIST"),
    "409": status(409, "RESOURCE_CONFLICT"),
    "429": status(429, "RESOURCE_EXHAUSTED"),
    "500": status(500, "INTERNAL_ERROR"),
    "503": status(503, "TEMPORARILY_UNAVAILABLE"),
    "not sent": not_sent,
    "reset before": reset_before,
    "lost answer": lost_answer,
    "html": html,
    "html with 200": html_with_200,
    "truncated": truncated,
    "error after": error_after,
}


class Request(NamedTuple):
    """A request that was made."""

    method: str
    path: str


class Faulty:
    """A transport whose request number `at`, counted from 1, meets a fault; every request is written down.

    `repeats`: how many in a row do, from that one on.
    """

    def __init__(
        self, inner: Transport, at: int = 0, fault: Callable[[Send], Answer] = not_sent, repeats: int = 1
    ) -> None:
        self._inner = inner
        self._at = range(at, at + repeats)
        self._fault = fault
        self._counting = threading.Lock()
        self.requests: list[Request] = []

    @property
    def place(self) -> str:
        return self._inner.place

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        with self._counting:
            self.requests.append(Request(method, path))
            number = len(self.requests)

        def send() -> Answer:
            return self._inner.request(method, path, query, document, headers)

        return self._fault(send) if number in self._at else send()


class Hesitant:
    """A transport whose listings lag: what was made shows up only after `lag` listings."""

    def __init__(self, inner: Transport, lag: int) -> None:
        self._inner = inner
        self._lag = lag
        self._young: dict[Any, int] = {}

    @property
    def place(self) -> str:
        return self._inner.place

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        answer = self._inner.request(method, path, query, document, headers)
        if path.endswith("/jobs/create") and answer.status == 200:
            self._young[answer.document["job_id"]] = self._lag
        if method == "GET" and isinstance(answer.document, dict) and isinstance(answer.document.get("jobs"), list):
            listed = [job for job in answer.document["jobs"] if not self._is_young(job)]
            answer = Answer(answer.status, {**answer.document, "jobs": listed})
        return answer

    def _is_young(self, job: Any) -> bool:
        left = self._young.get(job["job_id"], 0)
        self._young[job["job_id"]] = left - 1
        return left > 0
