"""Compares a tree of Nodes with the field tables of the language: kinds, coercion, unknown, missing, limits.

Config language 3.4, 3.5. Called by config.loader for each file and again after interpolation. The tables come from the
models of schema, which are imported here, once, when the first tree is checked; rules between fields are in
config.rules.
"""

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from bundlectl.config import coercion, limits
from bundlectl.config.coercion import Said
from bundlectl.config.node import Node
from bundlectl.config.shape_findings import (
    AnyPlace,
    Place,
    Root,
    diagnostic,
    element_key,
    field_of,
    homes_of_fields,
    is_key,
    key_span,
    one_of_finding,
    path_of,
    unknown_field,
)
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import FieldPath, SourceSpan
from bundlectl.schema.table import Entry, Kind, Table
from bundlectl.schema.table_file import read_tables

_SEGMENT = r"[^\W\d_][^\W_]*(?:[-_]+[^\W_]+)*"
_PATH = rf"{_SEGMENT}(?:\[[0-9]+\])*(?:\.{_SEGMENT}(?:\[[0-9]+\])*)*"
_REFERENCE = rf"\$\{{{_PATH}\}}"


def shape(node: Node, *, part: str, allow_unknown_fields: bool, at: FieldPath = ()) -> tuple[Node, list[Diagnostic]]:
    """The tree with every value coerced and unknown fields dropped, and all findings, in the order of the tree.

    `part`: "file" for one bundle file before merging; "resolved" for the whole after interpolation, which also checks
    required fields, choices and ranges; "job" for one resolved job, whose path is `at`; "values" for the same without
    those checks. A tree without changes is returned as it is.
    """
    registry = _registry()
    walk = _Walk(registry, resolved=part in ("resolved", "job"), allow_unknown=allow_unknown_fields)
    table = registry.file if part in ("file", "resolved") else registry.job
    place = Root(at, node)
    if node.value is None:
        return node, []
    if not isinstance(node.value, dict):
        said = Said("BND203", Severity.ERROR, f"expected a map, found {coercion.found_text(node.value)}")
        return node, [diagnostic(said, at, node.span)]
    return walk.known_keys(node, table, place), walk.findings


def job_fields() -> frozenset[str]:
    """Names of the fields of a job."""
    return frozenset(_registry().job.fields)


def job_table() -> Table:
    """The fields of a job."""
    return _registry().job


def file_table() -> Table:
    """The fields of a bundle."""
    return _registry().file


class _Registry(NamedTuple):
    """The tables, made once in a process."""

    file: Table
    job: Table
    homes: Mapping[str, tuple[str, ...]]


@functools.cache
def _registry() -> _Registry:
    made = read_tables()
    return _Registry(made.file, made.job, homes_of_fields(made.job))


def has_reference(text: str) -> bool:
    """Whether a `${...}` reference stands somewhere in the text."""
    return "${" in text and any(_starts_with_letters(match[0]) for match in re.finditer(_REFERENCE, text))


def is_reference(text: str) -> bool:
    """Whether the text is exactly one reference."""
    return text.startswith("${") and re.fullmatch(_REFERENCE, text) is not None and _starts_with_letters(text)


def _starts_with_letters(reference: str) -> bool:
    """The pattern's idea of a letter is wider than the language's: numerals such as a Roman one are none."""
    return reference.isascii() or all(part[:1].isalpha() for part in reference[2:-1].split("."))


class _Walk:
    """One pass over a tree. Methods return the node to keep, or None for one that is dropped."""

    def __init__(self, registry: _Registry, *, resolved: bool, allow_unknown: bool) -> None:
        self.findings: list[Diagnostic] = []
        self._homes = registry.homes
        self._resolved = resolved
        self._allow_unknown = allow_unknown

    def known_keys(self, node: Node, table: Table, place: AnyPlace) -> Node:
        """A map with known keys."""
        resolved = self._resolved
        fields = table.fields
        edits: dict[str, Node | None] = {}
        for name, child in node.value.items():
            entry = fields.get(name)
            if entry is None:
                if not (table.keeps_unknown and self._allow_unknown):
                    self._unknown(name, child, table, Place(place, node, name))
                    edits[name] = None
                continue
            value = child.value
            # Most values are good scalars: nothing more is called for them.
            if value.__class__ is entry.exact and not entry.container:
                quick = entry.quick_resolved if resolved else entry.quick_in_file
                if quick is None or quick(value):
                    continue
            elif value is None and name in table.required:
                continue  # said below, or later, as missing
            kept = self._value(child, entry, Place(place, node, name))
            if kept is not child:
                edits[name] = kept
        if resolved and (table.required or table.one_of):
            self._complete(node, table, place)
        return _edited_map(node, edits) if edits else node

    def _value(self, node: Node, entry: Entry, place: Place) -> Node | None:
        value = node.value
        if entry.early and self._not_allowed(entry, place):
            return None
        if value.__class__ is entry.exact:
            if entry.table is not None:
                return self.known_keys(node, entry.table, place)
            if entry.item is not None:
                kept = self._list(node, entry, place) if entry.kind is Kind.LIST else self._map(node, entry, place)
            else:
                kept = node
            if entry.limits is not None:
                self._limit(kept, entry, place)
            return kept
        if value is None:
            return self._null(node, entry, place)
        if entry.kind is Kind.ANY:
            return node
        if isinstance(value, str) and (is_reference(value) or (not entry.container and has_reference(value))):
            return node
        if entry.kind is Kind.EITHER:
            return self._either(node, entry, place)
        return self._coerced(node, entry, place)

    def _list(self, node: Node, entry: Entry, place: Place) -> Node:
        item = entry.item
        assert item is not None
        quick = item.quick_resolved if self._resolved else item.quick_in_file
        scalar = not item.container
        edits: dict[int, Node | None] = {}
        for index, child in enumerate(node.value):
            if scalar and child.value.__class__ is item.exact and (quick is None or quick(child.value)):
                continue
            kept = self._value(child, item, Place(place, node, index, entry.key))
            if kept is not child:
                edits[index] = kept
        if entry.unique and self._resolved:
            self._twice(node, entry, place)
        if not edits:
            return node
        kept_elements = [edits.get(index, child) for index, child in enumerate(node.value)]
        return node.with_value([element for element in kept_elements if element is not None])

    def _map(self, node: Node, entry: Entry, place: Place) -> Node:
        item = entry.item
        assert item is not None
        quick = item.quick_resolved if self._resolved else item.quick_in_file
        scalar = not item.container
        edits: dict[str, Node | None] = {}
        for name, child in node.value.items():
            if scalar and child.value.__class__ is item.exact and (quick is None or quick(child.value)):
                continue
            kept = self._value(child, item, Place(place, node, name))
            if kept is not child:
                edits[name] = kept
        return _edited_map(node, edits) if edits else node

    def _either(self, node: Node, entry: Entry, place: Place) -> Node | None:
        """Text or a list, text or a map: the kind that fits; a single value may become text."""
        fitting = next((option for option in entry.options if node.value.__class__ is option.exact), None)
        if fitting is None and not isinstance(node.value, dict | list):
            fitting = next((option for option in entry.options if not option.container), None)
        if fitting is not None:
            return self._value(node, fitting, place)
        kinds = " or ".join(coercion.kind_text(option.kind) for option in entry.options)
        summary = f"expected {kinds}, found {coercion.found_text(node.value)}"
        self._add(Said("BND203", Severity.ERROR, summary), place, node.span)
        return None

    def _null(self, node: Node, entry: Entry, place: Place) -> Node | None:
        if entry.exact is None and entry.kind is not Kind.SCALAR:
            return node
        if entry.container:
            return node
        said = Said("BND202", Severity.WARNING, f"expected {entry.kind.value}, found null")
        self._add(said, place, key_span(place))
        return None

    def _coerced(self, node: Node, entry: Entry, place: Place) -> Node | None:
        written = None
        if not self._resolved and node.span.line == node.span.end_line:
            written = node.span.end_column - node.span.column
        result = coercion.coerce(node.value, entry.kind, field_of(place), written=written)
        if result.said is not None:
            said = result.said
            if node.origin is not None:
                said = said._replace(summary=f"{said.summary} (from {node.origin})")
            self._add(said, place, node.span)
        if result.value is coercion.REFUSED:
            return None
        kept = node.with_value(result.value)
        if entry.limits is not None:
            self._limit(kept, entry, place)
        return kept

    def _limit(self, node: Node, entry: Entry, place: Place) -> None:
        assert entry.limits is not None
        if not self._resolved and not entry.early:
            return
        value = node.value
        if isinstance(value, str) and has_reference(value):
            return
        said = limits.check(value, entry.limits, field_of(place))
        if said is None:
            return
        span = node.span
        most = entry.limits.max_length
        if isinstance(value, list) and most is not None and len(value) > most:
            span = value[most].span
        self._add(said, place, span)

    def _not_allowed(self, entry: Entry, place: Place) -> bool:
        """A field that the file may not set: dropped."""
        if entry.read_only and not self._resolved:
            severity = Severity.ERROR if entry.read_only_error else Severity.WARNING
            ignored = None if entry.read_only_error else "the value in the file is ignored: remove it"
            hint = entry.read_only_hint or ignored
            self._add(
                Said("BND218", severity, f"{field_of(place)} is set by bundlectl", hint=hint), place, key_span(place)
            )
            return True
        if entry.refused is not None:
            code, why = entry.refused
            said = Said(code, Severity.ERROR, f"{field_of(place)} is not read: {why}")
            self._add(said, place, key_span(place))
            return True
        return False

    def _unknown(self, name: str, child: Node, table: Table, place: Place) -> None:
        if not table.strict and _is_anchor_container(child):
            return
        self._add(unknown_field(name, table, self._homes), place, key_span(place))

    def _complete(self, node: Node, table: Table, place: AnyPlace) -> None:
        value = node.value
        for name in table.required:
            child = value.get(name)
            if child is None or child.value is None or (child.value == "" and is_key(name, table.fields[name])):
                span = node.key_span(name) if child is not None else key_span(place)
                said = Said("BND205", Severity.PLAN_ERROR, f'required field "{name}" is not set')
                self.findings.append(diagnostic(said, (*path_of(place), name), span))
        if table.one_of:
            found = one_of_finding(node, table)
            if found is not None:
                said, names = found
                spans = [node.key_span(name) for name in names] or [key_span(place)]
                self.findings.append(diagnostic(said, path_of(place), *spans))

    def _twice(self, node: Node, entry: Entry, place: Place) -> None:
        """Two elements of a list with the same key. Lists that merge by key are checked by config.merge."""
        assert entry.key is not None
        seen: dict[str, Node] = {}
        for index, element in enumerate(node.value):
            name = element_key(element, entry.key)
            if not name:
                continue
            first = seen.setdefault(name, element)
            if first is not element:
                what = entry.item.table.what if entry.item is not None and entry.item.table is not None else ""
                said = Said("BND228", Severity.PLAN_ERROR, f'{what.partition(" ")[2]} "{name}" is defined twice')
                spans = (element.value[entry.key].span, first.value[entry.key].span)
                self._add(said, Place(place, node, index, entry.key), *spans)

    def _add(self, said: Said, place: AnyPlace, *spans: SourceSpan) -> None:
        self.findings.append(diagnostic(said, path_of(place), *spans))


def _edited_map(node: Node, edits: Mapping[str, Node | None]) -> Node:
    value = {}
    for name, child in node.value.items():
        kept = edits.get(name, child)
        if kept is not None:
            value[name] = kept
    return node.with_value(value)


def _is_anchor_container(node: Node) -> bool:
    """A value that is only there to be referred to: anchored, or made of such values."""
    if node.anchored:
        return True
    if isinstance(node.value, dict):
        return bool(node.value) and all(_is_anchor_container(child) for child in node.value.values())
    if isinstance(node.value, list):
        return bool(node.value) and all(_is_anchor_container(child) for child in node.value)
    return False
