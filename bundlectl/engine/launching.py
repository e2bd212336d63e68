"""Tasks of runs to processes, and back: scope of references, context of an attempt, what an attempt left.

The Launcher of the scheduler over attempt, values and tasks.control. Reads and writes files of attempts only.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundlectl.engine import attempt
from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.dispatch import Collected, Condition, Prepared
from bundlectl.engine.files import BadSnapshot, folder_of, log_path
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed, TaskContext
from bundlectl.engine.tasks.control import evaluate_condition
from bundlectl.engine.values import (
    Scope,
    TaskFacts,
    UnresolvedReference,
    effective_parameters,
    effective_task,
    override_task,
    pushdown,
    resolve_operand,
    text_of,
)
from bundlectl.model.run import TERMINAL

_TRIGGERS: Mapping[str, str] = {"ONE_TIME": "onetime", "RUN_JOB_TASK": "run_job_task", "PERIODIC": "periodic"}
# Fields of a task that may make its setup slow: something has to be installed first.
_INSTALLS = ("libraries", "environment_key", "python_wheel_task")


class EngineLauncher:
    """See dispatch.Launcher."""

    def __init__(self, folder: Path, *, interpreter: str, environment: Mapping[str, str], workspace_id: str) -> None:
        self._folder = folder
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

    def is_slow(self, run: ActiveRun, task: Task) -> bool:
        return any(task.document.get(name) for name in _INSTALLS)

    def prepare(self, run: ActiveRun, task: Task, name: str) -> Prepared:
        document, resolved = override_task(task.document, run.legacy) if run.legacy else task.document, None
        parameters = run.parameters or {}
        scope = self._scope(run, task)
        if task.has_references or run.legacy:
            try:
                document = effective_task(document, scope)
            except UnresolvedReference as error:
                raise SetupFailed(INVALID_RUN_CONFIGURATION, str(error)) from error
            resolved = json.dumps(document)
        else:
            document = pushdown(document, parameters)
        values = _values_upstream(run, task)
        context = TaskContext(
            job_id=str(run.job_id),
            run_id=str(run.id),
            task_run_id=str(task.id),
            task_key=task.key,
            attempt=task.number,
            settings=run.settings,
            task=document,
            parameters=parameters,
            snapshot_dir=self._snapshot(run.settings),
            run_dir=self._run_folder(run.id, name),
            engine_dir=self._folder,
            interpreter=self._interpreter,
            values_in=values,
            scope=scope,
            host_environment=self._environment,
        )
        return Prepared(attempt.prepare(context), resolved, name, values)

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
            for key in run.graph.upstream(task.key):
                if (other := run.tasks[key]).state in TERMINAL:
                    facts[key] = _facts(other)
        return Scope(
            job_id=str(run.job_id),
            job_name=run.name,
            run_id=str(run.id),
            start_ms=run.started,
            trigger_ms=run.requested,
            trigger_type=_TRIGGERS.get(run.trigger, run.trigger.lower()),
            parameters=run.parameters or {},
            task_key=None if task is None else task.key,
            task_run_id=None if task is None else str(task.id),
            execution_count=1 if task is None else task.number + 1,
            notebook_path=None if task is None else _notebook(task),
            tasks=facts,
            workspace_id=self._workspace_id,
        )


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
    above = run.graph.upstream(task.key)
    return {key: run.tasks[key].values for key in sorted(above) if run.tasks[key].values}
