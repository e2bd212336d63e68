"""ref -> Revision -> SourceTree -> Bundle, through the cache: the first half of every verb. `validate` is this alone.

Decides which tree a command reads when neither --ref nor --worktree says so.
"""

import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bundlectl.config.cache import load_cached, load_with_python
from bundlectl.config.request import ROOT_FILES, Loaded, LoadRequest
from bundlectl.git.repository import Repository, discover
from bundlectl.git.trees import FolderTree, open_tree
from bundlectl.model.allowance import Allowance
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostic, Diagnostics, Severity
from bundlectl.model.errors import BundlectlError, InputError, Refused, RepositoryError, UsageError
from bundlectl.model.source import SourceTree
from bundlectl.operations.code_size import too_much
from bundlectl.operations.context import OperationContext
from bundlectl.operations.lookups import ask_backend

NOT_A_REPOSITORY = "BND601"
_OUTSIDE, _IS_OUTSIDE = "BND134", '" is outside the repository'  # of config.discovery
_GLOB = re.compile(r"[*?\[]")
_PYTHON_LEFT_OUT = "BND295"


class Loading(NamedTuple):
    """A bundle and where it was read. `left_out`: uncommitted files of the bundle that were not read."""

    repository: Repository | None
    tree: SourceTree
    loaded: Loaded
    left_out: tuple[str, ...] = ()
    protected_on_disk: bool = False  # the working tree marks the target as protected
    outside: RepositoryError | None = None  # why there is no repository

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
            raise self.outside or RepositoryError("not a git repository", code=NOT_A_REPOSITORY)
        return self.repository


def load_for_validation(context: OperationContext, *, run_code: bool = True) -> Loading:
    """Reads the working tree (or --ref), also outside git. Findings are in the result, nothing is raised for them.

    `run_code`: runs the bundle's Python functions, when the invoker allows it.
    """
    loading = _for_validation(context)
    return _within_limit(context, _with_python(context, loading) if run_code else loading)


def _within_limit(context: OperationContext, loading: Loading) -> Loading:
    """The same with a finding when there is more code than a snapshot may hold. A plan refuses on its own."""
    excess = too_much(loading.tree, loading.loaded, context.index)
    if excess is None:
        return loading
    diagnostics = Diagnostics([*loading.loaded.diagnostics, excess])
    return loading._replace(loaded=replace(loading.loaded, bundle=None, diagnostics=diagnostics))


def _for_validation(context: OperationContext) -> Loading:
    try:
        repository = discover(context.start, context.environment)
    except RepositoryError as error:
        if error.code != NOT_A_REPOSITORY or context.source.ref is not None:
            raise
        return _outside_git(context, error)
    if repository.bare and context.source.ref is None:
        raise RepositoryError("bare repository: give --ref", code=NOT_A_REPOSITORY)
    ref = context.source.ref
    tree = open_tree(repository, ref=ref, worktree=ref is None)
    return Loading(repository, tree, _read(context, tree, repository.prefix))


def _outside_git(context: OperationContext, error: RepositoryError) -> Loading:
    """Plain files of this folder, and of those above it that an include names: a warning, since nothing bounds them."""
    tree = FolderTree(context.start)
    loaded = _read(context, tree, "")
    leaving = [item for item in loaded.diagnostics if item.code == _OUTSIDE and item.summary.endswith(_IS_OUTSIDE)]
    names = [item.summary.removesuffix(_IS_OUTSIDE)[1:] for item in leaving]
    cleaned = [posixpath.normpath(posixpath.join(context.request.root or "", name)) for name in names]
    up = max((name.split("/").count("..") for name in cleaned), default=0)
    if not 0 < up <= len(context.start.parents) or context.allowed.untrusted:
        return Loading(None, tree, loaded, outside=error)
    top = context.start.parents[up - 1]
    prefix = context.start.relative_to(top).as_posix()
    parts: dict[str, int | None] = {prefix: None}
    for name in cleaned:
        steps = posixpath.normpath(posixpath.join(prefix, name)).split("/")
        fixed = next((at for at, step in enumerate(steps[:-1]) if _GLOB.search(step)), len(steps) - 1)
        folder = "/".join(steps[:fixed])
        if (top / folder).is_dir() and folder != prefix:
            parts[folder] = max(parts.get(folder) or 0, len(steps) - fixed)
    tree = FolderTree(top, parts)
    loaded = _read(context, tree, prefix)
    warned = [_leaves(item, name, prefix) for item, name in zip(leaving, names, strict=True)]
    return Loading(None, tree, replace(loaded, diagnostics=Diagnostics([*warned, *loaded.diagnostics])), outside=error)


def _leaves(finding: Diagnostic, name: str, prefix: str) -> Diagnostic:
    """What was an error with a repository around it, for paths from the new top."""
    return replace(
        finding,
        severity=Severity.WARNING,
        summary=f'"{name}" leaves the folder of the bundle, and no repository says how far that may go',
        hint="git init in the folder that holds both",
        spans=tuple(span._replace(file=posixpath.join(prefix, span.file)) for span in finding.spans),
    )


def load(context: OperationContext, *, ask: bool = True) -> Loading:
    """What a plan is made of: --ref, --worktree, else the working tree for development targets, HEAD for others.

    `ask`: the backend may be asked for what lookups name. Raises RepositoryError (not a repository, no commit), Refused
    for a dirty or on-disk source of a protected target.
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
    about_source = [*_unfinished(context, loading), *_left_out(loading)]
    answers = ask_backend(context, loading.loaded) if ask else {}
    if answers:
        merged = {kind: {**context.request.lookups.get(kind, {}), **found} for kind, found in answers.items()}
        context = replace(context, request=replace(context.request, lookups={**context.request.lookups, **merged}))
        loading = loading._replace(loaded=_read(context, loading.tree, repository.prefix))
    loading = _with_python(context, loading)
    _refuse_without_python(context, loading)
    if not about_source:
        return loading
    findings = Diagnostics([*about_source, *loading.loaded.diagnostics])
    return loading._replace(loaded=replace(loading.loaded, diagnostics=findings))


def load_tree(context: OperationContext, repository: Repository, tree: SourceTree) -> Loading:
    """The bundle of a tree that the caller chose. Raises Refused when its Python functions may not run."""
    loading = _with_python(context, _loading(context, repository, tree))
    _refuse_without_python(context, loading)
    return loading


def _with_python(context: OperationContext, loading: Loading) -> Loading:
    """The same with what the bundle's Python functions add, when there are some and they may run."""
    if context.open_python is None or not _lacks_python(loading):
        return loading
    repository = loading.repository
    top = context.start if repository is None else None if repository.bare else repository.top
    with context.open_python(loading.tree, top) as run:
        request = _request(context, repository.prefix if repository is not None else "")
        return loading._replace(loaded=load_with_python(loading.tree, replace(request, python=run)))


def _lacks_python(loading: Loading) -> bool:
    return any(finding.code == _PYTHON_LEFT_OUT for finding in loading.loaded.diagnostics)


def _refuse_without_python(context: OperationContext, loading: Loading) -> None:
    """A plan without the jobs that Python adds would delete them."""
    left_out = next((item for item in loading.loaded.diagnostics if item.code == _PYTHON_LEFT_OUT), None)
    if left_out is None:
        return
    found = replace(left_out, code="BND318", severity=Severity.ERROR, hint=how_to_allow(context.allowed, "python"))
    refused = Refused(found.summary, code=found.code, diagnostics=[found])
    refused.read_source = loading.read_source
    raise refused


def refuse_untrusted(context: OperationContext) -> None:
    """What changes something is not done for a source that may be hostile."""
    if context.allowed.untrusted:
        raise Refused(
            "an untrusted source is never deployed or run",
            code="BND321",
            detail="--untrusted or BUNDLECTL_UNTRUSTED is set. Nothing was changed.",
            hint="validate, plan and diff work for it",
        )


def how_to_allow(allowed: Allowance, kind: str) -> str:
    """What to do so that code of a kind may run; why it cannot when the invoker's side forbids it."""
    if allowed.untrusted:
        return "nothing of an untrusted source is run: --untrusted or BUNDLECTL_UNTRUSTED is set"
    if allowed.restricted:
        return "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION is set here, which forbids running code of any bundle"
    return f"it runs code of the tree; for one that you trust: --allow {kind}"


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


def _is_protected(loading: Loading) -> bool:
    bundle = loading.loaded.bundle
    return bundle is not None and (bundle.target.protected or loading.protected_on_disk)


def _unfinished(context: OperationContext, loading: Loading) -> list[Diagnostic]:
    """A warning while git is between two versions. Raises Refused BND609 for a protected target."""
    what = loading.home.operation_in_progress() if context.source.ref is None else None
    if what is None or loading.loaded.bundle is None:
        return []
    summary = f"{what} in progress: HEAD and the working tree are between two versions"
    hint = "git bisect reset" if what == "bisect" else f"git {what} --continue, or git {what} --abort"
    if _is_protected(loading):
        raise Refused(summary, code="BND609", detail="Nothing was changed.", hint=hint)
    return [Diagnostic(code="BND609", severity=Severity.WARNING, summary=summary, hint=hint)]


def _left_out(loading: Loading) -> list[Diagnostic]:
    """A warning when HEAD is read and files of the bundle differ from it."""
    if not loading.left_out or loading.loaded.bundle is None:
        return []
    count = len(loading.left_out)
    more = f" and {count - 1} more" if count > 1 else ""
    files = "files" if count > 1 else "file"
    summary = f'{count} uncommitted {files} of the bundle left out: "{loading.left_out[0]}"{more}'
    hint = "HEAD is read; commit them, or give --worktree"
    return [Diagnostic(code="BND307", severity=Severity.WARNING, summary=summary, hint=hint)]


def _refuse_uncommitted(context: OperationContext, loading: Loading) -> None:
    bundle = loading.loaded.bundle
    if bundle is None or not _is_protected(loading):
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
    return load_cached(tree, _request(context, start), context.index)


def _request(context: OperationContext, start: str) -> LoadRequest:
    top = context.start.parents[len(PurePosixPath(start).parts) - 1] if start else context.start
    return replace(context.request, start=start, top=str(top), override_files=_override_files(context, top))


@contextmanager
def same_request(context: OperationContext, loading: Loading) -> Iterator[LoadRequest]:
    """What the bundle was loaded for, to load it once more and watch: config.trace."""
    repository = loading.repository
    request = _request(context, repository.prefix if repository is not None else "")
    if context.open_python is None:
        yield request
        return
    top = context.start if repository is None else None if repository.bare else repository.top
    with context.open_python(loading.tree, top) as run:
        yield replace(request, python=run)


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
