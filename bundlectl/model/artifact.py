"""Artifacts: what a bundle says of files that are built, and built files by content. Where they are published.

Declared by config.artifacts, worked out by operations.artifacts and operations.build, read by engine.tasks. Paths are
relative to the top of the tree, as everywhere.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.base.digest import digest_bytes
from bundlectl.model.location import SourceSpan
from bundlectl.model.source import Snapshot, SnapshotFile

WHEEL_BUILD = "python -m build --wheel"  # the standard front-end: what a wheel is built with when nothing is said

# Folder below workspace.artifact_path with one folder for each content.
ARTIFACT_FOLDER = ".internal"
ARTIFACT_MARK = f"/{ARTIFACT_FOLDER}/"
_ARTIFACT_PATH = re.compile(r"/.*/\.internal/(?P<sha256>[0-9a-f]{64})/(?P<name>[^/]+?)(?P<extras>\[[^\[\]]*\])?")
_MODE = "100644"


class ArtifactPattern(NamedTuple):
    """One entry of an artifact's `files`: a path or glob, and where it is written."""

    source: str
    span: SourceSpan


class ArtifactSpec(NamedTuple):
    """One artifact of a bundle. `build` is None when its files are there already."""

    name: str
    kind: str | None  # whl, jar
    folder: str  # where the build runs; "" at the top
    build: str | None
    executable: str | None  # bash, sh or cmd, that runs `build`
    files: tuple[ArtifactPattern, ...]  # plain paths without a `build`, what the build makes with one
    dynamic_version: bool
    span: SourceSpan

    @property
    def is_standard(self) -> bool:
        """Whether it is built by the standard front-end, which reads nothing outside of `folder`."""
        return self.build == WHEEL_BUILD and self.executable is None


class ArtifactFile(NamedTuple):
    """A built file by content. `name` differs from that of `path` when the version became dynamic."""

    path: str  # where the build, or the tree, has it
    name: str
    sha256: str  # 64 hex digits
    in_tree: bool = False  # a file of the tree as it is; else kept by operations.artifact_store

    @property
    def digest(self) -> str:
        return f"sha256:{self.sha256}"

    @property
    def shown_path(self) -> str:
        """`path` under the name that the file is published with."""
        return posixpath.join(posixpath.dirname(self.path), self.name)


class BuildInputs(NamedTuple):
    """Everything that a build depends on."""

    tree: str  # git id of the files that the build sees
    command: str
    environment: str  # sha256:<hex> of what is known of the environment before the build
    key: str  # sha256:<hex> over all of it


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One artifact with what is known of it."""

    spec: ArtifactSpec
    files: tuple[ArtifactFile, ...] | None  # None: built at deploy
    inputs: BuildInputs | None = None  # None without a build


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """Every file that is built, or found in the tree, for the jobs of a bundle."""

    declared: tuple[Artifact, ...] = ()
    libraries: tuple[ArtifactFile, ...] = ()  # files of the tree that jobs name and no artifact has

    @property
    def unbuilt(self) -> tuple[Artifact, ...]:
        """Those that are built at deploy."""
        return tuple(artifact for artifact in self.declared if artifact.files is None)

    @property
    def files(self) -> tuple[ArtifactFile, ...]:
        """Every known file; one content under one name once."""
        built = [file for artifact in self.declared for file in artifact.files or ()]
        return tuple({(file.sha256, file.name): file for file in (*self.libraries, *built)}.values())

    def documents(self) -> tuple[dict[str, Any], ...]:
        """The `artifacts` of a plan and of a deployment manifest."""
        own = [entry for artifact in self.declared for entry in _entries(artifact)]
        others = [{"path": file.shown_path, "digest": file.digest, "built_from": None} for file in self.libraries]
        return tuple(own + others)


def _entries(artifact: Artifact) -> Iterator[dict[str, Any]]:
    """What is known: path and digest. What is not: what the build will be made of, which binds a saved plan to it."""
    spec, inputs = artifact.spec, artifact.inputs
    about = {"name": spec.name, "built_from": inputs.tree if inputs is not None else None}
    if artifact.files is not None:
        for file in artifact.files:
            yield {**about, "path": file.shown_path, "digest": file.digest}
    elif inputs is not None:
        for pattern in spec.files:
            bound = {"build": inputs.command, "environment": inputs.environment}
            yield {**about, "path": pattern.source, "digest": None, **bound}


class PublishedPath(NamedTuple):
    """A workspace path of a published artifact, taken apart. `extras` is `[a,b]` or empty."""

    sha256: str
    name: str
    extras: str


def published_path(artifact_path: str, file: ArtifactFile) -> str:
    """`<artifact_path>/.internal/<sha256>/<file name>`: an old run keeps its wheel."""
    return f"{artifact_path}/{ARTIFACT_FOLDER}/{file.sha256}/{file.name}"


def split_published_path(text: str) -> PublishedPath | None:
    """The parts of a path that published_path made, extras behind it allowed; None for any other text."""
    match = _ARTIFACT_PATH.fullmatch(text)
    return PublishedPath(match["sha256"], match["name"], match["extras"] or "") if match else None


def file_snapshot(sha256: str, name: str, size: int = 0) -> Snapshot:
    """A file as a snapshot of its own, which is how an engine keeps it: under a digest that names content and name."""
    digest = digest_bytes(f"{_MODE} {sha256} {name}\0".encode("utf-8", "surrogateescape"))
    return Snapshot(digest=digest, files=(SnapshotFile(name, _MODE, sha256, sha256, size),))
