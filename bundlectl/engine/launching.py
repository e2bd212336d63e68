"""Tasks of runs to processes, and back: scope of references, context of an attempt, what an attempt left.

The Launcher of the scheduler over attempt, values and tasks.control. Reads and writes files of attempts only.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bundlectl.engine import attempt
from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.dispatch import Collected, Condition, Prepared
from bundlectl.engine.files import BadSnapshot, folder_of, log_path
from bundlectl.engine.mounting import mounted, named_file
from bundlectl.engine.nesting import ITERATION_LIMIT, ChildWish
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed, TaskContext
from bundlectl.engine.tasks.control import evaluate_condition
from bundlectl.engine.values import (
    LEGACY_OVERRIDES,
    MISSING,
    Scope,
    TaskFacts,
    UnresolvedReference,
    effective_parameters,
    effective_task,
    override_task,
    pushdown,
    resolve,
    resolve_operand,
    text_of,
)
from bundlectl.model.run import TERMINAL

_TRIGGERS: Mapping[str, str] = {"ONE_TIME": "onetime", "RUN_JOB_TASK": "run_job_task", "PERIODIC": "periodic"}
# Fields of a task that may make its setup slow: something has to be installed first.
_SHOWN = 100  # characters of inputs in a message
_INSTALLS = ("libraries", "environment_key", "python_wheel_task")


class EngineLauncher:
    """See dispatch.Launcher."""

    def __init__(
        self,
        folder: Path,
        *,
        interpreter: str,
        environment: Mapping[str, str],
        workspace_id: str,
        read: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        """`read` gives a connection to the engine's database; without it there are no workspace files."""
        self._folder = folder
        self._read = read
        self._interpreter = interpreter
        self._environment = environment
        self._workspace_id = workspace_id

    def parameters(self, run: ActiveRun) -> dict[str, str]:
        defaults = run.settings.get("parameters") or ()
        try:
            return effective_parameters(defaults, run.overrides, self._scope(run))
        except UnresolvedReference as error:
            raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from error

    def condition(self, run: ActiveRun, task: Task) -> Condition:
        scope = self._scope(run, task)
        body = task.document["condition_task"]
        try:
            left, right = (resolve_operand(body[side], scope) for side in ("left", "right"))
        except UnresolvedReference as error:
            raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from error
        outcome = evaluate_condition(body["op"], left, right)
        resolved = {"condition_task": {"op": body["op"], "left": text_of(left), "right": text_of(right)}}
        return Condition(outcome, json.dumps(resolved))

    def inputs(self, run: ActiveRun, task: Task) -> list[Any]:
        try:
            text = resolve(task.document["for_each_task"].get("inputs"), self._scope(run, task))
        except UnresolvedReference as error:
            raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from error
        return _array(text)

    def child(self, run: ActiveRun, task: Task) -> ChildWish:
        document, resolved = self._effective(run, task, self._scope(run, task))
        body = document["run_job_task"]
        text = str(body.get("job_id"))
        if not (text.isascii() and text.isdecimal() and len(text) < 17):
            raise SetupFailed(INVALID_RUN_CONFIGURATION, f'job_id of the run_job_task is "{text}", which is no id')
        parameters = {str(name): text_of(value) for name, value in (body.get("job_parameters") or {}).items()}
        overriding = {name: body[name] for name in LEGACY_OVERRIDES if body.get(name) is not None}
        return ChildWish(int(text), parameters, overriding, resolved)

    def is_slow(self, run: ActiveRun, task: Task) -> bool:
        installs = any(task.document.get(name) for name in _INSTALLS)
        return installs or (not _has_snapshot(run.settings) and named_file(task.document) is not None)

    def prepare(self, run: ActiveRun, task: Task, name: str) -> Prepared:
        scope = self._scope(run, task)
        document, resolved = self._effective(run, task, scope)
        values = _values_upstream(run, task)
        document, snapshot_dir = self._code(run.settings, document)
        context = TaskContext(
            job_id=str(run.job_id),
            run_id=str(run.id),
            task_run_id=str(task.id),
            task_key=task.key,
            attempt=task.number,
            settings=run.settings,
            task=document,
            parameters=run.parameters or {},
            snapshot_dir=snapshot_dir,
            run_dir=self._run_folder(run.id, name),
            engine_dir=self._folder,
            interpreter=self._interpreter,
            values_in=values,
            scope=scope,
            host_environment=self._environment,
        )
        return Prepared(attempt.prepare(context), resolved, name, values)

    def _effective(self, run: ActiveRun, task: Task, scope: Scope) -> tuple[dict[str, Any], str | None]:
        """What a task starts with; as JSON too when references or overrides changed it. Raises SetupFailed."""
        document = override_task(task.document, run.legacy) if run.legacy else task.document
        if not task.has_references and not run.legacy:
            return pushdown(document, run.parameters or {}), None
        try:
            document = effective_task(document, scope)
        except UnresolvedReference as error:
            raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from error
        return document, json.dumps(document)

    def may_prepare_ahead(self, run: ActiveRun, task: Task) -> bool:
        return not task.has_references and not self.is_slow(run, task)

    def still_holds(self, run: ActiveRun, task: Task, prepared: Prepared) -> bool:
        return bool(prepared.values == _values_upstream(run, task))

    def collect(self, run_id: int, name: str) -> Collected:
        left = attempt.collect(self._run_folder(run_id, name))
        return Collected(left.values, left.error, tuple(left.outputs), left.result)

    def make_room(self, run_id: int) -> None:
        for name in ("logs", "runs"):
            os.makedirs(f"{self._folder}/{name}/{run_id}", mode=0o700, exist_ok=True)

    def log_path(self, run_id: int, attempt_id: int, launch: int) -> str:
        return log_path(self._folder, run_id, attempt_id, launch)

    def _run_folder(self, run_id: int, name: str) -> Path:
        return self._folder / "runs" / str(run_id) / name

    def _code(self, settings: Mapping[str, Any], task: dict[str, Any]) -> tuple[dict[str, Any], Path | None]:
        """The task with the place of its code: the deployed snapshot, else workspace files that it names."""
        path = named_file(task)
        if path is None or self._read is None or _has_snapshot(settings):
            return task, self._snapshot(settings)
        with self._read() as connection:
            found = mounted(self._folder, connection, task, path)
        return found or (task, None)

    def _snapshot(self, settings: Mapping[str, Any]) -> Path | None:
        mark = settings.get("bundlectl")
        digest = mark.get("snapshot") if isinstance(mark, dict) else None
        if digest is None:
            return None
        try:
            place = folder_of(self._folder, str(digest))
        except BadSnapshot as error:
            raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from error
        if not place.is_dir():
            raise SetupFailed(RESOURCE_NOT_FOUND, f"The code {digest} of this job is not here; deploy it again.")
        return place

    def _scope(self, run: ActiveRun, task: Task | None = None) -> Scope:
        facts: dict[str, TaskFacts] = {}
        if task is not None and task.has_references:
            for key in run.graph.upstream(task.anchor):
                if (other := run.tasks[key]).state in TERMINAL:
                    facts[key] = _facts(other)
        return Scope(
            job_id=str(run.job_id),
            job_name=run.name,
            run_id=str(run.id),
            start_ms=run.started,
            repair_count=run.repair_count,
            trigger_ms=run.requested,
            trigger_type=_TRIGGERS.get(run.trigger, run.trigger.lower()),
            parameters=run.parameters or {},
            task_key=None if task is None else task.key,
            task_run_id=None if task is None else str(task.id),
            execution_count=1 if task is None else task.number + 1,
            notebook_path=None if task is None else _notebook(task),
            tasks=facts,
            workspace_id=self._workspace_id,
            input=MISSING if task is None else _input(task),
        )


def _has_snapshot(settings: Mapping[str, Any]) -> bool:
    mark = settings.get("bundlectl")
    return isinstance(mark, dict) and mark.get("snapshot") is not None


def _input(task: Task) -> Any:
    """The element of an iteration."""
    loop = None if task.parent is None else task.parent.loop
    return MISSING if loop is None else loop.inputs[task.index]


def _array(text: Any) -> list[Any]:
    """The inputs of a for_each task. Raises SetupFailed for what is no array of scalars and objects."""
    try:
        found = json.loads(text, parse_constant=_no_constant) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f'inputs of the for_each_task is not JSON: "{shown}"') from None
    if not isinstance(found, list):
        kind = "an object" if isinstance(found, dict) else "a single value"
        raise SetupFailed(INVALID_RUN_CONFIGURATION, f"inputs of the for_each_task is {kind}, not a JSON array")
    if len(found) > ITERATION_LIMIT:
        text = f"inputs of the for_each_task has {len(found)} elements; at most {ITERATION_LIMIT} are possible"
        raise SetupFailed(INVALID_RUN_CONFIGURATION, text)
    for index, item in enumerate(found):
        if isinstance(item, list):
            text = f"element {index} of the inputs is an array; elements are single values or objects"
            raise SetupFailed(INVALID_RUN_CONFIGURATION, text)
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _facts(task: Task) -> TaskFacts:
    output = task.output if isinstance(task.output, dict) else {}
    return TaskFacts(
        run_id=str(task.id),
        execution_count=task.number + 1,
        notebook_path=_notebook(task),
        result=None if task.result is None else task.result.value,
        error_code=task.code,
        values=task.values,
        rows=output.get("rows"),
    )


def _notebook(task: Task) -> str | None:
    body = task.document.get("notebook_task")
    return body.get("notebook_path") if isinstance(body, dict) else None


def _values_upstream(run: ActiveRun, task: Task) -> dict[str, dict[str, Any]]:
    """Task values of what is upstream; most runs have none, and then nothing is walked."""
    if not run.has_values:
        return {}
    above = run.graph.upstream(task.anchor)
    return {key: run.tasks[key].values for key in sorted(above) if run.tasks[key].values}
