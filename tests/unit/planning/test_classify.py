"""Which jobs differ, from digests alone."""

from bundlectl.model.backend import Observed, ObservedJob
from bundlectl.model.deployment import ownership_id
from bundlectl.planning.classify import differing
from tests.unit.planning.worlds import LINEAGE, NEW_CODE, OLD_CODE, World, deployed, job, spec

A = spec("a", job("t"))
B = spec("b", job("t", "u"))


def _found(world: World, *specs: object, snapshot: str | None = OLD_CODE, tells: bool = True):  # type: ignore[no-untyped-def] # short
    digests = {item.key: item.meta for item in specs}  # type: ignore[attr-defined] # specs
    return differing(digests, snapshot, world.deployment, world.observed(tells_digests=tells))


def test_unchanged_jobs_need_no_document() -> None:
    found = _found(deployed(A, B), A, B)
    assert (found.unchanged, found.documents, found.recorded, found.ids) == (2, (), (), ())


def test_nothing_deployed_yet_makes_every_job_new() -> None:
    found = _found(World(), A, B)
    assert (found.new, found.unchanged, found.recorded) == (("a", "b"), 0, ())


def test_another_snapshot_touches_only_jobs_that_use_code() -> None:
    plain = spec("sql", job("t"), uses_code=False)
    found = _found(deployed(A, plain), A, plain, snapshot=NEW_CODE)
    assert (found.code_only, found.unchanged, found.documents) == (("a",), 1, ())


def test_an_edit_on_the_backend_is_read() -> None:
    world = deployed(A, B)
    world.edit("b", max_concurrent_runs=5)
    found = _found(world, A, B)
    assert found.changed == ("b",)
    assert found.drifted == {"b"}
    assert world.deployment is not None
    assert found.ids == (world.deployment.jobs["b"].id,)


def test_a_backend_without_digests_is_read_in_full() -> None:
    found = _found(deployed(A, B), A, B, tells=False)
    assert found.changed == ("a", "b")
    assert len(found.ids) == 2


def test_a_backend_that_was_not_read_shows_no_drift() -> None:
    world = deployed(A)
    found = differing({"a": A.meta}, OLD_CODE, world.deployment, Observed(read=False))
    assert found.unchanged == 1


def test_a_job_that_is_gone_is_told_and_pulls_what_needs_its_id() -> None:
    inner = spec("inner", job("t"))
    outer = spec("outer", {"tasks": [{"task_key": "r", "run_job_task": {"job_id": "${resources.jobs.inner.id}"}}]})
    world = deployed(inner, outer)
    assert world.deployment is not None
    del world.held[world.deployment.jobs["inner"].id]
    found = _found(world, inner, outer)
    assert found.gone == {"inner"}
    assert found.changed == ("inner", "outer")


def test_a_rename_takes_the_recorded_job_and_only_one_gets_it() -> None:
    new = spec("c", job("t"), renamed_from="a")
    other = spec("d", job("t"), renamed_from="a")
    found = _found(deployed(A), new, other)
    assert found.renamed == {"c": "a"}
    assert found.new == ("d",)
    assert found.deleted == ()


def test_a_rename_that_is_recorded_already_is_ignored() -> None:
    moved = spec("a", job("t"), renamed_from="old")
    assert _found(deployed(moved), moved).unchanged == 1


def test_a_job_with_our_mark_that_is_not_recorded_is_adopted_and_others_are_told() -> None:
    world = deployed(A)
    world.held["7"] = (ownership_id(LINEAGE, "prod", "b"), B.document)
    world.held["8"] = ("b1-" + "0" * 40, B.document)
    found = _found(world, A, B)
    assert found.adopted == {"b": "7"}
    assert found.strays == ("8",)
    assert found.ids == ("7",)


def test_jobs_of_which_operators_own_the_pause_are_read_before_their_code_changes() -> None:
    owned = spec("a", job("t"), pause="operator")
    found = _found(deployed(owned), owned, snapshot=NEW_CODE)
    assert found.changed == ("a",)
    assert len(found.ids) == 1


def test_an_own_id_function_of_the_caller_is_used() -> None:
    world = deployed(A)
    observed = Observed(read=True, jobs=(*world.observed().jobs, ObservedJob("9", "mine-b", None)))
    found = differing({"a": A.meta, "b": B.meta}, OLD_CODE, world.deployment, observed, lambda key: f"mine-{key}")
    assert found.adopted == {"b": "9"}
