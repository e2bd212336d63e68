"""Runs in the engine's API: requests, paging, queue, tokens, cancel, manifests, snapshots. In process and over
HTTP, with the same results; no scheduler."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engine_api import OURS, Api, task


@pytest.fixture(params=["process", "http"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path / "engine", request.param)
    yield api
    api.close()


def test_a_run_that_waits_for_the_scheduler(api: Api) -> None:
    job = api.create(
        parameters=[{"name": "day", "default": "1"}], tasks=[task("a"), task("b", depends_on=[{"task_key": "a"}])]
    )
    run = api.run(job, job_parameters={"day": "2", "more": "x"})
    document = api.get("runs/get", run_id=run)
    assert document["run_id"] == document["job_run_id"] == document["number_in_job"] == run
    assert document["original_attempt_run_id"] == run
    assert document["state"] == {
        "life_cycle_state": "PENDING",
        "state_message": "",
        "user_cancelled_or_timedout": False,
    }
    assert document["status"] == {"state": "PENDING"}
    assert document["job_parameters"] == [
        {"name": "day", "default": "1", "value": "2"},
        {"name": "more", "value": "x"},
    ]
    assert (document["end_time"], document["run_type"], document["trigger"]) == (0, "JOB_RUN", "ONE_TIME")
    states = {entry["task_key"]: entry["status"]["state"] for entry in document["tasks"]}
    assert states == {"a": "PENDING", "b": "BLOCKED"}
    one = document["tasks"][1]
    assert (one["depends_on"], one["attempt_number"], one["start_time"]) == ([{"task_key": "a"}], 0, 0)
    alone = api.get("runs/get", run_id=one["run_id"])
    assert (alone["run_id"], alone["job_run_id"], alone["task_key"]) == (one["run_id"], run, "b")
    assert api.get("runs/get-output", run_id=one["run_id"])["logs"] == ""
    assert api.refused("GET", "runs/get-output", run_id=run).startswith(
        "400 INVALID_PARAMETER_VALUE: Retrieving the output"
    )


def test_a_run_of_many_tasks_comes_in_pages(api: Api) -> None:
    run = api.run(api.create(tasks=[task(f"t{number}") for number in range(120)]))
    first = api.get("runs/get", run_id=run)
    second = api.get("runs/get", run_id=run, page_token=first["next_page_token"])
    assert (len(first["tasks"]), len(second["tasks"])) == (100, 20)
    assert "next_page_token" not in second


def test_tokens_start_one_run(api: Api) -> None:
    job, other = api.create(), api.create()
    run = api.run(job, idempotency_token="t")
    assert api.run(job, idempotency_token="t") == run
    assert api.post("run-now", {"Idempotency-Key": "t"}, job_id=job)["run_id"] == run
    assert api.refused("POST", "run-now", {"job_id": other, "idempotency_token": "t"}).startswith("400")
    differ = api.refused("POST", "run-now", {"job_id": job, "idempotency_token": "t"}, {"Idempotency-Key": "u"})
    assert differ.startswith("400")
    assert api.refused("POST", "run-now", {"job_id": job, "idempotency_token": "x" * 65}).startswith("400")


@pytest.mark.parametrize(
    "body",
    [
        {"job_parameters": {"a": 1}},
        {"job_parameters": ["a"]},
        {"job_parameters": {"a": "x" * 10_000}},
        {"only": "a"},
        {"only": ["nowhere"]},
        {"queue": True},
        {"notebook_params": {"a": "b"}},
        {"python_params": "x"},
    ],
)
def test_wishes_that_do_not_hold(api: Api, body: dict[str, Any]) -> None:
    job = api.create(parameters=[{"name": "p", "default": ""}])
    assert api.refused("POST", "run-now", {"job_id": job, **body}).startswith("400 INVALID_PARAMETER_VALUE")
    assert api.get("runs/list") == {"has_more": False}


def test_queue_and_skip(api: Api) -> None:
    job = api.create()
    api.run(job)
    waiting = api.get("runs/get", run_id=api.run(job))
    reason = "Queued due to reaching maximum concurrent runs of 1."
    assert waiting["state"]["queue_reason"] == reason
    assert waiting["status"] == {
        "state": "QUEUED",
        "queue_details": {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": reason},
    }
    status, answer = api.call("POST", "/api/2.1/jobs/run-now", {"job_id": job})
    assert status == 200
    skipped = api.get("runs/get", run_id=answer["run_id"])
    message = "Skipping this run because the limit of 1 maximum concurrent runs has been reached."
    assert skipped["state"]["life_cycle_state"] == "SKIPPED"
    assert skipped["state"]["result_state"] == "MAXIMUM_CONCURRENT_RUNS_REACHED"
    details = {"code": "MAX_CONCURRENT_RUNS_EXCEEDED", "type": "CLIENT_ERROR", "message": message}
    assert skipped["status"] == {"state": "TERMINATED", "termination_details": details}
    assert skipped["end_time"] > 0


def test_listing_runs(api: Api) -> None:
    job, other = api.create(max_concurrent_runs=0), api.create()
    ended = []
    for _ in range(30):
        api.clock.advance(1)
        ended.append(api.run(job))
    api.clock.advance(1)
    active = api.run(other)
    found: list[int] = []
    token: dict[str, str] = {}
    while True:
        page = api.get("runs/list", limit=0, **token)
        found += [run["run_id"] for run in page["runs"]]
        if not page["has_more"]:
            break
        token = {"page_token": page["next_page_token"]}
    assert found == [active, *reversed(ended)]
    assert [run["run_id"] for run in api.get("runs/list", active_only="true")["runs"]] == [active]
    assert len(api.get("runs/list", completed_only="true", job_id=job)["runs"]) == 20
    assert api.get("runs/list", job_id=other, completed_only="true") == {"has_more": False}
    assert api.refused("GET", "runs/list", active_only="true", completed_only="true").startswith("400")
    assert "tasks" not in page["runs"][0]
    assert api.get("runs/list", job_id=other, expand_tasks="true")["runs"][0]["tasks"][0]["task_key"] == "a"
    since = api.get("runs/get", run_id=ended[-1])["start_time"]
    assert [run["run_id"] for run in api.get("runs/list", start_time_from=since)["runs"]] == [active, ended[-1]]


def test_cancelling(api: Api) -> None:
    job = api.create()
    active, queued = api.run(job), api.run(job)
    assert api.post("runs/cancel", run_id=queued) == {}
    document = api.get("runs/get", run_id=queued)
    assert document["state"]["result_state"] == "CANCELED"
    assert document["state"]["user_cancelled_or_timedout"] is True
    assert document["status"]["termination_details"]["code"] == "USER_CANCELED"
    assert api.post("runs/cancel", run_id=queued) == {}, "a run that has ended stays as it is"
    assert api.post("runs/cancel", run_id=api.get("runs/get", run_id=active)["tasks"][0]["run_id"]) == {}


def test_every_document_is_json(api: Api) -> None:
    run = api.run(api.create())
    for document in (api.get("list"), api.get("runs/list"), api.get("runs/get", run_id=run)):
        assert json.loads(json.dumps(document)) == document


# The engine's own


def test_a_manifest_of_a_run_that_has_not_begun(api: Api) -> None:
    run = api.run(api.create())
    outcome = api.get(f"{OURS}/runs/{run}/manifest")["outcome"]
    assert (outcome["run_id"], outcome["ended"], outcome["result_state"]) == (str(run), None, None)
    assert outcome["tasks"][0]["attempts"][0]["log"] is None
    assert api.refused("GET", f"{OURS}/runs/{run + 1}/manifest").startswith("400")


def test_snapshots_over_the_api(api: Api) -> None:
    digest = "sha256:" + "0" * 64
    assert api.refused("GET", f"{OURS}/snapshots/{digest}").startswith("404 RESOURCE_DOES_NOT_EXIST")
    assert api.refused("POST", f"{OURS}/snapshots/{digest}/files", {"not": "bytes"}, path="a").startswith("415")
    assert api.refused("POST", f"{OURS}/snapshots/{digest}/files", b"", path="../a").startswith("400")
    assert api.call("POST", f"{OURS}/snapshots/{digest}/files", b"x", path="a", mode="100644") == (200, {})
    assert api.get(f"{OURS}/snapshots/{digest}") == {"sealed": False, "files": ["a"]}
    assert "have the digest" in api.refused("POST", f"{OURS}/snapshots/{digest}/seal", {})
    assert api.refused("GET", f"{OURS}/snapshots/nothing").startswith("400")
