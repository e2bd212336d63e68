"""Runs inside the task process: `dbutils.fs` over local files. Paths of cloud storage are refused."""

import os
from typing import NamedTuple


class FileInfo(NamedTuple):
    """One entry of a folder. Times are epoch milliseconds."""

    path: str
    name: str  # with a slash at the end for a folder
    size: int
    modificationTime: int  # noqa: N815 - the name is the platform's


class FileSystem:
    """`dbutils.fs`."""

    def ls(self, path: str) -> list[FileInfo]:
        """Entries of a folder, or the file itself. Raises FileNotFoundError."""
        place = local(path)
        if not os.path.isdir(place):
            return [_info(place)]
        return [_info(os.path.join(place, name)) for name in sorted(os.listdir(place))]

    def mkdirs(self, path: str) -> bool:
        """Creates a folder and its parents."""
        os.makedirs(local(path), exist_ok=True)
        return True

    def put(self, path: str, contents: str, overwrite: bool = False) -> bool:
        """Writes text. Raises FileExistsError when there is a file and `overwrite` is not set."""
        place = local(path)
        os.makedirs(os.path.dirname(place) or ".", exist_ok=True)
        with open(place, "w" if overwrite else "x", encoding="utf-8") as file:
            file.write(contents)
        return True

    def head(self, path: str, maxBytes: int = 65536) -> str:  # noqa: N803
        """The beginning of a file as text."""
        with open(local(path), "rb") as file:
            return file.read(maxBytes).decode("utf-8", "replace")

    def cp(self, source: str, target: str, recurse: bool = False) -> bool:
        """Copies a file, or with `recurse` a folder."""
        import shutil  # costly to import, seldom needed

        here, there = local(source), local(target)
        if os.path.isdir(here):
            if not recurse:
                raise IsADirectoryError(f'"{source}" is a folder; pass recurse=True')
            shutil.copytree(here, there, dirs_exist_ok=True)
        else:
            shutil.copy2(here, there)
        return True

    def mv(self, source: str, target: str, recurse: bool = False) -> bool:
        """Moves a file, or with `recurse` a folder."""
        import shutil

        here = local(source)
        if os.path.isdir(here) and not recurse:
            raise IsADirectoryError(f'"{source}" is a folder; pass recurse=True')
        shutil.move(here, local(target))
        return True

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Removes a file, or with `recurse` a folder; False when there is nothing."""
        place = local(path)
        if os.path.isdir(place) and not os.path.islink(place):
            if recurse:
                import shutil

                shutil.rmtree(place)
            else:
                os.rmdir(place)
        elif os.path.lexists(place):
            os.remove(place)
        else:
            return False
        return True


def local(path: str) -> str:
    """A path of this machine: plain, or with `file:`. Raises ValueError for other storage."""
    scheme, colon, rest = path.partition(":")
    if colon and scheme == "file":
        return "/" + rest.lstrip("/")
    if colon and scheme.isalnum() and len(scheme) > 1:
        raise ValueError(f'"{path}" is not on this machine; the embedded engine mounts no other storage')
    return path


def _info(place: str) -> FileInfo:
    about = os.stat(place)
    name = os.path.basename(place) + ("/" if os.path.isdir(place) else "")
    return FileInfo(place, name, about.st_size, about.st_mtime_ns // 1_000_000)
