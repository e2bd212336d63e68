"""The words of --allow, and nothing else, give permission."""

import pytest

from bundlectl.model.allowance import KINDS, NOTHING, Allowance, parse


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], NOTHING),
        ([""], NOTHING),
        (["python"], Allowance(python=True)),
        (["python,build", "scripts"], Allowance(python=True, build=True, scripts=True)),
        ([" python , build "], Allowance(python=True, build=True)),
        (["scripts", "scripts"], Allowance(scripts=True)),
    ],
)
def test_words_are_kinds(words: list[str], expected: Allowance) -> None:
    assert parse(words) == expected


@pytest.mark.parametrize("word", ["all", "Python", "script", "python;build", "*", "untrusted", "restricted"])
def test_an_unknown_word_is_named(word: str) -> None:
    with pytest.raises(ValueError, match=r".") as unknown:
        parse(["build", word])
    assert str(unknown.value) == word


def test_every_kind_is_a_field_and_none_is_given_by_default() -> None:
    assert [getattr(NOTHING, kind) for kind in KINDS] == [False] * len(KINDS)
    assert [getattr(parse([kind]), kind) for kind in KINDS] == [True] * len(KINDS)
