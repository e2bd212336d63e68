"""`__locations` of the resolved document: where its larger parts are written (config language 19). Pure.

Called by operations.validate for --include-locations.
"""

import posixpath
from collections.abc import Iterator
from typing import Any

from bundlectl.config.decode import SECTIONS
from bundlectl.config.node import Node, is_written
from bundlectl.config.reading import members
from bundlectl.model.location import FieldPath, SourceSpan, path_text

VERSION = 1


def locations_document(node: Node, root: str) -> dict[str, Any]:
    """Positions by path, the one that counts first. `root`: folder of the bundle, which files are relative to."""
    found = {path_text(path): _places(part) for path, part in _parts(node)}
    files = {span.file: posixpath.relpath(span.file, root or ".") for spans in found.values() for span in spans}
    names = sorted(set(files.values()))
    numbers = {name: number for number, name in enumerate(names)}
    return {
        "version": VERSION,
        "files": names,
        "locations": {
            path: [[numbers[files[span.file]], span.line, span.column] for span in spans]
            for path, spans in found.items()
            if spans
        },
    }


def _parts(node: Node) -> Iterator[tuple[FieldPath, Node]]:
    for name in SECTIONS:
        child = node.get(name)
        if child is not None:
            yield (name,), child
    for kind, holder in members(node, "resources").items():
        yield ("resources", kind), holder
        for key, resource in members(holder).items():
            yield ("resources", kind, key), resource
            tasks = resource.get("tasks") if kind == "jobs" else None
            if tasks is not None:
                yield ("resources", kind, key, "tasks"), tasks
                for index, task in enumerate(tasks.value if tasks.is_list else ()):
                    yield ("resources", kind, key, "tasks", index), task


def _places(node: Node) -> list[SourceSpan]:
    """Where a value is written; nothing for one that no file wrote."""
    places = (span for span in (node.span, *node.more) if is_written(span))
    return list({(span.file, span.line, span.column): span for span in places}.values())
