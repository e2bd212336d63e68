"""Recorded state of one target: what was deployed last, by whom, and what a writer is about to do.

Stored by state as one commit per change (spec: state chain), read by planning and operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bundlectl.base.digest import sha256_hex
from bundlectl.model.backend import BackendIdentity


def ownership_id(lineage: str, target: str, key: str) -> str:
    """The id that a job created for (lineage, target, key) carries on its backend: `b1-` and 40 hex digits.

    Derived, so that a recoverer finds what a dead writer created without having been told. A renamed job keeps its
    old one (DeployedJob.own).
    """
    return "b1-" + sha256_hex("\0".join(("bundlectl/1", lineage, target, key)).encode("utf-8"))[:40]


class DeployedJob(NamedTuple):
    """What was last written for a job, and where."""

    id: str  # on the backend
    spec: str  # sha256:<hex> of the job document
    sent: str  # sha256:<hex> of the document as the backend got it, code paths and ownership included
    snapshot: str | None  # sha256:<hex> of the code it runs; None when it uses none
    deployment: str  # id of the deployment that last changed it
    own: str | None = None  # ownership id, when it is not the derived one (after a rename)
    tombstone: Mapping[str, str] | None = None  # {since, until} of a deleted job that is kept


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Head of the last finished deployment."""

    deployment: str  # id, sorts by time
    commit: str | None
    tree: str | None
    dirty: bool
    snapshot: str | None  # sha256:<hex>
    code_tree: str | None  # git id of the tree that holds the snapshot's files
    config_digest: str


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who holds an open apply, with enough to tell whether that process still lives."""

    actor: str
    ci: str | None = None
    run_url: str | None = None
    host: str | None = None
    boot_id: str | None = None
    pid_ns: str | None = None
    pid: int | None = None
    pid_start: int | None = None


class Operation(NamedTuple):
    """One step of an open apply."""

    op: str  # id inside this apply
    action: str
    key: str
    own: str
    id: str | None = None
    old_own: str | None = None
    want: str | None = None  # sha256:<hex> of the job document that is to be there


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What a writer was about to do: lock and log in one (apply.json)."""

    deployment: str
    owner: Owner
    commit: str | None
    plan: str  # digest of the plan
    ops: tuple[Operation, ...]
    begun_at: str
    lease_s: int = 300
    lease_until: str = ""
    max_request_s: int = 60
    recovered_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Recorded state of one target. Counts start at 0; `serial` counts finished applies."""

    lineage: str
    serial: int
    fence: int
    bundle: str
    target: str
    backend: BackendIdentity | None = None
    deployed: Deployed | None = None  # None before the first apply ended
    jobs: Mapping[str, DeployedJob] = field(default_factory=dict)
    intent: Intent | None = None
    protection: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # "target" or job key -> {since, by}
    hold: Mapping[str, Any] | None = None
    debt: tuple[str, ...] = ()  # keys left out of the last deployment
    snoozes: Mapping[str, Any] = field(default_factory=dict)  # kept as they are; written by later versions
    previous: str | None = None  # tip of the chain that was compacted into this one


class HistoryEntry(NamedTuple):
    """One commit of the state chain."""

    version: str  # commit id on the state ref
    verb: str  # apply-begin, apply-end, ...
    serial: int
    summary: str
    manifest: Mapping[str, Any] | None  # deployment manifest that this commit added
