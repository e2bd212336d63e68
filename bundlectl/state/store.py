"""The state of one target: what a store must offer, and the steps of an apply on top of it, once for every store.

begin, renew, recover and end are each one compare-and-swap; whoever lost a race learns who won. Called by operations;
stores are in git_store (and a model of it in the tests).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from bundlectl.base.clock import Clock, SystemClock
from bundlectl.base.host import ProcessIdentity, process_start, this_process
from bundlectl.git.chain import Committed, Conflict, Unknown
from bundlectl.git.repository import Repository
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.deployment import Deployment, HistoryEntry, Intent, Owner
from bundlectl.model.errors import LeaseHeld, StalePlan, StateError
from bundlectl.state.intents import HostFacts, leased, released, same_holder, taken_over

_OUTCOME_UNKNOWN, _LEASE_LOST, _STALE = "BND408", "BND402", "BND305"

# How often, and after how many seconds, the fate of a write without a report is asked for.
_RESOLVE_WAITS_S = (0.0, 0.2, 1.0)


class Recorded(NamedTuple):
    """What a store holds, and its version: the compare in compare-and-swap. Both None before the first write."""

    version: str | None
    deployment: Deployment | None


class Note(NamedTuple):
    """What a commit says about itself."""

    verb: str  # apply-begin, lease, apply-end, recover, ...
    deployment: str  # id
    summary: str
    commit: str | None = None
    actor: str | None = None
    run_url: str | None = None


class CodeHome(Protocol):
    """Where the deployed code of one target is kept, as git trees."""

    def keep(self, tree: str, digest: str) -> None:
        """Keeps a tree of the user's repository reachable for ever. Raises RepositoryError."""
        ...

    def holder(self, tree: str) -> Repository:
        """The repository that has a tree which was kept: the user's, or another one of this machine.

        Raises RepositoryError when no place has it.
        """
        ...


class RunRecords(Protocol):
    """Run manifests of one target."""

    @property
    def ref(self) -> str: ...

    def append(
        self, manifests: Mapping[str, Mapping[str, Any]], subject: str, *, at_ms: int | None = None
    ) -> str | None:
        """Records manifests by run id in one commit, and returns it. One that is there already is replaced.

        None: they could not be recorded yet, which was said, and are kept on this machine until they can.
        """
        ...

    def flush(self) -> None:
        """Records what is kept on this machine, and says what came of it."""
        ...

    def read(self, run_id: str) -> dict[str, Any] | None:
        """The manifest of a run; None when it is not recorded here."""
        ...

    def list(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Manifests, newest first."""
        ...


class StateStore(Protocol):
    """Recorded state of one target."""

    @property
    def ref(self) -> str: ...

    @property
    def code(self) -> CodeHome: ...

    @property
    def place(self) -> str:
        """Address of the remote that holds it; `.` for the repository itself."""
        ...

    def read(self) -> Recorded:
        """Newest state. Takes no lock.

        Raises StateError, Refused for the state of another bundle or target and for a rewritten history.
        """
        ...

    def newest(self) -> Recorded:
        """The same without asking whether it grew out of what was read before: for whoever accepts a rewritten one."""
        ...

    def accept(self, version: str | None) -> None:
        """Takes a version as the one that later ones descend from (None: nothing), whatever was read before."""
        ...

    def at(self, version: str) -> Deployment:
        """What a version recorded. Raises StateError."""
        ...

    def documents(self, version: str | None, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Job documents of a version, each checked against its digest; a key that is not in it is left out."""
        ...

    def cas(
        self,
        expected: Recorded,
        new: Deployment,
        note: Note,
        *,
        documents: Mapping[str, Mapping[str, Any]] = ...,
        manifest: Mapping[str, Any] | None = None,
    ) -> Committed | Conflict | Unknown:
        """Replaces `expected` by `new` if nobody was faster. `documents`: those of jobs whose `spec` changed."""
        ...

    def resolve(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        """What became of a write without a report."""
        ...

    def history(self, limit: int | None = None) -> Iterator[HistoryEntry]:
        """Commits of the chain, newest first."""
        ...

    def last_deployer(self) -> str | None:
        """Who made the newest finished deployment, without reading what it recorded."""
        ...


def host_facts(intent: Intent, here: ProcessIdentity | None = None) -> HostFacts:
    """What this host knows of the process that holds `intent`."""
    here = here or this_process()
    pid = intent.owner.pid
    start = process_start(pid) if pid is not None else None
    return HostFacts(here.host, here.boot_id, here.pid_ns, start)


def begin(
    store: StateStore,
    recorded: Recorded,
    intent: Intent,
    note: Note,
    *,
    bundle: str,
    target: str,
    backend: BackendIdentity,
    lineage: str,
    fence: int = 0,
    clock: Clock | None = None,
) -> Recorded:
    """Takes the target: intent and lease in one write, fence raised by one. `lineage` and `fence` count on the first
    write only.

    An open apply of another process stops this, dead or alive (a dead one is recovered first); one of this process,
    taken over by `recover`, is replaced. Raises LeaseHeld, StalePlan when something was deployed since.
    """
    before = recorded.deployment
    if before is None:
        before = Deployment(lineage=lineage, serial=0, fence=fence, bundle=bundle, target=target)
    if before.intent is not None and not same_holder(before.intent.owner, intent.owner):
        raise lease_held(before.intent, target)
    held = intent if intent.lease_until else leased(intent, (clock or SystemClock()).now_ms())
    new = replace(before, fence=before.fence + 1, backend=backend, intent=held)
    outcome = _settled(store, store.cas(recorded, new, note), clock)
    if isinstance(outcome, Committed):
        return Recorded(outcome.version, new)
    now = store.read()
    if now.deployment is not None and now.deployment.intent is not None:
        raise lease_held(now.deployment.intent, target)
    raise stale(recorded, now, target)


def renew(store: StateStore, recorded: Recorded, note: Note, *, now_ms: int, clock: Clock | None = None) -> Recorded:
    """Extends the lease of the apply that this process holds. Raises LeaseHeld when somebody has taken over."""
    deployment = _held(recorded)
    assert deployment.intent is not None
    new = replace(deployment, intent=leased(deployment.intent, now_ms))
    return _keep(store, recorded, new, note, clock)


def recover(
    store: StateStore, recorded: Recorded, owner: Owner, note: Note, *, now_ms: int, clock: Clock | None = None
) -> Recorded:
    """Takes a dead holder's apply over: same operations, new owner and lease, fence raised, so the old one is shut out.

    The caller has found it dead (intents.state), and waits one whole `max_request_s` after this before it lists
    anything. Raises LeaseHeld when somebody else was faster.
    """
    deployment = _held(recorded)
    assert deployment.intent is not None
    intent = taken_over(deployment.intent, owner, now_ms)
    new = replace(deployment, fence=deployment.fence + 1, intent=intent)
    return _keep(store, recorded, new, note._replace(verb="recover"), clock)


def release(
    store: StateStore, recorded: Recorded, owner: Owner, note: Note, *, now_ms: int, clock: Clock | None = None
) -> Recorded:
    """Shuts the holder of the open apply out and leaves the apply to whoever comes next, who recovers it.

    Raises LeaseHeld BND402 when something was written meanwhile.
    """
    deployment = _held(recorded)
    assert deployment.intent is not None
    new = replace(deployment, fence=deployment.fence + 1, intent=released(deployment.intent, owner, now_ms))
    return _keep(store, recorded, new, note._replace(verb="unlock"), clock)


def end(
    store: StateStore,
    recorded: Recorded,
    new: Deployment,
    note: Note,
    documents: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any] | None,
    *,
    clock: Clock | None = None,
) -> Recorded:
    """Closes the apply that `recorded` holds: `new` is what is deployed now. Serial, fence and intent are set here.

    Raises LeaseHeld BND402 when somebody took the target over, StateError BND408 when the outcome stays unknown.
    """
    deployment = _held(recorded)
    closed = replace(
        new,
        lineage=deployment.lineage,
        serial=deployment.serial + 1,
        fence=deployment.fence,
        intent=None,
    )
    return _keep(store, recorded, closed, note, clock, documents=documents, manifest=manifest)


def amend(
    store: StateStore, recorded: Recorded, new: Deployment, note: Note, *, clock: Clock | None = None
) -> Recorded:
    """One write beside an apply, that changes what is recorded about a target and nothing that is deployed.

    Raises LeaseHeld while an apply is open, whose end would otherwise be taken for lost, StalePlan when something was
    written meanwhile, StateError BND408.
    """
    before = recorded.deployment
    if before is None:
        raise ValueError("nothing is recorded")
    if before.intent is not None:
        raise lease_held(before.intent, before.target)
    outcome = _settled(store, store.cas(recorded, new, note), clock)
    if isinstance(outcome, Committed):
        return Recorded(outcome.version, new)
    now = store.read()
    if now.deployment is not None and now.deployment.intent is not None:
        raise lease_held(now.deployment.intent, before.target)
    raise stale(recorded, now, before.target)


def plan_was_used(store: StateStore, digest: str) -> str | None:
    """The deployment that applied a plan with this digest; None when none did."""
    for entry in store.history():
        plan = entry.manifest.get("plan") if entry.manifest else None
        if entry.manifest is not None and isinstance(plan, dict) and plan.get("digest") == digest:
            return str(entry.manifest.get("id"))
    return None


def lease_held(intent: Intent, target: str) -> LeaseHeld:
    """The error for an apply that is in the way, naming its holder."""
    owner = intent.owner
    where = owner.run_url or (f"process {owner.pid} on {owner.host}" if owner.pid is not None else owner.host or "")
    return LeaseHeld(
        f'{owner.actor} is deploying to "{target}" since {intent.begun_at}' + (f" ({where})" if where else ""),
        detail=f"deployment {intent.deployment}; it holds the target until {intent.lease_until} at least",
        hint="wait for it to end; if it was killed, the next deploy takes over by itself once its lease has run out",
    )


def stale(recorded: Recorded, now: Recorded, target: str) -> StalePlan:
    """The error for a state that moved between reading and writing."""
    old, new = recorded.deployment, now.deployment
    if new is None:
        summary = f'the state of "{target}" is gone since it was read'
    elif old is not None and new.lineage != old.lineage:
        summary = f'the state of "{target}" was replaced by another deployment history'
    else:
        summary = f"something was deployed since: serial {old.serial if old else 0} -> {new.serial}"
    return StalePlan(summary, code=_STALE, detail="nothing was changed", hint="plan again, and review it again")


def _keep(
    store: StateStore,
    recorded: Recorded,
    new: Deployment,
    note: Note,
    clock: Clock | None,
    *,
    documents: Mapping[str, Mapping[str, Any]] | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> Recorded:
    """One write by the holder of an apply. A conflict means that somebody has taken over."""
    outcome = store.cas(recorded, new, note, documents=documents or {}, manifest=manifest)
    outcome = _settled(store, outcome, clock)
    if isinstance(outcome, Committed):
        return Recorded(outcome.version, new)
    now = store.read().deployment
    holder = now.intent.owner.actor if now is not None and now.intent is not None else None
    raise LeaseHeld(
        f'this process no longer holds "{new.target}"' + (f": {holder} has taken over" if holder else ""),
        code=_LEASE_LOST,
        hint="the next deploy compares with the backend and finishes what is left",
    )


def _settled(store: StateStore, outcome: Committed | Conflict | Unknown, clock: Clock | None) -> Committed | Conflict:
    """Unknown is not failure: asks what became of the write until there is an answer."""
    for wait in _RESOLVE_WAITS_S:
        if not isinstance(outcome, Unknown):
            return outcome
        (clock or SystemClock()).sleep(wait)
        outcome = store.resolve(outcome)
    if isinstance(outcome, Unknown):
        raise StateError(
            f"whether commit {outcome.version} reached {store.ref} is unknown",
            code=_OUTCOME_UNKNOWN,
            hint="run the command again: it reads what is there before it does anything",
        )
    return outcome


def _held(recorded: Recorded) -> Deployment:
    deployment = recorded.deployment
    if deployment is None or deployment.intent is None:
        raise ValueError("no apply is open")
    return deployment
