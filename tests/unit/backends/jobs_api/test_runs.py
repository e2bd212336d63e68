"""Run documents of the specification -> Run, and documents that cannot be used."""

import copy
from typing import Any

import pytest

from bundlectl.backends.jobs_api.runs import run_of
from bundlectl.model.errors import BackendError
from bundlectl.model.run import LifeCycle, Result

DOCUMENT: dict[str, Any] = {
    "job_id": 11,
    "run_id": 99,
    "creator_user_name": "ann@example.com",
    "run_name": "etl",
    "trigger": "ONE_TIME",
    "start_time": 1767225600500,
    "end_time": 1767225661000,
    "queue_duration": 500,
    "state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": "Task extract failed"},
    "job_parameters": [{"name": "day", "default": "2026-01-01", "value": "2026-02-01"}, {"name": "m", "default": "x"}],
    "tasks": [
        {
            "run_id": 100,
            "task_key": "extract",
            "attempt_number": 0,
            "start_time": 1767225600000,
            "end_time": 1767225660000,
            "spark_python_task": {"python_file": "/Workspace/b/extract.py"},
            "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED", "state_message": "Workload failed"},
            "bundlectl": {"exit_code": 1},
        },
        {
            "run_id": 102,
            "task_key": "extract",
            "attempt_number": 1,
            "state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": "unknown"},
            "bundlectl": {"outcome": "lost"},
        },
        {
            "run_id": 101,
            "task_key": "gate",
            "depends_on": [{"task_key": "extract", "outcome": "true"}],
            "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1", "outcome": "true"},
            "state": {"life_cycle_state": "BLOCKED", "state_message": ""},
        },
    ],
}


def test_run() -> None:
    run = run_of(DOCUMENT)
    assert (run.run_id, run.job_id, run.name, run.trigger, run.creator) == (
        "99",
        "11",
        "etl",
        "ONE_TIME",
        "ann@example.com",
    )
    assert (run.state, run.result, run.message) == (LifeCycle.INTERNAL_ERROR, Result.FAILED, "Task extract failed")
    assert (run.queued_ms, run.start_ms, run.end_ms) == (1767225600000, 1767225600500, 1767225661000)
    assert run.parameters == {"day": "2026-02-01", "m": "x"}
    assert run.is_terminal


def test_tasks_keep_every_attempt() -> None:
    run = run_of(DOCUMENT)
    assert [(task.task_key, task.attempt, task.lost) for task in run.tasks] == [
        ("extract", 0, False),
        ("extract", 1, True),
        ("gate", 0, False),
    ]
    first, _, gate = run.tasks
    assert (first.kind, first.extra, first.result) == ("spark_python_task", {"exit_code": 1}, Result.FAILED)
    assert (gate.kind, gate.outcome, gate.depends_on, gate.result) == ("condition_task", "true", ("extract",), None)
    assert run.latest()["extract"].run_id == "102"


def test_a_listed_run_has_no_tasks() -> None:
    listed = {"run_id": 7, "state": {"life_cycle_state": "QUEUED", "queue_reason": "limit", "state_message": ""}}
    run = run_of(listed)
    assert (run.tasks, run.job_id, run.queue_reason, run.end_ms) == ((), None, "limit", 0)


BAD: list[tuple[tuple[Any, ...], Any, str]] = [
    (("run_id",), None, "run_id"),
    (("run_id",), "x", "run_id"),
    (("run_id",), True, "run_id"),
    (("state",), None, "state"),
    (("state", "life_cycle_state"), None, "life_cycle_state"),
    (("state", "life_cycle_state"), "SLEEPING", 'known life_cycle_state: "SLEEPING"'),
    (("state", "result_state"), "FINE", 'known result_state: "FINE"'),
    (("start_time",), "soon", "start_time"),
    (("run_name",), 3, "run_name"),
    (("tasks",), {}, "tasks"),
    (("tasks", 0), 3, "tasks"),
    (("tasks", 0, "task_key"), None, "task_key"),
    (("tasks", 0, "attempt_number"), "1", "attempt_number"),
    (("tasks", 2, "depends_on"), [{}], "depends_on"),
    (("job_parameters",), [3], "job_parameters"),
]


@pytest.mark.parametrize(("path", "value", "missing"), BAD)
def test_what_cannot_be_used_is_named(path: tuple[Any, ...], value: Any, missing: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(BackendError) as caught:
        run_of(document)
    assert (caught.value.code, caught.value.summary) == ("BND707", f"answer has no {missing}")
