"""The target as a lock: waiting for whoever holds it, and keeping it while an apply of one's own goes on (safety 2.4).

Called by deploy. No lock object exists: the lease is part of the state, and every step here is its compare-and-swap.
"""

import random

from bundlectl.base.clock import Clock, parse_rfc3339
from bundlectl.model.deployment import Intent
from bundlectl.model.errors import BundlectlError, LeaseHeld, StalePlan
from bundlectl.model.events import EventSink, LockWaiting, Notice
from bundlectl.operations.context import OperationContext
from bundlectl.state.intents import DEAD, same_holder, state
from bundlectl.state.store import Note, Recorded, StateStore, host_facts, lease_held, renew

_LOST = "BND402"
_MAY_BE_TRIED_AGAIN = frozenset({"BND401", "BND305"})
_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 2.0
_SAY_AGAIN_S = 30.0


class Patience:
    """How long a command waits for a target that somebody else holds, counted from its start, in seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._until = clock.boot_s() + seconds

    @property
    def left_s(self) -> float:
        """What is left; negative when it is over."""
        return self._until - self._clock.boot_s()

    def goes_on_after(self, lost: LeaseHeld | StalePlan) -> bool:
        """Whether who lost a race for the target may plan again."""
        return lost.code in _MAY_BE_TRIED_AGAIN and self.left_s > 0


def wait_for_holder(
    context: OperationContext, store: StateStore, recorded: Recorded, patience: Patience, *, strict: bool
) -> Recorded:
    """The state once no living process holds it: without an open apply, or with one whose holder is dead.

    `strict`: clocks of two hosts are never compared; a lease runs out by being watched for its whole length. Raises
    LeaseHeld when the patience is over.
    """
    watch = _Watch(context, strict)
    poll = _FIRST_POLL_S
    jitter = random.Random()  # noqa: S311  # spreads waiters out
    while True:
        deployment = recorded.deployment
        if deployment is None or deployment.intent is None or watch.is_dead(recorded.version, deployment.intent):
            return recorded
        if patience.left_s <= 0:
            raise lease_held(deployment.intent, deployment.target)
        watch.say(deployment.intent)
        context.clock.sleep(min(jitter.uniform(poll / 2, poll), max(patience.left_s, 0.0)))
        poll = min(poll * 2, _LONGEST_POLL_S)
        recorded = store.read()


class _Watch:
    """What a waiter knows of the holder: since when it has seen the same tip, and what it has said."""

    def __init__(self, context: OperationContext, strict: bool) -> None:
        self._context = context
        self._strict = strict
        self._version: str | None = None
        self._since = context.clock.boot_s()
        self._said: tuple[str, float] | None = None

    def is_dead(self, version: str | None, intent: Intent) -> bool:
        now = self._context.clock.boot_s()
        if version != self._version:
            self._version, self._since = version, now
        watched = now - self._since if self._strict else None
        return state(intent, self._context.clock.now_ms(), host_facts(intent), watched_s=watched) == DEAD

    def say(self, intent: Intent) -> None:
        """Who is waited for: at once, when it becomes another one, and every half minute."""
        now = self._context.clock.boot_s()
        if self._said is not None and self._said[0] == intent.deployment and now - self._said[1] < _SAY_AGAIN_S:
            return
        self._said = intent.deployment, now
        self._context.emit(
            LockWaiting(
                holder=intent.owner.actor,
                age_ms=max(0, self._context.clock.now_ms() - parse_rfc3339(intent.begun_at)),
                run_url=intent.owner.run_url,
                host=intent.owner.host,
                commit=intent.commit,
            )
        )


class Lease:
    """The open apply of this process. `check` comes before every call to the backend."""

    def __init__(
        self, store: StateStore, begun: Recorded, note: Note, *, began_s: float, clock: Clock, emit: EventSink
    ) -> None:
        """`began_s`: on the boot clock, before the begin was written."""
        assert begun.deployment is not None and begun.deployment.intent is not None
        self._store = store
        self._recorded = begun
        self._intent: Intent = begun.deployment.intent
        self._note = note._replace(verb="lease", summary="renewed")
        self._clock = clock
        self._emit = emit
        self._since = began_s
        self._in_doubt = False

    def check(self) -> None:
        """Renews the lease when half of it has passed. Raises LeaseHeld BND402 when it is over, or was taken over.

        Who slept past the lease makes no further call: somebody may have taken over (safety R5).
        """
        passed = self._clock.boot_s() - self._since
        if passed >= self._intent.lease_s - self._intent.max_request_s:
            raise LeaseHeld("the lease of this deploy ran out before the call", code=_LOST)
        if passed >= self._intent.lease_s / 2:
            self._renew()

    def held(self) -> Recorded:
        """The state as this process holds it: what the end of the apply replaces."""
        if self._in_doubt:
            try:
                self._read_again()
            except BundlectlError:
                return self._recorded  # the end is a swap: it finds out, and tells
        return self._recorded

    def _renew(self) -> None:
        began = self._clock.boot_s()
        try:
            if self._in_doubt:
                self._read_again()
            self._recorded = renew(
                self._store, self._recorded, self._note, now_ms=self._clock.now_ms(), clock=self._clock
            )
        except LeaseHeld as taken:
            if taken.code == _LOST:
                raise
            self._emit(Notice(f"the lease could not be renewed yet: {taken.summary}"))
        except BundlectlError as failure:
            # The lease still holds for a while, and the write may have landed: looked up before the next one.
            self._in_doubt = True
            self._emit(Notice(f"the lease could not be renewed yet: {failure.summary}"))
        else:
            self._since = began

    def _read_again(self) -> None:
        """Finds out whether a renewal without a report landed. A state of somebody else is left to the swap."""
        now = self._store.read()
        intent = now.deployment.intent if now.deployment is not None else None
        if (
            intent is not None
            and intent.deployment == self._intent.deployment
            and same_holder(intent.owner, self._intent.owner)
        ):
            self._recorded = now
        self._in_doubt = False
