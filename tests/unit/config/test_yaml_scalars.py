"""Plain scalars: the core schema of YAML 1.2, with ruamel.yaml as a second opinion where it is installed."""

from typing import Any

import pytest

from bundlectl.config.yaml_scalars import BadScalar, resolve

VALUES: list[tuple[str, Any]] = [
    ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"),
    ("true", True), ("True", True), ("TRUE", True), ("tRUE", "tRUE"), ("false", False), ("yes", "yes"), ("on", "on"),
    ("n", "n"), ("y", "y"), ("0", 0), ("-0", 0), ("+12", 12), ("012", 12), ("0o14", 12), ("0x1F", 31), ("0b11", "0b11"),
    ("1_000", "1_000"), ("0x", "0x"), ("0o8", "0o8"), ("-0x1", "-0x1"), ("1e5", 1e5), (".5", 0.5), ("-.5", -0.5),
    ("1.", 1.0), ("1.5e-3", 0.0015), ("1e", "1e"), (".", "."), ("-", "-"), ("+", "+"), ("1.2.3", "1.2.3"),
    ("12:30:45", "12:30:45"), ("2024-01-01", "2024-01-01"), ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)), ("0" * 400 + "7", 7), ("0x7fffffffffffffff", 2**63 - 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_plain_scalar_is(text: str, value: Any) -> None:
    resolved = resolve(text)
    assert resolved == value
    assert resolved.__class__ is value.__class__


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("9223372036854775808", "BND115"),
        ("-9223372036854775809", "BND115"),
        ("7" * 5000, "BND115"),
        ("0xffffffffffffffff", "BND115"),
        (".nan", "BND116"),
        ("-.INF", "BND116"),
        ("1e999", "BND116"),
        ("1" * 500 + ".5", "BND116"),
    ],
)
def test_numbers_that_json_cannot_carry_are_refused(text: str, code: str) -> None:
    with pytest.raises(BadScalar) as caught:
        resolve(text)
    assert caught.value.code == code
    assert len(caught.value.summary) < 100
