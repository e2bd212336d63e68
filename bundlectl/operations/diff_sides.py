"""The two sides of a comparison, opened: jobs by digest at once, documents, places and code when they are asked for.

Made and used by operations.diff. A side is a bundle that was loaded from a tree (Loaded), what a deployment recorded
(Recorded), or that with what the backend holds (Observed). Reads only; the backend is asked by Observed alone.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from bundlectl.base.digest import digest_document
from bundlectl.config.cache import specs_of
from bundlectl.git.objects import blob_sizes
from bundlectl.git.repository import Repository
from bundlectl.git.snapshot import read_code_tree
from bundlectl.git.trees import read_blobs
from bundlectl.model.bundle import Bundle
from bundlectl.model.comparison import Point
from bundlectl.model.deployment import Deployment
from bundlectl.model.job import JobDigest
from bundlectl.model.source import Revision, SourceTree
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading
from bundlectl.operations.stage import describe_code, snapshot_digest
from bundlectl.planning.compare import Place
from bundlectl.state.store import StateStore

Documents = Callable[[Iterable[str]], Mapping[str, Mapping[str, Any]]]


class Code(NamedTuple):
    """The files of a side's snapshot. Contents are read by blob id."""

    entries: Mapping[str, tuple[str, str]] = {}  # path below the sync root -> mode, blob
    sizes: Callable[[Iterable[str]], Mapping[str, int]] = lambda blobs: {}
    read: Callable[[Iterable[str]], Mapping[str, bytes]] = lambda blobs: {}


@dataclass(frozen=True, kw_only=True)
class LoadedSide:
    """A bundle that was resolved from a tree."""

    context: OperationContext
    loading: Loading
    point: Point

    @property
    def bundle(self) -> Bundle:
        return self.loading.bundle

    @property
    def jobs(self) -> Mapping[str, JobDigest]:
        return self.bundle.jobs

    def documents(self, keys: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        return {key: spec.document for key, spec in specs_of(self.loading.loaded, keys).items()}

    def places(self, keys: Iterable[str]) -> Mapping[str, Place]:
        return {key: Place(spec.span, spec.spans) for key, spec in specs_of(self.loading.loaded, keys).items()}

    def code(self) -> Code:
        if self.point.snapshot is None:
            return Code()
        files = describe_code(self.context, self.loading).files
        sizes = {file.blob: file.size for file in files}
        return Code(
            {file.path: (file.mode, file.blob) for file in files},
            lambda blobs: {blob: sizes[blob] for blob in blobs},
            lambda blobs: read_blobs(self.loading.tree, blobs),
        )

    def code_paths(self, keys: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        return {key: spec.code_paths for key, spec in specs_of(self.loading.loaded, keys).items()}


@dataclass(frozen=True, kw_only=True)
class RecordedSide:
    """What a deployment recorded; nothing at all before the first one."""

    repository: Repository
    store: StateStore
    bundle: Bundle
    version: str | None
    deployment: Deployment | None
    point: Point

    @functools.cached_property
    def jobs(self) -> Mapping[str, JobDigest]:
        entries = self.deployment.jobs if self.deployment is not None else {}
        return {
            key: JobDigest(entry.spec, entry.snapshot is not None)
            for key, entry in entries.items()
            if entry.tombstone is None
        }

    @property
    def ids(self) -> Mapping[str, str]:
        """Ids on the backend, by key."""
        entries = self.deployment.jobs if self.deployment is not None else {}
        return {key: entry.id for key, entry in entries.items()}

    def documents(self, keys: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        return self.store.documents(self.version, [key for key in keys if key in self.jobs])

    def places(self, keys: Iterable[str]) -> Mapping[str, Place]:
        return {}

    def code(self) -> Code:
        head = self.deployment.deployed if self.deployment is not None else None
        if head is None or head.code_tree is None:
            return Code()
        entries = read_code_tree(self.repository, head.code_tree)
        return Code(
            {path: (entry.mode, entry.blob) for path, entry in entries.items()},
            lambda blobs: blob_sizes(self.repository.git, blobs),
            lambda blobs: read_blobs(self.repository, blobs),
        )

    def code_paths(self, keys: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        below = self.bundle.file_path + "/"
        return {key: named_files(document, below) for key, document in self.documents(keys).items()}


@dataclass(frozen=True, kw_only=True)
class ObservedSide:
    """What the backend holds of a deployment. `held`: neutral documents of jobs that are not as they were sent."""

    recorded: RecordedSide
    point: Point
    held: Mapping[str, Mapping[str, Any]]
    gone: frozenset[str] = frozenset()  # keys whose job is not on the backend any more

    @property
    def bundle(self) -> Bundle:
        return self.recorded.bundle

    @property
    def ids(self) -> Mapping[str, str]:
        return self.recorded.ids

    @functools.cached_property
    def jobs(self) -> Mapping[str, JobDigest]:
        known = {key: job for key, job in self.recorded.jobs.items() if key not in self.gone}
        return {
            key: job._replace(digest=digest_document(self.held[key])) if key in self.held else job
            for key, job in known.items()
        }

    def documents(self, keys: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        wanted = [key for key in keys if key in self.jobs]
        recorded = self.recorded.documents(key for key in wanted if key not in self.held)
        return {key: self.held[key] if key in self.held else recorded[key] for key in wanted}

    def places(self, keys: Iterable[str]) -> Mapping[str, Place]:
        return {}

    def code(self) -> Code:
        return self.recorded.code()

    def code_paths(self, keys: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        return self.recorded.code_paths(keys)


# What operations.diff works with. All three give `point`, `bundle` (where paths lie; of what is recorded, the bundle as
# it is now), `jobs`, `documents`, `places` (where jobs and their fields are written, as far as known), `code` and
# `code_paths` (files of the code that jobs name).
Side = LoadedSide | RecordedSide | ObservedSide


def named_files(document: Any, below: str) -> tuple[str, ...]:
    """The paths below a folder that texts of a document begin with, sorted."""
    found: set[str] = set()
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if item.startswith(below):
                found.add(item[len(below) :])
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return tuple(sorted(found))


def loaded_point(context: OperationContext, loading: Loading, kind: str, name: str) -> Point:
    """The point of a bundle that was resolved. Raises InputError when it does not load, or cannot be synced."""
    revision = loading.tree.revision
    return Point(
        kind=kind,
        name=name,
        target=loading.bundle.target.name,
        commit=revision.commit,
        tree=revision.tree,
        ref=revision.ref,
        dirty=revision.dirty,
        snapshot=snapshot_digest(context, loading),
    )


def recorded_point(bundle: Bundle, deployment: Deployment | None, kind: str, name: str) -> Point:
    """The point of a deployment, or of none yet."""
    head = deployment.deployed if deployment is not None else None
    if deployment is None or head is None:
        return Point(kind=kind, name=name, target=bundle.target.name, dirty=())
    return Point(
        kind=kind,
        name=name,
        target=bundle.target.name,
        commit=head.commit,
        tree=head.tree,
        dirty=None if head.dirty else (),
        deployment=deployment.serial,
        snapshot=head.snapshot,
    )


def without_plan_errors(loading: Loading) -> Loading:
    """The same with what only a deploy would stop at as warnings: it can be compared all the same."""
    found = loading.loaded.diagnostics.settled(planning=False)
    return loading._replace(loaded=replace(loading.loaded, diagnostics=found))


class _AsOf:
    """A tree that says of itself that it is another commit; everything else is as it is."""

    def __init__(self, tree: SourceTree, revision: Revision) -> None:
        self._tree = tree
        self.revision = revision

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tree, name)


def as_of(tree: SourceTree, revision: Revision) -> SourceTree:
    """The tree with the commit, branch and remote of another revision: what a bundle says about git is then equal."""
    facts = Revision(
        commit=revision.commit,
        tree=tree.revision.tree,
        ref=revision.ref,
        remote=revision.remote,
        dirty=tree.revision.dirty,
        commit_time=tree.revision.commit_time,
        working_tree=tree.revision.working_tree,
    )
    return cast(SourceTree, _AsOf(tree, facts))
