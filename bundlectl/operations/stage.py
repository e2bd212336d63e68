"""Code and artifacts of a bundle: their digests for a plan, their content for a deploy.

What describes writes nothing but the cache; `publish` and `publish_artifacts` put immutable content in place under its
digest and touch nothing live.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from bundlectl.backends.base import Backend
from bundlectl.git.snapshot import describe, write_code_tree
from bundlectl.git.trees import read_blobs
from bundlectl.model.artifact import Artifact, ArtifactFile, Artifacts
from bundlectl.model.errors import InputError
from bundlectl.model.source import Snapshot
from bundlectl.operations.code_size import snapshot_key, too_much
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading
from bundlectl.state.store import CodeHome

# Called with the name of a place in the order, "prebuild" or "postbuild", by whoever runs the hooks of a bundle.
AtPlace = Callable[[str], None]


def nothing_at(place: str) -> None:
    """Hooks of a bundle that has none."""


def snapshot_digest(context: OperationContext, loading: Loading) -> str | None:
    """Digest of the synced files; None when no job uses code. From the cache when this tree was described before."""
    if not any(job.uses_code for job in loading.bundle.jobs.values()):
        return None
    key = snapshot_key(loading.loaded)
    known = context.index.snapshot(key) if key is not None else None
    return known if known is not None else describe_code(context, loading).digest


def describe_code(context: OperationContext, loading: Loading) -> Snapshot:
    """The synced files with their digests. Raises InputError BND288 for what cannot be synced, BND289 for too much."""
    excess = too_much(loading.tree, loading.loaded, context.index)
    if excess is not None:
        raise InputError(excess.summary, code=excess.code, hint=excess.hint, diagnostics=(excess,))
    paths = loading.loaded.code_files
    entries = loading.tree.list()
    known = context.index.content_digests(entries[path].blob for path in paths if path in entries)
    snapshot, learned = describe(loading.tree, paths, loading.bundle.sync_root, known)
    context.index.remember_content_digests(learned)
    key = snapshot_key(loading.loaded)
    if key is not None:
        context.index.remember_snapshot(key, snapshot.digest)
    return snapshot


def publish(
    context: OperationContext, loading: Loading, backend: Backend, home: CodeHome, digest: str | None
) -> str | None:
    """Puts the code where runs will find it, and keeps it beside the state, in `home`; the git tree that holds it.

    Nothing live changes: content under its digest, and a commit on the code ref.
    """
    if digest is None:
        return None
    snapshot = describe_code(context, loading)
    tree = write_code_tree(loading.home, loading.tree, snapshot)
    home.keep(tree, digest)

    def read(ids: Sequence[str]) -> Mapping[str, bytes]:
        return read_blobs(loading.tree, ids)

    backend.publish(snapshot, read)
    return tree


def resolve_artifacts(
    context: OperationContext, loading: Loading, hidden: Collection[str] = ()
) -> tuple[Loading, Artifacts]:
    """The bundle with its libraries filled in as far as they are known without building, and their files.

    `hidden`: artifacts that are to be taken as not built. Raises InputError for libraries that nothing makes.
    """
    bundle = loading.bundle
    if not bundle.artifacts and not any(job.uses_artifacts for job in bundle.jobs.values()):
        return loading, Artifacts()
    from bundlectl.operations.artifacts import known_artifacts, with_artifacts  # decision 16

    return with_artifacts(context, loading, known_artifacts(context, loading, hidden))


def build_for_validation(
    context: OperationContext, loading: Loading, at_place: AtPlace = nothing_at
) -> tuple[ArtifactFile, ...]:
    """Builds what is not in the cache, and gives every file that the bundle's jobs would be deployed with.

    Raises what `build_artifacts` and `resolve_artifacts` raise.
    """
    _ = loading.home  # raises outside git: a build is made from a git tree
    _, artifacts = resolve_artifacts(context, loading)
    if artifacts.unbuilt:
        build_artifacts(context, loading, artifacts.unbuilt, at_place)
        _, artifacts = resolve_artifacts(context, loading)
    return artifacts.files


def missing_artifacts(
    context: OperationContext, loading: Loading, artifacts: Artifacts, backend: Backend
) -> tuple[Artifact, ...]:
    """Artifacts that have to be built before a deploy: not known yet, or known and nowhere to be had."""
    return tuple(
        artifact
        for artifact in artifacts.declared
        if artifact.files is None
        or (
            artifact.inputs is not None
            and any(
                not backend.has_file(file.sha256, file.name) and _content(context, loading, file) is None
                for file in artifact.files
            )
        )
    )


def build_artifacts(
    context: OperationContext, loading: Loading, missing: Sequence[Artifact], at_place: AtPlace
) -> None:
    """Builds what is missing into the cache, with the hooks around it; nothing at all when nothing is missing.

    Raises Refused BND318 when the invoker did not allow it, InputError BND291 or BND292 when a build comes to nothing.
    """
    if not missing:
        return
    from bundlectl.operations.build import build_missing, refuse_without_permission  # decision 16

    refuse_without_permission(context, [artifact.spec.name for artifact in missing])
    at_place("prebuild")
    build_missing(context, loading, missing)
    at_place("postbuild")


def publish_artifacts(context: OperationContext, loading: Loading, backend: Backend, artifacts: Artifacts) -> None:
    """Puts every built file where runs will find it, once under its digest. Nothing live changes."""
    for file in artifacts.files:
        if not backend.has_file(file.sha256, file.name):
            content = _content(context, loading, file)
            if content is None:
                raise InputError(
                    f'the built file "{file.shown_path}" is gone from the cache', code="BND292", hint="deploy again"
                )
            backend.publish_file(file.sha256, file.name, content)


def _content(context: OperationContext, loading: Loading, file: ArtifactFile) -> bytes | None:
    from bundlectl.operations.artifacts import file_content  # decision 16

    return file_content(context, loading, file)
