"""Publishes a snapshot under its digest: what is missing is sent, then the whole is sealed.

Called by backend. Nothing live changes here: a snapshot that nobody refers to is just there.
"""

from bundlectl.backends.base import BlobReader
from bundlectl.backends.jobs_api.extensions import EngineCalls
from bundlectl.model.errors import BackendError, OutcomeUnknown, RepositoryError
from bundlectl.model.source import Snapshot, SnapshotFile

# Bytes of files that are read from the source at once, so that a large snapshot does not need large memory.
_BATCH_BYTES = 16 << 20
_BATCH_FILES = 1_000
# Each file is made durable on its own, so several at once are two to four times faster than one by one.
_AT_ONCE = 8


def publish(calls: EngineCalls, snapshot: Snapshot, read_blobs: BlobReader) -> int:
    """How many files were sent. One call when it is there already; safe to repeat after any failure.

    Raises RepositoryError when the source no longer has a file.
    """
    there = calls.snapshot(snapshot.digest)
    if there.sealed:
        return 0
    sent = _send(calls, snapshot, [file for file in snapshot.files if file.path not in there.staged], read_blobs)
    try:
        calls.seal(snapshot.digest)
    except OutcomeUnknown:
        raise
    except BackendError:
        if not there.staged:
            raise
        # What somebody staged earlier is not what it should be.
        earlier = [file for file in snapshot.files if file.path in there.staged]
        sent += _send(calls, snapshot, earlier, read_blobs)
        calls.seal(snapshot.digest)
    return sent


def _send(calls: EngineCalls, snapshot: Snapshot, files: list[SnapshotFile], read_blobs: BlobReader) -> int:
    for batch in batches(files):
        _send_batch(calls, snapshot.digest, batch, contents_of(batch, read_blobs))
    return len(files)


def _send_batch(calls: EngineCalls, digest: str, batch: list[SnapshotFile], contents: dict[str, bytes]) -> None:
    """Several files at once when there are many; the first failure stops the rest."""

    failed: list[SnapshotFile] = []

    def send(file: SnapshotFile) -> None:
        if failed:
            return
        try:
            calls.send_file(digest, file.path, file.mode, contents[file.blob])
        except BaseException:
            failed.append(file)
            raise

    if len(batch) < _AT_ONCE:
        for file in batch:
            send(file)
        return
    # Brings logging along, and most deploys send a handful of files.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(send, batch):
            pass


def contents_of(batch: list[SnapshotFile], read_blobs: BlobReader) -> dict[str, bytes]:
    """Contents of files by blob. Raises RepositoryError for one that the source no longer has."""
    wanted = list(dict.fromkeys(file.blob for file in batch))
    contents = read_blobs(wanted)
    for file in batch:
        if file.blob not in contents:
            raise RepositoryError(f'the content of "{file.path}" is gone', detail=f"git object {file.blob}")
    return {blob: contents[blob] for blob in wanted}


def batches(files: list[SnapshotFile]) -> list[list[SnapshotFile]]:
    """Files in groups that may be held in memory together."""
    batches: list[list[SnapshotFile]] = []
    size = 0
    for file in files:
        if not batches or size + file.size > _BATCH_BYTES or len(batches[-1]) == _BATCH_FILES:
            batches.append([])
            size = 0
        batches[-1].append(file)
        size += file.size
    return batches
