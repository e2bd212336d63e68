"""Canonical JSON against the vectors of RFC 8785, and git's own blob ids."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.base.digest import canonical_bytes, digest_document, float_text, git_blob_id, keyed_digest, without_nulls


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333333, "333333333.3333333"),
        (1424953923781206.2, "1424953923781206.2"),
    ],
)
def test_numbers_of_rfc_8785(value: float, text: str) -> None:
    assert float_text(value) == text


def test_the_example_of_rfc_8785() -> None:
    value = json.loads(
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}'
    )
    assert canonical_bytes(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_text_reads_back(value: float) -> None:
    assert float(float_text(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_carry_is_refused(value: float) -> None:
    with pytest.raises(ValueError):
        canonical_bytes({"x": value})


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON)
def test_canonical_bytes_mean_the_same_and_are_stable(value: object) -> None:
    once = canonical_bytes(value)
    # RFC 8785 knows one kind of number: a large integral float is written without a point.
    assert json.loads(once, parse_int=float) == value
    assert canonical_bytes(json.loads(once)) == once


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest_document({"a": 1, "b": [1.5]}) == digest_document({"b": [1.5], "a": 1})


def test_text_that_looks_like_a_float_stays_text() -> None:
    assert canonical_bytes({"a": "[1.50, 2e5]"}) == b'{"a":"[1.50, 2e5]"}'


def test_blob_ids_are_those_of_git() -> None:
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert git_blob_id(b"", algorithm="sha256").startswith(
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"
    )


def test_nulls_are_dropped_from_maps_only() -> None:
    assert without_nulls({"a": None, "b": [None, {"c": None}], "d": {}}) == {"b": [None, {}], "d": {}}


def test_a_keyed_digest_depends_on_the_key() -> None:
    assert keyed_digest(b"a", b"x") != keyed_digest(b"b", b"x")
