"""Messages of state commits stay in their form whatever they are given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.state.message import decode_message, encode_message
from bundlectl.state.store import Note


def test_the_documented_form() -> None:
    note = Note(
        "apply-end", "0198c5d2-0000-7000-8000-000000000000", "2 updated", "c1cf", "ann@example.com", "https://ci/1"
    )
    assert encode_message(note, 42) == (
        "apply-end 0198c5d2-0000-7000-8000-000000000000: 2 updated\n\n"
        "Bundlectl-Format: 1\nBundlectl-Serial: 42\nBundlectl-Commit: c1cf\n"
        "Bundlectl-Actor: ann@example.com\nBundlectl-Run-Url: https://ci/1\n"
    )


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 10**9))
def test_foreign_text_stays_in_its_line(summary: str, actor: str, serial: int) -> None:
    text = encode_message(Note("apply-end", "d-1", summary, actor=actor), serial)
    assert len(text.split("\n")) == 5 + bool(actor)
    assert all(len(line.encode("utf-8")) <= 220 for line in text.split("\n"))
    found = decode_message(text)
    assert (found.verb, found.deployment, found.serial) == ("apply-end", "d-1", serial)


@pytest.mark.parametrize(
    "text", ["", "hello", "apply-end x: y\n", "apply-end x: y\n\nBundlectl-Serial: -1\n", "A b: c\nBundlectl-Serial: 1"]
)
def test_other_messages_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="form of a state commit"):
        decode_message(text)
