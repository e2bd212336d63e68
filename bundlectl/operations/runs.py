"""Runs of the jobs that are deployed to a target: list, get, logs, manifest, cancel.

Runs of other bundles and targets on the same backend are not shown.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bundlectl.base.clock import rfc3339
from bundlectl.base.suggest import nearest
from bundlectl.model.errors import NotFound, UsageError
from bundlectl.model.location import address, key_of
from bundlectl.model.manifest import seal
from bundlectl.model.run import Run, TaskRun
from bundlectl.operations.context import OperationContext
from bundlectl.operations.run import follow
from bundlectl.operations.world import World, open_world

LATEST = "latest"


class ListedRun(NamedTuple):
    """One row of `runs list`; `commit` and `snapshot` are those of its manifest, when it has one."""

    run: Run
    key: str | None
    commit: str | None
    snapshot: str | None
    by: str | None

    @property
    def address(self) -> str | None:
        return address(self.key) if self.key is not None else None


class FoundRun(NamedTuple):
    """One run with its manifest, if one was recorded."""

    run: Run
    key: str | None
    manifest: Mapping[str, Any] | None

    @property
    def address(self) -> str | None:
        return address(self.key) if self.key is not None else None

    @property
    def commit(self) -> str | None:
        return _part(self.manifest, "inputs", "source", "commit")

    @property
    def snapshot(self) -> str | None:
        return _part(self.manifest, "inputs", "snapshot")


class TaskLog(NamedTuple):
    """Part of the output of one attempt; `heading` names it where the output of several is shown."""

    task_key: str
    attempt: int
    heading: str | None
    text: str


def list_runs(context: OperationContext, *, job: str | None, limit: int) -> list[ListedRun]:
    """Newest first."""
    world = _open(context)
    keys = _keys(world)
    wanted = _job_id(world, job) if job is not None else None
    store = world.runs
    listed: list[ListedRun] = []
    for run in world.backend.runs(wanted, limit if wanted is not None else limit * 5):
        if run.job_id not in keys:
            continue
        manifest = store.read(run.run_id)
        listed.append(
            ListedRun(
                run,
                keys[run.job_id],
                _part(manifest, "inputs", "source", "commit"),
                _part(manifest, "inputs", "snapshot"),
                _part(manifest, "outcome", "trigger", "by"),
            )
        )
        if len(listed) == limit:
            break
    return listed


def get_run(context: OperationContext, wanted: str) -> FoundRun:
    """A run by id, `latest` or `latest:JOB`. Raises NotFound."""
    return _find(_open(context), wanted)


def read_logs(context: OperationContext, wanted: str, *, task: str | None, attempt: int | None) -> Iterator[TaskLog]:
    """Output of a run's tasks, in pieces; by default the last attempt of each task that started."""
    world = open_world(context)
    run = _find(world, wanted).run
    chosen = _attempts(run, task, attempt)
    for item in chosen:
        heading = f"==> {item.task_key} (attempt {item.attempt + 1}) <==" if len(chosen) > 1 else None
        offset = 0
        while True:
            chunk = world.backend.log(item.run_id, offset)
            if not chunk.text and offset:
                break
            yield TaskLog(item.task_key, item.attempt, heading if offset == 0 else None, chunk.text)
            if chunk.next_offset <= offset or not chunk.text:
                break
            offset = chunk.next_offset


def run_manifest(context: OperationContext, wanted: str) -> Mapping[str, Any]:
    """The recorded manifest of a run. A run that ended after its `run` command was killed is sealed now."""
    world = _open(context)
    found = _find(world, wanted)
    if found.manifest is None:
        raise NotFound(
            f"run {found.run.run_id} has no manifest on the runs ref",
            detail="only runs that bundlectl started from this repository are recorded there",
        )
    if "outcome" in found.manifest or not found.run.is_terminal:
        return found.manifest
    sealed = seal(dict(found.manifest), world.backend.outcome(found.run.run_id), rfc3339(context.clock.now_ms()))
    world.runs.append({found.run.run_id: sealed}, f"run {found.run.run_id} ended, recorded later")
    return sealed


def cancel_run(context: OperationContext, wanted: str) -> FoundRun:
    """Cancels a run and waits until it has ended; a run that has ended is left alone."""
    world = open_world(context)
    found = _find(world, wanted)
    if not found.run.is_terminal:
        with context.driving():
            world.backend.cancel(found.run.run_id)
            follow(context, world.backend, found.key or found.run.name, found.run.run_id, logs="none", timeout_s=60.0)
    return _find(world, found.run.run_id)


def _open(context: OperationContext) -> World:
    """The target; runs that could not be recorded when they were made are recorded now."""
    world = open_world(context)
    if not context.offline:
        world.runs.flush()
    return world


def _find(world: World, wanted: str) -> FoundRun:
    keys = _keys(world)
    if wanted == LATEST or wanted.startswith(f"{LATEST}:"):
        _, colon, job = wanted.partition(":")
        run = _latest(world, _job_id(world, job) if colon else None, keys)
    elif wanted.isdecimal():
        run = world.backend.run(wanted)
    else:
        raise UsageError(f'"{wanted}" is no run: give an id, latest, or latest:JOB', code="BND502")
    key = keys.get(run.job_id) if run.job_id is not None else None
    if key is None:
        raise NotFound(
            f'run {run.run_id} does not belong to target "{world.bundle.target.name}" of bundle "{world.bundle.name}"',
            hint="bundlectl runs list",
        )
    return FoundRun(run, key, world.runs.read(run.run_id))


def _latest(world: World, job_id: str | None, keys: Mapping[str, str]) -> Run:
    for run in world.backend.runs(job_id, 200 if job_id is None else 1):
        if run.job_id in keys:
            return world.backend.run(run.run_id)
    raise NotFound("no runs yet", hint="bundlectl run JOB")


def _attempts(run: Run, task: str | None, attempt: int | None) -> list[TaskRun]:
    known = list(run.latest())
    if task is not None and task not in known:
        near = nearest(task, known)
        raise NotFound(
            f'run {run.run_id} has no task "{task}"' + (f'; did you mean "{near}"?' if near else ""),
            hint=f"tasks: {', '.join(known)}",
        )
    if attempt is not None:
        found = [item for item in run.tasks if item.attempt == attempt and task in (None, item.task_key)]
        if not found:
            raise NotFound(f"run {run.run_id} has no attempt {attempt}" + (f' of task "{task}"' if task else ""))
        return found
    last = [item for key, item in run.latest().items() if task in (None, key)]
    return [item for item in last if task is not None or (item.start_ms and item.kind != "condition_task")]


def _keys(world: World) -> dict[str, str]:
    """Backend id -> key of each deployed job."""
    return {job.id: key for key, job in world.deployed.jobs.items()}


def _job_id(world: World, wanted: str) -> str:
    jobs = world.deployed.jobs
    key = key_of(wanted)
    if key not in jobs:
        near = nearest(key, jobs)
        raise NotFound(
            f'no job "{key}" is deployed to target "{world.bundle.target.name}"'
            + (f'; did you mean "{near}"?' if near else "")
        )
    return jobs[key].id


def _part(manifest: Mapping[str, Any] | None, *names: str) -> str | None:
    value: Any = manifest
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None
