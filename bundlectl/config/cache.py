"""Loads a bundle through the index: as a whole when its tree is known, else through config.reload.

Called by operations. The key of an entry holds tool and schema version, the request, and the tree; commit, branch and
remote only when the bundle's files speak of git. While nothing changed the loader itself is not even imported.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from bundlectl import __version__
from bundlectl.base.digest import digest_bytes, digest_document
from bundlectl.config.collector import collector_paused
from bundlectl.config.index import LoadIndex, StoredLoad
from bundlectl.config.request import Loaded, LoadRequest
from bundlectl.config.summary import DAMAGED, Summary, read_summary
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.job import JobSpec
from bundlectl.model.source import Revision, SourceTree

# Raised whenever the same files mean something else to this version's loader.
MEANING = 3

_UNMATCHED = "BND289"
# Fields of a request that change nothing in what is kept, or are named in another way.
_NOT_IN_KEY = ("top", "override_files", "python")


def load_cached(tree: SourceTree, request: LoadRequest, index: LoadIndex) -> Loaded:
    """The bundle of a tree, without what its Python functions add: what they made is never kept.

    Findings are in the result; a fault of the index only costs time.
    """
    revision = tree.revision
    if not index.usable or revision.tree is None:
        from bundlectl.config.loader import load

        return load(tree, request)
    key, facts = request_key(request), git_facts(revision)
    with collector_paused():
        for stored in index.find(key, revision.tree):
            found = _from_store(stored, tree, request, index) if stored.facts in ("", facts) else None
            if found is not None:
                return _as_on_disk(found, tree)
        from bundlectl.config.reload import reload

        return _as_on_disk(reload(tree, request, index, key, facts), tree)


def _as_on_disk(loaded: Loaded, tree: SourceTree) -> Loaded:
    """The same with what ignored files have to do with its findings: no part of the tree, so never kept."""
    if not any(finding.code == _UNMATCHED for finding in loaded.diagnostics):
        return loaded
    from bundlectl.config.unmatched import looked_on_disk

    return looked_on_disk(loaded, tree)


def load_with_python(tree: SourceTree, request: LoadRequest) -> Loaded:
    """The bundle of a tree with what its Python functions add and change; the request says how they are run."""
    from bundlectl.config.loader import load

    return load(tree, request)


def request_key(request: LoadRequest) -> str:
    """Names everything beside the tree that a result depends on."""
    fields = [getattr(request, name) for name in LoadRequest.__dataclass_fields__ if name not in _NOT_IN_KEY]
    overrides = [[target, digest_bytes(data)] for target, data in request.override_files]
    return digest_document([__version__, MEANING, fields, overrides])


def git_facts(revision: Revision) -> str:
    """Names what `bundle.git` may say."""
    return digest_document([revision.commit, revision.branch, revision.remote])


def _from_store(stored: StoredLoad, tree: SourceTree, request: LoadRequest, index: LoadIndex) -> Loaded | None:
    try:
        summary = read_summary(stored.summary())
    except DAMAGED:
        return None
    later = _Later(summary, stored, tree, request, index)
    return Loaded(
        bundle=summary.bundle,
        diagnostics=Diagnostics(summary.findings),
        code_files=_CodeFiles(later),
        snapshot_key=summary.snapshot_key,
        more_specs=later.specs,
        make_document=later.document,
    )


class _Later:
    """What a plan without changes does not ask for: worked out when somebody does."""

    def __init__(
        self, summary: Summary, stored: StoredLoad, tree: SourceTree, request: LoadRequest, index: LoadIndex
    ) -> None:
        self._summary = summary
        self._stored = stored
        self._tree = tree
        self._request = request
        self._index = index
        self._opened: Loaded | None = None

    def opened(self) -> Loaded:
        if self._opened is None:
            from bundlectl.config.reload import reopened

            self._opened = reopened(self._summary, self._stored, self._tree, self._request, self._index)
        return self._opened

    def specs(self, keys: Sequence[str]) -> Mapping[str, JobSpec]:
        return specs_of(self.opened(), keys)

    def document(self) -> Mapping[str, Any] | None:
        return self.opened().document


class _CodeFiles(Sequence[str]):
    """The synced files, read from the index when somebody looks."""

    def __init__(self, later: _Later) -> None:
        self._later = later

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return self._later.opened().code_files[at]

    def __len__(self) -> int:
        return len(self._later.opened().code_files)


def specs_of(loaded: Loaded, keys: Iterable[str]) -> dict[str, JobSpec]:
    """Specs of some jobs, by key; keys that the bundle does not have are left out."""
    wanted = list(dict.fromkeys(keys))
    found = {key: loaded.specs[key] for key in wanted if key in loaded.specs}
    rest = [key for key in wanted if key not in found]
    if rest and loaded.more_specs is not None:
        found.update(loaded.more_specs(rest))
    return {key: found[key] for key in wanted if key in found}
