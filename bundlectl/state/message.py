"""The message of a state commit: one line for people, trailers for programs. Pure.

Called by git_store; readable with `git log` by whoever has the repository.
"""

import re
from typing import NamedTuple

from bundlectl.state.store import Note

_MAX_LINE = 200
_HEAD = re.compile(r"([a-z][a-z-]{0,31}) ([0-9A-Za-z-]{1,64}): ?(.*)")
_SERIAL = re.compile(r"Bundlectl-Serial: ([0-9]{1,18})")
_ACTOR = "Bundlectl-Actor: "


class Message(NamedTuple):
    """What a message says."""

    verb: str
    deployment: str
    summary: str
    serial: int
    actor: str | None = None  # as escaped and cut as it was written


def encode_message(note: Note, serial: int) -> str:
    """The whole message. Text from outside is escaped and cut, so that it stays in its line."""
    lines = [
        _cut(f"{note.verb} {note.deployment}: {_one_line(note.summary)}"),
        "",
        "Bundlectl-Format: 1",
        f"Bundlectl-Serial: {serial}",
    ]
    trailers = {"Commit": note.commit, "Actor": note.actor, "Run-Url": note.run_url}
    lines += [f"Bundlectl-{name}: {_cut(_one_line(value))}" for name, value in trailers.items() if value]
    return "\n".join(lines) + "\n"


def decode_message(text: str) -> Message:
    """The parts of a message. Raises ValueError when it is none of ours."""
    head, *rest = text.split("\n")
    match = _HEAD.fullmatch(head)
    serial = next((found for line in rest if (found := _SERIAL.fullmatch(line))), None)
    if match is None or serial is None:
        raise ValueError("it does not have the form of a state commit's")
    actor = next((line.removeprefix(_ACTOR) for line in rest if line.startswith(_ACTOR)), None)
    return Message(match[1], match[2], match[3], int(serial[1]), actor)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _cut(line: str) -> str:
    return line.encode("utf-8", "backslashreplace")[:_MAX_LINE].decode("utf-8", "ignore")
