"""Three sides of one field -> verdict and reason."""

from typing import Any

import pytest

from bundlectl.model.location import FieldPath, Keyed, SourceSpan, path_text
from bundlectl.model.plan import ABSENT
from bundlectl.planning.diff import at, keyed, plain
from bundlectl.planning.field_table import TABLE, FieldTable
from bundlectl.planning.snoozes import JobSnoozes, Snooze, value_digest
from bundlectl.planning.verdicts import Comparison, Sides, compare

_CRON = {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC"}


def _compare(
    desired: Any, recorded: Any, observed: Any, *, operator: bool = False, backend: str = "local"
) -> Comparison:
    spans = {"n": SourceSpan("databricks.yml", 17, 9)}
    return compare(Sides(desired, recorded, observed), FieldTable(backend), operator_pause=operator, spans=spans)


@pytest.mark.parametrize(
    ("desired", "recorded", "observed", "verdict", "reason", "written"),
    [
        ({"n": 2}, {"n": 1}, {"n": 1}, "change", None, True),
        ({"n": 2}, {"n": 1}, None, "change", None, True),
        ({"n": 1}, {"n": 1}, {"n": 5}, "drift", None, True),
        ({"n": 2}, {"n": 1}, {"n": 5}, "conflict", None, True),
        ({"n": 2}, {"n": 1}, {"n": 2}, "both", "remote_already_set", True),
        ({}, {"n": 1}, {"n": 1}, "change", None, True),
        ({"n": 1}, {}, {}, "change", None, True),
        ({}, {}, {"n": 1}, "drift", None, True),
        ({}, {}, {"timeout_seconds": 0}, "default", "backend_default", False),
        ({}, {}, {"timeout_seconds": 7}, "drift", None, True),
        ({}, {}, {"run_as": {"user_name": "u"}}, "default", "backend_default", False),
        ({}, {}, {"permissions": [{"user_name": "u", "level": "IS_OWNER"}]}, "default", "backend_default", False),
        ({}, {}, {"permissions": [{"user_name": "u", "level": "CAN_MANAGE"}]}, "drift", None, True),
        ({"format": "MULTI_TASK"}, {"format": "MULTI_TASK"}, {}, "suppressed", "missing_in_remote", False),
        ({"tags": {}}, {"tags": {}}, {}, "suppressed", "empty", False),
        ({"tags": {}}, {}, {}, "suppressed", "empty", False),
        ({"edit_mode": "UI_LOCKED"}, {"edit_mode": "UI_LOCKED"}, {"edit_mode": "EDITABLE"}, "drift", None, True),
    ],
)
def test_one_field(desired: Any, recorded: Any, observed: Any, verdict: str, reason: str | None, written: bool) -> None:
    comparison = _compare(desired, recorded, observed)
    [field] = comparison.fields
    assert (field.verdict.value, field.reason, comparison.written) == (verdict, reason, written)


def test_a_change_names_its_place_and_its_sides() -> None:
    [field] = _compare({"n": 2}, {"n": 1}, {"n": 1}).fields
    assert (field.recorded, field.desired, field.observed) == (1, 2, 1)
    assert str(field.span) == "databricks.yml:17:9"
    [unread] = _compare({"n": 2}, {"n": 1}, None).fields
    assert unread.observed is ABSENT


def test_a_task_removed_here_and_filled_in_there_is_no_conflict() -> None:
    task = {"task_key": "t", "spark_python_task": {"python_file": "x"}}
    filled = {**task, "run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}}
    comparison = _compare({"tasks": []}, {"tasks": [task]}, {"tasks": [filled]})
    counted = [field for field in comparison.fields if field.verdict.value != "default"]
    assert [(path_text(field.path), field.verdict.value) for field in counted] == [("tasks", "change")]


def test_removing_what_somebody_changed_is_a_conflict() -> None:
    comparison = _compare({}, {"schedule": _CRON}, {"schedule": {**_CRON, "pause_status": "PAUSED"}})
    assert [(path_text(f.path), f.verdict.value) for f in comparison.fields] == [("schedule", "conflict")]


def test_a_pause_by_the_operator_is_kept_and_not_written() -> None:
    on, off = {"schedule": {**_CRON, "pause_status": "UNPAUSED"}}, {"schedule": {**_CRON, "pause_status": "PAUSED"}}
    comparison = _compare(on, on, off, operator=True)
    [field] = comparison.fields
    assert (field.verdict.value, field.reason, comparison.written) == ("drift", "operator_owned", False)
    assert comparison.desired == off
    assert len(comparison.drift) == 1


def test_without_the_operator_a_pause_is_set_back() -> None:
    on, off = {"schedule": {**_CRON, "pause_status": "UNPAUSED"}}, {"schedule": {**_CRON, "pause_status": "PAUSED"}}
    comparison = _compare(on, on, off)
    assert comparison.written
    assert comparison.desired == on


def test_a_pause_in_the_bundle_does_not_beat_the_operator() -> None:
    on, off = {"schedule": {**_CRON, "pause_status": "UNPAUSED"}}, {"schedule": {**_CRON, "pause_status": "PAUSED"}}
    comparison = _compare(off, on, on, operator=True)
    assert not comparison.written
    assert comparison.desired == on


def test_a_provider_change_forces_a_replacement_on_a_workspace_only() -> None:
    old, new = {"git_source": {"git_provider": "gitHub"}}, {"git_source": {"git_provider": "gitLab"}}
    assert _compare(new, old, old, backend="databricks").forces_replace == ("git_source.git_provider",)
    assert _compare(new, old, old).forces_replace == ()


def test_attributes_that_a_workspace_adds_to_a_cluster_are_defaults_there_only() -> None:
    own = {"job_clusters": [{"job_cluster_key": "c", "new_cluster": {"spark_version": "15"}}]}
    more = {"job_clusters": [{"job_cluster_key": "c", "new_cluster": {"spark_version": "15", "disk": {"x": 1}}}]}
    assert not _compare(own, own, more, backend="databricks").written
    assert _compare(own, own, more).written


def test_secrets_are_marked_and_references_are_not() -> None:
    def task(value: str) -> dict[str, Any]:
        return {"job_clusters": [{"job_cluster_key": "c", "new_cluster": {"env": {"DB_PASSWORD": value}}}]}

    [hidden] = _compare(task("b"), task("a"), None).fields
    assert hidden.sensitive
    [shown] = _compare(task("{{secrets/a/b}}"), task("{{secrets/a/c}}"), None).fields
    assert not shown.sensitive


def test_every_row_has_a_reason_of_the_plan_format() -> None:
    known = """backend_default alias remote_already_set empty missing_in_remote custom operator_owned write_only
        unordered unset_unsupported"""
    reasons = set(known.split())
    assert {row.reason for row in TABLE} <= reasons
    assert all(row.why and row.path for row in TABLE)


SNOOZED = "2026-12-24T00:00:00Z"


def _snoozes(path: FieldPath, observed: Any) -> JobSnoozes:
    snooze = Snooze("j", path, SNOOZED, "why", "ann", "2026-11-20T00:00:00Z", value_digest("lineage", observed))
    return JobSnoozes([snooze], "lineage")


TASK = ("tasks", Keyed("task_key", "t"))


@pytest.mark.parametrize(
    ("path", "desired", "recorded", "observed", "verdict", "kept"),
    [
        # left as it is: the document that a deploy would send has the value of the backend
        (("n",), {"n": 1}, {"n": 1}, {"n": 5}, ("drift", "snoozed"), {"n": 5}),
        (("n",), {"n": 1}, {"n": 1}, {}, ("drift", "snoozed"), {}),
        (("n",), {}, {}, {"n": 5}, ("drift", "snoozed"), {"n": 5}),
        (
            ("a", "b"),
            {"a": {"b": 1, "c": 1}},
            {"a": {"b": 1, "c": 1}},
            {"a": {"c": 1}},
            ("drift", "snoozed"),
            {"a": {"c": 1}},
        ),
        (
            (*TASK, "n"),
            {"tasks": [{"task_key": "s"}, {"task_key": "t", "n": 1}]},
            {"tasks": [{"task_key": "s"}, {"task_key": "t", "n": 1}]},
            {"tasks": [{"task_key": "t", "n": 2}, {"task_key": "s"}]},
            ("drift", "snoozed"),
            {"tasks": [{"task_key": "s"}, {"task_key": "t", "n": 2}]},
        ),
        (
            TASK,
            {"tasks": [{"task_key": "s"}]},
            {"tasks": [{"task_key": "s"}]},
            {"tasks": [{"task_key": "s"}, {"task_key": "t"}]},
            ("drift", "snoozed"),
            {"tasks": [{"task_key": "s"}, {"task_key": "t"}]},
        ),
        (
            TASK,
            {"tasks": [{"task_key": "s"}, {"task_key": "t"}]},
            {"tasks": [{"task_key": "s"}, {"task_key": "t"}]},
            {"tasks": [{"task_key": "s"}]},
            ("drift", "snoozed"),
            {"tasks": [{"task_key": "s"}]},
        ),
        # what the bundle changes too, and a value that was not snoozed, are not left
        (("n",), {"n": 2}, {"n": 1}, {"n": 5}, ("conflict", None), {"n": 2}),
        (("n",), {"n": 5}, {"n": 1}, {"n": 5}, ("both", "remote_already_set"), {"n": 5}),
        (("m",), {"n": 1}, {"n": 1}, {"n": 5}, ("drift", None), {"n": 1}),
    ],
)
def test_snoozed_drift(
    path: FieldPath, desired: Any, recorded: Any, observed: Any, verdict: tuple[str, str | None], kept: Any
) -> None:
    value = at(keyed(observed, FieldTable("local")), path)
    comparison = compare(
        Sides(desired, recorded, observed),
        FieldTable("local"),
        operator_pause=False,
        spans={},
        snoozes=_snoozes(path, plain(value)),
    )
    [field] = comparison.fields
    assert (field.verdict.value, field.reason) == verdict
    assert field.snoozed_until == (SNOOZED if field.reason == "snoozed" else None)
    assert comparison.desired == kept
    assert comparison.written == (field.reason != "snoozed")


def test_a_snooze_is_for_one_value_only() -> None:
    sides = Sides({"n": 1}, {"n": 1}, {"n": 7})
    table = FieldTable("local")
    for observed, reason in ((7, "snoozed"), (5, None), (True, None), ("7", None), (ABSENT, None)):
        found = compare(sides, table, operator_pause=False, spans={}, snoozes=_snoozes(("n",), observed))
        assert found.fields[0].reason == reason, observed
