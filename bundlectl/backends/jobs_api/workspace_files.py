"""Publishes a snapshot as a folder of a workspace, named by its digest: what is missing is sent, then it is sealed.

Called by databricks. A file appears whole or not at all, so one that is there is never sent again; the seal is a file
beside the folder, sent last, and tells that nothing is missing.
"""

import posixpath
from concurrent.futures import ThreadPoolExecutor

from bundlectl.backends.base import BlobReader
from bundlectl.backends.jobs_api.files import batches, contents_of
from bundlectl.backends.jobs_api.workspace_calls import WorkspaceCalls
from bundlectl.base.digest import sha256_hex
from bundlectl.model.errors import BackendError
from bundlectl.model.source import Snapshot, SnapshotFile

_AT_ONCE = 16
_SEAL = ".sealed"
# A notebook loses its ending on a workspace.
_ENDINGS = (".py", ".sql", ".scala", ".r", ".ipynb")


def is_published(calls: WorkspaceCalls, folder: str) -> bool:
    """Whether a snapshot is there as a whole."""
    return calls.exists(folder + _SEAL)


def publish(calls: WorkspaceCalls, folder: str, snapshot: Snapshot, read_blobs: BlobReader) -> int:
    """How many files were sent. One call when it is there already; safe to repeat after any failure.

    Raises RepositoryError when the source no longer has a file.
    """
    if is_published(calls, folder):
        return 0
    folders = sorted({posixpath.dirname(f"{folder}/{file.path}") for file in snapshot.files} | {folder})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = {path for paths in pool.map(calls.list, folders) for path in paths}
        for made in pool.map(calls.make_folder, folders):
            assert made is None
        missing = [file for file in snapshot.files if not _is_there(f"{folder}/{file.path}", there)]
        for batch in batches(missing):
            contents = contents_of(batch, read_blobs)

            def send(file: SnapshotFile, contents: dict[str, bytes] = contents) -> None:
                check_content(file.path, file.sha256, contents[file.blob])
                calls.send_file(f"{folder}/{file.path}", contents[file.blob])

            for sent in pool.map(send, batch):
                assert sent is None
    calls.send_file(folder + _SEAL, snapshot.digest.encode())
    return len(missing)


def check_content(name: str, sha256: str, content: bytes) -> None:
    """A workspace takes what it is sent, so what has the wrong content is found here. Raises BackendError."""
    found = sha256_hex(content)
    if found != sha256:
        raise BackendError(f'"{name}" has the content {found[:12]}, not {sha256[:12]}', detail="it was not sent")


def _is_there(path: str, there: set[str]) -> bool:
    stem, ending = posixpath.splitext(path)
    return path in there or (ending.lower() in _ENDINGS and stem in there)
