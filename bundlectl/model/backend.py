"""The other side: what a backend is, what it can do, what it reports.

Made by backends, read by planning, operations and state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True)
class BackendIdentity:
    """Which backend: two plans are for the same one when these are equal."""

    kind: str  # local, databricks, server, airflow
    host: str | None = None  # https://..., None for local
    workspace_id: str | None = None  # workspace, or the engine's UUID; None while the engine does not exist yet


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend honours; a plan refuses early what it cannot."""

    kind: str
    deploys: bool = True  # False: known, but this version cannot deploy to it
    task_types: frozenset[str] = frozenset()  # task types it runs; empty means any
    extensions: frozenset[str] = frozenset()  # of model.job.EXTENSION_FIELDS
    snapshots: bool = True  # takes code as immutable snapshots
    parallel: int = 1  # changes that may be under way at once
    fencing: bool = False  # refuses writes with an old fence
    hides: bool = False  # does not list a deleted job that is kept; else its name says so


class ObservedJob(NamedTuple):
    """A job as the backend's bulk list shows it."""

    id: str
    own: str  # ownership id that it carries
    digest: str | None  # sha256:<hex> of the document it holds, if the backend lists digests; else None
    changed_by: str | None = None  # who changed its settings last, if the backend tells
    changed_at: str | None = None  # when, RFC 3339


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything on a backend that carries our lineage and target. `jobs` may hold copies of one ownership id."""

    read: bool  # False: not asked, or could not be asked
    jobs: tuple[ObservedJob, ...] = ()
    documents: Mapping[str, Any] = field(default_factory=dict)  # id -> settings, for those that were read in full
    why_not: str | None = None  # reason when not read
