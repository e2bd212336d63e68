"""load, stage, read state, observe, build: what a deploy would do, as a finished value.

Called by plan and deploy. Writes nothing, takes no lock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from bundlectl.backends.base import Backend
from bundlectl.base.digest import digest_document
from bundlectl.config.cache import specs_of
from bundlectl.git.repository import Repository
from bundlectl.git.snapshot import read_code_tree
from bundlectl.git.trees import read_blobs
from bundlectl.model.artifact import Artifacts
from bundlectl.model.backend import BackendIdentity, Observed
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import Refused, RepositoryError, StateError
from bundlectl.model.job import JobSpec
from bundlectl.model.location import key_of
from bundlectl.model.plan import CodeFile, Plan, PlanSource
from bundlectl.model.source import Snapshot
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading, load
from bundlectl.operations.stage import describe_code, resolve_artifacts, snapshot_digest
from bundlectl.planning.changes import NO_LONGER, Removal
from bundlectl.planning.classify import Differing, differing, unchanged_taken_as_sent
from bundlectl.planning.code import blobs_to_read, changed_files
from bundlectl.planning.planner import PlanInputs, build
from bundlectl.planning.selection import EVERYTHING, Selection
from bundlectl.planning.tombstones import kept_until
from bundlectl.state.store import Recorded, StateStore

# Line counts are worth reading so much code for; beyond it the files are named without.
_COUNTED_BYTES = 64 << 20

_HERE = "."  # state in the repository itself
_NOT_ASKED = "the backend was not asked; recorded state only"
_IN_PART = "jobs that the bundle does not change were not compared (--refresh changed)"

# Of how many code-only jobs the files that they name are looked up, to be shown; the rest is folded anyway.
_NAMED_JOBS = 500


class Refresh(StrEnum):
    """How much of the backend a plan looks at."""

    ALL = "all"  # every job: digests of all, documents of those that differ
    CHANGED = "changed"  # documents of jobs that the bundle changes; others only whether they are there
    NONE = "none"  # nothing: recorded state only


class PlanOptions(NamedTuple):
    """What a plan was asked for."""

    hidden: Collection[str] = ()  # artifacts that are to be taken as not built yet, as they were for a saved plan
    selection: Selection = EVERYTHING
    changed_since: str | None = None  # a commit: only jobs that changed since
    refresh: Refresh = Refresh.ALL
    fail_on_active_runs: bool = False
    empty: bool = False  # as if the bundle had no jobs: what is there goes
    purge: bool = False  # what goes is not kept for a while
    accept_lost_state: bool = False  # jobs whose state is gone are taken over


EVERY_JOB = PlanOptions()


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan, and what it was made of: all that a deploy needs to carry it out."""

    plan: Plan
    loading: Loading
    bundle: Bundle
    store: StateStore
    recorded: Recorded
    backend: Backend
    observed: Observed
    specs: Mapping[str, JobSpec]  # of the jobs whose documents the plan needed
    artifacts: Artifacts
    snapshot: Snapshot | None  # None when its digest came from the cache and nothing needed its files

    def all_specs(self) -> Mapping[str, JobSpec]:
        """Specs of every job that the plan writes, those whose code alone changes included."""
        keys = [key_of(change.address) for change in self.plan.changes if change.spec_digest is not None]
        missing = [key for key in keys if key not in self.specs]
        return {**self.specs, **specs_of(self.loading.loaded, missing)} if missing else self.specs


def make_plan(context: OperationContext, options: PlanOptions = EVERY_JOB) -> Planned:
    """What a deploy would do now. Raises InputError, RepositoryError, StateError, BackendError, Refused, NotFound."""
    return _judged(context, _planned(context, options))


def _planned(context: OperationContext, options: PlanOptions) -> Planned:
    loading, artifacts = _wanted(context, options)
    bundle = replace(loading.bundle, jobs={}, artifacts=()) if options.empty else loading.bundle
    store = context.open_store(loading.home, bundle)
    recorded = _recorded(context, store, bundle)
    backend = context.open_backend(bundle)
    refresh = Refresh.NONE if context.offline else options.refresh
    lost = _lost(backend, refresh, recorded, bundle)
    deployment = _regained(bundle, lost) if lost and options.accept_lost_state else recorded.deployment
    selection = _selection(context, options, loading, deployment)
    digest = _code_left(deployment, selection) if options.empty else snapshot_digest(context, loading)
    identity, observed, found = _look(backend, refresh, deployment, bundle, digest, purge=options.purge)
    code, snapshot = _code(context, loading, store, deployment, digest) if not options.empty else ((), None)
    specs = specs_of(loading.loaded, found.documents)
    plan = build(
        PlanInputs(
            tool_version=context.tool_version,
            now_ms=context.clock.now_ms(),
            bundle=bundle,
            specs=specs,
            state_ref=store.ref,
            version=recorded.version,
            deployment=deployment,
            recorded_documents=_recorded_documents(store, recorded, found),
            observed=observed,
            snapshot=digest,
            source=_source(context, loading, bundle),
            backend=identity,
            capabilities=backend.capabilities,
            code=code,
            artifacts=artifacts.documents(),
            variables=_variables(bundle),
            dirty_paths=loading.tree.revision.dirty,
            protected=loading.protected_on_disk,
            code_paths=_code_paths(loading, found),
            active_runs=_active_runs(backend, deployment, found) if refresh is not Refresh.NONE else {},
            differing=found,
            selection=selection,
            changed_since=options.changed_since,
            fail_on_active_runs=options.fail_on_active_runs,
            lost=lost,
            in_part=_IN_PART if refresh is Refresh.CHANGED else None,
            deployed_by=store.last_deployer() if deployment is not None and _differs(found) else None,
            removal=_removal(context, options, bundle),
            # An empty bundle holds nothing that an older commit could undo.
            **({} if options.empty else _rewind(loading.home, deployment, loading.tree.revision.commit)),
        )
    )
    return Planned(
        plan=plan,
        loading=loading,
        bundle=bundle,
        store=store,
        recorded=recorded,
        backend=backend,
        observed=observed,
        specs=specs,
        artifacts=artifacts,
        snapshot=snapshot,
    )


def _lost(backend: Backend, refresh: Refresh, recorded: Recorded, bundle: Bundle) -> Mapping[str, int]:
    """Jobs of this bundle by lineage, where nothing is recorded: somebody's state is gone, or was never fetched."""
    asks = recorded.deployment is None and refresh is not Refresh.NONE
    return backend.lineages(bundle.target.name) if asks else {}


def _regained(bundle: Bundle, lost: Mapping[str, int]) -> Deployment:
    """A record of nothing, in the history that most of the jobs belong to: they are found by their marks then."""
    lineage = max(sorted(lost), key=lambda one: lost[one])
    return Deployment(lineage=lineage, serial=0, fence=0, bundle=bundle.name, target=bundle.target.name)


def _judged(context: OperationContext, planned: Planned) -> Planned:
    """The same with what the team's policies say of the plan, if there may be some."""
    loading, plan, deployment = planned.loading, planned.plan, planned.recorded.deployment
    recorded = deployment is not None and "target" in deployment.protection
    protected = loading.bundle.target.protected or loading.protected_on_disk or recorded
    if plan.is_empty or not (protected or loading.bundle.target.policies):
        return planned
    # jsonschema takes as long to load as the rest of a plan, and most targets have no policies.
    from bundlectl.operations.policies import judged

    return replace(planned, plan=judged(context, loading, plan, planned.specs, protected=protected))


def _wanted(context: OperationContext, options: PlanOptions) -> tuple[Loading, Artifacts]:
    loading = load(context)
    return (loading, Artifacts()) if options.empty else resolve_artifacts(context, loading, options.hidden)


def _code_left(deployment: Deployment | None, selection: Selection) -> str | None:
    """The code that is deployed after jobs have gone: none after the last of them."""
    head = deployment.deployed if deployment is not None else None
    if head is None or deployment is None:
        return None
    live = [key for key, job in deployment.jobs.items() if job.tombstone is None]
    return None if live and selection.is_everything else head.snapshot


def _removal(context: OperationContext, options: PlanOptions, bundle: Bundle) -> Removal:
    until = None if options.purge else kept_until(context.clock.now_ms(), bundle.target.retention)
    return Removal("the target is destroyed" if options.empty else NO_LONGER, until)


def _recorded(context: OperationContext, store: StateStore, bundle: Bundle) -> Recorded:
    """The recorded state. Raises StateError when it is elsewhere and nothing may be asked."""
    if context.offline and store.place != _HERE:
        raise StateError(
            f'the state of target "{bundle.target.name}" is kept at {store.place}, and --offline asks nothing',
            hint="leave --offline out; --refresh none asks for the state alone",
        )
    return store.read()


def _look(
    backend: Backend,
    refresh: Refresh,
    deployment: Deployment | None,
    bundle: Bundle,
    snapshot: str | None,
    *,
    purge: bool,
) -> tuple[BackendIdentity, Observed, Differing]:
    """Which backend it is, what it has, and which jobs differ; without a question when it is not to be read."""
    if refresh is Refresh.NONE:
        known = deployment.backend if deployment is not None else None
        unseen = Observed(read=False, why_not=_NOT_ASKED)
        found = differing(bundle.jobs, snapshot, deployment, unseen, purge=purge)
        return known or BackendIdentity(kind=bundle.target.backend), unseen, found
    identity = backend.identity()
    refuse_other_backend(deployment, identity, bundle)
    observed = backend.observe(deployment.lineage if deployment is not None else None, bundle.target.name)
    if refresh is Refresh.CHANGED:
        observed = unchanged_taken_as_sent(bundle.jobs, snapshot, deployment, observed)
    found = differing(bundle.jobs, snapshot, deployment, observed, purge=purge)
    if found.ids:
        documents = {id: document for id, document in backend.read(found.ids).items() if document is not None}
        observed = replace(observed, documents=documents)
    return identity, observed, found


def _selection(
    context: OperationContext, options: PlanOptions, loading: Loading, deployment: Deployment | None
) -> Selection:
    """Which jobs are meant. Raises NotFound for a selected job that neither the bundle nor the record has."""
    selection = options.selection
    if not selection.is_everything:
        selection.check({*loading.bundle.jobs, *(deployment.jobs if deployment is not None else ())})
    if options.changed_since is None or selection.only is not None:
        return selection
    # What a comparison of two bundles needs is not loaded by a plan without it.
    from bundlectl.operations.changed_since import keys_changed_since

    return selection._replace(only=keys_changed_since(context, loading, options.changed_since))


def refuse_other_backend(deployment: Deployment | None, identity: BackendIdentity, bundle: Bundle) -> None:
    """Jobs that live elsewhere must not be made again here, with the old ones left to run. Raises Refused BND309."""
    recorded = deployment.backend if deployment is not None else None
    if recorded is None or deployment is None or not deployment.jobs:
        return
    same = recorded.kind == identity.kind and recorded.host == identity.host
    if same and identity.workspace_id in (None, recorded.workspace_id):
        return
    raise Refused(
        f'target "{bundle.target.name}" was deployed to {_place(recorded)}, and this is {_place(identity)}',
        code="BND309",
        detail="Its jobs live there. Nothing was changed.",
        hint="point to the same engine (BUNDLECTL_ENGINE_DIR, bundlectl.backend.path), or use another target",
    )


def _place(identity: BackendIdentity) -> str:
    parts = [identity.kind, identity.host or "", identity.workspace_id or ""]
    return "backend " + " ".join(part for part in parts if part)


def _code(
    context: OperationContext, loading: Loading, store: StateStore, deployment: Deployment | None, digest: str | None
) -> tuple[tuple[CodeFile, ...], Snapshot | None]:
    """Files that changed since the last deployment; nothing is listed while the digests agree."""
    head = deployment.deployed if deployment is not None else None
    if digest == (head.snapshot if head is not None else None):
        return (), None
    snapshot = describe_code(context, loading)
    new = {file.path: (file.mode, file.blob) for file in snapshot.files}
    old: Mapping[str, tuple[str, str]] = {}
    holder = loading.home
    if head is not None and head.code_tree is not None:
        holder = store.code.holder(head.code_tree)
        old = read_code_tree(holder, head.code_tree)
    wanted = blobs_to_read(old, new) if snapshot.size <= _COUNTED_BYTES else ()
    stored = {entry[1] for entry in old.values()}
    contents = {
        **read_blobs(holder, [blob for blob in wanted if blob in stored]),
        **read_blobs(loading.tree, [blob for blob in wanted if blob not in stored]),
    }
    return changed_files(old, new, contents), snapshot


def _recorded_documents(store: StateStore, recorded: Recorded, found: Differing) -> Mapping[str, Mapping[str, Any]]:
    if recorded.version is None or not found.recorded:
        return {}
    return store.documents(recorded.version, found.recorded)


def _source(context: OperationContext, loading: Loading, bundle: Bundle) -> PlanSource:
    revision = loading.tree.revision
    return PlanSource(
        commit=revision.commit,
        tree=revision.tree,
        ref=revision.ref,
        remote=revision.remote,
        dirty=bool(revision.dirty),
        root=bundle.root,
        # A clean working tree is its commit: which of the two was read makes no difference.
        working_tree=bool(revision.dirty) or context.source.worktree,
        dirty_paths=revision.dirty,
    )


def _variables(bundle: Bundle) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"name": item.name, "origin": item.origin, "digest": digest_document(item.value)} for item in bundle.variables
    )


def _code_paths(loading: Loading, found: Differing) -> dict[str, tuple[str, ...]]:
    if not found.code_only:
        return {}
    specs = specs_of(loading.loaded, found.code_only[:_NAMED_JOBS])
    return {key: spec.code_paths for key, spec in specs.items()}


def _active_runs(backend: Backend, deployment: Deployment | None, found: Differing) -> dict[str, int]:
    if deployment is None or not backend.capabilities.deploys:
        return {}
    keys = [*found.changed, *found.code_only, *found.deleted, *found.renamed.values()]
    ids = [deployment.jobs[key].id for key in keys if key in deployment.jobs and key not in found.gone]
    return backend.active_runs(ids) if ids else {}


def _differs(found: Differing) -> bool:
    return bool(found.new or found.renamed or found.changed or found.code_only or found.deleted)


def _rewind(repository: Repository, deployment: Deployment | None, commit: str | None) -> dict[str, Any]:
    """Whether the commit fails to descend from the deployed one, and why that could not be told."""
    head = deployment.deployed if deployment is not None else None
    if head is None or head.commit is None or commit is None:
        return {}
    if head.commit == commit:
        return {"is_rewind": False}
    if not repository.has_commit(head.commit):
        return {"is_rewind": True, "rewind_why": "that commit is not in this clone; fetch the whole history"}
    try:
        return {"is_rewind": not repository.is_ancestor(head.commit, commit)}
    except RepositoryError as error:
        return {"is_rewind": True, "rewind_why": error.summary}
