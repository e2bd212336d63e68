"""Rules of the bundle language as a table: language_rows.py."""

import pytest

from bundlectl.config.interpolation import references, step_text
from bundlectl.model.diagnostic import Severity
from tests.conformance.language_rows import REFERENCES, ROWS
from tests.conformance.rows import Good, Row, check_good, check_row
from tests.unit.config.bundles import found, loaded


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_written_means(row: Row | Good) -> None:
    if isinstance(row, Good):
        check_good(row)
    else:
        check_row(row)


def test_rows_have_different_names() -> None:
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(("text", "wanted", "pure"), REFERENCES, ids=[ascii(row[0]) for row in REFERENCES])
def test_what_a_reference_is(text: str, wanted: list[str], pure: bool) -> None:
    read = references(text)
    assert [step_text(reference.steps) for reference in read] == wanted
    assert [reference.pure for reference in read] == [pure] * len(wanted)
    assert all(text[reference.start : reference.end] == reference.text for reference in read)


@pytest.mark.parametrize(("levels", "holds"), [(10, True), (11, False)])
def test_references_in_references_are_resolved_in_eleven_rounds(levels: int, holds: bool) -> None:
    """Each round takes the innermost reference out of `${var.a_${var.a_${...}}}`; the last one finds nothing to do."""
    text = "${var.s}"
    for _ in range(levels - 1):
        text = f"${{var.a_{text}}}"
    result = loaded(
        f"bundle: {{name: b}}\nvariables: {{s: {{default: x}}, a_x: {{default: x}}, v: {{default: '{text}'}}}}\n"
    )
    told = [item for item in found(result, "BND242") if item.severity is Severity.ERROR]
    assert (not told) is holds
    assert all("references too deep after 11 rounds: ${var.a_x}" in item.summary for item in told)
