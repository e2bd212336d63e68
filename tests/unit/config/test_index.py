"""The index: what it keeps, and that no damage to it is ever more than a miss."""

import os
import sqlite3
from pathlib import Path

import pytest

from bundlectl.config.index import LoadIndex


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "bundles.sqlite"


def filled(path: Path) -> LoadIndex:
    index = LoadIndex(path)
    index.store(
        "r", "t1", "", summary={"n": 1}, catalog={"c": 1}, code_files=["a", "b"], documents={"sha256:1": b"{}"}
    )  # fmt: skip
    return index


def test_a_load_is_found_again_by_another_process(path: Path) -> None:
    filled(path).close()
    index = LoadIndex(path)
    (stored,) = index.find("r", "t1")
    assert (stored.tree, stored.facts, stored.summary(), stored.catalog()) == ("t1", "", {"n": 1}, {"c": 1})
    assert stored.code_files() == ["a", "b"]
    assert index.find("r", "t2") == index.find("other", "t1") == []
    assert index.documents(["sha256:1", "sha256:2"]) == {"sha256:1": b"{}"}
    assert path.stat().st_mode & 0o077 == 0
    index.close()


def test_the_latest_load_is_known(path: Path) -> None:
    index = filled(path)
    index.store("r", "t2", "f", summary={"n": 2}, catalog={}, code_files=[], documents={})
    latest = index.latest("r")
    assert latest is not None
    assert (latest.tree, latest.facts) == ("t2", "f")
    index.store_again("r", "t3", "", summary={"n": 3}, old=index.find("r", "t1")[0])
    again = index.latest("r")
    assert again is not None
    assert (again.tree, again.summary(), again.code_files()) == ("t3", {"n": 3}, ["a", "b"])
    assert index.latest("other") is None


def test_old_loads_go(path: Path) -> None:
    index = LoadIndex(path)
    for number in range(50):
        index.store("r", f"t{number}", "", summary={}, catalog={}, code_files=[], documents={})
    assert index.find("r", "t0") == []
    assert len(index.find("r", "t49")) == 1


def test_snapshots_and_contents(path: Path) -> None:
    index = LoadIndex(path)
    assert index.snapshot("k") is None
    index.remember_snapshot("k", "sha256:x")
    assert index.snapshot("k") == "sha256:x"
    many = {f"b{number}": ("ab" * 32, number) for number in range(1200)}
    index.remember_content_digests(many)
    assert index.content_digests([*many, "none"]) == many
    index.remember_content_digests({})


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 but no more", b"something else entirely" * 100])
def test_a_damaged_file_is_made_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    index = filled(path)
    assert index.problem is None
    assert len(index.find("r", "t1")) == 1
    index.close()


def test_a_file_cut_short_is_a_miss(path: Path) -> None:
    filled(path).close()
    path.write_bytes(path.read_bytes()[:3000])
    index = LoadIndex(path)
    assert index.find("r", "t1") == []
    index.store("r", "t1", "", summary={}, catalog={}, code_files=[], documents={})


def test_a_file_of_another_version_is_left_alone(path: Path) -> None:
    filled(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    index = filled(path)
    assert index.find("r", "t1") == []
    assert not index.usable
    assert index.problem is not None
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_miss(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert filled(tmp_path / "cache" / "x.sqlite").find("r", "t1") == []
    tmp_path.chmod(0o700)


def test_a_folder_in_place_of_the_file_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").mkdir()
    index = filled(tmp_path / "x.sqlite")
    assert not index.usable
    assert index.documents(["sha256:1"]) == {}


def test_a_folder_path_through_a_file_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not filled(tmp_path / "file" / "x.sqlite").usable


def test_no_path_is_no_index() -> None:
    index = LoadIndex(None)
    assert not index.usable
    index.remember_snapshot("k", "d")
    assert index.snapshot("k") is None


def test_a_locked_index_is_a_miss(path: Path) -> None:
    filled(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert LoadIndex(path).find("r", "t1") == []
    other.execute("ROLLBACK")
    other.close()
    assert len(LoadIndex(path).find("r", "t1")) == 1
