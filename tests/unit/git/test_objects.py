"""Many objects in one process; trees edited without touching what stays."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundlectl.git.objects import (
    blob_sizes,
    build_tree,
    cat_file_batch,
    commit_info,
    edit_tree,
    ls_tree,
    read_objects,
    replace_nodes,
)
from bundlectl.git.pack import TreeNode, write_items
from bundlectl.git.repository import discover
from bundlectl.model.errors import RepositoryError
from bundlectl.model.source import TreeEntry
from tests.builders import RepositoryBuilder

ODD = {"a b.txt": "1", "größe/x": "2", 'q"uote': "3", "tab\tname": "4", "line\nbreak": "5", "dir/deep/er": "6"}


def test_objects_come_in_the_order_asked_for(repository: RepositoryBuilder) -> None:
    commit = repository.commit("first", {"a": "A", "d/b": "B"})
    git = discover(repository.folder, repository.environment).git
    found = read_objects(git, ["HEAD:a", "HEAD:nope", commit, "HEAD:d", "refs/heads/main", "HEAD:d/b"])
    assert [one.kind if one else None for one in found] == ["blob", None, "commit", "tree", "commit", "blob"]
    assert [one.data for one in found if one and one.kind == "blob"] == [b"A", b"B"]
    assert read_objects(git, []) == []


def test_a_listing_holds_every_name_as_it_is(repository: RepositoryBuilder) -> None:
    repository.write(ODD)
    (repository.folder / "run.sh").write_text("x")
    (repository.folder / "run.sh").chmod(0o755)
    (repository.folder / "link").symlink_to("a b.txt")
    (repository.folder / b"latin\xe9".decode("utf-8", "surrogateescape")).write_text("l")
    repository.commit("odd")
    at = discover(repository.folder, repository.environment)
    assert at.head_tree is not None
    entries = ls_tree(at.git, at.head_tree)
    assert set(ODD) < set(entries)
    assert entries["run.sh"].mode == "100755"
    assert entries["link"].mode == "120000"
    assert "latin\udce9" in entries
    assert list(entries) == sorted(entries, key=lambda path: path.encode("utf-8", "surrogateescape"))
    assert build_tree(entries, "sha1")[0] == at.head_tree


def test_missing_and_damaged_contents_are_errors(repository: RepositoryBuilder) -> None:
    repository.commit("first", {"a": "A"})
    git = discover(repository.folder, repository.environment).git
    blob = repository.git("rev-parse", "HEAD:a")
    assert cat_file_batch(git, [blob, blob]) == {blob: b"A"}
    assert blob_sizes(git, [blob, "1" * 40]) == {blob: 1}
    with pytest.raises(RepositoryError, match="missing from the repository"):
        cat_file_batch(git, ["1" * 40])
    path = repository.folder / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:4] + b"\xff\xff")
    with pytest.raises(RepositoryError, match=r"damaged|missing"):
        cat_file_batch(git, [blob])


def test_what_a_commit_says_of_itself(repository: RepositoryBuilder) -> None:
    first = repository.commit("first")
    second = repository.commit("second line\n\nbody")
    info = commit_info(discover(repository.folder, repository.environment).git, second)
    assert info.parents == (first,)
    assert info.message == "second line\n\nbody\n"
    assert info.time == 1_795_168_800


def test_an_edit_is_what_git_would_have_made_of_the_files(repository: RepositoryBuilder) -> None:
    repository.commit("first", {"a": "A", "d/b": "B", "d/c/e": "E", "x/y": "Y"})
    at = discover(repository.folder, repository.environment)
    changes = {"a": b"A2", "d/c/e": None, "n/e/w": b"N", "x/y": None, "x/z": b"Z", "gone/not/there": None}
    root, items = edit_tree(at.git, at.head_tree, changes, "sha1")
    write_items(at.git, items, "sha1")
    repository.commit("second", {"a": "A2", "n/e/w": "N", "x/z": "Z"})
    repository.git("rm", "--quiet", "d/c/e", "x/y")
    assert root == repository.git("write-tree")
    assert not {"gone", "d/c"} & {path.rpartition("/")[0] for path in ls_tree(at.git, root)}


def test_an_edit_writes_only_folders_on_the_way(repository: RepositoryBuilder) -> None:
    repository.commit("first", {f"d{n}/f{m}": f"{n}{m}" for n in range(5) for m in range(5)})
    at = discover(repository.folder, repository.environment)
    _, items = edit_tree(at.git, at.head_tree, {"d3/f3": b"new"}, "sha1")
    assert [one.kind for one in items] == ["blob", "tree", "tree"]


paths = st.lists(st.sampled_from(["a", "b", "c.x"]), min_size=1, max_size=3).map("/".join)


@st.composite
def file_sets(draw: st.DrawFn) -> dict[str, str]:
    """Paths that can be in one tree: none is a folder of another."""
    found: dict[str, str] = {}
    for path in draw(st.lists(paths, max_size=8)):
        if not any(path == one or path.startswith(one + "/") or one.startswith(path + "/") for one in found):
            found[path] = draw(st.sampled_from("123"))
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=file_sets(), after=file_sets())
def test_replacing_names_equals_building_the_result(
    before: dict[str, str], after: dict[str, str], tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> None:
    folder: Path = tmp_path_factory.mktemp("repository")
    git = discover(RepositoryBuilder(folder, environment).folder, environment).git
    old = {path: TreeEntry("100644", digit * 40) for path, digit in before.items()}
    new = {path: TreeEntry("100644", digit * 40) for path, digit in after.items()}
    root, items = build_tree(old, "sha1")
    for one in items:
        git.run(["hash-object", "-w", "-t", "tree", "--stdin", "--literally"], stdin=one.data)
    changes: dict[str, TreeNode | None] = {path: None for path in old if path not in new}
    changes.update({path: TreeNode(*entry) for path, entry in new.items() if old.get(path) != entry})
    assert replace_nodes(git, root, changes, "sha1")[0] == build_tree(new, "sha1")[0]
