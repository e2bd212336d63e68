"""Runs bundlectl while an audit hook watches what it starts, connects to, executes and writes. For test_reading.py.

    python watched.py LOG REPOSITORY WORD...     WORDs are those of the command line

Whatever is against the rules is a line of LOG, which is opened before; nothing that runs later can keep it from being
written. Alone in its folder's place on sys.path: it imports nothing of the tests.
"""

import os
import sys
from collections.abc import Sequence
from types import CodeType
from typing import Any

# What git may be asked by a command that only reads.
GIT_READS = frozenset(
    {"cat-file", "for-each-ref", "ls-files", "ls-tree", "merge-base", "rev-list", "rev-parse", "symbolic-ref", "var"}
)
_WITH_VALUE = frozenset({"-c", "-C", "--git-dir", "--work-tree"})
_NO_PROCESS = frozenset({"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn"})
_SOCKETS = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"})
_CHANGES = frozenset(
    f"os.{name}" for name in ("remove", "rename", "rmdir", "mkdir", "link", "symlink", "chmod", "truncate", "utime")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def git_verb(words: Sequence[str]) -> str:
    """The command of a call of git: the first word that is no option and no option's value."""
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def fault(event: str, arguments: tuple[Any, ...], repository: str) -> str | None:
    """What is wrong with an event, or None."""
    if event in _NO_PROCESS:
        return f"{event} {arguments!r}"
    if event == "subprocess.Popen":
        words = [os.fsdecode(word) for word in arguments[1]]
        started = os.path.basename(os.fsdecode(arguments[0] or words[0]))
        verb = git_verb(words[1:])
        reads = verb in GIT_READS or (verb == "config" and "--get" in words)
        return None if started == "git" and reads else f"started {words!r}"
    if event in _SOCKETS:
        return f"{event} {arguments[1:]!r}"
    if event == "exec" and isinstance(arguments[0], CodeType):
        return f"ran {arguments[0].co_filename}" if _inside(arguments[0].co_filename, repository) else None
    if event == "open" and isinstance(arguments[0], str | bytes) and isinstance(arguments[2], int):
        written = arguments[2] & _WRITING and _inside(os.fsdecode(arguments[0]), repository)
        return f"wrote {arguments[0]!r}" if written else None
    if event in _CHANGES and any(
        isinstance(word, str | bytes) and _inside(os.fsdecode(word), repository) for word in arguments
    ):
        return f"{event} {arguments!r}"
    return None


def _inside(path: str, repository: str) -> bool:
    return not path.startswith("<") and os.path.join(os.getcwd(), path).startswith(repository + "/")


def main(words: list[str]) -> int:
    """Runs the command with the hook on. Nothing of bundlectl is imported before."""
    log, repository, *command = words
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        wrong = fault(event, arguments, repository)
        if wrong is not None:
            os.write(descriptor, f"{wrong}\n".encode("utf-8", "backslashreplace"))

    sys.addaudithook(hook)
    if command[0] == "--try":  # shows that the hook sees what it is there for
        exec(compile(command[1], "<try>", "exec"), {"repository": repository})
        return 0
    sys.argv = ["bundlectl", *command]
    from bundlectl.__main__ import main as bundlectl

    bundlectl()  # ends the process
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
