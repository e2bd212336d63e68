"""Opens one point that `diff` was asked for: a commit, a tree, a target, a deployment, the backend.

Called by operations.diff and operations.diff_causes. Two commits need neither state nor backend; only `observed` asks
the backend.
"""

from dataclasses import replace

from bundlectl.git.repository import Repository
from bundlectl.git.trees import open_tree
from bundlectl.model.bundle import Bundle
from bundlectl.model.errors import BackendError, BundlectlError, NotFound, RepositoryError, UsageError
from bundlectl.model.source import SourceTree
from bundlectl.operations.context import OperationContext
from bundlectl.operations.diff_points import (
    DEPLOYMENT,
    OBSERVED,
    RECORDED,
    REF,
    SOURCE,
    TARGET,
    WORKTREE,
    Asked,
    AskedPair,
)
from bundlectl.operations.diff_sides import (
    LoadedSide,
    ObservedSide,
    RecordedSide,
    Side,
    loaded_point,
    recorded_point,
    without_plan_errors,
)
from bundlectl.operations.load import Loading, load, load_tree
from bundlectl.operations.stage import resolve_artifacts
from bundlectl.operations.world import find_bundle
from bundlectl.state.store import Recorded, StateStore


def uses_state(asked: Asked) -> bool:
    """Whether a point is about what was deployed."""
    return asked.kind in (RECORDED, DEPLOYMENT, OBSERVED)


def check_flags(context: OperationContext, pair: AskedPair) -> None:
    """Raises UsageError for flags that would be ignored, or that forbid a point."""
    flag = "--ref" if context.source.ref is not None else "--worktree" if context.source.worktree else None
    if flag is not None and {point.kind for point in pair} <= {REF, WORKTREE}:
        raise UsageError(f'"{flag}" and two points that say what to read exclude each other', code="BND620")
    asked = next((point for point in pair if point.kind == OBSERVED), None)
    if asked is not None and context.allowed.untrusted:
        raise UsageError(f'"--untrusted" and "{asked.text}" exclude each other: nothing is asked', code="BND620")


def open_side(context: OperationContext, repository: Repository, asked: Asked, *, against_state: bool) -> Side:
    """One side. `against_state`: the other one, or this one, is about what was deployed.

    Raises RepositoryError, InputError with findings, Refused, StateError, NotFound, BackendError.
    """
    if asked.kind == REF:
        if asked.merge_with:
            left, right = repository.resolve(asked.name), repository.resolve(asked.merge_with)
            asked = Asked(REF, repository.merge_base(left, right))
        return loaded_side(context, repository, open_tree(repository, ref=asked.name, worktree=False), asked)
    if asked.kind == WORKTREE:
        if repository.bare:
            raise RepositoryError("a bare repository has no working tree", code="BND601", hint="name a commit: ref:REV")
        return loaded_side(context, repository, open_tree(repository, ref=None, worktree=True), asked)
    if asked.kind in (SOURCE, TARGET):
        return _source(_for_target(context, asked), asked, against_state)
    recorded = _recorded(context if asked.kind == DEPLOYMENT else _for_target(context, asked), asked)
    return recorded if asked.kind != OBSERVED else _observed(context, recorded)


def loaded_side(context: OperationContext, repository: Repository, tree: SourceTree, asked: Asked) -> LoadedSide:
    """The bundle of a tree. Raises InputError with findings, labelled with the tree."""
    try:
        return _side(context, load_tree(context, repository, tree), asked)
    except BundlectlError as error:
        raise _labelled(error, tree) from None


def _source(context: OperationContext, asked: Asked, against_state: bool) -> LoadedSide:
    loading = load(context, ask=against_state)
    try:
        if against_state:
            loading, _ = resolve_artifacts(context, loading)
        return _side(context, loading, asked)
    except BundlectlError as error:
        raise _labelled(error, loading.tree) from None


def _side(context: OperationContext, loading: Loading, asked: Asked) -> LoadedSide:
    settled = without_plan_errors(loading)
    return LoadedSide(context=context, loading=settled, point=loaded_point(context, settled, asked.kind, asked.text))


def _labelled(error: BundlectlError, tree: SourceTree) -> BundlectlError:
    """The error, saying which of the two sides it is about."""
    if error.diagnostics:
        error.summary = f"{error.summary} at {tree.label}"
        error.args = (error.summary,)
    return error


def _for_target(context: OperationContext, asked: Asked) -> OperationContext:
    if not asked.name:
        return context
    return replace(context, request=replace(context.request, target=asked.name))


def _recorded(context: OperationContext, asked: Asked) -> RecordedSide:
    repository, bundle = find_bundle(context)
    store = context.open_store(repository, bundle)
    found = store.read()
    if asked.kind == DEPLOYMENT:
        found = _numbered(store, found, bundle, int(asked.name))
    name = asked.text if asked.name else f"{asked.kind}:{bundle.target.name}"
    return RecordedSide(
        repository=repository,
        store=store,
        bundle=bundle,
        version=found.version,
        deployment=found.deployment,
        point=recorded_point(bundle, found.deployment, asked.kind, name),
    )


def _numbered(store: StateStore, newest: Recorded, bundle: Bundle, number: int) -> Recorded:
    """The state as a deployment left it. Raises NotFound."""
    deployment = newest.deployment
    for entry in store.history() if deployment is not None and 0 < number <= deployment.serial else ():
        if entry.manifest is not None and entry.serial == number:
            return Recorded(entry.version, store.at(entry.version))
    last = deployment.serial if deployment is not None else 0
    raise NotFound(
        f'no deployment {number} of target "{bundle.target.name}"'
        + (f"; the newest is {last}" if last else "; nothing is deployed there yet"),
        hint=f"bundlectl history -t {bundle.target.name}",
    )


def _observed(context: OperationContext, recorded: RecordedSide) -> ObservedSide:
    """What the backend holds of the recorded jobs. Raises BackendError when it cannot be asked."""
    deployment = recorded.deployment
    backend = context.open_backend(recorded.bundle)
    listed = backend.observe(deployment.lineage if deployment is not None else None, recorded.bundle.target.name)
    if not listed.read:
        raise BackendError(
            f'the backend of target "{recorded.bundle.target.name}" was not read'
            + (f": {listed.why_not}" if listed.why_not else ""),
            code="BND310",
        )
    digests = {job.id: job.digest for job in listed.jobs}
    entries = deployment.jobs if deployment is not None else {}
    here = {key: entry for key, entry in entries.items() if entry.tombstone is None and entry.id in digests}
    moved = {key: entry.id for key, entry in here.items() if digests[entry.id] != entry.sent}
    documents = backend.read(list(moved.values())) if moved else {}
    held = {key: document for key, id in moved.items() if (document := documents.get(id)) is not None}
    gone = frozenset(key for key in recorded.jobs if key not in here or (key in moved and key not in held))
    return ObservedSide(recorded=recorded, point=recorded.point, held=held, gone=gone)
