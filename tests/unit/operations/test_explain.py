"""explain: the value, its chain, what was recorded, the rule; and what only the invoker knows."""

from pathlib import Path

import pytest

from bundlectl.model.errors import InputError, UsageError
from bundlectl.model.plan import ABSENT
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.explain import explain
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker

BUNDLE = """\
bundle: {name: shop}
bundlectl: {backend: local}
variables:
  seconds: {default: 600}
  api_token: {default: hunter2}
targets:
  free: {default: true}
resources:
  jobs:
    etl:
      max_concurrent_runs: 3
      tasks:
        - task_key: t
          timeout_seconds: ${var.seconds}
          shell_task: {command: [echo, hi]}
    other:
      tasks:
        - task_key: t
          shell_task: {command: [echo, "${var.api_token}"]}
"""
FIELD = "jobs.etl.tasks[t].timeout_seconds"


@pytest.fixture
def written(repository: RepositoryBuilder) -> RepositoryBuilder:
    repository.commit(files={"databricks.yml": BUNDLE})
    return repository


def test_a_field_before_anything_is_deployed(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    found = explain(new_context(), FIELD).explanation
    assert (found.value, found.target, found.recorded, found.deployment) == (600, "free", ABSENT, None)
    assert [(link.value, link.raw) for link in found.chain] == [(600, "${var.seconds}"), (600, None)]
    assert found.rule is not None and found.rule.text.startswith("compared as integer; change in place")


def test_what_was_deployed_last_stands_beside_it(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    deploy(new_context(), DeployRequest(auto_approve=True), lambda plan: None)
    found = explain(new_context(var=["seconds=700"]), FIELD).explanation
    assert (found.value, found.recorded, found.deployment) == (700, 600, 1)
    gone = explain(new_context(), "jobs.etl.description").explanation
    assert gone.value is ABSENT and gone.recorded is ABSENT and gone.deployment == 1
    assert explain(new_context(), "bundle.name").explanation.deployment is None


def test_a_state_that_cannot_be_read_hides_no_chain(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    away = BUNDLE.replace("{backend: local}", "{backend: local, state: {remote: origin}}")
    written.commit(files={"databricks.yml": away})
    written.git("remote", "add", "origin", "../nowhere.git")
    found = explain(new_context(), FIELD).explanation
    assert (found.value, found.recorded, found.deployment) == (600, ABSENT, None)


def test_an_engine_is_not_opened(
    written: RepositoryBuilder, new_context: ContextMaker, environment: dict[str, str]
) -> None:
    explain(new_context(), FIELD)
    assert not Path(environment["BUNDLECTL_ENGINE_DIR"]).exists()


def test_places_in_the_invokers_own_files(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    (written.folder / "mine.yml").write_text("# values\nseconds: 5\n")
    link = explain(
        new_context(var_file=Path("mine.yml")), "var.seconds", variable_file=Path("mine.yml")
    ).explanation.chain[0]
    assert (str(link.span), link.note, link.value) == ("mine.yml:2:10", 'variable "seconds" from --var-file', 5)
    overrides = written.folder / ".databricks/bundle/free/variable-overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text('{"seconds": 9}')
    link = explain(new_context(), "var.seconds").explanation.chain[0]
    assert (str(link.span), link.value) == (".databricks/bundle/free/variable-overrides.json:1:13", 9)


def test_who_said_what(written: RepositoryBuilder, new_context: ContextMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def note(field: str, **options: object) -> str:
        return explain(new_context(**options), field).explanation.chain[0].note

    assert note("bundle.target") == "the only target"
    assert note("bundle.target", target="free") == "chosen with -t"
    assert note("workspace.current_user.userName").endswith("BUNDLECTL_USER")
    monkeypatch.delenv("BUNDLECTL_USER")
    monkeypatch.setenv("BUNDLE_VAR_seconds", "8")
    assert note("var.seconds") == 'variable "seconds" from BUNDLE_VAR_seconds'


@pytest.mark.parametrize("field", ["var.api_token", "jobs.other.tasks[t].shell_task.command"])
def test_what_a_plan_hides_is_hidden(written: RepositoryBuilder, new_context: ContextMaker, field: str) -> None:
    found = explain(new_context(), field).explanation
    assert found.sensitive is (field == "var.api_token")


def test_a_commit_is_explained_as_it_was(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    written.write({"databricks.yml": BUNDLE.replace("600", "1")})
    assert explain(new_context(), FIELD).explanation.value == 1
    assert explain(new_context(ref="HEAD"), FIELD).explanation.value == 600


def test_an_unknown_job_names_the_nearest(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    with pytest.raises(UsageError, match=r'no job "elt".*did you mean "etl"'):
        explain(new_context(), "jobs.elt.name")


def test_a_bundle_with_errors_is_explained_as_far_as_it_goes(
    written: RepositoryBuilder, new_context: ContextMaker
) -> None:
    written.write({"databricks.yml": BUNDLE + "          depends_on: [{task_key: nope}]\n"})
    explained = explain(new_context(), FIELD)
    assert explained.findings.has_errors and explained.explanation.value == 600
    written.write({"databricks.yml": "bundle: ["})
    with pytest.raises(InputError):
        explain(new_context(), FIELD)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("jobs.etl.deployment", "never compared: bundlectl writes its ownership path there"),
        ("jobs.etl.deployment.kind", "never compared: bundlectl writes its ownership path there"),
        ("jobs.etl.schedule.pause_status", "compared as text; change in place; kept as it is on the backend where"),
        ("jobs.etl.git_source.git_provider", "compared as text; change in place"),
        ("jobs.etl.tasks", "compared as list, by task_key; change in place"),
        ("jobs.etl.health.rules", "compared as list without order; change in place; in any order"),
        ("jobs.etl.tags", "compared as map, key by key; change in place"),
        ("jobs.etl.bundlectl", "a setting of bundlectl: never sent"),
        ("jobs.etl.queue.enabled", "compared as boolean; change in place"),
    ],
)
def test_how_a_field_is_compared(written: RepositoryBuilder, new_context: ContextMaker, field: str, text: str) -> None:
    rule = explain(new_context(), field).explanation.rule
    assert rule is not None and rule.text.startswith(text)


def test_what_forces_a_replacement_depends_on_the_backend(
    written: RepositoryBuilder, new_context: ContextMaker
) -> None:
    written.write({"databricks.yml": BUNDLE.replace("backend: local", "backend: databricks")})
    rule = explain(new_context(), "jobs.etl.git_source.git_provider").explanation.rule
    assert rule is not None and "a change replaces the job" in rule.text and "change in place" not in rule.text


def test_what_acts_through_jobs_is_not_compared(written: RepositoryBuilder, new_context: ContextMaker) -> None:
    assert explain(new_context(), "var.seconds").explanation.rule is None
