"""Publishing: what is sent, what is not sent again, and what a missing blob gives."""

import hashlib
from collections.abc import Sequence

import pytest

from bundlectl.backends.jobs_api.client import JobsClient
from bundlectl.backends.jobs_api.extensions import EngineCalls
from bundlectl.backends.jobs_api.files import publish
from bundlectl.model.errors import BackendError, RepositoryError
from bundlectl.model.source import Snapshot, SnapshotFile
from tests.unit.backends.jobs_api.scripted import ScriptedTransport, ok, refused

DIGEST = "sha256:" + "cd" * 32
GONE = refused(404, "RESOURCE_DOES_NOT_EXIST", "no")


def _file(path: str, content: bytes, size: int | None = None) -> SnapshotFile:
    blob = hashlib.sha1(content).hexdigest()
    return SnapshotFile(path, "100644", hashlib.sha256(content).hexdigest(), blob, size or len(content))


class _Reader:
    def __init__(self, *contents: bytes) -> None:
        self._contents = {hashlib.sha1(content).hexdigest(): content for content in contents}
        self.batches: list[list[str]] = []

    def __call__(self, blobs: Sequence[str]) -> dict[str, bytes]:
        self.batches.append(list(blobs))
        return {blob: self._contents[blob] for blob in blobs if blob in self._contents}


def test_a_published_snapshot_costs_one_call_and_reads_nothing() -> None:
    transport, reader = ScriptedTransport(ok({"sealed": True})), _Reader()
    snapshot = Snapshot(digest=DIGEST, files=(_file("a", b"1"),))
    assert publish(EngineCalls(JobsClient(transport)), snapshot, reader) == 0
    assert (len(transport.asked), reader.batches) == (1, [])


def test_every_file_is_sent_and_then_sealed() -> None:
    transport, reader = ScriptedTransport(GONE, ok({}), ok({}), ok({})), _Reader(b"1", b"2")
    snapshot = Snapshot(digest=DIGEST, files=(_file("a", b"1"), _file("b", b"2")))
    assert publish(EngineCalls(JobsClient(transport)), snapshot, reader) == 2
    assert [(asked.query.get("path"), asked.document) for asked in transport.asked[1:]] == [
        ("a", b"1"),
        ("b", b"2"),
        (None, {}),
    ]


def test_what_is_staged_already_is_not_sent_again() -> None:
    transport, reader = ScriptedTransport(ok({"sealed": False, "files": ["a"]}), ok({}), ok({})), _Reader(b"1", b"2")
    snapshot = Snapshot(digest=DIGEST, files=(_file("a", b"1"), _file("b", b"2")))
    assert publish(EngineCalls(JobsClient(transport)), snapshot, reader) == 1
    assert transport.asked[1].query["path"] == "b"


def test_equal_contents_are_read_once_and_large_ones_in_batches() -> None:
    big = 10 << 20
    files = (_file("a", b"1"), _file("b", b"1"), _file("c", b"2", big), _file("d", b"3", big))
    transport, reader = ScriptedTransport(GONE, *[ok({})] * 5), _Reader(b"1", b"2", b"3")
    publish(EngineCalls(JobsClient(transport)), Snapshot(digest=DIGEST, files=files), reader)
    assert [len(batch) for batch in reader.batches] == [2, 1]


def test_an_empty_snapshot_is_only_sealed() -> None:
    transport = ScriptedTransport(GONE, ok({}))
    assert publish(EngineCalls(JobsClient(transport)), Snapshot(digest=DIGEST, files=()), _Reader()) == 0
    assert transport.asked[1].path.endswith("/seal")


def test_a_blob_that_is_gone_names_the_file() -> None:
    with pytest.raises(RepositoryError) as caught:
        publish(
            EngineCalls(JobsClient(ScriptedTransport(GONE))),
            Snapshot(digest=DIGEST, files=(_file("src/a", b"1"),)),
            _Reader(),
        )
    assert caught.value.summary == 'the content of "src/a" is gone'


def test_what_was_staged_wrongly_is_sent_again_when_the_whole_is_refused() -> None:
    wrong = refused(400, "INVALID_PARAMETER_VALUE", "the 2 staged files have the digest ...")
    transport = ScriptedTransport(ok({"sealed": False, "files": ["a"]}), ok({}), wrong, ok({}), ok({}))
    snapshot = Snapshot(digest=DIGEST, files=(_file("a", b"1"), _file("b", b"2")))
    assert publish(EngineCalls(JobsClient(transport)), snapshot, _Reader(b"1", b"2")) == 2
    assert [asked.query.get("path") for asked in transport.asked] == [None, "b", None, "a", None]


def test_a_refused_whole_of_which_everything_was_sent_is_a_failure() -> None:
    wrong = refused(400, "INVALID_PARAMETER_VALUE", "the 1 staged files have the digest ...")
    snapshot = Snapshot(digest=DIGEST, files=(_file("a", b"1"),))
    with pytest.raises(BackendError):
        publish(EngineCalls(JobsClient(ScriptedTransport(GONE, ok({}), wrong))), snapshot, _Reader(b"1"))


def test_the_first_failure_among_many_stops_the_rest() -> None:
    files = tuple(_file(f"f{number}", b"1") for number in range(500))
    full = refused(503, "TEMPORARILY_UNAVAILABLE", "no space left on device")
    transport = ScriptedTransport(GONE, *[full] * 500)
    with pytest.raises(BackendError):
        publish(EngineCalls(JobsClient(transport)), Snapshot(digest=DIGEST, files=files), _Reader(b"1"))
    assert len(transport.asked) <= 1 + 8  # one call per thread, after the first question
    assert not any(asked.path.endswith("/seal") for asked in transport.asked)
