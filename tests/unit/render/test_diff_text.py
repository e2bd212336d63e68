"""Comparisons as text and as a document: layout as in a plan, both places, escapes, what is hidden or folded."""

import json
from typing import Any

import pytest

from bundlectl.model.comparison import (
    Cause,
    Comparison,
    FieldDifference,
    FileDifference,
    Finding,
    JobDifference,
    JobStatus,
    Patch,
    Point,
)
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import Keyed, SourceSpan
from bundlectl.model.plan import ABSENT, CodeFile
from bundlectl.render.diff_document import diff_document
from bundlectl.render.diff_text import diff_names_text, diff_summary_text, diff_text, places_text
from bundlectl.render.escape import coloured

OLD, NEW = "sha256:91bb02c7" + "0" * 56, "sha256:5e0f19ab" + "0" * 56
LEFT = Point(kind="ref", name="ref:v1", target="prod", commit="9af01b2" + "0" * 33, dirty=(), snapshot=OLD)
RIGHT = Point(
    kind="ref",
    name="ref:main",
    target="prod",
    commit="c1cfe67" + "0" * 33,
    tree="8a41d20" + "0" * 33,
    ref="refs/heads/main",
    dirty=(),
    snapshot=NEW,
)
TASK = Keyed("task_key", "transform")


def at(line: int, file: str = "databricks.yml") -> SourceSpan:
    return SourceSpan(file, line, 5)


def a_job(key: str, status: JobStatus = JobStatus.CHANGED, **members: Any) -> JobDifference:
    return JobDifference(address=f"resources.jobs.{key}", status=status, **members)


def a_comparison(*jobs: JobDifference, left: Point = LEFT, right: Point = RIGHT, **members: Any) -> Comparison:
    return Comparison(bundle="sales", left=left, right=right, jobs=jobs, **members)


FULL = a_comparison(
    a_job(
        "etl",
        left_span=at(14),
        right_span=at(15),
        fields=(
            FieldDifference(("max_concurrent_runs",), 1, 2, at(17), at(18)),
            FieldDifference(("tags", "owner"), "ann", ABSENT, at(20)),
            FieldDifference(("tasks", TASK, "max_retries"), ABSENT, 2, None, at(33)),
            FieldDifference(("tasks", TASK, "timeout_seconds"), 600, 1200, at(31), at(12, "targets/prod.yml")),
        ),
        direct=("src/transform.py",),
    ),
    a_job("hourly", JobStatus.ADDED, right_span=at(3, "resources/hourly.yml"), document={"tasks": [{}, {}]}),
    a_job("old", JobStatus.REMOVED, left_span=at(9)),
    a_job("report", JobStatus.CODE, direct=("src/util.py",), left_span=at(40), right_span=at(40)),
    a_job("total", JobStatus.RENAMED, renamed_from="sum", left_span=at(50), right_span=at(52)),
    files=(
        FileDifference(CodeFile("src/transform.py", "modified", "a", "b", 12, 4), ("resources.jobs.etl",)),
        FileDifference(CodeFile("src/util.py", "modified", "a", "b", 1, 1), ("resources.jobs.report",)),
    ),
    unchanged=12,
    code_jobs=7,
)


def test_the_layout() -> None:
    assert (
        diff_text(FULL)
        == """\
sales   target prod
from  ref:v1    @ 9af01b2  snapshot 91bb02c7
to    ref:main  main @ c1cfe67  tree 8a41d20  snapshot 5e0f19ab

Jobs
  - jobs.old                                                          databricks.yml:9
  ~ jobs.etl                                                          databricks.yml:14 -> 15
      ~ max_concurrent_runs              1 -> 2                       databricks.yml:17 -> 18
      ~ tasks[transform].timeout_seconds 600 -> 1200                  databricks.yml:31 -> targets/prod.yml:12
      + tasks[transform].max_retries     2                            databricks.yml:33
      - tags.owner                       "ann"  (unset)               databricks.yml:20
      ~ code                             src/transform.py
  ~ jobs.report  code only                                            databricks.yml:40
      ~ code                             src/util.py
  > jobs.total  renamed from jobs.sum                                 databricks.yml:50 -> 52
  + jobs.hourly                                                       resources/hourly.yml:3
      2 tasks

Code  snapshot 91bb02c7 -> 5e0f19ab
  ~ src/transform.py  +12 -4  jobs.etl
  ~ src/util.py       +1 -1  jobs.report

Diff: 1 added, 2 changed, 1 renamed, 1 removed, 12 unchanged
Code: 2 files changed, 7 jobs affected.
"""
    )
    assert diff_summary_text(FULL) == "\n".join(diff_text(FULL).splitlines()[-2:]) + "\n"


def test_names_alone() -> None:
    assert diff_names_text(FULL).split() == [
        "jobs.etl", "jobs.hourly", "jobs.old", "jobs.report", "jobs.total", "src/transform.py", "src/util.py",
    ]  # fmt: skip
    assert diff_names_text(a_comparison()) == ""


def test_no_difference() -> None:
    recorded = Point(kind="recorded", name="recorded:prod", target="prod", commit=LEFT.commit, deployment=41)
    text = "No differences. recorded:prod (deployment 41 @ 9af01b2) and ref:main (c1cfe67) have the same jobs and code"
    assert diff_text(a_comparison(left=recorded)) == f"{text}.\n"
    assert diff_summary_text(a_comparison(left=recorded, not_selected=3)) == f"{text} (3 not selected).\n"


@pytest.mark.parametrize(
    ("point", "line"),
    [
        (Point(kind="recorded", name="recorded:prod", target="prod", dirty=()), "recorded:prod  nothing deployed yet"),
        (
            Point(kind="recorded", name="recorded:prod", target="prod", commit="9" * 40, deployment=4, dirty=None),
            "recorded:prod  deployment 4  @ 9999999  dirty",
        ),
        (
            Point(kind="worktree", name="worktree", target="prod", commit="9" * 40, dirty=("a", "b")),
            "worktree  @ 9999999  dirty, 2 files",
        ),
        (Point(kind="ref", name=f"ref:{'9' * 40}", target="prod", commit="9" * 40, dirty=()), "ref:9999999  @ 9999999"),
    ],
)
def test_sides(point: Point, line: str) -> None:
    assert f"\nto    {line}\n" in diff_text(a_comparison(a_job("x"), left=point, right=point))


def test_targets_and_causes() -> None:
    fields = (
        FieldDifference(("a",), 1, 2, at(1), at(1), cause=Cause.OVERRIDE),
        FieldDifference(("b",), 1, 2, cause=Cause.VERSION),
    )
    left = Point(kind="target", name="target:dev", target="dev", dirty=())
    jobs = (a_job("x", fields=fields), a_job("y", JobStatus.ADDED, cause=Cause.OVERRIDE))
    text = diff_text(a_comparison(*jobs, left=left))
    assert "sales   target dev -> prod\n" in text
    assert "1 -> 2                       override  databricks.yml:1\n" in text
    assert "1 -> 2                       version\n" in text
    assert "  + jobs.y  override\n" in text
    assert text.endswith("Causes: 2 override, 1 version.\n")


def test_many_jobs_that_differ_in_code_alone_are_one_line() -> None:
    jobs = [a_job(f"j{number}", JobStatus.CODE, direct=("a.py",)) for number in range(11)]
    assert "  ~ 11 jobs  code only: they name changed files\n" in diff_text(a_comparison(*jobs))
    assert "jobs.j7" in diff_text(a_comparison(*jobs), verbose=True)
    assert "jobs.j7" in diff_text(a_comparison(*jobs[:10]))


def test_references_are_shown_by_name() -> None:
    item = FieldDifference(("job_id",), "${resources.jobs.a.id}", "${resources.jobs.b.id}")
    assert '"${resources.jobs.a.id}" -> "${resources.jobs.b.id}"' in diff_text(a_comparison(a_job("x", fields=(item,))))


def test_secrets_are_hidden_everywhere() -> None:
    plain = FieldDifference(("tags", "db_password"), "hunter2", "hunter3", sensitive=True)
    nested = FieldDifference(("tags",), ABSENT, {"api_token": "hunter4"})
    comparison = a_comparison(a_job("x", fields=(plain, nested)))
    assert "hunter" not in diff_text(comparison)
    assert "hunter" not in json.dumps(diff_document(comparison))
    assert diff_document(comparison)["jobs"][0]["fields"][0]["left"] == {"sensitive": True}


def test_what_comes_from_outside_is_escaped() -> None:
    evil = "a\x1b[31m\u202e\nb"
    job = a_job("x\x1b", fields=(FieldDifference((evil,), evil, 1),), direct=(evil,), renamed_from=evil)
    file = FileDifference(
        CodeFile(evil, "modified", "a", "b", 1, 1), (f"resources.jobs.{evil}",), Patch((f"+{evil}", "-\tx\r"))
    )
    point = Point(kind="ref", name=f"ref:{evil}", target=evil, ref=f"refs/heads/{evil}", commit="9" * 40)
    comparison = a_comparison(job, left=point, right=point, files=(file,))
    for text in (diff_text(comparison), diff_names_text(comparison), diff_summary_text(comparison)):
        assert "\x1b" not in text and "\u202e" not in text and "\r" not in text
    assert "-    x\\r" in diff_text(comparison)
    assert "\x1b[" in diff_text(comparison, style=coloured)


@pytest.mark.parametrize(
    ("patch", "lines"),
    [
        (Patch(("@@ -1 +1 @@", "-a", "+b")), ["@@ -1 +1 @@", "-a", "+b"]),
        (Patch(("@@ -1 +1 @@",), left_out=7), ["@@ -1 +1 @@", "(7 more lines, not shown)"]),
        (Patch(note="binary, 3 -> 4 bytes"), ["(binary, 3 -> 4 bytes)"]),
        (Patch(), ["(no difference in its lines)"]),
    ],
)
def test_diffs_of_files(patch: Patch, lines: list[str]) -> None:
    file = FileDifference(CodeFile("a.py", "modified", "1", "2"), (), patch)
    text = diff_text(a_comparison(files=(file,)))
    assert "\n\n" + "\n".join(["diff a.py", *lines]) + "\n\n" in text


def test_places() -> None:
    assert places_text(None, None) == ""
    assert places_text(at(3), at(3)) == "databricks.yml:3"
    assert places_text(None, at(3)) == places_text(at(3), None) == "databricks.yml:3"


def test_the_document() -> None:
    finding = Diagnostic(code="BND201", severity=Severity.WARNING, summary="unknown", spans=(at(2),))
    worktree = Point(kind="worktree", name="worktree", target="prod", commit="9" * 40, dirty=("a",))
    document = diff_document(
        a_comparison(
            a_job("x", fields=(FieldDifference(("a",), ABSENT, None, None, at(2)),)),
            right=worktree,
            findings=(Finding(finding, LEFT.commit),),
        )
    )
    assert document["to"]["dirty"] and document["to"]["dirty_paths"] == ["a"]
    assert document["diagnostics"][0]["spans"][0]["revision"] == LEFT.commit
    (item,) = document["jobs"][0]["fields"]
    assert "left" not in item and item["right"] is None
    assert item["right_span"] == {"file": "databricks.yml", "line": 2, "column": 5, "revision": None}
    assert document["summary"]["changed"] == 1
