"""doctor: every check says what it found and what to do, and one that cannot be made stops no other."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine
from bundlectl.model.plan import Plan
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.destroy import DestroyRequest, destroy
from bundlectl.operations.doctor import FAIL, OK, WARN, Check, examine
from bundlectl.operations.world import open_world
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle


def yes(plan: Plan) -> str | None:
    return "interactive"


@pytest.fixture
def engine_folder(environment: dict[str, str]) -> Path:
    return Path(environment["BUNDLECTL_ENGINE_DIR"])


@pytest.fixture
def ready(repository: RepositoryBuilder, new_context: ContextMaker, engine_folder: Path) -> Any:
    """Makes the checks, by id."""

    def checks(**options: Any) -> dict[str, Check]:
        found = examine(new_context(**options), lambda bundle: {"engine": str(engine_folder)})
        return {check.id: check for check in found}

    return checks


@pytest.fixture
def deployed(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="two")})
    deploy(new_context(), DeployRequest(auto_approve=True), yes)


def test_all_is_well(deployed: None, ready: Any) -> None:
    checks = ready()
    assert {check.status for check in checks.values()} == {OK}
    assert list(checks) == ["python", "git", "repository", "bundle", "folders", "engine", "state", "backend", "jobs"]


def test_before_the_first_deploy_nothing_is_missing(
    repository: RepositoryBuilder, ready: Any, engine_folder: Path
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    checks = ready()
    assert {check.status for check in checks.values()} == {OK}
    assert "no engine" in checks["engine"].detail
    assert not engine_folder.exists()


def test_a_bundle_that_does_not_load_is_told(repository: RepositoryBuilder, ready: Any) -> None:
    repository.commit("one", {"databricks.yml": "bundle: {name: [}\n"})
    checks = ready()
    assert checks["bundle"].status == FAIL
    assert checks["bundle"].hint == "bundlectl validate shows every finding"


def test_jobs_that_are_gone_and_jobs_that_nobody_knows(deployed: None, ready: Any, new_context: ContextMaker) -> None:
    world = open_world(new_context())
    jobs, backend = world.deployed.jobs, world.backend
    backend.delete(jobs["a"].id, world.deployed.fence)
    stray = backend.compose({"name": "x"}, snapshot=None, lineage=world.deployed.lineage, target="free", key="nowhere")
    id = backend.create(stray, world.deployed.fence)
    checks = ready()
    assert (checks["missing"].status, checks["orphans"].status) == (FAIL, WARN)
    assert "jobs.a" in checks["missing"].detail and id in checks["orphans"].detail
    assert checks["missing"].hint and checks["orphans"].hint
    assert "jobs" not in checks


def test_a_kept_job_that_is_gone_is_missing_too(deployed: None, ready: Any, new_context: ContextMaker) -> None:
    destroy(new_context(), DestroyRequest(auto_approve=True, allow_destructive=True), yes)
    assert ready()["jobs"].status == OK
    world = open_world(new_context())
    world.backend.delete(world.deployed.jobs["b"].id, world.deployed.fence)
    assert "jobs.b" in ready()["missing"].detail


def _replace(folder: Path, content: bytes) -> None:
    """Other bytes in the database's file, and no log beside it that would hide them."""
    for name in ("engine.db-wal", "engine.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "engine.db").write_bytes(content)


def test_a_damaged_database_is_found(deployed: None, ready: Any, engine_folder: Path, tmp_path: Path) -> None:
    path = engine_folder / "engine.db"
    engine = Engine(engine_folder, SystemClock())
    engine.handle("GET", "/api/bundlectl/1/identity", {}, None)
    engine.stop()
    whole = path.read_bytes()
    _replace(engine_folder, whole[:4096] + b"\xff" * (len(whole) - 4096))
    checks = ready()
    assert checks["engine"].status == FAIL
    assert "damaged" in checks["engine"].detail and checks["engine"].hint
    _replace(engine_folder, b"not a database, not at all" * 100)
    assert ready()["engine"].status == FAIL


def test_a_state_that_was_edited_is_found(deployed: None, ready: Any, repository: RepositoryBuilder) -> None:
    ref = "refs/bundlectl/state/shop/free"
    repository.git("update-ref", ref, repository.git("rev-parse", "HEAD").strip())
    checks = ready()
    assert checks["state"].status == FAIL
    assert "jobs" not in checks


def test_an_engine_that_is_another_one_is_told(
    deployed: None, ready: Any, new_context: ContextMaker, repository: RepositoryBuilder, engine_folder: Path
) -> None:
    shutil.move(engine_folder, engine_folder.with_name("other"))
    Engine(engine_folder, SystemClock()).handle("POST", "/api/2.2/jobs/create", {}, {"name": "x"})
    checks = ready()
    assert checks["backend"].status == FAIL
    assert "was deployed to" in checks["backend"].detail


def test_outside_a_repository(ready: Any, tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    folder.mkdir()
    checks = ready(chdir=folder)
    assert checks["repository"].status == FAIL
    assert list(checks) == ["python", "repository"]


def test_a_shallow_clone_is_told(deployed: None, ready: Any, repository: RepositoryBuilder, tmp_path: Path) -> None:
    repository.commit("two", {"x": "1"})
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone))
    checks = ready(chdir=clone)
    assert checks["repository"].status == WARN
    assert "--unshallow" in (checks["repository"].hint or "")
