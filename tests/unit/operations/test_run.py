"""Runs and their manifests: equal inputs, one digest; every end is recorded, an interrupt's too."""

import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from bundlectl.model.errors import Interrupted, NotFound
from bundlectl.model.events import Event, RunProgress
from bundlectl.model.manifest import inputs_digest
from bundlectl.model.run import LifeCycle, Result
from bundlectl.operations import runs
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.history import history, summary
from bundlectl.operations.run import RunRequest, effective_parameters, run
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle


def _deploy(context: OperationContext) -> None:
    assert deploy(context, DeployRequest(auto_approve=True), lambda plan: None).is_complete


def _inputs(manifest: dict[str, Any]) -> Any:
    return manifest["inputs"]


def test_equal_inputs_give_equal_digests_and_the_rest_does_not_matter(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    commit = repository.commit("one", {"databricks.yml": bundle(a="one")})
    _deploy(new_context())
    first = run(new_context(), RunRequest(job="a"))
    second = run(new_context(), RunRequest(job="jobs.a"))
    other = run(new_context(), RunRequest(job="a", parameters={"day": "2026-11-25"}))
    assert first.run.result is Result.SUCCESS
    assert first.run.run_id != second.run.run_id
    assert first.manifest["inputs_digest"] == second.manifest["inputs_digest"] != other.manifest["inputs_digest"]
    assert _inputs(first.manifest)["source"]["commit"] == commit
    assert _inputs(first.manifest)["spec"]["document"]["tasks"][0]["shell_task"]["command"] == ["echo", "one"]
    assert first.manifest["inputs_digest"] == inputs_digest(_inputs(first.manifest))
    assert runs.run_manifest(new_context(), first.run.run_id) == first.manifest


def test_a_run_is_of_what_is_deployed_not_of_the_working_tree(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    _deploy(new_context())
    repository.write({"databricks.yml": "no: [bundle"})
    ended = run(new_context(), RunRequest(job="a"))
    logs = list(runs.read_logs(new_context(), ended.run.run_id, task=None, attempt=None))
    assert "".join(item.text for item in logs) == "one\n"
    assert runs.get_run(new_context(), "latest:a").run.run_id == ended.run.run_id


def test_an_interrupt_cancels_the_run_and_records_that(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    slow = bundle(a="one").replace("[echo, one]", "[sleep, '60']")
    repository.commit("one", {"databricks.yml": slow})
    _deploy(new_context())
    context = new_context()
    sent: list[int] = []

    def interrupt_once(event: Event) -> None:
        if sent or not isinstance(event, RunProgress):
            return
        if any(task.state is LifeCycle.RUNNING for task in event.run.tasks):
            sent.append(1)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as stopped:
        run(replace(context, emit=interrupt_once), RunRequest(job="a"))
    assert stopped.value.exit_code == 130
    found = runs.get_run(new_context(), "latest")
    assert found.run.result is Result.CANCELED
    assert found.manifest is not None and found.manifest["outcome"]["result_state"] == "CANCELED"


@pytest.mark.parametrize("wanted", ["nope", "jobs.nope"])
def test_a_job_that_is_not_deployed_is_named_with_what_is(
    repository: RepositoryBuilder, new_context: ContextMaker, wanted: str
) -> None:
    repository.commit("one", {"databricks.yml": bundle(note="one")})
    with pytest.raises(NotFound, match="nothing is deployed"):
        run(new_context(), RunRequest(job=wanted))
    _deploy(new_context())
    with pytest.raises(NotFound) as missing:
        run(new_context(), RunRequest(job=wanted))
    assert missing.value.summary.endswith('did you mean "note"?')


def test_history_and_summary_tell_what_is_deployed(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    first = repository.commit("one", {"databricks.yml": bundle(a="one", b="one")})
    _deploy(new_context())
    second = repository.commit("two", {"databricks.yml": bundle(a="two", b="one")})
    _deploy(new_context())
    told = history(new_context(), limit=10, job=None)
    assert [item["source"]["commit"] for item in told.deployments] == [second, first]
    assert len(history(new_context(), limit=10, job="b").deployments) == 1
    ended = run(new_context(), RunRequest(job="a"))
    now = summary(new_context(), lambda found: {"engine": "somewhere"})
    assert (now.serial, now.deployed.commit if now.deployed else None) == (2, second)
    assert {job.key: job.last_run.run_id if job.last_run else None for job in now.jobs} == {
        "a": ended.run.run_id,
        "b": None,
    }
    parents = [item["parent"] for item in told.deployments]
    assert parents[1] is None and str(parents[0]).startswith("sha256:")


def test_effective_parameters_name_their_origin() -> None:
    document = {"parameters": [{"name": "day", "default": "1"}, {"name": "size", "default": 3}]}
    assert effective_parameters(document, {"day": "2", "extra": "x"}) == [
        {"name": "day", "value": "2", "origin": "run"},
        {"name": "extra", "value": "x", "origin": "run"},
        {"name": "size", "value": "3", "origin": "job"},
    ]
