"""What determines a build: the files it sees, its command, and the environment that it runs in; without running it.

Called by operations.artifacts at plan time and by operations.build. The key over all of it names a build in the cache
and binds a saved plan to one that is not made yet (D5).
"""

import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from bundlectl.base.digest import digest_document
from bundlectl.git.objects import build_tree
from bundlectl.git.snapshot import Links
from bundlectl.model.artifact import ArtifactSpec, BuildInputs
from bundlectl.model.source import SourceTree, TreeEntry

_MEANING = "bundlectl.build/1"  # raised whenever the same inputs are built in another way
# What PEP 517 says of a project without a [build-system] table.
_DEFAULT_BACKEND = ("setuptools>=40.8.0",)
FRONT_END = "build"


class Environment(NamedTuple):
    """Where a build runs. `packages`: name and version of those that take part and are known before it."""

    python: str
    platform: str
    executable: str | None
    front_end: str | None  # version of the front-end; None when it is missing or not used
    isolated: bool  # the front-end installs the back-end first, in an environment of its own
    packages: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()  # requirements of the back-end that are not installed here

    @property
    def lock(self) -> str:
        """Digest of all of it."""
        return digest_document([list(self[:-2]), [list(package) for package in self.packages]])


def visible_folder(spec: ArtifactSpec) -> str:
    """The folder of the tree that a build may look into: its own, or all of it for a command of the bundle's own."""
    return spec.folder if spec.is_standard else ""


def visible_entries(tree: SourceTree, spec: ArtifactSpec, bundle_files: Iterable[str]) -> dict[str, TreeEntry]:
    """The files that a build sees, links followed. The bundle's own files say what runs, and are no part of a wheel."""
    folder = visible_folder(spec)
    hidden = frozenset(bundle_files)
    listing = tree.list()
    links: Links | None = None
    seen: dict[str, TreeEntry] = {}
    for path, entry in listing.items():
        if path in hidden or not (not folder or path.startswith(folder + "/")):
            continue
        if entry.mode == "120000":
            links = links or Links(tree, listing)
            target, problem = links.file_behind(path)
            if problem is not None:
                continue
            entry = listing[target]
        if entry.mode in ("100644", "100755"):
            seen[path] = entry
    return seen


def build_inputs(tree: SourceTree, spec: ArtifactSpec, bundle_files: Iterable[str], algorithm: str) -> BuildInputs:
    """The inputs of a build, from the tree and this machine. Runs nothing. Raises RepositoryError."""
    assert spec.build is not None
    entries = visible_entries(tree, spec, bundle_files)
    tree_id, _ = build_tree(entries, algorithm)
    lock = build_environment(tree, spec, entries).lock
    patterns = [pattern.source for pattern in spec.files]
    content = [_MEANING, tree_id, spec.build, lock, spec.folder, patterns, spec.dynamic_version]
    return BuildInputs(tree_id, spec.build, lock, digest_document(content))


def build_environment(tree: SourceTree, spec: ArtifactSpec, entries: Mapping[str, TreeEntry]) -> Environment:
    """Where a build of these files would run on this machine."""
    python = f"{sys.implementation.cache_tag} {'.'.join(map(str, sys.version_info[:3]))}"
    platform = sysconfig.get_platform()
    if not spec.is_standard:
        return Environment(python, platform, spec.executable, None, False)
    project = f"{spec.folder}/pyproject.toml" if spec.folder else "pyproject.toml"
    text = tree.read([project])[project] if project in entries else b""
    needed = _back_end(text)
    installed = _installed([FRONT_END, *needed])
    front_end = installed.get(FRONT_END)
    missing = tuple(requirement for requirement in needed if not _is_met(requirement, installed))
    packages = tuple(sorted((name, version) for name, version in installed.items() if name != FRONT_END))
    return Environment(python, platform, None, front_end, bool(missing), () if missing else packages, missing)


def _back_end(text: bytes) -> Sequence[str]:
    """`build-system.requires` of a project; what is no TOML is for the front-end to complain about."""
    import tomllib  # only for bundles that build a wheel

    try:
        found: Any = tomllib.loads(text.decode("utf-8")).get("build-system", {}).get("requires", _DEFAULT_BACKEND)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError):
        return _DEFAULT_BACKEND
    if not isinstance(found, list | tuple) or not all(isinstance(item, str) for item in found):
        return _DEFAULT_BACKEND
    return tuple(found)


def _installed(requirements: Iterable[str]) -> dict[str, str]:
    """Versions of those distributions that the interpreter of this program has."""
    found: dict[str, str] = {}
    for requirement in requirements:
        name = _name(requirement)
        try:
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue
    # Until it learned to make wheels itself, setuptools needed a package for it.
    major = found.get("setuptools", "").partition(".")[0]
    if major.isdigit() and int(major) < 70:
        try:
            found["wheel"] = metadata.version("wheel")
        except metadata.PackageNotFoundError:
            del found["setuptools"]
    return found


def _name(requirement: str) -> str:
    for end, sign in enumerate(requirement):
        if not (sign.isalnum() or sign in "._-"):
            return requirement[:end].lower()
    return requirement.lower()


def _is_met(requirement: str, installed: Mapping[str, str]) -> bool:
    try:
        from packaging.requirements import InvalidRequirement, Requirement  # comes with the front-end
    except ImportError:
        return False
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return False
    if parsed.marker is not None and not parsed.marker.evaluate():
        return True
    version = installed.get(_name(requirement))
    return version is not None and parsed.url is None and parsed.specifier.contains(version, prereleases=True)
