"""Git is run with a scrubbed environment and within limits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.git.command import Git, GitOutputTooLarge, GitTimeout, scrubbed
from bundlectl.model.errors import RepositoryError
from tests.builders import RepositoryBuilder


@pytest.mark.parametrize(
    "name",
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_EXEC_PATH", "GIT_SSH_COMMAND", "LD_X"],
)
def test_nothing_of_the_invoker_but_a_few_names_reaches_git(name: str) -> None:
    assert name not in scrubbed({name: "x", "HOME": "/home/ann", "PATH": "/bin"})
    assert scrubbed({"HOME": "/home/ann"})["HOME"] == "/home/ann"


def test_another_repository_named_by_the_environment_is_not_read(
    new_repository: Callable[[str], RepositoryBuilder],
) -> None:
    here, other = new_repository("here"), new_repository("other")
    commit = here.commit("mine")
    other.commit("theirs")
    git = Git(here.folder, {**here.environment, "GIT_DIR": str(other.folder / ".git")})
    assert git.run(["rev-parse", "HEAD"]).decode().strip() == commit


def test_a_failure_says_which_command_and_what_git_said(repository: RepositoryBuilder) -> None:
    git = Git(repository.folder, repository.environment)
    with pytest.raises(RepositoryError, match=r'"git cat-file" failed: .*nope') as caught:
        git.run(["cat-file", "-p", "nope"])
    assert caught.value.code == "BND602"
    assert git.run(["cat-file", "-e", "nope"], ok=(0, 1, 128)) == b""


def test_a_child_that_writes_too_much_is_ended(repository: RepositoryBuilder) -> None:
    repository.commit("big", {"big.bin": b"x" * 5_000_000})
    git = Git(repository.folder, repository.environment)
    with pytest.raises(GitOutputTooLarge, match="more than 1000000 bytes"):
        git.run(["cat-file", "blob", "HEAD:big.bin"], max_output=1_000_000)
    assert len(git.run(["cat-file", "blob", "HEAD:big.bin"], max_output=6_000_000)) == 5_000_000


def test_input_larger_than_a_pipe_goes_in_and_comes_back(repository: RepositoryBuilder) -> None:
    git = Git(repository.folder, repository.environment)
    data = bytes(range(256)) * 20_000
    blob = git.run(["hash-object", "-w", "--stdin"], stdin=data).decode().strip()
    assert git.run(["cat-file", "blob", blob]) == data


def test_a_child_that_does_not_end_is_killed(repository: RepositoryBuilder, tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    environment = {**repository.environment, "PATH": f"{slow.parent}:/usr/bin:/bin"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment["PATH"])
        with pytest.raises(GitTimeout, match=r"did not end within 0\.2 s"):
            Git(repository.folder, environment).run(["status"], timeout_s=0.2)


def test_a_machine_without_git_is_told_so(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(RepositoryError, match="git was not found"):
            Git(tmp_path, {"PATH": str(tmp_path)}).run(["version"])
