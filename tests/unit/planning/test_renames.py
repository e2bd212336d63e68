"""Deletes and creates that are nearly one job."""

from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.renames import Pair, probable_renames
from tests.unit.planning.worlds import job

TABLE = FieldTable("local")
KEYS = [f"t{number}" for number in range(6)]


def test_each_job_is_in_at_most_one_pair_and_the_most_alike_wins() -> None:
    old = {"old": job(*KEYS)}
    new = {"near": job(*KEYS), "less": {**job(*KEYS), "tags": {"a": "b"}}}
    assert probable_renames(new, old, TABLE) == (Pair("near", "old"),)


def test_names_and_annotations_do_not_tell() -> None:
    assert probable_renames({"n": job("t", name="x")}, {"o": job("t", name="y")}, TABLE) == (Pair("n", "o"),)


def test_other_tasks_make_another_job() -> None:
    assert probable_renames({"n": job("t")}, {"o": job("u")}, TABLE) == ()


def test_many_equal_jobs_stay_affordable() -> None:
    old = {f"o{n}": job(*KEYS, tags={"n": str(n)}) for n in range(300)}
    new = {f"n{n}": job(*KEYS, tags={"n": str(n)}) for n in range(300)}
    assert len(probable_renames(new, old, TABLE)) > 0
