"""Signals and second commands while a run is active: cancelled, recorded, nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import RepositoryBuilder

_BUNDLE = """\
bundle:
  name: slow
bundlectl:
  backend: local
resources:
  jobs:
    waits:
      parameters:
        - name: started
          default: nowhere
      tasks:
        - task_key: wait
          shell_task:
            command: ["sh", "wait.sh", "{{job.parameters.started}}"]
        - task_key: after
          depends_on:
            - task_key: wait
          shell_task:
            command: ["true"]
"""
_DEADLINE_S = 120


@pytest.fixture
def slow(repository: RepositoryBuilder) -> RepositoryBuilder:
    """A deployed bundle whose job says that it started, then waits to be killed."""
    repository.environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    repository.commit("first", {"databricks.yml": _BUNDLE, "wait.sh": 'echo $$ > "$1"\nexec sleep 300\n'})
    assert _finish(repository, "deploy", "--auto-approve").returncode == 0
    return repository


def _start(repository: RepositoryBuilder, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bundlectl", *words],
        cwd=repository.folder,
        env=repository.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(repository: RepositoryBuilder, *words: str) -> "subprocess.CompletedProcess[str]":
    child = _start(repository, *words)
    stdout, stderr = child.communicate(timeout=_DEADLINE_S)
    return subprocess.CompletedProcess(words, child.returncode, stdout, stderr)


def _document(repository: RepositoryBuilder, *words: str) -> Any:
    return json.loads(_finish(repository, *words, "-o", "json").stdout)


def _started(repository: RepositoryBuilder, marker: Path, *more: str) -> "subprocess.Popen[str]":
    """A `run` whose task is running."""
    child = _start(repository, "run", "waits", "--param", f"started={marker}", *more)
    for _ in _until(_DEADLINE_S):
        if marker.exists() and marker.read_text(encoding="utf-8").endswith("\n"):
            return child
        assert child.poll() is None, child.communicate()
    child.kill()
    raise AssertionError("the task did not start")


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)


def _gone(pid: int) -> bool:
    for _ in _until(_DEADLINE_S):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
    return False


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_cancelled_and_recorded(
    slow: RepositoryBuilder, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    marker = tmp_path / "started"
    child = _started(slow, marker)
    child.send_signal(sent)
    _, stderr = child.communicate(timeout=_DEADLINE_S)
    assert child.returncode == code, stderr
    assert "Traceback" not in stderr
    assert "cancelled" in stderr
    assert _gone(int(marker.read_text(encoding="utf-8")))
    (run,) = _document(slow, "runs", "list")["runs"]
    assert run["result_state"] == "CANCELED"
    outcome = _document(slow, "runs", "manifest", run["run_id"])["outcome"]
    assert {task["task_key"]: task["result_state"] for task in outcome["tasks"]} == {
        "wait": "CANCELED",
        "after": "CANCELED",
    }
    assert len(slow.git("log", "--format=%H", "refs/bundlectl/runs/slow/default").splitlines()) == 2


def test_a_second_run_waits_for_its_turn_and_is_not_lost(slow: RepositoryBuilder, tmp_path: Path) -> None:
    first = _started(slow, tmp_path / "first")
    second = _finish(slow, "run", "waits", "--no-wait", "--param", f"started={tmp_path / 'second'}")
    assert second.returncode == 0, second.stderr
    states = sorted(run["life_cycle_state"] for run in _document(slow, "runs", "list")["runs"])
    assert states == ["QUEUED", "RUNNING"]
    first.send_signal(signal.SIGINT)
    assert first.wait(_DEADLINE_S) == 130
    first.communicate()
    queued = max(_document(slow, "runs", "list")["runs"], key=lambda run: int(run["run_id"]))
    assert queued["life_cycle_state"] in ("QUEUED", "PENDING", "RUNNING")
    assert _finish(slow, "runs", "cancel", queued["run_id"]).returncode == 0


def test_a_killed_run_command_leaves_a_run_that_can_be_followed_up(slow: RepositoryBuilder, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    child = _started(slow, marker)
    child.kill()
    child.communicate()
    (run,) = _document(slow, "runs", "list")["runs"]
    assert run["life_cycle_state"] == "RUNNING"
    cancelled = _finish(slow, "runs", "cancel", run["run_id"])
    assert cancelled.returncode == 0, cancelled.stderr
    assert _gone(int(marker.read_text(encoding="utf-8")))
    (run,) = _document(slow, "runs", "list")["runs"]
    assert run["result_state"] == "CANCELED"
