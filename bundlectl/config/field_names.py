"""The name of a field as people write it -> its path in the resolved bundle, and what the language says of it.

Called by operations.explain. A field that the language knows is known whether it is set or not.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config.node import Node
from bundlectl.config.structure import file_table
from bundlectl.model.errors import UsageError
from bundlectl.model.job import NATURAL_KEYS, PRINCIPAL_FIELDS, PRINCIPAL_LISTS
from bundlectl.model.location import FieldPath, Keyed, Step, parse_path, path_short
from bundlectl.schema.table import Entry, Kind

_MOST_NAMED = 12
_JOBS = ("resources", "jobs")


class Field(NamedTuple):
    """A field of the bundle. `entry`: what the language says of it; None where it says nothing."""

    path: FieldPath
    entry: Entry | None


def read_name(text: str) -> FieldPath:
    """Steps of a field name, with `jobs.x` and `var.x` written out. Raises UsageError."""
    try:
        path = parse_path(text)
    except ValueError:
        path = ()
    if not path or not isinstance(path[0], str):
        raise UsageError(
            f'"{text}" is no field name', hint="for example jobs.etl.tasks[load].max_retries, or a code: BND204"
        )
    if path[0] == "jobs":
        path = ("resources", *path)
    if path[0] == "var":
        path = ("variables", *path[1:2], *(("value", *path[2:]) if len(path) > 1 else ()))
    if path[0] == "variables" and len(path) == 2:
        path = (*path, "value")
    return path


def find_field(node: Node, path: FieldPath) -> Field:
    """The field of a resolved bundle. Raises UsageError with the nearest names for one that cannot be."""
    here: Node | None = node
    entry: Entry | None = Entry(Kind.OBJECT, table=file_table())
    done: FieldPath = ()
    for step in path:
        if here is not None and here.is_list:
            step, here = _element(here, step, done)
            entry = entry.item if entry is not None else None
        else:
            entry = _member_entry(here, entry, step, done)
            here = here.get(step) if here is not None and isinstance(step, str) else None
        done = (*done, step)
    return Field(done, entry)


def job_of(path: FieldPath) -> str | None:
    """Key of the job that a field belongs to."""
    return str(path[2]) if path[:2] == _JOBS and len(path) > 2 and isinstance(path[2], str) else None


def _member_entry(here: Node | None, entry: Entry | None, step: Step, done: FieldPath) -> Entry | None:
    """What is known of a member of a map. Raises UsageError for one that the map neither has nor may have."""
    if entry is not None and entry.kind is Kind.EITHER:
        wanted = (Kind.OBJECT, Kind.MAP)
        entry = next((option for option in entry.options if option.kind in wanted), None)
    fields = entry.table.fields if entry is not None and entry.table is not None else {}
    free = entry.item if entry is not None and entry.kind is Kind.MAP else None
    if isinstance(step, str):
        if step in fields:
            return fields[step]
        if here is not None and here.get(step) is not None:
            return free
    own = here.value if here is not None and here.is_map else {}
    if not own and not fields:
        what = f'"{path_short(done)}" has no fields' if done else "the bundle is empty"
        raise UsageError(what)
    raise unknown_field(step, [*fields, *own], done)


def _element(node: Node, step: Step, done: FieldPath) -> tuple[Step, Node]:
    """An element of a list by index or key, and the step that names it for good. Raises UsageError."""
    fields = _keys_of(done)
    for index, child in enumerate(node.value):
        names = [
            (field, str(member.value)) for field in fields if (member := child.get(field)) is not None and member.value
        ]
        if isinstance(step, Keyed):
            member = child.get(step.field) if step.field else None
            fits = any(name == step.value for _, name in names) if not step.field else _is(member, step.value)
        else:
            fits = step == index
        if fits:
            return (Keyed(*names[0]) if names and _once(node, names[0]) else index), child
    known = [
        str(member.value)
        for child in node.value
        for field in fields
        if (member := child.get(field)) is not None and member.value
    ]
    if isinstance(step, int) or not fields:
        count = len(node.value)
        size = f"{count} element" if count == 1 else f"{count} elements"
        raise UsageError(f'"{path_short(done)}" has {size}, counted from 0')
    raise unknown_field(step if isinstance(step, Keyed) else Keyed("", step), known, done)


def _is(member: Node | None, text: str) -> bool:
    return member is not None and str(member.value) == text


def _once(node: Node, name: tuple[str, str]) -> bool:
    return sum(_is(child.get(name[0]), name[1]) for child in node.value) == 1


def _keys_of(path: FieldPath) -> tuple[str, ...]:
    """Fields by which elements of a list are named."""
    if path[:2] != _JOBS:
        return ()
    shape = tuple(step if isinstance(step, str) else "*" for step in path[3:])
    key = NATURAL_KEYS.get(shape)
    if key is not None:
        return (key,)
    return PRINCIPAL_FIELDS if shape in PRINCIPAL_LISTS else ()


def unknown_field(step: Step, known: Iterable[str], done: FieldPath) -> UsageError:
    """What to say of a name that is not in the map or list at a path."""
    name = str(step.value) if isinstance(step, Keyed) else str(step)
    names = sorted(set(known))
    near = nearest(name, names)
    shown = ", ".join(names[:_MOST_NAMED]) + (
        f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    )
    where = f' in "{path_short(done)}"' if done else ""
    kind = "job" if done == _JOBS else "variable" if done == ("variables",) else "field"
    if isinstance(step, Keyed):
        kind = "element"
    return UsageError(
        f'no {kind} "{name}"{where}' + (f'; did you mean "{near}"?' if near else ""),
        hint=f"known here: {shown}" if names else None,
    )
