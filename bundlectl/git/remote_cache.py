"""The bare repository of ours that stands between this machine and one git remote, below the user's cache folder.

Called by state.remotes, which opens it, and by the commands that pack it. It holds nothing that the remote does not
have, so it may be deleted at any time.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bundlectl.base.digest import sha256_hex
from bundlectl.base.files import make_private_folder
from bundlectl.git.command import Git
from bundlectl.git.repository import Repository
from bundlectl.model.errors import RepositoryError

FOLDER = "remotes"
_KEEP_UNREACHABLE = "--unpack-unreachable=2.hours.ago"  # another process may be about to push them
_MANY_PACKS = 60


def open_cache(
    folder: Path,
    url: str,
    environment: Mapping[str, str],
    algorithm: str,
    warn: Callable[[str], None],
) -> Repository:
    """The cache of a remote below the user's cache folder, made when it is missing.

    Where it cannot be kept, a folder for this process alone takes its place, and `warn` is told. Raises
    RepositoryError.
    """
    place = cache_path(folder, url)
    try:
        if not _is_there(place):
            _create(place, environment, algorithm)
        if not os.access(place / "objects", os.W_OK):
            raise PermissionError(13, "not writable", str(place))
    except OSError as error:
        warn(f"no cache: {error.strerror or error}; everything is fetched again")
        place = _temporary(environment, algorithm)
    return _repository(place, environment)


def cache_path(folder: Path, url: str) -> Path:
    """Where the cache of a remote is."""
    return folder / FOLDER / sha256_hex(url.encode("utf-8"))


def caches(folder: Path, environment: Mapping[str, str]) -> list[Repository]:
    """Every cache below the user's cache folder."""
    places = sorted((folder / FOLDER).glob("*"))
    return [_repository(place, environment) for place in places if _is_there(place)]


def packed(cache: Repository) -> tuple[int, int]:
    """Packs a cache; its bytes before and after. Raises RepositoryError."""
    before = _size(cache.git_dir)
    cache.git.run(["repack", "-q", "-A", "-d", _KEEP_UNREACHABLE])
    cache.git.run(["prune-packed", "-q"])
    cache.git.run(["pack-refs", "--all"])
    return before, _size(cache.git_dir)


def tidy(cache: Repository) -> None:
    """Packs a cache that has grown many packs; a failure is none of this command's."""
    if len(list((cache.git_dir / "objects" / "pack").glob("*.pack"))) > _MANY_PACKS:
        cache.git.attempt(["repack", "-q", "-A", "-d", _KEEP_UNREACHABLE])


def _is_there(place: Path) -> bool:
    return (place / "HEAD").is_file()


def _create(place: Path, environment: Mapping[str, str], algorithm: str) -> None:
    """Made aside and renamed: a cache is whole or not there."""
    make_private_folder(place.parent)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        _init(aside, environment, algorithm)
        if place.exists() and not _is_there(place):
            shutil.rmtree(place)
        aside.rename(place)
    except OSError:
        if not _is_there(place):  # else somebody was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _init(place: Path, environment: Mapping[str, str], algorithm: str) -> None:
    Git(place, environment).run(["init", "--quiet", "--bare", "--template=", f"--object-format={algorithm}", "--", "."])


def _temporary(environment: Mapping[str, str], algorithm: str) -> Path:
    # Left to the system's own cleaning: it lies in its folder for temporary files, and is small.
    place = Path(tempfile.mkdtemp(prefix="bundlectl-"))
    try:
        _init(place, environment, algorithm)
    except OSError as error:
        raise RepositoryError(f"no place for a cache: {error}", code="BND623") from error
    return place


def _repository(place: Path, environment: Mapping[str, str]) -> Repository:
    git = Git(place, environment, git_dir=place, any_bare=True)
    text = (place / "config").read_text(encoding="utf-8", errors="replace")
    return Repository(
        top=place,
        git_dir=place,
        private_dir=place,
        git=git,
        algorithm="sha256" if "objectformat = sha256" in text.lower() else "sha1",
        head_commit=None,
        head_tree=None,
        head_ref=None,
        bare=True,
        prefix="",
    )


def _size(folder: Path) -> int:
    """What the files take on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
