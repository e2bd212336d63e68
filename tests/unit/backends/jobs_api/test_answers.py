"""Each status and body -> its error: class, code, exit code, and whether the outcome is known."""

from typing import Any

import pytest

from bundlectl.backends.jobs_api.answers import Call, document_of
from bundlectl.backends.jobs_api.transport import Answer
from bundlectl.model.errors import (
    BackendError,
    BundlectlError,
    Conflict,
    LeaseHeld,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
)

PLACE = "https://jobs.example"
READ = Call("read job 11")
WRITE = Call("update jobs.etl", writes=True, fenced=True)
CREATE = Call("create jobs.etl", writes=True, fenced=True, repeatable=False)


def _body(code: str, message: str) -> dict[str, Any]:
    return {"error_code": code, "message": message, "details": []}


CASES: list[tuple[str, Call, Answer, type[BundlectlError], str]] = [
    ("no token", READ, Answer(401, _body("UNAUTHENTICATED", "x")), NotAuthenticated, "BND701"),
    ("no right", WRITE, Answer(403, _body("PERMISSION_DENIED", "needs CAN_MANAGE")), NotPermitted, "BND702"),
    ("gone", READ, Answer(404, _body("RESOURCE_DOES_NOT_EXIST", "Job 11 does not exist.")), NotFound, "BND703"),
    ("gone, no body", READ, Answer(404, "<html>"), NotFound, "BND703"),
    ("gone, as a workspace says", READ, Answer(400, _body("INVALID_PARAMETER_VALUE", "Job 11 does not exist.")),
     NotFound, "BND703"),
    ("gone, writing", WRITE, Answer(400, _body("INVALID_PARAMETER_VALUE", "Job 11 does not exist.")),
     NotFound, "BND703"),
    ("a dependency that is missing", WRITE,
     Answer(400, _body("INVALID_PARAMETER_VALUE", "Task 'a' depends on 'b', which does not exist.")),
     BackendError, "BND705"),
    ("no such route", READ, Answer(404, _body("ENDPOINT_NOT_FOUND", "No API found")), BackendError, "BND705"),
    ("bad settings", WRITE, Answer(400, _body("INVALID_PARAMETER_VALUE", "Task 'a' ...")), BackendError, "BND705"),
    ("bad state", WRITE, Answer(400, _body("INVALID_STATE", "active")), Conflict, "BND504"),
    ("exists", WRITE, Answer(409, _body("RESOURCE_ALREADY_EXISTS", "x")), Conflict, "BND504"),
    ("old fence", WRITE, Answer(409, _body("RESOURCE_CONFLICT", "fence 3 < 4")), LeaseHeld, "BND402"),
    ("conflict without fence", READ, Answer(409, _body("RESOURCE_CONFLICT", "x")), Conflict, "BND504"),
    ("throttled", WRITE, Answer(429, _body("REQUEST_LIMIT_EXCEEDED", "x")), BackendError, "BND704"),
    ("fault, reading", READ, Answer(500, _body("INTERNAL_ERROR", "x")), BackendError, "BND705"),
    ("fault, writing", WRITE, Answer(500, _body("INTERNAL_ERROR", "x")), OutcomeUnknown, "BND408"),
    ("gateway, creating", CREATE, Answer(502, "<html>bad gateway"), OutcomeUnknown, "BND408"),
    ("stopping, creating", CREATE, Answer(503, _body("TEMPORARILY_UNAVAILABLE", "x")), OutcomeUnknown, "BND408"),
    ("not built", WRITE, Answer(501, _body("NOT_IMPLEMENTED", "x")), BackendError, "BND705"),
    ("web page", READ, Answer(200, "  <!doctype html><html>"), BackendError, "BND706"),
    ("web page as bytes", READ, Answer(200, b"<html>"), BackendError, "BND706"),
    ("cut", READ, Answer(200, '{"jobs": ['), BackendError, "BND707"),
    ("a list", READ, Answer(200, []), BackendError, "BND707"),
    ("nothing", READ, Answer(200, None), BackendError, "BND707"),
    ("cut, creating", CREATE, Answer(200, '{"job_'), OutcomeUnknown, "BND408"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "answer", "kind", "code"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_failure(call: Call, answer: Answer, kind: type[BundlectlError], code: str) -> None:
    with pytest.raises(BundlectlError) as caught:
        document_of(answer, call, PLACE)
    assert type(caught.value) is kind
    assert caught.value.code == code


def test_good_answer_is_its_document() -> None:
    assert document_of(Answer(200, {"job_id": 11}), READ, PLACE) == {"job_id": 11}


def test_the_message_of_the_other_side_is_shown_whole_up_to_a_limit() -> None:
    with pytest.raises(NotPermitted) as caught:
        document_of(Answer(403, _body("PERMISSION_DENIED", "y" * 5000)), READ, PLACE)
    assert len(caught.value.summary) < 2_100


def test_an_unknown_create_says_how_it_is_found() -> None:
    call = CREATE._replace(found_by="the next run finds it by its ownership id")
    with pytest.raises(OutcomeUnknown) as caught:
        document_of(Answer(500, None), call, PLACE)
    assert caught.value.summary == "outcome of create jobs.etl unknown; the next run finds it by its ownership id"
    assert caught.value.status == 500
