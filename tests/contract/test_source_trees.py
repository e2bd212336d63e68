"""The source suite on each tree; and that a commit and its clean checkout are one and the same."""

from pathlib import Path

import pytest

from bundlectl.git.repository import discover
from bundlectl.git.snapshot import describe
from bundlectl.git.trees import FolderTree, open_tree
from bundlectl.model.source import SourceTree
from tests.builders import RepositoryBuilder
from tests.contract.source_suite import EXECUTABLE, FILES, LINK, TARGET, SourceTreeSuite


def fill(folder: Path) -> None:
    """Writes the suite's files."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / EXECUTABLE).write_text("#!/bin/sh\n")
    (folder / EXECUTABLE).chmod(0o755)
    (folder / LINK).symlink_to(TARGET)


@pytest.fixture
def filled(repository: RepositoryBuilder) -> RepositoryBuilder:
    fill(repository.folder)
    repository.commit("first")
    return repository


def opened(repository: RepositoryBuilder, *, worktree: bool) -> SourceTree:
    return open_tree(discover(repository.folder, repository.environment), ref=None, worktree=worktree)


class TestCommitTree(SourceTreeSuite):
    @pytest.fixture
    def tree(self, filled: RepositoryBuilder) -> SourceTree:
        return opened(filled, worktree=False)


class TestCleanWorkingTree(SourceTreeSuite):
    @pytest.fixture
    def tree(self, filled: RepositoryBuilder) -> SourceTree:
        return opened(filled, worktree=True)


class TestDirtyWorkingTree(SourceTreeSuite):
    """Some files are committed, some staged, some neither, some were others."""

    @pytest.fixture
    def tree(self, repository: RepositoryBuilder) -> SourceTree:
        repository.commit("older", {"gone.txt": "x", "src.py": "older\n", "data": "a file, now a folder\n"})
        (repository.folder / "data").unlink()
        (repository.folder / "gone.txt").unlink()
        fill(repository.folder)
        repository.git("add", "src")
        return opened(repository, worktree=True)


class TestFolderTree(SourceTreeSuite):
    @pytest.fixture
    def tree(self, tmp_path: Path) -> SourceTree:
        fill(tmp_path / "folder")
        return FolderTree(tmp_path / "folder")


def test_a_commit_and_its_clean_checkout_agree(filled: RepositoryBuilder, tmp_path: Path) -> None:
    filled.git("clone", "--quiet", str(filled.folder), str(tmp_path / "clone"))
    at = discover(tmp_path / "clone", filled.environment)
    commit, disk = open_tree(at, ref="HEAD", worktree=False), open_tree(at, ref=None, worktree=True)
    assert disk.revision.dirty == ()
    assert (commit.revision.tree, commit.revision.commit) == (disk.revision.tree, disk.revision.commit)
    assert commit.list() == disk.list()
    assert commit.read(commit.list()) == disk.read(disk.list())
    assert describe(commit, FILES, "", {}) == describe(disk, FILES, "", {})


def test_a_dirty_tree_agrees_with_the_commit_made_of_it(filled: RepositoryBuilder) -> None:
    filled.write({"src/load.py": "changed\n", "new/file": "new\n"})
    (filled.folder / "src.py").unlink()
    dirty = opened(filled, worktree=True)
    snapshot = describe(dirty, ["src/load.py", "new/file"], "", {})
    filled.commit("second")
    commit = opened(filled, worktree=False)
    assert dirty.revision.tree == commit.revision.tree
    assert dirty.list() == commit.list()
    assert snapshot == describe(commit, ["src/load.py", "new/file"], "", {})


def test_a_snapshot_does_not_depend_on_the_object_format(
    filled: RepositoryBuilder, tmp_path: Path, environment: dict[str, str]
) -> None:
    other = RepositoryBuilder(tmp_path / "sha256", {**environment, "GIT_DEFAULT_HASH": "sha256"})
    fill(other.folder)
    other.commit("first")
    one, two = (describe(opened(made, worktree=True), FILES, "", {})[0] for made in (filled, other))
    assert one.digest == two.digest
    assert one.files[0].blob != two.files[0].blob
