"""Libraries of a task: from `libraries` and the environment's dependencies to the interpreter that has them.

Called by the Python task types, and by the route that describes the environments of a job. Installing is in
engine.environments.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bundlectl.engine import secrets
from bundlectl.engine.environments import EnvironmentFailed, Environments, Library
from bundlectl.engine.tasks.base import (
    INVALID_RUN_CONFIGURATION,
    LIBRARY_INSTALLATION_ERROR,
    SetupFailed,
    TaskContext,
)
from bundlectl.engine.tasks.paths import code_file, is_built_file

_KINDS: Final = "whl, pypi, requirements"


def interpreter_for(context: TaskContext) -> str:
    """The interpreter of a Python task; its libraries are installed first when they are not yet. Raises SetupFailed."""
    wanted = task_libraries(context)
    if not wanted:
        return context.interpreter
    try:
        return open_environments(context).interpreter(wanted)
    except EnvironmentFailed as error:
        raise SetupFailed(LIBRARY_INSTALLATION_ERROR, str(error)) from error


def open_environments(context: TaskContext) -> Environments:
    """The environments of the context's engine, with the invoker's settings of pip."""
    host = secrets.host_environment() if context.host_environment is None else context.host_environment
    return Environments(context.engine_dir, context.interpreter, secrets.installer(host))


def task_libraries(context: TaskContext) -> list[Library]:
    """What a task wants installed, in a stable order. Raises SetupFailed for what cannot be."""
    found = [_library(context, entry) for entry in context.task.get("libraries") or ()]
    key = context.task.get("environment_key")
    if key is not None:
        found += [_dependency(context, text) for text in _dependencies(context.settings, str(key))]
    return sorted(set(found), key=lambda library: (library.kind, library.text, library.repository or ""))


def _dependencies(settings: Mapping[str, Any], key: str) -> Iterable[str]:
    for entry in settings.get("environments") or ():
        if entry.get("environment_key") == key:
            return (entry.get("spec") or {}).get("dependencies") or ()
    raise SetupFailed(INVALID_RUN_CONFIGURATION, f'The job has no environment "{key}"')


def _library(context: TaskContext, entry: Mapping[str, Any]) -> Library:
    if path := entry.get("whl"):
        return Library("wheel", _file(context, path))
    if path := entry.get("requirements"):
        return Library("requirements_file", _file(context, path))
    package = entry.get("pypi")
    if isinstance(package, Mapping) and package.get("package"):
        return Library("requirement", _plain(str(package["package"])), package.get("repo"))
    kind = next(iter(entry), "")
    raise SetupFailed(
        LIBRARY_INSTALLATION_ERROR,
        f'A library of kind "{kind}" cannot be installed by the embedded engine; known: {_KINDS}',
    )


def _dependency(context: TaskContext, text: str) -> Library:
    """A line of `dependencies`: a requirement, a wheel of the deployed code, or `-r` with a file of it."""
    text = text.strip()
    for option in ("-r ", "--requirement "):
        if text.startswith(option):
            return Library("requirements_file", _file(context, text.removeprefix(option).strip()))
    if text.partition("[")[0].endswith(".whl") and "://" not in text and " @ " not in text:
        return Library("wheel", _file(context, text))
    return Library("requirement", _plain(text))


def _file(context: TaskContext, path: str) -> str:
    plain, bracket, extras = path.partition("[")
    if is_built_file(context, plain):
        return path
    try:
        return str(code_file(context, plain, field="library")) + bracket + extras
    except SetupFailed as failure:
        hint = "; build it before you deploy" if plain.endswith(".whl") else ""
        raise SetupFailed(LIBRARY_INSTALLATION_ERROR, failure.message + hint) from None


def _plain(requirement: str) -> str:
    if not requirement or requirement.startswith("-"):
        raise SetupFailed(LIBRARY_INSTALLATION_ERROR, f'"{requirement}" is an option of pip, not a requirement')
    return requirement
