"""A value becomes what its field takes, or is refused with the reason: config language 3.4."""

from typing import Any

import pytest

from tests.unit.config.shaping import E, in_task, only, shaped

COERCED = [
    ("existing_cluster_id: 500", "existing_cluster_id", "500", None),
    ("existing_cluster_id: true", "existing_cluster_id", "true", None),
    ("existing_cluster_id: 1e5", "existing_cluster_id", "100000", "BND207"),
    ("existing_cluster_id: 15.40", "existing_cluster_id", "15.4", "BND207"),
    ("existing_cluster_id: 15.4", "existing_cluster_id", "15.4", None),
    ("existing_cluster_id: '15.40'", "existing_cluster_id", "15.40", None),
    ("existing_cluster_id: ${var.c}", "existing_cluster_id", "${var.c}", None),
    ("disabled: yes", "disabled", True, "BND208"),
    ("disabled: On", "disabled", True, "BND208"),
    ("disabled: NO", "disabled", False, "BND208"),
    ("disabled: off", "disabled", False, "BND208"),
    ("disabled: 'true'", "disabled", True, None),
    ("disabled: ${var.d}", "disabled", "${var.d}", None),
    ("timeout_seconds: 012", "timeout_seconds", 12, None),
    ("timeout_seconds: 0x1F", "timeout_seconds", 31, None),
    ("timeout_seconds: 1e5", "timeout_seconds", 100000, None),
    ("timeout_seconds: '5'", "timeout_seconds", 5, None),
    ("timeout_seconds: '+5'", "timeout_seconds", 5, None),
    ("timeout_seconds: ${var.t}", "timeout_seconds", "${var.t}", None),
    ("timeout_seconds: ${var.t}0", "timeout_seconds", "${var.t}0", None),
    ("depends_on: ${var.d}", "depends_on", "${var.d}", None),
    ("depends_on:", "depends_on", None, None),
    ("new_cluster:", "new_cluster", None, None),
]


@pytest.mark.parametrize(("line", "field", "value", "code"), COERCED)
def test_a_value_becomes_what_its_field_takes(line: str, field: str, value: Any, code: str | None) -> None:
    result = shaped(in_task(line))
    assert [item.code for item in result.findings] == ([code] if code else [])
    task = result.value["resources"]["jobs"]["etl"]["tasks"][0]
    assert task[field] == value and type(task[field]) is type(value)


REFUSED = [
    ("timeout_seconds: 1.5", "BND203", "expected an integer, found 1.5"),
    ("timeout_seconds: true", "BND203", "expected an integer, found a boolean"),
    ("timeout_seconds: [1]", "BND203", "expected an integer, found a list"),
    ("timeout_seconds: {a: 1}", "BND203", "expected an integer, found a map"),
    ("timeout_seconds: 1e300", "BND203", "expected an integer, found 1" + "0" * 300),
    ("timeout_seconds: 5x", "BND209", '"5x" is not an integer'),
    ("timeout_seconds: ${0a.b}", "BND209", '"${0a.b}" is not an integer'),
    ("timeout_seconds: '9223372036854775808'", "BND209", '"9223372036854775808" is not an integer'),
    ("disabled: 1", "BND203", "expected a boolean, found an integer"),
    ("disabled: maybe", "BND203", "expected a boolean, found text"),
    ("depends_on: abc", "BND203", "expected a list, found text"),
    ("depends_on: x ${var.d}", "BND203", "expected a list, found text"),
    ("depends_on: [abc]", "BND203", "expected a map, found text"),
    ("depends_on: {a: 1}", "BND203", "expected a list, found a map"),
    ("notebook_task: [1]", "BND203", "expected a map, found a list"),
    ("notebook_task: {notebook_path: [a]}", "BND203", "expected text, found a list"),
    ("shell_task: {command: {a: 1}}", "BND203", "expected text or a list, found a map"),
]


@pytest.mark.parametrize(("line", "code", "summary"), REFUSED)
def test_a_value_of_another_kind_is_an_error(line: str, code: str, summary: str) -> None:
    item = only(shaped(in_task(line)))
    assert (item.code, item.severity, item.summary) == (code, E, summary)


HINTS = [
    ("timeout_seconds: 1_000", "write 1000"),
    ("timeout_seconds: 5m", "give seconds: 300"),
    ("min_retry_interval_millis: 30s", "give milliseconds: 30000"),
    ("timeout_seconds: soon", None),
]


@pytest.mark.parametrize(("line", "hint"), HINTS)
def test_text_that_is_no_number_gets_the_number_that_was_meant(line: str, hint: str | None) -> None:
    assert only(shaped(in_task(line))).hint == hint
