"""The engine's own routes: what is asked, and what an answer of the wrong shape gives."""

from collections.abc import Callable
from typing import Any

import pytest

from bundlectl.backends.base import LogChunk
from bundlectl.backends.jobs_api.client import JobsClient
from bundlectl.backends.jobs_api.extensions import EngineCalls, SnapshotState
from bundlectl.model.backend import ObservedJob
from bundlectl.model.errors import BackendError, NotFound
from tests.unit.backends.jobs_api.scripted import ScriptedTransport, ok, refused

DIGEST = "sha256:" + "ab" * 32


def _calls(*script: Any) -> tuple[EngineCalls, ScriptedTransport]:
    transport = ScriptedTransport(*script)
    return EngineCalls(JobsClient(transport)), transport


def test_identity() -> None:
    calls, _ = _calls(ok({"id": "uuid", "version": "1"}), ok({"id": None}))
    assert calls.identity() == "uuid"
    assert calls.identity() is None


def test_owned_jobs_are_one_call() -> None:
    calls, transport = _calls(ok({"jobs": [{"job_id": 11, "own": "b1-a", "digest": "sha256:x"}]}))
    assert calls.owned_jobs("lineage", "dev") == (ObservedJob("11", "b1-a", "sha256:x"),)
    assert transport.asked[0][:3] == ("GET", "/api/bundlectl/1/jobs", {"lineage": "lineage", "target": "dev"})


def test_snapshot_states() -> None:
    calls, _ = _calls(
        refused(404, "RESOURCE_DOES_NOT_EXIST", "no such snapshot"),
        ok({"sealed": False, "files": ["a", "b"]}),
        ok({"sealed": True}),
    )
    assert calls.snapshot(DIGEST) == SnapshotState(False, frozenset())
    assert calls.snapshot(DIGEST) == SnapshotState(False, frozenset({"a", "b"}))
    assert calls.snapshot(DIGEST) == SnapshotState(True, frozenset())


def test_files_are_sent_as_bytes() -> None:
    calls, transport = _calls(ok({}), ok({}))
    calls.send_file(DIGEST, "src/a b.py", "100755", b"x")
    calls.seal(DIGEST)
    route = f"/api/bundlectl/1/snapshots/{DIGEST}"
    assert transport.asked[0][:4] == ("POST", f"{route}/files", {"path": "src/a b.py", "mode": "100755"}, b"x")
    assert transport.asked[1][:2] == ("POST", f"{route}/seal")


def test_log_outcome_environment() -> None:
    calls, transport = _calls(
        ok({"text": "hi\n", "offset": 3, "size": 3}), ok({"outcome": {"run_id": "9"}}), ok({"environment": [{}]})
    )
    assert calls.log("100", 0) == LogChunk("hi\n", 3, 3)
    assert calls.outcome("9") == {"run_id": "9"}
    assert calls.environment("11") == [{}]
    assert [asked.path for asked in transport.asked] == [
        "/api/bundlectl/1/runs/100/log",
        "/api/bundlectl/1/runs/9/manifest",
        "/api/bundlectl/1/environment",
    ]


BAD: list[tuple[Callable[[EngineCalls], object], dict[str, Any]]] = [
    (lambda calls: calls.identity(), {"id": 3}),
    (lambda calls: calls.owned_jobs("l", "t"), {}),
    (lambda calls: calls.owned_jobs("l", "t"), {"jobs": None}),
    (lambda calls: calls.owned_jobs("l", "t"), {"jobs": [{"job_id": 1}]}),
    (lambda calls: calls.snapshot(DIGEST), {"sealed": "yes"}),
    (lambda calls: calls.snapshot(DIGEST), {"sealed": False, "files": 3}),
    (lambda calls: calls.log("1", 0), {"text": "x"}),
    (lambda calls: calls.outcome("1"), {"outcome": []}),
    (lambda calls: calls.environment("1"), {"environment": [1]}),
]


@pytest.mark.parametrize(("ask", "body"), BAD)
def test_an_answer_of_the_wrong_shape_is_named(ask: Callable[[EngineCalls], object], body: dict[str, Any]) -> None:
    with pytest.raises(BackendError) as caught:
        ask(_calls(ok(body))[0])
    assert caught.value.code == "BND707"


def test_ids_that_are_no_numbers_ask_nothing() -> None:
    calls, transport = _calls()
    for ask in (lambda: calls.log("../1", 0), lambda: calls.outcome("x"), lambda: calls.environment("")):
        with pytest.raises(NotFound):
            ask()
    assert transport.asked == []
