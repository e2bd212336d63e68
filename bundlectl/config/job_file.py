"""A job as a YAML file of its own in canonical layout: `resources.jobs.KEY`, what names it first, tasks last. Pure.

Called by operations.import_job. How values are spelt is the business of config.writer_text.
"""

from collections.abc import Mapping
from typing import Any

from bundlectl.config.writer_text import Style, member

_FIRST = (
    *("name", "description", "schedule", "trigger", "continuous", "triggers"),
    *("max_concurrent_runs", "timeout_seconds"),
)
_LAST = ("job_clusters", "environments", "tasks")
_TASK_FIRST = ("task_key", "depends_on", "run_if")
_BLOCK = Style(quote="|")


def job_file(key: str, job: Mapping[str, Any]) -> str:
    """The text of the file. Raises Unwritable for a value that no file can hold."""
    return member("resources", {"jobs": {key: _ordered(job)}}, 0, _BLOCK) + "\n"


def _ordered(job: Mapping[str, Any]) -> dict[str, Any]:
    middle = sorted(name for name in job if name not in (*_FIRST, *_LAST))
    names = [name for name in (*_FIRST, *middle, *_LAST) if name in job]
    ordered = {name: job[name] for name in names}
    if isinstance(ordered.get("tasks"), list):
        ordered["tasks"] = [_task(task) for task in ordered["tasks"]]
    return ordered


def _task(task: Any) -> Any:
    if not isinstance(task, Mapping):
        return task
    names = [*(name for name in _TASK_FIRST if name in task), *sorted(name for name in task if name not in _TASK_FIRST)]
    return {name: task[name] for name in names}
