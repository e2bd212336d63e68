"""validate as text and as diagnostics/v1: one target, all targets, inside and outside git."""

from typing import Any

import pytest

from bundlectl.model.bundle import Bundle, Target
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.source import Revision
from bundlectl.render.validate_text import findings_document, targets_text, validate_text

WARNING = Diagnostic(code="BND201", severity=Severity.WARNING, summary="s")
ERROR = Diagnostic(code="BND204", severity=Severity.ERROR, summary="s")
DIRTY = Revision(commit="c" * 40, tree="8a41d20" + "0" * 33, dirty=("x",), working_tree=True)


def bundle(name: str = "sales", jobs: int = 5, targets: int = 2, files: int = 41, **more: Any) -> Bundle:
    fields: dict[str, Any] = {
        "root": "",
        "target": Target(name="dev"),
        "jobs": {str(number): None for number in range(jobs)},
        "variables": (),
        "config_digest": "",
        "root_path": "",
        "file_path": "",
        "sync_root": "",
        "user": "u",
        "files": tuple(map(str, range(files))),
        "targets": tuple(map(str, range(targets))),
    }
    return Bundle(name=name, **{**fields, **more})


def test_what_was_checked() -> None:
    text = validate_text(bundle(unmanaged={"pipelines": 2, "dashboards": 1}), DIRTY, [WARNING])
    assert text == (
        "sales: 5 jobs, 2 targets, 41 files at working tree (dirty, tree 8a41d20)\n"
        "not managed by bundlectl: dashboards (1), pipelines (2)\n"
        "ok: 0 errors, 1 warning\n"
    )


@pytest.mark.parametrize(
    ("revision", "place"),
    [
        (Revision(commit="c1cfe67" + "0" * 33, tree="t" * 40), "commit c1cfe67"),
        (Revision(commit=None, tree=None, working_tree=True), "a folder outside git"),
        (Revision(commit=None, tree="8a41d20" + "0" * 33, working_tree=True), "working tree (clean, tree 8a41d20)"),
        (DIRTY, "working tree (dirty, tree 8a41d20)"),
    ],
)
def test_where_it_was_read(revision: Revision, place: str) -> None:
    text = validate_text(bundle("s", 1, 1, 1), revision, [ERROR])
    assert text == f"s: 1 job, 1 target, 1 file at {place}\n1 error, 0 warnings\n"


def test_every_target_has_a_line() -> None:
    text = targets_text(
        {"dev": bundle(), "production": None},
        DIRTY,
        {"dev": [WARNING], "production": [WARNING, ERROR]},
        [WARNING, ERROR],
    )
    assert text == (
        "sales: 2 targets, 41 files at working tree (dirty, tree 8a41d20)\n"
        "  dev         5 jobs         ok: 0 errors, 1 warning\n"
        "  production  does not load  1 error, 1 warning\n"
        "1 error, 1 warning\n"
    )


def test_the_findings_of_one_target() -> None:
    document = findings_document([(ERROR, ())], bundle="b", target="t", revision=DIRTY)
    assert (document["bundle"], document["target"], document["counts"]) == (
        "b",
        "t",
        {"error": 1, "warning": 0, "note": 0},
    )
    assert document["source"]["dirty"] is True and document["source"]["tree"] == DIRTY.tree
    assert "targets" not in document and "targets" not in document["diagnostics"][0]


def test_the_findings_of_all_targets_name_theirs() -> None:
    found = [(ERROR, ("prod",)), (WARNING, ())]
    document = findings_document(found, bundle="b", targets=("dev", "prod"), revision=DIRTY)
    assert document["targets"] == ["dev", "prod"] and document["target"] is None
    assert [item.get("targets") for item in document["diagnostics"]] == [["prod"], None]
    assert document["counts"] == {"error": 1, "warning": 1, "note": 0}
