"""One attempt of a resolved task: its files, environment and launch before, its values and outputs after.

`prepare` is called by the scheduler before the worker starts the process, `collect` when the process has ended; both
may be called on another host that sees the same folders. Starts no task itself; building an environment for libraries
may run pip (engine.environments).
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bundlectl.base.digest import sha256_stream
from bundlectl.engine import secrets
from bundlectl.engine.references import parameter_variable
from bundlectl.engine.tasks import paths, registry
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, OUTPUTS, LaunchSpec, SetupFailed, TaskContext
from bundlectl.engine.tasks.paths import code_file
from bundlectl.engine.values import UnresolvedReference, resolve

VALUES_IN: Final = "task-values-in.json"
VALUES_OUT: Final = "task-values-out.jsonl"
RESULT: Final = "result.json"
VALUE_LIMIT: Final = 48 * 1024  # bytes of the JSON of one task value
_CHUNK: Final = 1 << 20


class AttemptValues(NamedTuple):
    """What an attempt left behind."""

    values: dict[str, Any]  # task values, the last of each key
    error: str | None  # why the attempt fails although its process may have succeeded
    outputs: list[dict[str, Any]]  # {path, digest, bytes} of each file below the outputs folder, sorted by path
    result: dict[str, Any] | None  # {"notebook_output": ...} or {"sql_output": ..., "rows": [...]}


def prepare(context: TaskContext) -> LaunchSpec:
    """Creates the run folder with its files and says what to start. Raises SetupFailed, OSError."""
    context = paths.localised(context)
    _make_run_folder(context.run_dir)
    environment = task_environment(context)
    if context.values_in:
        path = context.run_dir / VALUES_IN
        _write(path, json.dumps(context.values_in, ensure_ascii=False))
        environment["BUNDLECTL_TASK_VALUES_IN"] = str(path)
    return registry.prepare(context, environment)


def _make_run_folder(run_dir: Path) -> None:
    """A fresh folder with an empty one for outputs: what an attempt that was prepared before left there is removed."""
    try:
        os.mkdir(run_dir, 0o700)
    except FileNotFoundError:
        os.makedirs(run_dir.parent, 0o700, exist_ok=True)
        os.mkdir(run_dir, 0o700)
    except FileExistsError:
        shutil.rmtree(run_dir)
        os.mkdir(run_dir, 0o700)
    os.mkdir(run_dir / OUTPUTS, 0o700)


def is_slow(task: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether `prepare` may have to install libraries, which takes seconds to minutes: call it apart from others."""
    if task.get("libraries"):
        return True
    key = task.get("environment_key")
    return key is not None and any(
        (entry.get("spec") or {}).get("dependencies")
        for entry in settings.get("environments") or ()
        if entry.get("environment_key") == key
    )


def _write(path: Path, text: str) -> None:
    """Creates a file that only this user reads."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def task_environment(context: TaskContext) -> dict[str, str]:
    """The whole environment of the task process: allow-listed variables, the job's own, ours (jobs.md 5.5).

    Raises SetupFailed for variables that cannot be had.
    """
    host = secrets.host_environment() if context.host_environment is None else context.host_environment
    environment = secrets.allowed(host)
    # `python` in a command is the interpreter of the tasks.
    folder = os.path.dirname(context.interpreter)
    environment["PATH"] = os.pathsep.join(filter(None, (folder, environment.get("PATH") or os.defpath)))
    environment.update(_job_variables(context))
    environment.update({parameter_variable(name): value for name, value in context.parameters.items()})
    search = (str(paths.SHIM), environment.get("PYTHONPATH"))
    environment.update(
        PYTHONPATH=os.pathsep.join(filter(None, search)),
        PYTHONUNBUFFERED="1",
        PYTHONDONTWRITEBYTECODE="1",
        BUNDLECTL_JOB_ID=context.job_id,
        BUNDLECTL_JOB_RUN_ID=context.run_id,
        BUNDLECTL_TASK_RUN_ID=context.task_run_id,
        BUNDLECTL_TASK_KEY=context.task_key,
        BUNDLECTL_ATTEMPT_NUMBER=str(context.attempt),
        BUNDLECTL_RUN_DIR=str(context.run_dir),
        BUNDLECTL_TASK_VALUES_IN=str(paths.NO_VALUES),
        BUNDLECTL_TASK_VALUES_OUT=str(context.run_dir / VALUES_OUT),
    )
    if context.snapshot_dir is not None:
        environment["BUNDLECTL_SNAPSHOT_DIR"] = str(context.snapshot_dir)
    _refuse_impossible(environment)
    return environment


def _refuse_impossible(environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if "\0" in value or "\0" in name or "=" in name or not name:
            raise SetupFailed(INVALID_RUN_CONFIGURATION, f'"{name}" cannot be an environment variable')
        for secret in secrets.secret_references(value) if "{{" in value else ():
            raise SetupFailed(
                INVALID_RUN_CONFIGURATION,
                f'The variable "{name}" refers to the secret "{secret}", and this engine has no secret store',
            )


def _job_variables(context: TaskContext) -> dict[str, str]:
    """`environment_variables` of the settings, then `spark_env_vars` of the task's cluster."""
    task, settings = context.task, context.settings
    found: dict[str, Any] = {}
    key = task.get("environment_variables_key")
    for entry in settings.get("environment_variables") or () if key is not None else ():
        if entry.get("environment_variables_key") == key:
            spec = entry.get("spec") or entry  # older clients have no `spec`
            for path in spec.get("files") or ():
                found.update(_variables_file(code_file(context, path, field="environment file")))
            found.update(spec.get("variables") or {})
    cluster = task.get("new_cluster")
    for entry in settings.get("job_clusters") or () if task.get("job_cluster_key") else ():
        if entry.get("job_cluster_key") == task["job_cluster_key"]:
            cluster = entry.get("new_cluster")
    spark = (cluster or {}).get("spark_env_vars") or {}
    try:
        found.update(resolve(spark, context.scope) if context.scope is not None else spark)
    except UnresolvedReference as error:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from None
    return {str(name): str(value) for name, value in found.items()}


def _variables_file(path: Path) -> dict[str, str]:
    """`KEY=VALUE` lines; blank lines and `#` comments do not count."""
    if path.stat().st_size > 1 << 20:
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'The environment file "{path.name}" is larger than 1 MiB')
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        name, equals, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals:
            raise SetupFailed(
                INVALID_RUN_CONFIGURATION, f'Line {number} of the environment file "{path.name}" is not KEY=VALUE'
            )
        found[name.strip()] = value
    return found


def collect(run_dir: Path) -> AttemptValues:
    """Reads what an attempt left. A missing file or folder is an empty one, bad task values are an `error`.

    Raises OSError when the disk cannot be read.
    """
    values, error = _task_values(run_dir / VALUES_OUT)
    return AttemptValues(values, error, list(_outputs(run_dir / OUTPUTS)), _result(run_dir / RESULT))


def _task_values(path: Path) -> tuple[dict[str, Any], str | None]:
    values: dict[str, Any] = {}
    error = None
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return values, None
    for number, line in enumerate(data.split(b"\n"), 1) if data else ():
        if not line.strip():
            continue
        try:
            entry = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or "value" not in entry:
            why = 'is not a JSON object with "key" (text) and "value"'
        elif len(json.dumps(entry["value"], ensure_ascii=False, separators=(",", ":")).encode()) > VALUE_LIMIT:
            why = f'sets "{entry["key"]}" to more than 48 KiB'
        else:
            values[entry["key"]] = entry["value"]
            continue
        error = error or f"Line {number} of $BUNDLECTL_TASK_VALUES_OUT {why}"
    return values, error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _outputs(folder: Path) -> Iterator[dict[str, Any]]:
    """Regular files below a folder, links not followed, sorted by path."""
    found = []
    for at, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(at) / name for name in names]
    for path in sorted(found, key=lambda path: os.fsencode(path.relative_to(folder))):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # a link, a socket, or a file that a stray process of the task has just removed
            continue
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if stat.S_ISREG(about.st_mode):
                digest = sha256_stream(iter(lambda file=file: file.read(_CHUNK), b""))  # type: ignore[misc]
                name = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")
                yield {"path": name, "digest": f"sha256:{digest}", "bytes": about.st_size}


def _result(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
