"""Snapshots: whole and unchanged, or not there."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundlectl.base.digest import digest_bytes
from bundlectl.engine import files

FILES = {"src/main.py": ("100644", b"print(1)\n"), "run.sh": ("100755", b"#!/bin/sh\n"), "a b/empty": ("100644", b"")}


def _digest(contents: dict[str, tuple[str, bytes]]) -> str:
    lines = [f"{contents[p][0]} {hashlib.sha256(contents[p][1]).hexdigest()} {p}\0".encode() for p in sorted(contents)]
    return digest_bytes(b"".join(lines))


DIGEST = _digest(FILES)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "snapshots").mkdir()
    yield tmp_path
    for place in (tmp_path / "snapshots").iterdir():
        files.remove(place)


def _stage(engine: Path, digest: str = DIGEST) -> None:
    for path, (mode, content) in FILES.items():
        files.stage(engine, digest, path, mode, content)


def test_from_nothing_to_a_sealed_snapshot(engine: Path) -> None:
    assert files.state(engine, DIGEST) is None
    _stage(engine)
    staged = files.state(engine, DIGEST)
    assert staged is not None
    assert (staged.sealed, staged.files) == (False, ("a b/empty", "run.sh", "src/main.py"))
    files.seal(engine, DIGEST)
    sealed = files.state(engine, DIGEST)
    assert sealed is not None and sealed.sealed
    place = files.folder_of(engine, DIGEST)
    assert (place / "src/main.py").read_bytes() == b"print(1)\n"
    assert (place / "run.sh").stat().st_mode & 0o777 == 0o555
    assert place.stat().st_mode & 0o222 == 0
    files.seal(engine, DIGEST)
    files.stage(engine, DIGEST, "late", "100644", b"ignored")
    assert not (place / "late").exists()


def test_content_that_does_not_fit_is_refused_and_can_be_put_right(engine: Path) -> None:
    _stage(engine)
    files.stage(engine, DIGEST, "run.sh", "100644", b"#!/bin/sh\n")
    with pytest.raises(files.BadSnapshot, match="the 3 staged files have the digest"):
        files.seal(engine, DIGEST)
    files.stage(engine, DIGEST, "run.sh", "100755", b"#!/bin/sh\n")
    files.seal(engine, DIGEST)


def test_what_an_interrupted_write_left_is_not_part_of_it(engine: Path) -> None:
    _stage(engine)
    left = engine / "snapshots" / (DIGEST.removeprefix("sha256:") + ".staged") / ".run.sh.0123"
    left.write_bytes(b"half")
    left.chmod(0o600)
    files.seal(engine, DIGEST)
    assert sorted(path.name for path in files.folder_of(engine, DIGEST).iterdir()) == ["a b", "run.sh", "src"]


def test_an_empty_snapshot(engine: Path) -> None:
    files.seal(engine, _digest({}))
    assert list(files.folder_of(engine, _digest({})).iterdir()) == []


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/.", "a\0b"])
def test_no_path_leads_outside(engine: Path, path: str) -> None:
    with pytest.raises(files.BadSnapshot):
        files.stage(engine, DIGEST, path, "100644", b"")
    assert list((engine / "snapshots").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../x", "md5:" + "0" * 32, "sha256:" + "A" * 64])
def test_no_digest_leads_outside(engine: Path, digest: str) -> None:
    with pytest.raises(files.BadSnapshot):
        files.folder_of(engine, digest)


@pytest.mark.parametrize("mode", ["100600", "120000", "", "755"])
def test_other_modes_are_refused(engine: Path, mode: str) -> None:
    with pytest.raises(files.BadSnapshot):
        files.stage(engine, DIGEST, "a", mode, b"")


def test_a_file_is_no_folder(engine: Path) -> None:
    files.stage(engine, DIGEST, "a", "100644", b"")
    with pytest.raises(files.BadSnapshot):
        files.stage(engine, DIGEST, "a/b", "100644", b"")
