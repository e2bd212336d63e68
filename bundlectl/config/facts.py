"""What every loading step may know beside the tree of Nodes. No behaviour. Made by config.loader and config.parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bundlectl.config.code_files import CodeFiles
from bundlectl.config.node import Node
from bundlectl.config.request import LoadRequest
from bundlectl.config.tree_view import TreeView
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan
from bundlectl.model.source import Revision


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
    target_span: SourceSpan | None = None  # where its name is written
    target_names: tuple[str, ...] = ()
    default_target: bool = True
    sync_root: str = ""
    code: CodeFiles | None = None  # known from stage 15 on; before that from another part of the bundle


Findings = list[Diagnostic]
Outcome = tuple[Node, Findings]


class Step(NamedTuple):
    """One loading step. `learn` looks at the tree before `run` changes it."""

    stage: int
    run: Callable[[Node, Facts], Outcome]
    learn: Callable[[Node, Facts], tuple[Facts, Findings]] | None = None
