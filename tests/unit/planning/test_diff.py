"""Keyed documents, and the paths at which two of them differ."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.model.location import path_short, path_text
from bundlectl.planning import diff
from bundlectl.planning.diff import differences, differing_paths, keyed, plain
from bundlectl.planning.field_table import FieldTable

TABLE = FieldTable("local")


def _paths(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [path_text(path) for path in differing_paths(keyed(left, TABLE), keyed(right, TABLE))]


CASES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1}, {"a": 2}, ["a"]),
    ({"a": 1}, {"a": True}, ["a"]),
    ({"a": 1}, {"a": 1.0}, []),
    ({"a": "1"}, {"a": 1}, ["a"]),
    ({}, {"a": {"b": 1}}, ["a"]),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, ["a.c"]),
    ({"a": {"b": 1}}, {"a": {"c": 1}}, ["a.b", "a.c"]),
    ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
    ({"a": [{"x": 1}, {"x": 2}]}, {"a": [{"x": 1}, {"x": 3}]}, ["a[1].x"]),
    ({"tags": {"a b": "x"}}, {"tags": {"a b": "y"}}, ["tags['a b']"]),
    ({"deployment": {"kind": "BUNDLE"}}, {"deployment": {"kind": "X"}}, []),
    (
        {"tasks": [{"task_key": "a", "n": 1}, {"task_key": "b"}]},
        {"tasks": [{"task_key": "b"}, {"task_key": "a", "n": 2}]},
        ["tasks[task_key='a'].n"],
    ),
    (
        {"tasks": [{"task_key": "a", "depends_on": [{"task_key": "x"}, {"task_key": "y"}]}]},
        {"tasks": [{"task_key": "a", "depends_on": [{"task_key": "y"}, {"task_key": "x"}]}]},
        [],
    ),
    ({"tasks": []}, {"tasks": [{"task_key": "a"}]}, ["tasks"]),
    ({"tasks": [{"task_key": "b"}]}, {"tasks": [{"task_key": "b"}, {"task_key": "a"}]}, ["tasks[task_key='a']"]),
    ({"parameters": [{"name": "p", "default": "1"}]}, {"parameters": [{"name": "q", "default": "1"}]}, []),
    (
        {"permissions": [{"level": "CAN_VIEW", "group_name": "g"}, {"level": "IS_OWNER", "user_name": "u"}]},
        {"permissions": [{"level": "IS_OWNER", "user_name": "u"}, {"level": "CAN_MANAGE", "group_name": "g"}]},
        ["permissions[group_name='g'].level"],
    ),
    ({"email_notifications": {"on_failure": ["a", "b"]}}, {"email_notifications": {"on_failure": ["b", "a"]}}, []),
    (
        {"tasks": [{"task_key": "a", "libraries": [{"whl": "x"}, {"jar": "y"}]}]},
        {"tasks": [{"task_key": "a", "libraries": [{"jar": "y"}, {"whl": "x"}]}]},
        [],
    ),
    # A key that is given twice is no key: such a list is compared by position.
    (
        {"tasks": [{"task_key": "a", "n": 1}, {"task_key": "a", "n": 2}]},
        {"tasks": [{"task_key": "a", "n": 1}, {"task_key": "a", "n": 3}]},
        ["tasks[1].n"],
    ),
]
CASES[16] = (*CASES[16][:2], ["parameters[name='p']", "parameters[name='q']"])


@pytest.mark.parametrize(("left", "right", "paths"), CASES)
def test_where_documents_differ(left: dict[str, Any], right: dict[str, Any], paths: list[str]) -> None:
    assert _paths(left, right) == paths


_VALUES = st.recursive(
    st.one_of(st.integers(0, 3), st.booleans(), st.sampled_from(["", "x", "1"])),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3), st.lists(st.fixed_dictionaries({"n": inner}))
    ),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c", "tasks"]), _VALUES, max_size=4)


@given(left=_DOCUMENTS, right=_DOCUMENTS)
def test_every_way_of_comparing_gives_the_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    one, other = diff._pruned(keyed(left, TABLE), keyed(right, TABLE))
    walked = diff._walked(one, other, ())
    asked = diff._paths_by_deepdiff(one, other)
    assert walked is None or (set(walked) == asked and len(walked) == len(asked))
    assert _paths(left, right) == sorted(map(path_text, asked))


def test_deepdiff_is_asked_about_lists_that_grow() -> None:
    shorter, longer = {"a": [{"x": 1}]}, {"a": [{"x": 1}, {"x": 2}]}
    assert diff._walked(*diff._pruned(keyed(shorter, TABLE), keyed(longer, TABLE)), ()) is None
    assert _paths(shorter, longer) == _paths(longer, shorter) == ["a[1]"]


def test_text_cannot_pass_for_a_list_or_a_flag() -> None:
    assert _paths({"a": [1]}, {"a": "[1]"}) == ["a"]
    assert _paths({"a": True}, {"a": "true"}) == ["a"]
    assert _paths({"a": True}, {"a": "\0true"[1:]}) == ["a"]


def test_what_was_keyed_is_shown_as_it_was_written() -> None:
    document = {"tasks": [{"task_key": "b", "x": [1]}, {"task_key": "a", "flag": True}], "tags": {}}
    assert plain(keyed(document, TABLE)) == document


def test_short_paths_name_the_element() -> None:
    left, right = {"tasks": [{"task_key": "load", "n": 1}]}, {"tasks": [{"task_key": "load", "n": 2}]}
    assert [path_short(p) for p in differing_paths(keyed(left, TABLE), keyed(right, TABLE))] == ["tasks[load].n"]


def test_an_apply_that_converged_has_no_differences() -> None:
    sent = {"name": "n", "tasks": [{"task_key": "a"}], "tags": {}, "deployment": {"kind": "BUNDLE"}}
    now = {
        "name": "n",
        "format": "MULTI_TASK",
        "tasks": [{"task_key": "a", "run_if": "ALL_SUCCESS", "timeout_seconds": 0}],
        "run_as": {"user_name": "x"},
        "permissions": [{"user_name": "x", "level": "IS_OWNER"}],
        "deployment": {"kind": "BUNDLE", "metadata_file_path": "/x"},
    }
    assert differences(sent, now) == []
    altered = {**now, "name": "m", "tasks": [{"task_key": "a", "run_if": "ALL_DONE"}]}
    assert [path_text(path) for path in differences(sent, altered)] == ["name", "tasks[task_key='a'].run_if"]
