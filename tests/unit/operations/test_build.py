"""Builds: from the tree and nothing else, once for the same inputs, the same bytes each time, and only when allowed."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from bundlectl.model.artifact import ArtifactFile
from bundlectl.model.errors import InputError, Refused, RepositoryError
from bundlectl.operations.artifact_store import ArtifactStore
from bundlectl.operations.load import load_for_validation
from bundlectl.operations.plan import make_plan
from bundlectl.operations.stage import build_for_validation
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker
from tests.unit.operations.projects import CACHE, PYPROJECT, PYTHON, build_script, bundle_of_wheel, module, project

COUNTED = "echo built >> {log} && mkdir -p dist && cp wheel.bin dist/shop-0.1-py3-none-any.whl"


def _build(new_context: ContextMaker, **options: object) -> tuple[ArtifactFile, ...]:
    context = new_context(allow=["build"], **options)
    return build_for_validation(context, load_for_validation(context))


def _counted(folder: Path, **more: str) -> tuple[dict[str, str | bytes], Path]:
    """A bundle whose build command says in a file outside that it ran."""
    log = folder / "built.log"
    artifact = build_script(json.dumps(COUNTED.format(log=log)))
    return {"databricks.yml": bundle_of_wheel(artifact=artifact), "wheel.bin": "one", **more}, log


def test_a_wheel_is_built_from_the_tree_and_not_from_the_folder(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", project("committed"))
    repository.write({"src/shop/__init__.py": module("uncommitted"), "dist/shop-9.9-py3-none-any.whl": "stale"})
    (file,) = _build(new_context, ref="HEAD")
    assert (file.path, file.in_tree) == ("dist/shop-0.1-py2.py3-none-any.whl", False)
    with zipfile.ZipFile(tmp_path / CACHE / "files" / file.sha256) as archive:
        assert "'committed'" in archive.read("shop/__init__.py").decode()
    assert sorted(path.name for path in (repository.folder / "dist").iterdir()) == ["shop-9.9-py3-none-any.whl"]
    assert [path.name for path in (tmp_path / CACHE / "work").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize("form", ["standard", "command"])
def test_building_twice_gives_the_same_file(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path, form: str
) -> None:
    artifact = "{type: whl}" if form == "standard" else "{type: whl, build: python -m build -w -n .}"
    repository.commit("one", project(artifact=artifact))
    first = _build(new_context)
    shutil.rmtree(tmp_path / CACHE)
    repository.write({"not-ignored.txt": "x"})
    (repository.folder / "not-ignored.txt").unlink()
    assert _build(new_context) == first


def test_the_same_inputs_are_built_once(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    files, log = _counted(tmp_path)
    repository.commit("one", files)
    first = _build(new_context)
    assert _build(new_context) == first
    # The files that say what runs are no part of a wheel.
    repository.commit("two", {"databricks.yml": str(files["databricks.yml"]).replace("name: report", "name: other")})
    assert _build(new_context) == first
    assert log.read_text() == "built\n"
    repository.commit("three", {"wheel.bin": "two"})
    assert _build(new_context) != first
    assert log.read_text() == "built\nbuilt\n"


def test_a_project_below_the_bundle_is_built_again_for_its_own_files_only(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit(
        "one",
        {
            "databricks.yml": bundle_of_wheel(library="shop/dist/*.whl", artifact="{type: whl, path: shop}"),
            "shop/pyproject.toml": PYPROJECT,
            "shop/src/shop/__init__.py": module("one"),
            ".gitignore": "dist/\n",
        },
    )
    (file,) = _build(new_context)
    assert file.path.startswith("shop/dist/shop-0.1")
    repository.commit("two", {"notebook.py": "x = 1\n"})
    assert make_plan(new_context()).artifacts.unbuilt == ()
    repository.commit("three", {"shop/src/shop/__init__.py": module("two")})
    assert len(make_plan(new_context()).artifacts.unbuilt) == 1


def test_a_lost_or_damaged_cache_only_costs_time(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    files, log = _counted(tmp_path)
    repository.commit("one", files)
    (file,) = _build(new_context)
    (tmp_path / CACHE / "files" / file.sha256).unlink()
    assert _build(new_context) == (file,)
    (entry,) = (tmp_path / CACHE / "builds").iterdir()
    entry.write_text("{")
    assert _build(new_context) == (file,)
    assert log.read_text() == "built\n" * 3
    stored = tmp_path / CACHE / "files" / file.sha256
    stored.chmod(0o600)
    stored.write_bytes(b"damaged")
    assert ArtifactStore(tmp_path / CACHE).read(file.sha256) is None


def test_the_cache_forgets_the_oldest_builds_and_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundlectl.operations.artifact_store._KEPT_BUILDS", 2)
    store = ArtifactStore(tmp_path / "artifacts")
    for number in range(4):
        shared = ArtifactFile("dist/s.whl", "s.whl", f"{99:064x}")
        own = ArtifactFile("dist/a.whl", "a.whl", f"{number:064x}")
        store.keep(f"sha256:{number:064x}", [shared, own], [b"shared", b"%d" % number])
    kept = {path.name for path in (tmp_path / "artifacts" / "files").iterdir()}
    assert kept == {f"{number:064x}" for number in (2, 3, 99)}
    assert [store.find(f"sha256:{number:064x}") is not None for number in range(4)] == [False, False, True, True]


def test_what_a_build_sees(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    command = f"env > {tmp_path}/env && find . -type f | sort > {tmp_path}/files && umask > {tmp_path}/umask"
    command += f" && stat -c '%a %Y' src/a.py run.sh > {tmp_path}/stat && mkdir dist && touch dist/a.whl && pwd"
    artifact = build_script(json.dumps(command))
    repository.write({"databricks.yml": bundle_of_wheel(artifact=artifact), "src/a.py": "", "run.sh": ""})
    repository.write({".gitignore": "dist/\nlocal.txt\n", "local.txt": "secret"})
    (repository.folder / "run.sh").chmod(0o755)
    (repository.folder / "link.py").symlink_to("src/a.py")
    (repository.folder / "outside").symlink_to("/etc/passwd")
    repository.commit("one")
    _build(new_context)
    seen = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert "canary" not in seen.values()
    assert seen["PIP_INDEX_URL"] == "https://index.example/simple"
    commit_time = repository.git("show", "-s", "--format=%ct", "HEAD")
    assert seen["SOURCE_DATE_EPOCH"] == commit_time
    assert (seen["TZ"], seen["PYTHONHASHSEED"]) == ("UTC", "0")
    assert (tmp_path / "files").read_text().split() == ["./.gitignore", "./link.py", "./run.sh", "./src/a.py"]
    assert (tmp_path / "stat").read_text().splitlines() == [f"644 {commit_time}", f"755 {commit_time}"]
    assert (tmp_path / "umask").read_text().strip() == "0022"


def test_nothing_is_built_without_permission(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, log = _counted(tmp_path)
    repository.commit("one", files)
    for options, setting, hinted in (
        ({}, None, True),
        ({"allow": ["python,scripts"]}, None, True),
        ({"untrusted": True}, None, False),
        ({"allow": ["build"]}, "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION", False),
    ):
        with monkeypatch.context() as patch:
            if setting is not None:
                patch.setenv(setting, "1")
            context = new_context(**options)
            with pytest.raises(Refused) as refused:
                build_for_validation(context, load_for_validation(context))
        assert (refused.value.code, refused.value.exit_code) == ("BND318", 6)
        assert '"wheel"' in refused.value.summary
        assert (refused.value.hint is not None and "--allow build" in refused.value.hint) is hinted
    make_plan(new_context(allow=["build"]))
    assert not log.exists()


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("echo before; echo what is wrong >&2; exit 7", ("exit status 7", "what is wrong")),
        ("kill -9 $$", ("exit status -9",)),
    ],
)
def test_a_build_that_fails_shows_its_last_words(
    repository: RepositoryBuilder, new_context: ContextMaker, command: str, parts: tuple[str, ...]
) -> None:
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=build_script(json.dumps(command)))})
    with pytest.raises(InputError) as failed:
        _build(new_context)
    assert failed.value.code == "BND292"
    text = f"{failed.value.summary}\n{failed.value.detail}"
    assert all(part in text for part in parts), text


def test_a_build_that_makes_nothing_is_told_at_its_pattern(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=build_script("'true'"))})
    with pytest.raises(InputError) as failed:
        _build(new_context)
    (finding,) = failed.value.diagnostics
    assert (finding.code, finding.path) == ("BND291", "artifacts.wheel.files[0].source")
    assert finding.summary == "dist/*.whl: no matching files"
    assert str(finding.spans[0]) == "databricks.yml:4:54"


def test_an_executable_that_is_not_there(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    artifact = "{type: whl, build: x, executable: cmd, files: [{source: dist/*.whl}]}"
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=artifact)})
    with pytest.raises(InputError, match='there is no "cmd" on PATH'):
        _build(new_context)


def test_files_that_the_build_leaves_as_they_are_count_only_when_it_makes_no_other(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    artifact = build_script("'cp new.bin dist/shop-0.2-py3-none-any.whl'")
    old = {"dist/shop-0.9-py3-none-any.whl": "old", "new.bin": "new"}
    repository.commit("one", {"databricks.yml": bundle_of_wheel(artifact=artifact), **old})
    assert [file.name for file in _build(new_context)] == ["shop-0.2-py3-none-any.whl"]
    repository.commit("two", {"databricks.yml": bundle_of_wheel(artifact=build_script("'true'"))})
    assert [file.name for file in _build(new_context)] == ["shop-0.9-py3-none-any.whl"]


def test_a_dynamic_version_is_that_of_the_content(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", project(artifact="{type: whl, dynamic_version: true}"))
    (one,) = _build(new_context)
    assert one.path == "dist/shop-0.1-py2.py3-none-any.whl"
    assert one.name.startswith("shop-0.1+b") and one.name.endswith("-py2.py3-none-any.whl")
    repository.commit("two", {"src/shop/__init__.py": module("two")})
    (two,) = _build(new_context)
    assert two.name != one.name


def test_a_build_needs_a_repository(tmp_path: Path, new_context: ContextMaker) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, text in project().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(str(text))
    with pytest.raises(RepositoryError) as failed:
        _build(new_context, chdir=folder)
    assert failed.value.code == "BND601"


@pytest.mark.slow
def test_two_builders_make_one_build(repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path) -> None:
    files, log = _counted(tmp_path)
    slow = str(files["databricks.yml"]).replace("echo built", "sleep 1 && echo built")
    repository.commit("one", {**files, "databricks.yml": slow})
    new_context()  # the environment of this test
    words = (PYTHON, "-m", "bundlectl", "validate", "--build", "--allow", "build", "-C", str(repository.folder))
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [one.communicate()[0] for one in running]
    assert [one.returncode for one in running] == [0, 0]
    assert all("dist/shop-0.1-py3-none-any.whl" in answer for answer in answers)
    assert log.read_text() == "built\n"
