"""Short ways to ask an engine, with what every refusal must look like. Used by the tests of its API."""

from pathlib import Path
from typing import Any

from bundlectl.backends.jobs_api.transport import InProcessTransport
from bundlectl.base.clock import FrozenClock
from bundlectl.engine.service import Engine
from tests.served import Served

OURS = "/api/bundlectl/1"
# Clients of the platform repeat any error that contains one of these for five minutes.
RETRIED = (
    "Unexpected error",
    "Please try again later or try a faster operation.",
    "RPC token bucket limit has been exceeded",
    "ClusterNotReadyException",
    "Unknown worker environment",
    "does not have any associated worker environments",
)


class Api:
    """Short ways to ask: the handler in this process, or the same engine behind a server."""

    def __init__(self, folder: Path, over: str = "process") -> None:
        self.clock = FrozenClock()
        self.engine = Engine(folder, self.clock, user="ann@example.com", environment={"PATH": "/usr/bin:/bin"})
        self.served = Served(self.engine) if over == "http" else None
        self._transport = InProcessTransport(self.engine.handle) if self.served is None else self.served.transport()

    def close(self) -> None:
        if self.served is not None:
            self.served.stop()
        self.engine.stop()

    def call(
        self, method: str, path: str, /, document: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Any:
        """Status and document of one request; `path` below jobs/ unless it is absolute."""
        whole = path if path.startswith("/") else f"/api/2.2/jobs/{path}"
        texts = {name: str(value) for name, value in query.items()}
        return self._transport.request(method, whole, texts, document, headers or {})[:2]

    def get(self, path: str, /, **query: Any) -> Any:
        status, document = self.call("GET", path, **query)
        assert status == 200, document
        return document

    def post(self, path: str, /, headers: dict[str, str] | None = None, **body: Any) -> Any:
        status, document = self.call("POST", path, body, headers)
        assert status == 200, document
        return document

    def refused(
        self, method: str, path: str, /, document: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> str:
        """`status code: message` of a request that must be refused with the one error body."""
        status, answer = self.call(method, path, document, headers, **query)
        assert set(answer) == {"error_code", "message", "details"}, answer
        assert answer["details"] == []
        assert not any(text in answer["message"] for text in RETRIED)
        return f"{status} {answer['error_code']}: {answer['message']}"

    def create(self, **settings: Any) -> int:
        body = {"name": "etl", "tasks": [task("a")], **settings}
        job: int = self.post("create", **body)["job_id"]
        return job

    def run(self, job: int, **body: Any) -> int:
        run: int = self.post("run-now", job_id=job, **body)["run_id"]
        return run


def task(key: str, **more: Any) -> dict[str, Any]:
    kind = {} if any(name.endswith("_task") for name in more) else {"shell_task": {"command": ["true"]}}
    return {"task_key": key, **kind, **more}
