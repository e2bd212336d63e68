"""Text from outside made safe for where it goes: a terminal, the log of a CI run. Pure; one function per sink.

Called by every renderer on every name, message, path and log line that bundlectl did not write itself. Colour codes
are added after escaping. JSON escapes by itself (documents.dumps).
"""

import re
from collections.abc import Callable

# C0, DEL, C1, soft hyphen, bidi controls, zero-width and other invisible characters, lone surrogates, tags.
_INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"
)
_ANY = re.compile(f"[{_INVISIBLE}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}

# What a CI runner takes for a command: at the begin of a line, after blanks and colours; for GitLab anywhere.
_COMMAND = re.compile(r"(?:\s|\x1b\[[0-9;]*m)*(?:::|##vso\[|##\[)|.*(?:section_start:|section_end:)", re.DOTALL)

# (kind, text) -> text. Kinds: add change remove drift bold dim error warning note good path.
Style = Callable[[str, str], str]


def plain(kind: str, text: str) -> str:
    """The style that adds nothing."""
    return text


_CODES = {
    "add": "32",
    "good": "32",
    "change": "33",
    "warning": "33",
    "drift": "33",
    "remove": "31",
    "error": "31",
    "note": "36",
    "path": "36",
    "bold": "1",
    "dim": "2",
}


def coloured(kind: str, text: str) -> str:
    """The style of a terminal that has colours."""
    code = _CODES.get(kind)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def visible(text: object) -> str:
    """One line: every control, bidi and invisible character becomes a visible escape, also line ends."""
    line = str(text)
    return _ANY.sub(_escape, line) if _ANY.search(line) else line


def visible_lines(text: str) -> str:
    """The same for text of several lines: line ends stay, and tabs become blanks."""
    unix = text.replace("\r\n", "\n").expandtabs(4)
    return "\n".join(visible(line) for line in unix.split("\n"))


def ci_lines(text: str) -> str:
    """Text for the log of a CI run: a line that a runner would take for a command gets `| ` in front."""
    return "\n".join(f"| {line}" if _COMMAND.match(line) else line for line in text.split("\n"))


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, cut in the middle with `...`."""
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[: limit - 3 - half]}...{text[len(text) - half :]}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
