"""Deploys that meet trouble half-way: what is done is recorded, what is not is said, and the next deploy goes on."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend, Composed
from bundlectl.model.bundle import Bundle
from bundlectl.model.errors import (
    BackendError,
    Interrupted,
    LeaseHeld,
    NotAuthenticated,
    NotPermitted,
    OutcomeUnknown,
    Refused,
    Unsupported,
)
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from bundlectl.state.plan_file import save
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)


class Failing:
    """A backend whose create of one job raises; everything else is the real one."""

    def __init__(self, inner: Backend, key: str, act: Callable[[Callable[[], str]], str]) -> None:
        self._inner = inner
        self._key = key
        self._act = act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create(self, composed: Composed, fence: int) -> str:
        if composed.key != self._key:
            return self._inner.create(composed, fence)
        return self._act(lambda: self._inner.create(composed, fence))


def _failing(context: OperationContext, key: str, act: Callable[[Callable[[], str]], str]) -> OperationContext:
    def open_backend(found: Bundle) -> Backend:
        return cast(Backend, Failing(context.open_backend(found), key, act))

    return replace(context, open_backend=open_backend)


def _deploy(context: OperationContext) -> DeployResult:
    return deploy(context, YES, lambda plan: None)


def _raising(error: Exception) -> Callable[[Callable[[], str]], str]:
    def act(create: Callable[[], str]) -> str:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "outcomes"),
    [
        (NotPermitted("needs CAN_MANAGE"), ["done", "failed", "done"]),
        (BackendError("the server failed"), ["done", "failed", "done"]),
        (OutcomeUnknown("no answer"), ["done", "unknown", "done"]),
        (NotAuthenticated("the token expired"), ["done", "failed", "not_started"]),
    ],
)
def test_one_failure_is_recorded_and_the_next_deploy_does_the_rest(
    repository: RepositoryBuilder, new_context: ContextMaker, error: Exception, outcomes: list[str]
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one", c="one")})
    result = _deploy(_failing(new_context(), "b", _raising(error)))
    assert [item.outcome for item in result.outcomes] == outcomes
    assert not result.is_complete
    assert result.manifest is not None and result.manifest["outcome"] == "partial"
    again = _deploy(new_context())
    left = [key for key, outcome in zip("abc", outcomes, strict=True) if outcome != "done"]
    assert [item.address for item in again.outcomes] == [f"resources.jobs.{key}" for key in left]
    assert again.is_complete
    assert make_plan(new_context()).plan.is_empty


def test_a_create_whose_answer_was_lost_is_found_by_its_ownership_id(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    def lose(create: Callable[[], str]) -> str:
        create()
        raise OutcomeUnknown("no answer")

    repository.commit("one", {"databricks.yml": bundle(a="one", b="one")})
    result = _deploy(_failing(new_context(), "b", lose))
    assert [item.outcome for item in result.outcomes] == ["done", "unknown"]
    again = make_plan(new_context())
    assert [change.action.value for change in again.plan.changes] == ["update"]
    assert _deploy(new_context()).is_complete
    observed = make_plan(new_context()).observed
    assert len(observed.jobs) == 2


def test_what_needs_a_job_that_failed_is_skipped(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    caller = (
        "    caller:\n      tasks:\n        - task_key: t\n"
        "          shell_task: {command: [echo, '${resources.jobs.b.id}']}\n"
    )
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one") + caller})
    result = _deploy(_failing(new_context(), "b", _raising(BackendError("no"))))
    assert {item.address.rpartition(".")[2]: item.outcome for item in result.outcomes} == {
        "a": "done",
        "b": "failed",
        "caller": "skipped",
    }
    assert _deploy(new_context()).is_complete
    job = next(job for job in make_plan(new_context()).observed.jobs if job.own)
    assert job.id


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_finishes_the_call_in_hand_and_ends_in_part(
    repository: RepositoryBuilder, new_context: ContextMaker, number: int, code: int
) -> None:
    def interrupt(create: Callable[[], str]) -> str:
        os.kill(os.getpid(), number)
        return create()

    repository.commit("one", {"databricks.yml": bundle(a="one", b="one", c="one")})
    with pytest.raises(Interrupted) as stopped:
        _deploy(_failing(new_context(), "b", interrupt))
    assert stopped.value.exit_code == code
    again = _deploy(new_context())
    assert [item.address for item in again.outcomes] == ["resources.jobs.c"]


def test_an_apply_that_lives_is_in_the_way(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one")})
    seen: list[LeaseHeld] = []

    def meanwhile(create: Callable[[], str]) -> str:
        other = new_context()
        # Another process of this host that lives: the test's parent.
        owner = replace(other.owner, pid=os.getppid(), pid_start=None)
        with pytest.raises(LeaseHeld) as held:
            _deploy(replace(other, owner=owner))
        seen.append(held.value)
        return create()

    assert _deploy(_failing(new_context(), "b", meanwhile)).is_complete
    assert seen and seen[0].exit_code == 5
    assert "ann@example.com" in seen[0].summary


def test_a_no_changes_nothing(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    with pytest.raises(Refused) as refused:
        deploy(new_context(), DeployRequest(), lambda plan: None)
    assert refused.value.detail == "Nothing was changed."
    assert make_plan(new_context()).recorded.version is None


def test_protection_stays_in_the_state_when_its_mark_is_taken_out(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    marked = "    a:\n      lifecycle: {prevent_destroy: true}\n      tasks:"
    text = bundle(a="one", b="one")
    repository.commit("one", {"databricks.yml": text.replace("    a:\n      tasks:", marked)})
    assert _deploy(new_context()).is_complete
    repository.commit("two", {"databricks.yml": bundle(b="one")})
    with pytest.raises(Refused) as refused:
        _deploy(new_context())
    assert "jobs.a" in refused.value.summary and "protected" in refused.value.summary


def test_a_plan_saved_inside_the_bundle_is_no_part_of_it(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    repository.write({"databricks.yml": bundle(a="two")})  # a development target reads what is not committed
    file = repository.folder / "plan.json"

    def context() -> OperationContext:
        made = new_context(target="dev")
        return replace(made, source=replace(made.source, plan_file=file))

    save(file, plan_document(make_plan(context()).plan))
    result = deploy(context(), DeployRequest(plan_file=file, auto_approve=True), lambda plan: None)
    assert result.is_complete
    assert result.manifest is not None and result.manifest["plan"]["reviewed"] == "plan-file"
    assert result.plan.source.dirty_paths == ("databricks.yml",)


def test_a_backend_that_cannot_be_deployed_to_yet_is_planned_and_refused_by_name(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    airflow = "bundlectl: {backend: {kind: airflow, url: https://acme.example}}"
    text = bundle(a="one").replace("bundlectl: {backend: local}", airflow)
    repository.commit("one", {"databricks.yml": text.replace("shell_task: {command: [echo, one]}", _WORKSPACE_TASK)})
    planned = make_plan(new_context())
    assert [change.action.value for change in planned.plan.changes] == ["create"]
    assert planned.plan.observed == "not_read"
    with pytest.raises(Unsupported) as refused:
        _deploy(new_context())
    assert "https://acme.example" in refused.value.summary
    assert refused.value.detail is not None and "Nothing was changed" in refused.value.detail
    assert make_plan(new_context()).recorded.version is None


_WORKSPACE_TASK = "condition_task: {left: a, op: EQUAL_TO, right: a}"
