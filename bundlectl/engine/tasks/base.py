"""What a task type is given and what it returns: TaskContext in, LaunchSpec out. Also the one way to refuse a start.

Used by engine.attempt and every module of engine.tasks. Starts nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from bundlectl.engine.values import Scope

# Termination codes of a task that could not be set up.
RESOURCE_NOT_FOUND: Final = "RESOURCE_NOT_FOUND"
LIBRARY_INSTALLATION_ERROR: Final = "LIBRARY_INSTALLATION_ERROR"
INVALID_RUN_CONFIGURATION: Final = "INVALID_RUN_CONFIGURATION"
FEATURE_DISABLED: Final = "FEATURE_DISABLED"

OUTPUTS: Final = "outputs"  # folder in the run folder of an attempt; what is left there is kept with a digest


class SetupFailed(Exception):
    """A task cannot be started: INTERNAL_ERROR / FAILED with this termination code and message, no process."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class LaunchSpec(NamedTuple):
    """What the worker starts: argument vector, complete environment, working directory."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """Everything that one attempt needs to know. Made by the scheduler."""

    job_id: str
    run_id: str  # of the job run
    task_run_id: str  # of this attempt
    task_key: str
    attempt: int  # 0, 1, 2, ...
    settings: Mapping[str, Any]  # of the job, as received
    task: Mapping[str, Any]  # references already resolved, job parameters pushed down (values.effective_task)
    parameters: Mapping[str, str]  # effective job parameters
    snapshot_dir: Path | None  # root of the run's snapshot on disk, read-only; None for a job without code
    run_dir: Path  # of the attempt; created by attempt.prepare
    engine_dir: Path
    interpreter: str  # that runs tasks without an environment of their own
    values_in: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # task values of finished tasks upstream
    scope: Scope | None = None  # resolves references in Spark environment variables; None leaves them as they are
    host_environment: Mapping[str, str] | None = None  # of the engine; None reads it. Only an allow-list is passed on
    strict_warehouses: bool = False  # an unmapped warehouse_id is refused instead of using the engine's own database


# Turns a context into argument vector and folder; the environment is the one made by engine.attempt, changed or not.
Preparer = Callable[[TaskContext, Mapping[str, str]], LaunchSpec]
