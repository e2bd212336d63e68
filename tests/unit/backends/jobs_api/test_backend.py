"""What the backend adds to its client: gone is None or fine, counts of active runs, limits."""

import pytest

from bundlectl.backends.base import Composed
from bundlectl.backends.jobs_api.backend import JobsApiBackend
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed
from bundlectl.model.errors import Conflict
from tests.unit.backends.jobs_api.scripted import ScriptedTransport, ok, refused

ROOT = "/Workspace/Users/ann/.bundle/sales/dev"
GONE = refused(404, "RESOURCE_DOES_NOT_EXIST", "Job 12 does not exist.")


def _backend(transport: ScriptedTransport) -> JobsApiBackend:
    return JobsApiBackend(transport, Capabilities(kind="local"), root_path=ROOT, file_path=f"{ROOT}/files")


def test_nothing_is_asked_before_there_is_a_lineage() -> None:
    transport = ScriptedTransport()
    assert _backend(transport).observe(None, "dev") == Observed(read=True)
    assert transport.asked == []


def test_identity() -> None:
    transport = ScriptedTransport(ok({"id": "uuid"}))
    assert _backend(transport).identity() == BackendIdentity(kind="local", workspace_id="uuid")


def test_read_gives_none_for_a_job_that_is_gone() -> None:
    code = f"{ROOT}/.bundlectl/snapshots/{'a' * 64}/x.py"
    transport = ScriptedTransport(ok({"job_id": 11, "settings": {"description": code}}), GONE)
    assert _backend(transport).read(["11", "12"]) == {"11": {"description": f"{ROOT}/files/x.py"}, "12": None}


def test_delete_of_a_job_that_is_gone_is_done_and_update_is_not() -> None:
    backend = _backend(ScriptedTransport(GONE, GONE))
    backend.delete("12", 3)
    with pytest.raises(Conflict) as caught:
        backend.update("12", Composed({}, "sha256:x", "b1-a", "etl"), 3)
    assert (caught.value.code, caught.value.summary) == ("BND703", "job 12 of jobs.etl no longer exists")


def test_active_runs_are_counted_in_one_listing() -> None:
    listing = ok({"runs": [{"job_id": 11}, {"job_id": 13}, {"job_id": 11}]})
    transport = ScriptedTransport(listing, listing)
    backend = _backend(transport)
    assert backend.active_runs([]) == {}
    assert backend.active_runs(["11", "12"]) == {"11": 2, "12": 0}
    assert transport.asked[0].query == {"limit": "25", "active_only": "true"}
    assert backend.active_runs(["11"]) == {"11": 2}
    assert transport.asked[1].query == {"limit": "25", "active_only": "true", "job_id": "11"}


def test_runs_stop_at_the_limit() -> None:
    runs = [{"run_id": id, "state": {"life_cycle_state": "RUNNING"}} for id in (5, 4, 3)]
    transport = ScriptedTransport(ok({"runs": runs, "next_page_token": "p"}))
    backend = _backend(transport)
    assert [run.run_id for run in backend.runs(None, 2)] == ["5", "4"]
    assert backend.runs(None, 0) == []
    assert len(transport.asked) == 1
