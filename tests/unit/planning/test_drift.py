"""Recorded against observed: gone, changed, copied and stray jobs; who changed them; what is not looked at."""

from dataclasses import replace
from typing import Any

import pytest

from bundlectl.model.backend import Observed, ObservedJob
from bundlectl.model.deployment import ownership_id
from bundlectl.model.errors import NotFound
from bundlectl.model.location import path_text
from bundlectl.planning.changes import told_by
from bundlectl.planning.drift import DriftInputs, JobDrift, drifted_jobs, suspects
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.selection import EVERYTHING, Selection
from bundlectl.planning.snoozes import Snoozes
from tests.unit.planning.worlds import LINEAGE, World, deployed, job, spec

BOTH = (spec("a", job("t", n=1, k=1)), spec("b", job("t", refers="${resources.jobs.a.id}")))


def drift(world: World, observed: Observed | None = None, selection: Selection = EVERYTHING, **more: Any) -> Any:
    deployment = world.deployment
    assert deployment is not None
    observed = observed or world.observed()
    found = suspects(deployment, observed, selection)
    held = {id: world.answer(id) if id in world.held else None for id in found.read.values()}
    inputs = DriftInputs(
        deployment, found, world.documents, held, observed, told_by(observed), {}, FieldTable("local"), Snoozes()
    )._replace(**more)
    return found, {item.address.rpartition(".")[2]: item for item in drifted_jobs(inputs)}


def fields(item: JobDrift) -> dict[str, tuple[Any, Any]]:
    return {path_text(field.path): (field.recorded, field.observed) for field in item.fields}


def test_nothing_was_changed() -> None:
    for tells in (True, False):
        world = deployed(*BOTH, fills_in=True)
        found, jobs = drift(world, world.observed(tells_digests=tells))
        assert jobs == {} and found.looked_at == 2 and found.strays == ()


def test_fields_of_one_job() -> None:
    world = deployed(*BOTH, fills_in=True)
    world.edit("a", n=5, k=None, more={"x": 1})
    _, jobs = drift(world)
    assert set(jobs) == {"a"}
    shown = fields(jobs["a"])
    assert shown["n"] == (1, 5)
    assert repr(shown["k"]) == "(1, ABSENT)"
    assert repr(shown["more"]) == "(ABSENT, {'x': 1})"
    assert jobs["a"].counted == 3 and not jobs["a"].gone


def test_a_gone_job_and_one_that_goes_while_it_is_read() -> None:
    world = deployed(*BOTH)
    assert world.deployment is not None
    id = world.deployment.jobs["a"].id
    before = world.observed()
    del world.held[id]
    assert drift(world)[1]["a"].gone
    changed = replace(
        before, jobs=tuple(one._replace(digest="sha256:" + "0" * 64) for one in before.jobs if one.id == id)
    )
    jobs = drift(world, changed)[1]
    assert jobs["a"].gone and jobs["b"].gone


def test_a_changed_mark_is_drift_without_a_field() -> None:
    world = deployed(*BOTH)
    assert world.deployment is not None
    world.snapshots[world.deployment.jobs["b"].id] = None  # its code path points elsewhere
    _, jobs = drift(world)
    assert jobs["b"].mark_changed and jobs["b"].fields == () and jobs["b"].counted == 1
    # A backend that tells no digests cannot tell this either.
    assert drift(world, world.observed(tells_digests=False))[1] == {}


def test_copies_and_strays() -> None:
    world = deployed(*BOTH)
    held = world.observed()
    own = ownership_id(LINEAGE, "prod", "a")
    more = (ObservedJob("900", own, None), ObservedJob("901", own, None), ObservedJob("902", "b1-" + "0" * 40, None))
    found, jobs = drift(world, replace(held, jobs=(*held.jobs, *more)))
    assert jobs["a"].copies == ("900", "901") and jobs["a"].counted == 2
    assert found.strays == ("902",)


def test_who_and_when_where_the_backend_tells() -> None:
    world = deployed(*BOTH)
    world.edit("a", n=5)
    held = world.observed()
    told = replace(
        held, jobs=tuple(one._replace(changed_by="ann", changed_at="2026-11-20T16:40:00Z") for one in held.jobs)
    )
    [field] = drift(world, told)[1]["a"].fields
    assert (field.by, field.at) == ("ann", "2026-11-20T16:40:00Z")
    [field] = drift(world)[1]["a"].fields
    assert (field.by, field.at) == (None, None)
    plan = world.plan(BOTH, observed=replace(told, documents=world.observed(world.held).documents))
    assert [(item.by, item.at) for item in plan.drift[0].fields] == [("ann", "2026-11-20T16:40:00Z")]


def test_only_what_is_selected() -> None:
    world = deployed(*BOTH)
    world.edit("a", n=5)
    world.edit("b", n=5)
    found, jobs = drift(world, selection=Selection(("b",)))
    assert set(jobs) == {"b"} and found.looked_at == 1
    with pytest.raises(NotFound, match="no job"):
        drift(world, selection=Selection(("c",)))


def test_a_tombstone_is_not_compared() -> None:
    world = deployed(*BOTH)
    deployment = world.deployment
    assert deployment is not None
    entry = deployment.jobs["a"]._replace(tombstone={"since": "x", "until": "y"})
    world.deployment = replace(deployment, jobs={**deployment.jobs, "a": entry})
    world.edit("a", n=5)
    assert drift(world)[1] == {}
