"""Libraries and references to artifacts in a plan: what is known without building, and what is wrong with it."""

from pathlib import Path

import pytest

from bundlectl.base.digest import sha256_hex
from bundlectl.model.errors import InputError
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import Planned, make_plan
from bundlectl.render.plan_text import plan_text
from tests.builders import MAIL, RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker
from tests.unit.operations.projects import bundle_of_wheel, project

PUBLISHED = f"/Workspace/Users/{MAIL}/.bundle/shop/default/artifacts/.internal"
NAME = "shop-0.1-py3-none-any.whl"


def _libraries(planned: Planned) -> list[dict[str, str]]:
    found: list[dict[str, str]] = planned.specs["report"].document["tasks"][0]["libraries"]
    return found


def _findings(context: OperationContext) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as failed:
        make_plan(context)
    return [(item.code, item.summary, str(item.spans[0])) for item in failed.value.diagnostics]


@pytest.mark.parametrize("artifact", ["", "{type: whl, files: [{source: dist/*.whl}]}"])
def test_a_wheel_in_the_tree_is_known_without_permission(
    repository: RepositoryBuilder, new_context: ContextMaker, artifact: str
) -> None:
    content = b"a wheel"
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=artifact), f"dist/{NAME}": content})
    planned = make_plan(new_context())
    published = f"{PUBLISHED}/{sha256_hex(content)}/{NAME}"
    assert _libraries(planned) == [{"whl": published}]
    entry = {"path": f"dist/{NAME}", "digest": f"sha256:{sha256_hex(content)}", "built_from": None}
    assert planned.plan.artifacts == ({**entry, "name": "wheel"} if artifact else entry,)
    result = deploy(new_context(), DeployRequest(auto_approve=True), lambda plan: None)
    assert result.is_complete and result.manifest is not None
    assert result.manifest["artifacts"] == list(planned.plan.artifacts)
    assert make_plan(new_context()).plan.is_empty
    # Its content is what counts: another wheel of the same name is another library.
    repository.commit("two", {f"dist/{NAME}": b"another"})
    (change,) = make_plan(new_context()).plan.changes
    assert change.fields[0].recorded == [{"whl": published}]
    assert change.fields[0].desired == [{"whl": f"{PUBLISHED}/{sha256_hex(b'another')}/{NAME}"}]


def test_what_is_not_built_is_named_and_binds_what_it_will_be_made_of(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", project())
    plan = make_plan(new_context()).plan
    (entry,) = plan.artifacts
    assert (entry["name"], entry["path"], entry["digest"]) == ("wheel", "dist/*.whl", None)
    assert entry["build"] == "python -m build --wheel"
    assert len(entry["built_from"]) == 40 and entry["environment"].startswith("sha256:")
    text = plan_text(plan)
    assert "dist/*.whl  built at deploy" in text
    repository.commit("two", {"src/shop/__init__.py": "x = 1\n"})
    (changed,) = make_plan(new_context()).plan.artifacts
    assert changed == {**entry, "built_from": changed["built_from"]}
    assert changed["built_from"] != entry["built_from"]


def test_globs_extras_and_dependencies(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    wheels = [f"libs/{name}-py3-none-any.whl" for name in ("a-1.0", "a-1.1", "b-2")]
    more = (
        "          environment_key: e\n"
        "      environments:\n        - environment_key: e\n          spec:\n"
        "            dependencies: [requests, './libs/b-*.whl[extra]', 'libs/a-*.whl']\n"
    )
    text = bundle_of_wheel(artifact="", library="libs/*.whl[one,two]", more=more)
    repository.commit("one", {"databricks.yml": text, **{path: path for path in wheels}, "x.py": ""})
    planned = make_plan(new_context())

    def published(path: str) -> str:
        return f"{PUBLISHED}/{sha256_hex(path.encode())}/{path.removeprefix('libs/')}"

    assert _libraries(planned) == [{"whl": published(path) + "[one,two]"} for path in wheels[1:]]
    environment = planned.specs["report"].document["environments"][0]
    assert environment["spec"]["dependencies"] == [
        "requests",
        published(wheels[2]) + "[extra]",
        published(wheels[1]),
    ]


def test_references_to_artifacts(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    more = (
        "          environment_key: e\n      parameters:\n"
        "        - {name: wheel, default: '${artifacts.wheel.files[0].remote_path}'}\n"
        "        - {name: text, default: 'kind ${artifacts.wheel.type} of ${artifacts.wheel.files[0].source}'}\n"
        "      environments:\n        - environment_key: e\n"
        "          spec: {dependencies: ['${artifacts.wheel.files[0].remote_path}']}\n"
    )
    artifact = "{type: whl, files: [{source: dist/*.whl}]}"
    text = bundle_of_wheel(artifact=artifact, library="'${artifacts.wheel.files[0].remote_path}'", more=more)
    repository.commit("one", {"databricks.yml": text, f"dist/{NAME}": "x"})
    planned = make_plan(new_context())
    published = f"{PUBLISHED}/{sha256_hex(b'x')}/{NAME}"
    assert _libraries(planned) == [{"whl": published}]
    document = planned.specs["report"].document
    assert document["environments"][0]["spec"]["dependencies"] == [published]
    assert {item["name"]: item["default"] for item in document["parameters"]} == {
        "wheel": published,
        "text": f"kind whl of dist/{NAME}",
    }


_NOWHERE = "reference does not exist"
_FEWER = 'artifact "wheel" has 1 files'


@pytest.mark.parametrize(
    ("library", "finding"),
    [
        ("dist/*.whl", ("BND292", 'no file matches "dist/*.whl"')),
        ("nowhere/x.whl", ("BND292", 'no file matches "nowhere/x.whl"')),
        ("'${artifacts.weel.files[0].source}'", ("BND240", f"{_NOWHERE}: ${{artifacts.weel.files[0].source}}")),
        ("'${artifacts.wheel.files[3].source}'", ("BND244", f"{_FEWER}: ${{artifacts.wheel.files[3].source}}")),
        ("'${artifacts.wheel.nothing}'", ("BND240", f"{_NOWHERE}: ${{artifacts.wheel.nothing}}")),
    ],
)  # fmt: skip
def test_libraries_that_nothing_makes(
    repository: RepositoryBuilder, new_context: ContextMaker, library: str, finding: tuple[str, str]
) -> None:
    artifact = "{type: whl, files: [{source: libs/*.whl}]}"
    text = bundle_of_wheel(artifact=artifact, library=library)
    repository.commit("one", {"databricks.yml": text, "libs/a-1-py3-none-any.whl": "x"})
    assert _findings(new_context()) == [(*finding, "databricks.yml:13:20")]


def test_a_library_without_any_artifact_says_how_it_could_be_built(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=""), "x.py": ""})
    with pytest.raises(InputError) as failed:
        make_plan(new_context())
    (finding,) = failed.value.diagnostics
    assert finding.hint is not None and "--allow build" in finding.hint
    assert failed.value.exit_code == 1


def test_two_files_of_one_name(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    more = f"            - whl: two/{NAME}\n"
    text = bundle_of_wheel(artifact="", library=f"one/{NAME}", more=more)
    repository.commit("one", {"databricks.yml": text, f"one/{NAME}": "1", f"two/{NAME}": "2"})
    summary = f'"two/{NAME}" and "one/{NAME}" are different files of the name "{NAME}"'
    assert _findings(new_context()) == [("BND293", summary, "databricks.yml:12:20")]
    # The same content twice overwrites nothing.
    repository.commit("two", {f"two/{NAME}": "1"})
    assert len(_libraries(make_plan(new_context()))) == 2


def test_a_git_lfs_pointer_is_no_wheel(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=""), f"dist/{NAME}": pointer})
    with pytest.raises(InputError, match="Git LFS pointer") as failed:
        make_plan(new_context())
    assert failed.value.code == "BND288"


def test_a_job_of_another_repository_keeps_its_libraries(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    more = "      git_source: {git_url: 'https://git.example/x', git_provider: gitHub, git_branch: main}\n"
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact="", more=more)})
    assert _libraries(make_plan(new_context())) == [{"whl": "dist/*.whl"}]


def test_a_plan_of_a_bundle_with_wheels_runs_nothing(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    canary = tmp_path / "ran"
    files = project()
    files["setup.py"] = f"open({str(canary)!r}, 'w').close()\n"
    files["conftest.py"] = files["hatch_build.py"] = files["setup.py"]
    files["pyproject.toml"] = (
        '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
        '[project]\nname = "shop"\nversion = "1"\n'
    )
    repository.commit("one", files)
    make_plan(new_context(allow=["build"]))
    assert not canary.exists()
