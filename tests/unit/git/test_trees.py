"""Which tree is opened, and what the trees of commits and plain folders give."""

from pathlib import Path

import pytest

from bundlectl.git.repository import discover
from bundlectl.git.trees import CommitTree, FolderTree, open_tree, read_blobs
from bundlectl.git.worktree import WorkingTree
from bundlectl.model.errors import InputError, RepositoryError
from tests.builders import RepositoryBuilder


def test_a_commit_is_read_as_it_was(repository: RepositoryBuilder) -> None:
    first = repository.commit("first", {"a.txt": "one", "b/c.txt": "c"})
    repository.git("tag", "v1")
    repository.commit("second", {"a.txt": "two"})
    repository.write({"a.txt": "dirty", "new.txt": "new"})
    at = discover(repository.folder, repository.environment)
    tree = open_tree(at, ref="v1", worktree=False)
    assert isinstance(tree, CommitTree)
    assert (tree.revision.commit, tree.revision.ref, tree.revision.dirty) == (first, "refs/tags/v1", ())
    assert tree.label == f"commit {first[:7]}"
    assert set(tree.list()) == {"a.txt", "b/c.txt"}
    assert tree.read(["a.txt"]) == {"a.txt": b"one"}
    assert tree.exists_in_working_tree("new.txt")
    with pytest.raises(KeyError):
        tree.read(["new.txt"])


@pytest.mark.parametrize(
    ("ref", "full"),
    [(None, "refs/heads/main"), ("HEAD", "refs/heads/main"), ("main", "refs/heads/main"), ("side", "refs/heads/side"),
     ("refs/heads/side", "refs/heads/side"), ("main~1", None)],
)  # fmt: skip
def test_the_branch_that_was_read_is_known(repository: RepositoryBuilder, ref: str | None, full: str | None) -> None:
    repository.commit("first")
    repository.git("branch", "side")
    repository.commit("second")
    tree = open_tree(discover(repository.folder, repository.environment), ref=ref, worktree=False)
    assert tree.revision.ref == full


def test_opening_a_commit_lists_nothing(repository: RepositoryBuilder) -> None:
    repository.commit("first", {"a": "a"})
    at = discover(repository.folder, repository.environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at.git, "attempt", lambda *_, **__: pytest.fail("a process was started"))
        assert open_tree(at, ref="HEAD", worktree=False).revision.tree == at.head_tree


def test_what_cannot_be_opened(repository: RepositoryBuilder, tmp_path: Path) -> None:
    at = discover(repository.folder, repository.environment)
    with pytest.raises(RepositoryError, match="no commit yet"):
        open_tree(at, ref=None, worktree=False)
    assert isinstance(open_tree(at, ref=None, worktree=True), WorkingTree)
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(tmp_path / "bare"))
    with pytest.raises(RepositoryError, match="bare repository: give --ref"):
        open_tree(discover(tmp_path / "bare", repository.environment), ref=None, worktree=True)


def test_a_folder_outside_git(tmp_path: Path) -> None:
    (tmp_path / "f" / "sub").mkdir(parents=True)
    (tmp_path / "f" / ".git").mkdir()
    (tmp_path / "f" / ".git" / "config").write_text("x")
    (tmp_path / "f" / "sub" / "b.py").write_text("b")
    (tmp_path / "f" / "a.yml").write_text("a")
    (tmp_path / "f" / "link").symlink_to("/etc/passwd")
    tree = FolderTree(tmp_path / "f")
    assert (tree.revision.commit, tree.revision.tree) == (None, None)
    assert list(tree.list()) == ["a.yml", "link", "sub/b.py"]
    assert tree.read(["sub/b.py", "link"]) == {"sub/b.py": b"b", "link": b"/etc/passwd"}
    before = tree.list()["a.yml"]
    (tmp_path / "f" / "a.yml").write_text("aa")
    assert FolderTree(tmp_path / "f").list()["a.yml"] != before
    assert read_blobs(tree, [before.blob]) == {before.blob: b"aa"}
    (tmp_path / "f" / "a.yml").unlink()
    with pytest.raises(InputError, match='cannot read "a'):
        tree.read(["a.yml"])


def test_blobs_that_nobody_has(repository: RepositoryBuilder) -> None:
    repository.commit("first", {"a": "a"})
    at = discover(repository.folder, repository.environment)
    for source in (at, open_tree(at, ref="HEAD", worktree=False), open_tree(at, ref=None, worktree=True)):
        assert read_blobs(source, [repository.git("rev-parse", "HEAD:a")])
        with pytest.raises(RepositoryError):
            read_blobs(source, ["1" * 40])
    with pytest.raises(RepositoryError):
        read_blobs(FolderTree(repository.folder), ["1" * 40])
