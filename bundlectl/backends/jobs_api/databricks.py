"""Backend over a workspace: jobs with their permissions, code as workspace files, drift from one listing.

Opened by registry. A workspace keeps only members that it knows, so whose a job is stands in its deployment path
(marks), and a copy of our own is compared by a digest without what a workspace fills in.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final

from bundlectl.backends.base import BlobReader, Composed, Holding, LogChunk
from bundlectl.backends.jobs_api import documents, marks, outcomes, runs, workspace_files
from bundlectl.backends.jobs_api.answers import Call
from bundlectl.backends.jobs_api.client import JobsClient, number
from bundlectl.backends.jobs_api.documents import Hiding, Owner, Places
from bundlectl.backends.jobs_api.hiding import MARK
from bundlectl.backends.jobs_api.transport import Transport
from bundlectl.backends.jobs_api.workspace_calls import WorkspaceCalls
from bundlectl.model.artifact import ArtifactFile, published_path
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed, ObservedJob
from bundlectl.model.errors import BackendError, Conflict, NotFound
from bundlectl.model.run import Run
from bundlectl.model.source import Snapshot, snapshot_path

_AT_ONCE: Final = 16
_OWNER: Final = "IS_OWNER"


class DatabricksBackend:
    """See base.Backend for what each method promises."""

    def __init__(
        self,
        transport: Transport,
        capabilities: Capabilities,
        *,
        root_path: str,
        file_path: str,
        artifact_path: str = "",
    ) -> None:
        self._client = JobsClient(transport)
        self._workspace = WorkspaceCalls(self._client)
        self._places = Places(root_path.rstrip("/"), file_path.rstrip("/"))
        self._artifacts = artifact_path or f"{self._places.root_path}/artifacts"
        self._lock = threading.Lock()
        self._listed: dict[str, dict[str, Any]] = {}  # marked documents of the last listing, until they are read
        self._identity: tuple[str, str | None] | None = None
        self.capabilities = capabilities

    def identity(self) -> BackendIdentity:
        return BackendIdentity(kind=self.capabilities.kind, host=self._client.place, workspace_id=self._me()[1])

    def _me(self) -> tuple[str, str | None]:
        if self._identity is None:
            self._identity = self._workspace.me()
        return self._identity

    # Jobs

    def observe(self, lineage: str | None, target: str) -> Observed:
        if lineage is None:
            return Observed(read=True)
        ours = []
        for job in self._client.list_jobs():
            settings = job.get("settings") or {}
            mark = marks.mark_of(settings, self._places)
            if mark is not None and (mark["lineage"], mark["target"]) == (lineage, target):
                ours.append((str(job["job_id"]), settings, bool(job.get("has_more"))))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            whole = list(pool.map(self._whole, ours))
        found = [(id, document) for (id, _, _), document in zip(ours, whole, strict=True) if document is not None]
        with self._lock:
            self._listed = dict(found)
        jobs = [ObservedJob(id, document["bundlectl"]["own"], marks.digest_of(document)) for id, document in found]
        return Observed(read=True, jobs=tuple(jobs))

    def _whole(self, job: tuple[str, dict[str, Any], bool]) -> dict[str, Any] | None:
        """The marked document of a listed job; None for one that has gone since."""
        id, settings, is_part = job
        try:
            return self._marked(id, self._client.get_job(id) if is_part else settings)
        except NotFound:
            return None

    def _marked(self, id: str, settings: dict[str, Any]) -> dict[str, Any]:
        asked = marks.has_permissions(settings, self._places)
        entries = marks.direct_entries(self._workspace.permissions(id)) if asked else None
        return marks.marked(settings, self._places, entries)

    def lineages(self, target: str) -> Mapping[str, int]:
        return documents.lineages(self._client.list_jobs(), self._places, target)

    def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(ids, pool.map(self._read_one, ids), strict=True))

    def _read_one(self, id: str) -> dict[str, Any] | None:
        with self._lock:
            document = self._listed.pop(id, None)
        if document is None:
            try:
                document = self._marked(id, self._client.get_job(id))
            except NotFound:
                return None
        return documents.neutral(document, self._places)

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
        return marks.with_digest(documents.compose(spec, self._places, owner, snapshot, Hiding(hidden, in_name=True)))

    def create(self, composed: Composed, fence: int) -> str:
        sent = marks.unmarked(composed.document, self._places)
        settings = sent.settings
        if sent.permissions is not None:
            settings = {**settings, "access_control_list": self._with_owner(sent.permissions)}
        return self._client.create_job(settings, key=composed.key, own=composed.own, fence=fence)

    def update(self, id: str, composed: Composed, fence: int) -> None:
        sent = marks.unmarked(composed.document, self._places)
        self._forget(id)
        try:
            had = sent.permissions is None and marks.has_permissions(self._client.get_job(id), self._places)
            # Permissions first: a job whose settings are new already is not looked at again after a failure between.
            if sent.permissions is not None or had:
                self._workspace.set_permissions(id, self._with_owner(sent.permissions or []), composed.key)
            self._client.reset_job(id, sent.settings, key=composed.key, fence=fence)
        except NotFound as error:
            raise Conflict(f"job {id} of jobs.{composed.key} no longer exists", code="BND703") from error

    def _with_owner(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Every job has exactly one owner: whoever deploys, unless the bundle names another."""
        if any(entry.get("permission_level") == _OWNER for entry in entries):
            return entries
        return [*entries, {"user_name": self._me()[0], "permission_level": _OWNER}]

    def delete(self, id: str, fence: int) -> None:
        self._forget(id)
        try:
            self._client.delete_job(id, fence=fence)
        except NotFound:
            return

    def holding(self, id: str) -> Holding:
        return documents.holding_of(marks.marked(self._client.get_job(id), self._places, None), self._places)

    def release(self, id: str, fence: int) -> None:
        self._forget(id)
        try:
            document = marks.marked(self._client.get_job(id), self._places, None)
            owner = documents.holding_of(document, self._places).owner
            if owner is not None:
                free = documents.disowned(document, self._places)
                free.pop("bundlectl", None)
                self._client.reset_job(id, free, key=owner.key, fence=fence)
        except NotFound:
            return

    def _forget(self, id: str) -> None:
        with self._lock:
            self._listed.pop(id, None)

    def find(self, kind: str, name: str) -> tuple[str, ...] | None:
        return tuple(self._client.jobs_named(name)) if kind == "job" else self._workspace.named(kind, name)

    # Code

    def has_snapshot(self, digest: str) -> bool:
        return workspace_files.is_published(self._workspace, self._folder(digest))

    def publish(self, snapshot: Snapshot, read_blobs: BlobReader) -> int:
        return workspace_files.publish(self._workspace, self._folder(snapshot.digest), snapshot, read_blobs)

    def has_file(self, sha256: str, name: str) -> bool:
        return self._workspace.exists(self._artifact(sha256, name))

    def publish_file(self, sha256: str, name: str, content: bytes) -> bool:
        path = self._artifact(sha256, name)
        if self._workspace.exists(path):
            return False
        workspace_files.check_content(name, sha256, content)
        self._workspace.make_folder(path.rpartition("/")[0])
        self._workspace.send_file(path, content)
        return True

    def _artifact(self, sha256: str, name: str) -> str:
        return published_path(self._artifacts, ArtifactFile(path=name, name=name, sha256=sha256))

    def _folder(self, digest: str) -> str:
        return snapshot_path(self._places.root_path, digest)

    # Runs

    def active_runs(self, ids: Sequence[str]) -> dict[str, int]:
        return self._client.count_active(ids)

    def submit(self, job_id: str, *, parameters: Mapping[str, str], only: Sequence[str], token: str) -> str:
        name = self._client.get_job(job_id).get("name")
        if isinstance(name, str) and name.startswith(MARK):
            raise Conflict(f"job {job_id} is deleted and kept; bring it back to run it")
        return self._client.run_now(job_id, parameters=parameters, only=only, token=token)

    def run(self, run_id: str) -> Run:
        return runs.run_of(self._client.get_run(run_id))

    def runs(self, job_id: str | None, limit: int) -> list[Run]:
        return list(map(runs.run_of, islice(self._client.list_runs(job_id=job_id), max(0, limit))))

    def cancel(self, run_id: str) -> None:
        self._client.cancel_run(run_id)

    def log(self, task_run_id: str, offset: int) -> LogChunk:
        """A workspace tells the end of an output, and only when there is one."""
        document = self._output(task_run_id) or {}
        text = next((document[name] for name in ("logs", "error_trace", "error") if document.get(name)), "")
        whole = str(text).encode("utf-8", "surrogatepass")
        return LogChunk(whole[offset:].decode("utf-8", "replace"), max(offset, len(whole)), len(whole))

    def _output(self, task_run_id: str) -> dict[str, Any] | None:
        """None when there is none yet, or the task is of a kind that has none."""
        call = Call(f"read the output of task run {task_run_id}")
        query = {"run_id": str(number(task_run_id, "task run"))}
        try:
            return self._client.ask(call, "GET", "/api/2.2/jobs/runs/get-output", query=query)[1]
        except BackendError as error:
            if error.status != 400:
                raise
            return None

    def outcome(self, run_id: str) -> dict[str, Any]:
        run = self._client.get_run(run_id)
        ids = [str(task.get("run_id")) for task in run.get("tasks") or ()]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outputs = dict(zip(ids, pool.map(self._output, ids), strict=True))
        return outcomes.outcome_of(run, outputs)

    def environment(self, job_id: str) -> list[dict[str, Any]]:
        """What a cluster has installed is not told before it runs."""
        self._client.get_job(job_id)
        return []
