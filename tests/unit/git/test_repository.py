"""Where a command works and what a ref means; each way in which that fails has its own code and says what to do."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.git.repository import Repository, discover
from bundlectl.model.errors import RepositoryError
from tests.builders import RepositoryBuilder


def at(repository: RepositoryBuilder, below: str = "") -> Repository:
    return discover(repository.folder / below, repository.environment)


def refused(code: str, call: Callable[[], object]) -> RepositoryError:
    with pytest.raises(RepositoryError) as caught:
        call()
    assert caught.value.code == code, caught.value.summary
    assert caught.value.exit_code == 1
    return caught.value


def test_a_repository_is_found_from_any_folder_below(repository: RepositoryBuilder) -> None:
    commit = repository.commit("first", {"a/b/c.txt": "x"})
    found = at(repository, "a/b")
    assert found.top == repository.folder.resolve()
    assert found.git_dir == found.private_dir == repository.folder.resolve() / ".git"
    assert (found.prefix, found.bare, found.algorithm) == ("a/b", False, "sha1")
    assert (found.head_commit, found.head_ref) == (commit, "refs/heads/main")
    assert found.head_tree == repository.git("rev-parse", "HEAD^{tree}")
    assert at(repository).prefix == ""


def test_finding_takes_one_process(repository: RepositoryBuilder, tmp_path: Path) -> None:
    repository.commit("first", {"a/x": "x"})
    log = tmp_path / "calls"
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {real} "$@"\n')
    spy.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
        discover(repository.folder / "a", {**repository.environment, "PATH": os.environ["PATH"]})
    assert len(log.read_text().splitlines()) == 1


def test_through_a_link_and_with_a_file_called_head(repository: RepositoryBuilder, tmp_path: Path) -> None:
    repository.commit("first", {"a/HEAD": "x", "a/b/x": "y"})
    (tmp_path / "link").symlink_to(repository.folder / "a")
    found = discover(tmp_path / "link" / "b", repository.environment)
    assert (found.top, found.prefix) == (repository.folder.resolve(), "a/b")
    assert at(repository, "a").head_commit is not None


def test_a_detached_head_has_no_ref(repository: RepositoryBuilder) -> None:
    commit = repository.commit("first")
    repository.git("checkout", "--quiet", "--detach")
    assert (at(repository).head_commit, at(repository).head_ref) == (commit, None)


def test_a_linked_working_tree_shares_the_repository(repository: RepositoryBuilder, tmp_path: Path) -> None:
    commit = repository.commit("first", {"x": "x"})
    repository.git("worktree", "add", "--quiet", "-b", "second", str(tmp_path / "second"))
    found = discover(tmp_path / "second", repository.environment)
    assert found.top == tmp_path / "second"
    assert found.git_dir == repository.folder.resolve() / ".git"
    assert found.private_dir == repository.folder.resolve() / ".git/worktrees/second"
    assert (found.head_commit, found.head_ref) == (commit, "refs/heads/second")


def test_before_the_first_commit(repository: RepositoryBuilder) -> None:
    found = at(repository)
    assert (found.head_commit, found.head_tree, found.head_ref) == (None, None, "refs/heads/main")
    assert refused("BND603", lambda: found.resolve("HEAD")).summary == "no commit yet"


def test_a_bare_repository_can_be_read_by_ref(repository: RepositoryBuilder, tmp_path: Path) -> None:
    commit = repository.commit("first", {"x": "x"})
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(tmp_path / "bare.git"))
    found = discover(tmp_path / "bare.git", repository.environment)
    assert found.bare
    assert found.resolve("main") == commit


def test_not_a_repository(tmp_path: Path, repository: RepositoryBuilder) -> None:
    (tmp_path / "plain").mkdir()
    error = refused("BND601", lambda: discover(tmp_path / "plain", repository.environment))
    assert error.summary == "not a git repository"
    assert error.hint
    refused("BND601", lambda: discover(tmp_path / "nowhere", repository.environment))
    refused("BND601", lambda: discover(repository.folder / ".git", repository.environment))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_repository(repository: RepositoryBuilder) -> None:
    repository.commit("first")
    for path in (repository.folder, repository.folder / ".git"):
        os.chown(path, 12345, 12345)
    error = refused("BND610", lambda: at(repository))
    assert error.summary == "repository belongs to another user"
    assert "safe.directory" in (error.hint or "")


def test_damage_is_no_fresh_start(repository: RepositoryBuilder) -> None:
    commit = repository.commit("first")
    objects = repository.folder / ".git/objects"
    (objects / commit[:2] / commit[2:]).unlink()
    assert "git fsck" in (refused("BND602", lambda: at(repository)).hint or "")
    (repository.folder / ".git/refs/heads/main").write_text("garbage\n")
    refused("BND602", lambda: at(repository))
    (repository.folder / ".git/config").write_text("[core\n")
    refused("BND602", lambda: at(repository))


def test_what_refs_mean(repository: RepositoryBuilder) -> None:
    first = repository.commit("first")
    second = repository.commit("second")
    repository.git("tag", "--annotate", "--message=v1", "v1", first)
    repository.git("branch", "feature/x", first)
    found = at(repository)
    for ref, commit in [
        ("HEAD", second), ("@", second), ("main", second), ("refs/heads/main", second), ("HEAD~1", first),
        ("main^", first), ("v1", first), ("feature/x", first), (first, first), (first[:8], first),
    ]:  # fmt: skip
        assert found.resolve(ref) == commit, ref


def test_unknown_refs_name_the_nearest(repository: RepositoryBuilder) -> None:
    repository.commit("first")
    repository.git("branch", "release")
    error = refused("BND604", lambda: at(repository).resolve("relaese"))
    assert error.summary == 'unknown ref "relaese"; did you mean "release"?'
    refused("BND604", lambda: at(repository).resolve("1" * 40))
    assert "did you mean" not in refused("BND604", lambda: at(repository).resolve("zzzzzz")).summary


def test_ambiguous_refs(repository: RepositoryBuilder) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}") if repository.commit("first") else ""
    seen: dict[str, str] = {}
    prefix = None
    for number in range(3000):  # enough for two commits that begin alike
        commit = repository.git("commit-tree", "-m", str(number), tree) if number < 400 else ""
        if not commit:
            break
        if commit[:4] in seen:
            prefix = commit[:4]
            break
        seen[commit[:4]] = commit
    if prefix is not None:
        assert "names several commits" in refused("BND605", lambda: at(repository).resolve(prefix)).summary
    repository.git("tag", "both", "HEAD")
    repository.git("branch", "both", "HEAD")
    assert at(repository).resolve("both") == repository.git("rev-parse", "HEAD")
    repository.commit("second")
    repository.git("branch", "--force", "both", "HEAD")
    error = refused("BND605", lambda: at(repository).resolve("both"))
    assert "refs/tags/both" in (error.hint or "")


def test_trees_and_files_are_no_commits(repository: RepositoryBuilder) -> None:
    repository.commit("first", {"x": "x"})
    found = at(repository)
    assert found.head_tree is not None
    assert "is a tree, not a commit" in refused("BND607", lambda: found.resolve(str(found.head_tree))).summary
    blob = repository.git("rev-parse", "HEAD:x")
    assert "is a file, not a commit" in refused("BND607", lambda: found.resolve(blob)).summary


def test_a_bad_form_starts_no_process(repository: RepositoryBuilder) -> None:
    repository.commit("first")
    found = at(repository)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found.git, "attempt", lambda *_, **__: pytest.fail("a process was started"))
        refused("BND606", lambda: found.resolve("--output=p"))
    assert not (repository.folder / "p").exists()


def test_how_commits_are_related(repository: RepositoryBuilder) -> None:
    first = repository.commit("first commit\n\nwith a body")
    second, third = repository.commit("second"), repository.commit("third: größer")
    found = at(repository)
    assert found.is_ancestor(first, third)
    assert found.is_ancestor(third, third)
    assert not found.is_ancestor(third, second)
    assert [found.commits_between(one, third) for one in (first, second, third)] == [2, 1, 0]
    assert found.commits_between(third, first) == 0
    assert found.commits_between("1" * 40, third) is None
    assert found.subject(third) == "third: größer"
    assert found.subject(first) == "first commit"
    assert found.has_commit(first)
    assert not found.has_commit("1" * 40)
    refused("BND608", lambda: found.is_ancestor("1" * 40, third))
    refused("BND602", lambda: found.subject("1" * 40))


def test_where_two_commits_went_apart(repository: RepositoryBuilder) -> None:
    base = repository.commit("base")
    repository.git("checkout", "--quiet", "-b", "side")
    side = repository.commit("side")
    repository.git("checkout", "--quiet", "main")
    main = repository.commit("main")
    found = at(repository)
    assert found.merge_base(main, side) == found.merge_base(side, main) == base
    assert found.merge_base(base, side) == base
    assert found.merge_base(main, main) == main
    refused("BND608", lambda: found.merge_base(main, "1" * 40))
    repository.git("checkout", "--quiet", "--orphan", "other")
    other = repository.commit("other")
    refused("BND608", lambda: found.merge_base(main, other))


def test_gitpython_gets_the_scrubbed_environment(
    new_repository: Callable[[str], RepositoryBuilder],
) -> None:
    here, other = new_repository("here"), new_repository("other")
    first, second = here.commit("first"), here.commit("second")
    other.commit("theirs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_DIR", str(other.folder / ".git"))
        patch.setenv("GIT_TRACE", str(here.folder / "trace"))
        assert at(here).commits_between(first, second) == 1
        assert at(here).subject(second) == "second"


def test_gitpython_is_not_loaded_for_what_a_plan_asks(repository: RepositoryBuilder) -> None:
    first = repository.commit("first", {"x": "x"})
    second = repository.commit("second")
    code = (
        "import os, sys, pathlib\n"
        "from bundlectl.git.repository import discover\n"
        "from bundlectl.git.trees import open_tree\n"
        "r = discover(pathlib.Path(sys.argv[1]), os.environ)\n"
        "open_tree(r, ref=None, worktree=True); open_tree(r, ref='main', worktree=False).list()\n"
        "r.is_ancestor(sys.argv[2], sys.argv[3]); r.origin_url(); r.operation_in_progress()\n"
        "sys.exit(sum(name in sys.modules for name in ('git', 'pydantic', 'asyncio', 'logging')))\n"
    )
    top = Path(__file__).parents[3]
    arguments = [sys.executable, "-c", code, str(repository.folder), first, second]
    done = subprocess.run(arguments, cwd=top, env={**repository.environment, "PYTHONPATH": str(top)}, check=False)
    assert done.returncode == 0


def test_origin(repository: RepositoryBuilder) -> None:
    assert at(repository).origin_url() is None
    repository.git("remote", "add", "origin", "https://ann:secret@git.example/acme/jobs.git")
    assert at(repository).origin_url() == "https://git.example/acme/jobs.git"
    (repository.folder / "more").write_text('[remote "origin"]\n\turl = https://later.example/x\n')
    repository.git("config", "include.path", str(repository.folder / "more"))
    assert at(repository).origin_url() == "https://later.example/x"


@pytest.mark.parametrize(
    ("name", "what"), [("MERGE_HEAD", "merge"), ("rebase-merge", "rebase"), ("CHERRY_PICK_HEAD", "cherry-pick")]
)
def test_operations_in_progress(repository: RepositoryBuilder, name: str, what: str) -> None:
    assert at(repository).operation_in_progress() is None
    (repository.folder / ".git" / name).mkdir()
    assert at(repository).operation_in_progress() == what
