"""Backend over the Jobs API and the engine's extensions: the embedded engine, in process or behind a server.

Opened by registry. Everything is a call of client or extensions plus the pure steps of documents, runs and files.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from bundlectl.backends.base import BlobReader, Composed, Holding, LogChunk
from bundlectl.backends.jobs_api import documents, files, runs
from bundlectl.backends.jobs_api.client import JobsClient
from bundlectl.backends.jobs_api.documents import Hiding, Owner, Places
from bundlectl.backends.jobs_api.extensions import EngineCalls
from bundlectl.backends.jobs_api.transport import Transport
from bundlectl.model.artifact import file_snapshot
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed
from bundlectl.model.errors import Conflict, NotFound
from bundlectl.model.run import Run
from bundlectl.model.source import Snapshot


class JobsApiBackend:
    """See base.Backend for what each method promises."""

    def __init__(
        self,
        transport: Transport,
        capabilities: Capabilities,
        *,
        root_path: str,
        file_path: str,
        remote: bool = False,
    ) -> None:
        self._client = JobsClient(transport)
        self._engine = EngineCalls(self._client)
        self._places = Places(root_path.rstrip("/"), file_path.rstrip("/"))
        self._remote = remote
        self.capabilities = capabilities

    def identity(self) -> BackendIdentity:
        id = self._engine.identity()
        host = self._client.place if self._remote else None
        return BackendIdentity(kind=self.capabilities.kind, host=host, workspace_id=id)

    def observe(self, lineage: str | None, target: str) -> Observed:
        jobs = () if lineage is None else self._engine.owned_jobs(lineage, target)
        return Observed(read=True, jobs=jobs)

    def lineages(self, target: str) -> Mapping[str, int]:
        return documents.lineages(self._client.list_jobs(), self._places, target)

    def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        return {id: self._read_one(id) for id in ids}

    def _read_one(self, id: str) -> dict[str, Any] | None:
        try:
            settings = self._client.get_job(id)
        except NotFound:
            return None
        return documents.neutral(settings, self._places)

    def compose(
        self,
        spec: Mapping[str, Any],
        *,
        snapshot: str | None,
        lineage: str,
        target: str,
        key: str,
        own: str | None = None,
        hidden: bool = False,
    ) -> Composed:
        owner = Owner.derived(lineage, target, key, own)
        hiding = Hiding(hidden, in_name=not self.capabilities.hides)
        return documents.compose(spec, self._places, owner, snapshot, hiding)

    def has_snapshot(self, digest: str) -> bool:
        return self._engine.snapshot(digest).sealed

    def publish(self, snapshot: Snapshot, read_blobs: BlobReader) -> int:
        return files.publish(self._engine, snapshot, read_blobs)

    def has_file(self, sha256: str, name: str) -> bool:
        return self._engine.snapshot(file_snapshot(sha256, name).digest).sealed

    def publish_file(self, sha256: str, name: str, content: bytes) -> bool:
        snapshot = file_snapshot(sha256, name, len(content))
        return files.publish(self._engine, snapshot, lambda ids: dict.fromkeys(ids, content)) > 0

    def find(self, kind: str, name: str) -> tuple[str, ...] | None:
        return tuple(self._client.jobs_named(name)) if kind == "job" else None

    def create(self, composed: Composed, fence: int) -> str:
        return self._client.create_job(composed.document, key=composed.key, own=composed.own, fence=fence)

    def update(self, id: str, composed: Composed, fence: int) -> None:
        try:
            self._client.reset_job(id, composed.document, key=composed.key, fence=fence)
        except NotFound as error:
            raise Conflict(f"job {id} of jobs.{composed.key} no longer exists", code="BND703") from error

    def delete(self, id: str, fence: int) -> None:
        try:
            self._client.delete_job(id, fence=fence)
        except NotFound:
            return

    def holding(self, id: str) -> Holding:
        return documents.holding_of(self._client.get_job(id), self._places)

    def release(self, id: str, fence: int) -> None:
        try:
            settings = self._client.get_job(id)
            owner = documents.holding_of(settings, self._places).owner
            if owner is not None:
                document = documents.disowned(settings, self._places)
                self._client.reset_job(id, document, key=owner.key, fence=fence)
        except NotFound:
            return

    def active_runs(self, ids: Sequence[str]) -> dict[str, int]:
        return self._client.count_active(ids)

    def submit(self, job_id: str, *, parameters: Mapping[str, str], only: Sequence[str], token: str) -> str:
        return self._client.run_now(job_id, parameters=parameters, only=only, token=token)

    def run(self, run_id: str) -> Run:
        return runs.run_of(self._client.get_run(run_id))

    def runs(self, job_id: str | None, limit: int) -> list[Run]:
        return list(map(runs.run_of, islice(self._client.list_runs(job_id=job_id), max(0, limit))))

    def cancel(self, run_id: str) -> None:
        self._client.cancel_run(run_id)

    def log(self, task_run_id: str, offset: int) -> LogChunk:
        return self._engine.log(task_run_id, offset)

    def outcome(self, run_id: str) -> dict[str, Any]:
        return self._engine.outcome(run_id)

    def environment(self, job_id: str) -> list[dict[str, Any]]:
        return self._engine.environment(job_id)
