"""destroy, undelete, gc, bind and unbind killed at every step, with the disk kept: the same command ends it.

Of the longer ones the gate takes every third step, which is before an effect as often as after one; `make soak` all.
After each: what is recorded is what is there, one for one; ids and runs are those of before.
"""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.crash.test_deploy_kills import HEAD, Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="tells a dead holder by its process, through /proc"),
]

_SOME_STEPS = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)])
_YES = ("--auto-approve",)
_DESTROY = (*_YES, "--allow-destructive")


def _job(key: str) -> str:
    task = f"{{task_key: t, shell_task: {{command: [echo, {key}]}}}}"
    return f"    {key}:\n      continuous: {{pause_status: UNPAUSED}}\n      tasks: [{task}]\n"


ALL, LESS = HEAD + _job("a") + _job("b"), HEAD + _job("a")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed")
    place = Place(folder)
    place.repository.commit("one", {"databricks.yml": ALL})
    assert place.bundlectl("deploy", *_YES).returncode == 0
    return folder


@pytest.fixture(scope="module")
def less(deployed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle has lost "b", which is kept."""
    folder = tmp_path_factory.mktemp("less") / "place"
    place = _copy(deployed, folder)
    place.repository.commit("two", {"databricks.yml": LESS.replace("local", "local, retention: 1s")})
    assert place.bundlectl("deploy", *_DESTROY).returncode == 0
    return folder


def _copy(ready: Path, folder: Path) -> Place:
    shutil.copytree(ready, folder, symlinks=True)
    return Place(folder)


def _ids(place: Place) -> dict[str, str]:
    return {key: job["id"] for key, job in place.state().items()}


def _agrees(place: Place, live: set[str], kept: set[str]) -> None:
    state, there = place.state(), place.owned()
    assert {key: job["id"] for key, job in state.items()} == {
        settings["bundlectl"]["key"]: id for id, settings in there.items()
    }
    assert {key for key, job in state.items() if not job.get("tombstone")} == live
    assert {settings["bundlectl"]["key"] for settings in there.values() if "hidden" in settings["bundlectl"]} == kept
    assert {job["settings"]["bundlectl"]["key"] for job in place.jobs() if "bundlectl" in job["settings"]} == live
    for settings in there.values():
        paused = "hidden" in settings["bundlectl"]
        assert settings["continuous"]["pause_status"] == ("PAUSED" if paused else "UNPAUSED")


def _killed(ready: Path, folder: Path, *words: str, every: int = 1) -> dict[int, Place]:
    """A place for each step at which the command was killed, by its number from 1, and one in which it ended."""
    places: dict[int, Place] = {}
    step = 1
    while True:
        place = places[step] = _copy(ready, folder / str(step))
        code = place.deploy_killed_at(step, *words)
        if code == 0:
            return places
        assert code == -signal.SIGKILL, f"step {step}: exit {code}"
        step += every


@_SOME_STEPS
def test_destroy(deployed: Path, tmp_path: Path, every: int) -> None:
    steps = 2 * (2 + 2)
    before = _ids(Place(deployed))
    places = _killed(deployed, tmp_path, "destroy", every=every)
    assert steps < max(places) <= steps + every
    for place in places.values():
        again = place.bundlectl("destroy", *_DESTROY)
        assert again.returncode == 0, again.stderr
        assert place.jobs() == []
        _agrees(place, set(), {"a", "b"})
        assert place.bundlectl("undelete", "a", "b", *_YES).returncode == 0
        _agrees(place, {"a", "b"}, set())
        assert _ids(place) == before


@_SOME_STEPS
def test_destroy_for_good(deployed: Path, tmp_path: Path, every: int) -> None:
    for place in _killed(deployed, tmp_path, "destroy-now", every=every).values():
        again = place.bundlectl("destroy", "--now", "--confirm", "default", *_DESTROY)
        assert again.returncode == 0, again.stderr
        assert place.owned() == {} and place.state() == {}


@_SOME_STEPS
def test_undelete(less: Path, tmp_path: Path, every: int) -> None:
    steps = 2 * (2 + 1)
    before = _ids(Place(less))
    places = _killed(less, tmp_path, "undelete", "b", every=every)
    assert steps < max(places) <= steps + every
    for number, (step, place) in enumerate(places.items()):
        if number % 2:
            # The bundle does not have it: whatever came back of it goes again.
            deployed = place.bundlectl("deploy", *_DESTROY)
            assert deployed.returncode == 0, deployed.stderr
            _agrees(place, {"a"}, {"b"})
        undeleted = place.bundlectl("undelete", "b", *_YES)
        if undeleted.returncode == 1 and "is not deleted" in undeleted.stderr:
            assert step >= steps
        else:
            assert undeleted.returncode == 0, undeleted.stderr
        _agrees(place, {"a", "b"}, set())
        assert _ids(place) == before


def test_gc(less: Path, tmp_path: Path) -> None:
    for place in _killed(less, tmp_path, "gc").values():
        again = place.bundlectl("gc", *_YES)
        assert again.returncode == 0, again.stderr
        assert place.bundlectl("deploy", *_DESTROY).returncode == 0
        _agrees(place, {"a"}, set())


def test_unbind_then_bind(deployed: Path, tmp_path: Path) -> None:
    before = _ids(Place(deployed))
    for place in _killed(deployed, tmp_path / "unbind", "unbind", "b").values():
        again = place.bundlectl("unbind", "b", *_YES)
        assert again.returncode == 0 or "is not recorded" in again.stderr, again.stderr
        assert _ids(place) == {"a": before["a"]} == {"a": next(iter(place.owned()))}
        assert len(place.jobs()) == 2
    unbound = place.repository.folder.parent
    for place in _killed(unbound, tmp_path / "bind", "bind", "b", before["b"]).values():
        again = place.bundlectl("bind", "b", before["b"], *_YES)
        assert again.returncode == 0, again.stderr
        assert _ids(place) == before
        _agrees(place, {"a", "b"}, set())
        plan = json.loads(place.bundlectl("plan", "-o", "json").stdout)
        assert plan["changes"] == [] and plan["drift"] == []
