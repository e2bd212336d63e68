"""Files of a folder are opened without following a link, and never outside it."""

import os
from pathlib import Path

import pytest

from bundlectl.base.digest import git_blob_id
from bundlectl.git.beneath import Beneath


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "dir" / "sub").mkdir(parents=True)
    (root / "dir" / "sub" / "file").write_text("content")
    (root / "top").write_text("top")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    os.symlink(tmp_path / "outside", root / "out")
    os.symlink("/etc/passwd", root / "passwd")
    os.symlink("dir", root / "inside")
    os.mkfifo(root / "pipe")
    return root


def test_files_are_read_in_any_order(root: Path) -> None:
    with Beneath(root) as disk:
        for path in ("dir/sub/file", "top", "dir/sub/file"):
            assert disk.read(path) == (root / path).read_bytes()
        assert disk.blob_id("top", "sha1") == git_blob_id(b"top")


def test_a_link_is_its_own_text(root: Path) -> None:
    with Beneath(root) as disk:
        assert disk.read("passwd") == b"/etc/passwd"
        assert disk.link_id("inside", "sha1") == git_blob_id(b"dir")


@pytest.mark.parametrize(
    "path", ["out/secret", "inside/sub/file", "../outside/secret", "dir/../top", "pipe", "dir", "nope"]
)
def test_nothing_is_reached_through_a_link_or_from_above(root: Path, path: str) -> None:
    with Beneath(root) as disk, pytest.raises(OSError):
        disk.read(path)


@pytest.mark.parametrize("path", ["out/secret", "inside/sub", "nope", "top/x", "../outside"])
def test_what_is_not_beneath_does_not_exist(root: Path, path: str) -> None:
    with Beneath(root) as disk:
        assert disk.status(path) is None


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Beneath(root) as disk:
            disk.read("dir/sub/file")
            assert disk.status("out/secret") is None
    assert len(os.listdir("/proc/self/fd")) == before
