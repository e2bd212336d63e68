"""A source tree with other contents in some of its files: what a bundle would be if it were edited so."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bundlectl.base.digest import sha256_hex
from bundlectl.model.source import Revision, SourceTree, TreeEntry


class EditedTree:
    """Files of a tree, some of them edited or added. It has no tree id: nothing of it is kept in a cache."""

    def __init__(self, tree: SourceTree, contents: Mapping[str, bytes]) -> None:
        self._tree = tree
        self._contents = dict(contents)
        self._entries: dict[str, TreeEntry] | None = None

    @property
    def revision(self) -> Revision:
        return replace(self._tree.revision, tree=None)

    @property
    def label(self) -> str:
        return self._tree.label

    def list(self) -> Mapping[str, TreeEntry]:
        if self._entries is None:
            entries = dict(self._tree.list())
            for path, data in self._contents.items():
                mode = entries[path].mode if path in entries else "100644"
                entries[path] = TreeEntry(mode, f"edited:{sha256_hex(data)}")
            self._entries = entries
        return self._entries

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        wanted = list(paths)
        others = self._tree.read([path for path in wanted if path not in self._contents])
        return {path: self._contents[path] if path in self._contents else others[path] for path in wanted}

    def exists_in_working_tree(self, path: str) -> bool:
        return self._tree.exists_in_working_tree(path)

    def only_on_disk(self, folder: str) -> Iterable[str]:
        return self._tree.only_on_disk(folder)
