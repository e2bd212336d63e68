"""Where a finding of config.structure is, and how findings about unknown and missing fields read.

Places are linked from the inside out while the tree is walked; paths and spans are worked out for findings only.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config.coercion import Said
from bundlectl.config.node import Node
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, Step, path_text
from bundlectl.schema.table import Entry, Table

_SEND_UNCHECKED = "to send it through unchecked, use --allow-unknown-fields"


class Root(NamedTuple):
    """The place of the node that the walk started from."""

    path: FieldPath
    node: Node


class Place(NamedTuple):
    """The place of a value: a key or index of `holder`."""

    parent: "AnyPlace"
    holder: Node
    step: str | int
    key: str | None = None  # natural key of the list that `holder` is


AnyPlace = Place | Root


def path_of(place: AnyPlace) -> FieldPath:
    """Steps from the root; list elements by their natural key where they have one."""
    steps: list[Step] = []
    while isinstance(place, Place):
        steps.append(_step(place))
        place = place.parent
    return (*place.path, *reversed(steps))


def _step(place: Place) -> Step:
    if isinstance(place.step, str) or place.key is None:
        return place.step
    name = element_key(place.holder.value[place.step], place.key)
    return Keyed(place.key, name) if name else place.step


def element_key(element: Node, key: str) -> str | None:
    """The natural key of a list's element, as text; None when it has none."""
    child = element.value.get(key) if isinstance(element.value, dict) else None
    return child.value if child is not None and isinstance(child.value, str) else None


def field_of(place: AnyPlace) -> str:
    """The name of the field that a value belongs to, also for an element of its list."""
    while isinstance(place, Place):
        if isinstance(place.step, str):
            return place.step
        place = place.parent
    return "value"


def key_span(place: AnyPlace) -> SourceSpan:
    """Where the key of a value is written; the value itself for an element of a list."""
    if isinstance(place, Root):
        return place.node.span
    if isinstance(place.step, str):
        return place.holder.key_span(place.step)
    element: Node = place.holder.value[place.step]
    return element.span


def diagnostic(said: Said, path: FieldPath, *spans: SourceSpan) -> Diagnostic:
    """A finding with its place."""
    return Diagnostic(
        code=said.code,
        severity=said.severity,
        summary=said.summary,
        detail=said.detail,
        hint=said.hint,
        path=path_text(path) or None,
        spans=spans,
    )


def unknown_field(name: str, table: Table, homes: Mapping[str, tuple[str, ...]]) -> Said:
    """An unknown key: an error inside a job or a `bundlectl` block, else a warning. `homes`: who has such a field."""
    where = f" in {table.what}" if table.what else ""
    near = table.known_as.get(name) or nearest(name, table.fields)
    detail = f'did you mean "{near}"?' if near is not None else None
    if detail is None and 0 < len(homes.get(name, ())) <= 2:
        detail = f'"{name}" is a field of {" and of ".join(homes[name])}'
    return Said(
        code="BND204" if table.strict else "BND201",
        severity=Severity.ERROR if table.strict else Severity.WARNING,
        summary=f'unknown field "{name}"{where}',
        detail=detail,
        hint=_SEND_UNCHECKED if table.keeps_unknown else None,
    )


def homes_of_fields(root: Table) -> Mapping[str, tuple[str, ...]]:
    """Field name -> what has such a field, over everything below `root`."""
    homes: dict[str, set[str]] = {}
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        table = waiting.pop()
        if id(table) in seen:
            continue
        seen.add(id(table))
        for name, entry in table.fields.items():
            homes.setdefault(name, set()).add(table.what or "the bundle")
            waiting.extend(_tables_of(entry))
    return {name: tuple(sorted(what)) for name, what in homes.items()}


def _tables_of(entry: Entry) -> Iterator[Table]:
    if entry.table is not None:
        yield entry.table
    for part in (entry.item, *entry.options):
        if part is not None:
            yield from _tables_of(part)


def is_key(name: str, entry: Entry) -> bool:
    """A field that names its map, so that an empty text is as good as none. Lists are merged by some of them."""
    return name.endswith("_key") or (entry.limits is not None and entry.limits.pattern is not None)


def one_of_finding(node: Node, table: Table) -> tuple[Said, list[str]] | None:
    """None or several of the fields of which one must be set; with the names that are set."""
    value: dict[str, Node] = node.value
    found = [name for name in table.one_of if name in value and value[name].value not in (None, "")]
    names = ", ".join(table.one_of)
    severity = Severity.ERROR if table.one_of_error else Severity.PLAN_ERROR
    if len(found) > 1:
        limit = "at most" if table.may_be_none else "exactly"
        verb = "takes" if table.may_be_none else "needs"
        summary = f"{table.what} {verb} {limit} one of {names}"
        return Said(table.one_of_code, severity, summary, f"found {' and '.join(found)}"), found
    if not found and not table.may_be_none and all(name in table.fields for name in value):
        code = "BND205" if table.one_of_code == "BND210" else table.one_of_code
        return Said(code, severity, f"{table.what} needs exactly one of {names}"), found
    return None
