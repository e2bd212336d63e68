"""What a selection takes along, what it leaves out, and how both are counted."""

import pytest

from bundlectl.model.plan import Plan
from bundlectl.model.plan_document import plan_document
from bundlectl.planning.selection import Selection
from bundlectl.render.plan_text import plan_text, summary_text
from tests.unit.planning.worlds import OLD_CODE, deployed, job, spec


def names(plan: Plan) -> list[str]:
    return [f"{change.action.value} {change.address.rpartition('.')[2]}" for change in plan.changes]


REFERS = {"refers": "${resources.jobs.dim.id}"}


@pytest.mark.parametrize(
    ("recorded", "desired", "select", "taken", "left"),
    [
        # an id that does not exist yet is needed; one that exists is not
        ([], ["dim", "fact"], ["fact"], ["create dim", "create fact"], []),
        (["dim"], ["dim2", "fact"], ["fact"], ["create fact"], ["dim"]),
        (["dim"], ["renamed dim", "fact"], ["fact"], ["rename dim", "create fact"], []),
        # a job goes after those that referred to it were changed
        (["dim", "fact"], ["fact without"], ["dim"], ["update fact", "delete dim"], []),
        (["dim", "fact"], ["fact without"], ["fact"], ["update fact"], ["dim"]),
        (["dim", "fact"], [], ["dim"], ["delete fact", "delete dim"], []),
        ([], ["dim", "other"], ["other"], ["create other"], ["dim"]),
        ([], ["dim", "other"], ["nobody"], [], ["dim", "other"]),
    ],
)
def test_what_goes_along(
    recorded: list[str], desired: list[str], select: list[str], taken: list[str], left: list[str]
) -> None:
    kinds = {
        "dim": spec("dim", job("t")),
        "dim2": spec("dim", job("t", n=2)),
        "renamed dim": spec("dim", job("t"), renamed_from="old"),
        "fact": spec("fact", job("t", **REFERS)),
        "fact without": spec("fact", job("t")),
        "other": spec("other", job("t")),
    }
    if desired[:1] == ["renamed dim"]:
        world = deployed(spec("old", job("t")))
    else:
        world = deployed(*(kinds[name] for name in recorded))
    specs = [kinds[name] for name in desired]
    plan = world.plan(specs, snapshot=OLD_CODE, selection=Selection(tuple(select)))
    assert names(plan) == taken
    assert [name.rpartition(".")[2] for name in plan.left_out] == left
    known = {change.address for change in plan.changes}
    assert all(set(change.depends_on) <= known for change in plan.changes)


def test_either_name_of_a_renamed_job_selects_it() -> None:
    world = deployed(spec("old", job("t")), spec("x", job("t")))
    specs = [spec("new", job("t"), renamed_from="old"), spec("x", job("t", n=1))]
    for name in ("old", "new"):
        assert names(world.plan(specs, snapshot=OLD_CODE, selection=Selection((name,)))) == ["rename new"]
        assert names(world.plan(specs, snapshot=OLD_CODE, selection=Selection((), (name,)))) == ["update x"]


def test_counts_and_words() -> None:
    world = deployed(*(spec(key, job("t")) for key in "abcd"))
    specs = [spec("a", job("t", n=1)), spec("b", job("t", n=1)), spec("c", job("t")), spec("e", job("t"))]
    plan = world.plan(specs, snapshot=OLD_CODE, selection=Selection(("a", "c")))
    assert (names(plan), plan.unchanged, plan.not_selected) == (["update a"], 1, 3)
    text = plan_text(plan)
    assert "Plan: 0 to add, 1 to change, 0 to delete, 1 unchanged, 3 not selected\n" in text
    assert "Left out  jobs.b, jobs.d, jobs.e: not selected" in text
    assert not any(guard.guard == "destructive" for guard in plan.guards)  # the delete is left out
    document = plan_document(plan)
    assert document["selection"] == {"select": ["a", "c"], "exclude": [], "changed_since": None, "only": None}
    assert document["left_out"] == ["resources.jobs.b", "resources.jobs.d", "resources.jobs.e"]
    nothing = world.plan(specs, snapshot=OLD_CODE, selection=Selection(("c",)))
    assert summary_text(nothing).startswith("No changes in what is selected. 4 changes left out")


def test_drift_of_what_is_left_out_is_not_told_as_set_back() -> None:
    world = deployed(spec("a", job("t")), spec("b", job("t")))
    world.edit("a", n=5)
    world.edit("b", n=5)
    specs = [spec("a", job("t")), spec("b", job("t"))]
    plan = world.plan(specs, snapshot=OLD_CODE, selection=Selection(("b",)))
    assert [item.address for item in plan.drift] == ["resources.jobs.b"]


def test_code_that_no_selected_job_takes_is_not_recorded_as_deployed() -> None:
    world = deployed(spec("a", job("t")))
    plan = world.plan([spec("a", job("t"))], selection=Selection(("nobody",)))
    assert plan.is_empty and not plan.code_only


def test_a_comparison_narrows_too() -> None:
    world = deployed()
    specs = [spec(key, job("t")) for key in "abc"]
    plan = world.plan(specs, selection=Selection((), ("b",), ("a", "b")), changed_since="HEAD~1")
    assert names(plan) == ["create a"]
    assert plan.selection == {"select": [], "exclude": ["b"], "changed_since": "HEAD~1", "only": ["a", "b"]}
