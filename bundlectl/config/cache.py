"""Loads a bundle through the index: as a whole when nothing changed, else only what changed, else everything.

Called by operations. Answers are the same as those of config.loader; errors are never kept. The key of an entry holds
tool and schema version, the request, and the tree; commit, branch and remote only when the bundle's files speak of git.
"""

import functools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from bundlectl import __version__
from bundlectl.base.digest import canonical_bytes, digest_bytes, digest_document
from bundlectl.config.code_files import SyncedFiles, find_ignore_files
from bundlectl.config.collector import collector_paused
from bundlectl.config.decode import config_digest, frame_document
from bundlectl.config.facts import Loaded, LoadRequest
from bundlectl.config.index import LoadIndex as LoadIndex
from bundlectl.config.index import StoredLoad
from bundlectl.config.loader import finish, in_order, load, make_bundle, resolve_all, snapshot_key
from bundlectl.config.parts import (
    Assembled,
    blobs_digest,
    build_digest,
    listing_digest,
    resolve_in_parts,
    resolve_jobs,
)
from bundlectl.config.path_state import states
from bundlectl.config.records import (
    Catalog,
    Summary,
    catalog_document,
    read_catalog,
    read_summary,
    summary_document,
)
from bundlectl.config.tree_view import TreeView
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.job import JobSpec
from bundlectl.model.location import SourceSpan
from bundlectl.model.source import Revision, SourceTree

# Raised whenever the same files mean something else to this version's loader.
MEANING = 1
_DAMAGED = (KeyError, TypeError, ValueError, IndexError)


def load_cached(tree: SourceTree, request: LoadRequest, index: LoadIndex | None) -> Loaded:
    """The bundle of a tree. Findings are in the result; a fault of the index only costs time."""
    revision = tree.revision
    if index is None or not index.usable or revision.tree is None:
        return load(tree, request)
    key, facts = request_key(request), git_facts(revision)
    with collector_paused():
        for stored in index.find(key, revision.tree):
            found = _from_store(stored, tree, request, index) if stored.facts in ("", facts) else None
            if found is not None:
                return found
        return _partly(tree, request, index, key, facts)


def request_key(request: LoadRequest) -> str:
    """Names everything beside the tree that a result depends on."""
    fields = [
        getattr(request, name) for name in LoadRequest.__dataclass_fields__ if name not in ("top", "override_files")
    ]
    overrides = [[target, digest_bytes(data)] for target, data in request.override_files]
    return digest_document([__version__, MEANING, fields, overrides])


def git_facts(revision: Revision) -> str:
    """Names what `bundle.git` may say."""
    return digest_document([revision.commit, revision.branch, revision.remote])


def _from_store(stored: StoredLoad, tree: SourceTree, request: LoadRequest, index: LoadIndex) -> Loaded | None:
    try:
        summary = read_summary(stored.summary())
    except _DAMAGED:
        return None
    return _loaded(summary, _Kept(stored), _Source(tree, request, index))


def _partly(tree: SourceTree, request: LoadRequest, index: LoadIndex, key: str, facts: str) -> Loaded:
    """From what was known for another tree, as far as it still holds."""
    view = TreeView(tree)
    latest = index.latest(key)
    kept = _Kept(latest) if latest is not None else None
    known = kept.catalog if kept is not None else None
    if latest is not None and kept is not None and known is not None and _unchanged(view, known, latest.facts, facts):
        try:
            old = read_summary(latest.summary())
        except _DAMAGED:
            old = None
        if old is not None:
            summary = old._replace(snapshot_key=snapshot_key(view, old.bundle.sync_root, known.code_files))
            document = summary_document(summary)
            index.store_again(key, _tree_id(tree), latest.facts, summary=document, old=latest)
            return _loaded(summary, kept, _Source(tree, request, index))
    git_moved = latest is not None and latest.facts != facts
    assembled = resolve_in_parts(view, request, known, git_moved=git_moved)
    if assembled is None:
        return _in_one_piece(view, request, index, key, facts)
    return _keep(assembled, tree, request, index, key, facts)


def _tree_id(tree: SourceTree) -> str:
    assert tree.revision.tree is not None
    return tree.revision.tree


def _unchanged(view: TreeView, known: Catalog, old_facts: str, facts: str) -> bool:
    """Whether everything that a load looks at is as it was: other contents may differ, names may not."""
    entries = view.entries
    if old_facts not in ("", facts) or listing_digest(view) != known.listing:
        return False
    if any(entries[view.find(path).path].blob != file.blob for path, file in known.files.items()):
        return False
    if blobs_digest(view, find_ignore_files(view)) != known.ignore_blobs:
        return False
    if build_digest(view, known.root) != known.build_blobs:
        return False
    now = states(known.states, view, SyncedFiles(known.code_files), known.states)
    return all(now[name].state == state.state for name, state in known.states.items())


def _keep(
    assembled: Assembled, tree: SourceTree, request: LoadRequest, index: LoadIndex, key: str, facts: str
) -> Loaded:
    """Makes the result of a bundle in parts, and keeps it."""
    frame, catalog = assembled.frame, assembled.catalog
    jobs = dict(sorted({**catalog.jobs, **catalog.frame_jobs}.items()))
    bundle = make_bundle(
        frame,
        {name: job.meta for name, job in jobs.items()},
        config_digest(frame_document(frame.node, frame.facts), {name: job.shown for name, job in jobs.items()}),
        tuple(name for name, job in jobs.items() if job.protected),
    )
    view = frame.facts.view
    summary = Summary(
        bundle,
        tuple(in_order(assembled.findings, frame.facts.files)),
        snapshot_key(view, bundle.sync_root, catalog.code_files),
    )
    uses_git = any(file.uses_git for file in catalog.files.values())
    index.store(
        key,
        _tree_id(tree),
        facts if uses_git else "",
        summary=summary_document(summary),
        catalog=catalog_document(catalog),
        code_files=catalog.code_files,
        documents=assembled.texts,
    )
    return _loaded(summary, _Kept(None, catalog), _Source(tree, request, index, assembled.texts))


def _in_one_piece(view: TreeView, request: LoadRequest, index: LoadIndex, key: str, facts: str) -> Loaded:
    """A bundle with errors, or one whose jobs depend on each other in a way that parts do not show."""
    loaded = finish(resolve_all(view, request))
    if loaded.bundle is not None:
        summary = Summary(loaded.bundle, tuple(loaded.diagnostics), loaded.snapshot_key)
        index.store(
            key,
            _tree_id(view.tree),
            facts,
            summary=summary_document(summary),
            catalog={},
            code_files=loaded.code_files,
            documents={spec.digest: canonical_bytes(spec.document) for spec in loaded.specs.values()},
        )
    return loaded


class _Kept:
    """The catalog of a load, decoded when it is needed."""

    def __init__(self, stored: StoredLoad | None, catalog: Catalog | None = None) -> None:
        self._stored = stored
        self._catalog = catalog

    @functools.cached_property
    def code_files(self) -> Sequence[str]:
        if self._stored is None:
            return self._catalog.code_files if self._catalog is not None else ()
        try:
            return self._stored.code_files()
        except (*_DAMAGED, zlib.error):
            return ()

    @functools.cached_property
    def catalog(self) -> Catalog | None:
        if self._stored is None or self._catalog is not None:
            return self._catalog
        try:
            return read_catalog(self._stored.catalog(), self.code_files)
        except (*_DAMAGED, zlib.error):
            return None


class _Source:
    """Where a load came from, for what is worked out later."""

    def __init__(
        self, tree: SourceTree, request: LoadRequest, index: LoadIndex, texts: Mapping[str, bytes] | None = None
    ) -> None:
        self.tree = tree
        self.request = request
        self.index = index
        self.texts = texts or {}

    @functools.cached_property
    def whole(self) -> Loaded:
        """The bundle from scratch: when the index lost something, and for the printed document."""
        return load(self.tree, self.request)


def _loaded(summary: Summary, kept: _Kept, source: _Source) -> Loaded:
    return Loaded(
        bundle=summary.bundle,
        diagnostics=Diagnostics(summary.findings),
        code_files=_CodeFiles(kept),
        snapshot_key=summary.snapshot_key,
        more_specs=lambda keys: _specs(summary.bundle, kept, source, keys),
        make_document=lambda: source.whole.document,
    )


class _CodeFiles(Sequence[str]):
    """The synced files, read from the index when somebody looks: a plan without changes does not."""

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return self._kept.code_files[at]

    def __len__(self) -> int:
        return len(self._kept.code_files)


def _specs(bundle: Bundle, kept: _Kept, source: _Source, keys: Sequence[str]) -> dict[str, JobSpec]:
    """Specs by key, from memory or the index; a document that is nowhere is made again."""
    wanted = [key for key in keys if key in bundle.jobs]
    texts = source.texts
    missing = [bundle.jobs[key].digest for key in wanted if bundle.jobs[key].digest not in texts]
    texts = {**texts, **source.index.documents(missing)} if missing else texts
    catalog = kept.catalog
    again = _Again(source, catalog, wanted)
    found = {}
    for key in wanted:
        meta = bundle.jobs[key]
        text = texts.get(meta.digest)
        record = (catalog.jobs.get(key) or catalog.frame_jobs.get(key)) if catalog is not None else None
        if text is None or record is None or digest_bytes(text) != meta.digest:
            found[key] = source.whole.specs[key]
            continue
        found[key] = JobSpec(
            key=key,
            document=json.loads(text),
            digest=meta.digest,
            span=record.span,
            spans=_Spans(again, key),
            meta=meta,
            code_paths=record.code_paths,
        )
    return found


class _Again:
    """Jobs of one request for specs, resolved again when the place of a field is asked for."""

    def __init__(self, source: _Source, catalog: Catalog | None, keys: Sequence[str]) -> None:
        self._source = source
        self._catalog = catalog
        self._keys = keys

    @functools.cached_property
    def spans(self) -> Mapping[str, Mapping[str, SourceSpan]]:
        if self._catalog is None:
            return {key: spec.spans for key, spec in self._source.whole.specs.items()}
        view = TreeView(self._source.tree)
        jobs = resolve_jobs(view, self._source.request, self._catalog, self._keys)
        return {key: job.spec.spans for key, job in jobs.items()}


class _Spans(Mapping[str, SourceSpan]):
    """Places of the fields of one job."""

    def __init__(self, again: _Again, key: str) -> None:
        self._again = again
        self._key = key

    @property
    def _all(self) -> Mapping[str, SourceSpan]:
        return self._again.spans.get(self._key, {})

    def __getitem__(self, path: str) -> SourceSpan:
        return self._all[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def specs_of(loaded: Loaded, keys: Iterable[str]) -> dict[str, JobSpec]:
    """Specs of some jobs, by key; keys that the bundle does not have are left out."""
    wanted = list(dict.fromkeys(keys))
    found = {key: loaded.specs[key] for key in wanted if key in loaded.specs}
    rest = [key for key in wanted if key not in found]
    if rest and loaded.more_specs is not None:
        found.update(loaded.more_specs(rest))
    return {key: found[key] for key in wanted if key in found}


def code_files(loaded: Loaded) -> tuple[str, ...]:
    """The synced files, relative to the top of the tree, sorted by path."""
    return tuple(loaded.code_files)


def recall_snapshot(index: LoadIndex | None, loaded: Loaded) -> str | None:
    """Digest of the snapshot of the synced files, when it was worked out before."""
    return index.snapshot(loaded.snapshot_key) if index is not None and loaded.snapshot_key is not None else None


def remember_snapshot(index: LoadIndex | None, loaded: Loaded, digest: str) -> None:
    """Keeps the digest of the snapshot of the synced files."""
    if index is not None and loaded.snapshot_key is not None:
        index.remember_snapshot(loaded.snapshot_key, digest)


def recall_digests(index: LoadIndex | None, blobs: Iterable[str]) -> dict[str, tuple[str, int]]:
    """SHA-256 (hex) and size of contents by blob id, as far as they are known."""
    return index.content_digests(blobs) if index is not None else {}


def remember_digests(index: LoadIndex | None, learned: Mapping[str, tuple[str, int]]) -> None:
    """Keeps digests of contents by blob id."""
    if index is not None:
        index.remember_content_digests(learned)
