"""Where something is: a span in a file, a job in a bundle, a field in a job.

Small immutable keys used by every layer. NamedTuples, because thousands are made and none is a document.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

PREFIX = "resources.jobs."


class SourceSpan(NamedTuple):
    """Where a value was written: file relative to the source tree, lines and columns from 1, in characters."""

    file: str
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Keyed(NamedTuple):
    """A step into a list by natural key: the element whose `field` is `value`."""

    field: str
    value: str


Step = str | int | Keyed
FieldPath = tuple[Step, ...]

_SEGMENT = re.compile(r"[^.\[\]'\"\s]+")


def address(key: str) -> str:
    """Identity of a job in documents: `resources.jobs.nightly`."""
    return PREFIX + key


def key_of(text: str) -> str:
    """Key of a job from `jobs.x`, `resources.jobs.x` or `x`."""
    for prefix in (PREFIX, "jobs."):
        if text.startswith(prefix):
            return text[len(prefix) :]
    return text


def path_text(path: FieldPath) -> str:
    """A field path in full: `tasks[task_key='load'].timeout_seconds`. Keys that are no plain segment: `tags['a b']`."""
    return _join(path, lambda step: f"[{step.field}='{_quoted(step.value)}']")


def path_short(path: FieldPath) -> str:
    """A field path for people: `tasks[load].timeout_seconds`."""
    return _join(path, lambda step: f"[{step.value}]")


def _join(path: FieldPath, keyed: Callable[[Keyed], str]) -> str:
    text = ""
    for step in path:
        if isinstance(step, Keyed):
            text += keyed(step)
        elif isinstance(step, int):
            text += f"[{step}]"
        elif _SEGMENT.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"['{_quoted(step)}']"
    return text


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


_PART = re.compile(
    r"\.?(?P<name>[^.\[\]'\"\s]+)"
    r"|\[(?P<field>\w+)=(?P<q>['\"])(?P<value>(?:\\.|(?!(?P=q)).)*)(?P=q)\]"
    r"|\[(?P<index>\d+)\]"
    r"|\[(?P<q2>['\"])(?P<key>(?:\\.|(?!(?P=q2)).)*)(?P=q2)\]"
    r"|\[(?P<short>[^\]='\"]+)\]"
)


def parse_path(text: str) -> FieldPath:
    """Both forms of a field path -> steps; a short key `[load]` becomes `Keyed("", "load")`: any natural key.

    Raises ValueError with the offset of what cannot be read.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or (match["name"] is not None and at > 0 and text[at] != "."):
            raise ValueError(f"cannot read {text!r} at offset {at}")
        if match["name"] is not None:
            steps.append(match["name"])
        elif match["field"] is not None:
            steps.append(Keyed(match["field"], re.sub(r"\\(.)", r"\1", match["value"])))
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        elif match["key"] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", match["key"]))
        else:
            steps.append(Keyed("", match["short"]))
        at = match.end()
    return tuple(steps)
