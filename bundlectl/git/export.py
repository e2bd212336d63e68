"""Writes files of a source tree to a folder on disk, for code of the tree that the invoker allowed to run.

Called by operations. A plain copy: no checkout, no filters, no attributes, no links. What has no content of its own in
the tree (submodules, links that lead nowhere or to a folder) is left out.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bundlectl.git.snapshot import Links
from bundlectl.model.errors import InputError
from bundlectl.model.source import SourceTree, TreeEntry

# Files are copied in batches, so that the memory needed is that of some files, not of all.
_BATCH = 256


def export(tree: SourceTree, folder: Path, *, below: str = "", without: str | None = None) -> None:
    """Copies the files in the folder `below` of the tree, at their paths, but none in the folder `without`.

    `folder` is private and empty. Raises InputError for what cannot be written or has a name that leaves the folder.
    """
    entries = tree.list()
    wanted = [path for path in entries if _inside(path, below) and not (without is not None and _inside(path, without))]
    sources = dict(_contents(tree, entries, wanted))
    names = list(sources)
    for at in range(0, len(names), _BATCH):
        batch = names[at : at + _BATCH]
        contents = tree.read(dict.fromkeys(sources[path] for path in batch))
        for path in batch:
            _write(folder, path, contents[sources[path]], entries[sources[path]].mode == "100755")


def _inside(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")


def _contents(tree: SourceTree, entries: Mapping[str, TreeEntry], paths: list[str]) -> Iterator[tuple[str, str]]:
    """Each path that is a file or leads to one, and the file that has its content."""
    links = None
    for path in paths:
        mode = entries[path].mode
        if mode in ("100644", "100755"):
            yield path, path
        elif mode == "120000":
            links = links or Links(tree, entries)
            target, problem = links.file_behind(path)
            if problem is None:
                yield path, target


def _write(folder: Path, path: str, data: bytes, executable: bool) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise InputError(f'"{path}" is no path that can be written', code="BND288")
    target = folder.joinpath(*parts)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags, 0o700 if executable else 0o600), "wb") as file:
            file.write(data)
    except (OSError, ValueError) as error:
        raise InputError(f'cannot write a copy of "{path}": {error}', code="BND623") from error
