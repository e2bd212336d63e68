"""Values -> YAML text: scalars in the style of what they replace, lists and maps in one line or as a block. Pure.

Called by config.writer, which knows where the text goes. In a JSON file everything is JSON.
"""

from typing import Any, NamedTuple

from bundlectl.config import yaml_scalars

_WIDEST = 80  # a list of plain values that fits is written in one line
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})  # other readers of YAML take them for booleans
_FIRST = frozenset("!&*?|>@`'\"%#,[]{}:-=~ ")
_IN_FLOW = frozenset(",[]{}")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Style(NamedTuple):
    """How a value is to be written where it goes."""

    quote: str = ""  # of the scalar that it replaces: "", ', ", | or >
    in_flow: bool = False  # inside [..] or {..}
    json: bool = False
    newline: str = "\n"


class Unwritable(Exception):
    """A value that no file can hold, with the reason."""


def scalar(value: Any, style: Style) -> str:
    """One line for a value that is no list or map. Raises Unwritable."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if not style.json:
        if style.quote in ("", "|", ">") and _may_be_plain(text, in_flow=style.in_flow):
            return text
        if style.quote == "'" and text.isprintable():
            return "'" + text.replace("'", "''") + "'"
    return _double_quoted(text, json=style.json)


def flow(value: Any, style: Style) -> str:
    """A value in one line."""
    inner = style._replace(in_flow=True)
    if isinstance(value, dict):
        members = [f"{scalar(name, inner)}: {flow(item, inner)}" for name, item in value.items()]
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item, inner) for item in value) + "]"
    return scalar(value, style)


def block(value: Any, indent: int, style: Style) -> str:
    """The members of a map, or the elements of a list, each on lines of its own; without the first indent."""
    pad = style.newline + " " * indent
    if isinstance(value, dict):
        return pad.join(member(name, item, indent, style) for name, item in value.items())
    return pad.join(element(item, indent, style) for item in value)


def member(name: str, value: Any, indent: int, style: Style) -> str:
    """A key and its value, of which further lines are indented."""
    key = scalar(name, Style(in_flow=style.in_flow, json=style.json))
    if _is_short(value, style, indent):
        return f"{key}: {flow(value, style)}"
    inner = indent + 2
    return f"{key}:{style.newline}{' ' * inner}{block(value, inner, style)}"


def element(value: Any, indent: int, style: Style) -> str:
    """An element of a block list."""
    if _is_short(value, style, indent):
        return f"- {flow(value, style)}"
    return f"- {block(value, indent + 2, style)}"


def literal(text: str, indent: int, newline: str) -> str | None:
    """Text of several lines as a `|` block whose lines are indented; None when it has to be quoted."""
    lines = text.split("\n")
    body = lines[:-1] if text.endswith("\n") else lines
    plain = all(line == "" or (line.isprintable() and not line.endswith(" ")) for line in body)
    if len(lines) < 2 or not plain or not body or body[0][:1] in ("", " ") or body[-1] == "":
        return None
    chomp = "" if text.endswith("\n") else "-"
    return f"|{chomp}{newline}" + newline.join(" " * indent + line if line else "" for line in body)


def _is_short(value: Any, style: Style, indent: int) -> bool:
    """Whether a value stays on the line of its key."""
    if not isinstance(value, dict | list) or not value:
        return True
    if isinstance(value, dict) or any(isinstance(item, dict | list) for item in value):
        return False
    return indent + len(flow(value, style)) <= _WIDEST


def _may_be_plain(text: str, *, in_flow: bool) -> bool:
    if not text or not text.isprintable() or text[0] in _FIRST or text[-1] in " :" or text.lower() in _OLD_WORDS:
        return False
    if ": " in text or " #" in text or (yaml_scalars.may_resolve(text) and not text.startswith(("./", "../"))):
        return False
    return not in_flow or not _IN_FLOW.intersection(text)


def _double_quoted(text: str, *, json: bool) -> str:
    return '"' + "".join(_ESCAPES.get(character) or _shown(character, json) for character in text) + '"'


def _shown(character: str, json: bool) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise Unwritable("it holds half a character")
    if character.isprintable():
        return character
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    # JSON has no such escape for one character, and allows the character itself.
    return character if json else f"\\U{code:08x}"
