"""SQL text to statements: split at `;`, named markers turned into parameters. Pure; one pass over the text.

Used by engine.taskside.sql. Knows strings, quoted names, comments, dollar quotes and `::`; nothing is ever pasted.
"""

import re
from typing import NamedTuple

# What is skipped whole, then what matters. Each alternative starts differently, so a pass is linear.
_LEXEME = r"""
      (?P<skip> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
              | --[^\n]* | \$\$.*?\$\$ | \$(?P<tag>[A-Za-z_]\w*)\$.*?\$(?P=tag)\$ )
    | (?P<name> `(?:[^`]|``)*` )
    | (?P<open> /\* )
    | (?P<cast> :: )
    | (?P<end> ; )
    | (?P<legacy> \{\{\s*(?P<old>[A-Za-z_][\w.-]*)\s*\}\} )
    | (?P<marker> :(?P<new>[A-Za-z_]\w*) )
    | \w+ | \S
"""
_COMMENT = r"/\*|\*/"
# A colon after a word or one of these is a slice, a member or a key, not a marker.
_BEFORE_COLON = ")]'\"`_"


class Statement(NamedTuple):
    """One statement. `text` has `$bundlectl_1`, ... for markers, `names` the names they stand for, in that order."""

    text: str
    names: tuple[str, ...]
    line: int  # of its first word in the text, from 1


def split(text: str) -> list[Statement]:
    """The statements of a text, without those that hold only comments."""
    return _Splitter(text).statements()


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Statement] = []
        self._parts: list[str] = []
        self._names: dict[str, str] = {}
        self._line = 0  # of the first word of the statement; 0: none yet

    def statements(self) -> list[Statement]:
        at = 0
        last_line, last_at = 1, 0
        text = self._text
        token = re.compile(_LEXEME, re.VERBOSE | re.DOTALL)  # here, so that tasks without SQL do not pay for it
        while match := token.search(text, at):
            self._parts.append(text[at : match.start()])
            start, at = match.start(), match.end()
            if match["open"]:
                at = _comment_end(text, at)
                self._parts.append(text[start:at])
                continue
            if match["end"]:
                self._close()
                continue
            self._parts.append(self._token(match))
            if not self._line and not match[0].startswith("--"):
                last_line += text.count("\n", last_at, start)
                last_at = start
                self._line = last_line
        self._parts.append(text[at:])
        self._close()
        return self._found

    def _token(self, match: re.Match[str]) -> str:
        if match["name"]:
            # A name in backticks, as on the platform, is a name in double quotes here.
            inner = match["name"][1:-1].replace("``", "`").replace('"', '""')
            return f'"{inner}"'
        name = match["old"] or match["new"]
        before = self._text[match.start() - 1 : match.start()]
        if name is None or (match["new"] and before and (before.isalnum() or before in _BEFORE_COLON)):
            return match[0]
        return "$" + self._names.setdefault(name, f"bundlectl_{len(self._names) + 1}")

    def _close(self) -> None:
        if self._line:
            self._found.append(Statement("".join(self._parts).strip(), tuple(self._names), self._line))
        self._parts, self._names, self._line = [], {}, 0


def _comment_end(text: str, at: int) -> int:
    """Where a comment ends that began before `at`; comments nest. The end of the text when it is never closed."""
    depth = 1
    comment = re.compile(_COMMENT)
    while depth:
        match = comment.search(text, at)
        if match is None:
            return len(text)
        depth += 1 if match[0] == "/*" else -1
        at = match.end()
    return at
