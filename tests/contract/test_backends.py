"""The backend suite on every backend: the embedded engine in process, and behind a server as another machine is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundlectl.backends.base import Backend, BackendRequest
from bundlectl.backends.jobs_api.backend import JobsApiBackend
from bundlectl.backends.jobs_api.transport import InProcessTransport
from bundlectl.backends.registry import ENGINE_TASKS, open_backend
from bundlectl.base.clock import SystemClock
from bundlectl.engine.active import WITHOUT_PROCESS
from bundlectl.engine.service import Engine
from bundlectl.engine.tasks.registry import PROCESS_TYPES
from bundlectl.model.bundle import Target
from bundlectl.model.run import Run
from tests.contract.backend_suite import CodeSuite, JobsSuite, Place, RunsSuite
from tests.served import TOKEN, Served

ROOT = "/Workspace/Users/ann@example.com/.bundle/sales/dev"
_POLL_S = 0.02
_PATIENCE_S = 60.0


def _backend(handler: Callable[..., tuple[int, Any]]) -> Backend:
    return open_backend(BackendRequest(Target(name="dev"), ROOT, f"{ROOT}/files", lambda: handler))


class _Local:
    """The embedded engine in a folder of its own."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        engine = Engine(tmp_path / "engine", SystemClock(), workers=2, grace_s=2.0)
        yield engine
        engine.stop()

    @pytest.fixture
    def place(self, engine: Engine, tmp_path: Path) -> Iterator[Place]:
        clock = SystemClock()
        others: list[Engine] = []

        def reopen() -> Backend:
            others.append(Engine(tmp_path / "engine", clock))
            return _backend(others[-1].handle)

        def settle(backend: Backend, run_id: str) -> Run:
            engine.start()
            deadline = clock.boot_s() + _PATIENCE_S
            while not (run := backend.run(run_id)).is_terminal:
                assert clock.boot_s() < deadline, f"run {run_id} is still {run.state}"
                clock.sleep(_POLL_S)
            return run

        yield Place(_backend(engine.handle), reopen, f"{ROOT}/files", settle)
        for other in others:
            other.stop()


class TestLocalJobs(_Local, JobsSuite):
    def test_reading_creates_nothing(self, place: Place, tmp_path: Path) -> None:
        assert place.backend.identity().workspace_id is None
        place.backend.observe("lineage", "dev")
        place.backend.read(["1"])
        place.backend.has_snapshot("sha256:" + "0" * 64)
        assert list(tmp_path.iterdir()) == []


class TestJobsApiWithoutHiding(_Local, JobsSuite):
    """The engine as if it could not hide: what it is told then works on every Jobs API."""

    @pytest.fixture
    def place(self, engine: Engine, tmp_path: Path) -> Place:
        def opened() -> Backend:
            capabilities = replace(_backend(engine.handle).capabilities, hides=False)
            transport = InProcessTransport(engine.handle)
            return JobsApiBackend(transport, capabilities, root_path=ROOT, file_path=f"{ROOT}/files")

        def settle(backend: Backend, run_id: str) -> Run:
            raise AssertionError("no run is settled here")

        return Place(opened(), opened, f"{ROOT}/files", settle)


class TestLocalCode(_Local, CodeSuite):
    pass


class _Server(_Local):
    """The same engine over HTTP, with credentials from an environment."""

    KIND = "server"

    @pytest.fixture
    def place(self, engine: Engine, tmp_path: Path) -> Iterator[Place]:
        served = Served(engine)
        clock = SystemClock()
        options = {"url": served.address} if self.KIND == "server" else {}
        target = Target(name="dev", backend=self.KIND, backend_options=options, host=served.address)
        environment = {"DATABRICKS_HOST": served.address, "DATABRICKS_TOKEN": TOKEN}

        def reopen() -> Backend:
            return open_backend(BackendRequest(target, ROOT, f"{ROOT}/files", _no_engine, environment=environment))

        def settle(backend: Backend, run_id: str) -> Run:
            engine.start()
            deadline = clock.boot_s() + _PATIENCE_S
            while not (run := backend.run(run_id)).is_terminal:
                assert clock.boot_s() < deadline, f"run {run_id} is still {run.state}"
                clock.sleep(_POLL_S)
            return run

        yield Place(reopen(), reopen, f"{ROOT}/files", settle)
        served.stop()
        assert served.faults == []


def _no_engine() -> Callable[..., tuple[int, Any]]:
    raise AssertionError("another machine has the engine")


class _Workspace(_Server):
    """The engine as a workspace: nothing but what the platform has is asked of it."""

    KIND = "databricks"


class TestDatabricksJobs(_Workspace, JobsSuite):
    pass


class TestDatabricksCode(_Workspace, CodeSuite):
    pass


class TestDatabricksRuns(_Workspace, RunsSuite):
    def test_the_environment_of_a_job_is_named(self, place: Place) -> None:
        """Nobody knows what a cluster has before it runs."""
        assert place.backend.environment(self._deployed(place, b"")) == []


class TestServerJobs(_Server, JobsSuite):
    pass


class TestServerCode(_Server, CodeSuite):
    pass


class TestServerRuns(_Server, RunsSuite):
    pass


class TestLocalRuns(_Local, RunsSuite):
    pass


def test_the_capabilities_name_what_the_engine_runs() -> None:
    assert {*PROCESS_TYPES, *WITHOUT_PROCESS} == ENGINE_TASKS
