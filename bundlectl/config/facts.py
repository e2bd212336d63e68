"""What a load is asked for, what it gives, and what every loading step may know beside the tree of Nodes. No behaviour.

LoadRequest is made by cli.wiring, Facts by config.loader, Loaded by config.loader and config.cache.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bundlectl.config.code_files import CodeFiles
from bundlectl.config.node import Node
from bundlectl.config.tree_view import TreeView
from bundlectl.config.yaml_reader import Limits
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostic, Diagnostics
from bundlectl.model.job import JobSpec
from bundlectl.model.source import Revision

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """What the invoker says. Part of the cache's key."""

    start: str = ""  # folder that the command acts from, relative to the top of the tree
    root: str | None = None  # bundle root as given, relative to `start`; None: search upwards
    root_from: str = "--bundle-root"  # who gave `root`, for messages
    target: str | None = None
    variables: tuple[tuple[str, str, str], ...] = ()  # name, value, origin ("flag" or "environment")
    variable_file: Mapping[str, Any] | None = None  # plain values of --var-file
    override_files: tuple[
        tuple[str, bytes], ...
    ] = ()  # target -> content of its variable-overrides.json, ignored by git
    user: str = "unknown"
    user_id: str | None = None
    user_guessed: bool = False  # the login name, for want of anything better
    host_given: bool = False  # DATABRICKS_HOST is set
    cluster_id: str | None = None  # --cluster-id
    cluster_id_environment: str | None = None  # DATABRICKS_CLUSTER_ID: counts in development mode only
    allow_unknown_fields: bool = False
    top: str = ""  # absolute path of the top of the tree, for artifact paths in the document; not part of the key
    limits: Limits = DEFAULT_LIMITS


class Others(NamedTuple):
    """Jobs that are not in the tree at hand: a bundle is resolved in parts when it is large or partly known."""

    keys: frozenset[str] = frozenset()  # jobs of other parts; what a target says about them is not for this part
    only: frozenset[str] | None = None  # when given: the jobs of this part; all others are left out
    local_library: bool = False  # one of them uses a library of the bundle
    without_run_as: bool = False  # one of them has no run_as


NO_OTHERS = Others()


class SourceFile(NamedTuple):
    """One bundle file after reading: its place in the tree, its blob, its shaped content."""

    path: str
    blob: str
    node: Node | None
    findings: tuple[Diagnostic, ...]
    uses_git: bool = False  # it may refer to bundle.git, so the result depends on commit and branch
    doubles_prefix: bool = False  # it may hold "/Workspace${workspace.": see config.workspace


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a step may use beside the tree of Nodes."""

    request: LoadRequest
    view: TreeView
    revision: Revision
    root: str  # bundle root, relative to the top of the tree
    root_file: str
    files: tuple[str, ...]  # files of the bundle in the order in which they were read
    sources: tuple[SourceFile, ...] = ()  # those that are part of the tree at hand
    others: Others = NO_OTHERS
    target: str = "default"
    target_node: Node | None = None  # the chosen target as written
    target_names: tuple[str, ...] = ()
    default_target: bool = True
    sync_root: str = ""
    code: CodeFiles | None = None  # known from stage 15 on


Findings = list[Diagnostic]
Outcome = tuple[Node, Findings]


class Step(NamedTuple):
    """One loading step. `learn` looks at the tree before `run` changes it."""

    stage: int
    run: Callable[[Node, Facts], Outcome]
    learn: Callable[[Node, Facts], tuple[Facts, Findings]] | None = None


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A bundle resolved for one target, and everything found on the way. No bundle when an error stopped it."""

    bundle: Bundle | None
    diagnostics: Diagnostics
    specs: Mapping[str, JobSpec] = field(default_factory=dict)  # empty when documents are made on demand
    code_files: Sequence[str] = ()  # synced files, relative to the top of the tree, sorted
    snapshot_key: str | None = None  # names paths, modes and blobs of the synced files: LoadIndex.snapshot
    more_specs: Callable[[Sequence[str]], Mapping[str, JobSpec]] | None = None  # those that are not in `specs`
    make_document: Callable[[], Mapping[str, Any] | None] | None = None  # see `document`

    @property
    def document(self) -> Mapping[str, Any] | None:
        """What `validate -o json` prints; None when no file could be read. Not cheap for a bundle from the cache."""
        return self.make_document() if self.make_document is not None else None
