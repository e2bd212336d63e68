"""How a value of the backend is spelt in a bundle: code by a path in the tree, other jobs by reference. Pure.

Called by operations.drift_accept, which takes the first spelling that loads to the wanted value.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bundlectl.model.location import FieldPath

_ID_FIELD = "job_id"
_NAMING = ("task_key", "job_cluster_key", "environment_key", "name")  # written first
_ENDINGS = ("", ".py", ".ipynb", ".sql", ".scala", ".r", ".R")  # a workspace shows notebooks without theirs


class Surroundings(NamedTuple):
    """What a value is spelt by."""

    folder: str  # of the file that is edited
    file_path: str  # workspace.file_path: what code paths of jobs start with
    sync_root: str  # folder of the tree that they are relative to
    entries: Mapping[str, Any]  # files of the tree
    keys: Mapping[str, str]  # id of a deployed job -> its key in the bundle


def spellings(value: Any, path: FieldPath, old: tuple[Any, Any], around: Surroundings) -> Iterator[Any]:
    """The best one first, the value as it is last. `old`: what is written there now, and what that resolves to."""
    below = around.file_path.rstrip("/") + "/"
    written = dict(_references(*old)) if isinstance(value, dict | list) else {}
    dotted = isinstance(old[0], str) and old[0].startswith("./")

    def spelt(item: Any, name: object) -> Any:
        if isinstance(item, dict):
            members = {step: spelt(one, step) for step, one in item.items()}
            return dict(sorted(members.items(), key=lambda member: member[0] not in _NAMING))
        if isinstance(item, list):
            return [spelt(one, name) for one in item]
        if (type(item), item) in written:
            return written[type(item), item]
        if name == _ID_FIELD and str(item) in around.keys:
            return f"${{resources.jobs.{around.keys[str(item)]}.id}}"
        if isinstance(item, str) and item.startswith(below):
            return _relative(item[len(below) :], around, dotted=dotted)
        return item

    best = spelt(value, path[-1] if path else None)
    yield best
    if best != value:
        yield value


def _references(written: Any, resolved: Any) -> Iterator[tuple[tuple[type, Any], str]]:
    """Scalars that a list or map gets by reference, and the text that gives each."""
    if isinstance(written, dict) and isinstance(resolved, dict):
        for name in written.keys() & resolved.keys():
            yield from _references(written[name], resolved[name])
    elif isinstance(written, list) and isinstance(resolved, list) and len(written) == len(resolved):
        for one, other in zip(written, resolved, strict=True):
            yield from _references(one, other)
    elif isinstance(written, str) and "${" in written and not isinstance(resolved, dict | list):
        yield (type(resolved), resolved), written


def _relative(rest: str, around: Surroundings, *, dotted: bool) -> str:
    """A file of the code, as seen from the file that names it."""
    file = posixpath.join(around.sync_root, rest)
    file = next((file + ending for ending in _ENDINGS if file + ending in around.entries), file)
    found = posixpath.relpath(file, around.folder or ".")
    return found if found.startswith("../") or not dotted else f"./{found}"
