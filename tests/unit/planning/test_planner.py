"""Whole plans from values: actions, reasons, order, code, drift, guards and digests."""

from dataclasses import replace
from typing import Any

import pytest

from bundlectl.model.backend import Capabilities, Observed
from bundlectl.model.deployment import ownership_id
from bundlectl.model.location import path_short
from bundlectl.model.plan import Action, CodeFile, PlanSource, Verdict, count, kinds
from bundlectl.planning.planner import build
from tests.unit.planning.worlds import LINEAGE, NEW_CODE, OLD_CODE, World, deployed, job, spec

A = spec("a", job("t"))
B = spec("b", job("t", "u"))


def _actions(plan: Any) -> list[tuple[str, str]]:
    return [(change.address.removeprefix("resources.jobs."), change.action.value) for change in plan.changes]


def test_a_first_deployment_creates_and_asserts_that_nothing_is_there() -> None:
    plan = World().plan([A, B])
    assert _actions(plan) == [("a", "create"), ("b", "create")]
    assert plan.base.expect == "absent"
    assert plan.base.serial == 0
    assert plan.complete
    assert plan.changes[0].desired == A.document


def test_deploy_then_plan_is_empty() -> None:
    plan = deployed(A, B).plan([A, B], snapshot=OLD_CODE)
    assert plan.is_empty
    assert plan.unchanged == 2
    assert not plan.guards
    assert not plan.drift


def test_deploy_then_plan_is_empty_on_a_backend_that_fills_in_and_tells_no_digests() -> None:
    world = deployed(A, B, fills_in=True)
    plan = world.plan([A, B], snapshot=OLD_CODE, tells_digests=False)
    assert plan.is_empty
    assert not plan.drift


def test_a_changed_field_is_told_with_its_sides() -> None:
    plan = deployed(A).plan([spec("a", job("t", max_concurrent_runs=2))], snapshot=OLD_CODE)
    [change] = plan.changes
    [field] = change.fields
    assert (change.action, change.id, change.destructive, change.code) == (Action.UPDATE, "101", False, None)
    assert (path_short(field.path), field.recorded, field.desired, field.observed) == ("max_concurrent_runs", 1, 2, 1)


def test_code_alone_is_a_change_of_every_job_that_uses_it() -> None:
    code = (CodeFile("src/t.py", "modified", "1", "2", 1, 1),)
    paths = {"a": ("src/t.py",), "b": ("lib",)}
    plan = deployed(A, B).plan([A, B], code=code, code_paths=paths)
    assert _actions(plan) == [("a", "update"), ("b", "update")]
    first, second = plan.changes
    assert first.code is not None
    assert (first.code.old, first.code.new, first.code.direct) == (OLD_CODE, NEW_CODE, ("src/t.py",))
    assert second.code is not None
    assert second.code.direct == ()
    assert first.desired is None
    assert first.spec_digest == A.digest
    assert plan.code == code


def test_code_that_no_job_uses_is_recorded_by_a_deploy() -> None:
    plain = spec("a", job("t"), uses_code=False)
    plan = deployed(plain).plan([plain])
    assert plan.is_empty
    assert plan.code_only


def test_a_job_that_leaves_the_bundle_is_deleted_and_that_is_destructive() -> None:
    plan = deployed(A, B).plan([A], snapshot=OLD_CODE)
    [change] = plan.changes
    assert (change.action, change.destructive, change.reason) == (Action.DELETE, True, "no longer in the bundle")
    assert [guard.guard for guard in plan.guards] == ["destructive"]
    assert plan.guards[0].override == "--allow-destructive"


def test_a_deleted_job_that_is_gone_already_is_forgotten() -> None:
    world = deployed(A, B)
    del world.held["102"]
    plan = world.plan([A], snapshot=OLD_CODE)
    assert _actions(plan) == [("b", "forget")]
    assert not plan.guards


def test_a_job_that_is_gone_is_created_again_with_the_reason() -> None:
    world = deployed(A, B)
    del world.held["102"]
    plan = world.plan([A, B], snapshot=OLD_CODE)
    [change] = plan.changes
    assert (change.action, change.id) == (Action.CREATE, None)
    assert change.reason == "gone from the backend; it is created again"
    assert plan.drift[0].gone


def test_a_rename_keeps_the_id_and_shows_other_changes() -> None:
    moved = spec("z", job("t", max_concurrent_runs=3), renamed_from="a")
    world = deployed(A)
    plan = world.plan([moved], snapshot=OLD_CODE)
    [change] = plan.changes
    assert (change.action, change.id, change.renamed_from, change.destructive) == (Action.RENAME, "101", "a", False)
    assert [path_short(field.path) for field in change.fields] == ["max_concurrent_runs"]
    world.apply(plan, [moved])
    assert world.plan([moved], snapshot=OLD_CODE).is_empty


def test_what_refers_to_a_renamed_job_is_recorded_anew() -> None:
    outer = spec("outer", {"tasks": [{"task_key": "r", "run_job_task": {"job_id": "${resources.jobs.a.id}"}}]})
    world = deployed(A, outer)
    moved = spec("z", A.document, renamed_from="a")
    now = spec("outer", {"tasks": [{"task_key": "r", "run_job_task": {"job_id": "${resources.jobs.z.id}"}}]})
    plan = world.plan([moved, now], snapshot=OLD_CODE)
    assert _actions(plan) == [("z", "rename"), ("outer", "update")]
    assert plan.changes[1].reason == "it refers to a renamed job"
    world.apply(plan, [moved, now])
    assert world.plan([moved, now], snapshot=OLD_CODE).is_empty


def test_a_delete_and_a_create_that_are_nearly_the_same_are_pointed_out() -> None:
    many = [f"t{number}" for number in range(5)]
    old, new = spec("load", job(*many)), spec("daily_load", job(*many, name="other"))
    plan = deployed(old).plan([new], snapshot=OLD_CODE)
    [guard] = [guard for guard in plan.guards if guard.guard == "probable_rename"]
    assert guard.addresses == ("resources.jobs.daily_load", "resources.jobs.load")
    assert "renamed_from: load" in (guard.hint or "")


def test_two_different_jobs_are_no_rename() -> None:
    plan = deployed(spec("load", job("x"))).plan([spec("other", job("y", "z"))], snapshot=OLD_CODE)
    assert [guard.guard for guard in plan.guards] == ["destructive"]


def test_each_change_comes_after_what_it_depends_on_and_deletes_last() -> None:
    def caller(key: str, callee: str) -> Any:
        run = {"task_key": "r", "run_job_task": {"job_id": f"${{resources.jobs.{callee}.id}}"}}
        return spec(key, {"tasks": [run]})

    gone_inner, gone_outer = spec("x_inner", job("t")), caller("y_outer", "x_inner")
    world = deployed(gone_inner, gone_outer)
    inner, outer = spec("z", job("t")), caller("a", "z")
    plan = world.plan([inner, outer], snapshot=OLD_CODE)
    assert _actions(plan) == [("z", "create"), ("a", "create"), ("y_outer", "delete"), ("x_inner", "delete")]
    assert plan.changes[1].depends_on == ("resources.jobs.z",)
    assert plan.changes[3].depends_on == ("resources.jobs.y_outer",)
    world.apply(plan, [inner, outer])
    again = world.plan([inner, outer], snapshot=OLD_CODE)
    assert again.is_empty


def test_a_job_that_needs_a_new_id_is_updated() -> None:
    inner = spec("inner", job("t"))
    outer = spec("outer", {"tasks": [{"task_key": "r", "run_job_task": {"job_id": "${resources.jobs.inner.id}"}}]})
    world = deployed(inner, outer)
    del world.held["101"]
    plan = world.plan([inner, outer], snapshot=OLD_CODE)
    assert _actions(plan) == [("inner", "create"), ("outer", "update")]
    [field] = plan.changes[1].fields
    assert (field.recorded, field.desired) == (101, "${resources.jobs.inner.id}")


def test_an_edit_on_the_backend_is_drift_and_is_set_back() -> None:
    world = deployed(A)
    world.edit("a", max_concurrent_runs=5)
    plan = world.plan([A], snapshot=OLD_CODE)
    [change] = plan.changes
    assert [field.verdict for field in change.fields] == [Verdict.DRIFT]
    assert change.observed is not None
    assert count(plan)["drift"] == 1
    world.apply(plan, [A])
    assert world.plan([A], snapshot=OLD_CODE).is_empty


def test_an_edit_here_and_there_is_a_conflict_and_guarded_on_a_protected_target() -> None:
    world = deployed(A)
    world.edit("a", max_concurrent_runs=5)
    mine = spec("a", job("t", max_concurrent_runs=2))
    assert not world.plan([mine], snapshot=OLD_CODE).guards
    plan = world.plan([mine], snapshot=OLD_CODE, protected=True)
    [guard] = plan.guards
    assert (guard.code, guard.override) == ("BND320", "--allow-conflict jobs.a.max_concurrent_runs")


def test_a_pause_by_the_operator_stays_through_a_deploy_of_other_things() -> None:
    cron = {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}
    owned = spec("a", job("t", schedule=cron), pause="operator")
    world = deployed(owned)
    world.edit("a", schedule={**cron, "pause_status": "PAUSED"})
    plan = world.plan([owned], snapshot=OLD_CODE)
    assert plan.is_empty
    assert len(plan.drift) == 1
    for snapshot in (NEW_CODE, OLD_CODE):
        plan = world.plan([owned], snapshot=snapshot)
        assert _actions(plan) == [("a", "update")]
        world.apply(plan, [owned])
        assert world.held["101"][1]["schedule"]["pause_status"] == "PAUSED"
        assert world.plan([owned], snapshot=snapshot).is_empty


def test_tampering_that_no_field_shows_is_written_again() -> None:
    world = deployed(A)
    world.snapshots["101"] = NEW_CODE  # somebody pointed the job at other code
    plan = world.plan([A], snapshot=OLD_CODE)
    assert plan.changes[0].reason == "what bundlectl wrote into it was changed on the backend"
    assert plan.drift[0].fields == ()


def test_an_unrecorded_job_with_our_mark_is_taken_over() -> None:
    world = deployed(A)
    world.held["7"] = (ownership_id(LINEAGE, "prod", "b"), {**B.document, "max_concurrent_runs": 9})
    plan = world.plan([A, B], snapshot=OLD_CODE)
    [change] = plan.changes
    assert (change.action, change.id) == (Action.UPDATE, "7")
    assert [field.desired for field in change.fields] == [1]


def test_strays_are_reported() -> None:
    world = deployed(A)
    world.held["9"] = ("b1-" + "0" * 40, {})
    plan = world.plan([A], snapshot=OLD_CODE)
    assert plan.is_empty
    assert [item.code for item in plan.diagnostics] == ["BND311"]


def test_a_backend_that_was_not_read_makes_a_plan_that_cannot_be_applied() -> None:
    inputs = replace(World().inputs([A]), observed=Observed(read=False, why_not="offline"))
    plan = build(inputs)
    assert (plan.observed, plan.complete, plan.not_read) == ("not_read", False, "offline")


def test_a_backend_that_cannot_be_deployed_to_is_refused_by_name() -> None:
    shell = spec("a", {"tasks": [{"task_key": "t", "shell_task": {"command": ["true"]}}]})
    workspace = Capabilities(kind="databricks", deploys=False)
    plan = World().plan([shell], capabilities=workspace)
    assert [guard.summary for guard in plan.guards] == [
        'backend "databricks" cannot be deployed to by this version of bundlectl',
        'backend "databricks" has no shell_task',
    ]
    assert not plan.complete


@pytest.mark.parametrize("protected", [True, False])
def test_a_dirty_tree_is_refused_on_a_protected_target_only(protected: bool) -> None:
    source = PlanSource(commit="c" * 40, tree="t" * 40, dirty=True, working_tree=True)
    plan = World().plan([A], source=source, dirty_paths=("x.py",), protected=protected)
    assert [guard.code for guard in plan.guards] == (["BND313"] if protected else [])
    assert plan.source.dirty_paths == ("x.py",)


def test_protection_in_the_state_outlives_its_block() -> None:
    world = deployed(A, B)
    assert world.deployment is not None
    world.deployment = replace(world.deployment, protection={"b": {"since": "x", "by": "ann"}, "target": {}})
    plan = world.plan([A], snapshot=OLD_CODE)
    assert [(guard.guard, guard.override) for guard in plan.guards] == [
        ("protected", None),
        ("destructive", "--allow-destructive"),
    ]
    dirty = PlanSource(commit="c" * 40, tree="t" * 40, dirty=True, working_tree=True)
    assert world.plan([A, B], snapshot=OLD_CODE, source=dirty).guards[0].guard == "dirty"


def test_rewind_hold_and_branch() -> None:
    world = deployed(A)
    assert world.deployment is not None
    world.deployment = replace(world.deployment, hold={"by": "ann", "reason": "bad totals"})
    inputs = world.inputs([A], is_rewind=True)
    plan = build(replace(inputs, bundle=replace(inputs.bundle, git_branch="release")))
    assert [(guard.guard, guard.code, guard.override) for guard in plan.guards] == [
        ("hold", "BND317", None),
        ("branch", "BND315", "--allow-branch"),
        ("rewind", "BND314", "--allow-rewind"),
    ]
    assert plan.guards[2].addresses == ("resources.jobs.a",)
    assert plan.holds[0]["reason"] == "bad totals"


def test_active_runs_are_shown_and_refused_when_asked() -> None:
    world = deployed(A)
    inputs = world.inputs([A], active_runs={"101": 2})
    assert build(inputs).changes[0].active_runs == 2
    plan = build(replace(inputs, bundle=replace(inputs.bundle, fail_on_active_runs=True)))
    assert [guard.guard for guard in plan.guards] == ["active_runs"]


def test_the_time_of_the_recorded_deployment_is_read_from_its_id() -> None:
    world = deployed(A)
    assert world.deployment is not None
    assert world.deployment.deployed is not None
    id = "018bcfe5-6800-7000-8000-000000000000"  # 1,700,000,000,000 ms
    world.deployment = replace(world.deployment, deployed=replace(world.deployment.deployed, deployment=id))
    assert world.plan([A], snapshot=OLD_CODE).base.at == "2023-11-14T22:13:20Z"


def test_a_tombstoned_job_that_is_wanted_again_is_brought_back() -> None:
    world = deployed(A)
    assert world.deployment is not None
    entry = world.deployment.jobs["a"]._replace(tombstone={"since": "x", "until": "y"})
    world.deployment = replace(world.deployment, jobs={"a": entry})
    plan = world.plan([A], snapshot=OLD_CODE)
    assert plan.changes[0].reason == "brought back with its id and runs: the bundle has it again"
    assert world.plan([], snapshot=OLD_CODE).is_empty


def test_a_replaced_job_pulls_what_needs_its_id() -> None:
    inner = spec("inner", job("t", git_source={"git_url": "u", "git_provider": "gitHub"}))
    outer = spec("outer", {"tasks": [{"task_key": "r", "run_job_task": {"job_id": "${resources.jobs.inner.id}"}}]})
    world = deployed(inner, outer)
    now = spec("inner", job("t", git_source={"git_url": "u", "git_provider": "gitLab"}))
    plan = world.plan([now, outer], snapshot=OLD_CODE, capabilities=Capabilities(kind="databricks"))
    assert _actions(plan) == [("inner", "replace"), ("outer", "update")]
    assert plan.changes[0].forces_replace == ("git_source.git_provider",)
    assert plan.changes[1].depends_on == ("resources.jobs.inner",)
    assert plan.changes[1].reason == "it needs the new id of jobs.inner"


def test_active_runs_stop_a_deploy_that_was_asked_to_stop_at_them() -> None:
    world = deployed(spec("a", job("t")))
    specs = [spec("a", job("t", n=1))]
    assert world.deployment is not None
    busy = {world.deployment.jobs["a"].id: 2}
    assert not world.plan(specs, active_runs=busy).guards
    [guard] = world.plan(specs, active_runs=busy, fail_on_active_runs=True).guards
    assert (guard.guard, guard.override, guard.addresses) == ("active_runs", None, ("resources.jobs.a",))
    assert not world.plan(specs, active_runs=dict.fromkeys(busy, 0), fail_on_active_runs=True).guards


def test_kinds_of_what_is_in_a_plan() -> None:
    world = deployed(spec("a", job("t")), spec("b", job("t")), spec("old", job("t")))
    assert kinds(world.plan([spec(key, job("t")) for key in ("a", "b", "old")], snapshot=OLD_CODE)) == frozenset()
    assert kinds(world.plan([spec(key, job("t")) for key in ("a", "b", "old")])) == {"update", "changes", "code"}
    world.edit("a", n=5)
    specs = [spec("a", job("t", n=2)), spec("new", job("t"), renamed_from="old"), spec("c", job("t"))]
    found = kinds(world.plan(specs, snapshot=OLD_CODE))
    assert found == {"create", "update", "delete", "rename", "destructive", "drift", "conflict", "changes"}
