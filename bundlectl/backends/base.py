"""What a backend is: the protocol that every place where jobs live and run follows, and its small values.

Implemented by backends.jobs_api and by plug-ins, called by operations only. The errors that every backend maps its
failures to are those of model.errors. Proved by tests/contract/backend_suite.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from bundlectl.model.backend import BackendIdentity, Capabilities, Observed
from bundlectl.model.bundle import Target
from bundlectl.model.run import Run
from bundlectl.model.source import Snapshot

# The API of an engine as one function: (method, path, query, document, headers) -> (status, document).
Handler = Callable[[str, str, Mapping[str, str], Any, Mapping[str, str]], tuple[int, Any]]

# Contents of blobs by id; a KeyError means that the source no longer has one.
BlobReader = Callable[[Sequence[str]], Mapping[str, bytes]]


class BackendRequest(NamedTuple):
    """What a backend is opened with. Plug-ins (entry-point group `bundlectl.backends`) are called with this alone."""

    target: Target
    root_path: str  # workspace.root_path
    file_path: str  # workspace.file_path: what code paths in job documents start with
    open_engine: Callable[[], Handler]  # called only by backends that use the embedded engine
    artifact_path: str = ""  # workspace.artifact_path
    environment: Mapping[str, str] = {}  # the invoker's: hosts, credentials, proxies; never changed
    offline: bool = False  # nothing may be asked over a network


class Composed(NamedTuple):
    """A job document as a backend gets it."""

    document: dict[str, Any]
    digest: str  # sha256:<hex> of `document`: what observe() lists once the backend holds it
    own: str  # ownership id that it carries
    key: str  # of the job in the bundle, for messages


class Ownership(NamedTuple):
    """Whose job an object on a backend is."""

    own: str  # ownership id
    lineage: str
    target: str
    key: str


class Holding(NamedTuple):
    """What a job on a backend says about itself beside its settings."""

    owner: Ownership | None  # None: a job of nobody
    snapshot: str | None  # sha256:<hex> of the published code of this bundle that it runs


class LogChunk(NamedTuple):
    """Part of a task's output. Offsets are bytes."""

    text: str
    next_offset: int
    size: int  # of the whole output so far


class Backend(Protocol):
    """Where jobs live and run. Ids are text. Every method may raise BackendError, NotAuthenticated, NotPermitted.

    Nothing is adopted, changed or deleted by name: callers pass ids that were recorded, or observed with their
    ownership id. Writes take the `fence` of the recorded state; a backend that can refuses an older one (LeaseHeld
    BND402: a later deploy took over). A write that got no usable answer raises OutcomeUnknown; a create is never
    repeated blindly.
    """

    @property
    def capabilities(self) -> Capabilities:
        """Costs no call."""
        ...

    def identity(self) -> BackendIdentity: ...

    def observe(self, lineage: str | None, target: str) -> Observed:
        """All jobs that carry this lineage and target, with digests where the backend lists them. Costs no call
        without a lineage: then nothing was ever deployed.
        """
        ...

    def lineages(self, target: str) -> Mapping[str, int]:
        """How many jobs of this bundle and target each history of deployments has here: what a target without a state
        may have lost. One listing.
        """
        ...

    def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        """Documents in the form of JobSpec.document, plus what the backend filled in; None for a job that is gone."""
        ...

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
        """The document to send for a job document whose references are resolved. Pure; costs no call.

        `own` is given when it is not the derived one (after a rename). `hidden`: a deleted job that is kept; nothing
        starts it, it is not listed where the backend can hide jobs (else its name says that it is deleted), and `read`
        still gives the document it was composed from. Raises BackendError when the document has members that the
        backend writes itself.
        """
        ...

    def has_snapshot(self, digest: str) -> bool: ...

    def publish(self, snapshot: Snapshot, read_blobs: BlobReader) -> int:
        """Puts the code there, whole and immutable; how many files were sent. Repeating it is cheap and safe."""
        ...

    def has_file(self, sha256: str, name: str) -> bool:
        """Whether a built file with this content (64 hex digits) is there under this name."""
        ...

    def publish_file(self, sha256: str, name: str, content: bytes) -> bool:
        """Puts a built file there, immutable, for `model.artifact.published_path`; whether it was sent.

        Repeating it is cheap and safe.
        """
        ...

    def find(self, kind: str, name: str) -> tuple[str, ...] | None:
        """Ids of the objects of a lookup's kind that have exactly this name; None for a kind that it cannot answer."""
        ...

    def create(self, composed: Composed, fence: int) -> str:
        """The id of the new job. Raises OutcomeUnknown: then look for the ownership id, never just repeat."""
        ...

    def update(self, id: str, composed: Composed, fence: int) -> None:
        """Replaces all settings. Raises Conflict BND703 when the job is gone."""
        ...

    def delete(self, id: str, fence: int) -> None:
        """A job that is gone is fine."""
        ...

    def holding(self, id: str) -> Holding:
        """Whose job it is, and which code it runs. Raises NotFound for a job that is gone."""
        ...

    def release(self, id: str, fence: int) -> None:
        """Takes the mark of ownership off a job and leaves the rest as it is. A job that is gone is fine."""
        ...

    def active_runs(self, ids: Sequence[str]) -> dict[str, int]:
        """How many runs of each job are queued or under way; every given id has an entry."""
        ...

    def submit(self, job_id: str, *, parameters: Mapping[str, str], only: Sequence[str], token: str) -> str:
        """Starts a run and gives its id; the same `token` (at most 64 characters) gives the same run again.

        `only` names the tasks to run; empty means all.
        """
        ...

    def run(self, run_id: str) -> Run:
        """With every attempt of every task. Raises NotFound."""
        ...

    def runs(self, job_id: str | None, limit: int) -> list[Run]:
        """Newest first, without their tasks."""
        ...

    def cancel(self, run_id: str) -> None:
        """Asks for the end of a run; one that has ended is fine. Raises NotFound."""
        ...

    def log(self, task_run_id: str, offset: int) -> LogChunk:
        """Output of one attempt from a byte offset on. Raises NotFound."""
        ...

    def outcome(self, run_id: str) -> dict[str, Any]:
        """The `outcome` of the run's manifest. Raises NotFound."""
        ...

    def environment(self, job_id: str) -> list[dict[str, Any]]:
        """The `inputs.environment` entries of a run of this job, were it started now. Raises NotFound."""
        ...
