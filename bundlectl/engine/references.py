"""Grammar of dynamic references: which text is one, which names exist, where they count, the check (jobs.md 3.10).

Pure. Called by engine.values (which gives references their values), engine.dag, and engine.api.jobs for the check.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

_SEGMENT: Final = r"(?:[A-Za-z0-9_-]+|`[^`{}]+`|\[[^\[\]{}]+\])"
# One reference. Anything that does not match stays as it is written.
REFERENCE: Final = re.compile(rf"\{{\{{\s*(?P<path>{_SEGMENT}(?:\.{_SEGMENT})*)\s*\}}\}}")
_STEP: Final = re.compile(_SEGMENT)

TIMES: Final = frozenset(
    [
        "iso_weekday",
        "is_weekday",
        "iso_date",
        "iso_datetime",
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "timestamp_ms",
    ]
)
# Old spellings, without a namespace.
LEGACY: Final = frozenset(
    ["job_id", "run_id", "parent_run_id", "task_key", "start_date", "start_time", "task_retry_count"]
)
# Members of each namespace as steps: `?` is any name, `*` any number of further names, `<t>` a form of a time.
MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "job": (
        "id",
        "name",
        "run_id",
        "repair_count",
        "start_time <t>",
        "trigger time <t>",
        "trigger type",
        "trigger file_arrival location",
        "trigger table_update updated_tables",
        "trigger table_update ? version",
        "trigger table_update ? commit_timestamp <t>",
        "parameters ?",
    ),
    "task": ("name", "run_id", "execution_count", "notebook_path"),
    "tasks": (
        "? run_id",
        "? execution_count",
        "? notebook_path",
        "? result_state",
        "? error_code",
        "? values ? *",
        "? output rows",
        "? output first_row",
        "? output first_row ?",
    ),
    "workspace": ("id", "url"),
    "backfill": ("<t>",),
    "input": ("*",),
}
# Members of a task type in which references count.
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "notebook_task": ("notebook_path", "base_parameters"),
    "spark_python_task": ("python_file", "parameters"),
    "python_wheel_task": ("package_name", "entry_point", "parameters", "named_parameters"),
    "spark_jar_task": ("parameters",),
    "spark_submit_task": ("parameters",),
    "sql_task": ("file", "parameters"),
    "dbt_task": ("commands",),
    "run_job_task": (
        "job_parameters",
        "notebook_params",
        "python_params",
        "python_named_params",
        "jar_params",
        "spark_submit_params",
        "sql_params",
        "dbt_commands",
        "pipeline_params",
    ),
    "condition_task": ("left", "right"),
    "for_each_task": ("inputs",),
    "python_operator_task": ("parameters",),
    "shell_task": ("command", "working_directory"),
}


def split_path(path: str) -> list[str]:
    """The names of a reference, without their quotes."""
    return [step[1:-1] if step[0] in "`[" else step for step in _STEP.findall(path)]


def is_known(path: Sequence[str]) -> bool:
    """Whether the first name is a namespace; text of any other is left alone."""
    return path[0] in MEMBERS or (len(path) == 1 and path[0] in LEGACY)


def invalid_because(path: Sequence[str]) -> str | None:
    """Why a reference of a known namespace can never have a value, or None when it is well formed."""
    head, *rest = path
    if head not in MEMBERS or any(_matches(member.split(), rest) for member in MEMBERS[head]):
        return None
    if head == "job" and rest[:1] == ["parameters"] and len(rest) > 2:
        return f"a parameter name with a dot is quoted: {{{{job.parameters.`{'.'.join(rest[1:])}`}}}}"
    return f'"{head}" has no member "{".".join(rest)}"' if rest else f'"{head}" alone names no value'


def _matches(member: Sequence[str], path: Sequence[str]) -> bool:
    for index, step in enumerate(member):
        if step == "*":
            return True
        if index >= len(path):
            return False
        if step == "<t>":
            if path[index] not in TIMES:
                return False
        elif step not in ("?", path[index]):
            return False
    return len(path) == len(member)


def places(task: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Task types of a task with those of their members that are given and in which references count.

    The command line of a shell is not one of them: a pasted value would be shell code.
    """
    for kind, members in PLACES.items():
        body = task.get(kind)
        if isinstance(body, Mapping):
            yield (
                kind,
                tuple(
                    member
                    for member in members
                    if body.get(member) is not None and not (member == "command" and isinstance(body[member], str))
                ),
            )


def references(value: Any) -> Iterator[tuple[str, list[str]]]:
    """Every reference in the strings of a JSON value (not in keys), as written and split, known namespaces only."""
    if isinstance(value, str):
        for match in REFERENCE.finditer(value) if "{{" in value else ():
            path = split_path(match["path"])
            if is_known(path):
                yield match[0], path
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def referenced_tasks(value: Any) -> frozenset[str]:
    """Keys of the tasks that the references in a value name."""
    return frozenset(path[1] for _, path in references(value) if path[0] == "tasks" and len(path) > 1)


def parameter_variable(name: str) -> str:
    """The environment variable that carries a job parameter: BUNDLECTL_PARAM_<name>."""
    return "BUNDLECTL_PARAM_" + "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)


def check_references(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the references of a job, one message each; empty when nothing is. Called at create."""
    found: list[str] = []
    for item in settings.get("parameters") or ():
        found += _invalid(item.get("default"), f'job parameter "{item.get("name")}"', nested=False)
    shell = False
    for task in settings.get("tasks") or ():
        where = f'task "{task.get("task_key")}"'
        found += _check_task(task, where, nested=False)
        inner = (task.get("for_each_task") or {}).get("task") or {}
        found += _check_task(inner, f"nested task of {where}", nested=True)
        shell = shell or "shell_task" in task or "shell_task" in inner
    return found + (_collisions(settings.get("parameters") or ()) if shell else [])


def _check_task(task: Mapping[str, Any], where: str, *, nested: bool) -> list[str]:
    found: list[str] = []
    for kind, members in places(task):
        for member in members:
            found += _invalid(task[kind][member], f"{where}, {kind}.{member}", nested=nested)
    command = (task.get("shell_task") or {}).get("command")
    if isinstance(command, str):
        found += [
            f'{where}: "{reference}" inside a shell command line would become shell code; write the command as a list, '
            "or read $BUNDLECTL_PARAM_<name>"
            for reference, _ in references(command)
        ]
    return found


def _invalid(value: Any, where: str, *, nested: bool) -> list[str]:
    found = []
    for reference, path in references(value):
        why = invalid_because(path)
        if why is None and path[0] == "input" and not nested:
            why = "it exists only in the nested task of a for_each_task"
        if why is not None:
            found.append(f'{where}: the reference "{reference}" is invalid: {why}')
    return found


def _collisions(parameters: Iterable[Mapping[str, Any]]) -> list[str]:
    names: dict[str, str] = {}
    found = []
    for item in parameters:
        name = str(item.get("name"))
        other = names.setdefault(parameter_variable(name), name)
        if other != name:
            found.append(
                f'job parameters "{other}" and "{name}" would both be ${parameter_variable(name)} in the environment '
                "of a shell_task; rename one"
            )
    return found
