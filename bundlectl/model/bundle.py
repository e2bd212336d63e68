"""The desired state: a bundle resolved for one target.

Made by config.loader (or its cache), read by operations and planning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bundlectl.model.artifact import ArtifactSpec
from bundlectl.model.job import JobDigest

DEFAULT_SNAPSHOT_LIMIT = 1 << 30


class Variable(NamedTuple):
    """A variable's value and where it came from."""

    name: str
    value: Any  # resolved; None when it has none yet
    origin: str  # flag, environment, file, overrides-file, target, default, lookup, none


@dataclass(frozen=True, kw_only=True)
class Target:
    """A named destination and what the bundle says about it."""

    name: str
    mode: str | None = None  # development, production or None
    protected: bool = False  # committed trees only; also kept in state
    backend: str = "local"  # kind: local, databricks, server, airflow or a plug-in's name
    backend_options: Mapping[str, Any] = field(default_factory=dict)  # path, url, ... as the bundle gives them
    host: str | None = None  # workspace.host
    code: str = "snapshot"  # snapshot, in_place or git_source
    state_remote: str | None = None  # None: the default rule (D4)
    state_form: str = "auto"  # ref, branch or auto
    require_signed: bool = False  # a state commit that git cannot verify is refused
    strict_lease: bool = False  # a lease is believed to have run out by watching it, never by comparing clocks
    retention: str = "30d"
    default: bool = False  # chosen without -t
    snapshot_limit: int = DEFAULT_SNAPSHOT_LIMIT  # bytes of all synced files
    policies: tuple[str, ...] = ()  # policy files, relative to the top of the tree
    policy_ref: str | None = None  # where they are read, instead of the default branch


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle, resolved. `jobs` has every job; the documents of those that matter are asked for by key."""

    name: str
    root: str  # folder of the root file, relative to the top of the tree; "" at the top
    target: Target
    jobs: Mapping[str, JobDigest]
    variables: tuple[Variable, ...]  # those given by the invoker: flag, environment, file
    config_digest: str  # sha256:<hex> of the resolved document without commit and branch
    root_path: str  # workspace.root_path
    file_path: str  # workspace.file_path: what code paths in job documents start with
    sync_root: str  # folder of the tree that code paths are relative to; "" at the top
    user: str  # who the bundle was resolved for
    files: tuple[str, ...]  # bundle files that were read, relative to the top of the tree
    targets: tuple[str, ...]  # names of all targets
    unmanaged: Mapping[str, int] = field(default_factory=dict)  # other resource kinds -> how many
    artifact_path: str = ""  # workspace.artifact_path: where built files are published
    artifacts: tuple[ArtifactSpec, ...] = ()  # in the order of the bundle
    protected_jobs: tuple[str, ...] = ()  # lifecycle.prevent_destroy
    git_branch: str | None = None  # bundle.git.branch, when the file gives it
    fail_on_active_runs: bool = False
    scripts: tuple[str, ...] = ()  # names of scripts that `run` knows
    hooks: Mapping[str, str] = field(default_factory=dict)  # hook around a deploy -> commands for bash, in their order
