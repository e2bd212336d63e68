"""Which backend a target gets, what the kinds can do, and kinds that nobody provides."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundlectl.backends.base import BackendRequest
from bundlectl.backends.registry import open_backend
from bundlectl.model.bundle import Target
from bundlectl.model.errors import InputError, NotAuthenticated


def _engine() -> Callable[..., tuple[int, Any]]:
    def handle(*arguments: object) -> tuple[int, Any]:
        return 200, {"id": None}

    return handle


def _request(kind: str, **target: Any) -> BackendRequest:
    return BackendRequest(Target(name="dev", backend=kind, **target), "/Workspace/r", "/Workspace/r/files", _engine)


def test_local_runs_on_the_engine() -> None:
    backend = open_backend(_request("local"))
    assert backend.identity().kind == "local"
    capabilities = backend.capabilities
    assert capabilities.deploys and capabilities.snapshots and capabilities.fencing
    assert capabilities.extensions == {"shell_task", "on_lost", "idempotent"}
    assert "spark_python_task" in capabilities.task_types
    assert "pipeline_task" not in capabilities.task_types


@pytest.mark.parametrize(
    ("kind", "target", "host", "extensions"),
    [
        ("airflow", {"backend_options": {"url": "https://air"}}, "https://air", {"shell_task"}),
        ("airflow", {"backend_options": {"url": 3}}, None, {"shell_task"}),
    ],
)
def test_known_backends_that_cannot_be_deployed_to(
    kind: str, target: dict[str, Any], host: str | None, extensions: frozenset[str]
) -> None:
    backend = open_backend(_request(kind, **target))
    assert (backend.identity().kind, backend.identity().host) == (kind, host)
    assert not backend.capabilities.deploys
    assert backend.capabilities.extensions == extensions


def test_an_unknown_kind_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        open_backend(_request("lokal"))
    assert caught.value.summary == 'target "dev" asks for backend "lokal", which is not known'
    assert caught.value.hint == 'did you mean "local"?'


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed distribution that offers backends `own` and `broken`."""
    info = tmp_path / "example_backend-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-backend\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[bundlectl.backends]\nown = example_backend_module:opened\nbroken = example_backend_module:missing\n"
    )
    (tmp_path / "example_backend_module.py").write_text("def opened(request):\n    return request\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return str(tmp_path)


def test_a_plug_in_is_called_with_the_request(plug_in: str) -> None:
    request = _request("own")
    opened: object = open_backend(request)  # the example gives back what it got
    assert opened is request
    sys.modules.pop("example_backend_module")


def test_a_plug_in_that_does_not_load_is_named(plug_in: str) -> None:
    with pytest.raises(InputError) as caught:
        open_backend(_request("broken"))
    assert caught.value.summary == 'the plug-in for backend "broken" cannot be loaded'
    sys.modules.pop("example_backend_module")


def test_a_server_is_reached_when_it_is_asked_something() -> None:
    backend = open_backend(_request("server", backend_options={"url": "https://jobs.example"}))
    capabilities = backend.capabilities
    assert (capabilities.kind, capabilities.deploys, capabilities.fencing, capabilities.hides) == (
        "server",
        True,
        True,
        True,
    )
    assert capabilities.extensions == {"shell_task", "on_lost", "idempotent"}
    with pytest.raises(NotAuthenticated, match=r"no credentials for https://jobs.example"):
        backend.observe("lineage", "dev")


def test_a_workspace_is_reached_when_it_is_asked_something() -> None:
    backend = open_backend(_request("databricks", host="https://acme.example"))
    capabilities = backend.capabilities
    assert (capabilities.kind, capabilities.deploys, capabilities.fencing, capabilities.hides) == (
        "databricks",
        True,
        False,
        False,
    )
    assert capabilities.extensions == frozenset()
    with pytest.raises(NotAuthenticated, match=r"no credentials for https://acme.example"):
        backend.identity()
