"""Reading a hostile repository runs nothing of it: every place where git may start a program has a canary."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.git.chain import Chain
from bundlectl.git.repository import discover
from bundlectl.git.snapshot import append_code, describe, write_code_tree
from bundlectl.git.trees import open_tree, read_blobs
from bundlectl.model.source import SourceTree
from bundlectl.state.git_store import GitStateStore
from tests.builders import RepositoryBuilder

HOOKS = (
    "post-index-change", "post-checkout", "pre-commit", "post-commit", "reference-transaction", "fsmonitor-watchman",
    "pre-auto-gc", "post-rewrite", "commit-msg", "prepare-commit-msg", "post-merge", "update", "pre-push",
)  # fmt: skip


@pytest.fixture
def hostile(repository: RepositoryBuilder, tmp_path: Path) -> tuple[RepositoryBuilder, Callable[[], list[str]]]:
    """A repository in which anything that runs leaves a file; and what has been left."""
    nest = tmp_path / "canaries"
    nest.mkdir()
    repository.commit("first", {f"src/f{n}.py": f"x = {n}\n" for n in range(20)})
    repository.commit(
        "second", {"data.lock": "d\n", ".gitattributes": "* filter=evil diff=evil merge=evil ident text\n"}
    )

    def program(name: str) -> str:
        path = tmp_path / f"program-{name}"
        path.write_text(f"#!/bin/sh\ntouch {nest}/{name}\ncat\n")
        path.chmod(0o755)
        return str(path)

    for key in (
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.evil.command",
        "merge.evil.driver", "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass",
        "diff.external", "gpg.program", "alias.rev-parse", "alias.cat-file", "credential.helper",
        "uploadpack.packObjectsHook", "core.alternateRefsCommand", "core.gitProxy",
    ):  # fmt: skip
        repository.git("config", key, program(key))
    repository.git("config", "log.showSignature", "true")
    repository.git("config", "commit.gpgSign", "true")
    repository.git("config", "filter.evil.required", "true")
    hooks = repository.folder / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        path = hooks / hook
        path.write_text(f"#!/bin/sh\ntouch {nest}/hook-{hook}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    assert not list(nest.iterdir())
    return repository, lambda: sorted(path.name for path in nest.iterdir())


def make_dirty(repository: RepositoryBuilder) -> None:
    repository.write({"src/f1.py": "changed\n", "src/new.py": "new\n"})
    (repository.folder / "src/f2.py").unlink()


def make_racy(repository: RepositoryBuilder) -> None:
    """Every entry is as young as the index: git itself would have to look into each file, through the filter."""
    now = (repository.folder / ".git/index").stat().st_mtime_ns
    for path in (repository.folder / "src").iterdir():
        os.utime(path, ns=(now, now))


@pytest.mark.parametrize("prepare", [None, make_dirty, make_racy])
@pytest.mark.parametrize("ref", [None, "HEAD", "main~1"])
def test_nothing_runs(
    hostile: tuple[RepositoryBuilder, Callable[[], list[str]]],
    prepare: Callable[[RepositoryBuilder], None] | None,
    ref: str | None,
) -> None:
    repository, sung = hostile
    if prepare is not None:
        prepare(repository)
    at = discover(repository.folder, repository.environment)
    tree: SourceTree = open_tree(at, ref=ref, worktree=ref is None)
    entries = tree.list()
    tree.read(entries)
    snapshot, _ = describe(tree, list(entries), "", {})
    read_blobs(tree, [file.blob for file in snapshot.files])
    root = write_code_tree(at, tree, snapshot)
    append_code(at, "b", "t", root, snapshot.digest)
    assert list(Chain(at, "refs/bundlectl/code/b/t").walk())
    GitStateStore(at, "b", "t").read()
    at.origin_url()
    at.operation_in_progress()
    assert at.head_commit is not None
    at.is_ancestor(at.resolve("main~1"), at.head_commit)
    at.commits_between(at.resolve("main~1"), at.head_commit)
    at.subject(at.head_commit)
    assert sung() == []


def test_the_canaries_can_sing(hostile: tuple[RepositoryBuilder, Callable[[], list[str]]]) -> None:
    repository, sung = hostile
    make_dirty(repository)
    repository.git("update-ref", "refs/heads/x", "HEAD")
    with pytest.raises(subprocess.CalledProcessError):  # the filters talk no protocol, and are required
        repository.git("add", "src/f1.py")
    assert {"hook-reference-transaction", "core.fsmonitor", "filter.evil.process"} <= set(sung())
