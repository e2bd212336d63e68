"""Changes one value in the text of a bundle file and nothing else: comments, order, anchors and quoting stay.

Called by operations.drift_accept. The place of a value is that of its Node, so the text is edited exactly there; what
came of it is read again, and must hold the wanted value and every other one as before, or nothing is given back.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bundlectl.config import writer_text
from bundlectl.config.writer_text import Style, Unwritable
from bundlectl.config.writer_tree import ALIAS, LIST, MAP, SCALAR, CannotWrite, Item, leaves, parse, values
from bundlectl.model.location import SourceSpan
from bundlectl.model.plan import ABSENT

_BOM = b"\xef\xbb\xbf"


class _Splice(NamedTuple):
    """Text that takes the place of other text."""

    start: int
    end: int
    new: str


def set_value(data: bytes, file: str, at: SourceSpan, kind: str, value: Any) -> bytes:
    """The file with another value at a place. `kind`: what is there now. Raises CannotWrite."""
    return _edited(data, file, at, kind, lambda old: value)


def set_member(data: bytes, file: str, at: SourceSpan, key: str, value: Any) -> bytes:
    """The file with a member of the map at a place set, or taken away when `value` is ABSENT. Raises CannotWrite."""

    def change(old: Any) -> Any:
        if value is ABSENT:
            return {name: item for name, item in old.items() if name != key}
        return {**old, key: value}

    return _edited(data, file, at, MAP, change)


def set_element(data: bytes, file: str, at: SourceSpan, index: int | None, value: Any) -> bytes:
    """The file with an element of the list at a place set, taken away (ABSENT), or added at its end (None)."""

    def change(old: Any) -> Any:
        if index is None:
            return [*old, value]
        return [*old[:index], *([] if value is ABSENT else [value]), *old[index + 1 :]]

    return _edited(data, file, at, LIST, change)


def _edited(data: bytes, file: str, at: SourceSpan, kind: str, change: Callable[[Any], Any]) -> bytes:
    text = _text(data)
    root = parse(text)
    here = (at.line, at.column, kind)
    path, item = next(
        ((path, item) for path, item in values(root) if (item.line, item.column, item.kind) == here), (None, None)
    )
    if item is None or path is None:
        raise CannotWrite("the value is not where it was read")
    wanted = change(item.value)
    try:
        editor = _Editor(text, json=file.endswith(".json"))
        made = _spliced(text, editor.splices(item, wanted, in_flow=_in_flow(root, path)))
    except Unwritable as fault:
        raise CannotWrite(str(fault)) from None
    if _strict(parse(made).value) != _strict(_with(root.value, path, wanted)):
        raise CannotWrite("the text around it has a form that is not understood well enough to change it")
    return (_BOM if data.startswith(_BOM) else b"") + made.encode("utf-8")


class _Editor:
    """Works out what has to be replaced so that a value becomes another one."""

    def __init__(self, text: str, *, json: bool) -> None:
        self._text = text
        self._style = Style(json=json, newline="\r\n" if "\r\n" in text else "\n")

    def splices(self, item: Item, wanted: Any, *, in_flow: bool) -> list[_Splice]:
        """The least that has to change. Raises CannotWrite, Unwritable."""
        if _strict(item.value) == _strict(wanted):
            return []
        if item.kind == ALIAS:
            raise CannotWrite(f'the value is an alias, "*{item.text}"')
        if item.kind == MAP and isinstance(wanted, dict) and wanted and item.items:
            return self._map(item, wanted)
        if item.kind == LIST and isinstance(wanted, list) and wanted and item.items:
            return self._list(item, wanted)
        return [self._whole(item, wanted, in_flow)]

    # One value for another -------------------------------------------------------------------------------------

    def _whole(self, item: Item, wanted: Any, in_flow: bool) -> _Splice:
        start, end = self._after_anchor(item), self._end(item)
        if item.kind != SCALAR and "#" in self._between(item, start, end):
            raise CannotWrite("there are comments inside, which would be lost")
        style = self._style._replace(quote=item.style, in_flow=in_flow)
        new = writer_text.flow(wanted, style)
        if item.style in ("|", ">"):
            return self._block_scalar(item, start, wanted, new)
        if item.kind == SCALAR and item.text == "" and item.style == "":
            new = f" {new}" if not self._text[:start].endswith((" ", "\n")) else new
        return _Splice(start, end, new)

    def _block_scalar(self, item: Item, start: int, wanted: Any, new: str) -> _Splice:
        """Text of several lines. Blank lines after it stay."""
        raw = self._text[start : item.end]
        lines = raw.splitlines()
        indent = next((len(line) - len(line.lstrip(" ")) for line in lines[1:] if line.strip()), None)
        if "#" in lines[0]:
            raise CannotWrite("there is a comment inside, which would be lost")
        body = writer_text.literal(wanted, indent, self._style.newline) if isinstance(wanted, str) and indent else None
        tail = raw[len(raw.rstrip("\r\n")) :]
        return _Splice(start, item.end, (body if body is not None else new) + tail)

    # Members and elements --------------------------------------------------------------------------------------

    def _map(self, item: Item, wanted: dict[str, Any]) -> list[_Splice]:
        names = [key.text for key in item.keys]
        if "<<" in names and "<<" not in wanted:
            raise CannotWrite("the map is merged from others")
        found: list[_Splice] = []
        kept = [at for at, name in enumerate(names) if name in wanted]
        if not kept:
            raise CannotWrite("nothing of the map would stay")
        for at, name in enumerate(names):
            if name in wanted:
                found += self.splices(item.items[at], wanted[name], in_flow=item.flow)
            else:
                found.append(self._removed(item, at, item.keys))
        added = {name: value for name, value in wanted.items() if name not in names}
        if added:
            found.append(self._added(item, len(names) - 1, added))
        return found

    def _list(self, item: Item, wanted: list[Any]) -> list[_Splice]:
        """Elements that are equal at both ends stay; of those between, what is changed, added or taken away."""
        old = [_strict(one.value) for one in item.items]
        new = [_strict(one) for one in wanted]
        first = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        rest = min(len(old), len(new)) - first
        last = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
        pairs = min(len(old), len(new)) - first - last
        found: list[_Splice] = []
        for at in range(first, first + pairs):
            found += self.splices(item.items[at], wanted[at], in_flow=item.flow)
        for at in range(first + pairs, len(old) - last):
            found.append(self._removed(item, at, item.items))
        added = wanted[first + pairs : len(wanted) - last]
        if added:
            found.append(self._added(item, first + pairs - 1, added))
        return found

    def _added(self, item: Item, after: int, added: dict[str, Any] | list[Any]) -> _Splice:
        """New members or elements after one that is there, or before the first (-1)."""
        firsts = item.keys if item.kind == MAP else item.items
        if item.flow:
            inner = writer_text.flow(added, self._style)[1:-1]
            if after < 0:
                return _Splice(firsts[0].start, firsts[0].start, f"{inner}, ")
            at = self._end(item.items[after])
            return _Splice(at, at, f", {inner}")
        indent = self._column(firsts[0]) if item.kind == MAP else self._dash(firsts[0])
        newline = self._style.newline
        text = " " * indent + writer_text.block(added, indent, self._style) + newline
        if after < 0:
            at = self._line(firsts[0].start)
        else:
            at = self._next_line(self._end(item.items[after]))
            if not self._text[:at].endswith("\n"):
                return _Splice(at, at, newline + text)
        return _Splice(at, at, text)

    def _removed(self, item: Item, at: int, firsts: Sequence[Item]) -> _Splice:
        """A member or an element with its line, or with its comma."""
        start, end = firsts[at].start, self._end(item.items[at])
        if item.flow:
            if at + 1 < len(firsts):
                return self._without_comment(start, firsts[at + 1].start, end)
            return self._without_comment(self._end(item.items[at - 1]), end, end)
        before = self._text[self._line(start) : start].strip()
        if item.kind == LIST:
            self._dash(firsts[at])
        elif before:
            if at + 1 == len(firsts):
                raise CannotWrite("it stands on the line of a list element")
            return self._without_comment(start, firsts[at + 1].start, end)
        return _Splice(self._line(start), self._next_line(end), "")

    def _without_comment(self, start: int, end: int, value_end: int) -> _Splice:
        gap = self._text[value_end:end] if value_end < end else self._text[start : start + 1]
        if "#" in gap:
            raise CannotWrite("there is a comment beside it, which would be lost")
        return _Splice(start, end, "")

    # Places ----------------------------------------------------------------------------------------------------

    def _end(self, item: Item) -> int:
        """Where the text of a value ends. The parser ends a block where the next token begins."""
        if item.flow or item.kind in (ALIAS, SCALAR):
            return item.end
        return self._end(item.items[-1]) if item.items else item.end

    def _after_anchor(self, item: Item) -> int:
        if self._text.startswith("&", item.start) and (item.kind != SCALAR or item.style != "" or item.text):
            at = item.start
            while at < len(self._text) and not self._text[at].isspace():
                at += 1
            while at < len(self._text) and self._text[at] == " ":
                at += 1
            return at
        return item.start if not self._text.startswith("&", item.start) else item.end

    def _between(self, item: Item, start: int, end: int) -> str:
        """The text of a list or map without that of its scalars."""
        parts, at = [], start
        for leaf in leaves(item):
            parts.append(self._text[at : leaf.start])
            at = max(at, leaf.end)
        return "".join([*parts, self._text[at:end]])

    def _line(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _next_line(self, at: int) -> int:
        if at > 0 and self._text[at - 1] == "\n":
            return at  # a block of text has its line end already
        found = self._text.find("\n", at)
        return len(self._text) if found < 0 else found + 1

    def _column(self, item: Item) -> int:
        return item.start - self._line(item.start)

    def _dash(self, item: Item) -> int:
        """The column of the dash before an element. Raises CannotWrite when it is not alone on its line."""
        before = self._text[self._line(item.start) : item.start]
        if before.strip() != "-":
            raise CannotWrite("the list has a form that is not understood well enough to change it")
        return before.index("-")


def _text(data: bytes) -> str:
    try:
        return data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError:
        raise CannotWrite("the file is not UTF-8") from None


def _in_flow(root: Item, path: tuple[Any, ...]) -> bool:
    """Whether a value stands inside brackets."""
    item = root
    for step in path:
        if item.flow:
            return True
        item = item.items[[key.text for key in item.keys].index(step) if item.kind == MAP else step]
    return False


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {name: _with(item, path[1:], new) if name == path[0] else item for name, item in value.items()}
    return [_with(item, path[1:], new) if at == path[0] else item for at, item in enumerate(value)]


def _strict(value: Any) -> Any:
    """A form in which 1, 1.0 and true differ, and the order of keys does not count."""
    if isinstance(value, dict):
        return {name: _strict(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return (type(value), value)


def _spliced(text: str, splices: Sequence[_Splice]) -> str:
    """The text with every splice made. Raises CannotWrite when two of them overlap."""
    made, at = [], 0
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        if splice.start < at:
            raise CannotWrite("the changes overlap")
        made += [text[at : splice.start], splice.new]
        at = splice.end
    return "".join([*made, text[at:]])
