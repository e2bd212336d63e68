"""Built files of this user, by content, and which build made which: the cache that a second deploy finds.

Called by operations.artifacts and operations.build. What it holds can be made again, so a damaged or foreign entry is
none. Files are `files/<sha256>`, builds `builds/<key>.json`; nothing is changed in place.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bundlectl.base.digest import sha256_hex
from bundlectl.base.files import locked, make_private_folder, write_atomic
from bundlectl.model.artifact import ArtifactFile

_FORMAT = 1
_KEPT_BUILDS = 200  # the oldest go first; their files go with them
_KEY = frozenset("0123456789abcdef")


class ArtifactStore:
    """Below one folder, which is created by the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> tuple[ArtifactFile, ...] | None:
        """What the build with this key made; None when it is not known, or a file of it is gone."""
        try:
            document = json.loads(self._build(key).read_bytes())
            files = tuple(_read_file(row) for row in document["files"]) if document["format"] == _FORMAT else ()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return files if files and all(self._file(file.sha256).is_file() for file in files) else None

    def keep(self, key: str, files: Sequence[ArtifactFile], contents: Sequence[bytes]) -> None:
        """Keeps what a build made. Raises OSError."""
        self._prepare()
        for file, content in zip(files, contents, strict=True):
            self.add(file.sha256, content)
        rows = [[file.path, file.name, file.sha256] for file in files]
        document = {"format": _FORMAT, "files": rows}
        write_atomic(self._build(key), json.dumps(document, ensure_ascii=True).encode("ascii"))
        self._forget_oldest()

    def add(self, sha256: str, content: bytes) -> None:
        """Keeps a content. Raises OSError."""
        self._prepare()
        if not self._file(sha256).is_file():
            write_atomic(self._file(sha256), content, mode=0o400)

    def has(self, sha256: str) -> bool:
        return self._file(sha256).is_file()

    def read(self, sha256: str) -> bytes | None:
        """A content; None when it is not kept. A damaged one is dropped, and is none."""
        try:
            content = self._file(sha256).read_bytes()
        except OSError:
            return None
        if sha256_hex(content) == sha256:
            return content
        self._file(sha256).unlink(missing_ok=True)
        return None

    @contextmanager
    def building(self, key: str) -> Iterator[Path]:
        """While it lasts, nobody else makes this build; gives the folder to build in. Raises OSError."""
        self._prepare()
        make_private_folder(self.folder / "work")
        with locked(self.folder / "work" / f"{_name(key)}.lock"):
            yield self.folder / "work" / _name(key)

    def _prepare(self) -> None:
        make_private_folder(self.folder)
        for name in ("builds", "files"):
            make_private_folder(self.folder / name)

    def _build(self, key: str) -> Path:
        return self.folder / "builds" / f"{_name(key)}.json"

    def _file(self, sha256: str) -> Path:
        return self.folder / "files" / _name(sha256)

    def _forget_oldest(self) -> None:
        """Somebody else may do the same at the same time: what is gone is fine."""
        with suppress(OSError):
            builds = sorted((self.folder / "builds").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
            old, kept = builds[:-_KEPT_BUILDS], builds[-_KEPT_BUILDS:]
            used = {row[2] for path in kept for row in json.loads(path.read_bytes())["files"]} if old else set()
            for path in old:
                rows = json.loads(path.read_bytes())["files"]
                path.unlink(missing_ok=True)
                (self.folder / "work" / f"{path.stem}.lock").unlink(missing_ok=True)
                for sha256 in {row[2] for row in rows} - used:
                    self._file(sha256).unlink(missing_ok=True)


def _name(key: str) -> str:
    """The hex digits of a digest: what else could be a path is refused."""
    digits = key.removeprefix("sha256:")
    if len(digits) != 64 or not _KEY.issuperset(digits):
        raise ValueError(f"{key!r} is no digest")
    return digits


def _read_file(row: Any) -> ArtifactFile:
    path, name, sha256 = row
    if not all(isinstance(part, str) for part in (path, name)) or "/" in name:
        raise ValueError("no row of a build")
    return ArtifactFile(path, name, _name(sha256))
