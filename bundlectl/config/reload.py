"""A bundle whose tree is not in the index: from what was known for another tree as far as it still holds, else anew.

Called by config.cache, which imports it only then. Answers are the same as those of config.loader; errors are never
kept.
"""

import functools
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence

from bundlectl.base.digest import canonical_bytes, digest_bytes
from bundlectl.config.code_files import SyncedFiles, find_ignore_files
from bundlectl.config.decode import config_digest, frame_document
from bundlectl.config.index import LoadIndex, StoredLoad
from bundlectl.config.loader import finish, in_order, load, make_bundle, resolve_all, snapshot_key
from bundlectl.config.parts import Assembled, Places, resolve_in_parts, resolve_jobs
from bundlectl.config.path_state import blobs_digest, build_digest, listing_digest, states
from bundlectl.config.records import Catalog, catalog_document, read_catalog
from bundlectl.config.request import Loaded, LoadRequest
from bundlectl.config.summary import DAMAGED, Summary, read_summary, summary_document
from bundlectl.config.tree_view import TreeView
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.job import JobSpec
from bundlectl.model.location import SourceSpan
from bundlectl.model.source import SourceTree


def reload(tree: SourceTree, request: LoadRequest, index: LoadIndex, key: str, facts: str) -> Loaded:
    """From what was known for another tree, as far as it still holds."""
    view = TreeView(tree)
    latest = index.latest(key)
    kept = _Kept(latest) if latest is not None else None
    known = kept.catalog if kept is not None else None
    if latest is not None and kept is not None and known is not None and _unchanged(view, known, latest.facts, facts):
        try:
            old = read_summary(latest.summary())
        except DAMAGED:
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
    return _loaded(summary, _Kept(None, catalog), _Source(tree, request, index, assembled.texts, assembled.spans))


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


def reopened(summary: Summary, stored: StoredLoad, tree: SourceTree, request: LoadRequest, index: LoadIndex) -> Loaded:
    """A load that was found whole in the index, with all that it can still be asked for."""
    return _loaded(summary, _Kept(stored), _Source(tree, request, index))


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
        except (*DAMAGED, zlib.error):
            return ()

    @functools.cached_property
    def catalog(self) -> Catalog | None:
        if self._stored is None or self._catalog is not None:
            return self._catalog
        try:
            return read_catalog(self._stored.catalog(), self.code_files)
        except (*DAMAGED, zlib.error):
            return None


class _Source:
    """Where a load came from, for what is worked out later."""

    def __init__(
        self,
        tree: SourceTree,
        request: LoadRequest,
        index: LoadIndex,
        texts: Mapping[str, bytes] | None = None,
        spans: Mapping[str, Places] | None = None,
    ) -> None:
        self.tree = tree
        self.request = request
        self.index = index
        self.texts = texts or {}
        self.spans = spans or {}  # of jobs that were resolved just now

    @functools.cached_property
    def whole(self) -> Loaded:
        """The bundle from scratch: when the index lost something, and for the printed document."""
        return load(self.tree, self.request)


def _loaded(summary: Summary, kept: _Kept, source: _Source) -> Loaded:
    return Loaded(
        bundle=summary.bundle,
        diagnostics=Diagnostics(summary.findings),
        code_files=kept.code_files,
        snapshot_key=summary.snapshot_key,
        more_specs=lambda keys: _specs(summary.bundle, kept, source, keys),
        make_document=lambda: source.whole.document,
    )


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
    def spans(self) -> Mapping[str, Places]:
        known = self._source.spans
        if known.keys() >= set(self._keys):
            return known
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
