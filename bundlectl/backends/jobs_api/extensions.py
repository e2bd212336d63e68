"""Calls that only the embedded engine answers: identity, jobs by digest, code snapshots, logs, manifests.

Called by backend and files, through the client's exchange: the same errors, the same transport.
"""

from typing import Any, NamedTuple

from bundlectl.backends.base import LogChunk
from bundlectl.backends.jobs_api.answers import Call, unusable
from bundlectl.backends.jobs_api.client import JobsClient, number
from bundlectl.model.backend import ObservedJob
from bundlectl.model.errors import NotFound

_OURS = "/api/bundlectl/1"


class SnapshotState(NamedTuple):
    """What the engine has of a snapshot."""

    sealed: bool
    staged: frozenset[str]  # paths that were received; empty once sealed


class EngineCalls:
    """The engine's own routes."""

    def __init__(self, client: JobsClient) -> None:
        self._client = client

    def identity(self) -> str | None:
        """The engine's UUID; None while no engine exists there."""
        call = Call("identify itself")
        answer, document = self._client.ask(call, "GET", f"{_OURS}/identity")
        id = document.get("id")
        if id is not None and not isinstance(id, str):
            raise unusable(answer, call, self._client.place, missing="id that is text")
        return id

    def owned_jobs(self, lineage: str, target: str) -> tuple[ObservedJob, ...]:
        """Every job of a lineage and target, in one call."""
        call = Call("list jobs")
        answer, document = self._client.ask(call, "GET", f"{_OURS}/jobs", query={"lineage": lineage, "target": target})
        try:
            return tuple(
                [
                    ObservedJob(
                        str(job["job_id"]), job["own"], job["digest"], job.get("changed_by"), job.get("changed_at")
                    )
                    for job in document["jobs"]
                ]
            )
        except (KeyError, TypeError) as error:
            raise unusable(answer, call, self._client.place, missing="jobs with job_id, own and digest") from error

    def snapshot(self, digest: str) -> SnapshotState:
        """What is there of a snapshot; nothing, when it is not known."""
        call = Call(f"look for code {digest}")
        try:
            answer, document = self._client.ask(call, "GET", _snapshot_route(digest))
        except NotFound:
            return SnapshotState(sealed=False, staged=frozenset())
        staged = document.get("files", [])
        if not isinstance(document.get("sealed"), bool) or not isinstance(staged, list):
            raise unusable(answer, call, self._client.place, missing="sealed and files")
        return SnapshotState(document["sealed"], frozenset(path for path in staged if isinstance(path, str)))

    def send_file(self, digest: str, path: str, mode: str, content: bytes) -> None:
        """Stages one file. The same file again does no harm."""
        call = Call(f'store "{path}"', writes=True)
        query = {"path": path, "mode": mode}
        self._client.ask(call, "POST", f"{_snapshot_route(digest)}/files", query=query, document=content)

    def seal(self, digest: str) -> None:
        """Makes the staged files the snapshot. Raises BackendError when they do not add up to the digest."""
        call = Call(f"complete code {digest}", writes=True)
        self._client.ask(call, "POST", f"{_snapshot_route(digest)}/seal", document={})

    def log(self, task_run_id: str, offset: int) -> LogChunk:
        """Output of one attempt from a byte offset on."""
        call = Call(f"read the output of task run {task_run_id}")
        answer, document = self._client.ask(
            call,
            "GET",
            f"{_OURS}/runs/{number(task_run_id, 'task run')}/log",
            query={"offset": str(offset)},
        )
        text, after, size = document.get("text"), document.get("offset"), document.get("size")
        if not isinstance(text, str) or not isinstance(after, int) or not isinstance(size, int):
            raise unusable(answer, call, self._client.place, missing="text, offset and size")
        return LogChunk(text, after, size)

    def outcome(self, run_id: str) -> dict[str, Any]:
        """The outcome part of a run's manifest."""
        call = Call(f"read the manifest of run {run_id}")
        answer, document = self._client.ask(call, "GET", f"{_OURS}/runs/{number(run_id, 'run')}/manifest")
        outcome = document.get("outcome")
        if not isinstance(outcome, dict):
            raise unusable(answer, call, self._client.place, missing="outcome")
        return outcome

    def environment(self, job_id: str) -> list[dict[str, Any]]:
        """What a run of the job would find installed."""
        call = Call(f"read the environment of job {job_id}")
        answer, document = self._client.ask(
            call, "GET", f"{_OURS}/environment", query={"job_id": str(number(job_id, "job"))}
        )
        entries = document.get("environment")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise unusable(answer, call, self._client.place, missing="environment")
        return entries


def _snapshot_route(digest: str) -> str:
    return f"{_OURS}/snapshots/{digest}"  # sha256:<hex>: nothing in it needs quoting
