"""Files below the engine's folder: outputs of attempts, and snapshots of code.

Snapshots are staged file by file, checked against their digest, renamed into place read-only, and never changed; what
is staged lies beside `snapshots/<hex>` until it is whole. Called by api.snapshots, api.runs and launching.
"""

import contextlib
import os
import re
from pathlib import Path, PurePosixPath

from bundlectl.base.digest import digest_bytes, sha256_stream
from bundlectl.base.files import make_private_folder, sync_folder, write_atomic

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_STAGED = ".staged"
_CHUNK = 1 << 20
MODES = ("100644", "100755")


def log_path(engine: Path, run_id: int, attempt_id: int, launch: int) -> str:
    """The file with the output of an attempt. Creating it is the claim on the launch (engine.claims)."""
    return f"{engine}/logs/{run_id}/{attempt_id}-{launch}.log"


class BadSnapshot(Exception):
    """A name, mode or content that does not hold; the text says which."""


class State:
    """What is there of a snapshot."""

    def __init__(self, sealed: bool, files: tuple[str, ...]) -> None:
        self.sealed = sealed
        self.files = files  # staged paths, sorted; empty once sealed


def folder_of(engine: Path, digest: str) -> Path:
    """Where a snapshot is, or will be. Raises BadSnapshot for a text that is no digest."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise BadSnapshot(f'"{digest}" is no snapshot digest: expected "sha256:" and 64 hex digits')
    return engine / "snapshots" / match[1]


def state(engine: Path, digest: str) -> State | None:
    """None when nothing is there."""
    place = folder_of(engine, digest)
    if place.is_dir():
        return State(True, ())
    staged = _staged(place)
    return State(False, tuple(_walk(staged))) if staged.is_dir() else None


def stage(engine: Path, digest: str, path: str, mode: str, content: bytes) -> None:
    """Keeps one file until the snapshot is sealed; the same file again replaces it. Raises BadSnapshot, OSError."""
    place = folder_of(engine, digest)
    if place.is_dir():
        return
    if mode not in MODES:
        raise BadSnapshot(f'mode "{mode}" of "{path}" is none of {", ".join(MODES)}')
    target = _staged(place) / _relative(path)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.is_dir():
            raise BadSnapshot(f'"{path}" is a folder of this snapshot already')
        write_atomic(target, content, mode=0o555 if mode == "100755" else 0o444)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadSnapshot(f'"{path}" is below a file of this snapshot') from error


def seal(engine: Path, digest: str) -> None:
    """Makes the staged files the snapshot. Raises BadSnapshot when they do not add up to the digest; they stay."""
    place = folder_of(engine, digest)
    if place.is_dir():
        return
    staged = _staged(place)
    found = _digest(staged)
    if found != digest:
        count = len(_walk(staged)) if staged.is_dir() else 0
        raise BadSnapshot(f"the {count} staged files have the digest {found}, not {digest}")
    make_private_folder(staged)
    for folder, _, names in os.walk(staged, topdown=False):
        for name in names:
            if os.stat(os.path.join(folder, name)).st_mode & 0o200:
                os.unlink(os.path.join(folder, name))  # left by an interrupted write
        sync_folder(Path(folder))
        os.chmod(folder, 0o555 if Path(folder) != staged else 0o700)
    try:
        staged.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        remove(staged)  # somebody else was faster, with the same content
        return
    place.chmod(0o555)
    sync_folder(place.parent)


def remove(place: Path) -> None:
    """Removes a snapshot, or what was staged of one. What is gone is fine."""
    import shutil  # costs milliseconds that every plan would pay

    for folder, _, _ in os.walk(place):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(folder, 0o700)
    shutil.rmtree(place, ignore_errors=True)


def _staged(place: Path) -> Path:
    return place.with_name(place.name + _STAGED)


def _relative(path: str) -> PurePosixPath:
    """A path that stays inside. Raises BadSnapshot."""
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise BadSnapshot(f'"{path}" is no path inside a snapshot')
    return PurePosixPath(path)


def _walk(staged: Path) -> list[str]:
    """Paths of the files, sorted by their bytes. What an interrupted write left behind is no file of the snapshot."""
    found = []
    for folder, _, names in os.walk(staged):
        for name in names:
            path = os.path.join(folder, name)
            if os.stat(path).st_mode & 0o200 == 0:
                found.append(os.path.relpath(path, staged).replace(os.sep, "/"))
    return sorted(found, key=os.fsencode)


def _digest(staged: Path) -> str:
    """Digest over mode, content and path of each file (provenance.md 1)."""
    lines = []
    for path in _walk(staged) if staged.is_dir() else ():
        file = staged / path
        mode = "100755" if file.stat().st_mode & 0o100 else "100644"
        with file.open("rb") as stream:
            content = sha256_stream(iter(lambda: stream.read(_CHUNK), b""))
        lines.append(f"{mode} {content} ".encode() + os.fsencode(path) + b"\0")
    return digest_bytes(b"".join(lines))
