"""Opens files of a folder without ever following a link, and never outside it (security S6).

Called by worktree and trees for what is read from disk. Each component is opened from the one before it, so a folder
that is swapped for a link while it is read changes nothing.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from bundlectl.base.digest import git_object_id

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without NONBLOCK, opening a pipe that took a file's place would wait for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1 << 20

# Names on disk that are worth a look for the sake of a message.
MOST_LOOKED_AT = 20_000


class Beneath:
    """One folder, open while it is used. Paths are POSIX, relative to it, without `.` and `..`."""

    def __init__(self, root: Path) -> None:
        self._chain: list[tuple[str, int]] = [("", os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))]

    def __enter__(self) -> "Beneath":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._chain:
            os.close(self._chain.pop()[1])

    def folder(self, path: str) -> int:
        """Descriptor of a folder below the root; it stays valid until the next call. Raises OSError.

        Neighbours are asked for one after the other, so the way down to the last one is kept open.
        """
        while not _is_within(path, self._chain[-1][0]):
            os.close(self._chain.pop()[1])
        at = self._chain[-1][0]
        for name in path[len(at) :].split("/"):
            if not name:
                continue
            if name in (".", ".."):
                raise NotADirectoryError(f"{path!r} is not below the folder")
            descriptor = os.open(name, _FOLDER, dir_fd=self._chain[-1][1])
            at = f"{at}/{name}" if at else name
            self._chain.append((at, descriptor))
        return self._chain[-1][1]

    def status(self, path: str) -> os.stat_result | None:
        """What is at a path, a link itself and not its target; None when nothing is."""
        folder, _, name = path.rpartition("/")
        try:
            return os.stat(name, dir_fd=self.folder(folder), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None  # a folder on the way is a link: the path does not exist beneath the root
            raise

    def files(self, folder: str, at_most: int) -> Iterator[str]:
        """Paths of regular files below a folder, none of them opened; not more than so many names are looked at."""
        waiting, looked = [folder], 0
        while waiting:
            at = waiting.pop()
            try:
                names = sorted(os.listdir(self.folder(at)))
            except OSError:
                continue  # not a folder, or not ours to read
            for name in names:
                path = f"{at}/{name}" if at else name
                looked += 1
                if looked > at_most:
                    return
                status = self.status(path)
                if status is not None and stat.S_ISDIR(status.st_mode) and name != ".git":
                    waiting.append(path)
                elif status is not None and stat.S_ISREG(status.st_mode):
                    yield path

    @contextmanager
    def opened(self, path: str) -> Iterator[tuple[int, int]]:
        """A regular file: its descriptor and size. Raises OSError, also when something else is there."""
        folder, _, name = path.rpartition("/")
        descriptor = os.open(name, _FILE, dir_fd=self.folder(folder))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(f"{path!r} is not a regular file")
            yield descriptor, status.st_size
        finally:
            os.close(descriptor)

    def read(self, path: str) -> bytes:
        """Content of a regular file; for a link the text of its target. Raises OSError."""
        folder, _, name = path.rpartition("/")
        status = self.status(path)
        if status is not None and stat.S_ISLNK(status.st_mode):
            return os.fsencode(os.readlink(name, dir_fd=self.folder(folder)))
        with self.opened(path) as (descriptor, size):
            return b"".join(_chunks(descriptor, size + 1))

    def blob_id(self, path: str, algorithm: str) -> str:
        """The id that git gives the content without filters, in constant memory.

        Raises OSError, also when the size changes in between.
        """
        with self.opened(path) as (descriptor, size):
            read = 0

            def counted() -> Iterator[bytes]:
                nonlocal read
                for chunk in _chunks(descriptor, size + 1):
                    read += len(chunk)
                    yield chunk

            identifier = git_object_id("blob", size, counted(), algorithm=algorithm)
            if read != size:
                raise BlockingIOError(f"{path!r} was being written")
            return identifier

    def link_id(self, path: str, algorithm: str) -> str:
        """The id of a link's blob: the text of its target. Raises OSError."""
        folder, _, name = path.rpartition("/")
        target = os.fsencode(os.readlink(name, dir_fd=self.folder(folder)))
        return git_object_id("blob", len(target), (target,), algorithm=algorithm)


def _is_within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")


def _chunks(descriptor: int, at_most: int) -> Iterator[bytes]:
    """The bytes of a file up to `at_most`, so that one that grows while it is read ends."""
    left = at_most
    while left > 0:
        chunk = os.read(descriptor, min(_CHUNK, left))
        if not chunk:
            return
        left -= len(chunk)
        yield chunk
