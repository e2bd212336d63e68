"""Merging of trees, and of list elements by key."""

from typing import Any

import pytest

from bundlectl.config.merge import merge, merge_by_key
from bundlectl.config.node import from_plain, plain
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan
from tests.unit.config.bundles import loaded


def merged(*values: Any) -> tuple[Any, list[Diagnostic]]:
    found: list[Diagnostic] = []
    nodes = [from_plain(value, SourceSpan("f", line, 1)) for line, value in enumerate(values, 1)]
    return plain(merge(nodes, (), found)), found


@pytest.mark.parametrize(
    ("values", "result"),
    [
        (({"t": None}, {"t": [1]}), {"t": [1]}),
        (({"t": [1]}, {"t": None}), {"t": [1]}),
        (({"a": 1, "m": {"x": 1}}, {"m": {"y": 2}}), {"a": 1, "m": {"x": 1, "y": 2}}),
        (([1], [1, 2]), [1, 1, 2]),
        ((1, 2, 3), 3),
        (({"a": 1}, {"a": 2}, {"b": 3}), {"a": 2, "b": 3}),
        ((None, None), None),
    ],
)
def test_later_over_earlier(values: tuple[Any, ...], result: Any) -> None:
    assert merged(*values) == (result, [])


def test_kinds_do_not_merge() -> None:
    _, found = merged({"a": {"b": "x"}}, {"a": {"b": [1]}})
    assert [(finding.code, finding.summary, finding.path) for finding in found] == [
        ("BND224", "cannot merge text with a list", "a.b")
    ]
    assert [span.line for span in found[0].spans] == [2, 1]


def test_the_winning_place_comes_first() -> None:
    found: list[Diagnostic] = []
    node = merge([from_plain("x", SourceSpan("f", 1, 1)), from_plain("y", SourceSpan("f", 2, 1))], (), found)
    assert (node.span.line, [span.line for span in node.more]) == (2, [1])


def by_key(*lists: list[dict[str, Any]]) -> tuple[Any, list[str]]:
    found: list[Diagnostic] = []
    jobs = [from_plain({"tasks": tasks}, SourceSpan("f", line, 1)) for line, tasks in enumerate(lists, 1)]
    job = merge(jobs, (), found)
    return plain(merge_by_key(job, (), found))["tasks"], [finding.code for finding in found]


def test_elements_of_different_lists_with_one_key_become_one() -> None:
    tasks, found = by_key([{"task_key": "b", "x": 1}, {"task_key": "a"}], [{"task_key": "b", "y": 2}])
    assert tasks == [{"task_key": "a"}, {"task_key": "b", "x": 1, "y": 2}]
    assert found == []


def test_two_elements_of_one_list_with_one_key_are_a_slip() -> None:
    assert by_key([{"task_key": "a"}], [{"task_key": "b"}, {"task_key": "b"}])[1] == ["BND228"]
    assert by_key([{"task_key": "b"}], [{"task_key": "b"}], [{"task_key": "b"}])[1] == []


_TYPED = """\
bundle: {name: b}
variables: {t: {default: 9}}
resources: {jobs: {j: {tasks: [{task_key: a, timeout_seconds: 600, shell_task: {command: [x]}}]}}}
targets:
  dev:
    resources: {jobs: {j: {tasks: [{task_key: a, timeout_seconds: '${var.t}'}]}}}
"""


def test_text_of_the_command_line_merges_with_a_typed_value() -> None:
    result = loaded(_TYPED, variables=(("t", "5", "flag"),))
    assert list(result.diagnostics) == []
    assert result.specs["j"].document["tasks"][0]["timeout_seconds"] == 5


def test_text_that_is_no_such_value_is_reported_where_it_is_used() -> None:
    result = loaded(_TYPED, variables=(("t", "5m", "flag"),))
    (finding,) = result.diagnostics
    assert (finding.code, finding.spans[0].line, finding.spans[0].column) == ("BND209", 6, 67)
