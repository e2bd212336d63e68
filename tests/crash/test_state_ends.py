"""The closing commit of a deploy cannot be written: nothing is lost, whoever deploys next, from wherever."""

import json
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundlectl.cli.options import Common
from bundlectl.cli.wiring import open_session
from bundlectl.model.errors import BundlectlError, Refused, RepositoryError, StateError
from bundlectl.model.events import Event, Notice, StageStarted
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.history import history
from bundlectl.operations.plan import make_plan
from bundlectl.operations.world import open_world
from tests.builders import RepositoryBuilder
from tests.git_server import bare_repository
from tests.unit.operations.conftest import bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)


class Shop:
    """A bundle with two deployments on a remote, and a third commit that is to be deployed."""

    def __init__(self, repository: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = repository.folder
        self.far = bare_repository(repository.folder.parent / "far.git", repository.environment)
        self.state = repository.folder.parent / "state"
        self.monkeypatch = monkeypatch
        repository.git("remote", "add", "origin", str(self.far))
        self.told: list[str] = []
        for words in ({"same": "x", "gone": "x"}, {"same": "x", "gone": "x", "changed": "1"}):
            self._commit(repository, words)
            assert isinstance(self.deploy(), DeployResult)
        self._commit(repository, {"same": "x", "changed": "2", "made": "x"})

    def _commit(self, repository: RepositoryBuilder, words: Mapping[str, str]) -> None:
        text = bundle(**words).replace("{backend: local}", "{backend: local, state: {remote: origin}}")
        repository.commit("next", {"databricks.yml": text})

    def context(self, emit: Callable[[Event], None] | None = None) -> OperationContext:
        self.monkeypatch.setenv("BUNDLECTL_STATE_DIR", str(self.state))
        context = open_session(Common(chdir=self.folder), "text").context
        # Whoever deploys has ended by the time the next one looks: no process has this start time.
        return replace(context, emit=emit or self._tell, owner=replace(context.owner, pid_start=1))

    def deploy(self, emit: Callable[[Event], None] | None = None) -> DeployResult | BundlectlError:
        try:
            return deploy(self.context(emit), YES, lambda plan: None)
        except BundlectlError as error:
            return error

    def fail(self, at_end: Callable[[], None]) -> BundlectlError:
        """A deploy to which this happens after its changes and before they are recorded."""

        def emit(event: Event) -> None:
            if isinstance(event, StageStarted) and event.stage == "end":
                at_end()

        failure = self.deploy(emit)
        assert isinstance(failure, BundlectlError)
        return failure

    def _tell(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.told.append(event.text)

    @property
    def files(self) -> list[Path]:
        return sorted((self.state / "recovery").glob("*"))

    def manifests(self) -> list[Mapping[str, Any]]:
        return list(history(self.context(), limit=10, job=None).deployments)

    def assert_converged(self) -> None:
        context = self.context()
        assert make_plan(context).plan.is_empty
        world = open_world(context)
        live = {key: job.id for key, job in world.deployed.jobs.items() if job.tombstone is None}
        assert live.keys() == {"same", "changed", "made"}
        listed = world.backend.observe(world.deployed.lineage, world.deployed.target).jobs
        assert len({job.own for job in listed}) == len(listed)
        assert {job.id for job in listed} == {job.id for job in world.deployed.jobs.values()}
        assert world.deployed.intent is None


@pytest.fixture
def shop(repository: RepositoryBuilder, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield Shop(repository, monkeypatch)


def refuse(far: Path) -> None:
    """From now on the remote takes nothing."""
    hook = far / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'closed for the day' >&2\nexit 1\n")
    hook.chmod(0o755)


def allow(far: Path) -> None:
    (far / "hooks" / "pre-receive").unlink()


def go(far: Path) -> None:
    far.rename(far.with_name("away.git"))


def come(far: Path) -> None:
    far.with_name("away.git").rename(far)


@pytest.mark.parametrize(
    ("leave", "back", "kinds"),
    [(go, come, (StateError, RepositoryError)), (refuse, allow, (Refused, Refused))],
)
def test_the_next_deploy_on_this_machine_records_what_was_done(
    shop: Shop, leave: Callable[[Path], None], back: Callable[[Path], None], kinds: tuple[type[BundlectlError], ...]
) -> None:
    failure = shop.fail(lambda: leave(shop.far))
    assert type(failure) is kinds[0]
    assert failure.summary.startswith("the deploy could not be recorded: ")
    (file,) = shop.files
    assert f'3 changes are live, and nothing is lost. What was done is kept in "{file}".' in (failure.detail or "")
    assert "bundlectl deploy on this machine records that" in (failure.hint or "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    id = json.loads(file.read_text())["deployment"]
    assert file.name == f"bundlectl-recovery-{id}.json"

    again = shop.deploy()  # while it still cannot be written
    assert type(again) is kinds[1]
    assert shop.files == [file]

    back(shop.far)
    ended = shop.deploy()
    assert isinstance(ended, DeployResult) and ended.manifest is None  # nothing was left to do
    assert shop.told[-1] == f"deployment {id} had ended and could not be recorded; it is recorded now"
    assert shop.files == []
    newest, *_ = shop.manifests()
    assert (newest["id"], newest["serial"], len(shop.manifests())) == (id, 3, 3)
    assert {job["address"].rpartition(".")[2]: job["action"] for job in newest["jobs"]} == {
        "made": "create",
        "changed": "update",
        "gone": "tombstone",
    }
    shop.assert_converged()


def test_with_the_disk_lost_the_backend_tells(shop: Shop) -> None:
    shop.fail(lambda: go(shop.far))
    shutil.rmtree(shop.state)
    come(shop.far)
    assert isinstance(shop.deploy(), DeployResult)
    assert "was cut off; taking it over" in shop.told[-1]
    assert [one["serial"] for one in shop.manifests()] == [3, 2, 1]
    shop.assert_converged()


def test_who_comes_back_after_somebody_took_over_changes_nothing(shop: Shop) -> None:
    failure = shop.fail(lambda: go(shop.far))
    come(shop.far)
    here, shop.state = shop.state, shop.state.with_name("elsewhere")
    assert isinstance(shop.deploy(), DeployResult)
    before = [one["id"] for one in shop.manifests()]
    shop.state = here
    assert failure.detail is not None
    assert len(shop.files) == 1
    assert isinstance(shop.deploy(), DeployResult)
    assert [one["id"] for one in shop.manifests()] == before
    shop.assert_converged()


def test_a_takeover_that_was_cut_off_itself_leaves_the_file_out_of_date(shop: Shop) -> None:
    shop.fail(lambda: go(shop.far))
    come(shop.far)
    here, shop.state = shop.state, shop.state.with_name("elsewhere")
    shop.fail(lambda: go(shop.far))  # it has taken over, and could not end either
    come(shop.far)
    shop.state = here
    assert isinstance(shop.deploy(), DeployResult)
    assert "was cut off; taking it over" in shop.told[-1]
    shop.assert_converged()


def test_a_damaged_file_is_said_and_the_backend_tells(shop: Shop) -> None:
    shop.fail(lambda: go(shop.far))
    come(shop.far)
    (file,) = shop.files
    file.write_bytes(file.read_bytes()[:-100])
    assert isinstance(shop.deploy(), DeployResult)
    assert any(text.startswith(f'"{file}" is unreadable (') for text in shop.told)
    assert shop.files == []
    shop.assert_converged()


def test_a_machine_that_cannot_keep_it_says_so(shop: Shop) -> None:
    def leave() -> None:
        go(shop.far)
        (shop.state / "recovery").write_text("in the way")

    failure = shop.fail(leave)
    assert "could not be kept on this machine either" in (failure.detail or "")
    come(shop.far)
    assert isinstance(shop.deploy(), DeployResult)
    shop.assert_converged()
