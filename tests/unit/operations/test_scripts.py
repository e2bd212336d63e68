"""Scripts and hooks: run when allowed, where they belong, and a failure is told with its own exit code."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundlectl.model.errors import BundlectlError, InputError, PartlyApplied, Refused, RunFailed
from bundlectl.model.events import Event, TaskOutput
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.load import load_for_validation
from bundlectl.operations.run import RunRequest, run
from bundlectl.operations.scripts import find_script, run_script
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True)
SCRIPTS = """\
scripts:
  hello:
    content: |
      false || true
      printf '%s|%s|%s|%s|' "$T" "$1" "$#" "$PWD" > "$OUT"
      exit ${CODE:-0}
    env: {T: "${bundle.target}", N: "5", OUT: "../out.txt"}
  stops: {content: "false\\ntouch ../out.txt"}
  open: {content: "true", env: {ID: "${var.id}"}}
variables: {id: {lookup: {cluster: some}}}
"""


def _hooks(**hooks: str) -> str:
    return "experimental:\n  scripts:\n" + "".join(f"    {name}: '{text}'\n" for name, text in hooks.items())


def _run(context: OperationContext, name: str, *arguments: str) -> None:
    loading = find_script(context, name)
    assert loading is not None
    run_script(context, loading, name, arguments, keep_stdout=False)


def test_a_script_runs_in_the_bundle_root_with_its_environment(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"etl/databricks.yml": bundle(a="one") + SCRIPTS})
    folder = repository.folder / "etl"
    _run(new_context(chdir=folder, allow=["scripts"], target="dev"), "hello", "x y", "--z")
    assert (repository.folder / "out.txt").read_text() == f"dev|x y|2|{folder}|"


@pytest.mark.parametrize(("name", "code"), [("hello", 4), ("stops", 1)])
def test_a_script_that_fails_ends_with_its_own_exit_status(
    repository: RepositoryBuilder, new_context: ContextMaker, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    monkeypatch.setenv("CODE", "4")
    repository.commit("one", {"databricks.yml": bundle(a="one") + SCRIPTS})
    with pytest.raises(RunFailed) as failed:
        _run(new_context(allow=["scripts"]), name)
    assert failed.value.exit_code == 3
    assert failed.value.summary == f'script "{name}" failed: exit status {code}'
    assert (repository.folder.parent / "out.txt").exists() == (name == "hello")


@pytest.mark.parametrize("options", [{}, {"allow": ["python,build"]}, {"untrusted": True}])
def test_a_script_needs_permission(
    repository: RepositoryBuilder, new_context: ContextMaker, options: dict[str, object]
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + SCRIPTS})
    with pytest.raises(Refused) as refused:
        _run(new_context(**options), "hello")
    assert (refused.value.code, refused.value.exit_code) == ("BND318", 6)
    assert not (repository.folder.parent / "out.txt").exists()


def test_a_value_that_is_not_known_stops_a_script(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + SCRIPTS})
    with pytest.raises(InputError) as failed:
        _run(new_context(allow=["scripts"]), "open")
    assert failed.value.code == "BND238" and "${var.id}" in failed.value.summary
    _run(new_context(allow=["scripts"], var=["id=7"]), "open")


def test_what_is_no_script_is_a_job(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + SCRIPTS})
    assert find_script(new_context(), "a") is None
    assert find_script(new_context(), "jobs.hello") is None
    assert find_script(new_context(ref="HEAD"), "hello") is None
    repository.write({"databricks.yml": "bundle: ["})
    assert find_script(new_context(), "hello") is None


def _deploy(context: OperationContext) -> tuple[DeployResult, list[str]]:
    shown: list[Event] = []
    result = deploy(replace(context, emit=shown.append), YES, lambda plan: None)
    return result, [f"{event.task_key}: {event.text}" for event in shown if isinstance(event, TaskOutput)]


def test_hooks_run_around_a_deploy_in_a_copy_of_what_is_deployed(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    text = bundle(a="one") + _hooks(
        preinit="touch ../never", predeploy="cat a.txt; echo x > a.txt; pwd", postdeploy="cat a.txt"
    )
    repository.commit("one", {"databricks.yml": text, "a.txt": "committed"})
    repository.write({"a.txt": "on disk"})
    result, shown = _deploy(new_context(allow=["scripts"], ref="HEAD"))
    assert result.is_complete
    # A reviewer sees before, and the record says after, which code of the tree may have run.
    assert result.plan.hooks == ("predeploy", "postdeploy")
    assert result.manifest is not None and result.manifest["approval"]["allowed"] == ["scripts"]
    folder = Path(shown[0].rpartition("committed")[2])
    assert shown == [f"predeploy: committed{folder}", "postdeploy: x"]
    assert not folder.exists()
    assert (repository.folder / "a.txt").read_text() == "on disk"
    assert not (repository.folder.parent / "never").exists()
    again, shown = _deploy(new_context(allow=["scripts"], ref="HEAD"))
    assert again.manifest is None and shown == []


def test_hooks_that_are_not_allowed_are_warned_of_and_the_deploy_goes_on(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + _hooks(preinit="false", predeploy="false")})
    found = load_for_validation(new_context()).loaded.diagnostics
    assert [(item.code, item.path) for item in found] == [
        ("BND299", "experimental.scripts.preinit"),
        ("BND299", "experimental.scripts.predeploy"),
    ]
    allowed = load_for_validation(new_context(allow=["scripts"])).loaded.diagnostics
    assert [item.path for item in allowed] == ["experimental.scripts.preinit"]
    result, shown = _deploy(new_context())
    assert result.is_complete and shown == []


def test_a_hook_that_fails_before_stops_the_deploy(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + _hooks(predeploy="echo why; exit 9")})
    with pytest.raises(BundlectlError, match="hook predeploy failed: exit status 9") as failed:
        _deploy(new_context(allow=["scripts"]))
    assert (failed.value.exit_code, failed.value.detail) == (1, "Nothing was changed.")
    assert repository.git("for-each-ref", "refs/bundlectl/state") == ""


def test_a_hook_that_fails_after_leaves_the_deployment_recorded(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one") + _hooks(postdeploy="kill -9 $$")})
    with pytest.raises(PartlyApplied, match="hook postdeploy failed: ended by signal 9") as failed:
        _deploy(new_context(allow=["scripts"]))
    assert failed.value.exit_code == 3
    result, _ = _deploy(new_context(allow=["scripts"]))
    assert result.manifest is None


def test_an_untrusted_source_is_neither_deployed_nor_run(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    with pytest.raises(Refused) as refused:
        _deploy(new_context(untrusted=True))
    assert refused.value.code == "BND321"
    assert repository.git("for-each-ref", "refs/bundlectl") == ""
    with pytest.raises(Refused) as refused:
        run(new_context(untrusted=True), RunRequest(job="a"))
    assert refused.value.code == "BND321"
