"""What an answer of the Jobs API means: a document, or one of the errors of model.errors.

Called by client for every exchange. Knows statuses, error bodies and shapes; does not know the calls.
"""

import re
from typing import Any, NamedTuple

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

_MESSAGE_LIMIT = 2_000  # characters of another side's message that are shown
_THROTTLED = 429
_NOT_IMPLEMENTED = 501
_GONE = re.compile(r"(?:Job|Run) \d+ does not exist")


class Call(NamedTuple):
    """One request, as far as reading its answer goes."""

    what: str  # `create jobs.etl`, for messages
    writes: bool = False  # an answer that says nothing leaves the outcome unknown
    fenced: bool = False  # carries If-Fence
    repeatable: bool = True  # asking twice is as good as asking once
    found_by: str = "the next run reads it back"  # how an unknown outcome is cleared up


def document_of(answer: Answer, call: Call, place: str) -> dict[str, Any]:
    """The document of a good answer. Raises what the answer means otherwise."""
    if not 200 <= answer.status < 300:
        raise failure(answer, call, place)
    if isinstance(answer.document, dict):
        return answer.document
    raise unusable(answer, call, place)


def unusable(answer: Answer, call: Call, place: str, missing: str | None = None) -> BackendError:
    """The error for an answer whose status is good and whose body is not; `missing` names what it lacks."""
    code = "BND707"
    if missing is not None:
        summary, hint = f"answer has no {missing}", None
    elif _is_page(answer.document):
        code = "BND706"
        summary, hint = "answer is a web page, not the API", "look for a proxy, or a wrong host"
    elif isinstance(answer.document, str | bytes):
        summary, hint = "answer is incomplete", None
    else:
        summary, hint = "answer is not an object", None
    detail = f"{place} was asked to {call.what} and answered {answer.status}"
    if call.writes:
        return unknown(call, f"{summary}; {detail}", status=answer.status)
    return BackendError(summary, code=code, detail=detail, hint=hint, status=answer.status)


def unknown(call: Call, why: str, *, status: int | None = None) -> OutcomeUnknown:
    """The error for a write of which nobody can say whether it took effect."""
    return OutcomeUnknown(
        f"outcome of {call.what} unknown; {call.found_by}",
        detail=why,
        status=status,
    )


def failure(answer: Answer, call: Call, place: str) -> BundlectlError:
    """The error that a status outside 2xx stands for."""
    status = answer.status
    error_code, message = _error_body(answer.document)
    asked = f"{place} was asked to {call.what}"
    if status == 401:
        return NotAuthenticated(f"not authenticated at {place}", detail=message)
    if status == 403:
        return NotPermitted(f"no permission: {message or call.what}", detail=asked)
    if _is_gone(status, error_code, message, call):
        return NotFound(message or f"{call.what}: not found", code="BND703", detail=asked)
    if status == 409 and call.fenced and error_code == "RESOURCE_CONFLICT":
        return LeaseHeld("a later deploy has taken over this target", code="BND402", detail=message or asked)
    if status == 409:
        return Conflict(message or f"{call.what}: conflict", detail=asked, status=status)
    if status == 400 and error_code == "INVALID_STATE":
        return Conflict(message or f"{call.what}: not possible now", detail=asked, status=status)
    if status == _THROTTLED:
        return BackendError(f"throttled; {asked}", code="BND704", detail=message, status=status)
    if status >= 500 and status != _NOT_IMPLEMENTED and call.writes:
        return unknown(call, f"{place} answered {status}: {message or 'no message'}", status=status)
    return BackendError(f"{call.what}: {message or f'status {status}'}", detail=f"{asked}: {status}", status=status)


def _is_gone(status: int, error_code: str | None, message: str | None, call: Call) -> bool:
    """404, and the 400 that a workspace answers for a missing job or run.

    Of a write only the whole sentence counts: "Task 'a' depends on 'b', which does not exist." is about settings.
    """
    if status == 404:
        return error_code != "ENDPOINT_NOT_FOUND"
    if status != 400 or error_code != "INVALID_PARAMETER_VALUE" or message is None:
        return False
    return _GONE.match(message) is not None if call.writes else "does not exist" in message


def _error_body(document: Any) -> tuple[str | None, str | None]:
    """Error code and message of an error document; a body of another shape has neither."""
    if not isinstance(document, dict):
        return None, None
    code, message = document.get("error_code"), document.get("message")
    text = message[:_MESSAGE_LIMIT] if isinstance(message, str) and message else None
    return (code if isinstance(code, str) else None), text


def _is_page(document: Any) -> bool:
    if isinstance(document, bytes):
        return document[:200].lstrip().startswith(b"<")
    return isinstance(document, str) and document[:200].lstrip().startswith("<")
