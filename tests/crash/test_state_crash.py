"""Writers of state are killed at any moment: nothing acknowledged is lost, nothing is damaged, nobody is blocked."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.base.host import ProcessIdentity
from bundlectl.git.repository import Repository, discover
from bundlectl.model.deployment import Owner
from bundlectl.state import intents
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.store import Note, host_facts, recover
from tests.builders import RepositoryBuilder
from tests.contract.state_suite import BUNDLE, TARGET, begin, count_up, deployment_id, end, intent

TOP = str(Path(__file__).parents[2])

# Counts up for ever, and says so after each update that was acknowledged.
COUNTER = """
import os, pathlib, sys
from bundlectl.git.repository import discover
from bundlectl.state.git_store import GitStateStore
from tests.contract import state_suite as suite

at = discover(pathlib.Path(sys.argv[1]), os.environ)
number = 0
while True:
    suite.count_up(GitStateStore(at, suite.BUNDLE, suite.TARGET), "w", number)
    number += 1
    print(number, flush=True)
"""

# Begins an apply, says so, and waits to be killed.
HOLDER = """
import os, pathlib, sys, time
from bundlectl.base.clock import SystemClock
from bundlectl.git.repository import discover
from bundlectl.state.git_store import GitStateStore
from tests.contract import state_suite as suite

store = GitStateStore(discover(pathlib.Path(sys.argv[1]), os.environ), suite.BUNDLE, suite.TARGET)
suite.begin(store, store.read(), suite.intent(suite.deployment_id(1)), SystemClock())
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def at(repository: RepositoryBuilder) -> Repository:
    repository.commit("first", {"x": "x"})
    return discover(repository.folder, repository.environment)


def start(code: str, repository: RepositoryBuilder) -> "subprocess.Popen[str]":
    """A process in a group of its own, so that a kill reaches its git too."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(repository.folder)],
        env={**repository.environment, "PYTHONPATH": TOP},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_whole(process: "subprocess.Popen[str]") -> str:
    """SIGKILL to the writer and to whatever it has started; what it had said until then.

    It is stopped first: what it starts between a look and a kill would live on, and write after the test has read.
    """
    process.send_signal(signal.SIGSTOP)
    while state_of(process.pid) not in ("T", "Z", None):
        os.sched_yield()
    children = descendants(process.pid)
    for pid in (*children, process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    said = process.communicate()[0]
    while any(state_of(pid) not in ("Z", None) for pid in children):
        os.sched_yield()
    return said


def state_of(pid: int) -> str | None:
    """One letter, as in /proc; None when there is no such process."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return None


def descendants(pid: int) -> list[int]:
    """Children of a process and theirs: git runs in sessions of its own."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(folder.name)
            found += [child, *descendants(child)]
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.slow
@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_kills_in_mid_write(
    at: Repository, repository: RepositoryBuilder, kills: int, record_property: Callable[[str, object], None]
) -> None:
    seed = random.randrange(2**32)
    record_property("seed", seed)
    draw = random.Random(seed)
    acknowledged = 0
    for _ in range(kills):
        writer = start(COUNTER, repository)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        assert first
        time.sleep(draw.uniform(0, 0.05))  # the moment of the kill is what is drawn
        said = first + kill_whole(writer)
        acknowledged += len(said.split())
        found = GitStateStore(at, BUNDLE, TARGET).read().deployment
        assert found is not None
        # One more may have landed than was acknowledged: the report was cut off, not the write.
        assert acknowledged <= found.serial <= acknowledged + 1
        acknowledged = found.serial
        let_stale_locks_age(repository)
        count_up(GitStateStore(at, BUNDLE, TARGET), "after", 0)
        acknowledged += 1
    assert len(repository.git("rev-list", GitStateStore(at, BUNDLE, TARGET).ref).split()) == acknowledged
    assert len(list(GitStateStore(at, BUNDLE, TARGET).history())) == acknowledged
    repository.git("fsck", "--full", "--strict")


def let_stale_locks_age(repository: RepositoryBuilder) -> None:
    """A killed git may leave `<ref>.lock`; a minute later it is known to be stale."""
    for path in (repository.folder / ".git/refs/bundlectl").rglob("*.lock"):
        os.utime(path, (time.time() - 120,) * 2)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_holder_is_dead_at_once_and_its_apply_is_recovered(
    at: Repository, repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    holder = start(HOLDER, repository)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "begun\n"
    store = GitStateStore(at, BUNDLE, TARGET)
    recorded = store.read()
    assert recorded.deployment is not None and recorded.deployment.intent is not None
    open_apply = recorded.deployment.intent
    now_ms = intents.lease_end_ms(open_apply) - 200_000
    assert intents.state(open_apply, now_ms, host_facts(open_apply)) == intents.ALIVE
    holder.kill()
    holder.communicate()
    assert intents.state(open_apply, now_ms, host_facts(open_apply)) == intents.DEAD
    me = intent(deployment_id(2)).owner
    taken = recover(store, recorded, me, Note("recover", open_apply.deployment, "was killed"), now_ms=now_ms)
    assert taken.deployment is not None and taken.deployment.intent is not None
    assert taken.deployment.intent.ops == open_apply.ops
    done = end(store, begin(store, taken, intent(deployment_id(2)), clock), {"etl": {"name": "etl"}}, clock)
    assert done.deployment is not None
    assert (done.deployment.serial, done.deployment.fence) == (1, 3)


def test_after_a_reboot_the_holder_is_dead_whatever_runs_under_its_pid() -> None:
    here = ProcessIdentity("h", "boot-2", "pid:[1]", 1, 1)
    gone = Owner(actor="ann", host="h", boot_id="boot-1", pid_ns="pid:[1]", pid=os.getpid(), pid_start=1)
    opened = intents.leased(intent(deployment_id(1), by=gone), 1_795_428_000_000)
    assert intents.state(opened, 1_795_428_000_000, host_facts(opened, here)) == intents.DEAD
