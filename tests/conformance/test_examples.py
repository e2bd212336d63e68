"""Bundles in the style of those that teams have: what their jobs resolve to, for every target.

tests/examples/bundles/<name>/resolved.json holds the jobs of each target, and the findings; `pytest --update` writes
it anew, and its change is reviewed like code.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from bundlectl.model.diagnostic import Severity
from tests.unit.config.bundles import document, loaded

HERE = Path(__file__).parents[1] / "examples/bundles"
NAMES = sorted(path.name for path in HERE.iterdir())
_SAID = "resolved.json"
# Always the same, and tested elsewhere: test_language.py.
_ANNOTATIONS = ("deployment", "edit_mode", "format")


def resolved(name: str) -> dict[str, Any]:
    """Jobs and findings of every target of an example."""
    files = {
        path.relative_to(HERE / name).as_posix(): path.read_bytes()
        for path in sorted((HERE / name).rglob("*"))
        if path.is_file() and path.name != _SAID
    }
    first = loaded(files)
    assert first.bundle is not None, list(first.diagnostics)
    said = {}
    for target in first.bundle.targets:
        result = loaded(files, target=target)
        assert result.bundle is not None, list(result.diagnostics)
        shown = document(result)
        jobs = {
            key: {field: value for field, value in job.items() if field not in _ANNOTATIONS}
            for key, job in shown["resources"]["jobs"].items()
        }
        told = [f"{item.severity.value} {item.code} {item.summary}" for item in result.diagnostics]
        said[target] = {"jobs": jobs, "findings": told}
    return said


@pytest.mark.parametrize("name", NAMES)
def test_jobs_of_a_bundle_resolve(name: str, request: pytest.FixtureRequest) -> None:
    text = json.dumps(resolved(name), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if request.config.getoption("--update"):
        (HERE / name / _SAID).write_text(text, encoding="utf-8")
    assert text == (HERE / name / _SAID).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_no_error(name: str) -> None:
    for target in resolved(name).values():
        assert not [text for text in target["findings"] if text.startswith(Severity.ERROR.value)]
