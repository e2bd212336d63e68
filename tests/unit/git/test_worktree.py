"""A working tree is exactly what `git add --all` would make of it, found without running or writing anything."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundlectl.git.repository import discover
from bundlectl.git.worktree import WorkingTree
from bundlectl.model.errors import RepositoryError
from tests.builders import RepositoryBuilder

FILES = {
    "a.txt": "a\n",
    "dir/b.txt": "b\n",
    "dir/sub/c.txt": "c\n",
    "run.sh": "#!/bin/sh\n",
    ".gitignore": "*.log\nout/\n",
}


def opened(repository: RepositoryBuilder) -> WorkingTree:
    return WorkingTree(discover(repository.folder, repository.environment))


def written_by_git(repository: RepositoryBuilder) -> str:
    """The tree that git would commit now, by an index of its own."""
    index = repository.folder.parent / "other-index"
    index.unlink(missing_ok=True)
    own = repository.folder / ".git" / "index"
    if own.exists():
        shutil.copy2(own, index)
    environment = {**repository.environment, "GIT_INDEX_FILE": str(index)}
    other = RepositoryBuilder.__new__(RepositoryBuilder)
    other.folder, other.environment = repository.folder, environment
    other.git("add", "--all")
    return other.git("write-tree")


def settle(repository: RepositoryBuilder) -> None:
    """Makes every file older than the index, as in a repository that has stood for a moment."""
    for path in repository.folder.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            os.utime(path, ns=(1_700_000_000_000_000_000,) * 2)
    repository.git("update-index", "--refresh")


@pytest.fixture
def settled(repository: RepositoryBuilder) -> RepositoryBuilder:
    repository.write(FILES)
    (repository.folder / "run.sh").chmod(0o755)
    (repository.folder / "link").symlink_to("dir/b.txt")
    repository.commit("first")
    settle(repository)
    return repository


def test_a_clean_tree_is_heads(settled: RepositoryBuilder) -> None:
    tree = opened(settled)
    assert tree.revision.dirty == ()
    assert tree.revision.tree == settled.git("rev-parse", "HEAD^{tree}")
    assert tree.revision.commit == settled.git("rev-parse", "HEAD")
    assert (tree.revision.branch, tree.revision.working_tree) == ("main", True)
    assert tree.list()["run.sh"].mode == "100755"
    assert tree.read(["link", "a.txt"]) == {"link": b"dir/b.txt", "a.txt": b"a\n"}


def test_a_clean_tree_is_not_read_again(settled: RepositoryBuilder) -> None:
    """The stat data decides: nothing is hashed, though the content is another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bundlectl.git.beneath.Beneath.blob_id", lambda *_: pytest.fail("a file was hashed"))
        assert opened(settled).revision.dirty == ()


# What is done in the working tree, and which paths are dirty then.
CHANGES = {
    "modified": ("echo changed > a.txt", {"a.txt"}),
    "same size": ("echo b > a.txt", {"a.txt"}),
    "touched": ("touch a.txt", set()),
    "removed": ("rm dir/b.txt", {"dir/b.txt"}),
    "folder removed": ("rm -r dir", {"dir/b.txt", "dir/sub/c.txt"}),
    "executable": ("chmod +x a.txt", {"a.txt"}),
    "no longer executable": ("chmod -x run.sh", {"run.sh"}),
    "new": ("echo n > dir/new.txt", {"dir/new.txt"}),
    "new in a new folder": ("mkdir -p n/e/w; echo n > n/e/w/x", {"n/e/w/x"}),
    "ignored": ("echo n > x.log", set()),
    "odd name": ("echo n > 'line\nbreak'", {"line\nbreak"}),
    "link moved": ("ln -sfn a.txt link", {"link"}),
    "file to link": ("ln -sfn run.sh a.txt", {"a.txt"}),
    "file to folder": ("rm a.txt; mkdir a.txt; echo n > a.txt/in", {"a.txt", "a.txt/in"}),
    "folder to link": ("rm -r dir; ln -s /etc dir", {"dir", "dir/b.txt", "dir/sub/c.txt"}),
    "pipe": ("rm a.txt; mkfifo a.txt", {"a.txt"}),
    "empty folder": ("mkdir empty", set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_kind_of_change(settled: RepositoryBuilder, name: str) -> None:
    script, dirty = CHANGES[name]
    subprocess.run(["sh", "-ec", script], cwd=settled.folder, check=True)
    tree = opened(settled)
    assert set(tree.revision.dirty) == dirty
    assert list(tree.revision.dirty) == sorted(dirty)
    if name != "pipe":  # git itself refuses to add one
        assert tree.revision.tree == written_by_git(settled)
    assert tree.read(tree.list()).keys() == tree.list().keys()


def test_a_change_in_the_tick_of_the_index_is_found(repository: RepositoryBuilder) -> None:
    """Racy: same size, same times; only the content tells."""
    repository.commit("first", {"a.txt": "aaaa"})
    path, index = repository.folder / "a.txt", repository.folder / ".git/index"
    before = path.stat()
    path.write_text("bbbb")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(index, ns=(before.st_mtime_ns,) * 2)
    assert opened(repository).revision.dirty == ("a.txt",)


def test_staged_changes_count_against_head(settled: RepositoryBuilder) -> None:
    settled.write({"a.txt": "staged\n", "added.txt": "x"})
    settled.git("add", "--all")
    settled.git("rm", "--quiet", "--cached", "dir/b.txt")
    (settled.folder / "dir/b.txt").unlink()
    tree = opened(settled)
    assert tree.revision.dirty == ("a.txt", "added.txt", "dir/b.txt")
    assert tree.revision.tree == written_by_git(settled)
    settled.write({"a.txt": "a\n"})  # the disk is as HEAD again, whatever the index says
    assert "a.txt" not in opened(settled).revision.dirty


def test_merge_conflicts_are_taken_from_disk(settled: RepositoryBuilder) -> None:
    settled.git("checkout", "--quiet", "-b", "other")
    settled.commit("other", {"a.txt": "theirs\n"})
    settled.git("checkout", "--quiet", "main")
    settled.commit("mine", {"a.txt": "mine\n"})
    with pytest.raises(subprocess.CalledProcessError):
        settled.git("merge", "other")
    tree = opened(settled)
    assert tree.revision.dirty == ("a.txt",)
    assert b"<<<<<<<" in tree.read(["a.txt"])["a.txt"]
    assert tree.revision.tree == written_by_git(settled)


def test_before_the_first_commit(repository: RepositoryBuilder) -> None:
    repository.write({"a.txt": "a", "b/c": "c"})
    repository.git("add", "a.txt")
    tree = opened(repository)
    assert tree.revision.commit is None
    assert tree.revision.dirty == ("a.txt", "b/c")
    assert tree.revision.tree == written_by_git(repository)


@pytest.mark.parametrize("layout", ["split", "sparse", "version 4", "sparse files"])
def test_every_layout_of_the_index(settled: RepositoryBuilder, layout: str) -> None:
    if layout == "split":
        settled.git("update-index", "--split-index")
    elif layout == "sparse":
        settled.git("sparse-checkout", "set", "--cone", "--sparse-index", "nothing")
    elif layout == "version 4":
        settled.git("update-index", "--index-version", "4")
    else:
        settled.git("sparse-checkout", "set", "--no-cone", "/*.txt")
    assert opened(settled).revision.dirty == ()
    settled.write({"a.txt": "changed"})
    tree = opened(settled)
    assert tree.revision.dirty == ("a.txt",)
    assert tree.read(["dir/b.txt", "a.txt"]) == {"dir/b.txt": b"b\n", "a.txt": b"changed"}


def test_repositories_inside_are_not_read(
    settled: RepositoryBuilder, new_repository: Callable[[str], RepositoryBuilder]
) -> None:
    inner = RepositoryBuilder(settled.folder / "vendor", settled.environment)
    inner.commit("inner", {"x": "x"})
    assert opened(settled).revision.dirty == ()
    module = new_repository("module")
    module.commit("module", {"m": "m"})
    settled.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(module.folder), "module")
    settled.git("add", ".gitmodules", "module")
    settled.git("commit", "--quiet", "--message=module")
    (settled.folder / "module/m").write_text("changed inside")
    tree = opened(settled)
    assert tree.revision.dirty == ()
    assert tree.list()["module"].mode == "160000"
    assert "module/m" not in tree.list()


def test_a_file_system_without_execute_bits(settled: RepositoryBuilder) -> None:
    settled.git("config", "core.fileMode", "false")
    (settled.folder / "a.txt").chmod(0o755)
    (settled.folder / "run.sh").chmod(0o644)
    assert opened(settled).revision.dirty == ()


def test_a_file_that_changes_between_listing_and_reading_is_an_error(settled: RepositoryBuilder) -> None:
    settled.write({"a.txt": "one"})
    tree = opened(settled)
    settled.write({"a.txt": "two"})
    with pytest.raises(RepositoryError, match=r'"a\.txt" changed while it was being read'):
        tree.read(["a.txt"])
    with pytest.raises(KeyError):
        tree.read(["nope"])


def test_contents_by_blob(settled: RepositoryBuilder) -> None:
    settled.write({"a.txt": "only on disk"})
    tree = opened(settled)
    ids = {path: tree.list()[path].blob for path in ("a.txt", "dir/b.txt")}
    assert tree.blobs(ids.values()) == {ids["a.txt"]: b"only on disk", ids["dir/b.txt"]: b"b\n"}
    assert tree.exists_in_working_tree("dir/b.txt")
    assert not tree.exists_in_working_tree("../repository/a.txt")


def test_looking_changes_nothing(settled: RepositoryBuilder) -> None:
    def everything() -> dict[str, bytes]:
        folder = settled.folder / ".git"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    settled.write({"a.txt": "dirty", "new.txt": "new"})
    before = everything()
    tree = opened(settled)
    tree.read(tree.list())
    assert everything() == before


names = st.sampled_from(["a", "b.txt", "c", "d.sh"])
file_paths = st.lists(names, min_size=1, max_size=3).map("/".join)
steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "remove", "exec", "stage", "commit", "link"]), file_paths, st.sampled_from("123")
    ),
    max_size=12,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=steps)
def test_any_history_of_changes_gives_the_tree_that_git_gives(
    steps: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> None:
    repository = RepositoryBuilder(tmp_path_factory.mktemp("any") / "r", environment)
    for what, name, text in steps:
        path = repository.folder / name
        if what == "commit":
            repository.commit(text)
        elif what == "stage":
            repository.git("add", "--all")
        elif any(parent.is_symlink() or parent.is_file() for parent in path.parents):
            continue
        elif what == "remove" and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif what == "remove":
            path.unlink(missing_ok=True)
        elif path.is_dir():
            continue
        elif what == "link":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(text)
        elif what == "exec" and path.is_file() and not path.is_symlink():
            path.chmod(0o755)
        elif what == "write" and not path.is_symlink():
            repository.write({name: text})
    tree = opened(repository)
    assert tree.revision.tree == written_by_git(repository)
    head = repository.git("rev-parse", "HEAD^{tree}") if tree.revision.commit else None
    if head is not None:
        assert (tree.revision.tree == head) == (tree.revision.dirty == ())
        changed = repository.git("diff-tree", "-r", "--name-only", "-z", head, written_by_git(repository)).split("\0")
        assert set(tree.revision.dirty) == set(filter(None, changed))
