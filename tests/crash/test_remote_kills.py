"""Writers of state on a remote are killed at every step and race each other: nothing acknowledged is lost, the remote
is never damaged, and nobody is blocked, whether the killed one's disk is kept or gone.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.state_suite import BUNDLE, TARGET
from tests.crash.test_state_crash import kill_whole
from tests.git_server import bare_repository, serve
from tests.remotes import Client

TOP = str(Path(__file__).parents[2])
REF = f"refs/bundlectl/state/{BUNDLE}/{TARGET}"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


class Far:
    """A remote, how it is reached, and the processes that write to it."""

    def __init__(self, path: Path, url: str, folder: Path, environment: dict[str, str]) -> None:
        self.path = path
        self.url = url
        self.folder = folder
        self.environment = {**environment, "PYTHONPATH": TOP}

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.remote_process", *words],
            cwd=TOP,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> int:
        process = self.start(*words)
        told = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), told
        return process.returncode

    def client(self, name: str) -> Path:
        """Folders of one runner."""
        return self.folder / name

    def serial(self) -> int:
        """How many updates the remote has."""
        found = Client(self.client("judge"), self.url, self.environment, form="ref").store().read().deployment
        return found.serial if found is not None else 0

    def check(self, updates: int) -> None:
        assert self.serial() == updates
        assert len(self.git("rev-list", "--first-parent", REF).split()) == updates
        self.git("fsck", "--full", "--strict")
        assert not list((self.path / "refs").rglob("*.lock"))


@contextmanager
def reached(transport: str, folder: Path, environment: dict[str, str]) -> Iterator[Far]:
    path = bare_repository(folder / "far" / "state.git", environment)
    with serve(path.parent, environment) as server:
        url = server.url(path.name) if transport == "http" else str(path)
        yield Far(path, url, folder, environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transport", "disk"),
    [
        ("file", "lost"),
        pytest.param("file", "kept", marks=pytest.mark.soak),
        pytest.param("http", "lost", marks=pytest.mark.soak),
        ("http", "kept"),
    ],
)
def test_a_kill_at_every_step_of_a_write(
    tmp_path: Path, environment: dict[str, str], transport: str, disk: str
) -> None:
    with reached(transport, tmp_path, environment) as far:
        far.run("update", far.url, str(far.client("one")))
        updates, step = 1, 0
        while True:
            step += 1
            code = far.run("bomb", str(step), far.url, str(far.client("one")))
            found = far.serial()
            assert updates <= found <= updates + 1, f"step {step}"
            if code == 0:
                assert found == updates + 1
                break
            if disk == "lost":
                shutil.rmtree(far.client("one"))
            far.run("update", far.url, str(far.client("one")))
            updates = found + 1
            assert far.serial() == updates, f"step {step}"
        assert step > 10
        far.check(updates + 1)


# Kills from inside the push, by a hook of the remote: who is killed, and on which side of the effect.
HOOKS = {
    "the client, before the effect": ("pre-receive", "kill -9 $(cat {pid})"),
    "the client, after the effect": ("post-receive", "kill -9 $(cat {pid})"),
    "the receiver, before the effect": ("pre-receive", "kill -9 $PPID"),
    "the receiver, after the effect": ("post-receive", "kill -9 $PPID"),
}


@pytest.mark.slow
@pytest.mark.parametrize("who", HOOKS)
@pytest.mark.parametrize("transport", ["file", pytest.param("http", marks=pytest.mark.soak)])
def test_a_kill_in_mid_push(tmp_path: Path, environment: dict[str, str], transport: str, who: str) -> None:
    name, command = HOOKS[who]
    pid, armed = tmp_path / "pid", tmp_path / "armed"
    with reached(transport, tmp_path, environment) as far:
        far.run("update", far.url, str(far.client("one")))
        hook = far.path / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\nif [ -e {armed} ]; then rm {armed}; {command.format(pid=pid)}; fi\nexit 0\n")
        hook.chmod(0o755)
        for round_ in range(2):
            armed.touch()
            process = far.start("update", far.url, str(far.client("one")))
            pid.write_text(str(process.pid))
            told = process.communicate()
            killed = process.returncode == -signal.SIGKILL
            assert killed == ("client" in who), told
            assert killed or process.returncode == 0, told
            landed = _settled(far)
            # An update whose writer lived was acknowledged; one whose writer was killed may have landed.
            assert landed >= 1 + round_ * 2 + (0 if killed else 1)
            _age_locks(far)
            far.run("update", far.url, str(far.client("two" if round_ else "one")))
            far.check(landed + 1)
            if landed + 1 != 1 + (round_ + 1) * 2:
                far.run("update", far.url, str(far.client("one")))


def _settled(far: Far) -> int:
    """The count once what the killed ones left running has ended."""
    count = far.serial()
    while True:
        time.sleep(0.3)
        now = far.serial()
        if now == count:
            return now
        count = now


def _age_locks(far: Far) -> None:
    """A killed receiver may leave `<ref>.lock`; a minute later it is known to be stale."""
    for path in (far.path / "refs").rglob("*.lock"):
        os.utime(path, (time.time() - 120,) * 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transport", "pipelines", "deploys"),
    [
        ("file", 4, 5),
        ("http", 3, 3),
        pytest.param("http", 4, 5, marks=pytest.mark.soak),
        pytest.param("file", 8, 25, marks=pytest.mark.soak),
        pytest.param("http", 8, 25, marks=pytest.mark.soak),
    ],
)
def test_pipelines_race_and_one_is_killed_every_second(
    tmp_path: Path,
    environment: dict[str, str],
    transport: str,
    pipelines: int,
    deploys: int,
    record_property: Callable[[str, object], None],
) -> None:
    seed = random.randrange(2**32)
    record_property("seed", seed)
    draw = random.Random(seed)
    acknowledged: list[str] = []
    kills = 0
    with reached(transport, tmp_path, environment) as far:
        words = {
            name: ("pipeline", name, str(deploys), far.url, str(far.client(name)))
            for name in (f"p{number}" for number in range(pipelines))
        }
        for name in words:
            far.client(name).mkdir()
        running = {name: far.start(*words[name]) for name in words}
        last = time.monotonic()
        while running:
            for name, process in list(running.items()):
                if process.poll() is not None:
                    told, complaints = process.communicate()
                    assert process.returncode == 0, complaints
                    acknowledged += told.split()
                    del running[name]
            if running and time.monotonic() - last >= 1 and kills < pipelines * deploys:
                last = time.monotonic()
                name = draw.choice(sorted(running))
                acknowledged += kill_whole(running[name]).split()
                kills += 1
                _age_locks(far)
                running[name] = far.start(*words[name])
            time.sleep(0.02)
        record_property("kills", kills)
        _judge(far, acknowledged, pipelines, deploys)


def _judge(far: Far, acknowledged: list[str], pipelines: int, deploys: int) -> None:
    """Every deploy that was acknowledged is in the chain once; the chain has no more ends than its serial says."""
    store = Client(far.client("judge"), far.url, far.environment, form="ref").store()
    entries = list(store.history())
    ended = [entry.manifest["id"] for entry in entries if entry.manifest is not None]
    assert len(ended) == len(set(ended))
    assert set(acknowledged) <= set(ended)
    assert len(acknowledged) >= pipelines * deploys - sum(
        len(list(far.client(f"p{number}").glob("ended-*"))) == 0 for number in range(pipelines)
    )
    found = store.read().deployment
    assert found is not None and found.intent is None
    assert found.serial == len(ended)
    assert sum(int(entry.split("=")[1]) for entry in found.debt) == len(ended)  # no update was lost
    serials = [entry.serial for entry in entries if entry.verb == "apply-end"]
    assert serials == list(range(len(ended), 0, -1))
    assert len(far.git("rev-list", "--first-parent", REF).split()) == len(entries)
    assert far.git("rev-list", "--min-parents=2", REF) == ""
    far.git("fsck", "--full", "--strict")
