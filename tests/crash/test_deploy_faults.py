"""Every fault of the other side at every request of a deploy, and then a deploy without: it converges.

One deploy creates, updates, renames and deletes. After the second one nothing is there twice, lost, orphaned or
dangling. The gate takes every fault at a request that writes and one at those that read; `soak` takes all of them.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bundlectl.backends.base import Backend
from bundlectl.backends.jobs_api.backend import JobsApiBackend
from bundlectl.backends.jobs_api.transport import InProcessTransport, Transport
from bundlectl.base.clock import SystemClock
from bundlectl.cli.options import Common
from bundlectl.cli.wiring import open_session
from bundlectl.engine.service import Engine
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment, ownership_id
from bundlectl.model.errors import BundlectlError
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from bundlectl.operations.world import open_world
from tests.builders import RepositoryBuilder
from tests.contract.faults import FAULTS, Faulty, Hesitant, not_sent

YES = DeployRequest(auto_approve=True, allow_destructive=True)


def _job(key: str, word: str, more: str = "") -> str:
    return f"    {key}:\n{more}      tasks: [{{task_key: t, shell_task: {{command: [echo, {word}]}}}}]\n"


def _bundle(*jobs: str) -> str:
    return "bundle: {name: shop}\nbundlectl: {backend: local, retention: 1s}\nresources:\n  jobs:\n" + "".join(jobs)


BEFORE = _bundle(_job("changed", "one"), _job("old", "one"), _job("gone", "one"), _job("same", "one"))
AFTER = _bundle(
    _job("changed", "two"),
    _job("new", "one", more="      bundlectl: {renamed_from: old}\n"),
    _job("same", "one"),
    _job("made", "one"),
    "    after:\n      tasks: [{task_key: t, run_job_task: {job_id: '${resources.jobs.made.id}'}}]\n",
)
WANTED = {"changed", "new", "same", "made", "after"}


class Shop:
    """A deployed bundle and its next commit, in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        self.engine = folder / "engine"
        monkeypatch.setenv("BUNDLECTL_ENGINE_DIR", str(self.engine))
        self._context = open_session(Common(chdir=folder / "repository"), "text").context

    def context(self, wrap: Callable[[Transport], Transport]) -> OperationContext:
        """A context whose backend is reached through `wrap`."""
        engine = Engine(self.engine, SystemClock(), user="ann@example.com")
        transport = wrap(InProcessTransport(engine.handle))

        def open_backend(bundle: Bundle) -> Backend:
            known = self._context.open_backend(bundle).capabilities
            return JobsApiBackend(transport, known, root_path=bundle.root_path, file_path=bundle.file_path)

        return replace(self._context, open_backend=open_backend)

    def deploy(self, wrap: Callable[[Transport], Transport] = lambda inner: inner) -> DeployResult | BundlectlError:
        try:
            return deploy(self.context(wrap), YES, lambda plan: None)
        except BundlectlError as error:
            return error

    def assert_converged(self) -> None:
        """What is recorded is there once, and nothing else is."""
        context = self.context(lambda inner: inner)
        assert make_plan(context).plan.is_empty
        world = open_world(context)
        deployment = world.deployed
        live = {key: job for key, job in deployment.jobs.items() if job.tombstone is None}
        assert live.keys() == WANTED
        listed = world.backend.observe(deployment.lineage, deployment.target).jobs
        assert len({job.own for job in listed}) == len(listed)  # no duplicates
        assert {job.id for job in listed} == {job.id for job in deployment.jobs.values()}  # no orphans, none dangling
        owners = {job.id: job.own for job in listed}
        assert all(owners[job.id] == _own(deployment, key) for key, job in deployment.jobs.items())


def _own(deployment: Deployment, key: str) -> str:
    job = deployment.jobs[key]
    return job.own or ownership_id(deployment.lineage, deployment.target, key)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop before its second deploy, to be copied."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "repository").mkdir()
    repository = RepositoryBuilder(folder / "repository")
    repository.commit("one", {"databricks.yml": BEFORE})
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert isinstance(Shop(folder, {}, monkeypatch).deploy(), DeployResult)
    repository.commit("two", {"databricks.yml": AFTER})
    yield folder


@pytest.fixture
def shop(deployed: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    shutil.copytree(deployed, tmp_path / "shop", symlinks=True)
    return Shop(tmp_path / "shop", environment, monkeypatch)


def _requests(deployed: Path, folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What one undisturbed deploy asks for, in order."""
    shutil.copytree(deployed, folder, symlinks=True)
    recording: list[Faulty] = []

    def wrap(inner: Transport) -> Transport:
        recording.append(Faulty(inner))
        return recording[0]

    assert isinstance(Shop(folder, environment, monkeypatch).deploy(wrap), DeployResult)
    return [request.method for request in recording[0].requests]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_a_request_that_writes(
    deployed: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    methods = _requests(deployed, tmp_path / "whole", environment, monkeypatch)
    writes = [number for number, method in enumerate(methods, 1) if method != "GET"]
    assert len(writes) == 5
    some = [writes[0], writes[-1]] if name in ("lost answer", "truncated") else writes[1:2]
    _converges_at(some, name, deployed, tmp_path, environment, monkeypatch)


def test_an_error_at_a_request_that_reads(
    deployed: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = _requests(deployed, tmp_path / "whole", environment, monkeypatch)
    reads = [number for number, method in enumerate(methods, 1) if method == "GET"]
    assert len(reads) > 3
    _converges_at(reads[2:], "500", deployed, tmp_path, environment, monkeypatch)


@pytest.mark.parametrize("repeats", [2, 5])
def test_a_job_that_is_said_to_be_gone_and_is_not(
    deployed: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, repeats: int
) -> None:
    methods = _requests(deployed, tmp_path / "whole", environment, monkeypatch)
    last_write = max(number for number, method in enumerate(methods, 1) if method != "GET")
    # The read before the deletion, the deletion, and what would see that the job is still there.
    _converges_at([last_write - 1], "404", deployed, tmp_path, environment, monkeypatch, repeats)


@pytest.mark.soak
@pytest.mark.parametrize("repeats", [1, 2, 5])
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_at_every_request(
    deployed: Path,
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    repeats: int,
) -> None:
    methods = _requests(deployed, tmp_path / "whole", environment, monkeypatch)
    numbers = list(range(1, len(methods) + 1))
    _converges_at(numbers, name, deployed, tmp_path, environment, monkeypatch, repeats)


def _converges_at(
    numbers: list[int],
    name: str,
    deployed: Path,
    folder: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    repeats: int = 1,
) -> None:
    for number in numbers:
        place = folder / f"at-{number}"
        shutil.copytree(deployed, place, symlinks=True)
        shop = Shop(place, environment, monkeypatch)
        first = shop.deploy(partial(Faulty, at=number, fault=FAULTS[name], repeats=repeats))
        if isinstance(first, DeployResult) and first.is_complete:
            shop.assert_converged()  # who says that all is well is right
        again = shop.deploy()
        assert isinstance(again, DeployResult) and again.is_complete, (number, name, first, again)
        shop.assert_converged()
        shutil.rmtree(place)


def test_a_backend_that_is_away_stops_a_deploy_before_anything_is_written(shop: Shop) -> None:
    away = shop.deploy(lambda inner: Faulty(inner, 1, not_sent, repeats=1_000))
    assert isinstance(away, BundlectlError) and away.code == "BND710"
    assert isinstance(shop.deploy(), DeployResult)
    shop.assert_converged()


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_a_listing_that_lags_makes_nothing_twice(shop: Shop, lag: int) -> None:
    shop.deploy(lambda inner: Hesitant(inner, lag))
    shop.deploy(lambda inner: Hesitant(inner, lag))
    assert isinstance(shop.deploy(), DeployResult)
    shop.assert_converged()
