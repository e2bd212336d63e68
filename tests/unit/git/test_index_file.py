"""The index is read as git reads it, in every layout; what is not read here is said, and damage is an error."""

import os
from pathlib import Path

import pytest

from bundlectl.git.index_file import UnreadableIndex, read_index
from bundlectl.model.errors import RepositoryError
from tests.builders import RepositoryBuilder

FILES = {
    "a.txt": "a",
    "dir/b.txt": "b",
    "dir/sub/c.sh": "c",
    "dir/sub/größe.txt": "d",
    "z" * 180 + "/" + "y" * 200: "e",
}


def listed(repository: RepositoryBuilder) -> list[tuple[str, int, str]]:
    lines = repository.git("ls-files", "--stage", "-z").split("\0")
    entries = [(line.split("\t")[1], *line.split("\t")[0].split(" ")[:2]) for line in lines if line]
    return [(path, int(mode, 8), blob) for path, mode, blob in entries]


def read(repository: RepositoryBuilder, algorithm: str = "sha1") -> list[tuple[str, int, str]]:
    index = read_index(repository.folder / ".git" / "index", algorithm)
    return [(entry.path, entry.mode, entry.blob) for entry in index.entries]


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version(repository: RepositoryBuilder, version: str) -> None:
    repository.git("config", "index.version", version)
    repository.commit("first", FILES)
    (repository.folder / "dir/sub/c.sh").chmod(0o755)
    os.symlink("a.txt", repository.folder / "link")
    repository.git("add", "--all")
    assert read(repository) == listed(repository)
    assert len(read(repository)) == 6


def test_sha256(tmp_path: Path, environment: dict[str, str]) -> None:
    repository = RepositoryBuilder(tmp_path / "r", {**environment, "GIT_DEFAULT_HASH": "sha256"})
    repository.commit("first", FILES)
    assert read(repository, "sha256") == listed(repository)


def test_the_tree_over_all_entries_is_known_while_it_holds(repository: RepositoryBuilder) -> None:
    repository.commit("first", FILES)
    path = repository.folder / ".git" / "index"
    assert read_index(path, "sha1").root_tree == repository.git("rev-parse", "HEAD^{tree}")
    repository.write({"a.txt": "changed"})
    repository.git("add", "a.txt")
    assert read_index(path, "sha1").root_tree is None


def test_no_index_is_an_empty_one(repository: RepositoryBuilder) -> None:
    assert read_index(repository.folder / ".git" / "index", "sha1").entries == []


def test_announced_and_conflicting_paths_are_set_apart(repository: RepositoryBuilder) -> None:
    repository.commit("base", {"a.txt": "a"})
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit("other", {"a.txt": "b"})
    repository.git("checkout", "--quiet", "main")
    repository.commit("mine", {"a.txt": "c"})
    with pytest.raises(Exception, match="merge"):
        repository.git("merge", "other")
    repository.write({"new.txt": "n"})
    repository.git("add", "--intent-to-add", "new.txt")
    index = read_index(repository.folder / ".git" / "index", "sha1")
    assert index.unsettled == ("a.txt", "new.txt")
    assert index.entries == []


def test_split_and_sparse_are_left_to_git(repository: RepositoryBuilder) -> None:
    repository.commit("first", {**FILES, **{f"many/{n}.txt": str(n) for n in range(50)}})
    path = repository.folder / ".git" / "index"
    repository.git("update-index", "--split-index")
    with pytest.raises(UnreadableIndex):
        read_index(path, "sha1")
    repository.git("update-index", "--no-split-index")
    repository.git("sparse-checkout", "set", "--cone", "--sparse-index", "dir")
    with pytest.raises(UnreadableIndex):
        read_index(path, "sha1")


def test_paths_left_out_by_a_sparse_checkout(repository: RepositoryBuilder) -> None:
    repository.commit("first", FILES)
    repository.git("sparse-checkout", "set", "--no-cone", "a.txt")
    index = read_index(repository.folder / ".git" / "index", "sha1")
    assert len(index.entries) == 5
    assert index.skipped == {path for path in FILES if path != "a.txt"}


@pytest.mark.parametrize("cut", [3, 11, 13, 40, 90, 200, -25])
def test_a_damaged_index_is_an_error_that_says_how_to_repair_it(repository: RepositoryBuilder, cut: int) -> None:
    repository.commit("first", FILES)
    path = repository.folder / ".git" / "index"
    path.write_bytes(path.read_bytes()[:cut] + b"\xff" * 7)
    try:
        index = read_index(path, "sha1")
    except RepositoryError as error:
        assert error.code == "BND602"
        assert "read-tree" in (error.hint or "")
    except UnreadableIndex:
        assert cut > 12
    else:
        assert len(index.entries) == 5  # only an optional extension at the end was hit
