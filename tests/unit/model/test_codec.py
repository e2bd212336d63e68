"""Documents from outside are read exactly: by name, by type, within limits, in canonical bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.model.codec import DocumentError, Members, load_canonical, load_json, stored


def problem(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_what_is_asked_for_is_read() -> None:
    with Members({"a": "x", "b": 3, "c": True, "d": None, "e": ["p"], "f": {"k": "v"}, "g": [{"h": 1}]}) as document:
        assert document.text("a") == "x"
        assert document.integer("b") == 3
        assert document.boolean("c")
        assert document.text_or_none("d") is None
        assert document.integer_or_none("d") is None
        assert document.texts("e") == ("p",)
        assert document.text_map("f") == {"k": "v"}
        assert not document.has("z")
        for inner in document.each("g"):
            with inner:
                assert inner.integer("h") == 1


@pytest.mark.parametrize(
    ("value", "method", "message"),
    [
        ({}, "text", "a: missing"),
        ({"a": 1}, "text", "a: expected text, found an integer"),
        ({"a": None}, "text", "a: expected text, found null"),
        ({"a": True}, "integer", "a: expected an integer, found true"),
        ({"a": 1.5}, "integer", "a: expected an integer, found a number"),
        ({"a": -1}, "integer", r"a: -1 is not in 0 .. 9223372036854775807"),
        ({"a": 0}, "boolean", "a: expected true or false, found an integer"),
        ({"a": {}}, "items", "a: expected a list, found a map"),
        ({"a": ["x", 1]}, "texts", "a[1]: expected text, found an integer"),
        ({"a": []}, "map", "a: expected a map, found a list"),
        ({"a": {"b": 1}}, "text_map", "a.b: expected text, found an integer"),
        ({"a": "x" * 70_000}, "text", "a: longer than 65536 characters"),
    ],
)
def test_what_does_not_hold_is_named(value: Any, method: str, message: str) -> None:
    assert problem(getattr(Members(value), method), "a") == message


def test_members_that_nobody_asked_for_are_refused() -> None:
    with pytest.raises(DocumentError, match=r"top\.b: unknown member"), Members({"a": 1, "b": 2}, "top") as document:
        document.integer("a")
    assert problem(Members, [], "x") == "x: expected a map, found a list"
    assert problem(Members({"a": "z"}).one_of, "a", frozenset({"x", "y"})) == 'a: "z" is none of x, y'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON at line 1, column 1"),
        (b'{"a":', "not JSON at line 1"),
        (b'{"a":NaN}', "NaN is no number"),
        (b'{"a":-Infinity}', "-Infinity is no number"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b"[" * 65 + b"]" * 65, "nesting deeper than 64"),
        (b"[" * 100_000, "nesting deeper than 64"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "nesting deeper than 64"),
        (b"1" * 5000, "not JSON"),
        (b"1" * 20_000, "larger than 10000 bytes"),
    ],
)
def test_json_within_limits(data: bytes, message: str) -> None:
    assert message in problem(load_json, data, max_bytes=200_000 if data[:1] == b"[" else 10_000)


def test_depth_64_is_fine() -> None:
    load_json(b"[" * 64 + b"]" * 64, max_bytes=1000)
    load_json(b"[" + b",".join([b"[]"] * 100) + b"]", max_bytes=1000)


@pytest.mark.parametrize(
    "data", [b'{"a":1}', b'{"a": 1}\n', b'{"b":1,"a":2}\n', b'{"a":1,"a":1}\n', b'{"a":"\\u00e9"}\n', b'{"a":1.0}\n']
)
def test_other_bytes_for_the_same_value_are_refused(data: bytes) -> None:
    assert problem(load_canonical, data, max_bytes=100) == "not in canonical form"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_what_is_stored_comes_back(value: Any) -> None:
    try:
        data = stored(value)
    except UnicodeEncodeError:
        return  # half a surrogate pair
    # A whole float comes back as an integer, as in RFC 8785; its bytes, and so its digest, stay.
    assert stored(load_canonical(data, max_bytes=1 << 20)) == data


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_document_error(data: bytes) -> None:
    try:
        load_json(data, max_bytes=1000)
    except DocumentError as error:
        assert str(error)
