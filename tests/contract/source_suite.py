"""What every SourceTree must do, whatever it reads from. A subclass gives the `tree` fixture: a tree of FILES."""

import pytest

from bundlectl.model.source import SourceTree

FILES: dict[str, bytes] = {
    "databricks.yml": b"bundle: {name: sales}\n",
    "src/load.py": b"print('load')\n",
    "src/deep/er/x.txt": b"",
    "data/bytes.bin": bytes(range(256)),
    "a b/größe.txt": b"crlf\r\nstays\r\n",
    "src.py": b"sorts between src and src/\n",
    "src-x": b"so does this\n",
}
EXECUTABLE = "run.sh"
LINK, TARGET = "link.py", "src/load.py"
ALL = sorted([*FILES, EXECUTABLE, LINK], key=lambda path: path.encode("utf-8"))


class SourceTreeSuite:
    """Inherit it as `class TestSomething(SourceTreeSuite)` with a fixture `tree`."""

    def test_every_file_is_listed_in_the_order_of_its_bytes(self, tree: SourceTree) -> None:
        assert list(tree.list()) == ALL

    def test_modes(self, tree: SourceTree) -> None:
        entries = tree.list()
        assert entries[EXECUTABLE].mode == "100755"
        assert entries[LINK].mode == "120000"
        assert {entries[path].mode for path in FILES} == {"100644"}

    def test_contents_are_bytes_as_they_are(self, tree: SourceTree) -> None:
        assert tree.read(FILES) == FILES
        assert tree.read([]) == {}
        assert tree.read(["src.py", "src.py"]) == {"src.py": FILES["src.py"]}

    def test_a_link_is_the_text_of_its_target(self, tree: SourceTree) -> None:
        assert tree.read([LINK]) == {LINK: TARGET.encode()}

    def test_what_is_not_listed_is_not_read(self, tree: SourceTree) -> None:
        for path in ("nope", "src", "../outside", "/etc/passwd", ".git/config", "src/../src.py", ""):
            with pytest.raises(KeyError):
                tree.read([path])

    def test_listing_twice_is_listing_once(self, tree: SourceTree) -> None:
        assert tree.list() is tree.list()

    def test_entries_of_equal_contents_are_equal(self, tree: SourceTree) -> None:
        blobs = [entry.blob for entry in tree.list().values()]
        assert len(set(blobs)) == len(blobs)
        assert all(blobs)

    def test_files_on_disk_are_known(self, tree: SourceTree) -> None:
        assert tree.exists_in_working_tree("src/load.py")
        assert not tree.exists_in_working_tree("nope")
        assert not tree.exists_in_working_tree("../outside")

    def test_a_label_for_messages(self, tree: SourceTree) -> None:
        assert tree.label
