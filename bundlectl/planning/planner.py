"""build(inputs) -> Plan: desired, recorded and observed state of one target as a finished proposal. Pure.

Called by operations.plan. Opens, starts and asks nothing: everything comes in as a value, and the same values always
give the same plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bundlectl.base.clock import rfc3339
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.job import JobSpec
from bundlectl.model.location import address, key_of
from bundlectl.model.plan import Action, Change, CodeFile, Plan, PlanBase, PlanSource
from bundlectl.model.plan_document import sealed
from bundlectl.planning.changes import Context, Removal, changed, code_only, created, removed, renamed, told_by
from bundlectl.planning.classify import Differing, differing
from bundlectl.planning.code import Named
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.guards import GuardFacts, check
from bundlectl.planning.narrowing import Narrowed, narrowed
from bundlectl.planning.order import in_apply_order
from bundlectl.planning.references import referenced
from bundlectl.planning.renames import Pair, probable_renames
from bundlectl.planning.selection import EVERYTHING, Selection
from bundlectl.planning.snoozes import Snoozes
from bundlectl.planning.tombstones import kept_until

DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """Everything that a plan is made of."""

    tool_version: str
    now_ms: int  # epoch milliseconds
    bundle: Bundle
    specs: Mapping[str, JobSpec]  # documents of the jobs in Differing.documents; more do no harm
    state_ref: str
    version: str | None  # tip of the state; None before the first write
    deployment: Deployment | None
    recorded_documents: Mapping[str, Mapping[str, Any]]  # of Differing.recorded, by recorded key
    observed: Observed  # documents in neutral form, by id, for Differing.ids
    snapshot: str | None  # sha256:<hex>
    source: PlanSource
    backend: BackendIdentity
    capabilities: Capabilities
    valid_for_ms: int = DAY_MS
    code: tuple[CodeFile, ...] = ()
    artifacts: tuple[Mapping[str, Any], ...] = ()
    variables: tuple[Mapping[str, Any], ...] = ()
    dirty_paths: tuple[str, ...] = ()
    is_rewind: bool | None = None  # None: nothing to compare with
    rewind_why: str | None = None
    protected: bool = False  # by a source that is not in `bundle`, such as the working tree
    code_paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # key -> files, where no spec is loaded
    active_runs: Mapping[str, int] = field(default_factory=dict)  # id -> how many; empty when not asked
    differing: Differing | None = None  # when the caller has made it already, from the same values
    deployed_at: str | None = None  # RFC 3339
    deployed_by: str | None = None
    selection: Selection = EVERYTHING
    changed_since: str | None = None  # what Selection.only was compared with, for the document
    fail_on_active_runs: bool = False
    removal: Removal | None = None  # how jobs go; None: kept for the retention of the target
    lost: Mapping[str, int] = field(default_factory=dict)  # jobs by lineage, when no state says whose they are
    in_part: str | None = None  # why not every job was compared with the backend, though all that change were


def build(inputs: PlanInputs) -> Plan:
    """The plan, with its digests. Raises KeyError when a document of Differing is missing from the inputs."""
    found = inputs.differing
    if found is None:
        found = differing(inputs.bundle.jobs, inputs.snapshot, inputs.deployment, inputs.observed)
    context = _context(inputs, found)
    judged = [created(context, key) for key in found.new]
    judged += [renamed(context, key, old) for key, old in found.renamed.items()]
    judged += [changed(context, key) for key in found.changed]
    judged += [code_only(context, key) for key in found.code_only]
    judged += [removed(context, key) for key in found.deleted]
    changes = _with_dependents(context, [item.change for item in judged if item.change is not None])
    ordered = in_apply_order(changes, _needs(context, changes), _needed(context))
    drift = tuple(sorted((item.drift for item in judged if item.drift is not None), key=lambda job: job.address))
    return sealed(_plan(inputs, context, narrowed(ordered, drift, inputs.bundle.jobs, inputs.selection)))


def _context(inputs: PlanInputs, found: Differing) -> Context:
    jobs = inputs.deployment.jobs if inputs.deployment is not None else {}
    recorded = {key: entry.id for key, entry in jobs.items()}
    kept = {key: id for key, id in recorded.items() if key in inputs.bundle.jobs and key not in found.gone}
    kept.update({key: recorded[old] for key, old in found.renamed.items() if old not in found.gone})
    kept.update(found.adopted)
    return Context(
        bundle_jobs=inputs.bundle.jobs,
        specs=inputs.specs,
        jobs=jobs,
        recorded_documents=inputs.recorded_documents,
        observed=inputs.observed,
        snapshot=inputs.snapshot,
        found=found,
        ids=kept,
        recorded_ids=recorded,
        table=FieldTable(inputs.capabilities.kind),
        named=Named.of(inputs.code),
        code_paths=inputs.code_paths,
        active_runs=inputs.active_runs,
        snoozes=Snoozes.of_target(inputs.deployment, inputs.now_ms),
        told=told_by(inputs.observed) if found.drifted else {},
        removal=inputs.removal or Removal(until=kept_until(inputs.now_ms, inputs.bundle.target.retention)),
    )


def _with_dependents(context: Context, changes: list[Change]) -> list[Change]:
    """Adds the jobs that need the id of one that is replaced: digests alone could not tell."""
    moved = {key_of(change.address) for change in changes if change.action is Action.REPLACE}
    if not moved:
        return changes
    listed = {change.address for change in changes}
    for key, job in context.bundle_jobs.items():
        needed = sorted(moved.intersection(job.depends_on))
        if needed and key in context.jobs and address(key) not in listed:
            changes.append(
                Change(
                    address=address(key),
                    action=Action.UPDATE,
                    id=context.jobs[key].id,
                    reason=f"it needs the new id of {', '.join(f'jobs.{name}' for name in needed)}",
                    spec_digest=job.digest,
                )
            )
    return changes


def _needs(context: Context, changes: list[Change]) -> dict[str, tuple[str, ...]]:
    """Key -> keys whose id its new document has."""
    jobs = context.bundle_jobs
    keys = [key_of(change.address) for change in changes]
    return {key: jobs[key].depends_on for key in keys if key in jobs and jobs[key].depends_on}


def _needed(context: Context) -> dict[str, frozenset[str]]:
    """Key in this plan -> keys whose id its recorded document had."""
    now = {old: new for new, old in context.found.renamed.items()}
    documents = context.recorded_documents
    if not context.found.deleted:
        return {}
    return {now.get(key, key): referenced(documents[key]) for key in context.found.recorded if key in documents}


def _pairs(context: Context, changes: tuple[Change, ...]) -> tuple[Pair, ...]:
    documents = context.recorded_documents
    created = {key_of(c.address): c.desired for c in changes if c.action is Action.CREATE and c.desired is not None}
    deleted = {
        key_of(c.address): documents[key_of(c.address)]
        for c in changes
        if c.action is Action.DELETE and key_of(c.address) in documents
    }
    return probable_renames(created, deleted, context.table)


def _plan(inputs: PlanInputs, context: Context, parts: Narrowed) -> Plan:
    deployment, changes = inputs.deployment, parts.changes
    source = replace(inputs.source, dirty_paths=inputs.dirty_paths) if inputs.dirty_paths else inputs.source
    base = _base(inputs)
    observed = _observed(context)
    moved = base.snapshot != inputs.snapshot
    return Plan(
        tool_version=inputs.tool_version,
        created=rfc3339(inputs.now_ms),
        expires=rfc3339(inputs.now_ms + inputs.valid_for_ms),
        bundle=inputs.bundle.name,
        target=inputs.bundle.target.name,
        source=source,
        snapshot=inputs.snapshot,
        config_digest=inputs.bundle.config_digest,
        base=base,
        backend=inputs.backend,
        observed="partial" if observed == "read" and inputs.in_part else observed,
        complete=observed == "read" and inputs.capabilities.deploys,
        changes=changes,
        code=inputs.code if moved else (),
        artifacts=inputs.artifacts,
        variables=inputs.variables,
        hooks=tuple(inputs.bundle.hooks),
        guards=check(_facts(inputs, context, source, changes)),
        drift=parts.drift,
        unchanged=parts.unchanged,
        not_selected=parts.not_selected,
        debt=_debt(deployment, parts),
        left_out=parts.left_out,
        selection=_selection(inputs),
        holds=(deployment.hold,) if deployment is not None and deployment.hold else (),
        diagnostics=_strays(context),
        not_read=inputs.observed.why_not or inputs.in_part,
        code_only=moved and not parts.has_code,
    )


def _facts(inputs: PlanInputs, context: Context, source: PlanSource, changes: tuple[Change, ...]) -> GuardFacts:
    return GuardFacts(
        bundle=inputs.bundle,
        source=source,
        deployment=inputs.deployment,
        capabilities=inputs.capabilities,
        changes=changes,
        documents={key: spec.document for key, spec in inputs.specs.items()},
        probable_renames=_pairs(context, changes),
        is_rewind=inputs.is_rewind,
        rewind_why=inputs.rewind_why,
        protected=inputs.protected,
        fail_on_active_runs=inputs.fail_on_active_runs,
        lost=inputs.lost,
    )


def _debt(deployment: Deployment | None, parts: Narrowed) -> tuple[str, ...]:
    """What an earlier deployment left out and the bundle still wants otherwise."""
    wanted = {*(change.address for change in parts.changes), *parts.left_out}
    recorded = map(address, deployment.debt) if deployment is not None else ()
    return tuple(name for name in recorded if name in wanted)


def _selection(inputs: PlanInputs) -> dict[str, Any] | None:
    selection = inputs.selection
    if selection.is_everything:
        return None
    only = list(selection.only) if selection.only is not None else None
    return {
        "select": list(selection.select),
        "exclude": list(selection.exclude),
        "changed_since": inputs.changed_since,
        "only": only,
    }


def _base(inputs: PlanInputs) -> PlanBase:
    deployment = inputs.deployment
    deployed = deployment.deployed if deployment is not None else None
    return PlanBase(
        state_ref=inputs.state_ref,
        state_tip=inputs.version,
        lineage=deployment.lineage if deployment is not None else None,
        serial=deployment.serial if deployment is not None else 0,
        deployment=deployed.deployment if deployed is not None else None,
        commit=deployed.commit if deployed is not None else None,
        snapshot=deployed.snapshot if deployed is not None else None,
        at=inputs.deployed_at or (_made_at(deployed.deployment) if deployed is not None else None),
        by=inputs.deployed_by,
    )


def _made_at(deployment: str) -> str | None:
    """When an id in the layout of UUIDv7 was made, RFC 3339; None for another id."""
    digits = deployment.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return None
    try:
        return rfc3339(int(digits[:12], 16))
    except (ValueError, OverflowError):
        return None


def _observed(context: Context) -> str:
    """read, partial (a document that was needed is not there) or not_read."""
    if not context.observed.read:
        return "not_read"
    return "read" if all(id in context.observed.documents for id in context.found.ids) else "partial"


def _strays(context: Context) -> tuple[Diagnostic, ...]:
    """Jobs that carry our ownership and belong to no key: reported, never removed in passing."""
    ids = context.found.strays
    if not ids:
        return ()
    shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
    return (
        Diagnostic(
            code="BND311",
            severity=Severity.WARNING,
            summary=f"on the backend, with the mark of this target, and not recorded: {shown}",
            detail="left behind by an interrupted deploy, or copies of a job; a deploy leaves them alone",
        ),
    )
