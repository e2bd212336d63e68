"""The text of a bundle file as a tree of values with their exact extent. For config.writer alone.

Beside the Nodes of a load, which say where a value begins and have what anchors and merge keys stand for in its place:
here everything is as it is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from yaml import events
from yaml._yaml import CParser
from yaml.error import YAMLError

from bundlectl.config import yaml_scalars

SCALAR, MAP, LIST, ALIAS = "scalar", "map", "list", "alias"


class CannotWrite(Exception):
    """The text cannot be changed as wanted; says why."""


class Alias(NamedTuple):
    """The value of an alias, which is not looked into."""

    name: str


@dataclass
class Item:
    """A value in the text. Offsets are characters."""

    kind: str  # scalar, map, list, alias
    start: int
    line: int  # of its begin, from 1 as in a SourceSpan
    column: int
    end: int  # of a block: where it begins, until _end is asked
    text: str = ""  # of a scalar; the name of an alias
    style: str = ""
    flow: bool = False
    keys: list["Item"] = field(default_factory=list)
    items: list["Item"] = field(default_factory=list)

    @property
    def value(self) -> Any:
        """The plain value, aliases and merge keys as they are written."""
        if self.kind == MAP:
            return {key.text: item.value for key, item in zip(self.keys, self.items, strict=True)}
        if self.kind == LIST:
            return [item.value for item in self.items]
        if self.kind == ALIAS:
            return Alias(self.text)
        return yaml_scalars.resolve(self.text) if self.style == "" else self.text


def parse(text: str) -> Item:
    """The document. Raises CannotWrite for what is none, and for keys that are no text."""
    parser: Any = CParser(text)
    stack: list[Item] = []
    root: Item | None = None
    try:
        while (event := _next(parser)) is not None:
            if isinstance(event, events.CollectionEndEvent):
                closed = stack.pop()
                mark: Any = event.end_mark
                closed.end = mark.index if closed.flow else closed.end
                continue
            item = _made(event)
            if item is None:
                continue
            _place(stack[-1] if stack else None, item)
            root = root if root is not None else item
            if item.kind in (MAP, LIST):
                stack.append(item)
    except YAMLError as fault:
        raise CannotWrite(f"the text would not be YAML any more: {getattr(fault, 'problem', '')}") from None
    if root is None:
        raise CannotWrite("the file is empty")
    return root


def _next(parser: Any) -> Any:
    return parser.get_event()


def _made(event: Any) -> Item | None:
    mark, end = event.start_mark, event.end_mark.index
    place = (mark.index, mark.line + 1, mark.column + 1)
    if isinstance(event, events.ScalarEvent):
        return Item(SCALAR, *place, end, text=event.value, style=event.style or "")
    if isinstance(event, events.AliasEvent):
        return Item(ALIAS, *place, end, text=str(event.anchor))
    if isinstance(event, events.CollectionStartEvent):
        kind = MAP if isinstance(event, events.MappingStartEvent) else LIST
        return Item(kind, *place, end, flow=bool(event.flow_style))
    return None


def _place(holder: Item | None, item: Item) -> None:
    if holder is None:
        return
    if holder.kind == MAP and len(holder.keys) == len(holder.items):
        if item.kind != SCALAR or any(key.text == item.text for key in holder.keys):
            raise CannotWrite("a map has keys that are no text, or has one twice")
        holder.keys.append(item)
    else:
        holder.items.append(item)


def values(item: Item, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Item]]:
    """Every value with its path: keys and indexes."""
    yield path, item
    names: Sequence[Any] = [key.text for key in item.keys] if item.kind == MAP else range(len(item.items))
    for name, child in zip(names, item.items, strict=True):
        yield from values(child, (*path, name))


def leaves(item: Item) -> Iterator[Item]:
    if item.kind in (SCALAR, ALIAS):
        yield item
    for at, child in enumerate(item.items):
        if item.keys:
            yield item.keys[at]
        yield from leaves(child)
