"""Two job documents -> the paths at which they differ. Lists with a natural key are compared by key. Pure.

Called by planning.verdicts for jobs whose digest differs. The only owner of deepdiff, which takes 0.2 s to import
(it brings pydantic and asyncio along): it is asked about documents in which a list without a natural key has become
longer or shorter, and fields that have other values are found without it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bundlectl.base.digest import canonical_bytes
from bundlectl.model.job import NATURAL_KEYS, PRINCIPAL_FIELDS, PRINCIPAL_LISTS
from bundlectl.model.location import FieldPath, Keyed, Step, path_text
from bundlectl.model.plan import ABSENT
from bundlectl.planning.field_table import EMPTY, FieldTable, Pattern, Row, pattern_of

# A document whose lists became maps: natural key or index -> element; lists of plain values are one Leaf.
KeyedDocument = dict[Any, Any]


class Leaf(str):
    """A value compared as a whole. The text decides equality, `value` is what is shown.

    The text starts with NUL, which no text of a document does: a Leaf never equals a text.
    """

    value: Any

    @classmethod
    def of(cls, value: Any, compared: Any) -> "Leaf":
        leaf = cls("\0" + canonical_bytes(compared).decode("utf-8", "surrogatepass"))
        leaf.value = value
        return leaf


def keyed(document: Mapping[str, Any], table: FieldTable) -> KeyedDocument:
    """The form of a document in which comparing by `==` is right, without members that are never compared."""
    return {
        name: _keyed(value, (name,), table)
        for name, value in document.items()
        if value is not None and table.find("ignored", (name,)) is None
    }


def plain(value: Any) -> Any:
    """What a part of a keyed document was made of. ABSENT stays."""
    if isinstance(value, Leaf):
        return value.value
    if isinstance(value, dict):
        if value and not any(isinstance(name, str) for name in value):
            return [plain(item) for item in value.values()]
        return {name: plain(item) for name, item in value.items()}
    return value


def at(document: KeyedDocument, path: FieldPath) -> Any:
    """The part of a keyed document at a path, or ABSENT."""
    value: Any = document
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return ABSENT
        value = value[step]
    return value


def differing_paths(left: KeyedDocument, right: KeyedDocument) -> list[FieldPath]:
    """Where two keyed documents differ, each at the topmost step that only one of them has. Sorted by text."""
    one, other = _pruned(left, right)
    paths = _walked(one, other, ())
    return sorted(paths if paths is not None else _paths_by_deepdiff(one, other), key=path_text)


def topmost(paths: Iterable[FieldPath]) -> list[FieldPath]:
    """The paths without those below another one. Sorted by text."""
    known = set(paths)
    kept = [path for path in known if not any(path[:length] in known for length in range(1, len(path)))]
    return sorted(kept, key=path_text)


def differences(wanted: Mapping[str, Any], now: Mapping[str, Any], backend: str = "") -> list[FieldPath]:
    """Where a job does not hold what was sent, by the field table of a backend: empty after an apply that converged."""
    table = FieldTable(backend)
    want = keyed(wanted, table)
    have, _ = without_defaults(keyed(now, table), [want], table)
    paths = differing_paths(want, have)
    return [path for path in paths if not_counted(path, at(want, path), at(have, path), table) is None]


def not_counted(path: FieldPath, wanted: Any, now: Any, table: FieldTable) -> Row | None:
    """The row by which a difference between what was sent and what the backend says is none."""
    if is_empty(wanted) and is_empty(now):
        return EMPTY
    return table.find("absent", pattern_of(path)) if now is ABSENT else None


def is_empty(value: Any) -> bool:
    """Whether a part of a keyed document is absent, or an empty list or map."""
    if isinstance(value, Leaf):
        return bool(value.value == [])
    return value is ABSENT or value == {}


def without_defaults(
    observed: KeyedDocument, bases: Sequence[KeyedDocument], table: FieldTable
) -> tuple[KeyedDocument, list[tuple[FieldPath, Any, Row]]]:
    """What a backend holds without what it filled in by itself, that is, where no base has a value; and the latter."""
    found: list[tuple[FieldPath, Any, Row]] = []

    def clean(value: KeyedDocument, path: FieldPath, given: Sequence[Any]) -> KeyedDocument:
        kept: KeyedDocument = {}
        for step, item in value.items():
            here = (*path, step)
            inner = [base[step] for base in given if isinstance(base, dict) and step in base]
            row = table.default(here, item) if not inner else None
            if row is not None:
                found.append((here, item, row))
                continue
            part = clean(item, here, inner) if isinstance(item, dict) else item
            # A list or map that held nothing but defaults is one itself.
            if part or not item or inner or not isinstance(item, dict):
                kept[step] = part
        return kept

    return clean(observed, (), bases), found


def leaves(value: Any, path: FieldPath = ()) -> Iterable[tuple[FieldPath, Any]]:
    """Every leaf of a keyed document with its path; an empty map is a leaf."""
    if isinstance(value, dict) and value:
        for step, item in value.items():
            yield from leaves(item, (*path, step))
    else:
        yield path, value


def _keyed(value: Any, pattern: Pattern, table: FieldTable) -> Any:
    if isinstance(value, dict):
        return {name: _keyed(item, (*pattern, name), table) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return _keyed_list(list(value), pattern, table)
    if isinstance(value, bool):
        # 1 and true are equal to Python and different to a backend.
        return Leaf.of(value, value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _keyed_list(items: list[Any], pattern: Pattern, table: FieldTable) -> Any:
    if not items:
        return Leaf.of(items, items)
    if table.find("unordered", pattern) is not None:
        return Leaf.of(items, sorted(canonical_bytes(item).decode("utf-8", "surrogatepass") for item in items))
    steps = _natural_steps(items, pattern)
    if steps is None and not any(isinstance(item, dict | list) for item in items):
        return Leaf.of(items, items)
    inner = (*pattern, "*")
    names: list[Any] = steps if steps is not None else list(range(len(items)))
    return {step: _keyed(item, inner, table) for step, item in zip(names, items, strict=True)}


def _natural_steps(items: list[Any], pattern: Pattern) -> list[Step] | None:
    """A step per element when the list has a natural key that every element carries once; else None."""
    field = NATURAL_KEYS.get(pattern)
    if field is None and pattern not in PRINCIPAL_LISTS:
        return None
    fields = (field,) if field is not None else PRINCIPAL_FIELDS
    steps: list[Step] = []
    for item in items:
        named = next((name for name in fields if isinstance(item, dict) and isinstance(item.get(name), str)), None)
        if named is None:
            return None
        steps.append(Keyed(named, item[named]))
    return steps if len(set(steps)) == len(steps) else None


def _walked(one: KeyedDocument, other: KeyedDocument, path: FieldPath) -> list[FieldPath] | None:
    """Where two pruned documents differ; None when an element without a key is on one side only."""
    paths: list[FieldPath] = []
    for step in {**one, **other}:
        here = (*path, step)
        a, b = one.get(step, ABSENT), other.get(step, ABSENT)
        if isinstance(step, int) and (a is ABSENT or b is ABSENT):
            return None
        if isinstance(a, dict) and isinstance(b, dict):
            below = _walked(a, b, here)
            if below is None:
                return None
            paths += below
        else:
            paths.append(here)
    return paths


def _paths_by_deepdiff(one: KeyedDocument, other: KeyedDocument) -> set[FieldPath]:
    from deepdiff import DeepDiff

    found = DeepDiff(one, other, view="tree", threshold_to_diff_deeper=0)
    return {tuple(node.path(output_format="list")) for nodes in found.values() for node in nodes}


def _pruned(left: KeyedDocument, right: KeyedDocument) -> tuple[KeyedDocument, KeyedDocument]:
    """Both documents without what is equal: deepdiff's cost follows the size of what it is given."""
    one, other = dict(left), dict(right)
    for name in left.keys() & right.keys():
        a, b = left[name], right[name]
        if type(a) is type(b) and a == b:
            del one[name], other[name]
        elif isinstance(a, dict) and isinstance(b, dict):
            one[name], other[name] = _pruned(a, b)
    return one, other
