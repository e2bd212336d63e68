"""Diagnostic codes: every one that the package uses is registered, and the registry is in good form."""

import re

from bundlectl.model.codes import CODES, FAMILIES
from tests.architecture.source import modules, within

_CODE = re.compile(r"\bBND\d{3}\b")
_REGISTRY = ("model.codes", "model.codes_reading", "model.codes_meaning", "model.codes_working")


def test_every_code_in_the_package_is_registered() -> None:
    unknown = {
        f"{module.name}: {code}"
        for module in modules()
        if not within(module.name, _REGISTRY)
        for code in _CODE.findall(module.text)
        if code not in CODES
    }
    assert unknown == set()


def test_the_registry_is_sorted_and_complete_in_form() -> None:
    assert list(CODES) == sorted(CODES)
    assert {code[3] for code in CODES} == set(FAMILIES)
    for code, entry in CODES.items():
        assert _CODE.fullmatch(code)
        assert entry.title and not entry.title.endswith("."), code
        assert entry.explanation.endswith((".", ")")), code
        assert "  " not in entry.explanation, code


def test_titles_are_distinct() -> None:
    titles = [entry.title for entry in CODES.values()]
    assert len(titles) == len(set(titles))
