"""Sync patterns that match no file of the tree, and perhaps one that is on disk only: an ignored file.

Called by config.cache and config.loader when a load is done. What is kept in the index says nothing about the disk,
which may change while the tree does not.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from bundlectl.config.findings import warning
from bundlectl.config.ignore import Patterns
from bundlectl.config.request import Loaded
from bundlectl.config.tree_view import folder_of, join
from bundlectl.model.diagnostic import Diagnostic, Diagnostics
from bundlectl.model.location import FieldPath, SourceSpan
from bundlectl.model.source import SourceTree

UNMATCHED = "BND289"
_ON_DISK = "BND285"
_NO_FILE = '" matches no file'


def no_match(pattern: str, span: SourceSpan, path: FieldPath) -> Diagnostic:
    """A pattern of `sync`, relative to the sync root, that takes nothing of the tree."""
    return warning(UNMATCHED, f'"{pattern}{_NO_FILE}', span, path=path)


def looked_on_disk(loaded: Loaded, tree: SourceTree) -> Loaded:
    """The same; a pattern that matches an ignored file says so."""
    if loaded.bundle is None:
        return loaded
    return replace(loaded, diagnostics=Diagnostics(_looked(loaded.diagnostics, tree, loaded.bundle.sync_root)))


def _looked(findings: Diagnostics, tree: SourceTree, sync_root: str) -> Iterator[Diagnostic]:
    for finding in findings:
        is_pattern = finding.code == UNMATCHED and finding.summary.endswith(_NO_FILE)
        pattern = finding.summary.removesuffix(_NO_FILE)[1:]
        found = _on_disk(pattern, tree, sync_root) if is_pattern else None
        if found is None:
            yield finding
            continue
        yield replace(
            finding,
            code=_ON_DISK,
            summary=f'"{pattern}" matches only files that are not part of the {tree.label}: "{found}"',
            hint="commit them: what is deployed is what the tree holds, ignored files are not part of it",
        )


def _on_disk(pattern: str, tree: SourceTree, sync_root: str) -> str | None:
    """A file that the pattern matches and the tree does not have."""
    fixed = re.split(r"[*?\[\\]", pattern.lstrip("/"), maxsplit=1)[0]
    folder = folder_of(fixed) if "/" in fixed else ""
    prefix = sync_root + "/" if sync_root else ""
    single = Patterns([pattern])
    paths = tree.only_on_disk(join(sync_root, folder) if folder else sync_root)
    return next((path for path in paths if path.startswith(prefix) and single.takes(path[len(prefix) :])), None)
