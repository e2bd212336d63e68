"""From a task of a run to what is started: references, upstream values, code, and what is prepared ahead."""

from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.active import ActiveRun, Task
from bundlectl.engine.dag import build_graph
from bundlectl.engine.launching import EngineLauncher
from bundlectl.engine.tasks.base import SetupFailed
from bundlectl.model.run import LifeCycle, Result


def _run(*tasks: dict[str, Any], **settings: Any) -> ActiveRun:
    whole = {"name": "etl", "tasks": list(tasks), **settings}
    run = ActiveRun(7, 3, "etl", whole, build_graph(list(tasks)))
    run.parameters, run.started, run.requested = {"day": "2"}, 1_767_225_600_000, 1_767_225_600_000
    for number, document in enumerate(tasks, 10):
        run.tasks[document["task_key"]] = Task(document, number, 0, number, LifeCycle.BLOCKED)
    return run


def _task(key: str, *after: str, command: list[str] | None = None, **more: Any) -> dict[str, Any]:
    edges = [{"task_key": parent} for parent in after]
    return {"task_key": key, "depends_on": edges, "shell_task": {"command": command or ["true"]}, **more}


def _ended(run: ActiveRun, key: str, **values: Any) -> None:
    task = run.tasks[key]
    task.state, task.result, task.code, task.values = LifeCycle.TERMINATED, Result.SUCCESS, "SUCCESS", values
    run.has_values = run.has_values or bool(values)


@pytest.fixture
def launcher(tmp_path: Path) -> EngineLauncher:
    return EngineLauncher(
        tmp_path, interpreter="/usr/bin/python3", environment={"PATH": "/usr/bin:/bin"}, workspace_id="w"
    )


def test_references_are_resolved_and_kept(launcher: EngineLauncher) -> None:
    command = ["echo", "{{job.parameters.day}} {{tasks.a.values.n}} {{job.run_id}} {{task.run_id}} {{workspace.id}}"]
    run = _run(_task("a"), _task("b", "a", command=command))
    _ended(run, "a", n=5)
    prepared = launcher.prepare(run, run.tasks["b"], "11-1")
    assert prepared.spec.argv[1:] == ("2 5 7 11 w",)
    assert prepared.resolved is not None and "2 5 7 11 w" in prepared.resolved


def test_a_reference_without_a_value_says_which(launcher: EngineLauncher) -> None:
    run = _run(_task("a", command=["echo", "{{tasks.b.values.n}}"]), _task("b"))
    with pytest.raises(SetupFailed) as caught:
        launcher.prepare(run, run.tasks["a"], "10-1")
    assert caught.value.code == "INVALID_RUN_CONFIGURATION"
    assert "tasks.b.values.n" in caught.value.message


def test_parameters_of_a_run(launcher: EngineLauncher) -> None:
    run = _run(parameters=[{"name": "day", "default": "{{job.start_time.iso_date}}"}, {"name": "k", "default": "v"}])
    run.overrides = {"k": "x", "more": "{{job.id}}"}
    assert launcher.parameters(run) == {"day": "2026-01-01", "k": "x", "more": "3"}
    run.overrides = {"k": "{{tasks.a.values.x}}"}
    with pytest.raises(SetupFailed):
        launcher.parameters(run)


def test_code_that_is_not_there(launcher: EngineLauncher, tmp_path: Path) -> None:
    digest = "sha256:" + "a" * 64
    run = _run(_task("a"), bundlectl={"snapshot": digest})
    with pytest.raises(SetupFailed) as caught:
        launcher.prepare(run, run.tasks["a"], "10-1")
    assert (caught.value.code, digest in caught.value.message) == ("RESOURCE_NOT_FOUND", True)
    place = tmp_path / "snapshots" / ("a" * 64)
    place.mkdir(parents=True)
    prepared = launcher.prepare(run, run.tasks["a"], "10-1")
    assert prepared.spec.folder == str(place)
    assert prepared.spec.environment["BUNDLECTL_SNAPSHOT_DIR"] == str(place)


def test_what_was_prepared_ahead_holds_until_upstream_sets_a_value(launcher: EngineLauncher) -> None:
    run = _run(
        _task("a"), _task("b", "a"), _task("c", command=["{{job.id}}"]), _task("d", libraries=[{"whl": "x.whl"}])
    )
    assert [launcher.may_prepare_ahead(run, run.tasks[key]) for key in "bcd"] == [True, False, False]
    prepared = launcher.prepare(run, run.tasks["b"], "11-1")
    assert launcher.still_holds(run, run.tasks["b"], prepared)
    _ended(run, "a", n=1)
    assert not launcher.still_holds(run, run.tasks["b"], prepared)


def test_what_installs_something_is_slow(launcher: EngineLauncher) -> None:
    wheel = {"task_key": "w", "python_wheel_task": {"package_name": "p", "entry_point": "e"}}
    run = _run(_task("a"), _task("b", environment_key="e"), wheel)
    assert [launcher.is_slow(run, run.tasks[key]) for key in "abw"] == [False, True, True]


def test_old_overrides_reach_their_task_type(launcher: EngineLauncher) -> None:
    file = {"task_key": "p", "spark_python_task": {"python_file": "main.py", "parameters": ["old"]}}
    run = _run(file)
    run.legacy = {"python_params": ["new"]}
    with pytest.raises(SetupFailed):  # there is no such file; what matters is what was asked for
        launcher.prepare(run, run.tasks["p"], "10-1")
    run.legacy = {"python_params": ["{{job.nonsense}}"]}
    with pytest.raises(SetupFailed) as caught:
        launcher.prepare(run, run.tasks["p"], "10-1")
    assert "job.nonsense" in caught.value.message
