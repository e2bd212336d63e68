"""Deploys of bundles with built files: built when allowed, published once, run; saved plans bind what is not."""

import io
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bundlectl.model.errors import InputError, Refused, StalePlan
from bundlectl.model.plan import Plan
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from bundlectl.operations.run import RunRequest, run
from bundlectl.operations.runs import read_logs
from bundlectl.operations.stage import build_artifacts, missing_artifacts
from bundlectl.state.plan_file import save
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker
from tests.unit.operations.projects import CACHE, bundle_of_wheel, module, project


def _deploy(context: OperationContext, **request: Any) -> DeployResult:
    return deploy(context, DeployRequest(auto_approve=True, **request), lambda plan: None)


def _saved(context: OperationContext, path: Path) -> Plan:
    plan = make_plan(context).plan
    save(path, plan_document(plan))
    return plan


def _output(new_context: ContextMaker) -> tuple[str, Mapping[str, Any]]:
    result = run(new_context(), RunRequest(job="report"))
    text = "".join(part.text for part in read_logs(new_context(), "latest", task=None, attempt=None))
    return text, result.manifest["inputs"]


@pytest.mark.slow
def test_a_wheel_from_its_source_to_a_run(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", project("one"))
    with pytest.raises(Refused) as refused:
        _deploy(new_context())
    assert (refused.value.code, refused.value.exit_code) == ("BND318", 6)
    assert make_plan(new_context()).recorded.version is None
    first = _deploy(new_context(allow=["build"]))
    assert first.is_complete and first.manifest is not None
    text, inputs = _output(new_context)
    assert text == "sold one\n"
    (entry,) = first.manifest["artifacts"]
    assert inputs["artifacts"] == [{"path": entry["path"], "digest": entry["digest"]}]
    # What is built and published needs neither permission nor cache.
    assert _deploy(new_context()).manifest is None
    repository.commit("two", {"src/shop/__init__.py": module("two")})
    plan = make_plan(new_context()).plan
    (change,) = plan.changes
    assert (change.action.value, [field.path[-1] for field in change.fields]) == ("update", ["libraries"])
    assert change.fields[0].desired == [{"whl": "${artifacts.wheel.files[0].remote_path}"}]
    assert plan.artifacts[0]["digest"] is None
    second = _deploy(new_context(allow=["build"]))
    assert second.manifest is not None and second.manifest["artifacts"][0]["digest"] != entry["digest"]
    text, inputs = _output(new_context)
    assert text == "sold two\n"
    assert inputs["artifacts"][0]["digest"] == second.manifest["artifacts"][0]["digest"]
    assert len(list((tmp_path / CACHE / "files").iterdir())) == 2


def test_what_has_to_be_built_and_may_not_be_is_refused_by_name(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    artifact = "{type: whl, build: make wheel, files: [{source: dist/*.whl}]}"
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=artifact)})
    with pytest.raises(Refused) as refused:
        _deploy(new_context())
    assert refused.value.code == "BND318" and '"wheel"' in refused.value.summary
    assert refused.value.detail is not None and "Nothing was changed" in refused.value.detail
    assert make_plan(new_context()).recorded.version is None


def test_guards_come_before_a_build(repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path) -> None:
    text = bundle_of_wheel(artifact=f"{{type: whl, build: 'touch {tmp_path}/ran', files: [{{source: dist/*.whl}}]}}")
    repository.commit("one", {"databricks.yml": text.replace("{name: shop}", "{name: shop, git: {branch: other}}")})
    with pytest.raises(Refused) as refused:
        _deploy(new_context(allow=["build"]))
    assert refused.value.code == "BND315"
    assert not (tmp_path / "ran").exists()


def test_a_saved_plan_holds_for_what_is_built_of_it(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", project("one"))
    file = tmp_path / "plan.json"
    plan = _saved(new_context(), file)
    with pytest.raises(Refused):
        _deploy(new_context(), plan_file=file)
    result = _deploy(new_context(allow=["build"]), plan_file=file)
    assert result.is_complete and result.manifest is not None
    assert result.manifest["plan"]["reviewed"] == "plan-file"
    assert result.manifest["plan"]["digest"] == plan.digest
    with pytest.raises(StalePlan) as stale:
        _deploy(new_context(allow=["build"]), plan_file=file)
    assert stale.value.code == "BND308"


def test_a_saved_plan_holds_when_the_file_was_built_in_between(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", project("one"))
    _saved(new_context(), tmp_path / "before.json")
    assert _deploy(new_context(allow=["build"])).is_complete
    repository.commit("two", {"databricks.yml": bundle_of_wheel(name="renamed")})
    shutil.rmtree(tmp_path / CACHE)
    _saved(new_context(), tmp_path / "unknown.json")
    # The plan says what was reviewed, and the wheel turns out to be the one that is deployed.
    repository_plan = make_plan(new_context()).plan
    assert [field.path[-1] for field in repository_plan.changes[0].fields] == ["name", "libraries"]
    result = _deploy(new_context(allow=["build"]), plan_file=tmp_path / "unknown.json")
    assert [field.path[-1] for field in result.plan.changes[0].fields] == ["name"]


def test_a_saved_plan_that_knew_the_file_is_compared_after_the_build(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    command = f"mkdir -p dist && echo x >> {counter} && cp {counter} dist/shop-0.1-py3-none-any.whl"
    artifact = f"{{type: whl, build: '{command}', files: [{{source: dist/*.whl}}]}}"
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=artifact)})
    assert _deploy(new_context(allow=["build"])).is_complete
    repository.commit("two", {"databricks.yml": bundle_of_wheel(artifact=artifact, name="renamed")})
    known = _saved(new_context(), tmp_path / "plan.json")
    assert known.artifacts[0]["digest"] is not None
    shutil.rmtree(tmp_path / CACHE)
    with pytest.raises(StalePlan) as stale:  # this build gives another file each time
        _deploy(new_context(allow=["build"]), plan_file=tmp_path / "plan.json")
    assert stale.value.code == "BND304" and stale.value.detail is not None
    assert 'artifacts: content of "dist/shop-0.1-py3-none-any.whl"' in stale.value.detail


@pytest.mark.parametrize(
    ("files", "options", "part"),
    [
        ({"src/shop/__init__.py": module("two")}, {}, "tree"),
        ({"databricks.yml": bundle_of_wheel(artifact="{type: whl, build: 'make x'}")}, {}, "build command"),
    ],
)  # fmt: skip
def test_a_saved_plan_does_not_hold_for_other_inputs(
    repository: RepositoryBuilder,
    new_context: ContextMaker,
    tmp_path: Path,
    files: Mapping[str, str],
    options: Mapping[str, Any],
    part: str,
) -> None:
    repository.commit("one", project("one"))
    _saved(new_context(), tmp_path / "plan.json")
    repository.commit("two", files)
    with pytest.raises(StalePlan) as stale:
        _deploy(new_context(allow=["build"], **options), plan_file=tmp_path / "plan.json")
    assert stale.value.code == "BND304" and stale.value.detail is not None and part in stale.value.detail


def test_a_saved_plan_does_not_hold_for_another_build_environment(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("one", project("one"))
    _saved(new_context(), tmp_path / "plan.json")
    monkeypatch.setattr("bundlectl.operations.build_inputs.metadata.version", lambda name: "99.0")
    with pytest.raises(StalePlan) as stale:
        _deploy(new_context(allow=["build"]), plan_file=tmp_path / "plan.json")
    assert stale.value.code == "BND304" and stale.value.detail is not None
    assert 'build environment of "dist/*.whl"' in stale.value.detail


def test_hooks_have_their_place_around_a_build(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    places: list[str] = []
    repository.commit("one", project("one"))

    def build(context: OperationContext) -> None:
        planned = make_plan(context)
        missing = missing_artifacts(context, planned.loading, planned.artifacts, planned.backend)
        build_artifacts(context, planned.loading, missing, places.append)

    with pytest.raises(Refused):
        build(new_context())
    assert places == []
    build(new_context(allow=["build"]))
    assert places == ["prebuild", "postbuild"]
    build(new_context())
    assert places == ["prebuild", "postbuild"]


def test_a_file_that_is_published_is_not_sent_again(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", project("one"))
    _deploy(new_context(allow=["build"]))
    folders = list((tmp_path / "user" / "engine" / "snapshots").iterdir())
    (published,) = [path for folder in folders for path in folder.glob("*.whl")]
    assert published.stat().st_mode & 0o777 == 0o444
    with zipfile.ZipFile(io.BytesIO(published.read_bytes())) as archive:
        assert "shop/__init__.py" in archive.namelist()
    repository.commit("two", {"databricks.yml": bundle_of_wheel(name="renamed")})
    _deploy(new_context())
    assert list((tmp_path / "user" / "engine" / "snapshots").iterdir()) == folders


def test_an_unreadable_tree_while_building_is_an_error_not_a_crash(
    repository: RepositoryBuilder, new_context: ContextMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repository.commit("one", project("one"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BUNDLECTL_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(InputError) as failed:
        _deploy(new_context(allow=["build"]))
    assert failed.value.code == "BND623" and "BUNDLECTL_CACHE_DIR" in (failed.value.hint or "")
