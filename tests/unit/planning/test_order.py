"""Apply order and references."""

from bundlectl.model.plan import Action, Change
from bundlectl.planning.order import in_apply_order
from bundlectl.planning.references import referenced, with_known_ids


def _change(key: str, action: Action) -> Change:
    return Change(address=f"resources.jobs.{key}", action=action)


def test_a_job_is_deleted_after_those_that_used_it() -> None:
    changes = [_change("inner", Action.DELETE), _change("user", Action.UPDATE), _change("outer", Action.DELETE)]
    ordered = in_apply_order(changes, {}, {"user": {"inner"}, "outer": {"inner"}})
    assert [change.address[15:] for change in ordered] == ["user", "outer", "inner"]
    assert ordered[2].depends_on == ("resources.jobs.outer", "resources.jobs.user")


def test_dependencies_outside_the_plan_do_not_count() -> None:
    [change] = in_apply_order([_change("a", Action.UPDATE)], {"a": ("b",)}, {})
    assert change.depends_on == ()


def test_recorded_circles_do_not_stop_a_plan() -> None:
    changes = [_change("a", Action.DELETE), _change("b", Action.DELETE)]
    ordered = in_apply_order(changes, {}, {"a": {"b"}, "b": {"a"}})
    assert [change.address[15:] for change in ordered] == ["a", "b"]


def test_known_ids_are_filled_in_as_numbers_only_where_the_api_takes_one() -> None:
    reference = "${resources.jobs.a.id}"
    document = {"x": [reference, f"job {reference}", "${resources.jobs.b.id}"], "job_id": reference, "n": 1}
    assert with_known_ids(document, {"a": "7"}) == {
        "x": ["7", "job 7", "${resources.jobs.b.id}"],
        "job_id": 7,
        "n": 1,
    }
    assert referenced(document) == {"a", "b"}
    assert with_known_ids({"x": "${resources.jobs.a.id}"}, {"a": "etl-x"}) == {"x": "etl-x"}
