"""After a crash: what a dead or forgetful worker left, read from its record and from the claims.

Called by scheduler when a worker is gone, and when one of an earlier scheduler answers. Decides per attempt whether it
ended, never started, or is lost; never guesses success or failure.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.clock import Clock
from bundlectl.base.host import boot_id
from bundlectl.engine import claims
from bundlectl.engine.active import Task

_SURVIVORS_S = 10.0  # how long killed processes may take to be gone


class Folded(NamedTuple):
    """New lines of a record: ends in their order, and the offset behind the last line."""

    ends: list[dict[str, Any]]
    offset: int


def fold(folder: Path, worker: str, offset: int) -> Folded:
    """What a worker recorded behind `offset`."""
    lines = claims.read_record(folder / "workers" / worker / "record", offset).lines
    return Folded([line for line, _ in lines if line.get("k") == "end"], lines[-1][1] if lines else offset)


def never_started(log: str, task: Task) -> bool:
    """Whether an attempt without an end surely did not start, and cannot start any more.

    Without a claim, the claim is taken here, so that a worker that wakes up late finds it. After a reboot a missing
    claim proves nothing: it was never synced.
    """
    return task.boot == boot_id() and claims.fence(log)


def kill_survivors(task: Task, clock: Clock) -> None:
    """Ends every process of a lost attempt and waits until they are gone, so that no retry overlaps it."""
    if task.boot != boot_id():
        return
    give_up = clock.boot_s() + _SURVIVORS_S
    while claims.kill_members(task.name, task.token) and clock.boot_s() < give_up:
        clock.sleep(0.005)


def remove_worker(folder: Path, worker: str) -> None:
    """Removes what a dead worker left, once its record is folded."""
    shutil.rmtree(folder / "workers" / worker, ignore_errors=True)
