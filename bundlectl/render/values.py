"""Small pieces of text that several renderers share: values of fields, ids, times, durations, columns. Pure."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from bundlectl.model.location import SourceSpan, key_of
from bundlectl.model.plan import ABSENT, HIDDEN_TEXT
from bundlectl.render.escape import shortened, visible

KNOWN_AFTER = "(known after deploy)"
BUILT_AT_DEPLOY = "(built at deploy)"
UNSET = "(unset)"
_WIDEST_VALUE = 80
_REFERENCE = "${resources.jobs."
_ARTIFACT = "${artifacts."
_BUILT = re.compile(r'"[^"]*\$\{artifacts\.[^"]*"')  # a text, in JSON, that names a file which is not built yet


def job_name(address: str) -> str:
    """`jobs.nightly` of `resources.jobs.nightly`."""
    return f"jobs.{visible(key_of(address))}"


def commit_text(commit: str | None) -> str:
    """Seven characters of a git id."""
    return visible(commit[:7]) if commit else "no commit"


def snapshot_text(digest: str | None) -> str:
    """Eight hex digits of a digest."""
    return visible(digest.removeprefix("sha256:")[:8]) if digest else "none"


def span_text(span: SourceSpan | None) -> str:
    """`file:line`, or nothing."""
    return f"{visible(span.file)}:{span.line}" if span is not None else ""


def minute_text(time: str | None) -> str:
    """RFC 3339 in UTC as `2026-11-20 14:03Z`; anything else as it is."""
    if not time:
        return ""
    if len(time) >= 20 and time[10] == "T" and time.endswith("Z"):
        return visible(f"{time[:10]} {time[11:16]}Z")
    return visible(time)


def day_text(time: str | None) -> str:
    """The day of a time in RFC 3339; anything else as it is."""
    return visible(time[:10] if time and len(time) >= 20 and time[10] == "T" else time or "")


def duration_text(ms: int) -> str:
    """0.4s, 12.1s, 6m12s, 2h05m."""
    if ms < 60_000:
        return f"{max(ms, 0) / 1000:.1f}s"
    seconds = ms // 1000
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"


def counted(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def value_text(value: Any, *, sensitive: bool = False, limit: int = _WIDEST_VALUE, named: bool = False) -> str:
    """A JSON value on one line: text in quotes, what is not known yet and what must not be seen by its name.

    `named`: references to jobs and built files are shown as they are written.
    """
    if value is ABSENT:
        return UNSET
    if sensitive or value == {"sensitive": True}:
        return HIDDEN_TEXT
    if isinstance(value, str) and _REFERENCE in value and not named:
        return KNOWN_AFTER
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if _ARTIFACT in text and not named:
        text = _BUILT.sub(BUILT_AT_DEPLOY, text)
    return shortened(visible(text), limit)


def is_block(value: Any) -> bool:
    """Whether a value is shown on lines of its own: text of several lines."""
    return isinstance(value, str) and "\n" in value.strip("\n") and _REFERENCE not in value


def table(rows: Iterable[Sequence[str]], *, gap: int = 2, indent: str = "") -> str:
    """Columns padded to their widest cell, no blanks at line ends. Empty without rows. Cells are escaped already."""
    cells = [list(row) for row in rows]
    if not cells:
        return ""
    columns = max(len(row) for row in cells)
    widths = [max(len(row[i]) if i < len(row) else 0 for row in cells) for i in range(columns)]
    lines = []
    for row in cells:
        padded = [cell.ljust(widths[i]) for i, cell in enumerate(row)]
        lines.append((indent + (" " * gap).join(padded)).rstrip())
    return "\n".join(lines) + "\n"
