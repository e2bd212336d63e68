"""The composition root: options and environment -> console, operation context, engine.

Called by the commands. The only reader of the environment. What is built here lives as long as the command.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from bundlectl import __version__
from bundlectl.backends.base import BackendRequest, Handler
from bundlectl.backends.registry import open_backend
from bundlectl.base.clock import Clock, SystemClock
from bundlectl.base.host import this_process
from bundlectl.base.process import run_reader
from bundlectl.cli.environment import flag, folder, open_console, user_folder
from bundlectl.cli.options import Common
from bundlectl.cli.permission import (
    find_allowance,
    is_untrusted,
    python_limits,
    refuse_file_of_tree,
    without_credentials,
)
from bundlectl.config.index import LoadIndex
from bundlectl.config.request import LoadRequest, RunPython
from bundlectl.engine.service import Engine
from bundlectl.git.chain import Signs
from bundlectl.git.identity import configured_user
from bundlectl.git.repository import Repository
from bundlectl.model.bundle import Bundle, Target
from bundlectl.model.deployment import Owner
from bundlectl.model.errors import Unsupported, UsageError
from bundlectl.model.events import EventSink, Notice, ignore
from bundlectl.model.source import SourceTree
from bundlectl.operations.context import Actor, OperationContext, Source
from bundlectl.render.json_lines import JsonLines
from bundlectl.render.progress import LiveProgress, PlainProgress
from bundlectl.review.environment import detect
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.store import RunRecords, StateStore


class Engines:
    """The embedded engine of this process: opened when a backend asks for it, driven only while a run is followed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._engine: Engine | None = None

    def handler(self, path: Path, user: str) -> Handler:
        """The engine's API. Opening it creates nothing on disk."""
        if self._engine is None:
            # Of the environment tasks get what engine.secrets allows, never the invoker's credentials.
            self._engine = Engine(path, self._clock, environment=os.environ, user=user)
        return self._engine.handle

    @contextmanager
    def driving(self) -> Iterator[None]:
        """While this lasts, runs of the embedded engine advance. Does nothing when no engine was opened."""
        if self._engine is None:
            yield
            return
        self._engine.start()
        try:
            yield
        finally:
            self._engine.stop()


class Stores:
    """What is recorded of targets: in the repository itself, or on a git remote if bundle or backend ask for that."""

    def __init__(self, environment: Mapping[str, str], clock: Clock, emit: EventSink) -> None:
        self._environment = environment
        self._clock = clock
        self._notify = lambda text: emit(Notice(text))
        self._remotes: Any = None

    def state(self, repository: Repository, bundle: Bundle) -> StateStore:
        """Deployments of the bundle's target."""
        remote = self._remote(repository, bundle)
        if remote is not None:
            return cast(StateStore, remote.store())
        return GitStateStore(
            repository,
            bundle.name,
            bundle.target.name,
            clock=self._clock,
            notify=self._notify,
            signer=cache(partial(self._signer, repository, bundle.target)),
            require_signed=bundle.target.require_signed,
        )

    def _signer(self, repository: Repository, target: Target) -> Signs:
        """Who signs commits of a state in the repository itself."""
        from bundlectl.git.signing import Signer

        return Signer(repository.git, self._environment, required=target.require_signed, notify=self._notify)

    def runs(self, repository: Repository, bundle: Bundle) -> RunRecords:
        """Its run manifests."""
        from bundlectl.state.run_spool import spooled

        remote = self._remote(repository, bundle)
        if remote is not None:
            return cast(RunRecords, remote.runs())
        return spooled(repository, bundle.name, bundle.target.name, folder("state"), self._clock, self._notify)

    def _remote(self, repository: Repository, bundle: Bundle) -> Any:
        """What the remote keeps; None for the repository itself, without a look at how remotes work."""
        target = bundle.target
        if target.state_remote == "." or (target.state_remote is None and target.backend == "local"):
            return None
        from bundlectl.state.remotes import Remotes

        self._remotes = self._remotes or Remotes(
            cache=folder("cache"),
            memory=folder("state"),
            environment=self._environment,
            clock=self._clock,
            notify=self._notify,
        )
        return self._remotes.of(repository, bundle)


class Session:
    """One command's console, context and engine."""

    def __init__(self, common: Common, output: str, plan_file: Path | None) -> None:
        self.console = open_console(common, _pager(os.environ))
        self.output = output
        self.clock = SystemClock()
        self.lines = JsonLines(self.console, self.clock, __version__) if output == "jsonl" else None
        self._live = self.console.interactive and not common.no_progress
        self._sink: EventSink = self.lines if self.lines is not None else ignore
        self._shown: LiveProgress | PlainProgress | None = None
        self._engines = Engines(self.clock)
        self.plan_file = (common.chdir or Path()) / plan_file if plan_file is not None else None
        source = Source(ref=common.ref, worktree=common.worktree, plan_file=self.plan_file)
        environment, dropped = _environment(common)
        if dropped:
            self.console.say(f"not used for an untrusted source: {', '.join(dropped)}")
        self.context = _context(common, source, environment, self.clock, self._engines, lambda event: self._sink(event))

    @contextmanager
    def progress(self) -> Iterator[None]:
        """While this lasts, events are shown: as JSON lines, as a live table, or as a line each."""
        if self.lines is not None:
            yield
            return
        kind = LiveProgress if self._live else PlainProgress
        with kind(self.console, self.clock) as self._shown:
            self._sink = self._shown
            try:
                yield
            finally:
                self._sink, self._shown = ignore, None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Lets somebody be asked: what is live is taken off the screen first, and comes back after."""
        if self._shown is None:
            yield
            return
        with self._shown.paused():
            yield

    def places(self, bundle: Bundle) -> dict[str, str]:
        """Where this machine keeps what is not in git."""
        local = {"engine": str(engine_folder(bundle.target, os.environ))} if bundle.target.backend == "local" else {}
        return {**local, "cache": str(folder("cache")), "reports": str(folder("state"))}


def open_session(common: Common, output: object, *, plan_file: Path | None = None) -> Session:
    """Everything that a command on a bundle needs. Raises UsageError for options that do not hold."""
    return Session(common, str(output), plan_file)


def _pager(environment: Mapping[str, str]) -> Callable[[str], bool] | None:
    """Shows a text in the pager that the user chose; less as git calls it, so that what fits is not held back."""
    command = environment.get("BUNDLECTL_PAGER") or environment.get("PAGER")
    return partial(run_reader, command, environment={"LESS": "FRX", **environment}) if command else None


def _environment(common: Common) -> tuple[Mapping[str, str], list[str]]:
    """The invoker's environment, and the names of the credentials that an untrusted source does not get."""
    if not is_untrusted(common.untrusted, os.environ):
        return os.environ, []
    return without_credentials(os.environ)


def _context(
    common: Common, source: Source, environment: Mapping[str, str], clock: Clock, engines: Engines, emit: EventSink
) -> OperationContext:
    start = (common.chdir or Path()).resolve()
    if not start.is_dir():
        raise UsageError(f'"{common.chdir}" is not a folder', code="BND623")
    user, user_id, guessed = _identity(start, environment)
    root, root_from = _bundle_root(common, start, environment)
    actor = _actor(environment, user)
    stores = Stores(environment, clock, emit)
    allowed = find_allowance(common.allow, common.untrusted, environment, folder("config") / "config.toml")
    offline = common.offline or flag(environment, "BUNDLECTL_OFFLINE") or allowed.untrusted
    if allowed.untrusted:
        for option, path in (("--var-file", common.var_file), ("--lookups", common.lookups)):
            if path is not None:
                refuse_file_of_tree(path, start, option)
    return OperationContext(
        start=start,
        environment=environment,
        source=source,
        request=LoadRequest(
            start="",
            root=root,
            root_from=root_from,
            target=common.target
            or environment.get("BUNDLECTL_TARGET")
            or environment.get("DATABRICKS_BUNDLE_TARGET")
            or None,
            variables=_variables(common, environment),
            variable_file=_variable_file(start, common.var_file) if common.var_file is not None else None,
            user=user,
            user_id=user_id,
            user_guessed=guessed,
            cluster_id=common.cluster_id or None,
            cluster_id_environment=environment.get("DATABRICKS_CLUSTER_ID"),
            host_given=bool(environment.get("DATABRICKS_HOST")),
            allow_unknown_fields=common.allow_unknown_fields,
            lookups=_lookups(start, common.lookups) if common.lookups is not None else {},
            hooks_allowed=allowed.scripts,
        ),
        index=LoadIndex(folder("cache") / "bundles.sqlite"),
        cache=folder("cache"),
        memory=folder("state"),
        clock=clock,
        actor=actor,
        owner=_owner(actor),
        emit=emit,
        open_backend=lambda bundle: open_backend(_backend_request(bundle, engines, environment, offline)),
        open_store=stores.state,
        open_runs=stores.runs,
        driving=engines.driving,
        tool_version=__version__,
        allowed=allowed,
        offline=offline,
        open_python=_python_opener(common, environment) if allowed.python else None,
    )


def _bundle_root(common: Common, start: Path, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """The folder that was named, relative to `start`, and who named it."""
    named = {
        "--bundle-root": str(common.bundle_root) if common.bundle_root is not None else "",
        "BUNDLECTL_ROOT": environment.get("BUNDLECTL_ROOT", ""),
        "DATABRICKS_BUNDLE_ROOT": environment.get("DATABRICKS_BUNDLE_ROOT", ""),
    }
    source, given = next(((name, value) for name, value in named.items() if value), ("--bundle-root", None))
    return (os.path.relpath(start / given, start) if given else None), source


def _variable_file(start: Path, path: Path) -> Mapping[str, Any]:
    """Values of --var-file. Raises InputError BND140 with the place of what is wrong."""
    from bundlectl.config.variables import read_variable_file

    return read_variable_file(_own_file(start, path), str(path))


def _lookups(start: Path, path: Path) -> Mapping[str, Mapping[str, str]]:
    """Answers of --lookups. Raises InputError BND140 with the place of what is wrong."""
    from bundlectl.config.lookups import read_lookup_file

    return read_lookup_file(_own_file(start, path), str(path))


def _own_file(start: Path, path: Path) -> bytes:
    """A file that the invoker named."""
    try:
        return (start / path).read_bytes()
    except OSError as error:
        raise UsageError(f'cannot read "{path}": {error.strerror or error}', code="BND140") from error


def _python_opener(
    common: Common, environment: Mapping[str, str]
) -> Callable[[SourceTree, Path | None], AbstractContextManager[RunPython]]:
    """Runs Python functions of bundles with the environment that the invoker gives them."""
    timeout_s, named = python_limits(common.python_env, environment)

    def open_python(tree: SourceTree, top: Path | None) -> AbstractContextManager[RunPython]:
        from bundlectl.operations.python_code import PythonRunner, PythonSettings, process_environment

        return PythonRunner(PythonSettings(process_environment(environment, named), timeout_s), tree, top)

    return open_python


def _identity(start: Path, environment: Mapping[str, str]) -> tuple[str, str | None, bool]:
    """Who names and paths are made for (user, id, guessed): BUNDLECTL_USER, a service principal, git's user, login."""
    given = environment.get("BUNDLECTL_USER") or environment.get("DATABRICKS_CLIENT_ID")
    if given:
        return given, environment.get("BUNDLECTL_USER_ID"), False
    known = configured_user(start, environment)
    if known:
        return known, None, False
    return environment.get("USER") or environment.get("LOGNAME") or "nobody", None, True


def _variables(common: Common, environment: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Values from flags and environment as (name, value, origin). Raises UsageError BND233, BND234."""
    given: dict[str, str] = {}
    for item in common.var or []:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f'--var needs name=value, got "{item}"', code="BND234")
        if name in given:
            raise UsageError(f'--var "{name}" is given twice ("{given[name]}", "{value}")', code="BND233")
        given[name] = value
    prefix = "BUNDLE_VAR_"
    inherited = {name[len(prefix) :]: value for name, value in environment.items() if name.startswith(prefix)}
    return tuple(
        [(name, value, "flag") for name, value in sorted(given.items())]
        + [(name, value, "environment") for name, value in sorted(inherited.items()) if name not in given]
    )


def _actor(environment: Mapping[str, str], user: str) -> Actor:
    ci = detect(environment)
    name = (ci.actor if ci is not None else None) or environment.get("BUNDLECTL_ACTOR") or user
    return Actor(name=name, ci=ci.document() if ci is not None else None)


def _owner(actor: Actor) -> Owner:
    me = this_process()
    return Owner(
        actor=actor.name,
        ci=actor.ci.get("platform") if actor.ci else None,
        run_url=actor.run_url,
        host=me.host,
        boot_id=me.boot_id,
        pid_ns=me.pid_ns,
        pid=me.pid,
        pid_start=me.pid_start,
    )


def _backend_request(bundle: Bundle, engines: Engines, environment: Mapping[str, str], offline: bool) -> BackendRequest:
    return BackendRequest(
        target=bundle.target,
        root_path=bundle.root_path,
        file_path=bundle.file_path,
        open_engine=lambda: engines.handler(engine_folder(bundle.target, os.environ), bundle.user),
        artifact_path=bundle.artifact_path,
        environment=environment,
        offline=offline,
    )


def engine_folder(target: Target, environment: Mapping[str, str]) -> Path:
    """Folder of the embedded engine: BUNDLECTL_ENGINE_DIR, else bundlectl.backend.path, else the user's data folder."""
    given = environment.get("BUNDLECTL_ENGINE_DIR") or target.backend_options.get("path")
    return Path(str(given)).expanduser().resolve() if given else user_folder("data") / "engine"


def own_engine(given: Path | None, clock: Clock, *, workers: int | None) -> tuple[Engine, Path]:
    """An engine that belongs to no bundle, and its folder: the one that is given, else as for every target."""
    path = engine_folder(Target(name="own"), os.environ) if given is None else given.resolve()
    user = os.environ.get("BUNDLECTL_USER") or os.environ.get("USER") or os.environ.get("LOGNAME") or "nobody"
    return Engine(path, clock, workers=workers, environment=os.environ, user=user), path


def web_server() -> Callable[..., None]:
    """bundlectl.web.server.serve. Raises Unsupported when its libraries are not installed."""
    try:
        from bundlectl.web.server import serve
    except ModuleNotFoundError as error:
        raise Unsupported(
            f'"bundlectl serve" needs the package "{error.name}", which is not installed',
            hint='install it with: pip install "bundlectl[server]"',
        ) from error
    return serve
