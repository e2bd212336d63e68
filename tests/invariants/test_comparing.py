"""For any two sets of jobs: nothing differs from itself, order means nothing, the way back swaps old and new."""

import copy
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bundlectl.base.digest import digest_document
from bundlectl.model.comparison import JobDifference, JobStatus
from bundlectl.model.job import JobDigest
from bundlectl.model.location import FieldPath, Keyed, key_of
from bundlectl.model.plan import ABSENT
from bundlectl.planning.compare import CompareInputs, Comparer, JobText, compare, pair
from bundlectl.planning.diff import keyed
from bundlectl.planning.field_table import FieldTable
from tests.invariants.test_planning import JOB, KEYS, reordered

TABLE = FieldTable("local")
# A job of one type throughout: a list where the other side has a map is shown by its elements.
TYPED = JOB.map(lambda job: {name: value for name, value in job.items() if name != "unknown"})
SIDE = st.dictionaries(KEYS, JOB, max_size=4)
Side = dict[str, dict[str, Any]]


def compared(left: Side, right: Side, renamed: dict[str, str] | None = None) -> dict[str, JobDifference]:
    digests = [
        {key: JobDigest(digest_document(job), True, (), (names or {}).get(key)) for key, job in side.items()}
        for side, names in ((left, None), (right, renamed))
    ]
    pairs = pair(digests[0], digests[1])
    texts = [{key: JobText(job, job) for key, job in side.items()} for side in (left, right)]
    found = compare(CompareInputs(pairs=pairs, left=texts[0], right=texts[1], comparer=Comparer(TABLE)))
    counted = len(pairs.added) + len(pairs.removed) + len(pairs.renamed) + len(pairs.unsure) + len(pairs.same)
    assert counted + len(pairs.renamed) == len({*left, *right})
    return {key_of(job.address): job for job in found}


def _put(value: Any, path: FieldPath, new: Any) -> Any:
    """A JSON value with the part at a path replaced, added or taken out."""
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        at = next((n for n, item in enumerate(value) if _is_step(item, n, step)), None)
        if at is None:
            return [*value, new]
        if not rest and new is ABSENT:
            return value[:at] + value[at + 1 :]
        return [*value[:at], _put(value[at], rest, new) if rest else new, *value[at + 1 :]]
    if not rest and new is ABSENT:
        return {name: item for name, item in value.items() if name != step}
    return {**value, step: _put(value[step], rest, new) if rest else new}


def _is_step(item: Any, number: int, step: Any) -> bool:
    if isinstance(step, Keyed):
        return isinstance(item, dict) and item.get(step.field) == step.value
    return bool(step == number)


@settings(max_examples=150)
@given(side=SIDE, seed=st.integers(0, 1000))
def test_nothing_differs_from_itself_in_any_order(side: Side, seed: int) -> None:
    assert compared(side, copy.deepcopy(side)) == {}
    chance = random.Random(seed)
    assert compared(side, {key: reordered(job, chance) for key, job in side.items()}) == {}


@settings(max_examples=150)
@given(left=SIDE, right=SIDE)
def test_the_way_back_swaps_old_and_new(left: Side, right: Side) -> None:
    there, back = compared(left, right), compared(right, left)
    swapped = {JobStatus.ADDED: JobStatus.REMOVED, JobStatus.REMOVED: JobStatus.ADDED}
    assert {key: swapped.get(job.status, job.status) for key, job in there.items()} == {
        key: job.status for key, job in back.items()
    }
    for key, job in there.items():
        assert [(item.path, item.left, item.right) for item in job.fields] == [
            (item.path, item.right, item.left) for item in back[key].fields
        ]


@settings(max_examples=150)
@given(left=TYPED, right=TYPED)
def test_doing_what_is_said_leads_from_one_side_to_the_other(left: dict[str, Any], right: dict[str, Any]) -> None:
    """What a difference leaves out makes no difference."""
    found = compared({"x": left}, {"x": right})
    document: Any = left
    # Later elements of a list first: those that go must not move what is still to be changed.
    for item in sorted(found["x"].fields if found else (), key=lambda item: str(item.path), reverse=True):
        document = _put(document, item.path, item.right)
    assert compared({"x": document}, {"x": right}) == {}
    assert bool(found) == (compared({"x": left}, {"x": right}) != {})
    if not found:
        emptied = [_without_empty(keyed(job, TABLE)) for job in (left, right)]
        assert emptied[0] == emptied[1]


def _without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {name: _without_empty(item) for name, item in value.items()}
    return {name: item for name, item in kept.items() if item != {} and getattr(item, "value", None) != []}


@settings(max_examples=100)
@given(job=JOB, changed=JOB)
def test_a_rename_is_one_job(job: dict[str, Any], changed: dict[str, Any]) -> None:
    found = compared({"old": job}, {"new": changed}, {"new": "old"})
    assert list(found) == ["new"] and found["new"].status is JobStatus.RENAMED
    plain = compared({"new": job}, {"new": changed})
    assert found["new"].fields == (plain["new"].fields if plain else ())
