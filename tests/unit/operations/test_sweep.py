"""The sweep: of two jobs with one ownership id the recorded one stays, whichever is older."""

from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend, Composed, Holding, Ownership
from bundlectl.model.backend import ObservedJob
from bundlectl.model.deployment import DeployedJob, ownership_id
from bundlectl.model.errors import BackendError, LeaseHeld
from bundlectl.model.events import Event, Notice
from bundlectl.operations.sweep import Scope, copies_of, sweep

LINEAGE, TARGET = "l-1", "dev"
OWN = ownership_id(LINEAGE, TARGET, "a")
JOBS = {"a": DeployedJob("5", "sha256:1", "sha256:2", None, "d1")}


class Shelf:
    """As much of a backend as a sweep uses."""

    def __init__(self, *, runs: frozenset[str] = frozenset(), owner: Ownership | None = None) -> None:
        self.runs_of = runs
        self.owner = owner if owner is not None else Ownership(OWN, LINEAGE, TARGET, "a")
        self.deleted: list[str] = []
        self.hidden: list[str] = []
        self.breaks = False

    def holding(self, id: str) -> Holding:
        return Holding(self.owner, None)

    def runs(self, job_id: str, limit: int) -> list[str]:
        return ["r"] if job_id in self.runs_of else []

    def delete(self, id: str, fence: int) -> None:
        assert fence == 7
        if self.breaks:
            raise BackendError("it is on fire")
        self.deleted.append(id)

    def read(self, ids: list[str]) -> dict[str, Any]:
        return {id: {"name": "a"} for id in ids}

    def compose(self, document: Any, **more: Any) -> Composed:
        assert more["hidden"] and more["own"] == OWN
        return Composed(dict(document), "sha256:h", more["own"], more["key"])

    def update(self, id: str, composed: Composed, fence: int) -> None:
        self.hidden.append(id)


def seen(*ids: str, own: str = OWN) -> list[ObservedJob]:
    return [ObservedJob(id, own, None) for id in ids]


def swept(shelf: Shelf, *ids: str, known: tuple[str, ...] = (), own: str = OWN) -> tuple[bool, list[str]]:
    told: list[Event] = []
    scope = Scope(cast(Backend, shelf), LINEAGE, TARGET, 7, lambda: None, told.append)
    found = sweep(scope, seen(*ids, own=own), JOBS, known)
    return found, [event.text for event in told if isinstance(event, Notice)]


@pytest.mark.parametrize("copy", ["4", "6"])
def test_the_recorded_job_stays_also_when_the_copy_has_the_lower_id(copy: str) -> None:
    shelf = Shelf()
    assert swept(shelf, "5", copy) == (True, [f"removed a copy of jobs.a, id {copy}; 5 is the recorded one"])
    assert shelf.deleted == [copy]


def test_a_copy_with_runs_is_kept_hidden_and_told() -> None:
    shelf = Shelf(runs=frozenset({"6"}))
    _, told = swept(shelf, "5", "6")
    assert (shelf.deleted, shelf.hidden) == ([], ["6"])
    assert "has runs: it is paused and kept" in told[0]


def test_what_is_no_copy_is_left_alone() -> None:
    assert swept(Shelf(), "5") == (False, [])
    # The recorded job is gone: the other one is what the next plan takes over.
    assert swept(Shelf(), "6") == (False, [])
    # Named in the intent of this very apply.
    assert swept(Shelf(), "5", "6", known=("6",)) == (False, [])
    # An orphan: its key is not recorded.
    assert swept(Shelf(), "5", "6", own=ownership_id(LINEAGE, TARGET, "other"))[0] is False


@pytest.mark.parametrize(
    "owner",
    [
        Ownership(OWN, LINEAGE, TARGET, "b"),
        Ownership(OWN, LINEAGE, "prod", "a"),
        Ownership(OWN, "l-2", TARGET, "a"),
        Ownership("b1-other", LINEAGE, TARGET, "a"),
    ],
)
def test_lineage_target_and_key_must_all_agree(owner: Ownership) -> None:
    shelf = Shelf(owner=owner)
    _, told = swept(shelf, "5", "6")
    assert (shelf.deleted, shelf.hidden) == ([], [])
    assert "left alone" in told[0]


def test_a_copy_that_cannot_be_removed_is_told_and_no_failure() -> None:
    shelf = Shelf()
    shelf.breaks = True
    assert swept(shelf, "5", "6") == (True, ["a copy of jobs.a, id 6, could not be removed: it is on fire"])


def test_no_call_is_made_without_the_lease() -> None:
    def lost() -> None:
        raise LeaseHeld("lost", code="BND402")

    shelf = Shelf()
    scope = Scope(cast(Backend, shelf), LINEAGE, TARGET, 7, lost, lambda event: None)
    with pytest.raises(LeaseHeld):
        sweep(scope, seen("5", "6"), JOBS)
    assert shelf.deleted == []


def test_a_renamed_job_is_known_by_the_id_that_is_recorded() -> None:
    jobs = {"new": JOBS["a"]._replace(own=OWN)}
    assert [copy.id for copy in copies_of(seen("5", "6"), jobs, LINEAGE, TARGET)] == ["6"]
