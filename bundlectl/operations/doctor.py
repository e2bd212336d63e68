"""Checks what bundlectl stands on: this machine, the repository, the recorded state, the backend and its jobs.

Reads only. Every check says what to do about what it finds; one that cannot be made says why, and stops no other.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bundlectl.base.digest import digest_document
from bundlectl.engine.check import problems
from bundlectl.git.repository import Repository, discover
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import BundlectlError
from bundlectl.operations.context import OperationContext
from bundlectl.operations.plan import refuse_other_backend
from bundlectl.operations.sweep import copies_of
from bundlectl.operations.world import World, find_bundle
from bundlectl.planning.drift import suspects
from bundlectl.planning.tombstones import is_over, kept_jobs
from bundlectl.state.intents import ALIVE, state
from bundlectl.state.store import StateStore, host_facts

OK, WARN, FAIL = "ok", "warn", "FAIL"
_MIN_GIT = (2, 36)
_SHOWN = 5


class Check(NamedTuple):
    """One finding."""

    id: str
    status: str  # ok, warn or FAIL
    detail: str
    hint: str | None = None


def examine(context: OperationContext, places: Callable[[Bundle], Mapping[str, str]]) -> tuple[Check, ...]:
    """Every check, in the order in which they rest on each other. `places`: folders of this machine, by name."""
    return tuple(_all(context, places))


def _all(context: OperationContext, places: Callable[[Bundle], Mapping[str, str]]) -> Iterator[Check]:
    yield _python()
    try:
        repository = discover(context.start, context.environment)
    except BundlectlError as error:
        yield _failed("repository", error)
        return
    yield _git(repository)
    yield from _repository(repository)
    try:
        home, bundle = find_bundle(context)
    except BundlectlError as error:
        first = next(iter(error.diagnostics), None)
        detail = error.summary + (f": {first.summary}" if first is not None else "")
        yield Check("bundle", FAIL, detail, "bundlectl validate shows every finding")
        return
    jobs = "1 job" if len(bundle.jobs) == 1 else f"{len(bundle.jobs)} jobs"
    yield Check("bundle", OK, f'"{bundle.name}", target "{bundle.target.name}", {jobs}')
    folders = places(bundle)
    yield from _folders(folders)
    if "engine" in folders:
        yield _engine(Path(folders["engine"]))
    try:
        store = context.open_store(home, bundle)
        recorded = store.read()
    except BundlectlError as error:
        yield _failed("state", error)
        return
    yield from _state(context, store, recorded.deployment)
    backend = context.open_backend(bundle)
    world = World(home, bundle, store, context.open_runs(home, bundle), recorded, backend)
    try:
        yield from _backend(context, world)
    except BundlectlError as error:
        yield _failed("backend", error)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", OK, f"Python {version}, {sys.platform}")


def _git(repository: Repository) -> Check:
    try:
        told = repository.git.run(["version"])
    except BundlectlError as error:
        return _failed("git", error)
    text = told.decode("ascii", "replace").removeprefix("git version ").strip()
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
    if numbers < _MIN_GIT:
        return Check("git", FAIL, f"git {text}", "install git 2.36 or later")
    return Check("git", OK, f"git {text}")


def _repository(repository: Repository) -> Iterator[Check]:
    if repository.head_commit is None:
        yield Check("repository", FAIL, f"{repository.top} has no commit", "commit the bundle first")
        return
    if (repository.git_dir / "shallow").is_file():
        hint = "git fetch --unshallow; in CI set the fetch depth to 0"
        yield Check(
            "repository",
            WARN,
            "the clone is shallow: whether a commit descends from what is deployed may not be told",
            hint,
        )
        return
    open_operation = repository.operation_in_progress()
    if open_operation is not None:
        hint = f"git {open_operation} --continue, or --abort" if open_operation != "bisect" else "git bisect reset"
        yield Check("repository", WARN, f"a {open_operation} is not finished: the tree is between two versions", hint)
        return
    yield Check("repository", OK, f"{repository.top} at {repository.head_commit[:7]}")


def _folders(folders: Mapping[str, str]) -> Iterator[Check]:
    """Folders that may be written, where they are there; those that are not are made when they are needed."""
    bad = [name for name, path in folders.items() if Path(path).exists() and not _is_private(Path(path))]
    for name in bad:
        hint = f"chmod 700 {folders[name]}"
        yield Check("folders", WARN, f"the folder of the {name}, {folders[name]}, may be written by others", hint)
    if not bad:
        yield Check("folders", OK, ", ".join(f"{name} {path}" for name, path in folders.items()))


def _is_private(path: Path) -> bool:
    return path.stat().st_mode & 0o022 == 0


def _engine(folder: Path) -> Check:
    found = problems(folder)
    if found is None:
        return Check("engine", OK, f"no engine in {folder} yet; the first deploy makes it")
    if found:
        return Check(
            "engine",
            FAIL,
            f"the database in {folder} is damaged: {'; '.join(found[:_SHOWN])}",
            "stop what uses it, keep a copy of the folder, and restore it from a backup; a deploy into a new folder "
            "creates the jobs again, without their runs",
        )
    return Check("engine", OK, f"the database in {folder} is whole")


def _state(context: OperationContext, store: StateStore, deployment: Deployment | None) -> Iterator[Check]:
    where = store.ref if store.place == "." else f"{store.ref} on {store.place}"
    if deployment is None:
        yield Check("state", OK, f"nothing is recorded at {where} yet")
        return
    try:
        yield _chain(store, deployment, where)
    except BundlectlError as error:
        yield _failed("state", error)
        return
    intent = deployment.intent
    if intent is not None:
        alive = state(intent, context.clock.now_ms(), host_facts(intent)) == ALIVE
        who = f"deployment {intent.deployment} by {intent.owner.actor}, begun {intent.begun_at}"
        hint = (
            f"wait for it; if it has ended: bundlectl state unlock {intent.deployment}"
            if alive
            else "the next deploy takes it over and finishes it"
        )
        yield Check("apply", WARN, f"{who}, is open" + ("" if alive else ", and its process has ended"), hint)
    over = [key for key, job in kept_jobs(deployment.jobs).items() if is_over(job, context.clock.now_ms())]
    if over:
        yield Check("tombstones", WARN, f"kept longer than they have to be: {_names(over)}", "bundlectl gc")


def _chain(store: StateStore, deployment: Deployment, where: str) -> Check:
    """Every manifest names the digest of the one before it, and serials go down by one."""
    newer: Mapping[str, object] | None = None
    count = 0
    for entry in store.history():
        if entry.manifest is None:
            continue
        count += 1
        if newer is not None:
            parent = newer.get("parent")
            if parent is not None and parent != digest_document(entry.manifest):
                return Check(
                    "state",
                    FAIL,
                    f"deployment {newer.get('serial')} does not follow on deployment {entry.manifest.get('serial')}",
                    "the history was edited: compare the ref with another clone, then: bundlectl state accept-rewrite",
                )
        newer = entry.manifest
    return Check(
        "state", OK, f"{where}, serial {deployment.serial}, {count} {'deployment' if count == 1 else 'deployments'}"
    )


def _backend(context: OperationContext, world: World) -> Iterator[Check]:
    backend, deployment = world.backend, world.recorded.deployment
    kind = backend.capabilities.kind
    if not backend.capabilities.deploys:
        hint = "choose a target on this machine: bundlectl: {backend: local}"
        yield Check("backend", FAIL, f"this version cannot deploy to backend {kind}", hint)
        return
    identity = backend.identity()
    refuse_other_backend(deployment, identity, world.bundle)
    name = identity.workspace_id or "not there yet"
    yield Check("backend", OK, f"{kind}, {name}")
    if deployment is None:
        return
    observed = backend.observe(deployment.lineage, deployment.target)
    if not observed.read:
        yield Check("jobs", WARN, f"not read: {observed.why_not}", None)
        return
    target = world.bundle.target.name
    found = suspects(deployment, observed)
    copies = copies_of(observed.jobs, deployment.jobs, deployment.lineage, deployment.target)
    copied = {copy.id for copy in copies}
    strays = [id for id in found.strays if id not in copied]
    there = {job.id for job in observed.jobs}
    lost = [key for key, job in kept_jobs(deployment.jobs).items() if job.id not in there]
    if found.gone or lost:
        hint = f"bundlectl deploy -t {target} creates those that the bundle has, and forgets the others"
        yield Check("missing", FAIL, f"recorded, and gone from the backend: {_names([*found.gone, *lost])}", hint)
    if copies:
        shown = ", ".join(f"{copy.id} of jobs.{copy.key}" for copy in copies[:_SHOWN])
        hint = f"the next deploy removes them: bundlectl deploy -t {target}"
        yield Check("copies", WARN, f"copies of recorded jobs: {shown}", hint)
    if strays:
        shown = ", ".join(strays[:_SHOWN]) + (f" and {len(strays) - _SHOWN} more" if len(strays) > _SHOWN else "")
        hint = "a deploy takes over those whose key the bundle has; look at the others, then: bundlectl bind KEY ID"
        yield Check("orphans", WARN, f"on the backend with the mark of this target, and not recorded: {shown}", hint)
    if not (found.gone or lost or copies or strays):
        yield Check("jobs", OK, f"{len(deployment.jobs)} recorded, all there, no copies, no orphans")


def _failed(id: str, error: BundlectlError) -> Check:
    return Check(id, FAIL, error.summary + (f" ({error.detail})" if error.detail else ""), error.hint)


def _names(keys: list[str]) -> str:
    shown = ", ".join(f"jobs.{key}" for key in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
