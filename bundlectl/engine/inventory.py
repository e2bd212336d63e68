"""What the tasks of a job would find installed, were they started now: the `environment` of a run manifest.

Called by service for a route. Installs nothing; an environment that is not built yet is named by what was asked for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundlectl.base.digest import digest_document
from bundlectl.engine.environments import EnvironmentFailed
from bundlectl.engine.files import BadSnapshot, folder_of
from bundlectl.engine.tasks.base import SetupFailed, TaskContext
from bundlectl.engine.tasks.libraries import open_environments, task_libraries
from bundlectl.engine.tasks.paths import localised


def describe(
    settings: Mapping[str, Any], folder: Path, interpreter: str, environment: Mapping[str, str] | None
) -> list[dict[str, Any]]:
    """One entry for each environment of the job, at least the default one, sorted by key."""
    tasks = settings.get("tasks") or ({"task_key": ""},)
    entries: dict[str, dict[str, Any]] = {}
    opened = None
    for task in tasks:
        context = localised(_context(settings, task, folder, interpreter, environment))
        opened = opened or open_environments(context)
        key = task.get("environment_key") or (task["task_key"] if task.get("libraries") else "default")
        if key not in entries:
            try:
                entries[key] = opened.document(key, task_libraries(context))
            except (SetupFailed, EnvironmentFailed) as failure:
                asked = [task.get("libraries"), task.get("environment_key"), settings.get("environments")]
                entries[key] = {
                    "key": key,
                    "lock": digest_document(asked),
                    "python": "unknown",
                    "packages": [],
                    "image": None,
                    "unknown": str(failure),
                }
    return [entries[key] for key in sorted(entries)]


def _context(
    settings: Mapping[str, Any],
    task: Mapping[str, Any],
    folder: Path,
    interpreter: str,
    environment: Mapping[str, str] | None,
) -> TaskContext:
    mark = settings.get("bundlectl")
    digest = mark.get("snapshot") if isinstance(mark, dict) else None
    try:
        snapshot = None if digest is None else folder_of(folder, str(digest))
    except BadSnapshot:
        snapshot = None
    return TaskContext(
        job_id="0",
        run_id="0",
        task_run_id="0",
        task_key=str(task.get("task_key", "")),
        attempt=0,
        settings=settings,
        task=task,
        parameters={},
        snapshot_dir=snapshot,
        run_dir=folder / "runs",
        engine_dir=folder,
        interpreter=interpreter,
        host_environment=environment,
    )
