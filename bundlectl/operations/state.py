"""list, show, pull, unlock, accept a rewritten history, pack: the recorded state itself, for whoever looks after it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.identifiers import time_ordered_id
from bundlectl.git.chain import Committed, Unknown
from bundlectl.git.remote_cache import caches, packed
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment, Intent
from bundlectl.model.errors import InputError, LeaseHeld, NotFound, Refused, StateError, UsageError
from bundlectl.model.events import Notice
from bundlectl.operations.context import OperationContext
from bundlectl.operations.world import find_bundle
from bundlectl.state.intents import ALIVE, intent_document, state
from bundlectl.state.layout import meta_document
from bundlectl.state.store import Note, Recorded, StateStore, host_facts, release

ABSENT = "absent"
_WRONG_ID, _HELD, _LOST, _UNKNOWN = "BND403", "BND401", "BND402", "BND408"
_REWRITTEN, _UNSIGNED = "BND413", "BND415"
_SHORTEST_ID = 7


class OpenApply(NamedTuple):
    """An apply that has begun and not ended."""

    intent: Intent
    alive: bool  # as far as this host can tell

    def document(self) -> dict[str, Any]:
        """As JSON."""
        owner = self.intent.owner
        return {
            "deployment": self.intent.deployment,
            "holder": owner.actor,
            "host": owner.host,
            "run_url": owner.run_url,
            "commit": self.intent.commit,
            "begun_at": self.intent.begun_at,
            "lease_until": self.intent.lease_until,
            "alive": self.alive,
        }


class TargetState(NamedTuple):
    """The state of one target. `tip` is None before anything was written."""

    target: str
    ref: str
    form: str  # ref or branch
    remote: str  # address; . for the repository itself
    tip: str | None
    deployment: Deployment | None
    open_apply: OpenApply | None

    @property
    def commit(self) -> str | None:
        """Commit that is deployed."""
        head = self.deployment.deployed if self.deployment is not None else None
        return head.commit if head is not None else None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        deployment = self.deployment
        return {
            "target": self.target,
            "ref": self.ref,
            "form": self.form,
            "remote": self.remote,
            "tip": self.tip,
            "serial": deployment.serial if deployment is not None else None,
            "lineage": deployment.lineage if deployment is not None else None,
            "commit": self.commit,
            "jobs": len(deployment.jobs) if deployment is not None else 0,
            "open_apply": self.open_apply.document() if self.open_apply is not None else None,
        }


class Packed(NamedTuple):
    """A cache that was packed: its folder, and its bytes before and after."""

    path: Path
    before: int
    after: int


def list_states(context: OperationContext) -> tuple[TargetState, ...]:
    """The state of every target of the bundle. A target that does not load is said, and left out."""
    return tuple(_state_of(context, bundle, store, store.read()) for bundle, store in _targets(context))


def show_state(context: OperationContext, serial: int | None) -> TargetState:
    """The state of one target, now or as a deployment left it. Raises NotFound for a serial that is not there."""
    bundle, store = _open(context)
    return _state_of(context, bundle, store, _at(store, serial))


def pull_state(context: OperationContext, serial: int | None) -> dict[str, Any]:
    """Everything that one commit of the state says: meta, jobs with their documents, the open apply."""
    _, store = _open(context)
    recorded = _at(store, serial)
    deployment = recorded.deployment
    if deployment is None or recorded.version is None:
        raise _nothing_yet(context, store)
    documents = store.documents(recorded.version, list(deployment.jobs))
    jobs = {key: {**_entry(job), "document": documents[key]} for key, job in deployment.jobs.items()}
    return {
        "ref": store.ref,
        "remote": store.place,
        "version": recorded.version,
        "meta": meta_document(deployment, context.tool_version),
        "jobs": jobs,
        "apply": intent_document(deployment.intent) if deployment.intent is not None else None,
    }


def unlock(context: OperationContext, deployment_id: str, *, holder_is_dead: bool, reason: str) -> TargetState:
    """Shuts out the holder of the open apply with this id. The next deploy still recovers what it left.

    Raises Refused BND403 for another id, BND401 while the lease lives, LeaseHeld when something was written meanwhile.
    """
    bundle, store = _open(context)
    recorded = store.read()
    deployment = recorded.deployment
    intent = deployment.intent if deployment is not None else None
    target = bundle.target.name
    if intent is None:
        raise Refused(f'nobody holds target "{target}"', code=_WRONG_ID, detail="Nothing was changed.")
    if intent.deployment != deployment_id:
        raise Refused(
            f'the lock of target "{target}" has id {intent.deployment}, not {deployment_id}',
            code=_WRONG_ID,
            detail=f"{_holder_text(intent)}. Nothing was changed.",
        )
    if _is_alive(context, intent) and not holder_is_dead:
        raise Refused(
            f"{_holder_text(intent)}, and its lease lives until {intent.lease_until}",
            code=_HELD,
            detail="Whoever is shut out in the middle of a call may still have that call carried out. "
            "Nothing was changed.",
            hint="when you know that it has ended: --holder-is-dead",
        )
    note = Note("unlock", intent.deployment, f"{context.actor.name}: {reason}", None, context.actor.name)
    note = note._replace(run_url=context.actor.run_url)
    now = context.clock.now_ms()
    taken = release(store, recorded, context.owner, note, now_ms=now, clock=context.clock)
    return _state_of(context, bundle, store, taken)


def accept_rewrite(context: OperationContext, version: str, *, reason: str) -> TargetState | None:
    """Takes the state that is there for the right one, by its name, and records who and why. None: nothing to accept.

    `version` is the newest commit, or `absent` when the ref is gone. Raises Refused BND413 for another name.
    """
    bundle, store = _open(context)
    found = store.newest()
    if version == ABSENT:
        return _accept_absence(context, bundle, store, found)
    if found.version is None or found.deployment is None:
        raise Refused(f"{store.ref} is gone", code=_REWRITTEN, hint=f"accept that by name: {ABSENT}")
    if len(version) < _SHORTEST_ID or not found.version.startswith(version.lower()):
        raise Refused(
            f"{store.ref} is {found.version}, not {version}",
            code=_REWRITTEN,
            detail="Nothing was changed.",
            hint="look at it first: bundlectl state show; then name exactly that commit",
        )
    if not _is_refused(store):
        return None
    intent = found.deployment.intent
    if intent is not None and _is_alive(context, intent):
        raise LeaseHeld(_holder_text(intent), detail="Nothing was changed.", hint="wait for it to end")
    note = Note(
        "accept-rewrite",
        time_ordered_id(context.clock.now_ms()),
        f"{context.actor.name}: {reason}",
        actor=context.actor.name,
        run_url=context.actor.run_url,
    )
    done = store.cas(found, found.deployment, note)
    if isinstance(done, Unknown):
        done = store.resolve(done)
    if isinstance(done, Unknown):
        raise StateError(f"whether commit {done.version} reached {store.ref} is unknown", code=_UNKNOWN)
    if not isinstance(done, Committed):
        raise LeaseHeld(f"{store.ref} was changed meanwhile", code=_LOST, hint="look at it again")
    store.accept(done.version)
    return _state_of(context, bundle, store, Recorded(done.version, found.deployment))


def pack_caches(context: OperationContext) -> tuple[Packed, ...]:
    """Packs the caches of all remotes. What they hold is on the remotes too."""
    return tuple(Packed(cache.git_dir, *packed(cache)) for cache in caches(context.cache, context.environment))


def _accept_absence(
    context: OperationContext, bundle: Bundle, store: StateStore, found: Recorded
) -> TargetState | None:
    if found.version is not None:
        raise Refused(f"{store.ref} is not gone: it is {found.version}", code=_REWRITTEN, detail="Nothing was changed.")
    if not _is_refused(store):
        return None
    store.accept(None)
    context.emit(
        Notice(
            "nothing can be recorded where no state is; the next deploy begins a new history, and takes over jobs "
            "that are there with --accept-lost-state"
        )
    )
    return _state_of(context, bundle, store, found)


def _is_refused(store: StateStore) -> bool:
    """Whether a state is what only somebody's word can let through: a rewritten one, or one that nobody signed."""
    try:
        store.read()
    except Refused as refused:
        if refused.code not in (_REWRITTEN, _UNSIGNED):
            raise
        return True
    return False


def _targets(context: OperationContext) -> Iterator[tuple[Bundle, StateStore]]:
    names = find_bundle(context)[1].targets
    for name in names:
        one = replace(context, request=replace(context.request, target=name))
        try:
            repository, bundle = find_bundle(one)
        except InputError as error:
            context.emit(Notice(f'target "{name}" does not load: {error.summary}'))
            continue
        yield bundle, context.open_store(repository, bundle)


def _open(context: OperationContext) -> tuple[Bundle, StateStore]:
    repository, bundle = find_bundle(context)
    return bundle, context.open_store(repository, bundle)


def _at(store: StateStore, serial: int | None) -> Recorded:
    newest = store.read()
    if serial is None:
        return newest
    ended = (entry for entry in store.history() if entry.serial == serial and entry.manifest is not None)
    entry = next(ended, None)
    if entry is None:
        last = newest.deployment.serial if newest.deployment is not None else 0
        raise NotFound(f"there is no deployment {serial}", code="BND412", hint=f"the last one is {last}")
    return Recorded(entry.version, store.at(entry.version))


def _state_of(context: OperationContext, bundle: Bundle, store: StateStore, recorded: Recorded) -> TargetState:
    intent = recorded.deployment.intent if recorded.deployment is not None else None
    return TargetState(
        target=bundle.target.name,
        ref=store.ref,
        form="branch" if store.ref.startswith("refs/heads/") else "ref",
        remote=store.place,
        tip=recorded.version,
        deployment=recorded.deployment,
        open_apply=OpenApply(intent, _is_alive(context, intent)) if intent is not None else None,
    )


def _is_alive(context: OperationContext, intent: Intent) -> bool:
    return state(intent, context.clock.now_ms(), host_facts(intent)) == ALIVE


def _holder_text(intent: Intent) -> str:
    where = intent.owner.run_url or intent.owner.host
    return f"{intent.owner.actor} is deploying since {intent.begun_at}" + (f" ({where})" if where else "")


def _nothing_yet(context: OperationContext, store: StateStore) -> NotFound:
    return NotFound(f"{store.ref} has no state yet", code="BND412", hint="bundlectl deploy")


def _entry(job: Any) -> Mapping[str, Any]:
    return {name: value for name, value in job._asdict().items() if value is not None}


def checked_reason(reason: str | None) -> str:
    """Why somebody intervenes, for the record. Raises UsageError when it is missing."""
    text = (reason or "").strip()
    if not text:
        raise UsageError("a reason is recorded with this", code="BND621", hint='--reason "why"')
    return text
