"""Chains of fields for the tests of config.origins: a bundle in memory, watched."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from bundlectl.config.field_names import find_field, read_name
from bundlectl.config.node import plain
from bundlectl.config.origins import Invoker, Origins
from bundlectl.config.request import LoadRequest
from bundlectl.config.trace import Trace, trace
from bundlectl.model.explanation import Link
from bundlectl.model.location import FieldPath
from bundlectl.model.plan import ABSENT
from tests.unit.config.bundles import USER, Content, MemoryTree, loaded

_MOST = 400  # fields of one bundle that are looked at: some of the tables test limits
_TREE = ("links", "submodules", "on_disk", "revision")


def watched(files: Mapping[str, Content] | Content, **more: Any) -> Trace | None:
    """The load of a bundle, every step seen. `more` as for `loaded`."""
    contents = files if isinstance(files, Mapping) else {"databricks.yml": files}
    loads = loaded(contents, **more).bundle is not None
    tree = MemoryTree(contents, **{name: more.pop(name) for name in _TREE if name in more})
    return trace(tree, LoadRequest(**{"user": USER, **more}), only=None, loads=loads)


def chain(
    files: Mapping[str, Content] | Content, field: str, invoker: Invoker | None = None, **more: Any
) -> list[Link]:
    """The links of a field."""
    seen = watched(files, **more)
    assert seen is not None
    path = find_field(seen.node, read_name(field)).path
    return list(Origins(seen, invoker or Invoker()).chain(path))


def short(links: list[Link]) -> list[tuple[Any, ...]]:
    """Value, what was written, where, and role of each link: `1200`, `${var.t}`, `a.yml:3:5`, `base`."""
    return [
        (
            "(gone)" if link.value is ABSENT else link.value,
            link.raw,
            str(link.span) if link.span is not None else None,
            link.role,
        )
        for link in links
    ]


def fields(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    """Every field of a resolved document with its value, lists by index."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from fields(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from fields(item, (*path, index))


def faults(seen: Trace, without: tuple[str, ...] = ()) -> list[str]:
    """Fields of a watched load whose chain does not lead to the value that they have. `without`: sections left out."""
    origins = Origins(seen, Invoker())
    found = []
    for path, value in islice(fields(plain(seen.node)), _MOST):
        if path[0] in without or (path[0] == "variables" and len(path) == 2):
            continue  # a variable as a field stands for its value
        links = origins.chain(find_field(seen.node, path).path)
        if not links:
            found.append(f"{path}: no chain")
        elif [link.wins for link in links] != [True] + [False] * (len(links) - 1):
            found.append(f"{path}: the newest link does not win")
        elif not isinstance(value, dict | list) and (
            links[0].value != value or links[0].value.__class__ is not value.__class__
        ):
            found.append(f"{path}: {value!r}, explained as {links[0].value!r}")
    return found
