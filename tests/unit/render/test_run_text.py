"""Runs and manifests as text, against the layout of the specification."""

from dataclasses import replace
from typing import Any

from bundlectl.model.run import LifeCycle, Result, Run, TaskRun
from bundlectl.render.run_text import (
    RunLine,
    manifest_text,
    run_ended,
    run_going_on,
    run_started,
    run_text,
    runs_text,
    task_table,
)

T0 = 1_795_000_000_000


def _task(key: str, result: Result | None, start: int, end: int, **members: Any) -> TaskRun:
    values: dict[str, Any] = {"run_id": key, "attempt": 0, "message": "", **members}
    state = LifeCycle.TERMINATED if end or result else LifeCycle.RUNNING
    return TaskRun(task_key=key, state=state, result=result, start_ms=start, end_ms=end, **values)


RUN = Run(
    run_id="77120",
    job_id="1",
    name="etl",
    state=LifeCycle.TERMINATED,
    result=Result.FAILED,
    message="",
    queued_ms=T0,
    start_ms=T0,
    end_ms=T0 + 15_400,
    trigger="MANUAL",
    creator="ann@acme.example",
    parameters={"day": "2026-11-23"},
    tasks=(
        _task("extract", Result.SUCCESS, T0, T0 + 12_100),
        _task("transform", Result.FAILED, T0, T0 + 1_000, extra={"exit_code": 1}),
        _task("transform", Result.FAILED, T0, T0 + 3_000, attempt=1, extra={"exit_code": 1}),
        _task("load", Result.UPSTREAM_FAILED, 0, 0),
    ),
)
TABLE = """\
extract    SUCCESS          12.1s
transform  FAILED           3.0s   attempt 2 of 2   exit status 1
load       UPSTREAM_FAILED
"""


def test_the_layout_of_a_run() -> None:
    assert run_started("etl", "77120", "c1cfe67" + "0" * 33, "sha256:5e0f19ab" + "0" * 56) == (
        "jobs.etl run 77120   c1cfe67  snapshot 5e0f19ab\n"
    )
    assert task_table(RUN) == TABLE
    assert run_ended(RUN) == "Run FAILED after 15.4s. Logs: bundlectl runs logs 77120 --task transform\n"


def test_a_good_run_ends_shortly() -> None:
    assert run_ended(replace(RUN, result=Result.SUCCESS, tasks=RUN.tasks[:1])) == "Run SUCCESS after 15.4s.\n"


def test_why_a_task_did_not_end_well() -> None:
    tasks = (
        _task("a", Result.FAILED, T0, T0 + 1, message="cannot import\nname"),
        _task("b", Result.FAILED, T0, T0 + 1, extra={"signal": "SIGKILL"}),
        _task("c", Result.SUCCESS, T0, T0 + 1, outcome="true"),
        _task("d", Result.FAILED, T0, T0 + 1, lost=True),
        _task("e", None, T0, 0),
    )
    lines = task_table(replace(RUN, tasks=tasks)).splitlines()
    assert "cannot import\\nname" in lines[0]
    assert "signal SIGKILL" in lines[1]
    assert "SUCCESS (true)" in lines[2]
    assert "lost: its outcome is unknown" in lines[3]
    assert lines[4] == "e  RUNNING"


def test_one_run_in_full() -> None:
    text = run_text(RUN, key="etl", commit="c1cfe67", snapshot=None)
    assert text.splitlines()[:3] == [
        "jobs.etl run 77120   c1cfe67",
        "started 2026-11-18 11:06Z, manual by ann@acme.example",
        'parameters day="2026-11-23"',
    ]
    assert TABLE in text
    going = replace(RUN, state=LifeCycle.QUEUED, result=None, queue_reason="another run is active")
    assert "waiting: another run is active\n" in run_text(going, key=None, commit=None, snapshot=None)
    assert run_going_on(going) == "Run 77120 is queued and goes on. Follow it: bundlectl runs get 77120\n"


def test_the_list_of_runs() -> None:
    text = runs_text([RunLine(RUN, "etl", "c1cfe67" + "0" * 33)])
    assert text == (
        "run    job  state  result  started            took   commit   by\n"
        "77120  etl  done   FAILED  2026-11-18 11:06Z  15.4s  c1cfe67  ann@acme.example\n"
    )
    assert runs_text([]) == "No runs yet. Start one: bundlectl run JOB\n"


MANIFEST: dict[str, Any] = {
    "format": "bundlectl.run-manifest/v1",
    "inputs": {
        "bundle": "sales",
        "job": "resources.jobs.etl",
        "target": "prod",
        "source": {"commit": "c1cf" * 10, "tree": "8a41" * 10, "dirty": True},
        "snapshot": "sha256:5e",
        "spec": {"digest": "sha256:aa", "document": {}},
        "parameters": [{"name": "day", "value": "x\x1b", "origin": "run"}],
        "environment": [{"key": "default", "python": "3.12.7", "packages": [{"name": "pandas"}]}],
        "engine": {"kind": "local", "version": "0.1.0"},
        "deployment": {"serial": 42, "id": "0198"},
    },
    "inputs_digest": "sha256:ff",
    "outcome": {
        "run_id": "77120",
        "result_state": "FAILED",
        "started": "2026-11-18T11:06:40Z",
        "ended": "2026-11-18T11:07:00Z",
        "tasks": [
            {
                "task_key": "transform",
                "result_state": "FAILED",
                "attempts": [{"exit_code": 1}, {"exit_code": 1}],
                "outputs": [{"path": "out/rows.csv", "digest": "sha256:bb"}],
            }
        ],
    },
}


def test_a_manifest_begins_with_the_commit() -> None:
    lines = manifest_text(MANIFEST).splitlines()
    assert lines[0] == f"commit       {'c1cf' * 10}  dirty: the working tree differed from it"
    assert "job          jobs.etl of sales, target prod" in lines
    assert "run          77120" in lines
    assert "deployment   42  0198" in lines
    assert 'parameters   day = "x\\u001b"  (run)' in lines
    assert "environment  default  python 3.12.7  1 package" in lines
    assert "outcome      FAILED  2026-11-18 11:06Z to 2026-11-18 11:07Z" in lines
    assert "  transform  FAILED  2 attempts   exit status 1" in lines
    assert lines[-1] == "  transform  out/rows.csv  sha256:bb"


def test_a_manifest_of_a_run_that_has_not_ended_and_a_foreign_one() -> None:
    assert manifest_text({"inputs": MANIFEST["inputs"]}).endswith("outcome      none yet\n")
    assert manifest_text({"inputs": 7, "outcome": []}).startswith("commit       none\n")
