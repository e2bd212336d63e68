"""The grammar of references and how values read inside a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.config.interpolation import float_in_text, is_segment, loose_dollars, place_in, references, step_text
from bundlectl.config.node import Node
from bundlectl.model.location import SourceSpan


@pytest.mark.parametrize(
    ("text", "found", "pure"),
    [
        ("${var.foo}", ["var.foo"], True),
        ("${a.b} suffix", ["a.b"], False),
        ("${foo.bar.baz[0][1].qux}", ["foo.bar.baz[0][1].qux"], True),
        ("${hello-world.a__b}", ["hello-world.a__b"], True),
        ("${helloworld.9world}", [], False),
        ("${a..b}", [], False),
        ("${0a.b}", [], False),
        ("${a-.b}", [], False),
        ("${}", [], False),
        ("${a.b", [], False),
        ("$${a.b}", ["a.b"], False),
        ("${a.b}${c.d}", ["a.b", "c.d"], False),
        ("${foo}", ["foo"], True),
        ("${größe.x}", ["größe.x"], True),
        ("${a.\U0001f30d}", [], False),
        ("${a.e\u0301}", [], False),
        ("${Ⅷ.x}", [], False),
        ("${a.x²}", ["a.x²"], True),
        ("${a_}", [], False),
        ("${a[x]}", [], False),
        ("${a[1}", [], False),
        ("${a }", [], False),
        ("${x${y}}", ["y"], False),
    ],
)
def test_what_is_a_reference(text: str, found: list[str], pure: bool) -> None:
    listed = references(text)
    assert [step_text(reference.steps) for reference in listed] == found
    assert all(text[reference.start : reference.end] == reference.text for reference in listed)
    assert any(reference.pure for reference in listed) is pure


@given(st.text(alphabet="${}ab.[0]-_é²", max_size=40))
def test_every_dollar_is_a_reference_or_loose(text: str) -> None:
    taken = [reference.start for reference in references(text)]
    assert sorted([*taken, *loose_dollars(text)]) == [at for at in range(len(text)) if text.startswith("${", at)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "2.5"),
        (1.0, "1"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (-2.25, "-2.25"),
        (-1e21, "-1e+21"),
        (0.0, "0"),
        (1.25e100, "1.25e+100"),
    ],
)
def test_a_float_inside_a_text(value: float, text: str) -> None:
    assert float_in_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_inside_a_text_keeps_its_value(value: float) -> None:
    assert float(float_in_text(value)) == value


def test_a_part_of_a_text_has_its_own_place() -> None:
    plain = Node("a ${x}", SourceSpan("f", 1, 5, 1, 11))
    assert place_in(plain, 2, 4) == SourceSpan("f", 1, 7, 1, 11)
    quoted = Node("a ${x}", SourceSpan("f", 1, 5, 1, 13))
    assert place_in(quoted, 2, 4) == SourceSpan("f", 1, 8, 1, 12)
    folded = Node("a ${x}", SourceSpan("f", 1, 5, 3, 1))
    assert place_in(folded, 2, 4) == folded.span


def test_segments() -> None:
    assert is_segment("load_2-x")
    assert not any(is_segment(text) for text in ("my.job", "1st", "🙂", "a-", ""))
