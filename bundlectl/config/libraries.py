"""Libraries and references to artifacts in a finished job document: found, and replaced (config language 13). Pure.

Called by operations.artifacts, once it is known which files there are. What a text leads to is said by the caller.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bundlectl.config import job_paths
from bundlectl.config.interpolation import Reference, references
from bundlectl.model.job import NATURAL_KEYS
from bundlectl.model.location import FieldPath, Keyed

_EXTRAS = re.compile(r"(?P<path>.+\.(?:whl|jar))(?P<extras>\[[^\[\]]*\])")
_REFERENCE = "${artifacts."


class Library(NamedTuple):
    """A wheel, jar or dependency of the bundle, as a job names it: relative to the sync root."""

    path: str  # may be a glob
    extras: str  # `[a,b]` or empty
    place: FieldPath


# What a library becomes: one text for each file. What a reference becomes: its value; None: it stays.
ReplaceLibrary = Callable[[Library], list[str]]
ReplaceReference = Callable[[Reference, FieldPath], str | None]


def replaced(document: Mapping[str, Any], library: ReplaceLibrary, reference: ReplaceReference) -> dict[str, Any]:
    """A job document with its libraries and `${artifacts...}` replaced.

    A job that runs code of another repository names no files of this one.
    """
    changed = dict(document)
    if document.get("git_source") is None:
        for name, visit in (("tasks", _task), ("environments", _environment)):
            entries = document.get(name)
            if isinstance(entries, list):
                key = "task_key" if name == "tasks" else "environment_key"
                changed[name] = [
                    visit(entry, (name, _step(entry, key, at)), library) for at, entry in enumerate(entries)
                ]
    resolved: dict[str, Any] = _references(changed, (), (), reference)
    return resolved


def _step(entry: Any, field: str, at: int) -> Keyed | int:
    value = entry.get(field) if isinstance(entry, dict) else None
    return Keyed(field, value) if isinstance(value, str) and value else at


def _task(task: Any, place: FieldPath, library: ReplaceLibrary) -> Any:
    if not isinstance(task, dict):
        return task
    changed = dict(task)
    if isinstance(task.get("libraries"), list):
        changed["libraries"] = _libraries(task["libraries"], (*place, "libraries"), library)
    loop = task.get("for_each_task")
    if isinstance(loop, dict) and "task" in loop:
        changed["for_each_task"] = {**loop, "task": _task(loop["task"], (*place, "for_each_task", "task"), library)}
    return changed


def _libraries(entries: list[Any], place: FieldPath, library: ReplaceLibrary) -> list[Any]:
    kept: list[Any] = []
    for at, entry in enumerate(entries):
        kind = next((name for name in ("whl", "jar") if isinstance(entry, dict) and entry.get(name)), None)
        text = entry[kind] if kind is not None else None
        if (
            kind is None
            or not isinstance(text, str)
            or job_paths.is_open(text)
            or not job_paths.is_local_artifact(text)
        ):
            kept.append(entry)
            continue
        kept += [{**entry, kind: value} for value in library(_library(text, (*place, at, kind)))]
    return kept


def _environment(entry: Any, place: FieldPath, library: ReplaceLibrary) -> Any:
    spec = entry.get("spec") if isinstance(entry, dict) else None
    listed = spec.get("dependencies") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(listed, list):
        return entry
    kept: list[Any] = []
    for at, text in enumerate(listed):
        if not isinstance(text, str) or job_paths.is_open(text) or not job_paths.is_local_library(text):
            kept.append(text)
        else:
            kept += library(_library(text, (*place, "spec", "dependencies", at)))
    return {**entry, "spec": {**spec, "dependencies": kept}}


def _library(text: str, place: FieldPath) -> Library:
    match = _EXTRAS.fullmatch(text)
    return Library(match["path"], match["extras"], place) if match else Library(text, "", place)


def _references(value: Any, place: FieldPath, shape: tuple[str, ...], replace: ReplaceReference) -> Any:
    """`shape`: the place with `*` for an element of a list, as natural keys are looked up."""
    if isinstance(value, dict):
        return {name: _references(item, (*place, name), (*shape, name), replace) for name, item in value.items()}
    if isinstance(value, list):
        key = NATURAL_KEYS.get(shape)
        steps = [at if key is None else _step(item, key, at) for at, item in enumerate(value)]
        return [
            _references(item, (*place, step), (*shape, "*"), replace) for step, item in zip(steps, value, strict=True)
        ]
    if not isinstance(value, str) or _REFERENCE not in value:
        return value
    text, at = "", 0
    for reference in references(value):
        found = replace(reference, place) if reference.steps[0] == "artifacts" else None
        text += value[at : reference.start] + (reference.text if found is None else found)
        at = reference.end
    return text + value[at:]
