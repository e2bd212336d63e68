"""Lookups that the backend answers: only for what a plan is made of, and only what it can know."""

import pytest

from bundlectl.model.errors import InputError
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.load import load, load_for_validation
from bundlectl.operations.plan import make_plan
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker

YES = DeployRequest(auto_approve=True)


def _bundle(name: str, lookup: str, value: str = "${var.other}") -> str:
    return f"""\
bundle: {{name: {name}}}
bundlectl: {{backend: local}}
variables: {{other: {{lookup: {lookup}}}}}
targets: {{dev: {{mode: development, default: true}}, free: {{}}}}
resources:
  jobs:
    {name}: {{name: "{name}", description: "{value}", tasks: [{{task_key: t, shell_task: {{command: [echo]}}}}]}}
"""


BASE = _bundle("base", "{cluster: none}", "no reference").replace("variables: {other: {lookup: {cluster: none}}}\n", "")


def _deployed_base(repository: RepositoryBuilder, new_context: ContextMaker) -> str:
    repository.commit("base", {"databricks.yml": BASE})
    result = deploy(new_context(target="free"), YES, lambda plan: None)
    assert result.manifest is not None
    return str(result.outcomes[0].id)


def test_a_job_is_found_by_its_name(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    id = _deployed_base(repository, new_context)
    repository.commit(
        "use",
        {
            "databricks.yml": _bundle("use", '{job: "${var.name}"}').replace(
                "variables: {", "variables: {name: {default: base}, "
            )
        },
    )
    planned = make_plan(new_context(target="free"))
    assert planned.all_specs()["use"].document["description"] == id
    assert [(item["name"], item["origin"]) for item in planned.plan.variables] == [("other", "lookup")]


def test_validate_asks_nobody(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    _deployed_base(repository, new_context)
    repository.commit("use", {"databricks.yml": _bundle("use", "{job: base}")})
    loading = load_for_validation(new_context(target="free"))
    assert [finding.code for finding in loading.loaded.diagnostics] == ["BND238"]


def test_an_untrusted_source_is_not_asked_for(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    _deployed_base(repository, new_context)
    repository.commit("use", {"databricks.yml": _bundle("use", "{job: base}")})
    with pytest.raises(InputError) as failed:
        make_plan(new_context(target="free", untrusted=True))
    assert [finding.code for finding in failed.value.diagnostics] == ["BND238"]


@pytest.mark.parametrize("lookup", ["{job: nobody}", "{job: BASE}", "{job: bas}"])
def test_a_name_that_no_job_has(repository: RepositoryBuilder, new_context: ContextMaker, lookup: str) -> None:
    _deployed_base(repository, new_context)
    repository.commit("use", {"databricks.yml": _bundle("use", lookup)})
    with pytest.raises(InputError, match='"local" has none') as failed:
        load(new_context(target="free"))
    assert failed.value.code == "BND238"
    assert failed.value.hint is not None and "--lookups" in failed.value.hint


def test_a_kind_that_the_backend_does_not_have(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("use", {"databricks.yml": _bundle("use", "{cluster: some}")})
    with pytest.raises(InputError) as failed:
        make_plan(new_context(target="free"))
    assert [finding.code for finding in failed.value.diagnostics] == ["BND238"]


def test_a_file_answers_without_a_backend(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("use", {"databricks.yml": _bundle("use", "{cluster: some}")})
    (repository.folder.parent / "look.json").write_text('{"cluster": {"some": "4321"}, "job": {"base": 7}}')
    planned = make_plan(new_context(target="free", lookups="../look.json"))
    assert planned.all_specs()["use"].document["description"] == "4321"


def test_a_cluster_replaces_the_compute_of_tasks(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    text = _bundle("use", "{cluster: some}", "x").replace("task_key: t,", "task_key: t, existing_cluster_id: a,")
    repository.commit("use", {"databricks.yml": text.replace("variables: {other: {lookup: {cluster: some}}}\n", "")})
    loading = load(new_context(target="dev", cluster_id="given"))
    assert loading.loaded.document is not None
    (task,) = loading.loaded.document["resources"]["jobs"]["use"]["tasks"]
    assert task["existing_cluster_id"] == "given"
