"""What every StateStore must do, whatever holds it. A subclass gives the `place` fixture and inherits the tests."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.base.digest import digest_document
from bundlectl.base.host import this_process
from bundlectl.git.chain import Committed, Conflict, Unknown
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.deployment import Deployed, DeployedJob, Deployment, Intent, Operation, Owner
from bundlectl.model.errors import LeaseHeld, StalePlan
from bundlectl.state import store as steps
from bundlectl.state.store import Note, Recorded, StateStore

BUNDLE, TARGET, LINEAGE = "sales", "prod", "2f5c0000-0000-4000-8000-000000000001"
BACKEND = BackendIdentity(kind="local", workspace_id="w1")
START_MS = 1_795_428_000_000  # 2026-11-23T10:00:00Z


class Place(NamedTuple):
    """One empty store, and how the next process would open it."""

    open: Callable[[], StateStore]
    check: Callable[[], None]  # raises when the medium is damaged


def deployment_id(number: int) -> str:
    """Ids of a test: they sort by number, and each number has one."""
    moment = f"{START_MS + number * 1000:012x}"
    return f"{moment[:8]}-{moment[8:]}-7000-8000-{number:012x}"


def owner(pid: int | None = None) -> Owner:
    """This process, or another one on this host."""
    here = this_process()._asdict()
    return Owner(actor="ann@example.com", **(here if pid is None else {**here, "pid": pid, "pid_start": 1}))


def intent(deployment: str, *, by: Owner | None = None, plan: str = "sha256:" + "0" * 64) -> Intent:
    """What an apply of one create would write."""
    return Intent(
        deployment=deployment,
        owner=by or owner(),
        commit="c" * 40,
        plan=plan,
        ops=(Operation("1", "create", "etl", "b1-" + "0" * 40, want="sha256:" + "1" * 64),),
        begun_at="2026-11-23T10:00:00Z",
    )


def job(document: Mapping[str, Any], deployment: str) -> DeployedJob:
    """The entry of a job that was deployed as `document`."""
    return DeployedJob("8123", digest_document(dict(document)), digest_document("sent"), None, deployment)


def begin(store: StateStore, recorded: Recorded, opened: Intent, clock: FrozenClock) -> Recorded:
    """Takes the target."""
    note = Note("apply-begin", opened.deployment, "1 to create", commit=opened.commit, actor=opened.owner.actor)
    return steps.begin(
        store, recorded, opened, note, bundle=BUNDLE, target=TARGET, backend=BACKEND, lineage=LINEAGE, clock=clock
    )


def end(
    store: StateStore, recorded: Recorded, documents: Mapping[str, Mapping[str, Any]], clock: FrozenClock
) -> Recorded:
    """Closes the apply: `documents` are all jobs that are deployed now."""
    before = recorded.deployment
    assert before is not None and before.intent is not None
    deployment = before.intent.deployment
    new = replace(
        before,
        jobs={key: job(document, deployment) for key, document in documents.items()},
        deployed=Deployed(
            deployment=deployment,
            commit="c" * 40,
            tree="7" * 40,
            dirty=False,
            snapshot=None,
            code_tree=None,
            config_digest="sha256:" + "2" * 64,
        ),
    )
    manifest = {"id": deployment, "serial": before.serial + 1, "plan": {"digest": before.intent.plan}}
    note = Note("apply-end", deployment, "1 created", actor="ann@example.com")
    return steps.end(store, recorded, new, note, documents, manifest, clock=clock)


def deploy(store: StateStore, number: int, documents: Mapping[str, Mapping[str, Any]], clock: FrozenClock) -> Recorded:
    """A whole apply."""
    plan = digest_document(number)
    begun = begin(store, store.read(), intent(deployment_id(number), plan=plan), clock)
    return end(store, begun, documents, clock)


def count_up(store: StateStore, name: str, number: int) -> None:
    """One read-modify-write: the writer's own counter, and one for all, among the debts."""
    recorded = store.read()
    before = recorded.deployment or Deployment(lineage=LINEAGE, serial=0, fence=0, bundle=BUNDLE, target=TARGET)
    counters = dict(entry.split("=") for entry in before.debt)
    counters[name] = str(int(counters.get(name, 0)) + 1)
    new = replace(
        before, serial=before.serial + 1, debt=tuple(sorted(f"{key}={value}" for key, value in counters.items()))
    )
    outcome = store.cas(recorded, new, Note("hold", deployment_id(number), name))
    if isinstance(outcome, Unknown):
        outcome = store.resolve(outcome)
    if not isinstance(outcome, Committed):
        raise StalePlan("somebody was faster")


class StateStoreSuite:
    """Inherit it as `class TestSomething(StateStoreSuite)` with a fixture `place`."""

    def test_nothing_is_there_at_first(self, place: Place) -> None:
        store = place.open()
        assert store.read() == Recorded(None, None)
        assert list(store.history()) == []
        assert store.documents(None, ["etl"]) == {}

    def test_an_apply_is_two_commits(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        begun = begin(store, store.read(), intent(deployment_id(1)), clock)
        assert begun.deployment is not None and begun.deployment.intent is not None
        assert (begun.deployment.serial, begun.deployment.fence) == (0, 1)
        assert begun.deployment.intent.lease_until == "2026-01-01T00:05:00Z"
        assert place.open().read() == begun
        done = end(store, begun, {"etl": {"name": "etl"}, "größe/x": {"name": "x"}}, clock)
        assert done.deployment is not None
        assert (done.deployment.serial, done.deployment.fence, done.deployment.intent) == (1, 1, None)
        assert place.open().read() == done
        assert place.open().documents(done.version, ["etl", "größe/x", "nope"]) == {
            "etl": {"name": "etl"},
            "größe/x": {"name": "x"},
        }
        place.check()

    def test_documents_of_an_older_version_stay(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        first = deploy(store, 1, {"a": {"n": 1}, "b": {"n": 1}}, clock)
        second = deploy(store, 2, {"a": {"n": 2}}, clock)
        assert store.documents(first.version, ["a", "b"]) == {"a": {"n": 1}, "b": {"n": 1}}
        assert store.documents(second.version, ["a", "b"]) == {"a": {"n": 2}}

    def test_history_is_complete_and_newest_first(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        for number in (1, 2, 3):
            deploy(store, number, {"a": {"n": number}}, clock)
        entries = list(place.open().history())
        assert [entry.verb for entry in entries] == ["apply-end", "apply-begin"] * 3
        assert [entry.serial for entry in entries] == [3, 2, 2, 1, 1, 0]
        manifests = [entry.manifest["serial"] for entry in entries if entry.manifest is not None]
        assert manifests == [3, 2, 1]
        assert entries[0].version == store.read().version
        assert [entry.version for entry in store.history(2)] == [entry.version for entry in entries[:2]]

    def test_only_the_end_of_an_apply_is_a_deployment(self, place: Place, clock: FrozenClock) -> None:
        """Whatever else is written carries the tree on, with its manifests: it is no second deployment of them."""
        store = place.open()
        ended = deploy(store, 1, {"etl": {"name": "etl"}}, clock)
        assert ended.deployment is not None
        verbs = ("hold", "snooze", "accept-rewrite")
        for verb in verbs:
            note = Note(verb, deployment_id(1), "by hand", actor="bob@example.com")
            assert isinstance(store.cas(store.read(), replace(ended.deployment, debt=(verb,)), note), Committed)
        entries = [(entry.verb, entry.serial, entry.manifest is not None) for entry in place.open().history()]
        by_hand = [(verb, 1, False) for verb in reversed(verbs)]
        assert entries == [*by_hand, ("apply-end", 1, True), ("apply-begin", 0, False)]
        assert place.open().last_deployer() == "ann@example.com"

    def test_who_deployed_last_is_told(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        assert store.last_deployer() is None
        deploy(store, 1, {"a": {"n": 1}}, clock)
        assert store.last_deployer() == "ann@example.com"
        begin(store, store.read(), intent(deployment_id(2), by=replace(owner(), actor="bob@example.com")), clock)
        assert place.open().last_deployer() == "ann@example.com"

    def test_an_older_version_is_read_as_it_was(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        first = deploy(store, 1, {"a": {"n": 1}}, clock)
        second = deploy(store, 2, {"a": {"n": 2}, "b": {"n": 3}}, clock)
        assert first.version is not None and second.version is not None
        assert place.open().at(first.version) == first.deployment
        assert place.open().at(second.version) == second.deployment
        assert place.open().documents(first.version, ["a", "b"]) == {"a": {"n": 1}}

    def test_a_used_plan_is_found(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        deploy(store, 1, {"a": {"n": 1}}, clock)
        recorded = deploy(store, 2, {"a": {"n": 2}}, clock)
        assert recorded.deployment is not None and recorded.deployment.deployed is not None
        assert steps.plan_was_used(store, digest_document(2)) == recorded.deployment.deployed.deployment
        assert steps.plan_was_used(store, digest_document(9)) is None

    def test_who_read_before_another_wrote_has_a_conflict(self, place: Place, clock: FrozenClock) -> None:
        early = place.open()
        seen = early.read()
        deploy(place.open(), 1, {"a": {"n": 1}}, clock)
        with pytest.raises(StalePlan, match="something was deployed since: serial 0 -> 1") as caught:
            begin(early, seen, intent(deployment_id(2)), clock)
        assert caught.value.exit_code == 5
        tip = place.open().read()
        deployment = Deployment(lineage=LINEAGE, serial=0, fence=0, bundle=BUNDLE, target=TARGET)
        assert early.cas(seen, deployment, Note("hold", "d-1", "late")) == Conflict(tip.version)

    def test_an_open_apply_stops_others(self, place: Place, clock: FrozenClock) -> None:
        holder = owner(pid=999_999)
        begun = begin(place.open(), Recorded(None, None), intent(deployment_id(1), by=holder), clock)
        for seen in (place.open().read(), Recorded(None, None)):
            with pytest.raises(LeaseHeld, match=r'ann@example\.com is deploying to "prod" since 2026-11-23') as caught:
                begin(place.open(), seen, intent(deployment_id(2)), clock)
            assert (caught.value.code, caught.value.exit_code) == ("BND401", 5)
        assert place.open().read() == begun

    def test_a_lease_is_renewed_by_its_holder(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        begun = begin(store, store.read(), intent(deployment_id(1)), clock)
        clock.advance(200)
        note = Note("lease", deployment_id(1), "renewed")
        renewed = steps.renew(store, begun, note, now_ms=clock.now_ms(), clock=clock)
        assert renewed.deployment is not None and renewed.deployment.intent is not None
        assert renewed.deployment.intent.lease_until == "2026-01-01T00:08:20Z"
        assert renewed.deployment.fence == 1
        end(store, renewed, {"a": {"n": 1}}, clock)

    def test_a_recoverer_shuts_the_old_holder_out(self, place: Place, clock: FrozenClock) -> None:
        zombie = place.open()
        begun = begin(zombie, zombie.read(), intent(deployment_id(1), by=owner(pid=999_999)), clock)
        store = place.open()
        note = Note("recover", deployment_id(1), "was cut off")
        taken = steps.recover(store, store.read(), owner(), note, now_ms=clock.now_ms(), clock=clock)
        assert taken.deployment is not None and taken.deployment.intent is not None
        assert (taken.deployment.fence, taken.deployment.intent.recovered_from) == (2, begun_id(begun))
        attempts: list[Callable[[], Recorded]] = [
            lambda: end(zombie, begun, {"a": {"n": 1}}, clock),
            lambda: steps.renew(zombie, begun, note, now_ms=clock.now_ms(), clock=clock),
            lambda: steps.recover(zombie, begun, owner(), note, now_ms=clock.now_ms(), clock=clock),
        ]
        for late in attempts:
            with pytest.raises(LeaseHeld, match="no longer holds") as caught:
                late()
            assert caught.value.code == "BND402"
        again = begin(store, store.read(), intent(deployment_id(2)), clock)
        done = end(store, again, {"a": {"n": 1}}, clock)
        assert done.deployment is not None
        assert (done.deployment.serial, done.deployment.fence) == (1, 3)
        assert [entry.verb for entry in store.history()] == ["apply-end", "apply-begin", "recover", "apply-begin"]

    def test_a_write_without_a_document_is_a_fault_of_the_caller(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        begun = begin(store, store.read(), intent(deployment_id(1)), clock)
        assert begun.deployment is not None
        new = replace(begun.deployment, jobs={"a": job({"n": 1}, deployment_id(1))})
        note = Note("apply-end", deployment_id(1), "x")
        for documents in ({}, {"a": {"n": 2}}):
            with pytest.raises(ValueError, match="document"):
                store.cas(begun, new, note, documents=documents)
        assert store.read() == begun

    def test_what_a_commit_holds_beside_jobs_comes_back(self, place: Place, clock: FrozenClock) -> None:
        store = place.open()
        recorded = deploy(store, 1, {"a": {"n": 1}}, clock)
        assert recorded.deployment is not None
        new = replace(
            recorded.deployment,
            hold={"deployment": deployment_id(1), "why": "bad data"},
            protection={"a": {"since": "2026-11-23T10:00:00Z", "by": "ann"}},
            debt=("b",),
            snoozes={"x": {"until": "2027-01-01T00:00:00Z"}},
        )
        done = store.cas(recorded, new, Note("hold", deployment_id(1), "held"))
        assert isinstance(done, Committed)
        assert place.open().read() == Recorded(done.version, new)
        newest = next(store.history())
        assert (newest.verb, newest.summary, newest.manifest) == ("hold", "held", None)


def begun_id(recorded: Recorded) -> str:
    """Id of the open apply."""
    assert recorded.deployment is not None and recorded.deployment.intent is not None
    return recorded.deployment.intent.deployment
