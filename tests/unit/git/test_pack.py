"""Objects made here are the ones git would make, and arrive whole, few or many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.base.digest import git_object_id
from bundlectl.git.command import Git
from bundlectl.git.pack import Item, TreeNode, item, parse_tree, tree_item, write_items
from bundlectl.model.errors import RepositoryError
from tests.builders import RepositoryBuilder


@pytest.mark.parametrize("count", [1, 50, 300])
def test_written_objects_are_there_and_sound(repository: RepositoryBuilder, count: int) -> None:
    git = Git(repository.folder, repository.environment)
    blobs = [item("blob", f"content {number}\n".encode() * number * 40, "sha1") for number in range(count)]
    tree = tree_item(((f"f{at}".encode(), TreeNode("100644", blob.id)) for at, blob in enumerate(blobs)), "sha1")
    write_items(git, [*blobs, tree, tree], "sha1")
    repository.git("fsck", "--full", "--strict")
    assert git.run(["cat-file", "blob", f"{tree.id}:f{count - 1}"]) == blobs[-1].data
    write_items(git, blobs, "sha1")  # once more is no fault
    write_items(git, [], "sha1")


def test_git_refuses_an_object_that_names_one_that_is_not_there(repository: RepositoryBuilder) -> None:
    git = Git(repository.folder, repository.environment)
    tree = tree_item([(b"f", TreeNode("100644", "1" * 40))], "sha1")
    with pytest.raises(RepositoryError):
        write_items(git, [tree], "sha1")


def test_a_folder_sorts_as_if_its_name_ended_in_a_slash(repository: RepositoryBuilder) -> None:
    repository.commit("first", {"a/x": "1", "a.b": "2", "a0": "3", "a-": "4"})
    data = Git(repository.folder, repository.environment).run(["cat-file", "tree", "HEAD^{tree}"])
    nodes = parse_tree(data, "sha1")
    assert set(nodes) == {b"a", b"a.b", b"a0", b"a-"}
    assert tree_item(reversed(nodes.items()), "sha1").data == data


@pytest.mark.parametrize("data", [b"100644 a", b"100644 a\0short", b"100644"])
def test_a_damaged_tree_is_no_tree(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_tree(data, "sha1")


names = st.binary(min_size=1, max_size=6).filter(lambda name: b"/" not in name and b"\0" not in name)


@given(st.dictionaries(names, st.sampled_from(["100644", "100755", "40000", "120000"]), max_size=8))
def test_trees_round_trip(modes: dict[bytes, str]) -> None:
    nodes = {name: TreeNode(mode, git_object_id("blob", 1, [b"x"])) for name, mode in modes.items()}
    made = tree_item(nodes.items(), "sha1")
    assert parse_tree(made.data, "sha1") == nodes
    assert made == Item(git_object_id("tree", len(made.data), [made.data]), "tree", made.data)
