"""Hostile names, messages and logs through every text renderer and sink: no escape, no bidi trick, no CI command.

Security S10 and S11.
"""

import io
import json
import re
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.bundle import Bundle, Target
from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.errors import BackendError
from bundlectl.model.events import (
    ApplyFinished,
    ApplyStarted,
    LockWaiting,
    Notice,
    RunProgress,
    StageStarted,
    TaskOutput,
)
from bundlectl.model.explanation import Explanation, Link, Rule
from bundlectl.model.location import Keyed, SourceSpan
from bundlectl.model.plan import (
    Action,
    Change,
    CodeFile,
    CodeRef,
    DriftedJob,
    FieldChange,
    Guard,
    Plan,
    PlanBase,
    PlanSource,
    Verdict,
)
from bundlectl.model.plan_document import plan_document
from bundlectl.model.run import LifeCycle, Result, Run, TaskRun
from bundlectl.model.source import Revision
from bundlectl.operations.drift_accept import AcceptedField, FilePatch
from bundlectl.operations.drift_fields import DriftField
from bundlectl.planning.drift import JobDrift
from bundlectl.planning.snoozes import Snooze
from bundlectl.render import deploy_text, drift_text, run_text, validate_text
from bundlectl.render.console import Console
from bundlectl.render.diagnostics import diagnostics_text, error_text, source_reader
from bundlectl.render.documents import dumps
from bundlectl.render.escape import coloured
from bundlectl.render.explain_text import explain_text
from bundlectl.render.json_lines import JsonLines
from bundlectl.render.plan_text import plan_text, summary_text
from bundlectl.render.progress import LiveProgress, PlainProgress

PAYLOADS = [
    "\x1b]0;owned\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[1;1H",
    "\x9b31mred",
    "safe\roverwritten",
    "a\nb",
    "\n::error file=x::owned",
    "\r\n##vso[task.setvariable variable=x]y",
    "\n##[error]x",
    "x\nsection_start:1:a\r",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "zero\u200bwidth\ufeff",
    "\ud800half",
    "\x00nul\x08back\x7fdel",
    "\U000e0041tag",
    "\u2028line\u2029paragraph",
    "\x85next",
]
FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
OWN_COLOUR = re.compile("\x1b\\[(?:0|1|2|31|32|33|36)m")
COMMAND = re.compile(r"^\s*(?:::|##vso\[|##\[)|section_start:|section_end:", re.MULTILINE)


class Outcome(NamedTuple):
    address: str
    action: str
    outcome: str
    id: str | None
    error: str | None
    elapsed_ms: int
    not_converged: tuple[str, ...]
    until: str | None = None
    restored: bool = False


def _run(bad: str) -> Run:
    task = TaskRun(
        run_id=bad,
        task_key=bad,
        attempt=1,
        state=LifeCycle.TERMINATED,
        result=Result.FAILED,
        message=bad,
        start_ms=1,
        end_ms=2,
        outcome=bad,
        extra={"signal": bad},
    )
    return Run(
        run_id=bad,
        job_id=bad,
        name=bad,
        state=LifeCycle.TERMINATED,
        result=Result.FAILED,
        message=bad,
        queued_ms=1,
        start_ms=1,
        end_ms=2,
        trigger=bad,
        creator=bad,
        parameters={bad: bad},
        tasks=(task, replace(task, attempt=0)),
        queue_reason=bad,
    )


def _plan(bad: str) -> Plan:
    span = SourceSpan(bad, 1, 1)
    path = ("tasks", Keyed("task_key", bad), bad)
    fields = (
        FieldChange(path, Verdict.CHANGE, bad, f"{bad}x", bad, bad, span),
        FieldChange((bad,), Verdict.CONFLICT, bad, {bad: [bad]}, [bad], bad, span),
        FieldChange(("z",), Verdict.SUPPRESSED, bad, bad, bad, bad, span),
    )
    schedule = {"quartz_cron_expression": bad, "timezone_id": bad}
    change = Change(
        address=f"resources.jobs.{bad}",
        action=Action.UPDATE,
        id=bad,
        reason=bad,
        fields=fields,
        code=CodeRef(bad, bad, (bad,)),
        desired={bad: bad},
        span=span,
        active_runs=2,
    )
    changes = (
        change,
        replace(change, action=Action.RENAME, renamed_from=bad),
        replace(change, action=Action.CREATE, desired={"schedule": schedule, "tasks": [bad]}),
        replace(change, action=Action.CREATE, desired={"trigger": {bad: {}, "pause_status": bad}}),
        replace(change, action=Action.DELETE, destructive=True),
    )
    return Plan(
        tool_version="0",
        created=bad,
        expires=bad,
        bundle=bad,
        target=bad,
        source=PlanSource(commit=bad, tree=bad, ref=bad, dirty=True, dirty_paths=(bad,)),
        snapshot=bad,
        config_digest=bad,
        base=PlanBase(
            state_ref=bad,
            state_tip=bad,
            lineage=bad,
            serial=1,
            deployment=bad,
            commit=bad,
            snapshot=bad,
            at=bad,
            by=bad,
        ),
        backend=BackendIdentity(kind=bad, host=bad, workspace_id=bad),
        observed="partial",
        not_read=bad,
        complete=False,
        changes=changes,
        code=(CodeFile(bad, "modified", bad, bad, 1, 1),),
        guards=(Guard(bad, "BND312", bad, (bad,), bad, bad),),
        drift=(DriftedJob(bad, False, fields), DriftedJob(bad, True, ())),
        debt=(bad,),
    )


def _diagnostic(bad: str) -> Diagnostic:
    return Diagnostic(
        code="BND204",
        severity=Severity.ERROR,
        summary=bad,
        detail=bad,
        hint=bad,
        path=bad,
        spans=(SourceSpan(bad, 1, 2, 1, 9),),
        related=(Related(SourceSpan(bad, 1, 1), bad),),
    )


def _manifest(bad: str) -> dict[str, Any]:
    inputs = {
        "bundle": bad,
        "job": bad,
        "target": bad,
        "source": {"commit": bad, "tree": bad},
        "snapshot": bad,
        "spec": {"digest": bad},
        "parameters": [{"name": bad, "value": bad, "origin": bad}],
        "environment": [{"key": bad, "python": bad}],
        "engine": {"kind": bad, "version": bad},
        "deployment": {"serial": bad, "id": bad},
    }
    task = {"task_key": bad, "result_state": bad, "attempts": [{"exit_code": bad, "signal": bad}]}
    outcome = {"result_state": bad, "started": bad, "ended": bad, "run_id": bad, "tasks": [task]}
    task["outputs"] = [{"path": bad, "digest": bad}]
    return {"inputs": inputs, "inputs_digest": bad, "outcome": outcome}


def _deployment(bad: str) -> dict[str, Any]:
    return {
        "serial": bad,
        "ended": bad,
        "source": {"commit": bad},
        "actor": {"name": bad, "ci": {"platform": bad, "run_url": bad}},
        "kind": bad,
        "rollback": {"to": bad},
        "outcome": bad,
        "jobs": [{"action": bad}],
        "approval": {"overrides": [{"guard": bad, "reason": bad}]},
    }


def _bundle(bad: str) -> Bundle:
    return Bundle(
        name=bad,
        root="",
        target=Target(name=bad),
        jobs={},
        variables=(),
        config_digest="",
        root_path="",
        file_path="",
        sync_root="",
        user=bad,
        files=(bad,),
        targets=(bad,),
        unmanaged={bad: 1},
    )


def _drift_texts(bad: str) -> list[str]:
    until = "2026-12-24T00:00:00Z"
    field = FieldChange((bad,), Verdict.DRIFT, bad, bad, bad, by=bad, at=bad)
    snoozed = field._replace(reason="snoozed", snoozed_until=until)
    job = JobDrift(f"resources.jobs.{bad}", bad, True, True, (bad,), (field, snoozed))
    snooze = Snooze(bad, (bad,), until, bad, bad, until, bad)
    accepted = AcceptedField(DriftField(job, field), SourceSpan(bad, 1, 1))
    return [
        drift_text.drift_text(bad, [job], [bad], {snooze.name: snooze}, drifted=1, looked_at=2, style=coloured),
        drift_text.drift_summary(bad, 0, 1),
        drift_text.snoozes_text(bad, [snooze], 0),
        drift_text.snoozes_text(bad, [], 0),
        drift_text.accepted_text([accepted], [FilePatch(bad, (f"+{bad}",))], [bad], written=True, style=coloured),
    ]


def _explanation(bad: str) -> Explanation:
    link = Link(bad, bad, bad, SourceSpan(bad, 1, 1), bad, ("presets", bad), wins=True, overridden=True)
    return Explanation(
        path=("resources", bad, Keyed(bad, bad)),
        target=bad,
        value=bad,
        chain=(link, link._replace(note="", path=None)),
        recorded={bad: bad},
        deployment=1,
        rule=Rule(bad, bad),
    )


def _texts(bad: str) -> list[str]:
    """Every text renderer over values in which every text from outside is hostile."""
    run, plan, item = _run(bad), _plan(bad), _diagnostic(bad)
    outcome = Outcome(bad, bad, bad, bad, bad, 1, (bad,))
    done = outcome._replace(action="create", outcome="done")
    line = deploy_text.DeploymentLine(1, bad, bad, bad, 1, 1, 1)
    read = source_reader(lambda file: bad.encode("utf-8", "replace") * 3)
    job = deploy_text.JobLine(bad, bad, bad, run, bad)
    return [
        plan_text(plan, style=coloured, show="all", verbose=True),
        plan_text(replace(plan, changes=(), drift=(), code=(), guards=(), debt=(), not_read=None), style=coloured),
        summary_text(plan),
        diagnostics_text([item], read_line=read, terminal=True, style=coloured),
        diagnostics_text([item], read_line=read),
        diagnostics_text([replace(item, spans=(), related=())]),
        error_text(BackendError(bad, detail=bad, hint=bad), style=coloured),
        run_text.run_started(bad, bad, bad, bad),
        run_text.run_text(run, key=bad, commit=bad, snapshot=bad, style=coloured),
        run_text.run_text(replace(run, state=LifeCycle.QUEUED), key=None, commit=bad, snapshot=bad),
        run_text.run_ended(replace(run, result=Result.CANCELED, tasks=())),
        run_text.runs_text([run_text.RunLine(run, bad, bad, bad)]),
        run_text.manifest_text(_manifest(bad)),
        deploy_text.deploy_text([outcome, done], line, style=coloured),
        deploy_text.history_text([_deployment(bad)]),
        deploy_text.init_text(bad, [bad]),
        validate_text.validate_text(_bundle(bad), Revision(commit=bad, tree=bad), [item]),
        validate_text.targets_text({bad: _bundle(bad)}, Revision(commit=bad, tree=bad), {bad: [item]}, [item]),
        explain_text(_explanation(bad)),
        *_drift_texts(bad),
        deploy_text.summary_of_target(
            bundle=bad,
            target=bad,
            backend=bad,
            serial=1,
            commit=bad,
            at=bad,
            by=bad,
            dirty=True,
            jobs=[job],
            places={bad: bad},
        ),
    ]


def _events(bad: str) -> list[Any]:
    return [
        StageStarted("apply", bad),
        ApplyStarted(bad, bad),
        ApplyFinished(bad, bad, bad, 1, bad, bad),
        LockWaiting(bad, 1, bad),
        RunProgress(bad, _run(bad)),
        TaskOutput(bad, 0, bad),
        Notice(bad),
    ]


@pytest.mark.parametrize("bad", PAYLOADS)
def test_no_text_has_a_foreign_control_character(bad: str) -> None:
    for text in _texts(bad):
        assert not FORBIDDEN.search(OWN_COLOUR.sub("", text)), ascii(text)


@pytest.mark.parametrize("bad", PAYLOADS)
def test_no_line_in_ci_is_a_command(bad: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, in_ci=True, color="always")
    for text in _texts(bad):
        console.result(text)
        console.report(text)
    console.log(bad, bad)
    for text in (out.getvalue(), err.getvalue()):
        bare = OWN_COLOUR.sub("", text)
        for line in bare.split("\n"):
            assert line.startswith("| ") or not COMMAND.search(line), ascii(line)


@pytest.mark.parametrize("bad", PAYLOADS)
def test_no_sink_lets_an_escape_through(bad: str) -> None:
    err = io.StringIO()
    sink = PlainProgress(Console(io.StringIO(), err, in_ci=True), FrozenClock())
    for event in _events(bad):
        sink(event)
    assert not FORBIDDEN.search(err.getvalue())
    screen = io.StringIO()
    with LiveProgress(Console(io.StringIO(), screen), FrozenClock()) as live:
        for event in _events(bad):
            live(event)
    assert not FORBIDDEN.search(screen.getvalue())


@pytest.mark.parametrize("bad", PAYLOADS)
def test_json_is_json_and_shows_nothing_hidden(bad: str) -> None:
    out = io.StringIO()
    console = Console(out, io.StringIO(), in_ci=True)
    with JsonLines(console, FrozenClock(), "0") as sink:
        for event in _events(bad):
            sink(event)
    console.document(plan_document(_plan(bad)))
    for line in out.getvalue().splitlines():
        json.loads(line)
    assert not FORBIDDEN.search(out.getvalue())
    assert dumps({"a": bad}).isprintable() or dumps({"a": bad})[:-1].isprintable()
