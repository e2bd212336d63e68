"""Code of a bundle: its snapshot's digest for a plan, its content for a deploy.

`snapshot_digest` and `describe_code` write nothing but the cache; `publish` puts immutable content in place under its
digest and touches nothing live.
"""

from collections.abc import Mapping, Sequence

from bundlectl.backends.base import Backend
from bundlectl.git.snapshot import append_code, describe, write_code_tree
from bundlectl.git.trees import read_blobs
from bundlectl.model.source import Snapshot
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading


def snapshot_digest(context: OperationContext, loading: Loading) -> str | None:
    """Digest of the synced files; None when no job uses code. From the cache when this tree was described before."""
    if not any(job.uses_code for job in loading.bundle.jobs.values()):
        return None
    key = loading.loaded.snapshot_key
    known = context.index.snapshot(key) if key is not None else None
    return known if known is not None else describe_code(context, loading).digest


def describe_code(context: OperationContext, loading: Loading) -> Snapshot:
    """The synced files with their digests. Raises InputError BND288 for what cannot be synced."""
    paths = loading.loaded.code_files
    entries = loading.tree.list()
    known = context.index.content_digests(entries[path].blob for path in paths if path in entries)
    snapshot, learned = describe(loading.tree, paths, loading.bundle.sync_root, known)
    context.index.remember_content_digests(learned)
    if loading.loaded.snapshot_key is not None:
        context.index.remember_snapshot(loading.loaded.snapshot_key, snapshot.digest)
    return snapshot


def publish(context: OperationContext, loading: Loading, backend: Backend, digest: str | None) -> str | None:
    """Puts the code where runs will find it, and keeps it in the repository; the git tree that holds it.

    Nothing live changes: content under its digest, and a commit on the code ref.
    """
    if digest is None:
        return None
    snapshot = describe_code(context, loading)
    tree = write_code_tree(loading.home, loading.tree, snapshot)
    append_code(loading.home, loading.bundle.name, loading.bundle.target.name, tree, digest)

    def read(ids: Sequence[str]) -> Mapping[str, bytes]:
        return read_blobs(loading.tree, ids)

    backend.publish(snapshot, read)
    return tree
