"""What looking at state on a remote costs a plan at an unchanged tip: one look, whatever else the plan does.

Counted from outside, at a real command: processes of git, by a program of that name in front of it, and requests.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import RepositoryBuilder
from tests.git_server import bare_repository, serve
from tests.unit.operations.conftest import bundle

# Words of git's that open a connection.
CONNECTING = frozenset({"fetch", "ls-remote", "push", "clone", "pull", "remote"})


class Counted:
    """A deployed bundle, and the git processes of each command on it."""

    def __init__(self, repository: RepositoryBuilder, folder: Path) -> None:
        self.repository = repository
        self.log = folder / "log"
        shim = folder / "shim" / "git"
        shim.parent.mkdir(parents=True)
        shim.write_text(f'#!/bin/sh\necho "$*" >>"{self.log}"\nexec "{shutil.which("git")}" "$@"\n')
        shim.chmod(0o755)
        self.environment = {
            **os.environ,
            **repository.environment,
            "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, *words: str, expect: int = 0) -> list[str]:
        """The verbs of the git processes that a command started."""
        self.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "bundlectl", *words]
        done = subprocess.run(
            command, cwd=self.repository.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == expect, done.stderr
        return [_verb(line) for line in self.log.read_text().splitlines()]


def _verb(line: str) -> str:
    words = iter(line.split())
    for word in words:
        if word in ("-c", "-C"):
            next(words)
        elif not word.startswith("-"):
            return word
    raise AssertionError(line)


def _text(where: str, word: str = "one") -> str:
    return bundle(a=word, b="x").replace("{backend: local}", f"{{backend: local, state: {{remote: {where}}}}}")


@pytest.fixture
def deployed(repository: RepositoryBuilder, tmp_path: Path) -> Callable[[str], Counted]:
    def make(where: str) -> Counted:
        repository.commit("one", {"databricks.yml": _text(where)})
        counted = Counted(repository, tmp_path / "counted")
        counted.run("deploy", "--auto-approve")
        counted.run("plan")  # the caches are as they stay
        return counted

    return make


def test_an_unchanged_plan_looks_at_the_remote_once(
    deployed: Callable[[str], Counted], repository: RepositoryBuilder, tmp_path: Path
) -> None:
    far = bare_repository(tmp_path / "far" / "state.git", repository.environment)
    with serve(far.parent, repository.environment) as server:
        repository.git("remote", "add", "origin", server.url(far.name))
        counted = deployed("origin")
        server.requests.clear()
        verbs = counted.run("plan", "--detailed-exitcode")
        assert [verb for verb in verbs if verb in CONNECTING] == ["ls-remote"]
        # The capabilities of the other side, and its refs: one connection carries both.
        assert server.requests == [("GET", "git-upload-pack"), ("POST", "git-upload-pack")]

        server.requests.clear()
        repository.commit("two", {"databricks.yml": _text("origin", "two")})
        verbs = counted.run("plan", "--detailed-exitcode", expect=2)
        assert [verb for verb in verbs if verb in CONNECTING] == ["ls-remote"]
        assert len(server.requests) == 2


def test_a_remote_costs_one_look_and_one_reading_of_its_address(
    deployed: Callable[[str], Counted], repository: RepositoryBuilder, tmp_path: Path
) -> None:
    far = bare_repository(tmp_path / "far.git", repository.environment)
    repository.git("remote", "add", "origin", str(far))
    here = deployed(".").run("plan", "--detailed-exitcode")
    repository.commit("moved", {"databricks.yml": _text("origin")})
    there = Counted(repository, tmp_path / "there")
    shutil.rmtree(repository.environment["BUNDLECTL_ENGINE_DIR"])
    there.run("deploy", "--auto-approve")
    there.run("plan")
    found = there.run("plan", "--detailed-exitcode")
    extra = list(found)
    for verb in here:
        extra.remove(verb)
    assert extra == ["config", "ls-remote"]
