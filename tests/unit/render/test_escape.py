"""One escape per sink."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.render.escape import ci_lines, coloured, plain, shortened, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9 \u4e2d \U0001f600", "plain \u00e9 \u4e2d \U0001f600"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("a\r\nb\tc\0", "a\\r\\nb\\tc\\0"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m"),
        ("\u202eabc\u2066\u200b\ufeff", "\\u202eabc\\u2066\\u200b\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_several_lines_keep_their_ends() -> None:
    assert visible_lines("a\r\nb\x1b\n\tc") == "a\nb\\x1b\n    c"


@given(st.text())
def test_what_is_shown_is_printable_and_nothing_is_lost(text: str) -> None:
    shown = visible(text)
    assert all(ord(c) >= 0x20 and not 0x7F <= ord(c) <= 0x9F and not 0xD800 <= ord(c) <= 0xDFFF for c in shown)
    assert visible(shown) == shown
    assert len(shown) >= len(text)


@pytest.mark.parametrize(
    "line",
    [
        "::error::x",
        "  ::set-output name=a::b",
        "##vso[task.complete]",
        "\t##[group]x",
        "a section_start:1:x",
        "section_end:1:x",
    ],
)
def test_commands_of_ci_runners_are_defused(line: str) -> None:
    assert ci_lines(f"ok\n{line}\nok") == f"ok\n| {line}\nok"


def test_other_lines_stay() -> None:
    assert ci_lines("a::b\n# x\n[1]") == "a::b\n# x\n[1]"


def test_shortening_keeps_both_ends() -> None:
    assert shortened("abcdefghij", 7) == "ab...ij"
    assert shortened("abc", 3) == "abc"


def test_styles() -> None:
    assert coloured("error", "x") == "\x1b[31mx\x1b[0m"
    assert coloured("unknown", "x") == "x"
    assert plain("error", "x") == "x"
