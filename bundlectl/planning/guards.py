"""Built-in refusals, each with at most one named override: GUARDS, one small pure function per guard.

Called by planning.planner; operations decide by the flags that were given. There is no override for all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bundlectl.model.backend import Capabilities
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment
from bundlectl.model.job import EXTENSION_FIELDS, task_type
from bundlectl.model.location import FieldPath, address, key_of, path_short
from bundlectl.model.plan import Action, Change, Guard, PlanSource, Verdict
from bundlectl.planning.renames import Pair


@dataclass(frozen=True, kw_only=True)
class GuardFacts:
    """What guards judge by."""

    bundle: Bundle
    source: PlanSource
    deployment: Deployment | None
    capabilities: Capabilities
    changes: tuple[Change, ...]
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # key -> desired document, where loaded
    probable_renames: tuple[Pair, ...] = ()
    is_rewind: bool | None = None
    rewind_why: str | None = None  # when ancestry could not be told: unrelated, or history too shallow
    protected: bool = False  # here or on disk, whoever says so
    fail_on_active_runs: bool = False  # the invoker asks for it; the bundle may too
    lost: Mapping[str, int] = field(default_factory=dict)  # jobs by lineage, where no state is there to say whose

    @property
    def is_protected(self) -> bool:
        """In the bundle that was read, in the state, or as the caller knows."""
        recorded = self.deployment is not None and "target" in self.deployment.protection
        return self.protected or self.bundle.target.protected or recorded


def check(facts: GuardFacts) -> tuple[Guard, ...]:
    """Every guard that stands in the way, in the order of GUARDS."""
    return tuple(guard for rule in GUARDS for guard in rule(facts))


def backend_deploys(facts: GuardFacts) -> Iterator[Guard]:
    """A backend that this version knows and cannot deploy to."""
    if not facts.capabilities.deploys:
        yield Guard(
            "capability",
            "BND310",
            f'backend "{facts.capabilities.kind}" cannot be deployed to by this version of bundlectl',
            hint="choose a target whose backend is local, for instance with bundlectl: {backend: local}",
        )


def lost_state(facts: GuardFacts) -> Iterator[Guard]:
    """No state, and jobs that a deployment of this bundle made: they would be made a second time."""
    count = sum(facts.lost.values())
    if count:
        belong = "1 job belongs" if count == 1 else f"{count} jobs belong"
        yield Guard(
            "lost_state",
            "BND412",
            f"state is gone but {belong} to it",
            override="--accept-lost-state",
            hint="fetch the state ref from the clone or the remote that has it; if it is lost, take the jobs over: "
            "bundlectl deploy --accept-lost-state",
        )


def task_types(facts: GuardFacts) -> Iterator[Guard]:
    """Task types and extension fields that the backend does not have."""
    lacking: dict[str, set[str]] = {}
    for change in facts.changes:
        document = facts.documents.get(key_of(change.address))
        for name in _not_honoured(document or {}, facts.capabilities):
            lacking.setdefault(name, set()).add(change.address)
    for name, addresses in sorted(lacking.items()):
        yield Guard(
            "capability",
            "BND310",
            f'backend "{facts.capabilities.kind}" has no {name}',
            tuple(sorted(addresses)),
            hint="use a task type that it runs, or another target",
        )


def _not_honoured(document: Mapping[str, Any], capabilities: Capabilities) -> Iterator[str]:
    for task in _tasks(document):
        kind = task_type(task)
        limited = capabilities.task_types and kind not in EXTENSION_FIELDS
        if kind is not None and limited and kind not in capabilities.task_types:
            yield kind
        for name in EXTENSION_FIELDS:
            if task.get(name) is not None and name not in capabilities.extensions:
                yield name


def _tasks(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    tasks = document.get("tasks")
    for task in tasks if isinstance(tasks, list) else ():
        if isinstance(task, dict):
            yield task
            loop = task.get("for_each_task")
            inner = loop.get("task") if isinstance(loop, dict) else None
            if isinstance(inner, dict):
                yield inner


def dirty(facts: GuardFacts) -> Iterator[Guard]:
    """A protected target takes committed trees only."""
    source = facts.source
    if facts.is_protected and (source.dirty or source.working_tree):
        shown = ", ".join(f'"{path}"' for path in source.dirty_paths[:5])
        more = f" and {len(source.dirty_paths) - 5} more" if len(source.dirty_paths) > 5 else ""
        yield Guard(
            "dirty",
            "BND313",
            f'target "{facts.bundle.target.name}" takes committed trees only'
            + (f"; changed: {shown}{more}" if shown else ""),
            hint=f"commit, or take the commit as it is: bundlectl deploy -t {facts.bundle.target.name} --ref HEAD",
        )


def rewind(facts: GuardFacts) -> Iterator[Guard]:
    """The commit does not descend from the deployed one."""
    if not facts.is_rewind or not facts.changes:
        return
    deployed = facts.deployment.deployed if facts.deployment is not None else None
    commit = (deployed.commit or "")[:7] if deployed is not None else ""
    here = (facts.source.commit or "no commit")[:7]
    yield Guard(
        "rewind",
        "BND314",
        f"{here} does not descend from {commit}, which is deployed"
        + (f": {facts.rewind_why}" if facts.rewind_why else ""),
        tuple(change.address for change in facts.changes),
        override="--allow-rewind",
        hint="deploy a commit that contains the deployed one: merge or rebase first",
    )


def branch(facts: GuardFacts) -> Iterator[Guard]:
    """The bundle names the branch that it is deployed from."""
    wanted, ref = facts.bundle.git_branch, facts.source.ref
    here = ref.removeprefix("refs/heads/") if ref is not None else None
    if wanted is not None and here != wanted:
        yield Guard(
            "branch",
            "BND315",
            f'this bundle is deployed from branch "{wanted}", not from ' + (f'"{here}"' if here else "a bare commit"),
            override="--allow-branch",
            hint=f"switch to {wanted}",
        )


def hold(facts: GuardFacts) -> Iterator[Guard]:
    """A rollback keeps the target where it is."""
    held = facts.deployment.hold if facts.deployment is not None else None
    if held and facts.changes:
        who = f" by {held['by']}" if held.get("by") else ""
        why = f': "{held["reason"]}"' if held.get("reason") else ""
        yield Guard(
            "hold",
            "BND317",
            f'target "{facts.bundle.target.name}" is held{who}{why}',
            hint=f"bundlectl hold lift -t {facts.bundle.target.name}",
        )


def protected_jobs(facts: GuardFacts) -> Iterator[Guard]:
    """Protection lives in the state: removing the block does not remove it."""
    recorded = facts.deployment.protection if facts.deployment is not None else {}
    guarded = {*facts.bundle.protected_jobs, *recorded} - {"target"}
    hit = [change.address for change in facts.changes if change.destructive and key_of(change.address) in guarded]
    if hit:
        yield Guard(
            "protected",
            "BND312",
            f"protected against being deleted or replaced: {_names(hit)}",
            tuple(hit),
            hint=f"bring it back into the bundle; or let go of it (bundlectl unbind {key_of(hit[0])}) and delete it "
            "where it runs",
        )


def destructive(facts: GuardFacts) -> Iterator[Guard]:
    """Deleting or replacing a job."""
    hit = [change.address for change in facts.changes if change.destructive]
    if hit:
        yield Guard(
            "destructive",
            "BND312",
            f"{len(hit)} {'job' if len(hit) == 1 else 'jobs'} would be deleted or replaced: {_names(hit)}",
            tuple(hit),
            override="--allow-destructive",
            hint="have the plan reviewed, then add --auto-approve --allow-destructive",
        )


def renamed(facts: GuardFacts) -> Iterator[Guard]:
    """A delete and a create that are nearly the same job."""
    for pair in facts.probable_renames:
        yield Guard(
            "probable_rename",
            "BND312",
            f'"{pair.created}" is nearly the same as "{pair.deleted}", which would be deleted with its runs',
            (address(pair.created), address(pair.deleted)),
            override="--allow-destructive",
            hint=f"to keep id and runs: resources.jobs.{pair.created}.bundlectl: {{renamed_from: {pair.deleted}}}",
        )


def conflicts(facts: GuardFacts) -> Iterator[Guard]:
    """A field changed in the bundle and on the backend to different values, on a protected target."""
    if not facts.is_protected:
        return
    for change in facts.changes:
        for item in change.fields:
            if item.verdict is Verdict.CONFLICT:
                override = conflict_override(key_of(change.address), item.path)
                name = override.partition(" ")[2]
                yield Guard(
                    "conflict",
                    "BND320",
                    f"{name} was changed here and on the backend",
                    (change.address,),
                    override=override,
                    hint=f"decide which value is right; when it is the bundle's: {override}",
                )


def conflict_override(key: str, path: FieldPath) -> str:
    """The flag that lets the bundle win over the backend in one field."""
    return f"--allow-conflict {path_short(('jobs', key, *path))}"


def active_runs(facts: GuardFacts) -> Iterator[Guard]:
    """Only when the bundle or a flag asks for it: runs keep the snapshot that they started with."""
    busy = [change.address for change in facts.changes if change.active_runs and change.action is not Action.CREATE]
    if (facts.fail_on_active_runs or facts.bundle.fail_on_active_runs) and busy:
        yield Guard(
            "active_runs",
            "BND621",
            f"runs are active: {_names(busy)}",
            tuple(busy),
            hint="wait for them, or leave --fail-on-active-runs out",
        )


def _names(addresses: Iterable[str]) -> str:
    names = [f"jobs.{key_of(item)}" for item in addresses]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


GUARDS: tuple[Callable[[GuardFacts], Iterator[Guard]], ...] = (
    backend_deploys,
    lost_state,
    task_types,
    hold,
    dirty,
    branch,
    rewind,
    protected_jobs,
    destructive,
    renamed,
    conflicts,
    active_runs,
)
