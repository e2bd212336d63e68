"""Which requests the client sends, how it pages, and when it repeats."""

from typing import Any

import pytest

from bundlectl.backends.jobs_api.client import JobsClient, number
from bundlectl.backends.jobs_api.transport import NoAnswer, NotSent
from bundlectl.model.errors import BackendError, NotFound, OutcomeUnknown
from tests.unit.backends.jobs_api.scripted import Asked, ScriptedTransport, ok


def test_create_sends_ownership_id_and_fence() -> None:
    transport = ScriptedTransport(ok({"job_id": 11}))
    id = JobsClient(transport).create_job({"name": "etl"}, key="etl", own="b1-aa", fence=7)
    assert id == "11"
    assert transport.asked == [
        Asked("POST", "/api/2.2/jobs/create", {}, {"name": "etl"}, {"Idempotency-Key": "b1-aa", "If-Fence": "7"})
    ]


def test_reset_and_delete_send_the_fence() -> None:
    transport = ScriptedTransport(ok({}), ok({}))
    client = JobsClient(transport)
    client.reset_job("11", {"name": "z"}, key="etl", fence=8)
    client.delete_job("11", fence=8)
    assert transport.asked == [
        Asked("POST", "/api/2.2/jobs/reset", {}, {"job_id": 11, "new_settings": {"name": "z"}}, {"If-Fence": "8"}),
        Asked("POST", "/api/2.2/jobs/delete", {}, {"job_id": 11}, {"If-Fence": "8"}),
    ]


def test_run_now_sends_its_token_and_only_what_was_given() -> None:
    transport = ScriptedTransport(ok({"run_id": 99, "number_in_job": 99}), ok({"run_id": 100}))
    client = JobsClient(transport)
    assert client.run_now("11", parameters={}, only=(), token="t1") == "99"
    assert client.run_now("11", parameters={"day": "1"}, only=["a+"], token="t2") == "100"
    assert [asked.document for asked in transport.asked] == [
        {"job_id": 11, "idempotency_token": "t1"},
        {"job_id": 11, "idempotency_token": "t2", "job_parameters": {"day": "1"}, "only": ["a+"]},
    ]


@pytest.mark.parametrize("body", [{}, {"job_id": None}, {"job_id": True}, {"job_id": 0}, {"job_id": "x"}])
def test_create_without_an_id_leaves_the_outcome_unknown(body: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        JobsClient(ScriptedTransport(ok(body))).create_job({}, key="etl", own="b1-aa", fence=1)


def test_a_lost_answer_to_create_is_never_sent_again() -> None:
    transport = ScriptedTransport(NoAnswer("timed out"))
    with pytest.raises(OutcomeUnknown) as caught:
        JobsClient(transport).create_job({}, key="etl", own="b1-aa", fence=1)
    assert len(transport.asked) == 1
    assert caught.value.detail == "https://jobs.example gave no answer: timed out"


def test_what_is_safe_to_repeat_is_repeated_once() -> None:
    transport = ScriptedTransport(NoAnswer("reset"), ok({"run_id": 5}), NoAnswer("reset"), NoAnswer("reset again"))
    client = JobsClient(transport)
    assert client.run_now("11", parameters={}, only=(), token="t") == "5"
    assert transport.asked[0] == transport.asked[1]
    with pytest.raises(OutcomeUnknown):
        client.reset_job("11", {}, key="etl", fence=1)
    assert len(transport.asked) == 4


def test_what_may_outlive_its_lease_is_not_repeated() -> None:
    late = NoAnswer("timed out")
    late.is_late = True
    transport = ScriptedTransport(late)
    with pytest.raises(OutcomeUnknown):
        JobsClient(transport).reset_job("11", {}, key="etl", fence=1)
    assert len(transport.asked) == 1


def test_a_read_without_answer_is_a_plain_failure() -> None:
    transport = ScriptedTransport(NoAnswer("timed out"), NoAnswer("timed out"))
    with pytest.raises(BackendError) as caught:
        JobsClient(transport).get_job("11")
    assert type(caught.value) is BackendError
    assert caught.value.code == "BND711"


def test_a_request_that_was_not_sent_is_a_plain_failure_even_for_create() -> None:
    with pytest.raises(BackendError) as caught:
        JobsClient(ScriptedTransport(NotSent("no such host"))).create_job({}, key="k", own="b1-a", fence=1)
    assert type(caught.value) is BackendError
    assert caught.value.code == "BND710"


def test_a_job_of_many_pages_is_put_together() -> None:
    transport = ScriptedTransport(
        ok({"settings": {"name": "etl", "tasks": [1, 2], "parameters": [7]}, "next_page_token": "p2"}),
        ok({"settings": {"name": "etl", "tasks": [3], "parameters": []}, "next_page_token": "p3"}),
        ok({"settings": {"name": "etl", "tasks": [4], "job_clusters": [9]}}),
    )
    assert JobsClient(transport).get_job("11") == {
        "name": "etl",
        "tasks": [1, 2, 3, 4],
        "parameters": [7],
        "job_clusters": [9],
    }
    assert [asked.query for asked in transport.asked] == [
        {"job_id": "11"},
        {"job_id": "11", "page_token": "p2"},
        {"job_id": "11", "page_token": "p3"},
    ]


def test_a_run_of_many_pages_is_put_together() -> None:
    transport = ScriptedTransport(
        ok({"run_id": 9, "tasks": [1], "next_page_token": "p"}), ok({"run_id": 9, "tasks": [2], "next_page_token": ""})
    )
    assert JobsClient(transport).get_run("9") == {"run_id": 9, "tasks": [1, 2]}


def test_runs_are_asked_for_page_by_page() -> None:
    transport = ScriptedTransport(
        ok({"runs": [{"run_id": 2}], "next_page_token": "p", "has_more": True}), ok({"has_more": False})
    )
    listing = JobsClient(transport).list_runs(job_id="11", active_only=True)
    assert next(listing) == {"run_id": 2}
    assert len(transport.asked) == 1
    assert list(listing) == []
    assert transport.asked[0].query == {"limit": "25", "job_id": "11", "active_only": "true"}


def test_a_page_that_repeats_ends_the_listing() -> None:
    page = ok({"runs": [], "next_page_token": "p"})
    with pytest.raises(BackendError) as caught:
        list(JobsClient(ScriptedTransport(page, page, page)).list_runs())
    assert (caught.value.code, caught.value.summary) == ("BND714", 'the API repeats page "p"')


@pytest.mark.parametrize("body", [{"runs": {}}, {"runs": [1]}, {"runs": [], "next_page_token": 3}])
def test_a_listing_of_the_wrong_shape_is_named(body: dict[str, Any]) -> None:
    with pytest.raises(BackendError) as caught:
        list(JobsClient(ScriptedTransport(ok(body))).list_runs())
    assert caught.value.code == "BND707"


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", " 1", "\u0661", "9" * 20])
def test_ids_are_numbers(text: str) -> None:
    with pytest.raises(NotFound):
        number(text, "run")
