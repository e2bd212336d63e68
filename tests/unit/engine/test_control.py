"""Conditions, jobs.md 3.5."""

from typing import Any

import pytest

from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, SetupFailed
from bundlectl.engine.tasks.control import OPERATORS, evaluate_condition


@pytest.mark.parametrize(
    ("left", "op", "right", "expected"),
    [
        ("12.0", "EQUAL_TO", "12", "false"),
        ("a", "EQUAL_TO", "a", "true"),
        ("a", "NOT_EQUAL", "A", "true"),
        ("12.0", "GREATER_THAN_OR_EQUAL", "12", "true"),
        ("12.0", "GREATER_THAN", "12", "false"),
        ("-1", "LESS_THAN", "0.5", "true"),
        ("1e3", "LESS_THAN_OR_EQUAL", "1000", "true"),
        (" 3 ", "GREATER_THAN", "2", "true"),
        ("0.1", "LESS_THAN_OR_EQUAL", "0.10", "true"),
        (True, "EQUAL_TO", "true", "true"),
        (18, "GREATER_THAN", "17.5", "true"),
        (0.7, "GREATER_THAN_OR_EQUAL", "0.7", "true"),
        (None, "EQUAL_TO", "null", "true"),
        ("100000000000000000001", "GREATER_THAN", "100000000000000000000", "true"),
    ],
)
def test_outcome(left: Any, op: str, right: Any, expected: str) -> None:
    assert evaluate_condition(op, left, right) == expected


@pytest.mark.parametrize(
    ("left", "op", "right", "part"),
    [
        ("abc", "GREATER_THAN", "1", 'left operand "abc" is not a number'),
        ("1", "LESS_THAN", "", 'right operand "" is not a number'),
        ("NaN", "LESS_THAN", "1", "not a number"),
        ("1", "LESS_THAN", "Infinity", "not a number"),
        (True, "LESS_THAN", "1", "not a number"),
        ([1], "EQUAL_TO", "[1]", "left operand is a list"),
        ("x", "EQUAL_TO", {"a": 1}, "right operand is an object"),
        ("x", "EQUALS", "x", 'operator "EQUALS" is unknown'),
    ],
)
def test_what_cannot_be_compared_fails_the_task(left: Any, op: str, right: Any, part: str) -> None:
    with pytest.raises(SetupFailed) as caught:
        evaluate_condition(op, left, right)
    assert caught.value.code == INVALID_RUN_CONFIGURATION
    assert part in caught.value.message


def test_every_operator_of_the_api_is_known() -> None:
    assert {op for op in OPERATORS if evaluate_condition(op, "1", "1") == "true"} == {
        "EQUAL_TO",
        "GREATER_THAN_OR_EQUAL",
        "LESS_THAN_OR_EQUAL",
    }
    assert len(OPERATORS) == 6
