"""ref -> Revision -> SourceTree -> Bundle, through the cache: the first half of every verb. `validate` is this alone.

Decides which tree a command reads when neither --ref nor --worktree says so.
"""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bundlectl.config.cache import load_cached
from bundlectl.config.request import ROOT_FILES, Loaded
from bundlectl.git.repository import Repository, discover
from bundlectl.git.trees import FolderTree, open_tree
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.errors import BundlectlError, InputError, Refused, RepositoryError, UsageError
from bundlectl.model.source import SourceTree
from bundlectl.operations.context import OperationContext

NOT_A_REPOSITORY = "BND601"


class Loading(NamedTuple):
    """A bundle and where it was read. `left_out`: uncommitted files of the bundle that were not read."""

    repository: Repository | None
    tree: SourceTree
    loaded: Loaded
    left_out: tuple[str, ...] = ()
    protected_on_disk: bool = False  # the working tree marks the target as protected

    @property
    def bundle(self) -> Bundle:
        """The bundle. Raises InputError with every finding when it has errors for a plan."""
        found = self.loaded.diagnostics.settled(planning=True)
        if self.loaded.bundle is None or found.has_errors:
            raise self.failure(found)
        return self.loaded.bundle

    def failure(self, findings: Diagnostics) -> InputError:
        """The error that ends a command because of these findings; it can show the lines that they point at."""
        error = InputError("the bundle does not load", code="BND210", diagnostics=tuple(findings))
        error.read_source = self.read_source
        return error

    def read_source(self, file: str) -> bytes | None:
        """A file of the tree, for the excerpt under a finding; None when it cannot be read."""
        try:
            return self.tree.read([file]).get(file)
        except (KeyError, OSError, BundlectlError):
            return None

    @property
    def home(self) -> Repository:
        """The repository. Raises RepositoryError outside git."""
        if self.repository is None:
            raise RepositoryError("not a git repository", code=NOT_A_REPOSITORY)
        return self.repository


def load_for_validation(context: OperationContext) -> Loading:
    """Reads the working tree (or --ref), also outside git. Findings are in the result, nothing is raised for them."""
    try:
        repository = discover(context.start, context.environment)
    except RepositoryError as error:
        if error.code != NOT_A_REPOSITORY or context.source.ref is not None:
            raise
        tree: SourceTree = FolderTree(context.start)
        return Loading(None, tree, _read(context, tree, ""))
    if repository.bare and context.source.ref is None:
        raise RepositoryError("bare repository: give --ref", code=NOT_A_REPOSITORY)
    ref = context.source.ref
    tree = open_tree(repository, ref=ref, worktree=ref is None)
    return Loading(repository, tree, _read(context, tree, repository.prefix))


def load(context: OperationContext) -> Loading:
    """What a plan is made of: --ref, --worktree, else the working tree for development targets, HEAD for others.

    Raises RepositoryError (not a repository, no commit), Refused for a dirty or on-disk source of a protected target.
    """
    if context.source.ref is not None and context.source.worktree:
        raise UsageError('"--ref" and "--worktree" exclude each other', code="BND620")
    repository = discover(context.start, context.environment)
    if repository.bare and context.source.ref is None:
        raise RepositoryError("bare repository: give --ref", code=NOT_A_REPOSITORY)
    if repository.head_commit is None and context.source.ref is None:
        raise RepositoryError(
            "no commit yet", code="BND603", hint='commit the bundle first: git add -A && git commit -m "first version"'
        )
    loading = _choose(context, repository)
    _refuse_uncommitted(context, loading)
    return loading


def _choose(context: OperationContext, repository: Repository) -> Loading:
    if context.source.ref is not None:
        return _loading(context, repository, open_tree(repository, ref=context.source.ref, worktree=False))
    tree = open_tree(repository, ref=None, worktree=True, without=_not_source(context, repository))
    on_disk = _loading(context, repository, tree)
    if context.source.worktree or not on_disk.tree.revision.dirty or _mode(on_disk) == "development":
        return on_disk
    committed = _loading(context, repository, open_tree(repository, ref="HEAD", worktree=False))
    if on_disk.loaded.bundle is None and _mode(committed) == "development":
        return on_disk  # its errors are what the user has to see
    bundle = on_disk.loaded.bundle
    return committed._replace(
        left_out=_of_bundle(on_disk.tree.revision.dirty, committed),
        protected_on_disk=bundle is not None and bundle.target.protected,
    )


def _not_source(context: OperationContext, repository: Repository) -> tuple[str, ...]:
    """The plan file, if it lies in the repository: saving a plan must not change what the plan is of."""
    plan_file = context.source.plan_file
    if plan_file is None or not plan_file.resolve().is_relative_to(repository.top):
        return ()
    return (plan_file.resolve().relative_to(repository.top).as_posix(),)


def _refuse_uncommitted(context: OperationContext, loading: Loading) -> None:
    bundle = loading.loaded.bundle
    if bundle is None or not (bundle.target.protected or loading.protected_on_disk):
        return
    changed = loading.left_out or loading.tree.revision.dirty
    if context.source.worktree or (changed and context.source.ref is None):
        shown = ", ".join(f'"{path}"' for path in changed[:5]) + (
            f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        )
        raise Refused(
            f'target "{bundle.target.name}" takes committed trees only' + (f"; changed: {shown}" if changed else ""),
            code="BND313",
            detail="Nothing was changed."
            if changed
            else "--worktree reads files that no commit holds. Nothing was changed.",
            hint=f"commit them, or take the commit as it is: --target {bundle.target.name} --ref HEAD",
        )


def _loading(context: OperationContext, repository: Repository, tree: SourceTree) -> Loading:
    return Loading(repository, tree, _read(context, tree, repository.prefix))


def _read(context: OperationContext, tree: SourceTree, start: str) -> Loaded:
    top = context.start.parents[len(PurePosixPath(start).parts) - 1] if start else context.start
    request = replace(context.request, start=start, top=str(top), override_files=_override_files(context, top))
    return load_cached(tree, request, context.index)


def _override_files(context: OperationContext, top: Path) -> tuple[tuple[str, bytes], ...]:
    """variable-overrides.json of each target, from disk: files of the invoker, which git usually ignores."""
    start = context.start / (context.request.root or "")
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in ROOT_FILES):
            found = sorted(folder.glob(".databricks/bundle/*/variable-overrides.json"))
            return tuple((path.parent.name, path.read_bytes()) for path in found if path.is_file())
        if folder == top:
            break
    return ()


def _mode(loading: Loading) -> str | None:
    bundle = loading.loaded.bundle
    return bundle.target.mode if bundle else None


def _of_bundle(paths: tuple[str, ...], loading: Loading) -> tuple[str, ...]:
    """Those of `paths` that lie in the bundle's folder or among what it syncs."""
    bundle = loading.loaded.bundle
    if bundle is None:
        return paths
    roots = [PurePosixPath(bundle.root), PurePosixPath(bundle.sync_root)]
    return tuple(path for path in paths if any(PurePosixPath(path).is_relative_to(root) for root in roots))
