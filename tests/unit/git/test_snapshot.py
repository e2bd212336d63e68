"""Digest, links and code trees of a snapshot."""

import hashlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.git.repository import discover
from bundlectl.git.snapshot import (
    append_code,
    blobs,
    code_ref,
    describe,
    read_code_tree,
    snapshot_digest,
    write_code_tree,
)
from bundlectl.git.trees import open_tree
from bundlectl.model.errors import InputError
from bundlectl.model.source import SnapshotFile, SourceTree
from tests.builders import RepositoryBuilder

FILES = {
    "jobs/src/load.py": "load\n",
    "jobs/src/sub/größe.py": "size\n",
    "shared/util.py": "util\n",
    "README": "read\n",
}


@pytest.fixture
def filled(repository: RepositoryBuilder) -> RepositoryBuilder:
    repository.write(FILES)
    (repository.folder / "jobs/run.sh").write_text("run\n")
    (repository.folder / "jobs/run.sh").chmod(0o755)
    repository.commit("first")
    return repository


def head(repository: RepositoryBuilder) -> SourceTree:
    return open_tree(discover(repository.folder, repository.environment), ref="HEAD", worktree=False)


def disk(repository: RepositoryBuilder) -> SourceTree:
    return open_tree(discover(repository.folder, repository.environment), ref=None, worktree=True)


def test_the_digest_is_the_documented_one(filled: RepositoryBuilder) -> None:
    paths = ["jobs/src/sub/größe.py", "jobs/run.sh", "jobs/src/load.py"]
    snapshot, learned = describe(head(filled), paths, "jobs", {})
    lines = [
        ("100755", b"run\n", "run.sh"), ("100644", b"load\n", "src/load.py"), ("100644", b"size\n", "src/sub/größe.py"),
    ]  # fmt: skip
    text = b"".join(f"{mode} {hashlib.sha256(data).hexdigest()} {path}".encode() + b"\0" for mode, data, path in lines)
    assert snapshot.digest == "sha256:" + hashlib.sha256(text).hexdigest()
    assert [file.path for file in snapshot.files] == ["run.sh", "src/load.py", "src/sub/größe.py"]
    assert snapshot.size == 14
    assert learned[snapshot.files[0].blob] == (hashlib.sha256(b"run\n").hexdigest(), 4)


def test_known_contents_are_not_read(filled: RepositoryBuilder) -> None:
    tree = head(filled)
    snapshot, learned = describe(tree, FILES, "", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(tree), "read", lambda *_: pytest.fail("read") if list(_[1]) else {})
        again, nothing = describe(tree, FILES, ".", learned)
    assert (again, nothing) == (snapshot, {})


def test_links_inside_the_tree_are_the_files_they_lead_to(filled: RepositoryBuilder) -> None:
    links = {
        "jobs/util.py": "../shared/util.py", "jobs/chain.py": "util.py", "jobs/folder": "../shared",
        "jobs/in.py": "folder/util.py",
    }  # fmt: skip
    for path, target in links.items():
        (filled.folder / path).symlink_to(target)
    filled.commit("links")
    snapshot, _ = describe(head(filled), ["jobs/util.py", "jobs/chain.py", "jobs/in.py"], "jobs", {})
    assert {(file.path, file.mode, file.sha256) for file in snapshot.files} == {
        (name, "100644", hashlib.sha256(b"util\n").hexdigest()) for name in ("util.py", "chain.py", "in.py")
    }


@pytest.mark.parametrize(
    ("path", "target", "message"),
    [
        ("x", "/etc/passwd", '"x" is a symlink to "/etc/passwd", outside the source tree'),
        ("jobs/x", "../../x", '"jobs/x" is a symlink to "../../x", outside the source tree'),
        ("x", "x", '"x" is a symlink loop'),
        ("x", "shared", '"x" is a symlink to "shared", which is a directory'),
        ("x", ".", "which is a directory"),
        ("x", "nowhere", '"x" is a symlink to "nowhere", which is not in the source tree'),
        ("x", "shared/../../repository/README", "outside the source tree"),
    ],
)
@pytest.mark.parametrize("where", [head, disk])
def test_other_links_are_refused(
    filled: RepositoryBuilder, path: str, target: str, message: str, where: object
) -> None:
    (filled.folder / path).symlink_to(target)
    filled.commit("link")
    assert callable(where)
    with pytest.raises(InputError) as caught:
        describe(where(filled), [path, "README"], "", {})
    assert [item.code for item in caught.value.diagnostics] == ["BND288"]
    assert message in caught.value.summary


def test_loops_of_several_links(filled: RepositoryBuilder) -> None:
    (filled.folder / "a").symlink_to("b")
    (filled.folder / "b").symlink_to("a")
    filled.commit("loop")
    with pytest.raises(InputError) as caught:
        describe(head(filled), ["a", "b"], "", {})
    assert [item.summary for item in caught.value.diagnostics] == ['"a" is a symlink loop', '"b" is a symlink loop']


def test_what_else_is_no_file(filled: RepositoryBuilder) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    filled.write({"model.bin": pointer})
    filled.git("update-index", "--add", "--cacheinfo", "160000", filled.git("rev-parse", "HEAD"), "module")
    filled.git("add", "model.bin")
    filled.git("commit", "--quiet", "--message=more")
    with pytest.raises(InputError) as caught:
        describe(head(filled), ["model.bin", "module", "module/x", "jobs/src", "nope"], "", {})
    found = {item.summary for item in caught.value.diagnostics}
    assert found == {
        '"model.bin" is a Git LFS pointer',
        '"module" is a submodule, which is not read',
        '"module/x" is in submodule "module", which is not read',
        '"jobs/src" is a directory',
        '"nope" is not in the source tree',
    }


def test_files_outside_the_sync_root_are_refused(filled: RepositoryBuilder) -> None:
    with pytest.raises(InputError, match='"README" is not contained in the sync root "jobs"'):
        describe(head(filled), ["README"], "jobs", {})


@pytest.mark.parametrize("is_dirty", [False, True])
def test_a_code_tree_keeps_what_was_described(filled: RepositoryBuilder, is_dirty: bool) -> None:
    if is_dirty:
        filled.write({"jobs/src/load.py": "dirty\n", "jobs/src/new.py": "new\n"})
    tree = disk(filled)
    at = discover(filled.folder, filled.environment)
    paths = [path for path in tree.list() if path.startswith("jobs/")]
    snapshot, _ = describe(tree, paths, "jobs", {})
    root = write_code_tree(at, tree, snapshot)
    entries = read_code_tree(at, root)
    assert {(path, *entry) for path, entry in entries.items()} == {(f.path, f.mode, f.blob) for f in snapshot.files}
    contents = blobs(at, [file.blob for file in snapshot.files])
    for file in snapshot.files:
        assert hashlib.sha256(contents[file.blob]).hexdigest() == file.sha256
    filled.git("fsck", "--full", "--strict")


def test_the_code_ref_is_a_chain_of_snapshots(filled: RepositoryBuilder) -> None:
    at = discover(filled.folder, filled.environment)
    commits, root, digest = [], "", ""
    for text in ("one", "one", "two", "one"):
        filled.write({"jobs/src/load.py": text})
        tree = disk(filled)
        snapshot, _ = describe(tree, ["jobs/src/load.py"], "jobs", {})
        root = write_code_tree(at, tree, snapshot)
        digest = snapshot.digest
        commits.append(append_code(at, "sales data", "prod", root, digest))
    assert commits[0] == commits[1]
    assert len(set(commits)) == 3
    ref = code_ref("sales data", "prod")
    assert ref == "refs/bundlectl/code/sales%20data/prod"
    assert filled.git("rev-list", ref).split() == [commits[3], commits[2], commits[0]]
    assert f"Bundlectl-Snapshot: {digest}" in filled.git("log", "-1", "--format=%B", ref)
    filled.git("gc", "--quiet", "--prune=now")
    assert read_code_tree(at, root)


def test_two_who_append_at_once_both_succeed(filled: RepositoryBuilder) -> None:
    at = discover(filled.folder, filled.environment)
    roots = []
    for text in ("one", "two", "three"):
        filled.write({"jobs/src/load.py": text})
        tree = disk(filled)
        snapshot, _ = describe(tree, ["jobs/src/load.py"], "jobs", {})
        roots.append((write_code_tree(at, tree, snapshot), snapshot.digest))
    threads = [threading.Thread(target=append_code, args=(at, "b", "t", *root)) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trees = filled.git("log", "--format=%T", code_ref("b", "t")).split()
    assert sorted(trees) == sorted(root for root, _ in roots)


files = st.builds(
    SnapshotFile,
    path=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5),
    mode=st.sampled_from(["100644", "100755"]),
    sha256=st.sampled_from(["0" * 64, "1" * 64]),
    blob=st.just("2" * 40),
    size=st.integers(0, 9),
)


@given(st.lists(files, max_size=4), st.lists(files, max_size=4))
def test_equal_digests_mean_equal_files(one: list[SnapshotFile], other: list[SnapshotFile]) -> None:
    same = [file[:3] for file in one] == [file[:3] for file in other]
    assert (snapshot_digest(one) == snapshot_digest(other)) == same
