"""Deleted jobs: destroy, undelete and gc over a real repository and a real engine."""

from dataclasses import replace
from typing import Any

import pytest

from bundlectl.base.clock import SystemClock
from bundlectl.model.errors import BackendError, InputError, LeaseHeld, NotFound, Refused
from bundlectl.model.plan import Action, Plan
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.destroy import DestroyRequest, destroy
from bundlectl.operations.gc import GcRequest, collect
from bundlectl.operations.plan import make_plan
from bundlectl.operations.run import RunRequest, run
from bundlectl.operations.undelete import UndeleteRequest, list_kept, undelete
from bundlectl.operations.world import World, open_world
from bundlectl.planning.selection import Selection
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

_DAY_S = 86_400


class Later(SystemClock):
    """The clock of this machine some time from now."""

    def __init__(self, seconds: int) -> None:
        self._ms = seconds * 1000

    def now_ms(self) -> int:
        return super().now_ms() + self._ms


def yes(plan: Plan) -> str | None:
    return "interactive"


def no(plan: Plan) -> str | None:
    return None


def deployed(context: OperationContext) -> DeployResult:
    return deploy(context, DeployRequest(auto_approve=True, allow_destructive=True), yes)


def destroyed(context: OperationContext, **more: Any) -> DeployResult:
    return destroy(context, DestroyRequest(auto_approve=True, allow_destructive=True, **more), yes)


def brought_back(context: OperationContext, *keys: str) -> Any:
    return undelete(context, UndeleteRequest(keys=keys, auto_approve=True), yes)


def ids(world: World, *, kept: bool) -> dict[str, str]:
    deployment = world.recorded.deployment
    jobs = deployment.jobs if deployment is not None else {}
    return {key: job.id for key, job in jobs.items() if (job.tombstone is not None) is kept}


def edit(context: OperationContext, key: str, **members: Any) -> None:
    """Somebody changes a deployed job in the workspace."""
    world = open_world(context)
    deployment, entry = world.deployed, world.deployed.jobs[key]
    document = world.backend.read([entry.id])[entry.id]
    assert document is not None
    composed = world.backend.compose(
        {**document, **members},
        snapshot=entry.snapshot,
        lineage=deployment.lineage,
        target=deployment.target,
        key=key,
    )
    world.backend.update(entry.id, composed, deployment.fence)


@pytest.fixture
def two(repository: RepositoryBuilder, new_context: ContextMaker) -> ContextMaker:
    """Two deployed jobs, "a" with a run."""
    repository.commit("one", {"databricks.yml": bundle(a="one", b="two")})
    deployed(new_context())
    assert run(new_context(), RunRequest(job="a")).run.result == "SUCCESS"
    return new_context


def test_a_deleted_job_cannot_be_run_and_comes_back_with_id_and_runs(
    repository: RepositoryBuilder, two: ContextMaker
) -> None:
    before = ids(open_world(two()), kept=False)
    repository.commit("two", {"databricks.yml": bundle(b="two")})
    (outcome,) = deployed(two()).outcomes
    assert (outcome.action, outcome.id, outcome.outcome) == (Action.DELETE, before["a"], "done")
    assert outcome.until is not None and not outcome.not_converged
    with pytest.raises(NotFound):
        run(two(), RunRequest(job="a"))
    world = open_world(two())
    assert ids(world, kept=True) == {"a": before["a"]}
    assert world.backend.find("job", "Untitled") == (before["b"],)
    assert make_plan(two()).plan.is_empty
    done = brought_back(two(), "jobs.a")
    assert [(job.key, job.id, job.in_bundle) for job in done.jobs] == [("a", before["a"], False)]
    assert done.result.manifest["kind"] == "undelete"
    assert [job["action"] for job in done.result.manifest["jobs"]] == ["undelete"]
    world = open_world(two())
    assert ids(world, kept=False) == before
    assert len(world.backend.runs(before["a"], 10)) == 1
    assert run(two(), RunRequest(job="a")).run.result == "SUCCESS"
    # What is deployed is still that commit; the bundle does not have the job, so that it goes again.
    assert world.deployed.deployed is not None
    assert world.deployed.deployed.commit == repository.git("rev-parse", "HEAD").strip()
    (change,) = make_plan(two()).plan.changes
    assert change.action is Action.DELETE


def test_a_key_that_the_bundle_has_again_is_restored(repository: RepositoryBuilder, two: ContextMaker) -> None:
    before = ids(open_world(two()), kept=False)
    repository.commit("two", {"databricks.yml": bundle(b="two")})
    deployed(two())
    repository.commit("three", {"databricks.yml": bundle(a="changed", b="two")})
    (change,) = make_plan(two()).plan.changes
    assert (change.action, change.id, change.restores) == (Action.UPDATE, before["a"], True)
    (outcome,) = deployed(two()).outcomes
    assert outcome.restored
    assert ids(open_world(two()), kept=False) == before
    assert make_plan(two()).plan.is_empty


def test_what_an_operator_paused_stays_paused(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    scheduled = bundle(a="one").replace(
        "    a:\n", "    a:\n      schedule: {quartz_cron_expression: 0 0 0 * * ?, timezone_id: UTC}\n"
    )
    repository.commit("one", {"databricks.yml": scheduled})
    deployed(new_context())
    schedule = {"quartz_cron_expression": "0 0 0 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"}
    edit(new_context(), "a", schedule=schedule, max_concurrent_runs=9)
    destroyed(new_context())
    brought_back(new_context(), "a")
    world = open_world(new_context())
    id = world.deployed.jobs["a"].id
    held = world.backend.read([id])[id]
    assert held is not None
    assert held["schedule"] == schedule
    assert held["max_concurrent_runs"] == 1  # everything else is as it was deployed
    # Here the pause belongs to git: the plan says that it differs.
    (job,) = make_plan(new_context()).plan.drift
    assert [field.path for field in job.fields] == [("schedule", "pause_status")]


def test_destroy_hides_everything_and_a_deploy_brings_it_back(two: ContextMaker) -> None:
    before = ids(open_world(two()), kept=False)
    result = destroyed(two(), reason="moving house")
    assert result.is_complete
    assert result.manifest is not None
    assert (result.manifest["kind"], result.manifest["snapshot"]) == ("destroy", None)
    assert {job["action"] for job in result.manifest["jobs"]} == {"tombstone"}
    world = open_world(two())
    assert ids(world, kept=True) == before
    assert world.backend.find("job", "Untitled") == ()
    assert destroyed(two()).manifest is None
    plan = make_plan(two()).plan
    assert {change.restores for change in plan.changes} == {True}
    deployed(two())
    assert ids(open_world(two()), kept=False) == before
    assert make_plan(two()).plan.is_empty


def test_destroy_for_good_takes_what_is_kept_too(repository: RepositoryBuilder, two: ContextMaker) -> None:
    repository.commit("two", {"databricks.yml": bundle(b="two")})
    deployed(two())
    result = destroyed(two(), now=True)
    assert len(result.outcomes) == 2 and result.is_complete
    world = open_world(two())
    assert world.deployed.jobs == {}
    assert world.backend.observe(world.deployed.lineage, "free").jobs == ()
    deployed(two())
    assert make_plan(two()).plan.is_empty


def test_a_part_of_a_target_may_be_destroyed(repository: RepositoryBuilder, two: ContextMaker) -> None:
    before = open_world(two()).deployed.deployed
    repository.commit("two", {"databricks.yml": bundle(a="one", b="three")})
    result = destroyed(two(), selection=Selection.of(["a"], []))
    assert [outcome.address for outcome in result.outcomes] == ["resources.jobs.a"]
    world = open_world(two())
    assert list(ids(world, kept=False)) == ["b"]
    assert world.deployed.debt == ()
    # The code and commit that "b" runs are still what is deployed.
    assert before is not None and world.deployed.deployed is not None
    assert (world.deployed.deployed.commit, world.deployed.deployed.snapshot) == (before.commit, before.snapshot)


def test_a_no_changes_nothing(two: ContextMaker) -> None:
    before = open_world(two()).recorded.version
    with pytest.raises(Refused):
        destroy(two(), DestroyRequest(), no)
    with pytest.raises(Refused) as caught:
        destroy(two(), DestroyRequest(auto_approve=True), yes)
    assert caught.value.code == "BND312"
    assert open_world(two()).recorded.version == before
    destroyed(two())
    before = open_world(two()).recorded.version
    with pytest.raises(Refused):
        undelete(two(), UndeleteRequest(keys=["a"]), no)
    assert open_world(two()).recorded.version == before


def test_a_protected_job_is_not_destroyed(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    protected = bundle(a="one").replace("    a:\n", "    a:\n      lifecycle: {prevent_destroy: true}\n")
    repository.commit("one", {"databricks.yml": protected})
    deployed(new_context())
    for now in (False, True):
        with pytest.raises(Refused) as caught:
            destroyed(new_context(), now=now)
        assert caught.value.code == "BND312"


def test_an_untrusted_source_destroys_nothing(two: ContextMaker) -> None:
    for act in (lambda context: destroyed(context), lambda context: brought_back(context, "a")):
        with pytest.raises(Refused) as caught:
            act(two(untrusted=True))
        assert caught.value.code == "BND321"


def test_what_is_not_kept_cannot_come_back(two: ContextMaker) -> None:
    with pytest.raises(NotFound, match="is not deleted"):
        brought_back(two(), "a")
    destroyed(two(), selection=Selection.of(["a"], []))
    with pytest.raises(NotFound, match=r'no deleted job "jobs\.aa" is kept; did you mean "jobs\.a"'):
        brought_back(two(), "aa")
    world = open_world(two())
    world.backend.delete(world.deployed.jobs["a"].id, world.deployed.fence)
    with pytest.raises(BackendError) as caught:
        brought_back(two(), "a")
    assert caught.value.code == "BND703"


def test_nothing_is_deployed_yet(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    assert list_kept(new_context()) == ("free", ())
    assert destroyed(new_context()).manifest is None
    assert collect(new_context(), GcRequest(auto_approve=True), yes).removed == ()
    with pytest.raises(NotFound):
        brought_back(new_context(), "a")


def test_gc_lets_go_what_is_over_and_nothing_else(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    text = bundle(a="one", b="two").replace("{backend: local}", "{backend: local, retention: 2d}")
    repository.commit("one", {"databricks.yml": text})
    deployed(new_context())
    destroyed(new_context(), selection=Selection.of(["a"], []))
    repository.commit(
        "two",
        {
            "databricks.yml": text.replace(bundle(a="one", b="two").partition("jobs:")[2], "").replace(
                "resources:\n  jobs:", ""
            )
        },
    )
    early = replace(new_context(), clock=Later(_DAY_S))
    kept = collect(early, GcRequest(auto_approve=True), yes)
    assert (kept.removed, [job.key for job in kept.kept]) == ((), ["a"])
    late = replace(new_context(), clock=Later(3 * _DAY_S))
    before = open_world(new_context()).recorded.version
    shown = collect(late, GcRequest(dry_run=True), yes)
    assert [job.key for job in shown.removed] == ["a"] and shown.result is None
    with pytest.raises(Refused):
        collect(late, GcRequest(), no)
    assert open_world(new_context()).recorded.version == before
    (kept_before,) = list_kept(late)[1]
    assert kept_before.over
    done = collect(late, GcRequest(auto_approve=True, reason="tidy"), yes)
    assert [job.key for job in done.removed] == ["a"]
    assert done.result is not None and done.result.manifest is not None
    assert done.result.manifest["kind"] == "gc"
    world = open_world(new_context())
    assert list(world.deployed.jobs) == ["b"]
    assert world.backend.read([kept_before.id]) == {kept_before.id: None}


def test_a_job_that_the_bundle_has_again_is_not_collected(two: ContextMaker) -> None:
    destroyed(two())
    late = replace(two(), clock=Later(90 * _DAY_S))
    found = collect(late, GcRequest(auto_approve=True), yes)
    assert (found.removed, [job.reason for job in found.kept]) == ((), ["the bundle has it again"] * 2)


def test_an_apply_that_is_open_is_waited_for(two: ContextMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    from bundlectl.operations import carry_out as module

    def dies(*_: Any) -> Any:
        raise InputError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(module, "apply", dies)
        with pytest.raises(InputError):
            destroyed(two())
    # The process that holds it lives: this one.
    with pytest.raises(LeaseHeld):
        brought_back(two(), "a")
