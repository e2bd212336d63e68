"""A target without a state whose jobs are there: never made a second time, taken over by name, with their history."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bundlectl.model.errors import Refused
from bundlectl.model.plan import Plan
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.destroy import DestroyRequest, destroy
from bundlectl.operations.history import history
from bundlectl.operations.plan import PlanOptions, Refresh, make_plan
from bundlectl.operations.world import open_world
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)
TAKE_OVER = DeployRequest(auto_approve=True, accept_lost_state=True, reason="the runner's disk died")


@pytest.fixture
def lost(repository: RepositoryBuilder, new_context: ContextMaker) -> Callable[[], OperationContext]:
    """Contexts of a repository whose state of two deployments is gone, with what this machine knew of it."""
    for word in ("one", "two"):
        repository.commit(word, {"databricks.yml": bundle(a=word, b="x", dropped="x")})
        assert deploy(new_context(), YES, lambda plan: None).is_complete
    forget(repository)
    repository.commit("three", {"databricks.yml": bundle(a="three", b="x", added="x")})
    return lambda: new_context()


def forget(repository: RepositoryBuilder) -> None:
    for ref in repository.git("for-each-ref", "--format=%(refname)", "refs/bundlectl").split():
        repository.git("update-ref", "-d", ref)
    shutil.rmtree(repository.folder / ".git" / "bundlectl")


def ids(context: OperationContext) -> Mapping[str, str]:
    return {key: job.id for key, job in open_world(context).deployed.jobs.items()}


def listed(context: OperationContext) -> int:
    """How many jobs there are, whoever made them."""
    return sum(open_world(context).backend.lineages("free").values())


def guards(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(guard.code, guard.summary, guard.override) for guard in plan.guards]


def test_jobs_whose_state_is_gone_are_not_made_again(lost: Callable[[], OperationContext]) -> None:
    plan = make_plan(lost()).plan
    assert guards(plan) == [("BND412", "state is gone but 3 jobs belong to it", "--accept-lost-state")]
    with pytest.raises(Refused) as no:
        deploy(lost(), YES, lambda plan: None)
    assert (no.value.code, no.value.exit_code) == ("BND412", 6)
    assert no.value.summary == "state is gone but 3 jobs belong to it"
    assert "--accept-lost-state" in (no.value.hint or "")
    assert open_world(lost()).recorded.version is None
    assert listed(lost()) == 3


def test_a_destroy_does_not_say_that_nothing_is_there(lost: Callable[[], OperationContext]) -> None:
    with pytest.raises(Refused, match="state is gone but 3 jobs belong to it"):
        destroy(lost(), DestroyRequest(auto_approve=True, allow_destructive=True), lambda plan: "auto")


def test_they_are_taken_over_by_name(lost: Callable[[], OperationContext]) -> None:
    before = listed(lost())
    result = deploy(lost(), TAKE_OVER, lambda plan: None)
    assert result.is_complete
    assert make_plan(lost()).plan.is_empty
    assert guards(make_plan(lost()).plan) == []
    assert ids(lost()).keys() == {"a", "b", "added"}
    assert listed(lost()) == before + 1  # one was added; the dropped one is nobody's to remove
    (manifest,) = history(lost(), limit=5, job=None).deployments
    assert manifest["approval"]["overrides"] == [{"guard": "lost_state", "reason": "the runner's disk died"}]
    # The history of deployments goes on under its old name, and with it what the marks say.
    world = open_world(lost())
    assert world.deployed.lineage == next(iter(world.backend.lineages("free")))
    assert deploy(lost(), YES, lambda plan: None).manifest is None


def test_they_keep_their_ids_and_runs(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="x")})
    deploy(new_context(), YES, lambda plan: None)
    before = ids(new_context())
    forget(repository)
    deploy(new_context(), TAKE_OVER, lambda plan: None)
    assert ids(new_context()) == before
    forget(repository)  # and once more: whoever comes later is no earlier one
    deploy(new_context(), TAKE_OVER, lambda plan: None)
    assert ids(new_context()) == before


def test_a_plan_that_does_not_ask_the_backend_knows_nothing_of_it(lost: Callable[[], OperationContext]) -> None:
    assert guards(make_plan(lost(), PlanOptions(refresh=Refresh.NONE)).plan) == []


def test_the_first_deploy_of_another_bundle_or_target_is_no_loss(
    lost: Callable[[], OperationContext], repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    text = bundle(a="x")
    repository.commit("dev", {"databricks.yml": text})
    assert guards(make_plan(new_context(target="dev")).plan) == []
    repository.commit("other", {"databricks.yml": text.replace("{name: shop}", "{name: bakery}")})
    assert guards(make_plan(new_context()).plan) == []
    assert deploy(new_context(), YES, lambda plan: None).is_complete
