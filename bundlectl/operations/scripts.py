"""Scripts and hooks of a bundle: run by bash, when the invoker allows code of kind "scripts".

A script is started by name, in the working tree, with the invoker's terminal. Hooks belong to a deploy and run in a
copy of the tree that is deployed: what they write there is not deployed. `run` and `deploy` call this.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from bundlectl.base.process import run_attached, run_shown
from bundlectl.config.interpolation import references
from bundlectl.git.export import export
from bundlectl.model.errors import BundlectlError, InputError, PartlyApplied, Refused, RunFailed, UsageError
from bundlectl.model.events import Notice, TaskOutput
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading, how_to_allow, load_for_validation

_NOT_ALLOWED = "BND318"
_SCRIPT = "BND298"
BEFORE = ("prebuild", "postbuild", "predeploy")  # a hook of these that fails stops the deploy


class ScriptResult(NamedTuple):
    """A script that ended well, and how long it took."""

    name: str
    exit_code: int
    elapsed_ms: int


def find_script(context: OperationContext, name: str) -> Loading | None:
    """The bundle of the working tree when it defines this script; None when it does not, or does not load."""
    if context.source.ref is not None:
        return None  # a script runs in the working tree, so it is taken from there
    try:
        loading = load_for_validation(context, run_code=False)
    except BundlectlError:
        return None
    bundle = loading.loaded.bundle
    return loading if bundle is not None and name in bundle.scripts else None


def run_script(
    context: OperationContext, loading: Loading, name: str, arguments: tuple[str, ...], *, keep_stdout: bool
) -> ScriptResult:
    """Runs a script to its end. `keep_stdout`: its output goes to stderr, because stdout is for a document.

    Raises Refused without permission, InputError for a script that cannot be run, RunFailed when it fails.
    """
    if not context.allowed.scripts:
        raise Refused(
            f'script "{name}" was not run: it is code of the tree, and nobody allowed it',
            code=_NOT_ALLOWED,
            hint=how_to_allow(context.allowed, "scripts"),
        )
    script = (loading.loaded.document or {})["scripts"][name]
    added = _environment(name, script.get("env") or {})
    started = context.clock.boot_s()
    words = ["bash", "-e", "-c", script["content"], name, *arguments]
    environment = {**context.environment, **added}
    code = _started(name, words, environment, str(_root_on_disk(context, loading)), keep_stdout)
    elapsed_ms = round((context.clock.boot_s() - started) * 1000)
    if code != 0:
        raise RunFailed(f'script "{name}" failed: {how_it_ended(code)}', code=_SCRIPT)
    return ScriptResult(name, code, elapsed_ms)


def _started(name: str, words: list[str], environment: Mapping[str, str], folder: str, keep_stdout: bool) -> int:
    try:
        return run_attached(words, environment=environment, folder=folder, stdout_to_stderr=keep_stdout)
    except OSError as error:
        raise InputError(
            f'script "{name}" cannot be started: {error.strerror or error}', code=_SCRIPT, hint="it needs bash on PATH"
        ) from error


def _environment(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Values of `env`. Raises InputError for one that is not known."""
    for variable, value in given.items():
        if isinstance(value, str) and references(value):
            raise InputError(
                f'script "{name}" needs the value of {value}, which is not known',
                code="BND238",
                hint=f"it is in scripts.{name}.env.{variable}; give the id behind a lookup with --var or --lookups",
            )
    return {variable: "" if value is None else str(value) for variable, value in given.items()}


def _root_on_disk(context: OperationContext, loading: Loading) -> Path:
    repository = loading.repository
    if repository is not None and repository.bare:
        raise UsageError("a script runs in a working tree, and a bare repository has none", code=_SCRIPT)
    top = repository.top if repository is not None else context.start
    bundle = loading.loaded.bundle
    assert bundle is not None
    return top / bundle.root


def how_it_ended(code: int) -> str:
    """An exit code in words; negative is the signal that ended it."""
    return f"exit status {code}" if code >= 0 else f"ended by signal {-code}"


class Hooks:
    """The hooks of one deploy; a context manager, since the copy of the tree is removed at its end."""

    def __init__(self, context: OperationContext) -> None:
        self._context = context
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Hooks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def around_build(self, loading: Loading) -> Callable[[str], None]:
        """What the build of artifacts calls at its beginning and its end."""
        return lambda hook: self.run(hook, loading)

    def run(self, hook: str, loading: Loading) -> None:
        """Runs a hook, if the bundle has it and it may run; the loader warned of those that may not.

        Raises BundlectlError when it fails before anything live changed, PartlyApplied when it fails after.
        """
        commands = loading.bundle.hooks.get(hook)
        if not commands or not self._context.allowed.scripts:
            return
        emit = self._context.emit
        emit(Notice(f"running hook {hook}"))
        try:
            code = run_shown(
                ["bash", "-e", "-c", commands, hook],
                environment=self._context.environment,
                folder=str(self._copied(loading)),
                show=lambda data: emit(TaskOutput(hook, 0, data.decode("utf-8", "replace"))),
            )
        except OSError as error:
            failed = f"cannot be started: {error.strerror or error}"
        else:
            if code == 0:
                return
            failed = f"failed: {how_it_ended(code)}"
        if hook in BEFORE:
            raise BundlectlError(f"hook {hook} {failed}", code=_SCRIPT, detail="Nothing was changed.")
        raise PartlyApplied(
            f"hook {hook} {failed}",
            code=_SCRIPT,
            detail="The deployment itself is complete and recorded.",
            hint="run what the hook does by hand; the next deploy runs it only when there is something to deploy",
        )

    def _copied(self, loading: Loading) -> Path:
        """The bundle root in a copy of the tree, made when it is first needed."""
        bundle = loading.bundle
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="bundlectl-hooks-", ignore_cleanup_errors=True)
            export(loading.tree, Path(self._folder.name), below=bundle.sync_root)
            os.makedirs(Path(self._folder.name, bundle.root), mode=0o700, exist_ok=True)
        return Path(self._folder.name, bundle.root)
