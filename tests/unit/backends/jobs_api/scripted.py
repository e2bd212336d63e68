"""A transport for tests that answers from a script and keeps what it was asked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bundlectl.backends.jobs_api.transport import Answer


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    document: Any
    headers: dict[str, str]


class ScriptedTransport:
    """Gives the next answer of its script; an exception in the script is raised."""

    place = "https://jobs.example"

    def __init__(self, *script: Answer | Exception) -> None:
        self._script = list(script)
        self.asked: list[Asked] = []

    def request(
        self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
    ) -> Answer:
        self.asked.append(Asked(method, path, dict(query), document, dict(headers)))
        answer = self._script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok(document: Any) -> Answer:
    return Answer(200, document)


def refused(status: int, error_code: str, message: str) -> Answer:
    return Answer(status, {"error_code": error_code, "message": message, "details": []})
