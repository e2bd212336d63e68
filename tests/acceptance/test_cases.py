"""Every case of tests/acceptance: its script gives its expected output."""

import sys
from pathlib import Path

import pytest

from tests.acceptance.harness import HERE, cases, play


@pytest.mark.parametrize("case", cases())
def test_case(case: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shown = play(case, tmp_path, sys.executable)
    expected = HERE / case / "expected.txt"
    if request.config.getoption("--update"):
        expected.write_text(shown, encoding="utf-8")
    assert "bundlectl crashed" not in shown
    assert 'File "[ROOT]/bundlectl' not in shown  # no traceback of ours; tasks may print theirs
    assert "\x1b" not in shown
    assert shown == expected.read_text(encoding="utf-8")
