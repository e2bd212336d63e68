"""A plan: a finished value that holds everything a reviewer saw (D5).

Made by planning.planner, saved by state.plan_file, shown by render, walked by operations.apply. Pure data: a plan
does not know how to print, load or apply itself. Documents: model.codec, schema `plan`.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from bundlectl.model.backend import BackendIdentity
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import FieldPath, Keyed, SourceSpan

FORMAT = "bundlectl.plan/v1"


class Action(StrEnum):
    """What happens to one job."""

    CREATE = "create"
    UPDATE = "update"
    RENAME = "rename"
    REPLACE = "replace"
    DELETE = "delete"
    FORGET = "forget"  # dropped from state, the job is already gone


class Verdict(StrEnum):
    """What a differing field is."""

    CHANGE = "change"  # the bundle says something else than what was deployed
    DRIFT = "drift"  # the backend says something else than what was deployed
    CONFLICT = "conflict"  # both, and differently
    BOTH = "both"  # both changed to the same value
    DEFAULT = "default"  # filled in by the backend
    SUPPRESSED = "suppressed"  # not a difference by rule


# A side of a field that has no value; left out of documents.
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__bool__": lambda self: False})()


class FieldChange(NamedTuple):
    """One differing field, also when suppressed."""

    path: FieldPath
    verdict: Verdict
    recorded: Any = ABSENT
    desired: Any = ABSENT
    observed: Any = ABSENT
    reason: str | None = None  # backend_default, unordered, ... : rows of planning.field_table
    span: SourceSpan | None = None
    sensitive: bool = False
    by: str | None = None  # who changed the job on the backend, if it tells
    at: str | None = None  # when, RFC 3339
    snoozed_until: str | None = None  # RFC 3339: this drift is left as it is until then


class CodeRef(NamedTuple):
    """How a job's code changes: snapshot before and after, and the changed files that the job names."""

    old: str | None
    new: str | None
    direct: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """One job's part of a plan."""

    address: str  # resources.jobs.<key>
    action: Action
    id: str | None = None  # on the backend; None for a create
    reason: str | None = None  # why, in words: "no longer in the bundle", "gone from the backend"
    renamed_from: str | None = None  # old key
    destructive: bool = False
    forces_replace: tuple[str, ...] = ()  # field paths
    depends_on: tuple[str, ...] = ()  # addresses that must be applied first
    fields: tuple[FieldChange, ...] = ()
    code: CodeRef | None = None  # None when the job's code stays
    desired: Mapping[str, Any] | None = None  # job document; None for delete and forget
    observed: Mapping[str, Any] | None = None  # what the backend holds, if read
    spec_digest: str | None = None  # sha256:<hex> of `desired`
    span: SourceSpan | None = None
    active_runs: int | None = None  # None: not asked
    until: str | None = None  # of a delete, RFC 3339: how long the job is kept; None: deleted for good
    restores: bool = False  # a deleted job that is kept comes back


class CodeFile(NamedTuple):
    """One changed file of the snapshot. Line counts are None for binary and very large files."""

    path: str
    status: str  # added, modified, removed, mode
    old: str | None  # blob id
    new: str | None
    added: int | None = None
    removed: int | None = None


DENY = "deny"


class Guard(NamedTuple):
    """A refusal that is built in, as a plan shows it."""

    guard: str  # destructive, dirty, rewind, branch, hold, protected, capability, ...
    code: str  # BND3xx
    summary: str
    addresses: tuple[str, ...] = ()
    override: str | None = None  # the flag; None when nothing overrides it
    hint: str | None = None


class PolicyFinding(NamedTuple):
    """A rule of the team that the plan does not keep."""

    name: str  # of the policy
    severity: str  # deny or warn
    message: str
    address: str | None = None  # of the job; None when it is about the plan as a whole
    span: SourceSpan | None = None  # where the job, or the field, is written


@dataclass(frozen=True, kw_only=True)
class PlanSource:
    """Where the desired state was read."""

    commit: str | None
    tree: str | None
    ref: str | None = None
    remote: str | None = None
    dirty: bool = False
    root: str = ""  # bundle root below the top of the tree
    working_tree: bool = False
    dirty_paths: tuple[str, ...] = ()  # what differs from the commit; empty when clean


@dataclass(frozen=True, kw_only=True)
class PlanBase:
    """The recorded state that the plan was made against; each part is an assertion at apply."""

    state_ref: str
    state_tip: str | None  # None: nothing deployed yet, which is asserted too
    lineage: str | None
    serial: int
    deployment: str | None = None
    commit: str | None = None
    snapshot: str | None = None  # sha256:<hex> of the code that is deployed
    at: str | None = None  # when that deployment ended, RFC 3339, if known
    by: str | None = None  # who made it, if known

    @property
    def expect(self) -> str:
        """`absent` on a first deployment, else `recorded`."""
        return "recorded" if self.state_tip else "absent"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deploy would do. `digest` covers the whole document, `changes_digest` only what would change."""

    tool_version: str
    created: str  # RFC 3339
    expires: str
    bundle: str
    target: str
    source: PlanSource
    snapshot: str | None  # sha256:<hex>
    config_digest: str
    base: PlanBase
    backend: BackendIdentity
    observed: str  # read, partial, not_read
    complete: bool  # False: cannot be applied
    changes: tuple[Change, ...]  # in apply order: each after what it depends on, deletes last
    code: tuple[CodeFile, ...] = ()
    artifacts: tuple[Mapping[str, Any], ...] = ()
    variables: tuple[Mapping[str, Any], ...] = ()  # invoker's: name, origin, digest
    hooks: tuple[str, ...] = ()  # code of the bundle around a deploy, run when the invoker of the deploy allows it
    guards: tuple[Guard, ...] = ()
    policies: tuple[PolicyFinding, ...] = ()
    policy_source: str | None = None  # where the policies were read; None when there are none
    drift: tuple["DriftedJob", ...] = ()
    unchanged: int = 0
    not_selected: int = 0
    debt: tuple[str, ...] = ()  # addresses that an earlier deployment left out and that are still behind
    left_out: tuple[str, ...] = ()  # addresses of changes that the selection leaves out: the debt afterwards
    selection: Mapping[str, Any] | None = None  # which jobs the plan is about; None: all
    holds: tuple[Mapping[str, Any], ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()  # findings that came up while planning
    not_read: str | None = None  # why the backend was not asked, or only in part
    code_only: bool = False  # the snapshot changes and no job uses it: recorded by a deploy
    changes_digest: str = ""
    digest: str = ""

    @property
    def is_empty(self) -> bool:
        """True when a deploy would change no job. A new commit alone is no change."""
        return not self.changes


class DriftedJob(NamedTuple):
    """A job that differs on the backend from what was deployed, with the fields."""

    address: str
    gone: bool
    fields: tuple[FieldChange, ...]

    @property
    def counted(self) -> int:
        """How many differences count as drift: not those that are snoozed."""
        return sum(field.snoozed_until is None for field in self.fields) if self.fields else 1


def count(plan: Plan) -> Mapping[str, int]:
    """The plan's `summary`: how many of each action, and of drifted and conflicting fields."""
    totals = {action.value: 0 for action in Action}
    conflicts = 0
    for change in plan.changes:
        totals[change.action.value] += 1
        conflicts += sum(item.verdict is Verdict.CONFLICT for item in change.fields)
    drifted = sum(job.counted for job in plan.drift)
    return {
        **totals,
        "unchanged": plan.unchanged,
        "not_selected": plan.not_selected,
        "drift": drifted,
        "conflict": conflicts,
        "code_files": len(plan.code),
        "denied": sum(item.severity == DENY for item in plan.policies),
        "warned": sum(item.severity != DENY for item in plan.policies),
    }


def kinds(plan: Plan) -> frozenset[str]:
    """What is in a plan, in the words of `plan --fail-on`."""
    totals = count(plan)
    found = {action.value for action in Action if totals[action.value]}
    if plan.changes:
        found.add("changes")
    if any(change.destructive for change in plan.changes):
        found.add("destructive")
    if plan.code or plan.code_only or any(change.code for change in plan.changes if change.action is not Action.CREATE):
        found.add("code")
    if plan.policies:
        found.add("policy-warning")
    return frozenset(found | {name for name in ("drift", "conflict") if totals[name]})


HIDDEN_TEXT = "(sensitive)"  # what people see in place of a secret

# Names of fields, parameters and variables whose values are never shown. References to secrets are no secrets.
_SECRET_NAMES = ("password", "passwd", "token", "secret", "private_key", "access_key", "api_key", "credential")


def is_sensitive(path: FieldPath, value: Any) -> bool:
    """Whether the value at `path` has to be hidden in plans: a plain text whose field name says that it is secret."""
    if not isinstance(value, str) or not value or value.startswith(("{{secrets/", "${")):
        return False
    step = path[-1] if path else ""
    if step == "default" and len(path) > 1 and isinstance(path[-2], Keyed):
        step = path[-2]
    name = step.value if isinstance(step, Keyed) and step.field == "name" else step
    return isinstance(name, str) and is_secret_name(name)


@functools.lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a field, parameter or variable of this name holds a secret."""
    return name.lower().rstrip("s").endswith(_SECRET_NAMES)
