"""Node: a value of a bundle and where it was written, as a tree; lookup by path. Immutable by convention.

Made by config.yaml_reader, taken and returned by every loading step, decoded once by config.decode. A step that changes
something makes new nodes along the path to it and shares the rest.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bundlectl.model.location import FieldPath, Keyed, SourceSpan

Value = Any  # str | int | float | bool | None | dict[str, Node] | list[Node]; mypy cannot narrow the recursive union
NOWHERE = SourceSpan("", 0, 0)
# A span, or file and the parser's two marks, from which it is made when somebody looks: of most values nobody does.
Place = SourceSpan | tuple[str, Any, Any]


def span_of(place: Place) -> SourceSpan:
    """The span of a place."""
    if isinstance(place, SourceSpan):
        return place
    file, start, end = place
    # Nothing at all, and a block without brackets, are shown as one character.
    last = end.column + (2 if start.line == end.line and start.column == end.column else 1)
    return SourceSpan(file, start.line + 1, start.column + 1, end.line + 1, last)


def is_written(place: SourceSpan) -> bool:
    """Whether a file says it: what the tool makes stands at line 0, or at the begin of a file without an end."""
    return bool(place.file) and place.line > 0 and (place.end_line > 0 or (place.line, place.column) != (1, 1))


class Keys(dict[str, SourceSpan]):
    """Where each key of a map is written. Holds places; reading gives spans. Copied with `copied`, not as a dict."""

    def __getitem__(self, key: str) -> SourceSpan:
        return span_of(dict.__getitem__(self, key))

    def get(self, key: str, default: Any = None) -> Any:
        """The span of a key, or `default`."""
        place = dict.get(self, key)
        return default if place is None else span_of(place)

    def items(self) -> Any:
        """Keys with their spans."""
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        """All spans."""
        return [self[key] for key in self]

    def add(self, key: str, place: Place) -> None:
        """Sets a place that may not be a span yet."""
        held: dict[str, Any] = self
        dict.__setitem__(held, key, place)

    def copied(self) -> "Keys":
        """Another one with the same places."""
        made = Keys()
        dict.update(made, self)
        return made


class Note(NamedTuple):
    """What few nodes have beyond value and place."""

    anchored: bool = False  # written with an anchor of its own
    parts: tuple[int, ...] = ()  # of a list joined from several YAML lists: the index at which each further one starts
    origin: str | None = None  # who gave the value, when no file did: "--var n", "BUNDLE_VAR_n", ...


class Node:
    """A value with its place. Equal only to itself; compare `plain` values instead."""

    __slots__ = ("keys", "more", "note", "place", "value")

    def __init__(
        self,
        value: Value,
        place: Place,
        keys: "dict[str, SourceSpan] | None" = None,
        more: tuple[SourceSpan, ...] = (),
        note: Note | None = None,
    ) -> None:
        self.value: Value = value
        self.place = place
        self.keys = keys  # of a map: where each key is written; a key may be missing here when no file wrote it
        self.more = more  # the other places of a merged value
        self.note = note

    def __repr__(self) -> str:
        return f"Node({plain(self)!r} at {self.span})"

    @property
    def span(self) -> SourceSpan:
        """Where the value is written; the winning place of a merged value."""
        place = self.place
        if place.__class__ is not SourceSpan:
            self.place = place = span_of(place)
        return place

    @property
    def file(self) -> str:
        """The file that the value is written in."""
        return self.place[0]

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def anchored(self) -> bool:
        """Written with an anchor of its own."""
        return self.note is not None and self.note.anchored

    @property
    def origin(self) -> str | None:
        """Who gave the value when no file did."""
        return self.note.origin if self.note is not None else None

    def get(self, key: str) -> "Node | None":
        """Member of a map; None when this is no map or has no such member."""
        value = self.value
        return value.get(key) if isinstance(value, dict) else None

    def key_span(self, key: str) -> SourceSpan:
        """Where a member's key is written, else where its value is, else this node's place."""
        if self.keys is not None and key in self.keys:
            return self.keys[key]
        child = self.get(key)
        return child.span if child is not None else self.span

    def with_value(self, value: Value, keys: "dict[str, SourceSpan] | None" = None) -> "Node":
        """The same place with another value. The places of keys stay unless given."""
        return Node(value, self.place, keys if keys is not None else self.keys, self.more, self.note)

    def with_member(self, key: str, member: "Node", key_span: SourceSpan | None = None) -> "Node":
        """A map with one member set; a new key goes to the end. The node itself stays as it is."""
        keys = self.keys
        if key_span is not None:
            keys = Keys() if keys is None else keys.copied() if isinstance(keys, Keys) else Keys(keys)
            keys[key] = key_span
        return Node({**self.value, key: member}, self.place, keys, self.more, self.note)

    def without(self, *names: str) -> "Node":
        """A map without some members; itself when it has none of them."""
        if not any(name in self.value for name in names):
            return self
        return self.with_value({key: item for key, item in self.value.items() if key not in names})


def plain(node: Node) -> Any:
    """The value without places: dicts, lists and scalars, all new."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def from_plain(value: Any, span: SourceSpan = NOWHERE, *, note: Note | None = None) -> Node:
    """A tree for a plain value, all of it at one place."""
    if isinstance(value, Mapping):
        return Node({key: from_plain(item, span, note=note) for key, item in value.items()}, span, None, (), note)
    if isinstance(value, list | tuple):
        return Node([from_plain(item, span, note=note) for item in value], span, None, (), note)
    return Node(value, span, None, (), note)


def lookup(node: Node, path: FieldPath) -> Node | None:
    """The node at a path, or None. A Keyed step takes the first element whose field has that value."""
    found: Node | None = node
    for step in path:
        if found is None:
            return None
        value = found.value
        if isinstance(step, Keyed):
            elements = value if isinstance(value, list) else []
            found = next((element for element in elements if _has(element, step)), None)
        elif isinstance(step, int):
            found = value[step] if isinstance(value, list) and 0 <= step < len(value) else None
        else:
            found = value.get(step) if isinstance(value, dict) else None
    return found


def _has(element: Node, step: Keyed) -> bool:
    member = element.get(step.field)
    return member is not None and member.value == step.value


def set_at(node: Node, path: tuple[str, ...], member: Node, key_span: SourceSpan | None = None) -> Node:
    """A tree of maps in which the value at `path` is `member`; missing and null maps on the way are made."""
    if not path:
        return member
    child = node.get(path[0])
    if len(path) == 1:
        return node.with_member(path[0], member, key_span)
    if child is None or not isinstance(child.value, dict):
        child = Node({}, member.span)
    return node.with_member(path[0], set_at(child, path[1:], member, key_span))


def walk_scalars(node: Node, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Node]]:
    """Every scalar below a node with its path, in order."""
    value = node.value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk_scalars(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk_scalars(item, (*path, index))
    else:
        yield path, node
