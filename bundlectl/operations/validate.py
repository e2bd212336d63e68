"""validate beyond one target: every target of a bundle, each resolved; where parts are written; when to check again.

Called by the command validate. Loads through the cache, runs nothing of the repository, asks no backend.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.config.loader import Gathered, gather
from bundlectl.config.locations import locations_document
from bundlectl.config.reading import members, merge_files
from bundlectl.config.trace import trace
from bundlectl.config.tree_view import TreeView
from bundlectl.git.repository import discover
from bundlectl.git.trees import FolderTree, open_tree
from bundlectl.model.diagnostic import Diagnostic, Diagnostics
from bundlectl.model.errors import RepositoryError
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import NOT_A_REPOSITORY, Loading, load_for_validation, same_request

_LOOK_EVERY_S = 0.5
_OTHER_TARGET = "BND246"  # about a target that is not chosen: of no use where each is
_TARGETS = ("targets", "environments")


class Finding(NamedTuple):
    """A finding, and the targets that have it: empty when all of them do."""

    diagnostic: Diagnostic
    targets: tuple[str, ...]


class AllTargets(NamedTuple):
    """A bundle resolved for each of its targets, by name, in the order of the bundle."""

    loadings: Mapping[str, Loading]
    findings: tuple[Finding, ...]

    @property
    def any_loading(self) -> Loading:
        """One of them: they were read from the same tree."""
        return next(iter(self.loadings.values()))

    def of(self, target: str) -> Diagnostics:
        """What was found for one target."""
        return Diagnostics(item.diagnostic for item in self.findings if not item.targets or target in item.targets)

    @property
    def diagnostics(self) -> Diagnostics:
        """All of it, each finding once; what not every target has names those that do."""
        return Diagnostics(_named(finding) for finding in self.findings)


def validate_all(context: OperationContext, *, strict: bool) -> AllTargets:
    """Every target. A bundle whose targets cannot be told is one entry, under the name that was asked for."""
    first = load_for_validation(context)
    names = _target_names(context, first)
    loadings = {
        name: load_for_validation(replace(context, request=replace(context.request, target=name))) for name in names
    } or {context.request.target or "default": first}
    held: dict[Diagnostic, list[str]] = {}
    for name, loading in loadings.items():
        for diagnostic in dict.fromkeys(loading.loaded.diagnostics.settled(planning=False, strict=strict)):
            if not _is_about_another(diagnostic):
                held.setdefault(diagnostic, []).append(name)
    findings = [Finding(item, tuple(have) if len(have) < len(loadings) else ()) for item, have in held.items()]
    return AllTargets(loadings, tuple(findings))


def changes(context: OperationContext) -> Iterator[None]:
    """Now, and again whenever a file of the working tree has changed. Ends when the caller is interrupted."""
    before: object = None
    while True:
        now = _on_disk(context)
        if now != before:
            before = now
            yield
        context.clock.sleep(_LOOK_EVERY_S)


def _on_disk(context: OperationContext) -> object:
    """Differs whenever a file does: the commit and the tree id, outside git times and sizes."""
    try:
        revision = open_tree(discover(context.start, context.environment), ref=None, worktree=True).revision
        return revision.commit, revision.tree
    except RepositoryError as error:
        if error.code != NOT_A_REPOSITORY:
            return error.summary
    found = []
    for path in FolderTree(context.start).list():
        with suppress(OSError):  # it went away meanwhile
            state = (context.start / path).stat()
            found.append((path, state.st_mtime_ns, state.st_size))
    return found


def _target_names(context: OperationContext, loading: Loading) -> tuple[str, ...]:
    bundle = loading.loaded.bundle
    if bundle is not None:
        return bundle.targets
    with same_request(context, loading) as request:
        gathered = gather(TreeView(loading.tree), request)
    if not isinstance(gathered, Gathered):
        return ()
    node, _ = merge_files(gathered.facts.sources)
    return tuple(name for section in _TARGETS for name in members(node, section))


def _is_about_another(diagnostic: Diagnostic) -> bool:
    return diagnostic.code == _OTHER_TARGET and (diagnostic.path or "").startswith(
        tuple(f"{name}." for name in _TARGETS)
    )


def _named(finding: Finding) -> Diagnostic:
    if not finding.targets:
        return finding.diagnostic
    names = ", ".join(f'"{name}"' for name in finding.targets)
    word = "target" if len(finding.targets) == 1 else "targets"
    return replace(finding.diagnostic, summary=f"{finding.diagnostic.summary} ({word} {names})")


def locations(context: OperationContext, loading: Loading, target: str | None = None) -> dict[str, Any] | None:
    """`__locations` of the resolved document; None when no file could be read."""
    loads = not loading.loaded.diagnostics.has_errors
    with same_request(context, loading) as request:
        wanted = replace(request, target=target or request.target)
        watched = trace(loading.tree, wanted, only=None, loads=loads)
    return locations_document(watched.node, watched.facts.root) if watched is not None else None
