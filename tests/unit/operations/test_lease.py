"""The target as a lock: who waits, for how long, what a waiter is told, and what a holder may still do."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend
from bundlectl.base.clock import FrozenClock, rfc3339
from bundlectl.git.chain import Committed, Conflict, Unknown
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Owner
from bundlectl.model.errors import LeaseHeld, RepositoryError, StalePlan
from bundlectl.model.events import Event, LockWaiting, Notice
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.lease import Lease, Patience, wait_for_holder
from bundlectl.operations.plan import make_plan
from bundlectl.state.store import Note, Recorded, begin, end, recover
from tests.builders import RepositoryBuilder
from tests.contract.model_store import ModelStore
from tests.contract.state_suite import BACKEND, BUNDLE, LINEAGE, TARGET, deployment_id, intent, owner
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)
NOTE = Note("apply-begin", deployment_id(1), "1 to create")


class Scripted(FrozenClock):
    """A clock on which things happen while somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0
        self.at: list[tuple[float, Callable[[], None]]] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.slept += seconds
        while self.at and self.slept >= self.at[0][0]:
            self.at.pop(0)[1]()


@pytest.fixture
def clock() -> Scripted:
    return Scripted()


@pytest.fixture
def store() -> ModelStore:
    return ModelStore([])


@pytest.fixture
def context(new_context: ContextMaker, clock: Scripted) -> tuple[OperationContext, list[Event]]:
    events: list[Event] = []
    return replace(new_context(), clock=clock, emit=events.append), events


def living() -> Owner:
    """Another process of this host that lives: the parent of the tests."""
    return replace(owner(), actor="bob@example.com", run_url="https://ci/8812", pid=os.getppid(), pid_start=None)


def elsewhere() -> Owner:
    """A process of a host that this one knows nothing of."""
    return replace(owner(), host="runner-3", boot_id="b", pid=1, pid_start=1)


def held(store: ModelStore, clock: Scripted, by: Owner, **more: Any) -> Recorded:
    opened = replace(intent(deployment_id(1), by=by), begun_at=rfc3339(clock.now_ms() - 40_000), **more)
    return begin(
        store, store.read(), opened, NOTE, bundle=BUNDLE, target=TARGET, backend=BACKEND, lineage=LINEAGE, clock=clock
    )


def closes(store: ModelStore, begun: Recorded, clock: Scripted) -> Callable[[], None]:
    def close() -> None:
        assert begun.deployment is not None
        end(store, begun, begun.deployment, NOTE._replace(verb="apply-end"), {}, None, clock=clock)

    return close


def test_nobody_is_waited_for_where_nobody_is(
    context: tuple[OperationContext, list[Event]], store: ModelStore, clock: Scripted
) -> None:
    found = wait_for_holder(context[0], store, store.read(), Patience(clock, 600), strict=False)
    assert (found.version, clock.slept, context[1]) == (None, 0.0, [])


def test_a_holder_is_shown_and_waited_for(
    context: tuple[OperationContext, list[Event]], store: ModelStore, clock: Scripted
) -> None:
    begun = held(store, clock, living())
    clock.at.append((70, closes(store, begun, clock)))
    found = wait_for_holder(context[0], store, begun, Patience(clock, 600), strict=False)
    assert found.deployment is not None and found.deployment.intent is None and found.deployment.serial == 1
    told = [event for event in context[1] if isinstance(event, LockWaiting)]
    assert told[0] == LockWaiting("bob@example.com", 40_000, "https://ci/8812", owner().host, "c" * 40)
    assert len(told) == 3  # at once, and every half minute
    assert 70 <= clock.slept < 75


@pytest.mark.parametrize("seconds", [0, 5])
def test_patience_ends_with_the_holders_name(
    context: tuple[OperationContext, list[Event]], store: ModelStore, clock: Scripted, seconds: float
) -> None:
    begun = held(store, clock, living())
    with pytest.raises(LeaseHeld, match=r"bob@example\.com is deploying .*https://ci/8812") as caught:
        wait_for_holder(context[0], store, begun, Patience(clock, seconds), strict=False)
    assert (caught.value.code, caught.value.exit_code) == ("BND401", 5)
    assert clock.slept == pytest.approx(seconds)


def test_a_lease_of_another_host_runs_out_by_the_clock(
    context: tuple[OperationContext, list[Event]], store: ModelStore, clock: Scripted
) -> None:
    begun = held(store, clock, elsewhere())
    found = wait_for_holder(context[0], store, begun, Patience(clock, 600), strict=False)
    assert found == begun  # still open: to be taken over
    assert 300 + 120 <= clock.slept < 300 + 120 + 3


def test_a_strict_lease_runs_out_by_being_watched(
    context: tuple[OperationContext, list[Event]], store: ModelStore, clock: Scripted
) -> None:
    """Whatever its clock says; a renewal starts the watch again."""
    begun = held(store, clock, elsewhere())
    lease = Lease(store, begun, NOTE, began_s=clock.boot_s(), clock=clock, emit=lambda event: None)
    renewed: list[float] = []

    def renews() -> None:
        lease.check()
        renewed.append(clock.slept)

    clock.at.append((200, renews))
    found = wait_for_holder(context[0], store, begun, Patience(clock, 600), strict=True)
    assert found.version != begun.version
    assert renewed[0] + 300 <= clock.slept < renewed[0] + 303
    clock.advance(-5_000)  # a clock that is behind makes no lease longer
    assert wait_for_holder(context[0], store, found, Patience(clock, 600), strict=True) == found


def test_a_holder_renews_at_half_its_lease(store: ModelStore, clock: Scripted) -> None:
    begun = held(store, clock, owner())
    lease = Lease(store, begun, NOTE, began_s=clock.boot_s(), clock=clock, emit=lambda event: None)
    for _ in range(40):
        clock.advance(30)
        lease.check()
    verbs = [entry.verb for entry in store.history()]
    assert verbs.count("lease") == 40 * 30 // 150
    now = lease.held().deployment
    assert now is not None and now.intent is not None
    assert (now.fence, now.serial) == (1, 0)
    assert now.intent.lease_until > rfc3339(clock.now_ms() + 150_000)
    assert store.read() == lease.held()


def test_who_slept_past_the_lease_makes_no_further_call(store: ModelStore, clock: Scripted) -> None:
    begun = held(store, clock, owner())
    lease = Lease(store, begun, NOTE, began_s=clock.boot_s(), clock=clock, emit=lambda event: None)
    clock.advance(240)  # lease minus the longest request
    before = store.read()
    with pytest.raises(LeaseHeld, match="ran out") as caught:
        lease.check()
    assert caught.value.code == "BND402"
    assert store.read() == before


def test_whose_apply_was_taken_over_makes_no_further_call(store: ModelStore, clock: Scripted) -> None:
    begun = held(store, clock, owner())
    lease = Lease(store, begun, NOTE, began_s=clock.boot_s(), clock=clock, emit=lambda event: None)
    recover(store, begun, living(), NOTE, now_ms=clock.now_ms(), clock=clock)
    clock.advance(151)
    with pytest.raises(LeaseHeld, match=r"bob@example\.com has taken over") as caught:
        lease.check()
    assert caught.value.code == "BND402"


class Flaky(ModelStore):
    """A model whose next writes fail before or after their effect."""

    faults: tuple[str, ...] = ()

    def cas(self, *arguments: Any, **named: Any) -> Committed | Conflict | Unknown:
        fault, self.faults = (self.faults[0], self.faults[1:]) if self.faults else ("", ())
        if fault == "before":
            raise RepositoryError("cannot reach remote", code="BND611")
        done = super().cas(*arguments, **named)
        if fault == "after":
            raise RepositoryError("cannot reach remote", code="BND611")
        return done


@pytest.mark.parametrize("faults", [("before",), ("after",), ("after", "after"), ("before", "after", "before")])
def test_a_renewal_that_fails_is_tried_again_while_the_lease_holds(clock: Scripted, faults: tuple[str, ...]) -> None:
    store = Flaky([])
    begun = held(store, clock, owner())
    told: list[Event] = []
    lease = Lease(store, begun, NOTE, began_s=clock.boot_s(), clock=clock, emit=told.append)
    store.faults = faults
    clock.advance(150)
    for _ in range(len(faults) + 1):
        lease.check()
        clock.advance(1)
    assert len(told) == len(faults) and all(isinstance(event, Notice) for event in told)
    closes(store, lease.held(), clock)()
    now = store.read().deployment
    assert now is not None and (now.serial, now.intent) == (1, None)


def test_an_end_after_a_renewal_in_doubt_is_no_conflict(clock: Scripted) -> None:
    store = Flaky([])
    begun = held(store, clock, owner())
    lease = Lease(store, begun, NOTE, began_s=clock.boot_s(), clock=clock, emit=lambda event: None)
    store.faults = ("after",)
    clock.advance(150)
    lease.check()
    closes(store, lease.held(), clock)()


def test_races_that_may_be_run_again(clock: Scripted) -> None:
    patience = Patience(clock, 10)
    assert patience.goes_on_after(LeaseHeld("x"))
    assert patience.goes_on_after(StalePlan("x"))
    assert not patience.goes_on_after(LeaseHeld("x", code="BND402"))
    assert not patience.goes_on_after(StalePlan("x", code="BND304"))
    clock.advance(11)
    assert not patience.goes_on_after(LeaseHeld("x"))


# The whole of a deploy.


def deploying(context: OperationContext, at: str, act: Callable[[], None]) -> OperationContext:
    """A context in which something happens once, before the first write of a verb."""
    waiting = [act]

    class Store:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def cas(self, expected: Recorded, new: Any, note: Note, **named: Any) -> Any:
            if note.verb == at and waiting:
                waiting.pop()()
            return self._inner.cas(expected, new, note, **named)

    return replace(
        context, open_store=lambda repository, found: cast(Any, Store(context.open_store(repository, found)))
    )


def test_who_loses_the_race_to_begin_plans_again(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one")})

    def other() -> None:
        assert deploy(new_context(), YES, lambda plan: None).is_complete

    told: list[Event] = []
    context = replace(deploying(new_context(), "apply-begin", other), emit=told.append)
    done = deploy(context, replace(YES, lock_timeout_s=60.0), lambda plan: None)
    assert done.manifest is None  # the other one did it all
    assert any(isinstance(event, Notice) and "planning again" in event.text for event in told)


def test_what_was_looked_at_is_not_replaced_by_another_plan(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one")})

    def other() -> None:
        assert deploy(new_context(), YES, lambda plan: None).is_complete

    context = deploying(new_context(), "apply-begin", other)
    with pytest.raises(StalePlan, match="something was deployed since: serial 0 -> 1"):
        deploy(context, DeployRequest(lock_timeout_s=60.0), lambda plan: "interactive")


def test_a_long_apply_keeps_its_lease(
    repository: RepositoryBuilder, new_context: ContextMaker, clock: Scripted
) -> None:
    """Every call takes a minute and a half: longer than the lease, all of them together."""
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one", c="one", d="one", e="one")})
    context = replace(new_context(), clock=clock)

    class Slow:
        def __init__(self, inner: Backend) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def create(self, composed: Any, fence: int) -> str:
            clock.advance(90)
            return self._inner.create(composed, fence)

    def open_backend(found: Bundle) -> Backend:
        return cast(Backend, Slow(context.open_backend(found)))

    done = deploy(replace(context, open_backend=open_backend), YES, lambda plan: None)
    assert done.is_complete and clock.boot_s() >= 1_000 + 450
    verbs = [entry.verb for entry in make_plan(new_context()).store.history()]
    assert verbs == ["apply-end", "lease", "lease", "apply-begin"]


def test_a_zombie_writes_nothing(repository: RepositoryBuilder, new_context: ContextMaker, clock: Scripted) -> None:
    """A holder sleeps for two leases in the middle of its apply; a successor recovers; the holder wakes."""
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one", c="one")})
    context = replace(new_context(), clock=clock)
    calls: list[str] = []
    left: list[Any] = []

    class Sleepy:
        def __init__(self, inner: Backend) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def create(self, composed: Any, fence: int) -> str:
            calls.append(composed.key)
            identifier = self._inner.create(composed, fence)
            if not left:
                clock.advance(600)
                mine = replace(new_context(), clock=clock)
                mine = replace(mine, owner=replace(mine.owner, host="runner-4"))
                assert deploy(mine, YES, lambda plan: None).is_complete
                left.append(make_plan(new_context()))
            return identifier

    def open_backend(found: Bundle) -> Backend:
        return cast(Backend, Sleepy(context.open_backend(found)))

    with pytest.raises(LeaseHeld, match="no longer holds") as caught:
        deploy(replace(context, open_backend=open_backend), YES, lambda plan: None)
    assert (caught.value.code, caught.value.exit_code) == ("BND402", 5)
    assert calls == ["a"]
    after = make_plan(new_context())
    assert after.recorded == left[0].recorded
    assert after.plan.is_empty and len(after.observed.jobs) == 3
