"""Parser events -> Nodes: places, core schema, limits, duplicate and merge keys, aliases, refused tags.

Called by config.yaml_reader, which owns the parser; knows its events by their attributes only.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config import yaml_scalars
from bundlectl.config.node import NOWHERE, Keys, Node, Note, Place, span_of
from bundlectl.config.request import Limits
from bundlectl.config.yaml_syntax import depth_finding, syntax_finding, template_finding
from bundlectl.config.yaml_text import error
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan

_NO_KEY: Any = None
_SKIP = object()  # a key that does not hold: its value is read and dropped
_MERGE = object()
_ANCHORED = Note(anchored=True)
KEY_KINDS = {bool: "a boolean", int: "an integer", float: "a number"}


class TooMuch(Exception):
    """A limit is exceeded; the finding is with the builder."""


class Kinds(NamedTuple):
    """The classes of the parser's events."""

    scalar: type
    map_start: type
    list_start: type
    map_end: type
    list_end: type
    alias: type
    document_start: type


class _Open:
    """A list or map whose end is not read yet."""

    # What few have is set on those only.
    merge: list[Node] | None = None
    merge_span: SourceSpan = NOWHERE
    is_key = False
    expanded = 0

    def __init__(self, value: Any, keys: Keys | None, place: Place, anchor: str | None) -> None:
        self.value = value
        self.keys = keys  # None for a list
        self.place = place
        self.anchor = anchor
        self.key: Any = _NO_KEY  # the key whose value comes next


class Builder:
    """Takes events, makes Nodes."""

    def __init__(self, file: str, limits: Limits, text: str) -> None:
        self.findings: list[Diagnostic] = []
        self.root: Node | None = None
        self._file = file
        self._limits = limits
        self._text = text
        self._stack: list[_Open] = []
        self._top: _Open | None = None
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0
        self._extra = 0  # nodes that aliases stand for
        self._documents = 0
        self._aliases = 0

    def run(self, parser: Any, kinds: Kinds) -> None:
        """Reads events to the end. Raises TooMuch, and what the parser raises for bad syntax."""
        scalar_class, map_class, list_class = kinds.scalar, kinds.map_start, kinds.list_start
        get_event = parser.get_event
        file, limit = self._file, self._limits.nodes
        starts, words = yaml_scalars.NUMBER_STARTS, yaml_scalars.WORDS
        nodes = 0
        event = get_event()
        while event is not None:
            kind = event.__class__
            if kind is scalar_class:
                nodes += 1
                if nodes > limit or event.anchor is not None or event.tag is not None or self._top is None:
                    self._nodes = nodes
                    self._scalar(event)
                else:
                    # The common case, without calls: an ordinary key, or an ordinary value.
                    span = (file, event.start_mark, event.end_mark)
                    text: str = event.value
                    top = self._top
                    special = event.style == "" and (text in words or text[0] in starts)
                    key = top.key
                    if top.keys is None:
                        top.value.append(Node(self._resolved(text, span) if special else text, span))
                    elif key.__class__ is str:
                        top.key = _NO_KEY
                        top.value[key] = Node(self._resolved(text, span) if special else text, span)
                    elif key is not _NO_KEY:
                        self._place(Node(self._resolved(text, span) if special else text, span), aliased=False)
                    elif special or text in top.keys or text == "<<":
                        self._key(top, text, span_of(span), plain=event.style == "")
                    else:
                        top.keys.add(text, span)
                        top.key = text
            else:
                if kind is map_class:
                    nodes += 1
                    self._nodes = nodes
                    self._open(event, {}, Keys())
                elif kind is list_class:
                    nodes += 1
                    self._nodes = nodes
                    self._open(event, [], None)
                else:
                    self._nodes = nodes
                    self._other(event, kinds)
            event = get_event()

    def count_only(self, parser: Any, kinds: Kinds) -> None:
        """Reads events and builds nothing. Raises TooMuch, and what the parser raises for bad syntax."""
        counted = (kinds.scalar, kinds.map_start, kinds.list_start)
        event = parser.get_event()
        while event is not None:
            if event.__class__ in counted:
                self._nodes += 1
                self._count(event)
            event = parser.get_event()
        self._nodes = 0

    def _other(self, event: Any, kinds: Kinds) -> None:
        """An end, an alias, or the start of a document."""
        kind = event.__class__
        if kind is kinds.map_end or kind is kinds.list_end:
            self._close()
        elif kind is kinds.alias:
            self._alias(event)
        elif kind is kinds.document_start:
            self._documents += 1
            if self._documents > 1:
                self._add("BND105", "more than one YAML document", self._span(event), "keep one document in a file")
                raise TooMuch

    def give_up(self, fault: Any) -> None:
        """Adds the finding for bad syntax."""
        if "nesting depth" in str(getattr(fault, "problem", "")):
            # The scanner runs ahead of the events; what it met are openings, one after the other.
            finding = depth_finding(fault, self._file, self._text, self._limits.depth - len(self._stack))
            self.findings.append(replace(finding, summary=f"nesting deeper than {self._limits.depth}"))
            return
        finding = syntax_finding(fault, self._file, self._text)
        if not any(known.code == finding.code and known.spans == finding.spans for known in self.findings):
            self.findings.append(finding)

    def _span(self, event: Any) -> SourceSpan:
        start, end = event.start_mark, event.end_mark
        return SourceSpan(self._file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _add(
        self, code: str, summary: str, span: SourceSpan, hint: str | None = None, detail: str | None = None
    ) -> None:
        self.findings.append(error(code, summary, span, hint=hint, detail=detail))

    def _count(self, event: Any) -> None:
        """Refuses what comes after the last node that a file may have."""
        if self._nodes > self._limits.nodes:
            summary = f"more than {self._limits.nodes} values in one file"
            self._add("BND124", summary, self._span(event), "split the file")
            raise TooMuch

    def _scalar(self, event: Any) -> None:
        """A scalar with an anchor or a tag, one too many, or one that is the whole document."""
        self._count(event)
        span = self._span(event)
        if event.tag is not None:
            self._refuse_tag(event)
        value: Any = event.value
        top = self._top
        plain = event.style == ""
        if top is not None and top.keys is not None and top.key is _NO_KEY:
            if event.anchor is not None:
                self._anchors[event.anchor] = (Node(value, span), 1)
            self._key(top, value, span, plain)
            return
        if plain and yaml_scalars.may_resolve(value):
            value = self._resolved(value, span)
        node = Node(value, span, None, (), _ANCHORED if event.anchor is not None else None)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        self._place(node, aliased=False)

    def _resolved(self, text: str, place: Place) -> Any:
        try:
            return yaml_scalars.resolve(text)
        except yaml_scalars.BadScalar as fault:
            self._add(fault.code, fault.summary, span_of(place), fault.hint)
            return 0

    def _key(self, top: _Open, text: str, span: SourceSpan, plain: bool) -> None:
        """A scalar in the place of a key."""
        if plain:
            if text == "<<":
                if top.merge is not None:
                    self._add("BND112", 'duplicate "<<"', span, "write one: <<: [*a, *b]")
                    top.key = _SKIP
                else:
                    top.merge, top.merge_span, top.key = [], span, _MERGE
                return
            if yaml_scalars.may_resolve(text):
                value = self._resolved(text, span)
                kind = KEY_KINDS.get(value.__class__)
                if kind is not None:
                    self._add("BND114", f"key must be text, found {kind}", span, f'quote it: "{text}"')
                    top.key = _SKIP
                    return
                if value is None:
                    text = "null"
        keys = top.keys
        assert keys is not None
        if text in keys:
            first = keys[text]
            self._duplicate(text, span, first)
            top.key = _SKIP
            return
        keys[text] = span
        top.key = text

    def _duplicate(self, key: str, span: SourceSpan, first: SourceSpan) -> None:
        summary = f'duplicate key "{key}" (first at {first.line}:{first.column})'
        finding = error("BND111", summary, span, first, hint="remove one of them")
        self.findings.append(finding)

    def _open(self, event: Any, value: Any, keys: Keys | None) -> None:
        self._count(event)
        if len(self._stack) >= self._limits.depth:
            self._add("BND123", f"nesting deeper than {self._limits.depth}", self._span(event))
            raise TooMuch
        if event.tag is not None:
            self._refuse_tag(event)
        opened = _Open(value, keys, (self._file, event.start_mark, event.end_mark), event.anchor)
        if event.anchor is not None:
            opened.expanded = self._nodes + self._extra
            self._anchors.pop(event.anchor, None)
        top = self._top
        if top is not None and top.keys is not None and top.key is _NO_KEY:
            opened.is_key = True
        self._stack.append(opened)
        self._top = opened

    def _close(self) -> None:
        closed = self._stack.pop()
        self._top = self._stack[-1] if self._stack else None
        value, keys = closed.value, closed.keys
        if closed.merge is not None and keys is not None:
            value, keys = self._merged(closed, keys)
        if closed.anchor is None:
            node = Node(value, closed.place, keys)
        else:
            node = Node(value, closed.place, keys, (), _ANCHORED)
            self._anchors[closed.anchor] = (node, self._nodes + self._extra - closed.expanded + 1)
        if closed.is_key:
            self._refuse_key(closed)
        else:
            self._place(node, aliased=False)

    def _place(self, node: Node, *, aliased: bool) -> None:
        """Puts a finished value where it belongs."""
        top = self._top
        if top is None:
            self.root = node
            return
        if top.keys is None:
            top.value.append(node)
            return
        key = top.key
        top.key = _NO_KEY
        if key is _MERGE:
            self._take_merge(top, node, aliased)
        elif key is not _SKIP:
            top.value[key] = node

    def _take_merge(self, top: _Open, node: Node, aliased: bool) -> None:
        assert top.merge is not None
        if aliased and node.is_map:
            top.merge.append(node)
        elif not aliased and node.is_list and all(item.is_map for item in node.value):
            top.merge.extend(node.value)
        else:
            hint = "give an anchored map, <<: *name, or a list of them, <<: [*a, *b]"
            self._add(
                "BND113", '"<<" needs a map or a list of maps', node.span if not aliased else top.merge_span, hint
            )

    def _merged(self, closed: _Open, keys: Keys) -> tuple[dict[str, Node], Keys]:
        """A map over those it merges: of these the later one wins, its own keys win over all."""
        value: dict[str, Node] = {}
        places = Keys()
        for source in closed.merge or ():
            value.update(source.value)
            dict.update(places, source.keys or {})
        value.update(closed.value)
        dict.update(places, keys)
        return value, places

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        span = self._span(event)
        if self._aliases > self._limits.aliases:
            self._add("BND125", f"more than {self._limits.aliases} aliases in one file", span)
            raise TooMuch
        name = event.anchor
        top = self._top
        as_key = top is not None and top.keys is not None and top.key is _NO_KEY
        found = self._anchors.get(name)
        if found is None:
            self._unknown_alias(name, span)
            if as_key and top is not None:
                top.key = _SKIP
            else:
                self._place_unknown(span)
            return
        node, size = found
        self._extra += size
        if self._nodes + self._extra > max(self._limits.expansion_floor, self._limits.expansion * self._nodes):
            times = self._limits.expansion
            self._add("BND126", f"aliases expand to more than {times} times the file", span)
            raise TooMuch
        if as_key and top is not None:
            if isinstance(node.value, str):
                self._key(top, node.value, span, plain=False)
            else:
                self._add("BND114", "key must be text", span)
                top.key = _SKIP
            return
        # The copy is not anchored itself: only the definition is.
        self._place(Node(node.value, node.span, node.keys), aliased=True)

    def _place_unknown(self, span: SourceSpan) -> None:
        """Something in place of an alias that names nothing, so that the rest is still read."""
        top = self._top
        if top is not None and top.key is _MERGE:
            top.key = _NO_KEY
            return
        self._place(Node(None, span), aliased=False)

    def _unknown_alias(self, name: str, span: SourceSpan) -> None:
        holder = next((opened for opened in self._stack if opened.anchor == name), None)
        if holder is not None:
            finding = error("BND119", f'anchor "{name}" contains itself', span)
            self.findings.append(finding)
            return
        near = nearest(name, self._anchors)
        detail = f'did you mean "{near}"?' if near else None
        hint = None if near else f'define it before with &{name}, or quote the value: "*{name}"'
        self._add("BND118", f'anchor "{name}" is not defined', span, hint, detail)

    def _refuse_tag(self, event: Any) -> None:
        mark = event.start_mark
        line = self._text.split("\n", mark.line + 1)[mark.line]
        at = line.find("!", mark.column)
        at = at if at >= 0 else mark.column
        written = line[at:].split()[0] if line[at:].split() else event.tag
        span = SourceSpan(self._file, mark.line + 1, at + 1, mark.line + 1, at + 1 + len(written))
        value = getattr(event, "value", None)  # a list or map has none
        text = written == "!!str" and value is not None
        hint = f'write the value in quotes: "{value}"' if text else "remove the tag"
        self._add("BND117", f'tag "{written}" is not allowed', span, hint)

    def _refuse_key(self, closed: _Open) -> None:
        """A list or map in the place of a key."""
        top = self._top
        assert top is not None
        top.key = _SKIP
        outer, inner = span_of(top.place), span_of(closed.place)
        if closed.keys is not None and outer.line == inner.line and outer.column + 1 == inner.column:
            line = self._text.split("\n", outer.line)[outer.line - 1]
            if line.startswith("{{", outer.column - 1):
                place = outer._replace(end_column=outer.column + 2)
                self.findings.append(template_finding(place, line))
                return
        kind = "a map" if closed.keys is not None else "a list"
        self._add("BND114", f"key must be text, found {kind}", inner, "quote it")
