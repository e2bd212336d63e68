"""Records that may be cut or damaged anywhere, claims that only one can take, identity of processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.engine import claims
from tests.patience import until

_DOCUMENTS = st.lists(
    st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=10), st.none()), max_size=3),
    max_size=5,
)
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def _read(folder: Path, data: bytes, offset: int = 0) -> claims.Record:
    path = folder / "record"
    path.write_bytes(data)
    return claims.read_record(path, offset)


@given(documents=_DOCUMENTS, cut=st.integers(0, 400))
def test_a_record_cut_anywhere_is_a_prefix(tmp_path_factory: pytest.TempPathFactory, documents: list, cut: int) -> None:  # type: ignore[type-arg]  # of any documents
    data = b"".join(map(claims.record_line, documents))
    found = _read(tmp_path_factory.getbasetemp(), data[:cut])
    assert [line for line, _ in found.lines] == documents[: data[:cut].count(b"\n")]
    assert found.damaged == 0


@given(documents=_DOCUMENTS, at=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_flipped_bit_damages_at_most_two_lines(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list,  # type: ignore[type-arg]  # of any documents
    at: int,
    bit: int,
) -> None:
    data = bytearray(b"".join(map(claims.record_line, documents)))
    if at >= len(data):
        return
    data[at] ^= 1 << bit
    found = [line for line, _ in _read(tmp_path_factory.getbasetemp(), bytes(data)).lines]
    assert all(line in documents for line in found)
    assert len(found) >= len(documents) - 2


def test_reading_goes_on_from_an_offset(tmp_path: Path) -> None:
    first, second = claims.record_line({"n": 1}), claims.record_line({"n": 2})
    (one,) = _read(tmp_path, first).lines
    assert one == ({"n": 1}, len(first))
    assert _read(tmp_path, first + second, one[1]).lines == (({"n": 2}, len(first + second)),)
    assert claims.read_record(tmp_path / "none") == claims.Record((), 0)


def test_a_line_after_a_torn_one_is_read(tmp_path: Path) -> None:
    """A worker whose disk was full in the middle of a line begins a new one."""
    torn, whole = claims.record_line({"k": "end"})[:9], claims.record_line({"k": "end"})
    found = _read(tmp_path, torn + b"\n" + whole)
    assert [line for line, _ in found.lines] == [{"k": "end"}]
    assert found.damaged == 1


def test_only_one_claims(tmp_path: Path) -> None:
    log = str(tmp_path / "1-1.log")
    os.close(claims.claim(log))
    with pytest.raises(FileExistsError):
        claims.claim(log)
    assert not claims.fence(log), "it may have started"


def test_a_fenced_attempt_cannot_be_claimed(tmp_path: Path) -> None:
    log = str(tmp_path / "1-1.log")
    assert claims.fence(log)
    assert claims.fence(log), "a scheduler that died after the fence is followed by one that finds it"
    with pytest.raises(FileExistsError):
        claims.claim(log)


@needs_proc
def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    me = claims.identity()
    assert claims.is_alive(me)
    assert not claims.is_alive({**me, "start": me["start"] - 1})
    assert not claims.is_alive({**me, "boot": "another"})
    assert not claims.is_alive({})


@needs_proc
def test_every_process_of_an_attempt_is_found_and_killed() -> None:
    script = (
        "import subprocess, time; subprocess.Popen(['sleep', '60'], start_new_session=True); "
        "print(1, flush=True); time.sleep(60)"
    )
    environment = {"PATH": os.environ["PATH"], claims.MARKER: "7-1:secret"}
    child = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert len(claims.members("7-1", "secret")) == 2
    assert claims.kill_members("7-1", "other") == 0
    assert claims.kill_members("7-1", "secret") == 2
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    until(lambda: claims.members("7-1", "secret") == [])  # a killed orphan takes its time to end
