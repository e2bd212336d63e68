"""Run manifests: appended, replaced, found again, whoever else writes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.git.repository import discover
from bundlectl.model.errors import StateError
from bundlectl.state.run_store import RunStore
from tests.builders import RepositoryBuilder


@pytest.fixture
def open_store(repository: RepositoryBuilder, clock: FrozenClock) -> Callable[[], RunStore]:
    at = discover(repository.folder, repository.environment)
    return lambda: RunStore(at, "sales data", "prod", clock=clock)


def begun(run_id: str, queued: str = "2026-11-23T10:00:00Z") -> dict[str, Any]:
    return {"format": "bundlectl.run-manifest/v1", "run_id": run_id, "queued": queued, "inputs": {"job": "etl"}}


def test_inputs_first_then_the_outcome_in_the_same_place(
    open_store: Callable[[], RunStore], repository: RepositoryBuilder
) -> None:
    store = open_store()
    assert (store.read("7"), store.list()) == (None, [])
    store.append({"7": begun("7", "2026-10-31T23:59:00Z")}, "run 7 begins")
    assert store.read("7") == begun("7", "2026-10-31T23:59:00Z")
    sealed = {"inputs": {"job": "etl"}, "outcome": {"queued": "2026-11-01T00:01:00Z", "result_state": "SUCCESS"}}
    store.append({"7": sealed}, "run 7 ended")
    assert open_store().read("7") == sealed
    names = repository.git("ls-tree", "-r", "--name-only", store.ref).split()
    assert names == ["2026/10/7/manifest.json"]
    assert repository.git("log", "--format=%s", store.ref).split("\n") == ["run 7 ended", "run 7 begins"]
    assert store.ref == "refs/bundlectl/runs/sales%20data/prod"
    repository.git("fsck", "--full", "--strict")


def test_the_newest_come_first(open_store: Callable[[], RunStore]) -> None:
    store = open_store()
    store.append({str(n): begun(str(n), f"2026-{9 + n // 100:02d}-01T00:00:00Z") for n in range(95, 106)}, "many")
    assert [one["run_id"] for one in store.list(3)] == ["105", "104", "103"]
    assert [one["run_id"] for one in store.list()] == [str(n) for n in range(105, 94, -1)]


@pytest.mark.parametrize(
    ("manifest", "at_ms", "month"),
    [
        ({}, None, "2026/01"),  # now, by the clock
        ({}, 1_795_168_800_000, "2026/11"),
        ({"queued": "2025-03-01T00:00:00Z"}, None, "2025/03"),
        ({"queued": "nonsense"}, None, "2026/01"),
        ({"outcome": {"started": "2025-04-01T00:00:00Z"}}, None, "2025/04"),
    ],
)
def test_the_month_of_a_run(
    open_store: Callable[[], RunStore],
    repository: RepositoryBuilder,
    manifest: dict[str, Any],
    at_ms: int | None,
    month: str,
) -> None:
    store = open_store()
    store.append({"r/1": manifest}, "x", at_ms=at_ms)
    assert repository.git("ls-tree", "-r", "--name-only", store.ref) == f"{month}/r%2F1/manifest.json"
    assert store.read("r/1") == manifest


def test_several_writers_lose_nothing(repository: RepositoryBuilder, open_store: Callable[[], RunStore]) -> None:
    at = discover(repository.folder, repository.environment)

    def write(first: int) -> None:
        store = RunStore(at, "sales data", "prod")
        for number in range(first, first + 5):
            store.append({str(number): begun(str(number))}, f"run {number}")

    threads = [threading.Thread(target=write, args=(first,)) for first in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = open_store()
    assert len(store.list()) == 15
    assert len(repository.git("rev-list", store.ref).split()) == 15


def test_an_unreadable_record_is_said(repository: RepositoryBuilder, open_store: Callable[[], RunStore]) -> None:
    store = open_store()
    blob = repository.git("hash-object", "-w", "--stdin", stdin="not json\n")
    repository.git("update-index", "--add", "--cacheinfo", "100644", blob, "2026/11/7/manifest.json")
    commit = repository.git("commit-tree", "-m", "forged", repository.git("write-tree"))
    repository.git("update-ref", store.ref, commit)
    with pytest.raises(StateError, match=rf"runs commit {commit} is unreadable: 2026/11/7/manifest\.json: not JSON"):
        store.read("7")
    with pytest.raises(StateError):
        store.list()
