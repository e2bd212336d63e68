"""Run manifests that could not be pushed: kept privately, read as if recorded, pushed in order by the next one."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.git.command import Git
from bundlectl.model.errors import RepositoryError, StateError
from bundlectl.state.run_spool import SpooledRuns
from tests.contract.state_suite import BUNDLE, TARGET
from tests.git_server import bare_repository
from tests.remotes import Client

REF = f"refs/bundlectl/runs/{BUNDLE}/{TARGET}"


class Away:
    """A remote that can be taken away and brought back."""

    def __init__(self, path: Path, client: Client) -> None:
        self.path = path
        self.client = client

    def go(self) -> None:
        self.path.rename(self.path.with_name("away"))

    def come(self) -> None:
        self.path.with_name("away").rename(self.path)

    def open(self) -> SpooledRuns:
        """As the next process of this machine would."""
        return self.client.open().runs()

    def elsewhere(self) -> SpooledRuns:
        """As another machine would."""
        return self.client.open(cache="elsewhere", memory="memory-elsewhere").runs()

    @property
    def files(self) -> list[Path]:
        return sorted((self.client.folder / "memory" / "spool").rglob("*.json"))

    def log(self) -> list[str]:
        return Git(self.path, self.client.environment, git_dir=self.path, any_bare=True).run(
            ["log", "--format=%s", REF]
        ).decode().splitlines()  # fmt: skip


@pytest.fixture
def away(tmp_path: Path, environment: dict[str, str], clock: FrozenClock) -> Away:
    path = bare_repository(tmp_path / "far" / "state.git", environment)
    return Away(path, Client(tmp_path / "one", str(path), environment, form="ref", clock=clock))


def begun(run_id: str) -> dict[str, Any]:
    return {"format": "bundlectl.run-manifest/v1", "inputs": {"job": run_id}}


def sealed(run_id: str) -> dict[str, Any]:
    return {**begun(run_id), "outcome": {"result_state": "SUCCESS"}}


def test_a_run_during_which_the_remote_goes_is_recorded_by_the_next_one(away: Away) -> None:
    away.open().append({"7": begun("7")}, "run 7 begins")
    away.go()
    assert away.open().append({"7": sealed("7")}, "run 7 ended") is None
    (file,) = away.files
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    (told,) = away.client.told[-1:]
    assert told.startswith("run 7 could not be recorded: cannot reach remote ")
    assert told.endswith(f'kept in {file.parent} and recorded by the next "bundlectl run" or "bundlectl runs"')
    assert away.open().read("7") == sealed("7")  # while the remote is away
    away.come()
    assert away.elsewhere().read("7") == begun("7")
    assert away.open().append({"8": begun("8")}, "run 8 begins") is not None
    assert away.client.told[-1] == "recorded run 7 now, which could not be recorded before"
    assert away.files == []
    assert away.elsewhere().read("7") == sealed("7")
    assert away.log() == ["run 8 begins", "run 7, recorded later", "run 7 begins"]


def test_what_waits_is_said_once_for_a_run_and_replaced_by_its_end(away: Away) -> None:
    away.go()
    assert away.open().append({"7": begun("7")}, "run 7 begins") is None
    assert away.open().append({"7": sealed("7")}, "run 7 ended") is None
    assert len([text for text in away.client.told if "could not be recorded" in text]) == 1
    assert len(away.files) == 1
    away.come()
    away.open().flush()
    assert away.elsewhere().read("7") == sealed("7")
    assert away.log() == ["run 7, recorded later"]


def test_an_end_that_can_be_recorded_takes_the_place_of_a_begin_that_waits(away: Away) -> None:
    away.go()
    away.open().append({"7": begun("7")}, "run 7 begins")
    away.come()
    away.open().append({"7": sealed("7")}, "run 7 ended")
    away.open().flush()
    assert away.files == []
    assert away.log() == ["run 7 ended"]  # the begin is not put over it
    assert away.elsewhere().read("7") == sealed("7")


def test_many_runs_wait_and_are_one_commit_each_month(away: Away, clock: FrozenClock) -> None:
    away.go()
    for number in range(8):
        if number == 6:
            clock.advance(40 * 86_400)
        away.open().append({str(number): sealed(str(number))}, f"run {number} ended")
    away.open().flush()
    assert away.client.told[-1].startswith("runs 0, 1, 2, 3, 4 and 3 more still cannot be recorded: cannot reach")
    assert len(away.files) == 8
    away.come()
    away.open().flush()
    away.open().flush()
    assert away.log() == ["runs 6, 7, recorded later", "runs 0, 1, 2, 3, 4 and 1 more, recorded later"]
    assert all(away.elsewhere().read(str(number)) == sealed(str(number)) for number in range(8))
    assert away.files == []


def test_the_list_shows_what_waits(away: Away) -> None:
    away.open().append({"7": begun("7"), "6": sealed("6")}, "two")
    store = away.open()
    hook = away.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert store.append({"7": sealed("7")}, "run 7 ended") is None
    assert store.append({"9": begun("9")}, "run 9 begins") is None
    assert away.open().list() == [begun("9"), sealed("7"), sealed("6")]
    assert away.open().list(2) == [begun("9"), sealed("7")]


def test_a_folder_that_cannot_keep_anything_leaves_the_error(away: Away) -> None:
    away.go()
    (away.client.folder / "memory").mkdir()
    (away.client.folder / "memory" / "spool").write_text("in the way")
    with pytest.raises(RepositoryError, match="cannot reach remote"):
        away.open().append({"7": begun("7")}, "run 7 begins")


def test_what_no_store_takes_does_not_wait(away: Away) -> None:
    with pytest.raises(StateError, match='the manifest of run "7" has more than'):
        away.open().append({"7": {"x": "x" * (17 << 20)}}, "run 7 begins")
    assert away.files == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-20],
        lambda data: b"[]\n",
        lambda data: json.dumps({**json.loads(data), "more": 1}).encode(),
        lambda data: data.replace(b'"run":"7"', b'"run":7'),
    ],
)
def test_a_damaged_file_is_said_and_stops_nothing(away: Away, damage: Callable[[bytes], bytes]) -> None:
    away.go()
    away.open().append({"7": begun("7")}, "run 7 begins")
    away.come()
    (file,) = away.files
    file.write_bytes(damage(file.read_bytes()))
    away.open().append({"8": begun("8")}, "run 8 begins")
    assert any(
        f'"{file}" holds a run that could not be recorded, and is unreadable' in text for text in away.client.told
    )
    assert away.files == [file]
    assert away.log() == ["run 8 begins"]
