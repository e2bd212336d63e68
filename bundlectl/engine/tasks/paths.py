"""Where a path of a job document lies on this disk: inside the run's snapshot, or nowhere.

Called by engine.attempt (strings that name a published snapshot become real paths) and by the task types (the file
that a task runs). Reads names only, no content.
"""

import posixpath
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bundlectl.engine.files import folder_of
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed, TaskContext
from bundlectl.model.artifact import ARTIFACT_MARK, file_snapshot, split_published_path
from bundlectl.model.source import SNAPSHOT_FOLDER, split_snapshot_path

_TASKSIDE: Final = Path(__file__).resolve().parent.parent / "taskside"
START: Final = _TASKSIDE / "start.py"  # what a task process of ours runs
NO_VALUES: Final = _TASKSIDE / "no-values.json"  # task values of a task that has none upstream
SHIM: Final = _TASKSIDE / "shim"  # on PYTHONPATH of every task: the module `dbruntime`
_MARK: Final = f"/{SNAPSHOT_FOLDER}/"
_REMOTE: Final = ("dbfs:", "s3:", "s3a:", "abfss:", "gs:", "wasbs:", "adl:", "http:", "https:", "file:")


def localised(context: TaskContext) -> TaskContext:
    """The context with every workspace path of a snapshot or of a built file replaced by the path on disk.

    Raises SetupFailed when such a path leaves the snapshot or names another one that is not here.
    """
    settings = {
        key: _localise(value, context) if key in ("environments", "environment_variables") else value
        for key, value in context.settings.items()
    }
    return replace(
        context,
        task=_localise(context.task, context),
        settings=settings,
        parameters=_localise(dict(context.parameters), context),
    )


def _localise(value: Any, context: TaskContext) -> Any:
    if isinstance(value, str):
        if _MARK in value:
            return _on_disk(value, context)
        return _built_file(value, context) if ARTIFACT_MARK in value else value
    if isinstance(value, dict):
        return {key: _localise(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [_localise(item, context) for item in value]
    return value


def _on_disk(text: str, context: TaskContext) -> str:
    parts = split_snapshot_path(text)
    if parts is None:
        return text
    if context.snapshot_dir is None:
        raise SetupFailed(RESOURCE_NOT_FOUND, f'"{text}" is in a snapshot, and this run has none')
    name = parts.digest.removeprefix("sha256:")
    root = context.snapshot_dir
    # A task may name an older snapshot than the job's own: they lie side by side.
    if root.name != name and len(root.name) == len(name):
        root = root.with_name(name)
        if not root.is_dir():
            raise SetupFailed(RESOURCE_NOT_FOUND, f'the snapshot of "{text}" is not on this engine; deploy again')
    rest = posixpath.normpath(parts.rest) if parts.rest else "."
    if rest == ".." or rest.startswith(("../", "/")):
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'"{text}" leaves its snapshot')
    return str(root if rest == "." else root / rest)


def _built_file(text: str, context: TaskContext) -> str:
    """The path on disk of a published artifact, each of which is a snapshot of one file; extras stay behind it."""
    parts = split_published_path(text)
    if parts is None:
        return text
    digest = file_snapshot(parts.sha256, parts.name).digest
    path = folder_of(context.engine_dir, digest) / parts.name
    if not path.is_file():
        raise SetupFailed(
            RESOURCE_NOT_FOUND, f'the built file "{parts.name}" of this job is not on this engine; deploy again'
        )
    return f"{path}{parts.extras}"


def is_built_file(context: TaskContext, path: str) -> bool:
    """Whether a path on disk is that of a published artifact."""
    place = Path(path)
    return place.parent.parent == context.engine_dir / "snapshots" and place.is_file()


def code_file(context: TaskContext, path: str, *, field: str, endings: tuple[str, ...] = ("",)) -> Path:
    """The file of the snapshot that a task runs: `path` with the first of `endings` that exists.

    `path` is relative to the root of the snapshot, or already on disk below it. Raises SetupFailed for everything else.
    """
    if path.lower().startswith(_REMOTE):
        raise SetupFailed(
            RESOURCE_NOT_FOUND, f'{field} "{path}" is not in the deployed code, and this engine mounts no other storage'
        )
    root = context.snapshot_dir
    if root is None:
        raise SetupFailed(RESOURCE_NOT_FOUND, f'{field} "{path}": this run has no deployed code')
    found = root / path
    if not found.is_relative_to(root):
        raise SetupFailed(
            RESOURCE_NOT_FOUND,
            f'{field} "{path}" is a path of a workspace; the embedded engine runs deployed code only',
        )
    shown = found.relative_to(root)
    for ending in endings:
        candidate = found.with_name(found.name + ending)
        if candidate.is_file():
            if not candidate.resolve().is_relative_to(root.resolve()):
                raise SetupFailed(INVALID_RUN_CONFIGURATION, f'{field} "{shown}" leaves the deployed code')
            return candidate
    what = "is a folder" if found.is_dir() else "is not in the deployed code"
    raise SetupFailed(RESOURCE_NOT_FOUND, f'{field} "{shown}" {what}')
