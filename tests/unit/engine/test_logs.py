"""How long logs are kept small, and what a reader sees of one that was."""

import os
from pathlib import Path

import pytest

from bundlectl.engine import logs

_MIB = 1 << 20


def _write(path: Path, data: bytes) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, data)
    return descriptor


def _holed(path: Path, size: int, limit: int = 4 * _MIB) -> bytes:
    """A log that was cut to `limit`; what was written. Skips where the file system makes no holes."""
    written = b"".join(b"%015d\n" % number for number in range(size // 16))
    descriptor = _write(path, written)
    try:
        if not logs.trim(descriptor, limit):
            pytest.skip("this file system punches no holes")
    finally:
        os.close(descriptor)
    return written


def test_beginning_and_end_stay_and_offsets_hold(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    written = _holed(path, 16 * _MIB)
    assert path.stat().st_size == len(written)
    assert path.stat().st_blocks * 512 <= 4 * _MIB + (64 << 10)
    data = path.read_bytes()
    assert data[:_MIB] == written[:_MIB]
    assert data[-3 * _MIB :] == written[-3 * _MIB :]
    with path.open("rb") as file:
        assert logs.hole(file) == (_MIB, 13 * _MIB)
        assert logs.dropped(file) == 12 * _MIB


def test_a_later_cut_drops_what_is_in_the_middle_by_then(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    _holed(path, 8 * _MIB)
    descriptor = _write(path, b"x" * (4 * _MIB))
    assert logs.trim(descriptor, 4 * _MIB)
    os.close(descriptor)
    with path.open("rb") as file:
        assert logs.hole(file) == (_MIB, 9 * _MIB)


@pytest.mark.parametrize("size", [0, 100, 4 * _MIB])
def test_a_log_within_the_limit_is_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "1.log"
    descriptor = _write(path, b"a" * size)
    assert logs.trim(descriptor, 4 * _MIB)
    os.close(descriptor)
    assert path.read_bytes() == b"a" * size
    with path.open("rb") as file:
        assert logs.hole(file) is None
        assert logs.dropped(file) == 0


def test_reading_on_and_on_gives_all_that_is_there_and_says_what_is_not(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    written = _holed(path, 8 * _MIB)
    got, offset = b"", 0
    with path.open("rb") as file:
        while offset < len(written):
            data, behind = logs.read_log(file, offset, 300_000)
            assert behind > offset, "a reader always gets on"
            got, offset = got + data, behind
        assert logs.read_log(file, offset, 10) == (b"", offset)
    assert got == written[:_MIB] + b"\n[%d bytes dropped]\n" % (4 * _MIB) + written[-3 * _MIB :]


def test_an_offset_inside_the_hole(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    _holed(path, 8 * _MIB)
    with path.open("rb") as file:
        file.seek(5)
        assert logs.dropped(file) and file.read(3) == path.read_bytes()[5:8], "the position of a reader stays"
        assert logs.read_log(file, 2 * _MIB, 100) == (b"\n[4194304 bytes dropped]\n", 5 * _MIB)


def test_what_is_no_log_any_more_raises_nothing(tmp_path: Path) -> None:
    descriptor = _write(tmp_path / "1.log", b"")
    os.close(descriptor)
    assert logs.trim(descriptor) is False
