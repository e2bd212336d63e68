"""Whether job settings hold, for requests: the rules of jobs.md 1.1 and 1.2, one message per fault. Pure.

Loaded by api.jobs when settings arrive. Unknown keys are let through: the API grows.
"""

import re
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bundlectl.base.dag import find_cycle
from bundlectl.base.quartz import QuartzError, parse
from bundlectl.engine.dag import RUN_IF
from bundlectl.engine.references import check_references
from bundlectl.model.job import TASK_TYPES

MAX_TASKS = 1_000
_KEY = re.compile(r"[\w\-]{1,100}", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z0-9_.\-]+")
_KEYED_LISTS = (
    ("job_clusters", "job_cluster_key"),
    ("environments", "environment_key"),
    ("environment_variables", "environment_variables_key"),
    ("parameters", "name"),
)


def problems(settings: Mapping[str, Any], max_tasks: int = MAX_TASKS) -> list[str]:
    """What does not hold; empty when everything does."""
    shape = list(_shape(settings, max_tasks))
    if shape:
        return shape  # the other rules rely on it
    found = [*_job(settings), *_tasks(settings)]
    return found or check_references(settings)


def _shape(settings: Mapping[str, Any], max_tasks: int) -> Iterator[str]:
    for name, kind in (("name", str), ("tags", dict), ("queue", dict), ("schedule", dict), ("trigger", dict)):
        if settings.get(name) is not None and not isinstance(settings[name], kind):
            yield f"'{name}' must be {_KINDS[kind]}."
    for name in ("tasks", *(name for name, _ in _KEYED_LISTS)):
        value = settings.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
            yield f"'{name}' must be a list of objects."
    tasks = settings.get("tasks")
    if isinstance(tasks, list) and len(tasks) > max_tasks:
        if max_tasks < MAX_TASKS:
            yield (
                f"Resources with more than {max_tasks} tasks can only be handled by API 2.2 and above. "
                f"Your resource has {len(tasks)} tasks"
            )
        else:
            yield f"A job may have at most {MAX_TASKS} tasks, not {len(tasks)}."
    for task in tasks if isinstance(tasks, list) else ():
        if isinstance(task, dict):
            yield from _task_shape(task)


def _task_shape(task: Mapping[str, Any]) -> Iterator[str]:
    key = task.get("task_key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        yield f"Task key '{str(key)[:120]}' must be 1 to 100 letters, digits, '_' or '-'."
        return
    edges = task.get("depends_on")
    if edges is not None and not (
        isinstance(edges, list)
        and all(isinstance(edge, dict) and isinstance(edge.get("task_key"), str) for edge in edges)
    ):
        yield f"Task '{key}': 'depends_on' must be a list of objects with a 'task_key'."
    for name in _types(task):
        if not isinstance(task[name], dict):
            yield f"Task '{key}': '{name}' must be an object."
    for name in ("max_retries", "timeout_seconds", "min_retry_interval_millis"):
        yield from _number(task, name, f"Task '{key}': ", least=-1 if name == "max_retries" else 0)


_KINDS: Mapping[type, str] = {str: "a text", dict: "an object"}


def _number(holder: Mapping[str, Any], name: str, where: str, least: int = 0, most: int = 1 << 53) -> Iterator[str]:
    value = holder.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        yield f"{where}'{name}' must be a number from {least}" + (f" to {most}." if most < 1 << 53 else " on.")


def _job(settings: Mapping[str, Any]) -> Iterator[str]:
    if len(str(settings.get("name") or "").encode()) > 4096:
        yield "'name' may have at most 4096 bytes."
    yield from _number(settings, "max_concurrent_runs", "", most=1000)
    yield from _number(settings, "timeout_seconds", "")
    for name, key in _KEYED_LISTS:
        yield from _unique(settings.get(name) or (), name, key)
    for parameter in settings.get("parameters") or ():
        name = parameter.get("name")
        if isinstance(name, str) and not _PARAMETER.fullmatch(name):
            yield f"Parameter name '{name}' may hold letters, digits, '_', '.' and '-' only."
        if not isinstance(parameter.get("default", ""), str):
            yield f"Parameter '{name}': 'default' must be a text."
    starts = [name for name in ("schedule", "trigger", "continuous", "triggers") if settings.get(name) is not None]
    if len(starts) > 1:
        yield f"Only one of {', '.join(repr(name) for name in starts)} may be set."
    yield from _schedule(settings.get("schedule") or {})


def _unique(items: Iterable[Mapping[str, Any]], name: str, key: str) -> Iterator[str]:
    seen = set()
    for item in items:
        value = item.get(key)
        if not isinstance(value, str) or not value:
            yield f"Every entry of '{name}' needs a '{key}'."
        elif value in seen:
            yield f"'{name}' has '{value}' twice."
        seen.add(value)


def _schedule(schedule: Mapping[str, Any]) -> Iterator[str]:
    if not schedule:
        return
    expression = schedule.get("quartz_cron_expression")
    try:
        parse(str(expression or ""))
    except QuartzError as error:
        yield f"Invalid quartz cron expression: '{expression}': {error.reason}"
    zone = schedule.get("timezone_id")
    try:
        zoneinfo.ZoneInfo(str(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if not re.fullmatch(r"(GMT|UTC)[+-]\d\d?(:\d\d)?", str(zone)):
            yield f"Invalid timezone_id: '{zone}' is no known time zone."


def _tasks(settings: Mapping[str, Any]) -> Iterator[str]:
    tasks = settings.get("tasks") or []
    known: dict[str, Mapping[str, Any]] = {}
    for task in tasks:
        if task["task_key"] in known:
            yield f"Task key '{task['task_key']}' is used twice."
        known[task["task_key"]] = task
    for task in tasks:
        yield from _task(task, settings, known)
    edges = {
        key: [edge["task_key"] for edge in task.get("depends_on") or () if edge["task_key"] in known]
        for key, task in known.items()
    }
    cycle = find_cycle(edges)
    if cycle is not None:
        yield f"Tasks depend on each other in a circle: {' -> '.join(cycle)}."


def _task(
    task: Mapping[str, Any], settings: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    key = task["task_key"]
    for edge in task.get("depends_on") or ():
        parent = known.get(edge["task_key"])
        if parent is None:
            yield f"Task '{key}' depends on '{edge['task_key']}', which does not exist."
        elif edge["task_key"] == key:
            yield f"Task '{key}' depends on itself."
        elif edge.get("outcome") is not None and "condition_task" not in parent:
            yield f"Task '{key}': 'outcome' of '{edge['task_key']}' needs a condition task."
        if edge.get("outcome") not in (None, "true", "false"):
            yield f"Task '{key}': 'outcome' must be \"true\" or \"false\"."
    run_if = task.get("run_if")
    if run_if is not None and run_if not in RUN_IF:
        yield f"Task '{key}': 'run_if' must be one of {', '.join(sorted(RUN_IF))}, not '{run_if}'."
    yield from _type_of(task, key)
    for name, entries, member in (
        ("job_cluster_key", "job_clusters", "job_cluster_key"),
        ("environment_key", "environments", "environment_key"),
        ("environment_variables_key", "environment_variables", "environment_variables_key"),
    ):
        wanted = task.get(name)
        if wanted is not None and wanted not in {entry.get(member) for entry in settings.get(entries) or ()}:
            yield f"Task '{key}': {name} '{wanted}' does not exist."


def _type_of(task: Mapping[str, Any], key: str) -> Iterator[str]:
    found = _types(task)
    if len(found) != 1:
        listed = ", ".join(found)
        yield f"Task '{key}' has several task types: {listed}." if found else f"Task '{key}' has no task type."
        return
    if task.get("for_each_task") is not None:
        yield from _loop(task, key)
    child = task.get("run_job_task")
    if child is not None and not _is_id(child.get("job_id")):
        yield f"Task '{key}': 'job_id' of a run_job_task must be the id of a job, not '{child.get('job_id')}'."
    command = (task.get("shell_task") or {}).get("command", "true")
    if not command or not (
        isinstance(command, str) or (isinstance(command, list) and all(isinstance(item, str) for item in command))
    ):
        yield f"Task '{key}': 'command' of a shell_task must be a text or a list of texts, and not empty."


def _loop(task: Mapping[str, Any], key: str) -> Iterator[str]:
    """What a for_each_task needs."""
    loop = task["for_each_task"]
    nested = loop.get("task")
    if not isinstance(nested, dict) or len(_types(nested)) != 1 or "for_each_task" in nested:
        yield f"Task '{key}': the nested task needs exactly one task type, other than for_each_task."
    else:
        if nested.get("depends_on"):
            yield f"Task '{key}': the nested task may not have 'depends_on'."
        yield from (f"Task '{key}', nested task: {text}" for text in _task_shape(nested))
    if not isinstance(loop.get("inputs"), str | list):
        yield f"Task '{key}': 'inputs' of a for_each_task must be a text that is a JSON array, or a reference to one."
    yield from _number(loop, "concurrency", f"Task '{key}': ", least=1, most=100)
    if task.get("max_retries") or task.get("retry_on_timeout") or task.get("min_retry_interval_millis"):
        yield f"Task '{key}': retries belong to the nested task of a for_each_task."


def _is_id(value: Any) -> bool:
    text = str(value)
    return not isinstance(value, bool) and text.isascii() and text.isdecimal() and 0 < int(text[:17]) < 1 << 53


def submit_problems(body: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """What does not hold in a request for a one-time run; `settings` are those of the run."""
    found = [
        f"A one-time run takes no '{name}'."
        for name in ("job_clusters", "parameters", "job_parameters", "schedule", "trigger", "continuous")
        if body.get(name)
    ]
    if not settings.get("tasks"):
        found.append("'tasks' is missing: a one-time run needs at least one task.")
    found += problems(settings)
    for task in [] if found else settings["tasks"]:
        if task.get("max_retries") or task.get("retry_on_timeout"):
            found.append(f"Task '{task['task_key']}': a one-time run has no retries.")
        if task.get("job_cluster_key"):
            found.append(f"Task '{task['task_key']}': a one-time run has no job clusters.")
    return found


def _types(task: Mapping[str, Any]) -> list[str]:
    """Task-type fields that are set, also of types that are not known yet."""
    return [
        name for name, value in task.items() if value is not None and (name in TASK_TYPES or (name.endswith("_task")))
    ]
