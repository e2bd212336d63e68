"""--select and --exclude: forms of an address, patterns, and a name that no job has."""

from typing import Any

import pytest

from bundlectl.model.errors import NotFound
from bundlectl.planning.selection import EVERYTHING, Selection


@pytest.mark.parametrize(
    ("select", "exclude", "chosen"),
    [
        ((), (), "etl load load_daily"),
        (("jobs.etl",), (), "etl"),
        (("resources.jobs.etl", "load"), (), "etl load"),
        (("etl, load",), (), "etl load"),
        (("load*",), (), "load load_daily"),
        (("jobs.*",), ("jobs.load",), "etl load_daily"),
        ((), ("load*", "x"), "etl"),
        (("l?ad",), (), "load"),
        (("[el]*",), ("*_daily",), "etl load"),
    ],
)
def test_which_jobs_are_meant(select: tuple[str, ...], exclude: tuple[str, ...], chosen: str) -> None:
    selection = Selection.of(select, exclude)
    assert [key for key in ("etl", "load", "load_daily") if selection.has(key)] == chosen.split()
    selection.check(["etl", "load", "load_daily"])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("jobs.lod", 'no job "jobs.lod"; did you mean "jobs.load"?'),
        ("unlike", 'no job "jobs.unlike"'),
        ("x*", 'no job fits "jobs.x*"'),
        ("Load", 'no job "jobs.Load"; did you mean "jobs.load"?'),
    ],
)
def test_a_name_that_no_job_has_is_said(pattern: str, message: str) -> None:
    with pytest.raises(NotFound) as missing:
        Selection.of([pattern], ()).check(["etl", "load"])
    assert missing.value.summary == message
    assert missing.value.hint == "jobs: jobs.etl, jobs.load"


def test_everything_needs_no_job() -> None:
    EVERYTHING.check([])
    with pytest.raises(NotFound) as missing:
        Selection.of(["a"], ()).check([])
    assert missing.value.hint == "neither side has a job"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, EVERYTHING),
        (5, EVERYTHING),
        ([], EVERYTHING),
        ({}, EVERYTHING),
        ({"select": ["a"], "exclude": ["b"], "changed_since": None, "only": None}, Selection(("a",), ("b",))),
        ({"select": ["a", 5], "exclude": "b", "only": ["c"]}, Selection(("a",), (), ("c",))),
        ({"select": None, "only": 5}, Selection((), (), ())),
    ],
)
def test_of_a_saved_plan(value: Any, expected: Selection) -> None:
    assert Selection.of_document(value) == expected


def test_only_what_a_comparison_found() -> None:
    found = Selection((), ("b*",), ("a", "b1"))
    assert [key for key in ("a", "b1", "c") if found.has(key)] == ["a"]
    assert found.has("new", "a") and not found.has("new")
    assert not found.is_everything and not Selection((), (), ()).is_everything and EVERYTHING.is_everything
