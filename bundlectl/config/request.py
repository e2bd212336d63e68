"""What a load is asked for, and what it gives. No behaviour.

LoadRequest is made by cli.wiring; Loaded by config.loader and config.cache, which loads nothing else of the loader
while nothing changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.job import JobSpec

# Names of the root file; a folder has one of them.
ROOT_FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")


class Limits(NamedTuple):
    """How much a bundle may hold. A bundle cannot raise a limit, the invoker can."""

    file_bytes: int = 8 << 20
    bundle_bytes: int = 128 << 20
    files: int = 20_000
    depth: int = 64
    nodes: int = 1_000_000  # of one file, before aliases
    aliases: int = 10_000
    expansion: int = 10  # nodes after aliases, as a multiple of the nodes before
    expansion_floor: int = 10_000  # below so many nodes the multiple does not matter
    text_bytes: int = 1 << 20  # of one string after interpolation
    all_text_bytes: int = 256 << 20


DEFAULT_LIMITS = Limits()


class PythonCall(NamedTuple):
    """One phase of the Python functions of a bundle: what they are given, and where their code is."""

    phase: str  # load_resources or apply_mutators
    configuration: Mapping[str, Any]  # the whole of it, plain
    root: str  # bundle root: where they run
    below: str  # folder of the tree whose files they see: the sync root
    venv_path: str | None


class PythonAnswer(NamedTuple):
    """How a phase ended, and what it wrote. A file that it did not write is None."""

    code: int
    output: bytes | None = None
    diagnostics: bytes | None = None
    locations: bytes | None = None
    stderr: str = ""  # the end of it
    folder: str = ""  # absolute path of the folder that the top of the tree was exported to
    fault: str | None = None  # why nothing ran, or why it was ended
    hint: str | None = None
    no_venv: bool = False  # the fault is that of `venv_path`


# Runs a phase. Given by the invoker's side when Python code of the tree may run; the loader starts nothing itself.
RunPython = Callable[[PythonCall], PythonAnswer]


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
    lookups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # kind -> name -> id
    hooks_allowed: bool = False  # the hooks around a deploy may run: nothing to warn of
    python: RunPython | None = None  # None: the code of the bundle's `python` section may not run; not part of the key


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
