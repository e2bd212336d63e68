"""Deleted jobs that are kept: until when, and what a plan makes of them."""

from dataclasses import replace

import pytest

from bundlectl.base.clock import parse_rfc3339
from bundlectl.model.deployment import DeployedJob
from bundlectl.model.plan import Action
from bundlectl.planning.tombstones import is_over, kept_jobs, kept_until
from tests.unit.planning.worlds import OLD_CODE, World, deployed, job, spec

A, B = spec("a", job("t")), spec("b", job("t"))
NOW = parse_rfc3339("2026-11-23T10:00:00Z")
ENTRY = DeployedJob("5", "sha256:1", "sha256:2", None, "d1")


@pytest.mark.parametrize(
    ("retention", "until"),
    [
        ("1s", "2026-11-23T10:00:01Z"),
        ("90m", "2026-11-23T11:30:00Z"),
        ("12h", "2026-11-23T22:00:00Z"),
        ("30d", "2026-12-23T10:00:00Z"),
        ("2w", "2026-12-07T10:00:00Z"),
        ("999999999w", "9999-12-31T23:59:59Z"),
    ],
)
def test_how_long_a_job_is_kept(retention: str, until: str) -> None:
    assert kept_until(NOW, retention) == until


def test_its_time_is_over_at_that_moment_and_not_before() -> None:
    kept = ENTRY._replace(tombstone={"since": "2026-11-20T10:00:00Z", "until": "2026-11-23T10:00:00Z"})
    assert not is_over(kept, NOW - 1)
    assert is_over(kept, NOW)
    assert kept_jobs({"b": kept, "a": ENTRY}) == {"b": kept}


@pytest.mark.parametrize("tombstone", [{}, {"until": ""}, {"until": "soon"}, {"since": "x"}])
def test_what_cannot_be_read_is_kept(tombstone: dict[str, str]) -> None:
    assert not is_over(ENTRY._replace(tombstone=tombstone), NOW)


def _without_b() -> World:
    world = deployed(A, B)
    world.apply(world.plan([A], snapshot=OLD_CODE), [A])
    return world


def test_a_deleted_job_is_kept_and_no_change_afterwards() -> None:
    world = deployed(A, B)
    plan = world.plan([A], snapshot=OLD_CODE)
    (change,) = plan.changes
    assert (change.action, change.destructive, change.reason) == (Action.DELETE, True, "no longer in the bundle")
    assert change.until == kept_until(parse_rfc3339(plan.created), "30d")
    world.apply(plan, [A])
    assert world.plan([A], snapshot=OLD_CODE).is_empty


def test_a_job_that_came_back_in_part_goes_again_with_its_old_time() -> None:
    """An undelete that was cut off between the backend and the record."""
    world = _without_b()
    assert world.deployment is not None
    entry = world.deployment.jobs["b"]
    own, document = world.held[entry.id]
    world.held[entry.id] = (own, {name: value for name, value in document.items() if name != "hidden"})
    (change,) = world.plan([A], snapshot=OLD_CODE).changes
    assert (change.action, change.id) == (Action.DELETE, entry.id)
    assert change.until == (entry.tombstone or {})["until"]
    assert change.reason == "deleted, and changed on the backend since"


def test_a_kept_job_that_is_gone_is_forgotten_or_created() -> None:
    world = _without_b()
    assert world.deployment is not None
    del world.held[world.deployment.jobs["b"].id]
    (change,) = world.plan([A], snapshot=OLD_CODE).changes
    assert (change.action, change.destructive) == (Action.FORGET, False)
    (change,) = world.plan([A, B], snapshot=OLD_CODE).changes
    assert (change.action, change.restores) == (Action.CREATE, False)


def test_a_kept_job_may_come_back_under_another_key() -> None:
    world = _without_b()
    assert world.deployment is not None
    renamed = spec("c", job("t"), renamed_from="b")
    (change,) = world.plan([A, renamed], snapshot=OLD_CODE).changes
    assert (change.action, change.restores, change.renamed_from) == (Action.RENAME, True, "b")
    assert change.id == world.deployment.jobs["b"].id


def test_the_time_that_passes_is_no_other_plan() -> None:
    world = deployed(A, B)
    one = world.plan([A], snapshot=OLD_CODE)
    later = world.plan([A], snapshot=OLD_CODE, now_ms=parse_rfc3339(one.created) + 60_000)
    assert one.changes[0].until != later.changes[0].until
    assert one.changes_digest == later.changes_digest


def test_an_unread_backend_says_nothing_of_kept_jobs() -> None:
    world = _without_b()
    unread = replace(world.observed(), read=False, jobs=())
    assert world.plan([A], snapshot=OLD_CODE, observed=unread, differing=None).is_empty
