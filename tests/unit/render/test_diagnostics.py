"""Findings as text, against the layout of the specification."""

from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.errors import InputError, Interrupted, LeaseHeld
from bundlectl.model.location import SourceSpan
from bundlectl.render.diagnostics import count_line, diagnostics_text, error_text, source_reader

UNKNOWN = Diagnostic(
    code="BND204",
    severity=Severity.ERROR,
    summary="unknown field 'max_retrys' in a task",
    detail="did you mean 'max_retries'?",
    hint="--allow-unknown-fields passes it through untouched",
    path="resources.jobs.etl.tasks[task_key='extract'].max_retrys",
    spans=(SourceSpan("databricks.yml", 31, 11, 31, 21),),
)
DEPENDS = Diagnostic(
    code="BND231",
    severity=Severity.ERROR,
    summary="'load' depends on 'transfrom', which is not a task",
    detail="did you mean 'transform'? (declared at resources/etl.yml:30:19)",
    path="resources.jobs.etl.tasks[task_key='load'].depends_on[0]",
    spans=(SourceSpan("resources/etl.yml", 44, 25, 44, 34),),
)
WARNING = Diagnostic(code="BND201", severity=Severity.WARNING, summary="odd", spans=(SourceSpan("z.yml", 1, 1, 1, 2),))
FILES = {
    "databricks.yml": "\n" * 30 + "          max_retrys: 3\n",
    "resources/etl.yml": "\n" * 43 + "            - task_key: transfrom\r\n",
}
READ = source_reader(FILES.get)

BLOCKS = """\
error[BND204]: unknown field 'max_retrys' in a task
  --> databricks.yml:31:11   resources.jobs.etl.tasks[extract]
   |
31 |           max_retrys: 3
   |           ^^^^^^^^^^ did you mean 'max_retries'?
   |
   = help: --allow-unknown-fields passes it through untouched

error[BND231]: 'load' depends on 'transfrom', which is not a task
  --> resources/etl.yml:44:25   resources.jobs.etl.tasks[load].depends_on[0]
   |
44 |             - task_key: transfrom
   |                         ^^^^^^^^^ did you mean 'transform'? (declared at resources/etl.yml:30:19)

2 errors, 0 warnings
"""


def test_on_a_terminal() -> None:
    assert diagnostics_text([DEPENDS, UNKNOWN], read_line=READ, terminal=True) == BLOCKS


def test_elsewhere_one_line_per_finding_comes_first() -> None:
    text = diagnostics_text([DEPENDS, UNKNOWN], read_line=READ)
    lines = """\
databricks.yml:31:11: error: BND204 unknown field 'max_retrys' in a task
resources/etl.yml:44:25: error: BND231 'load' depends on 'transfrom', which is not a task

"""
    assert text == lines + BLOCKS


def test_errors_are_last_on_a_terminal_only() -> None:
    on_terminal = diagnostics_text([UNKNOWN, WARNING], terminal=True)
    assert on_terminal.index("BND201") < on_terminal.index("BND204")
    elsewhere = diagnostics_text([WARNING, UNKNOWN])
    assert elsewhere.index("BND204") < elsewhere.index("BND201")


def test_without_the_line_the_detail_is_still_there() -> None:
    text = diagnostics_text([UNKNOWN], terminal=True, counted=False)
    assert "   = did you mean 'max_retries'?\n   = help:" in text


def test_a_caret_after_wide_or_hidden_characters_stands_under_what_is_shown() -> None:
    read = source_reader({"f.yml": "a\u200b: \tb"}.get)
    item = Diagnostic(code="BND107", severity=Severity.ERROR, summary="x", spans=(SourceSpan("f.yml", 1, 5, 1, 6),))
    lines = diagnostics_text([item], read_line=read, terminal=True).splitlines()
    shown, caret = lines[3], lines[4]
    assert shown.startswith("1 | a\\u200b:")
    assert "\t" not in shown
    assert caret.index("^") <= len(shown)


def test_other_places_are_shown_after_the_first() -> None:
    item = Diagnostic(
        code="BND111",
        severity=Severity.ERROR,
        summary="duplicate key 'x'",
        spans=(SourceSpan("a.yml", 9, 1, 9, 2), SourceSpan("a.yml", 12, 1, 12, 2)),
        related=(Related(SourceSpan("b.yml", 100, 3), "where it got its value"),),
    )
    text = diagnostics_text([item], terminal=True, counted=False)
    assert "   --> a.yml:9:1\n" in text
    assert "   --> a.yml:12:1\n" in text
    assert "   --> b.yml:100:3   where it got its value\n" in text


def test_counts() -> None:
    note = Diagnostic(code="BND208", severity=Severity.NOTE, summary="n")
    planned = Diagnostic(code="BND205", severity=Severity.PLAN_ERROR, summary="p")
    assert count_line([UNKNOWN, WARNING, note, planned]) == "2 errors, 1 warning, 1 note"
    assert diagnostics_text([]) == ""


def test_an_error_of_the_tool_has_the_same_form() -> None:
    error = LeaseHeld("somebody deploys", detail="since 40 s\nbuild 8812", hint="wait for it")
    assert error_text(error) == ("error[BND401]: somebody deploys\n  since 40 s\n  build 8812\n  = help: wait for it\n")


def test_an_error_with_findings_shows_them() -> None:
    error = InputError("the bundle does not load", diagnostics=[UNKNOWN])
    assert error_text(error, read_line=READ, terminal=True).startswith("error[BND204]")


def test_a_reader_asks_for_each_file_once() -> None:
    asked: list[str] = []

    def read(file: str) -> bytes | None:
        asked.append(file)
        return b"\xef\xbb\xbfone\ntwo" if file == "a" else None

    reader = source_reader(read)
    assert [reader("a", 1), reader("a", 2), reader("a", 3), reader("b", 1)] == ["one", "two", None, ""]
    assert asked == ["a", "b"]


def test_an_interrupt_is_told_without_a_code() -> None:
    shown = error_text(Interrupted("interrupted; run 7 was cancelled", hint="bundlectl runs get 7"))
    assert shown == "interrupted; run 7 was cancelled\n = help: bundlectl runs get 7\n"
