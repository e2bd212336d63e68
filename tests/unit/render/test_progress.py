"""Events on a terminal, as lines, and as JSON lines."""

import io
import json
from dataclasses import replace
from typing import Any

from bundlectl.base.clock import FrozenClock
from bundlectl.model.events import (
    ApplyFinished,
    ApplyStarted,
    LockWaiting,
    Notice,
    RunProgress,
    StageStarted,
    TaskOutput,
)
from bundlectl.model.run import LifeCycle, Result, Run, TaskRun
from bundlectl.render.console import Console
from bundlectl.render.json_lines import JsonLines
from bundlectl.render.progress import LiveProgress, PlainProgress

ADDRESS = "resources.jobs.etl"


def _task(key: str, state: LifeCycle, result: Result | None = None, **members: Any) -> TaskRun:
    values: dict[str, Any] = {"run_id": key, "attempt": 0, "message": "", "start_ms": 0, "end_ms": 0, **members}
    return TaskRun(task_key=key, state=state, result=result, **values)


RUN = Run(
    run_id="7",
    job_id="1",
    name="etl",
    state=LifeCycle.RUNNING,
    result=None,
    message="",
    queued_ms=1,
    start_ms=1,
    end_ms=0,
    trigger="MANUAL",
    creator="ann",
    tasks=(_task("t", LifeCycle.RUNNING, start_ms=1),),
)
ENDED = replace(
    RUN,
    state=LifeCycle.TERMINATED,
    result=Result.FAILED,
    end_ms=2001,
    tasks=(_task("t", LifeCycle.TERMINATED, Result.FAILED, start_ms=1, end_ms=1001, message="exit \x1b"),),
)
EVENTS = (
    StageStarted("apply", "applying 2 changes"),
    ApplyStarted(ADDRESS, "update"),
    ApplyFinished(ADDRESS, "update", "done", 412),
    ApplyFinished("resources.jobs.x", "create", "failed", 3, error="no\x1b[2J"),
    ApplyFinished("resources.jobs.y", "create", "not_started", 0, error="stopped"),
    LockWaiting("ann", 40_000, "https://ci/8812"),
    RunProgress(ADDRESS, RUN),
    RunProgress(ADDRESS, RUN),
    TaskOutput("t", 0, "one\n::error::two\n"),
    RunProgress(ADDRESS, ENDED),
    Notice("recorded"),
)


def test_a_line_per_event_with_time() -> None:
    err = io.StringIO()
    sink = PlainProgress(Console(io.StringIO(), err), FrozenClock())
    for event in EVENTS:
        sink(event)
    lines = err.getvalue().splitlines()
    assert all(line.startswith("00:00:00Z ") for line in lines)
    assert [line[10:] for line in lines] == [
        "applying 2 changes",
        "jobs.etl: update",
        "jobs.etl: updated (0.4s)",
        "jobs.x: create failed: no\\x1b[2J",
        "jobs.y: create not started: stopped",
        "waiting: ann is deploying since 40.0s (https://ci/8812)",
        "jobs.etl run 7: RUNNING",
        "t: RUNNING",
        "t | one",
        "t | ::error::two",
        "t: FAILED after 1.0s: exit \\x1b",
        "jobs.etl run 7: FAILED after 2.0s",
        "recorded",
    ]


def test_a_line_when_nothing_was_said_for_thirty_seconds() -> None:
    err, clock = io.StringIO(), FrozenClock()
    sink = PlainProgress(Console(io.StringIO(), err), clock)
    sink(RunProgress(ADDRESS, RUN))
    said = len(err.getvalue().splitlines())
    clock.advance(29)
    sink.still_there()
    assert len(err.getvalue().splitlines()) == said
    clock.advance(1)
    sink.still_there()
    sink.still_there()
    assert err.getvalue().splitlines()[said:] == ["00:00:30Z still running t after 30.0s"]
    clock.advance(60)
    with sink.paused():
        sink.still_there()
    sink.still_there()
    assert len(err.getvalue().splitlines()) == said + 1


def test_quiet_has_no_progress_and_the_watcher_ends_with_its_block() -> None:
    err = io.StringIO()
    with PlainProgress(Console(io.StringIO(), err, quiet=1), FrozenClock()) as sink:
        sink(EVENTS[0])
    assert err.getvalue() == ""


def test_json_lines_begin_with_the_version_and_end_with_the_result() -> None:
    out = io.StringIO()
    with JsonLines(Console(out, io.StringIO(), in_ci=True), FrozenClock(), "0.1.0") as sink:
        for event in EVENTS:
            sink(event)
        sink.diagnostic({"severity": "warning", "summary": "s"})
        sink.entry("planned_change", {"address": ADDRESS, "action": "update"})
        sink.summary({"create": 1, "update": 0})
        sink.result(3, {"format": "bundlectl.deploy/v1"})
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["type"] for line in lines] == [
        "version",
        "stage_start",
        "apply_start",
        "apply_complete",
        "apply_errored",
        "apply_skipped",
        "lock_wait",
        "run_state",
        "task_state",
        "task_log",
        "task_state",
        "run_state",
        "notice",
        "diagnostic",
        "planned_change",
        "change_summary",
        "stage_end",
        "result",
    ]
    assert lines[0]["format"] == "bundlectl.events/v1"
    assert lines[3]["@message"] == "jobs.etl: updated"
    assert lines[3]["elapsed_ms"] == 412
    assert lines[9]["lines"] == ["one", "::error::two"]
    assert (lines[-1]["exit_code"], lines[-1]["result"]["format"]) == (3, "bundlectl.deploy/v1")
    assert all({"@timestamp", "@level", "@message"} <= line.keys() for line in lines)
    assert "\x1b" not in out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _picture(sink: LiveProgress) -> str:
    from rich.console import Console as RichConsole

    out = io.StringIO()
    RichConsole(file=out, width=100, no_color=True).print(sink.picture())
    return out.getvalue()


def test_the_live_table_shows_steps_and_stops_counting_at_their_end() -> None:
    clock = FrozenClock()
    sink = LiveProgress(Console(io.StringIO(), Terminal()), clock)
    sink(EVENTS[0])
    sink(EVENTS[1])
    clock.advance(2)
    assert "applying 2 changes" in _picture(sink)
    assert "2.0s" in _picture(sink)
    sink(EVENTS[2])
    clock.advance(60)
    assert "updated" in _picture(sink)
    assert "2.0s" in _picture(sink)
    sink(RunProgress(ADDRESS, RUN))
    sink(RunProgress(ADDRESS, ENDED))
    clock.advance(60)
    picture = _picture(sink)
    assert "etl run 7: FAILED" in picture
    assert "1.0s" in picture


def test_the_live_table_lets_no_foreign_escape_through() -> None:
    err = Terminal()
    with LiveProgress(Console(io.StringIO(), err), FrozenClock()) as sink:
        sink(TaskOutput("t", 0, "\x1b]0;title\x07\n"))
        with sink.paused():
            sink(Notice("while asking"))
    assert "t | \\x1b]0;title\\x07" in err.getvalue()
    assert "\x1b]0" not in err.getvalue()
    assert "while asking" in err.getvalue()
