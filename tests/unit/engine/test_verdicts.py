"""What an end means, and when there is another try."""

from typing import Any

import pytest

from bundlectl.engine import verdicts
from bundlectl.engine.verdicts import CANCELED, LOST, SUCCEEDED, next_try, of_end

_END = {"code": 0, "signal": None, "cause": None}
FAILED = of_end({**_END, "code": 1}, None, None, CANCELED)
TIMEDOUT = of_end({**_END, "cause": "timeout"}, None, 30, CANCELED)


@pytest.mark.parametrize(
    ("end", "fault", "state", "code", "error"),
    [
        ({}, None, "TERMINATED SUCCESS", "SUCCESS", None),
        ({"code": 3}, None, "TERMINATED FAILED", "RUN_EXECUTION_ERROR", None),
        ({"code": None, "signal": 9}, None, "TERMINATED FAILED", "RUN_EXECUTION_ERROR", "ended by signal 9"),
        ({}, "Line 1 is bad", "TERMINATED FAILED", "RUN_EXECUTION_ERROR", "Line 1 is bad"),
        ({"code": None, "signal": 15, "cause": "timeout"}, None, "TERMINATED TIMEDOUT", "CANCELED", None),
        ({"code": 0, "cause": "timeout"}, None, "TERMINATED TIMEDOUT", "CANCELED", None),
        ({"code": 0, "cause": "cancel"}, None, "TERMINATED CANCELED", "USER_CANCELED", None),
        (
            {"error": {"code": "RESOURCE_NOT_FOUND", "message": "m"}},
            None,
            "INTERNAL_ERROR FAILED",
            "RESOURCE_NOT_FOUND",
            "m",
        ),
    ],
)
def test_what_an_end_means(end: dict[str, Any], fault: str | None, state: str, code: str, error: str | None) -> None:
    found = of_end({**_END, **end}, fault, 30, CANCELED)
    assert (f"{found.state} {found.result}", found.code, found.error) == (state, code, error)


@pytest.mark.parametrize(
    ("task", "verdict", "failed", "lost", "due"),
    [
        ({}, FAILED, 1, 0, None),
        ({"max_retries": 1}, FAILED, 1, 0, 5_000),
        ({"max_retries": 1}, FAILED, 2, 0, None),
        ({"max_retries": 1, "min_retry_interval_millis": 9_000}, FAILED, 1, 0, 10_000),
        ({"max_retries": 1, "min_retry_interval_millis": 100}, FAILED, 1, 0, 5_000),
        ({"max_retries": -1}, FAILED, verdicts.UNLIMITED_TRIES, 0, 5_000),
        ({"max_retries": -1}, FAILED, verdicts.UNLIMITED_TRIES + 1, 0, None),
        ({"max_retries": 1}, TIMEDOUT, 1, 0, None),
        ({"max_retries": 1, "retry_on_timeout": True}, TIMEDOUT, 1, 0, 5_000),
        ({"max_retries": 9}, SUCCEEDED, 0, 0, None),
        ({"max_retries": 9}, CANCELED, 0, 0, None),
        ({"max_retries": 9, "condition_task": {}}, FAILED, 1, 0, None),
        ({}, LOST, 0, 1, None),
        ({"max_retries": 1}, LOST, 1, 3, 5_000),
        ({"max_retries": 1}, LOST, 0, 4, None),
        ({"idempotent": True}, LOST, 0, 1, 5_000),
        ({"on_lost": "retry"}, LOST, 0, 1, 5_000),
        ({"on_lost": "fail", "max_retries": 5}, LOST, 0, 1, None),
    ],
)
def test_when_there_is_another_try(
    task: dict[str, Any], verdict: verdicts.Verdict, failed: int, lost: int, due: int | None
) -> None:
    assert next_try(task, verdict, failed=failed, lost=lost, started=1_000, ended=5_000) == due
