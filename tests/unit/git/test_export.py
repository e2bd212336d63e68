"""A copy of a tree on disk: contents and modes, nothing that leads out, nothing that runs."""

import os
from pathlib import Path

import pytest

from bundlectl.git.export import export
from bundlectl.git.repository import discover
from bundlectl.git.trees import FolderTree, open_tree
from bundlectl.model.errors import InputError
from tests.builders import RepositoryBuilder
from tests.unit.config.bundles import MemoryTree


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_commit_is_copied_as_it_is(
    repository: RepositoryBuilder, environment: dict[str, str], tmp_path: Path
) -> None:
    repository.write({"a/run.sh": "echo", "a/b/x.txt": "x", "c.txt": "c", ".gitattributes": "*.txt filter=boom\n"})
    (repository.folder / "a/run.sh").chmod(0o755)
    (repository.folder / "a/link").symlink_to("b/x.txt")
    (repository.folder / "a/gone").symlink_to("nowhere")
    (repository.folder / "a/out").symlink_to("/etc/passwd")
    (repository.folder / "a/folder").symlink_to("b")
    canary = tmp_path / "canary"
    repository.git("config", "filter.boom.smudge", f"touch {canary}")
    repository.commit()
    repository.write({"c.txt": "changed on disk", "new.txt": "not committed"})
    copy = tmp_path / "copy"
    copy.mkdir()
    export(open_tree(discover(repository.folder, environment), ref="HEAD", worktree=False), copy)
    assert _files(copy) == {
        ".gitattributes": "*.txt filter=boom\n",
        "a/b/x.txt": "x",
        "a/link": "x",
        "a/run.sh": "echo",
        "c.txt": "c",
    }
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    assert [os.access(copy / name, os.X_OK) for name in ("a/run.sh", "c.txt")] == [True, False]
    assert (copy / "c.txt").stat().st_mode & 0o077 == 0
    assert not canary.exists()


@pytest.mark.parametrize(
    ("below", "without", "names"),
    [
        ("", None, ["a/x", "ab/z", "v/lib/p"]),
        ("a", None, ["a/x"]),
        ("", "v", ["a/x", "ab/z"]),
        ("v", "v/lib", []),
    ],
)
def test_only_what_was_asked_for(tmp_path: Path, below: str, without: str | None, names: list[str]) -> None:
    tree = MemoryTree({"a/x": "1", "ab/z": "2", "v/lib/p": "3"})
    export(tree, tmp_path, below=below, without=without)
    assert list(_files(tmp_path)) == names


def test_a_folder_outside_git(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    (source / "a/x").write_text("1")
    copy = tmp_path / "copy"
    copy.mkdir()
    export(FolderTree(source), copy)
    assert _files(copy) == {"a/x": "1"}


@pytest.mark.parametrize("path", ["../x", "a/../../x", "./x", "a//x", "/x", ".."])
def test_a_tree_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    with pytest.raises(InputError) as refused:
        export(MemoryTree({path: "evil"}), folder)
    assert refused.value.code == "BND288"
    assert _files(tmp_path) == {}


def test_a_tree_with_a_name_that_is_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        export(MemoryTree({"a": "1", "a/b": "2"}), tmp_path)
    assert refused.value.code == "BND623"
