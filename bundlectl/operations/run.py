"""Address -> job id -> manifest inputs -> submit -> follow -> sealed manifest.

Runs what is recorded as deployed, never what the working tree says. The inputs are recorded before the run starts,
the outcome once, at the end, also after an interrupt.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bundlectl.backends.base import Backend
from bundlectl.base.clock import rfc3339
from bundlectl.base.digest import digest_document
from bundlectl.base.identifiers import random_id
from bundlectl.base.suggest import nearest
from bundlectl.model.artifact import ARTIFACT_MARK, PublishedPath, split_published_path
from bundlectl.model.deployment import DeployedJob, Deployment
from bundlectl.model.errors import BundlectlError, Interrupted, NotFound
from bundlectl.model.events import Notice, RunProgress, TaskOutput
from bundlectl.model.location import address, key_of
from bundlectl.model.manifest import open_manifest, seal
from bundlectl.model.run import Result, Run, TaskRun
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.world import World, open_world
from bundlectl.planning.references import with_known_ids
from bundlectl.state.store import RunRecords

# How often a run is asked for its state: quick at first, so that short runs end promptly.
_POLL_S = (0.02, 0.25)
_CANCEL_WAIT_S = 60.0

# Version of the run semantics that the engine implements; part of a run's inputs.
ENGINE_SEMANTICS = "1"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What `run` was asked for."""

    job: str
    parameters: dict[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    wait: bool = True
    token: str | None = None
    logs: str = "failed"  # none, failed or all
    timeout_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run that was started, and its manifest; `manifest` has no outcome when it was not waited for."""

    key: str
    run: Run
    manifest: dict[str, Any]
    timed_out: bool = False

    @property
    def address(self) -> str:
        return address(self.key)


def run(context: OperationContext, request: RunRequest) -> RunResult:
    """Starts a deployed job and follows it. Raises NotFound, Interrupted (after the cancel is recorded)."""
    refuse_untrusted(context)
    world = open_world(context)
    deployment = world.deployed
    key = _job_key(deployment, request.job)
    job = deployment.jobs[key]
    manifest = open_manifest(_inputs(context, world, deployment, key, job, request))
    store = world.runs
    with context.driving():
        token = request.token or random_id()
        run_id = world.backend.submit(job.id, parameters=request.parameters, only=request.only, token=token)
        _record(context, store, run_id, manifest, f"run {run_id} of {key} begins")
        if not request.wait:
            return RunResult(key=key, run=world.backend.run(run_id), manifest=manifest)
        return _follow_to_end(context, world.backend, store, key, run_id, manifest, request)


def _follow_to_end(
    context: OperationContext,
    backend: Backend,
    store: RunRecords,
    key: str,
    run_id: str,
    manifest: dict[str, Any],
    request: RunRequest,
) -> RunResult:
    interrupted = False
    timed_out = False
    try:
        ended, timed_out = follow(context, backend, key, run_id, logs=request.logs, timeout_s=request.timeout_s)
    except KeyboardInterrupt:
        interrupted = True
        ended = _cancel(context, backend, key, run_id)
    if not ended.is_terminal:
        if interrupted:
            raise Interrupted(
                f"interrupted; run {run_id} has not confirmed its cancellation yet", hint=f"bundlectl runs get {run_id}"
            )
        return RunResult(key=key, run=ended, manifest=manifest, timed_out=timed_out)
    sealed = seal(manifest, _outcome(context, backend, run_id), rfc3339(context.clock.now_ms()))
    _record(context, store, run_id, sealed, f"run {run_id} of {key} ended {(ended.result or ended.state).value}")
    if interrupted:
        how = "was cancelled" if ended.result is Result.CANCELED else f"had ended {(ended.result or ended.state).value}"
        raise Interrupted(f"interrupted; run {run_id} {how} and is recorded", hint=f"bundlectl runs get {run_id}")
    return RunResult(key=key, run=ended, manifest=sealed)


def _outcome(context: OperationContext, backend: Backend, run_id: str) -> dict[str, Any]:
    """The outcome as the backend tells it, with who started the run: the embedded engine knows no users."""
    outcome = backend.outcome(run_id)
    return {**outcome, "trigger": {**outcome["trigger"], "by": context.actor.name, "ci_run_url": context.actor.run_url}}


def follow(
    context: OperationContext, backend: Backend, key: str, run_id: str, *, logs: str, timeout_s: float | None = None
) -> tuple[Run, bool]:
    """Waits for a run to end, emitting progress and output. Gives the run, and whether `timeout_s` passed first."""
    tail = _Tail(context, backend, logs)
    pause = _POLL_S[0]
    began = context.clock.boot_s()
    shown: Run | None = None
    while True:
        now = backend.run(run_id)
        if now != shown:
            context.emit(RunProgress(address(key), now))
            shown, pause = now, _POLL_S[0]
        tail.read(now)
        if now.is_terminal:
            return now, False
        if timeout_s is not None and context.clock.boot_s() - began >= timeout_s:
            return now, True
        context.clock.sleep(pause)
        pause = min(pause * 1.3, _POLL_S[1])


class _Tail:
    """New output of tasks as events: of all while they run, or of those that failed once they ended."""

    def __init__(self, context: OperationContext, backend: Backend, logs: str) -> None:
        self._emit = context.emit
        self._backend = backend
        self._logs = logs
        self._offsets: dict[str, int] = {}
        self._done: set[str] = set()

    def read(self, run: Run) -> None:
        if self._logs == "none":
            return
        for task in run.tasks:
            if task.run_id in self._done or task.start_ms == 0 or task.kind == "condition_task":
                continue
            ended = task.end_ms > 0
            if self._logs == "all" or (
                ended and task.result is not None and task.result.value in ("FAILED", "TIMEDOUT")
            ):
                self._drain(task)
            if ended:
                self._done.add(task.run_id)

    def _drain(self, task: TaskRun) -> None:
        while True:
            chunk = self._backend.log(task.run_id, self._offsets.get(task.run_id, 0))
            self._offsets[task.run_id] = chunk.next_offset
            if not chunk.text:
                return
            self._emit(TaskOutput(task.task_key, task.attempt, chunk.text))


def _cancel(context: OperationContext, backend: Backend, key: str, run_id: str) -> Run:
    """Cancels a run and waits until that is recorded; a second interrupt leaves at once."""
    context.emit(Notice(f"cancelling run {run_id}; interrupt again to leave without waiting"))
    try:
        backend.cancel(run_id)
        ended, _ = follow(context, backend, key, run_id, logs="none", timeout_s=_CANCEL_WAIT_S)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted twice; run {run_id} is being cancelled", hint=f"bundlectl runs get {run_id}"
        ) from None
    return ended


def _job_key(deployment: Deployment, wanted: str) -> str:
    key = key_of(wanted)
    job = deployment.jobs.get(key)
    if job is not None and job.tombstone is None:
        return key
    known = sorted(name for name, entry in deployment.jobs.items() if entry.tombstone is None)
    near = nearest(key, known)
    raise NotFound(
        f'no job "{key}" is deployed to target "{deployment.target}"' + (f'; did you mean "{near}"?' if near else ""),
        hint=f"deployed: {', '.join(known[:10]) or 'none'}; a new job runs after bundlectl deploy",
    )


def _inputs(
    context: OperationContext,
    world: World,
    deployment: Deployment,
    key: str,
    job: DeployedJob,
    request: RunRequest,
) -> dict[str, Any]:
    """The `inputs` of a run manifest: everything that determines the run, and where it came from."""
    assert deployment.deployed is not None and world.recorded.version is not None
    head = deployment.deployed
    spec = world.store.documents(world.recorded.version, [key])[key]
    document = with_known_ids(spec, {name: entry.id for name, entry in deployment.jobs.items()})
    identity = world.backend.identity()
    last = _last_manifest(world)
    return {
        "bundle": world.bundle.name,
        "job": address(key),
        "target": world.bundle.target.name,
        "source": {"commit": head.commit, "tree": head.tree, "dirty": head.dirty},
        "snapshot": job.snapshot,
        "artifacts": _artifacts(document, last),
        "spec": {"digest": job.spec, "document": document},
        "parameters": effective_parameters(document, request.parameters),
        "task_overrides": {},
        "only": sorted(request.only),
        "environment": world.backend.environment(job.id),
        "secrets": [],
        "engine": {"kind": identity.kind, "version": context.tool_version, "semantics": ENGINE_SEMANTICS},
        "deployment": {
            "lineage": deployment.lineage,
            "serial": deployment.serial,
            "id": head.deployment,
            "manifest": digest_document(last) if last is not None else None,
        },
    }


def _last_manifest(world: World) -> Mapping[str, Any] | None:
    """The manifest of the deployment that is run."""
    return next((entry.manifest for entry in world.store.history() if entry.manifest is not None), None)


def _artifacts(document: dict[str, Any], manifest: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The built files that a job document names, under the paths that they have in the deployment's manifest."""
    listed = manifest["artifacts"] if manifest is not None else []
    paths = {item["digest"]: item["path"] for item in listed}
    found = {f"sha256:{part.sha256}": part.name for part in _published(document)}
    return [{"path": paths.get(digest, found[digest]), "digest": digest} for digest in sorted(found)]


def _published(value: Any) -> Iterator[PublishedPath]:
    """Paths of built files in the texts of a document."""
    if isinstance(value, str):
        parts = split_published_path(value) if ARTIFACT_MARK in value else None
        if parts is not None:
            yield parts
        return
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _published(item)


def effective_parameters(document: dict[str, Any], given: dict[str, str]) -> list[dict[str, str]]:
    """Every job parameter with its value and origin, sorted by name; undeclared ones are allowed (jobs 3.11)."""
    values = {entry["name"]: (str(entry.get("default", "")), "job") for entry in document.get("parameters", [])}
    values.update({name: (value, "run") for name, value in given.items()})
    return [{"name": name, "value": value, "origin": origin} for name, (value, origin) in sorted(values.items())]


def _record(context: OperationContext, store: RunRecords, run_id: str, manifest: dict[str, Any], subject: str) -> None:
    """Writes a manifest to the runs ref. Failing to record never fails the run; it is said."""
    try:
        store.append({run_id: manifest}, subject)
    except BundlectlError as failure:
        context.emit(
            Notice(f"run {run_id} could not be recorded in git: {failure.summary}; the engine keeps its record")
        )
