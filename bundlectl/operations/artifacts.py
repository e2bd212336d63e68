"""Which files the artifacts and libraries of a bundle are, as far as that is known, and the jobs with them filled in.

Called by operations.plan, operations.deploy and `validate --build`. Runs nothing: what is not built yet, and in no
cache, stays a reference that says so. Building is operations.build.
"""

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from bundlectl.base.digest import canonical_bytes, digest_bytes, sha256_hex
from bundlectl.config.cache import specs_of
from bundlectl.config.interpolation import Reference, Unresolved
from bundlectl.config.libraries import Library, replaced
from bundlectl.config.tree_view import Pattern, join
from bundlectl.git.trees import read_blobs
from bundlectl.model.artifact import Artifact, ArtifactFile, Artifacts, ArtifactSpec, published_path
from bundlectl.model.diagnostic import Diagnostic, Diagnostics, Related, Severity
from bundlectl.model.errors import InputError
from bundlectl.model.job import JobSpec
from bundlectl.model.location import FieldPath, SourceSpan, path_text
from bundlectl.operations.artifact_store import ArtifactStore
from bundlectl.operations.build_inputs import build_inputs
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading
from bundlectl.operations.wheel import BadWheel, version_key, wheel_name, with_dynamic_version

_REGULAR = ("100644", "100755")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_NOT_BUILT, _NAME_TWICE = "BND292", "BND293"


def artifact_store(context: OperationContext) -> ArtifactStore:
    """Where built files of this user are kept."""
    return ArtifactStore(context.cache / "artifacts")


def known_artifacts(context: OperationContext, loading: Loading, hidden: Collection[str] = ()) -> Artifacts:
    """What is known without building: files of the tree, and what the cache has of earlier builds.

    `hidden`: names of artifacts whose builds are not looked up. Raises InputError for files that cannot be used.
    """
    bundle = loading.bundle
    store = artifact_store(context)
    declared: list[Artifact] = []
    for spec in bundle.artifacts:
        if spec.build is None:
            declared.append(Artifact(spec=spec, files=_in_tree(context, loading, spec)))
            continue
        inputs = build_inputs(loading.tree, spec, bundle.files, loading.home.algorithm)
        files = store.find(inputs.key) if spec.name not in hidden else None
        declared.append(Artifact(spec=spec, files=files, inputs=inputs))
    return Artifacts(declared=tuple(declared))


def with_artifacts(context: OperationContext, loading: Loading, artifacts: Artifacts) -> tuple[Loading, Artifacts]:
    """The bundle with published paths in the place of libraries and of `${artifacts...}`, and all files that it uses.

    What is built at deploy is left as a reference. Raises InputError BND240, BND244, BND292, BND293.
    """
    bundle = loading.bundle
    keys = [key for key, job in bundle.jobs.items() if job.uses_artifacts]
    if not keys:
        return loading, artifacts
    filling = _Filling(context, loading, artifacts)
    specs = {key: filling.job(spec) for key, spec in specs_of(loading.loaded, keys).items()}
    findings = filling.findings()
    if findings:
        raise loading.failure(Diagnostics(findings))
    jobs = {**bundle.jobs, **{key: spec.meta for key, spec in specs.items()}}
    before = loading.loaded
    loaded = replace(
        before,
        bundle=replace(bundle, jobs=jobs),
        specs={**before.specs, **specs},
        more_specs=lambda wanted: specs_of(before, wanted),
    )
    return loading._replace(loaded=loaded), replace(artifacts, libraries=tuple(filling.from_tree.values()))


def file_content(context: OperationContext, loading: Loading, file: ArtifactFile) -> bytes | None:
    """The bytes of a file; None when they are gone from the cache."""
    if file.in_tree:
        return loading.tree.read([file.path])[file.path]
    return artifact_store(context).read(file.sha256)


def best_wheels(paths: Sequence[str]) -> list[str]:
    """The paths without the wheels of which a higher version of the same distribution lies beside them."""
    names = {path: wheel_name(posixpath.basename(path)) for path in paths}
    highest: dict[tuple[str, str], tuple[object, ...]] = {}
    for path, name in names.items():
        if name is not None:
            place = (posixpath.dirname(path), name.project.lower())
            highest[place] = max(highest.get(place, ()), version_key(name.version))
    return [
        path
        for path, name in names.items()
        if name is None or version_key(name.version) == highest[posixpath.dirname(path), name.project.lower()]
    ]


def _in_tree(context: OperationContext, loading: Loading, spec: ArtifactSpec) -> tuple[ArtifactFile, ...]:
    paths = [pattern.source for pattern in spec.files]
    files = described(context, loading, best_wheels(paths) if spec.kind == "whl" else paths)
    return tuple(versioned(context, loading, spec, file) for file in files) if spec.dynamic_version else files


def versioned(context: OperationContext, loading: Loading, spec: ArtifactSpec, file: ArtifactFile) -> ArtifactFile:
    """A wheel of the tree under its dynamic version, kept in the cache."""
    content = loading.tree.read([file.path])[file.path]
    try:
        name, data = with_dynamic_version(file.name, content)
    except BadWheel as fault:
        raise InputError(
            f'artifact "{spec.name}": "{file.path}" cannot get a dynamic version: {fault}', code=_NOT_BUILT
        ) from None
    artifact_store(context).add(sha256_hex(data), data)
    return ArtifactFile(file.path, name, sha256_hex(data))


def described(context: OperationContext, loading: Loading, paths: Sequence[str]) -> tuple[ArtifactFile, ...]:
    """Files of the tree by content. Raises InputError BND288 for what is no regular file."""
    entries = loading.tree.list()
    for path in paths:
        if path not in entries or entries[path].mode not in _REGULAR:
            raise InputError(f'"{path}" is no regular file of the source tree', code="BND288")
    known = context.index.content_digests(entries[path].blob for path in paths)
    missing = [entries[path].blob for path in paths if entries[path].blob not in known]
    learned: dict[str, tuple[str, int]] = {}
    for blob, data in read_blobs(loading.tree, missing).items() if missing else ():
        if data.startswith(_LFS_POINTER):
            path = next(path for path in paths if entries[path].blob == blob)
            raise InputError(
                f'"{path}" is a Git LFS pointer',
                code="BND288",
                hint="its content is not in the commit: commit the file itself, or build it",
            )
        learned[blob] = (sha256_hex(data), len(data))
    context.index.remember_content_digests(learned)
    digests = {**known, **learned}
    return tuple(
        [ArtifactFile(path, posixpath.basename(path), digests[entries[path].blob][0], in_tree=True) for path in paths]
    )


class _Use(NamedTuple):
    """Where a file is used: for the finding about a name that two files have."""

    file: ArtifactFile
    place: str
    span: tuple[SourceSpan, ...]


class _Filling:
    """Fills files in, job by job, and collects what is wrong."""

    def __init__(self, context: OperationContext, loading: Loading, artifacts: Artifacts) -> None:
        self._context = context
        self._loading = loading
        self._artifacts = artifacts
        self._bundle = loading.bundle
        self._found: list[Diagnostic] = []
        self._matches: dict[str, list[ArtifactFile]] = {}  # path or glob of a library -> files
        self._uses: dict[str, list[_Use]] = {}  # file name -> uses of files with that name
        self.from_tree: dict[str, ArtifactFile] = {}

    def job(self, spec: JobSpec) -> JobSpec:
        """The job with everything filled in, under the digest that it has then."""

        def library(use: Library) -> list[str]:
            return self._library(spec, use)

        def reference(found: Reference, place: FieldPath) -> str | None:
            return self._reference(spec, found, place)

        document = replaced(spec.document, library, reference)
        digest = digest_bytes(canonical_bytes(document))
        return replace(spec, document=document, digest=digest, meta=spec.meta._replace(digest=digest))

    def findings(self) -> list[Diagnostic]:
        """What is wrong, with the names that two different files have."""
        twice = []
        for name, uses in sorted(self._uses.items()):
            other = next((use for use in uses if use.file.sha256 != uses[0].file.sha256), None)
            if other is not None:
                first = uses[0]
                summary = f'"{other.file.path}" and "{first.file.path}" are different files of the name "{name}"'
                related = tuple(Related(span, "the other one") for span in first.span)
                twice.append(_error(_NAME_TWICE, summary, other.place, other.span, related=related))
        return [*self._found, *twice]

    def _library(self, spec: JobSpec, use: Library) -> list[str]:
        path = join(self._bundle.sync_root, use.path)
        place = path_text(use.place)
        waiting = next((item for item in self._artifacts.unbuilt if _may_make(item.spec, path)), None)
        if waiting is not None:
            return [f"${{artifacts.{waiting.spec.name}.files[0].remote_path}}{use.extras}"]
        if path not in self._matches:
            self._matches[path] = self._matching(path)
        files = self._matches[path]
        if not files:
            self._found.append(self._missing(spec, use, path, place))
            return [use.path + use.extras]
        for file in files:
            known = self._uses.setdefault(file.name, [])
            if all(other.file.sha256 != file.sha256 for other in known):
                known.append(_Use(file, f"resources.jobs.{spec.key}.{place}", _span(spec, place)))
        return [published_path(self._bundle.artifact_path, file) + use.extras for file in files]

    def _matching(self, path: str) -> list[ArtifactFile]:
        """Files that a path or glob names: those of artifacts, else those of the tree."""
        pattern = Pattern(path)
        built = [file for artifact in self._artifacts.declared for file in artifact.files or ()]
        found = [file for file in built if pattern.matches(file.path) or pattern.matches(file.shown_path)]
        if found:
            return sorted(dict.fromkeys(found), key=lambda file: file.path)
        entries = self._loading.tree.list()
        paths = [path for path in pattern.select(entries) if entries[path].mode in _REGULAR]
        files = list(described(self._context, self._loading, best_wheels(paths)))
        self.from_tree.update((file.path, file) for file in files)
        return files

    def _missing(self, spec: JobSpec, use: Library, path: str, place: str) -> Diagnostic:
        tree = self._loading.tree
        detail = hint = None
        if not tree.revision.working_tree and tree.exists_in_working_tree(path):
            detail = f"it exists in the working tree, not in {tree.label}"
        makers = [artifact.spec.name for artifact in self._artifacts.declared if artifact.spec.build is not None]
        if makers:
            names = ", ".join(f'"{name}"' for name in makers)
            hint = f"name what the artifacts make ({names})"
        else:
            hint = "describe under artifacts how it is built, and allow that: bundlectl deploy --allow build"
        address = f"resources.jobs.{spec.key}.{place}"
        return replace(
            _error(_NOT_BUILT, f'no file matches "{use.path}"', address, _span(spec, place)), detail=detail, hint=hint
        )

    def _reference(self, spec: JobSpec, found: Reference, place: FieldPath) -> str | None:
        """The value of `${artifacts.<name>...}`; None while it is not known."""
        try:
            return self._value(found.steps[1:], found.text)
        except Unresolved as fault:
            where = path_text(place)
            address = f"resources.jobs.{spec.key}.{where}"
            self._found.append(_error(fault.code, fault.summary, address, _span(spec, where)))
            return None

    def _value(self, steps: tuple[str | int, ...], text: str) -> str | None:
        artifact = next((item for item in self._artifacts.declared if steps[:1] == (item.spec.name,)), None)
        missing = Unresolved("BND240", f"reference does not exist: {text}")
        if artifact is None:
            raise missing
        spec = artifact.spec
        plain = {"type": spec.kind, "build": spec.build, "path": spec.folder or "."}
        if len(steps) == 2 and steps[1] in plain:
            return plain[str(steps[1])] or ""
        if len(steps) != 4 or steps[1] != "files" or not isinstance(steps[2], int) or steps[3] not in _FILE_FIELDS:
            raise missing
        if artifact.files is None:
            return None
        if steps[2] >= len(artifact.files):
            raise Unresolved("BND244", f'artifact "{spec.name}" has {len(artifact.files)} files: {text}')
        file = artifact.files[steps[2]]
        return published_path(self._bundle.artifact_path, file) if steps[3] == "remote_path" else file.path


_FILE_FIELDS = ("remote_path", "source")


def _span(spec: JobSpec, place: str) -> tuple[SourceSpan, ...]:
    span = spec.spans.get(place) or spec.span
    return (span,) if span is not None else ()


def _error(
    code: str, summary: str, path: str, spans: tuple[SourceSpan, ...], *, related: tuple[Related, ...] = ()
) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.ERROR, summary=summary, path=path, spans=spans, related=related)


def _may_make(spec: ArtifactSpec, path: str) -> bool:
    """Whether a build may write a file that a library names: one of the two patterns covers the other, part by part."""
    return any(_may_meet(pattern.source, path) for pattern in spec.files)


def _may_meet(left: str, right: str) -> bool:
    ours, theirs = left.split("/"), right.split("/")
    return len(ours) == len(theirs) and all(map(_parts_may_meet, ours, theirs))


def _parts_may_meet(left: str, right: str) -> bool:
    one, other = Pattern(left), Pattern(right)
    if one.is_literal and other.is_literal:
        return left == right
    if not one.is_literal and not other.is_literal:
        return True
    return other.matches(left) if one.is_literal else one.matches(right)
