"""A backend that is not reached: one that this version does not connect to, or any while nothing may be asked.

Bundles for it load and plan, and a deploy is refused by name.

Opened by registry.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bundlectl.backends.base import BlobReader, Composed, Holding, LogChunk
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed
from bundlectl.model.errors import Unsupported
from bundlectl.model.run import Run
from bundlectl.model.source import Snapshot


class UnavailableBackend:
    """Answers what needs no connection; everything else raises Unsupported BND310."""

    def __init__(self, capabilities: Capabilities, host: str | None, *, offline: bool = False) -> None:
        self._host = host
        self._offline = offline
        self.capabilities = capabilities

    def identity(self) -> BackendIdentity:
        return BackendIdentity(kind=self.capabilities.kind, host=self._host)

    def observe(self, lineage: str | None, target: str) -> Observed:
        if self._offline:
            return Observed(read=False, why_not="nothing is asked over a network (--offline)")
        return Observed(read=False, why_not=f"this version of bundlectl does not connect to {self._name()}")

    def lineages(self, target: str) -> Mapping[str, int]:
        return {}

    def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        raise self._refusal("read jobs of")

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
        raise self._refusal("deploy to")

    def has_snapshot(self, digest: str) -> bool:
        raise self._refusal("deploy to")

    def publish(self, snapshot: Snapshot, read_blobs: BlobReader) -> int:
        raise self._refusal("deploy to")

    def has_file(self, sha256: str, name: str) -> bool:
        raise self._refusal("deploy to")

    def publish_file(self, sha256: str, name: str, content: bytes) -> bool:
        raise self._refusal("deploy to")

    def find(self, kind: str, name: str) -> tuple[str, ...] | None:
        return None

    def create(self, composed: Composed, fence: int) -> str:
        raise self._refusal("deploy to")

    def update(self, id: str, composed: Composed, fence: int) -> None:
        raise self._refusal("deploy to")

    def delete(self, id: str, fence: int) -> None:
        raise self._refusal("deploy to")

    def holding(self, id: str) -> Holding:
        raise self._refusal("read jobs of")

    def release(self, id: str, fence: int) -> None:
        raise self._refusal("deploy to")

    def active_runs(self, ids: Sequence[str]) -> dict[str, int]:
        raise self._refusal("read runs of")

    def submit(self, job_id: str, *, parameters: Mapping[str, str], only: Sequence[str], token: str) -> str:
        raise self._refusal("run jobs on")

    def run(self, run_id: str) -> Run:
        raise self._refusal("read runs of")

    def runs(self, job_id: str | None, limit: int) -> list[Run]:
        raise self._refusal("read runs of")

    def cancel(self, run_id: str) -> None:
        raise self._refusal("cancel runs on")

    def log(self, task_run_id: str, offset: int) -> LogChunk:
        raise self._refusal("read logs of")

    def outcome(self, run_id: str) -> dict[str, Any]:
        raise self._refusal("read runs of")

    def environment(self, job_id: str) -> list[dict[str, Any]]:
        raise self._refusal("run jobs on")

    def _name(self) -> str:
        kind = f'backend "{self.capabilities.kind}"'
        return f"{kind} at {self._host}" if self._host else kind

    def _refusal(self, verb: str) -> Unsupported:
        if self._offline:
            return Unsupported(
                f"cannot {verb} {self._name()}: nothing is asked over a network",
                detail="--offline, BUNDLECTL_OFFLINE or an untrusted source says so. Nothing was changed.",
                hint="leave --offline out",
            )
        return Unsupported(
            f"this version of bundlectl cannot {verb} {self._name()}",
            detail="Nothing was changed.",
            hint='to run these jobs on this machine, use a target with "bundlectl: {backend: local}"',
        )
