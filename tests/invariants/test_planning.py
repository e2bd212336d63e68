"""For any bundle and any state: deploy then plan is empty, shuffles are nothing, a plan depends on its inputs alone."""

import random
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bundlectl.base.clock import parse_rfc3339
from bundlectl.model.job import JobSpec
from bundlectl.model.location import key_of
from bundlectl.model.plan import Action, count
from bundlectl.model.plan_document import document_digest, plan_document
from bundlectl.planning.changes import Removal
from bundlectl.planning.classify import differing
from bundlectl.planning.selection import Selection
from bundlectl.planning.snoozes import Snooze, value_digest
from bundlectl.render.plan_text import plan_text
from tests.unit.planning.worlds import LINEAGE, NEW_CODE, OLD_CODE, deployed, spec

KEYS = st.sampled_from(["a", "b", "c", "d"])
TEXT = st.text(max_size=6)
SCALAR = st.one_of(st.integers(-3, 3), st.booleans(), TEXT, st.floats(-2, 2, allow_nan=False))


def _by(field: str, body: dict[str, Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A list with a natural key, each key once."""
    element = st.fixed_dictionaries({field: KEYS}, optional=body)
    return st.lists(element, max_size=3, unique_by=lambda item: str(item[field]))


TASK: dict[str, Any] = {
    "timeout_seconds": st.integers(0, 2),
    "run_if": st.sampled_from(["ALL_SUCCESS", "ALL_DONE"]),
    "max_retries": st.integers(0, 2),
    "email_notifications": st.fixed_dictionaries({}, optional={"on_failure": st.lists(TEXT, max_size=2)}),
    "spark_python_task": st.fixed_dictionaries(
        {"python_file": TEXT}, optional={"parameters": st.lists(TEXT, max_size=3)}
    ),
    "libraries": st.lists(st.fixed_dictionaries({"whl": TEXT}), max_size=2),
    "depends_on": _by("task_key", {"outcome": TEXT}),
}
JOB = st.fixed_dictionaries(
    {"name": TEXT, "tasks": _by("task_key", TASK)},
    optional={
        "max_concurrent_runs": st.integers(0, 2),
        "timeout_seconds": st.integers(0, 1),
        "tags": st.dictionaries(TEXT, TEXT, max_size=3),
        "parameters": _by("name", {"default": SCALAR}),
        "permissions": st.lists(
            st.fixed_dictionaries({"level": st.sampled_from(["CAN_VIEW", "IS_OWNER"]), "user_name": KEYS}),
            max_size=2,
            unique_by=lambda item: item["user_name"],
        ),
        "schedule": st.fixed_dictionaries({"quartz_cron_expression": TEXT, "timezone_id": TEXT}),
        "deployment": st.fixed_dictionaries({"kind": TEXT}),
        "unknown": st.recursive(
            SCALAR, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2)
        ),
    },
)
JOBS = st.dictionaries(KEYS, st.tuples(JOB, st.booleans()), max_size=4)


def _specs(jobs: dict[str, tuple[dict[str, Any], bool]]) -> list[JobSpec]:
    """Specs; the second of each pair adds a reference to the job before it, so that there is something to order."""
    specs: list[JobSpec] = []
    for key in sorted(jobs):
        document, refers = jobs[key]
        if refers and specs:
            document = {**document, "unknown_reference": f"${{resources.jobs.{specs[-1].key}.id}}"}
        specs.append(spec(key, document, uses_code=bool(document["tasks"])))
    return specs


def reordered(value: Any, chance: random.Random, path: tuple[str, ...] = ()) -> Any:
    """The same job with its keyed lists, and the keys of its maps, in another order."""
    keyed = {("tasks",), ("tasks", "*", "depends_on"), ("parameters",), ("permissions",)}
    keyed |= {("tasks", "*", "libraries"), ("tasks", "*", "email_notifications", "on_failure")}
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {name: reordered(item, chance, (*path, name)) for name, item in items}
    if isinstance(value, list):
        items = [reordered(item, chance, (*path, "*")) for item in value]
        if path in keyed:
            chance.shuffle(items)
        return items
    return value


@settings(max_examples=150, deadline=None)
@given(before=JOBS, after=JOBS, fills_in=st.booleans(), tells_digests=st.booleans())
def test_deploy_then_plan_is_empty(before: Any, after: Any, fills_in: bool, tells_digests: bool) -> None:
    world = deployed(*_specs(before), fills_in=fills_in)
    specs = _specs(after)
    world.apply(world.plan(specs, tells_digests=tells_digests), specs)
    plan = world.plan(specs, tells_digests=tells_digests)
    assert plan.is_empty, plan_text(plan, show="all")
    assert plan.unchanged == len(specs)
    assert not plan.drift


@settings(max_examples=150, deadline=None)
@given(jobs=JOBS, seed=st.integers(0, 1000), fills_in=st.booleans())
def test_shuffling_changes_nothing(jobs: Any, seed: int, fills_in: bool) -> None:
    world = deployed(*_specs(jobs), fills_in=fills_in)
    chance = random.Random(seed)
    shuffled = [
        spec(item.key, reordered(item.document, chance), uses_code=item.meta.uses_code) for item in _specs(jobs)
    ]
    plan = world.plan(shuffled, snapshot=OLD_CODE)
    assert plan.is_empty, plan_text(plan, show="all")


@settings(max_examples=100, deadline=None)
@given(before=JOBS, after=JOBS, edited=JOB)
def test_a_plan_is_decided_by_its_inputs(before: Any, after: Any, edited: Any) -> None:
    world = deployed(*_specs(before))
    if before:
        world.edit(min(before), **edited)
    specs = _specs(after)
    one, other = world.plan(specs), world.plan(list(reversed(specs)))
    assert plan_document(one) == plan_document(other)
    assert plan_text(one) == plan_text(other)
    assert one.digest == document_digest(plan_document(one))


@settings(max_examples=100, deadline=None)
@given(before=JOBS, after=JOBS, edited=JOB)
def test_a_plan_is_in_apply_order_and_counts_every_job_once(before: Any, after: Any, edited: Any) -> None:
    world = deployed(*_specs(before))
    if before:
        world.edit(min(before), **edited)
    specs = _specs(after)
    plan = world.plan(specs, snapshot=NEW_CODE)
    seen: set[str] = set()
    for change in plan.changes:
        assert seen.issuperset(change.depends_on)
        assert change.destructive == (change.action in (Action.DELETE, Action.REPLACE))
        seen.add(change.address)
    assert len(seen) == len(plan.changes)
    kept = [change for change in plan.changes if change.action not in (Action.DELETE, Action.FORGET)]
    assert plan.unchanged + len(kept) == len(specs)
    world.apply(plan, specs)
    assert world.plan(specs, snapshot=NEW_CODE).is_empty


PATTERNS = st.lists(st.sampled_from(["a", "b", "[cd]", "*"]), max_size=2).map(tuple)
SELECTIONS = st.builds(Selection, select=PATTERNS, exclude=PATTERNS)


@settings(max_examples=150, deadline=None)
@given(before=JOBS, after=JOBS, edited=JOB, selections=st.lists(SELECTIONS, max_size=3))
def test_deploys_in_part_and_then_a_whole_one_converge(
    before: Any, after: Any, edited: Any, selections: list[Selection]
) -> None:
    world = deployed(*_specs(before))
    if before:
        world.edit(min(before), **edited)
    specs = _specs(after)
    for selection in selections:
        whole, part = world.plan(specs), world.plan(specs, selection=selection)
        done, left = {change.address for change in part.changes}, set(part.left_out)
        assert done | left == {change.address for change in whole.changes} and not done & left
        assert part.unchanged + part.not_selected + sum(c.address.split(".")[-1] in after for c in part.changes) == len(
            set(after) | {key_of(name) for name in left}
        )
        assert world.deployment is not None
        assert set(part.debt) <= done | left
        world.apply(part, specs)  # asserts that nothing is applied before what it needs
        assert {key_of(name) for name in left} == set(world.deployment.debt)
    behind = world.plan(specs)
    assert set(behind.debt) <= {change.address for change in behind.changes}
    world.apply(behind, specs)
    end = world.plan(specs)
    assert end.is_empty and not end.debt and not end.drift


@settings(max_examples=100, deadline=None)
@given(jobs=JOBS, edited=JOB)
def test_every_drift_can_be_snoozed_and_comes_back(jobs: Any, edited: Any) -> None:
    specs = _specs(jobs)
    world = deployed(*specs)
    if not jobs:
        return
    world.edit(min(jobs), **edited)
    drift = world.plan(specs, snapshot=OLD_CODE).drift
    assume(all(job.fields for job in drift))  # a changed mark is no field, and cannot be snoozed
    until = "2027-01-01T00:00:00Z"
    made = [
        Snooze(key_of(job.address), field.path, until, "why", "ann", until, value_digest(LINEAGE, field.observed))
        for job in drift
        for field in job.fields
    ]
    assert world.deployment is not None
    world.deployment = replace(world.deployment, snoozes={item.name: item.document() for item in made})
    plan = world.plan(specs, snapshot=OLD_CODE)
    assert plan.is_empty, plan_text(plan, show="all")
    assert count(plan)["drift"] == 0 and len(plan.drift) == len(drift)
    later = world.plan(specs, snapshot=OLD_CODE, now_ms=parse_rfc3339(until))
    assert later.drift == drift and later.is_empty == (not drift)


@settings(max_examples=100, deadline=None)
@given(jobs=JOBS, again=JOBS, tells_digests=st.booleans())
def test_destroy_leaves_nothing_visible_and_what_comes_back_has_its_id(
    jobs: Any, again: Any, tells_digests: bool
) -> None:
    world = deployed(*_specs(jobs))
    assert world.deployment is not None or not jobs
    before = {key: entry.id for key, entry in world.deployment.jobs.items()} if world.deployment is not None else {}
    world.apply(world.plan([], snapshot=None), [])
    assert all("hidden" in document for _, document in world.held.values())
    assert world.plan([], snapshot=None, tells_digests=tells_digests).is_empty
    specs = _specs(again)
    plan = world.plan(specs, tells_digests=tells_digests)
    assert plan_document(plan) == plan_document(world.plan(list(reversed(specs)), tells_digests=tells_digests))
    for change in plan.changes:
        key = key_of(change.address)
        assert (change.action, change.restores) == (
            (Action.UPDATE, True) if key in before else (Action.CREATE, False)
        ), change
    world.apply(plan, specs)
    assert world.deployment is not None
    live = {key: entry.id for key, entry in world.deployment.jobs.items() if entry.tombstone is None}
    assert live.keys() == again.keys()
    assert all(live[key] == id for key, id in before.items() if key in live)
    assert len(set(live.values())) == len(live)
    assert world.plan(specs, tells_digests=tells_digests).is_empty


@settings(max_examples=60, deadline=None)
@given(jobs=JOBS)
def test_a_purge_leaves_nothing_at_all(jobs: Any) -> None:
    world = deployed(*_specs(jobs))
    world.apply(world.plan([], snapshot=None), [])
    found = differing({}, None, world.deployment, world.observed(), purge=True)
    gone = world.plan([], snapshot=None, differing=found, removal=Removal(until=None))
    assert all(change.until is None and change.action is Action.DELETE for change in gone.changes)
    world.apply(gone, [])
    assert world.held == {}
    assert world.plan([], snapshot=None).is_empty
