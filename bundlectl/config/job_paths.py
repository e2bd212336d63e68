"""The fields of a job that name files, and which of their values are local (config language 12.2, 12.3). Pure.

Called by config.translate, which rewrites the values, and by config.decode, which collects them.
"""

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

from bundlectl.config.node import Node
from bundlectl.model.location import FieldPath

NOTEBOOK, FILE, DIRECTORY, LIBRARY, DEPENDENCY, REQUIREMENTS = (
    "notebook",
    "file",
    "directory",
    "library",
    "dependency",
    "requirements",
)
# Field of a task -> what it names.
_TASK_FIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "notebook_task": (("notebook_path",), NOTEBOOK),
    "spark_python_task": (("python_file",), FILE),
    "sql_task": (("file", "path"), FILE),
    "dbt_task": (("project_directory",), DIRECTORY),
    "alert_task": (("workspace_path",), FILE),
}
_INTERESTING = frozenset({*_TASK_FIELDS, "libraries", "for_each_task", "ai_runtime_task"})
_LIBRARY_FIELDS = (("whl", LIBRARY), ("jar", LIBRARY), ("requirements", REQUIREMENTS))
_LONGEST = 4096


class PathUse(NamedTuple):
    """One value that may name a file."""

    node: Node
    kind: str
    path: FieldPath


Visit = Callable[[PathUse], Node]


def map_paths(job: Node, path: FieldPath, visit: Visit) -> Node:
    """A job in which every path value went through `visit`. A job that runs code of a repository has none."""
    source = job.get("git_source")
    if source is not None and source.value is not None:
        return job
    tasks = job.get("tasks")
    if tasks is not None and isinstance(tasks.value, list):
        kept = [_task(task, (*path, "tasks", index), visit) for index, task in enumerate(tasks.value)]
        job = _with(job, "tasks", tasks, kept)
    environments = job.get("environments")
    if environments is not None and isinstance(environments.value, list):
        kept = [_environment(item, (*path, "environments", at), visit) for at, item in enumerate(environments.value)]
        job = _with(job, "environments", environments, kept)
    return job


def _with(holder: Node, name: str, child: Node, kept: list[Node]) -> Node:
    """The holder with another list; itself when no element changed."""
    if all(new is old for new, old in zip(kept, child.value, strict=True)):
        return holder
    return holder.with_member(name, child.with_value(kept))


def _task(task: Node, path: FieldPath, visit: Visit) -> Node:
    fields = task.value
    if not isinstance(fields, dict):
        return task
    named = _INTERESTING.intersection(fields)
    if not named:
        return task
    edits: dict[str, Node] = {}
    for name in sorted(named):
        child = fields[name]
        if not (child.value.__class__ is dict or child.value.__class__ is list):
            continue
        if name == "libraries":
            kept = _libraries(child, (*path, name), visit)
        elif name == "for_each_task":
            inner = child.get("task")
            result = _task(inner, (*path, name, "task"), visit) if inner is not None else None
            kept = child.with_member("task", result) if result is not None and result is not inner else child
        elif name == "ai_runtime_task":
            kept = _deployments(child, (*path, name), visit)
        else:
            steps, kind = _TASK_FIELDS[name]
            kept = child if _from_git(child) else _member(child, steps, kind, (*path, name), visit)
        if kept is not child:
            edits[name] = kept
    return task.with_value({**fields, **edits}) if edits else task


def _libraries(listed: Node, path: FieldPath, visit: Visit) -> Node:
    if not isinstance(listed.value, list):
        return listed
    kept = [_library(item, (*path, index), visit) for index, item in enumerate(listed.value)]
    changed = any(new is not old for new, old in zip(kept, listed.value, strict=True))
    return listed.with_value(kept) if changed else listed


def _from_git(holder: Node) -> bool:
    source = holder.get("source")
    return source is not None and source.value == "GIT"


def _member(holder: Node, steps: tuple[str, ...], kind: str, path: FieldPath, visit: Visit) -> Node:
    child = holder.get(steps[0])
    if child is None:
        return holder
    if len(steps) > 1:
        kept = child if _from_git(child) else _member(child, steps[1:], kind, (*path, steps[0]), visit)
    elif isinstance(child.value, str) and child.value:
        kept = visit(PathUse(child, kind, (*path, steps[0])))
    else:
        return holder
    return holder if kept is child else holder.with_member(steps[0], kept)


def _deployments(holder: Node, path: FieldPath, visit: Visit) -> Node:
    listed = holder.get("deployments")
    if listed is None or not isinstance(listed.value, list):
        return holder
    kept = [
        _member(item, ("command_path",), FILE, (*path, "deployments", index), visit)
        for index, item in enumerate(listed.value)
    ]
    return _with(holder, "deployments", listed, kept)


def _library(item: Node, path: FieldPath, visit: Visit) -> Node:
    for field, kind in _LIBRARY_FIELDS:
        item = _member(item, (field,), kind, path, visit)
    return item


def _environment(item: Node, path: FieldPath, visit: Visit) -> Node:
    spec = item.get("spec")
    listed = spec.get("dependencies") if spec is not None else None
    if spec is None or listed is None or not isinstance(listed.value, list):
        return item
    at = (*path, "spec", "dependencies")
    kept = [
        visit(PathUse(entry, DEPENDENCY, (*at, index))) if isinstance(entry.value, str) else entry
        for index, entry in enumerate(listed.value)
    ]
    changed = _with(spec, "dependencies", listed, kept)
    return item if changed is spec else item.with_member("spec", changed)


class _Forms(NamedTuple):
    scheme: re.Pattern[str]
    flag: re.Pattern[str]
    requirement: re.Pattern[str]


@functools.cache
def _forms() -> _Forms:
    name = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
    version = r"(?:===|==|~=|!=|<=|>=|<|>)[ ]*[A-Za-z0-9.*+!_-]+"
    return _Forms(
        re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/"),
        re.compile(r"(-r|-e|--requirement|--editable)[ =]+(.+)"),
        re.compile(
            rf"{name}[ ]*(?:\[[A-Za-z0-9._, -]*\])?[ ]*(?:\(?{version}(?:[ ]*,[ ]*{version})*\)?)?[ ]*(?:;.*)?"
            rf"|{name}[ ]*(?:\[[A-Za-z0-9._, -]*\])?[ ]*@.+"
        ),
    )


def is_remote(text: str) -> bool:
    """An absolute workspace path or a URL: nothing of the bundle."""
    return text.startswith("/") or _forms().scheme.match(text[:_LONGEST]) is not None


def is_open(text: str) -> bool:
    """A text whose value is not known here."""
    return "${" in text or "{{" in text


def is_local_library(text: str) -> bool:
    """Whether a wheel, jar or dependency is a file of the bundle (12.3)."""
    if text.startswith("."):
        return True
    if is_remote(text) or len(text) > _LONGEST or text.startswith("-") or " -" in text:
        return False
    return _forms().requirement.fullmatch(text) is None


def is_local_artifact(text: str) -> bool:
    """Whether a `whl` or `jar` value is a file of the bundle: what is no address is."""
    return not is_remote(text) and not text.startswith("-")


def requirement_flag(text: str) -> tuple[str, str] | None:
    """`-r file`, `-e folder` -> flag and path, when the path is local; else None."""
    match = _forms().flag.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    path = match[2].strip()
    if len(path) > 1 and path[0] == path[-1] and path[0] in "\"'":
        path = path[1:-1]
    return None if is_remote(path) or is_open(path) else (match[1], path)
