"""A disk that takes no more: said in words, nothing half written, and the same command works once there is room.

A limit on the size of a file stands for the disk: it fails in the same calls, at any byte that is wanted.
"""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import RepositoryBuilder

SMALL = Path(__file__).resolve().parents[1] / "examples" / "small"


@pytest.fixture
def bundle(repository: RepositoryBuilder) -> RepositoryBuilder:
    shutil.copytree(SMALL, repository.folder, dirs_exist_ok=True)
    repository.commit("one")
    return repository


def _ran(
    bundle: RepositoryBuilder, environment: dict[str, str], *words: str, room: int | None = None
) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    return subprocess.run(
        [sys.executable, "-m", "bundlectl", *words],
        cwd=bundle.folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


def test_a_plan_that_finds_no_room_leaves_no_file(
    bundle: RepositoryBuilder, environment: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "plans"
    out.mkdir()
    ended = _ran(bundle, environment, "plan", "--out", str(out / "plan.json"), room=1000)
    assert ended.returncode == 1
    assert 'BND623]: cannot write "' in ended.stderr
    assert list(out.iterdir()) == []
    assert _ran(bundle, environment, "plan", "--out", str(out / "plan.json")).returncode == 0


@pytest.mark.parametrize("room", [0, 5_000, 60_000, 200_000])
def test_a_deploy_that_finds_no_room_is_done_by_the_next(
    bundle: RepositoryBuilder, environment: dict[str, str], room: int
) -> None:
    ended = _ran(bundle, environment, "deploy", "--auto-approve", room=room)
    assert ended.returncode in (0, 1, 3), ended.stderr
    assert "crashed" not in ended.stderr and "Traceback" not in ended.stderr
    assert _ran(bundle, environment, "deploy", "--auto-approve").returncode == 0
    planned = _ran(bundle, environment, "plan", "--detailed-exitcode")
    assert (planned.returncode, planned.stdout[:11]) == (0, "No changes."), planned.stdout
