"""A known backend without a connection: plans work, everything live is refused by name."""

from collections.abc import Callable
from typing import Any

import pytest

from bundlectl.backends.base import Backend, BackendRequest, Composed
from bundlectl.backends.registry import open_backend
from bundlectl.backends.unavailable import UnavailableBackend
from bundlectl.model.backend import Capabilities
from bundlectl.model.bundle import Target
from bundlectl.model.errors import Unsupported
from bundlectl.model.source import Snapshot

BACKEND: Backend = UnavailableBackend(Capabilities(kind="databricks", deploys=False), "https://acme.example")
COMPOSED = Composed({}, "sha256:x", "b1-a", "etl")


def test_observe_says_why_nothing_was_read() -> None:
    observed = BACKEND.observe("lineage", "prod")
    assert not observed.read
    assert observed.why_not == (
        'this version of bundlectl does not connect to backend "databricks" at https://acme.example'
    )


CALLS: dict[str, Callable[[], object]] = {
    "read": lambda: BACKEND.read(["1"]),
    "compose": lambda: BACKEND.compose({}, snapshot=None, lineage="l", target="t", key="k"),
    "has_file": lambda: BACKEND.has_file("0" * 64, "x.whl"),
    "publish_file": lambda: BACKEND.publish_file("0" * 64, "x.whl", b""),
    "has_snapshot": lambda: BACKEND.has_snapshot("sha256:x"),
    "publish": lambda: BACKEND.publish(Snapshot(digest="sha256:x", files=()), lambda blobs: {}),
    "create": lambda: BACKEND.create(COMPOSED, 1),
    "update": lambda: BACKEND.update("1", COMPOSED, 1),
    "delete": lambda: BACKEND.delete("1", 1),
    "holding": lambda: BACKEND.holding("1"),
    "release": lambda: BACKEND.release("1", 1),
    "active_runs": lambda: BACKEND.active_runs(["1"]),
    "submit": lambda: BACKEND.submit("1", parameters={}, only=(), token="t"),
    "run": lambda: BACKEND.run("1"),
    "runs": lambda: BACKEND.runs(None, 5),
    "cancel": lambda: BACKEND.cancel("1"),
    "log": lambda: BACKEND.log("1", 0),
    "outcome": lambda: BACKEND.outcome("1"),
    "environment": lambda: BACKEND.environment("1"),
}


@pytest.mark.parametrize("name", CALLS)
def test_everything_live_is_refused(name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        CALLS[name]()
    assert (caught.value.code, caught.value.exit_code) == ("BND310", 1)
    assert 'backend "databricks" at https://acme.example' in caught.value.summary
    assert caught.value.detail == "Nothing was changed."


def test_no_method_of_the_protocol_is_forgotten() -> None:
    methods = {name for name in vars(Backend) if not name.startswith("_")} - {"capabilities", "identity", "observe"}
    assert methods == {*CALLS, "find", "lineages"}


def test_nothing_is_found_by_name() -> None:
    assert BACKEND.find("job", "etl") is None
    assert BACKEND.lineages("prod") == {}


def _request(kind: str, *, offline: bool = True) -> BackendRequest:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the engine was opened")

    target = Target(name="far", backend=kind, backend_options={"url": "https://jobs.example.com"})
    return BackendRequest(target=target, root_path="/r", file_path="/r/files", open_engine=never, offline=offline)


@pytest.mark.parametrize("kind", ["server", "databricks", "airflow"])
def test_nothing_over_a_network_is_asked(kind: str) -> None:
    backend = open_backend(_request(kind))
    assert backend.capabilities == open_backend(_request(kind, offline=False)).capabilities
    observed = backend.observe("lineage", "far")
    assert not observed.read and observed.why_not is not None and "--offline" in observed.why_not
    assert backend.find("cluster", "x") is None
    for refused in (
        lambda: backend.read(["1"]),
        lambda: backend.submit("1", parameters={}, only=[], token="t"),
        lambda: backend.delete("1", 1),
    ):
        with pytest.raises(Unsupported, match="nothing is asked over a network"):
            refused()
