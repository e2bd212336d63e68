"""Plans as text, against the layout of the specification."""

from dataclasses import replace
from typing import Any

import pytest

from bundlectl.model.backend import BackendIdentity
from bundlectl.model.location import FieldPath, Keyed, SourceSpan
from bundlectl.model.plan import (
    Action,
    Change,
    CodeFile,
    CodeRef,
    DriftedJob,
    FieldChange,
    Guard,
    Plan,
    PlanBase,
    PlanSource,
    Verdict,
)
from bundlectl.render.escape import coloured
from bundlectl.render.plan_text import no_changes, plan_text, summary_text

OLD, NEW = "sha256:91bb02c7" + "0" * 56, "sha256:5e0f19ab" + "0" * 56
CODE = CodeRef(OLD, NEW)


def _at(file: str, line: int) -> SourceSpan:
    return SourceSpan(file, line, 5)


def _field(path: FieldPath, verdict: Verdict = Verdict.CHANGE, **sides: Any) -> FieldChange:
    return FieldChange(path, verdict, **sides)


def _change(key: str, action: Action = Action.UPDATE, **members: Any) -> Change:
    return Change(address=f"resources.jobs.{key}", action=action, **members)


ETL_FIELDS = (
    _field(("max_concurrent_runs",), recorded=1, desired=2, observed=1, span=_at("databricks.yml", 17)),
    _field(("tags", "owner"), recorded="ann", observed="ann"),
    _field(("tasks", Keyed("task_key", "transform"), "max_retries"), desired=2),
    _field(
        ("tasks", Keyed("task_key", "transform"), "timeout_seconds"),
        recorded=600,
        desired=1200,
        span=_at("databricks.yml", 31),
    ),
)
HOURLY = {
    "tasks": [{"task_key": key} for key in "abcd"],
    "schedule": {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "Europe/Madrid"},
}
CHANGES = (
    _change("hourly", Action.CREATE, desired=HOURLY, span=_at("resources/hourly.yml", 3)),
    _change(
        "etl",
        id="8123",
        fields=ETL_FIELDS,
        code=CodeRef(OLD, NEW, ("src/transform.py", "src/util.py")),
        desired={"a": 1, "max_concurrent_runs": 2, "tasks": [{"x": 1, "max_retries": 2, "timeout_seconds": 1200}]},
        span=_at("databricks.yml", 14),
        active_runs=2,
    ),
    _change("report", id="2", code=CodeRef(OLD, NEW, ("src/util.py",))),
    _change("daily_load", Action.RENAME, id="8123", renamed_from="load", span=_at("resources/load.yml", 2)),
    _change(
        "stream",
        Action.REPLACE,
        id="4",
        destructive=True,
        forces_replace=("git_source.git_provider",),
        fields=(_field(("git_source", "git_provider"), recorded="gitHub", desired="gitLab"),),
        desired={"git_source": {"git_provider": "gitLab"}},
        span=_at("resources/stream.yml", 3),
    ),
    _change(
        "old",
        Action.DELETE,
        id="5",
        destructive=True,
        reason="no longer in the bundle",
        until="2026-12-23T10:00:00Z",
    ),
)
PLAN = Plan(
    tool_version="0.1.0",
    created="2026-11-23T10:00:00Z",
    expires="2026-11-24T10:00:00Z",
    bundle="sales",
    target="prod",
    source=PlanSource(commit="c1cfe67" + "0" * 33, tree="8a41d20" + "0" * 33, ref="refs/heads/main"),
    snapshot=NEW,
    config_digest="sha256:1",
    base=PlanBase(
        state_ref="refs/bundlectl/state/sales/prod",
        state_tip="77aa",
        lineage="2f5c",
        serial=41,
        deployment="d41",
        commit="9af01b2" + "0" * 33,
        snapshot=OLD,
        at="2026-11-20T14:03:00Z",
        by="ci/github run 8123",
    ),
    backend=BackendIdentity(kind="databricks", host="https://acme.cloud.databricks.com"),
    observed="read",
    complete=True,
    changes=CHANGES,
    code=(
        CodeFile("src/transform.py", "modified", "1", "2", 12, 4),
        CodeFile("src/util.py", "modified", "1", "2", 1, 1),
    ),
    drift=(
        DriftedJob(
            "resources.jobs.etl",
            False,
            (
                _field(
                    ("schedule", "pause_status"),
                    Verdict.DRIFT,
                    recorded="UNPAUSED",
                    desired="UNPAUSED",
                    observed="PAUSED",
                    reason="operator_owned",
                ),
            ),
        ),
    ),
    guards=(Guard("destructive", "BND312", "2 jobs would be deleted or replaced", override="--allow-destructive"),),
    unchanged=12,
    debt=("resources.jobs.audit",),
    changes_digest="sha256:1b9e44" + "0" * 58,
    digest="sha256:77c0a1" + "0" * 58,
)

EXPECTED = """\
sales -> prod   databricks  https://acme.cloud.databricks.com
source    main @ c1cfe67  tree 8a41d20  snapshot 5e0f19ab  clean
recorded  deployment 41 @ 9af01b2  2026-11-20 14:03Z  ci/github run 8123

Drift since deployment 41
  ! jobs.etl  schedule.pause_status  "UNPAUSED" -> "PAUSED"
      kept: pause belongs to the operator

Changes
  - jobs.old  no longer in the bundle; tombstone until 2026-12-23
-/+ jobs.stream  must be replaced                                     resources/stream.yml:3
      ~ git_source.git_provider          "gitHub" -> "gitLab"         # forces replacement
  ~ jobs.etl                                                          databricks.yml:14
      ~ max_concurrent_runs              1 -> 2                       databricks.yml:17
      ~ tasks[transform].timeout_seconds 600 -> 1200                  databricks.yml:31
      + tasks[transform].max_retries     2
      - tags.owner                       "ann"  (unset)
      ~ code                             src/transform.py, src/util.py
      2 active runs keep snapshot 91bb02c7
      2 unchanged fields hidden
  ~ jobs.report  code only
      ~ code                             src/util.py
  > jobs.daily_load  renamed from jobs.load, id 8123 and its runs are kept   resources/load.yml:2
  + jobs.hourly                                                       resources/hourly.yml:3
      4 tasks, schedule "0 0 * * * ?" Europe/Madrid

Code  snapshot 91bb02c7 -> 5e0f19ab
  ~ src/transform.py  +12 -4
  ~ src/util.py       +1 -1

Debt  jobs.audit left out of an earlier deployment and still behind

Plan: 2 to add, 3 to change, 2 to delete, 12 unchanged
Code: 2 files changed, 2 jobs affected. Drift: 1 field.
Destructive: jobs.stream (replace), jobs.old (delete).
plan sha256:77c0a1...   changes sha256:1b9e44...
"""


def test_the_whole_layout() -> None:
    assert plan_text(PLAN) == EXPECTED


def test_colour_adds_nothing_to_the_text() -> None:
    text = plan_text(PLAN, style=coloured)
    assert "\x1b[31m" in text
    codes = ("\x1b[0m", *(f"\x1b[{number}m" for number in (1, 2, 31, 32, 33, 36)))
    for code in codes:
        text = text.replace(code, "")
    assert text == EXPECTED


EMPTY = replace(PLAN, changes=(), code=(), drift=(), guards=(), debt=())


def test_nothing_to_do_is_one_line() -> None:
    assert plan_text(EMPTY) == "No changes. prod matches main @ c1cfe67 (deployment 41).\n"


def test_nothing_to_do_says_when_the_tree_is_dirty_or_nothing_is_deployed() -> None:
    source = replace(EMPTY.source, dirty=True, dirty_paths=("a", "b"), ref=None)
    base = replace(EMPTY.base, deployment=None)
    plan = replace(EMPTY, source=source, base=base)
    assert no_changes(plan) == "No changes. prod matches c1cfe67, dirty, 2 files (nothing deployed yet)."


def test_drift_that_is_kept_is_shown_without_changes() -> None:
    text = plan_text(replace(EMPTY, drift=PLAN.drift))
    assert "kept: pause belongs to the operator" in text
    assert text.endswith("No changes. prod matches main @ c1cfe67 (deployment 41).\nDrift: 1 field.\n")


def test_a_first_deployment_of_a_dirty_tree() -> None:
    source = replace(PLAN.source, dirty=True, dirty_paths=("x",))
    plan = replace(PLAN, base=replace(PLAN.base, deployment=None, snapshot=None), source=source, drift=())
    lines = plan_text(plan).splitlines()
    assert lines[1].endswith("dirty, 1 file")
    assert lines[2] == "recorded  nothing deployed yet"
    assert "Code  snapshot none -> 5e0f19ab" in lines


def test_a_backend_that_was_not_read_is_said() -> None:
    text = plan_text(replace(EMPTY, observed="not_read", not_read="offline"))
    assert "backend   ? not read: offline" in text


def test_many_code_only_jobs_are_one_line_and_those_that_name_a_file_are_shown() -> None:
    changes = tuple(_change(f"j{number:05}", code=CODE) for number in range(9_999))
    named = _change("direct", code=CodeRef(OLD, NEW, ("src/util.py",)))
    text = plan_text(replace(PLAN, changes=(*changes, named)))
    assert "  ~ jobs.direct  code only\n      ~ code                             src/util.py\n" in text
    assert "  ~ 9999 more jobs  code only: they run from snapshot 5e0f19ab afterwards\n" in text
    assert len(text.splitlines()) < 25
    assert "Code: 2 files changed, 10000 jobs affected." in text


@pytest.mark.parametrize(
    ("field", "line"),
    [
        (_field(("x",), Verdict.DRIFT, recorded=1, desired=1, observed=5), "~ x" + " " * 32 + "5 -> 1"),
        (
            _field(("x",), Verdict.CONFLICT, recorded=1, desired=2, observed=5),
            "# conflict: the backend has 5",
        ),
        (_field(("x",), Verdict.BOTH, recorded=1, desired=2, observed=2), "# already so on the backend"),
        (_field(("x",), recorded="a", desired="b", sensitive=True), "(sensitive) -> (sensitive)"),
        (_field(("id",), recorded=7, desired="${resources.jobs.a.id}"), "7 -> (known after deploy)"),
        (_field(("x",), recorded=True, desired=[1, "a"]), 'true -> [1, "a"]'),
        (_field(("x\n",), recorded="\x1b[2J", desired="\u202e"), '"\\u001b[2J" -> "\\u202e"'),
    ],
)
def test_fields(field: FieldChange, line: str) -> None:
    assert line in plan_text(replace(PLAN, changes=(_change("a", fields=(field,), desired={}),)))


def test_text_of_several_lines_is_a_diff_of_at_most_twenty_lines() -> None:
    old = "\n".join(f"line {number}" for number in range(40))
    new = "\n".join(f"row {number}" for number in range(40))
    plan = replace(PLAN, changes=(_change("a", fields=(_field(("description",), recorded=old, desired=new),)),))
    text = plan_text(plan)
    assert "          -line 0\n" in text
    assert "more lines, shown with -v" in text
    assert "          +row 39\n" in plan_text(plan, verbose=True)


def test_suppressed_fields_are_shown_on_request() -> None:
    hidden = _field(("timeout_seconds",), Verdict.DEFAULT, observed=0, reason="backend_default")
    plan = replace(PLAN, changes=(_change("a", fields=(ETL_FIELDS[0], hidden)),))
    assert "timeout_seconds" not in plan_text(plan)
    assert "      = timeout_seconds                  0  (backend_default)" in plan_text(plan, show="suppressed")


def test_guards_are_shown_with_their_override_and_what_to_do() -> None:
    guard = Guard("rewind", "BND314", "c1 does not descend from 9a", override="--allow-rewind", hint="merge first")
    text = plan_text(replace(PLAN, guards=(guard,)))
    assert "Guards\n  x rewind  c1 does not descend from 9a  (--allow-rewind)\n      merge first\n" in text


def test_gone_and_tampered_jobs() -> None:
    drift = (DriftedJob("resources.jobs.a", True, ()), DriftedJob("resources.jobs.b", False, ()))
    text = plan_text(replace(PLAN, drift=drift))
    assert "  ! jobs.a  gone from the backend\n      deploying creates it again\n" in text
    assert "  ! jobs.b  its code path or ownership mark was changed\n" in text


def test_the_summary_alone() -> None:
    assert summary_text(PLAN).splitlines()[0] == "Plan: 2 to add, 3 to change, 2 to delete, 12 unchanged"
    left_out = replace(PLAN, not_selected=3)
    assert "12 unchanged, 3 not selected" in summary_text(left_out)
    assert summary_text(EMPTY).startswith("No changes.")


def test_no_plan_text_has_blanks_at_line_ends() -> None:
    assert all(line == line.rstrip() for line in plan_text(PLAN, show="all").splitlines())
