"""How many bytes a bundle syncs, against bundlectl.snapshot_limit: known before any of them is read.

Called by operations.load for validate, and by operations.stage before code is described.
"""

from collections.abc import Mapping

from bundlectl.config.index import LoadIndex
from bundlectl.config.request import Loaded
from bundlectl.git.trees import read_sizes
from bundlectl.model.bundle import DEFAULT_SNAPSHOT_LIMIT
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.source import SourceTree

_SHOWN = 3


def snapshot_key(loaded: Loaded) -> str | None:
    """The key of the described snapshot; another one for each limit, so that a lower limit is looked at."""
    key, bundle = loaded.snapshot_key, loaded.bundle
    limit = bundle.target.snapshot_limit if bundle is not None else DEFAULT_SNAPSHOT_LIMIT
    return key if key is None or limit == DEFAULT_SNAPSHOT_LIMIT else f"{key}-{limit}"


def too_much(tree: SourceTree, loaded: Loaded, index: LoadIndex) -> Diagnostic | None:
    """A finding when the files to sync are larger than the limit; None for a bundle that did not load."""
    if loaded.bundle is None:
        return None
    key = snapshot_key(loaded)
    if key is not None and index.snapshot(key) is not None:
        return None  # it was described, so it was small enough
    limit = loaded.bundle.target.snapshot_limit
    sizes = _sizes(tree, loaded, index)
    total = sum(sizes.values())
    if total <= limit:
        return None
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:_SHOWN]
    named = ", ".join(f'"{path}" ({bytes_text(sizes[path])})' for path in largest)
    return Diagnostic(
        code="BND289",
        severity=Severity.ERROR,
        summary=f"{bytes_text(total)} to sync, at most {bytes_text(limit)}; largest: {named}",
        hint="leave files out with sync.exclude or .gitignore, or raise bundlectl.snapshot_limit",
        path="bundlectl.snapshot_limit",
    )


def _sizes(tree: SourceTree, loaded: Loaded, index: LoadIndex) -> Mapping[str, int]:
    entries = tree.list()
    paths = {path: entries[path].blob for path in loaded.code_files if path in entries}
    known = {blob: size for blob, (_, size) in index.content_digests(paths.values()).items()}
    known.update(read_sizes(tree, [path for path, blob in paths.items() if blob not in known]))
    return {path: known.get(blob, 0) for path, blob in paths.items()}


def bytes_text(count: int) -> str:
    """A size for people: 1.5 GiB; bytes below one KiB."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >> shift:
            return f"{count / (1 << shift):.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"
