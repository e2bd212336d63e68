"""What the program makes fits what it publishes: plans and results built from model values, against schemas/."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from bundlectl.base.resources import resource_folder
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.comparison import (
    Cause,
    Comparison,
    FieldDifference,
    FileDifference,
    Finding,
    JobDifference,
    JobStatus,
    Patch,
    Point,
)
from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.errors import LeaseHeld
from bundlectl.model.location import Keyed, SourceSpan
from bundlectl.model.manifest import open_manifest, seal
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
from bundlectl.model.plan_document import plan_document, sealed
from bundlectl.model.run import LifeCycle, Result, Run, TaskRun
from bundlectl.operations.drift_accept import AcceptedField, FilePatch
from bundlectl.operations.drift_fields import DriftField
from bundlectl.operations.scripts import ScriptResult
from bundlectl.planning.drift import JobDrift
from bundlectl.planning.snoozes import Snooze
from bundlectl.render import documents
from bundlectl.render.diff_document import diff_document
from bundlectl.render.drift_document import accepted_document, drift_document, snoozes_document
from tests.contract.examples_of_documents import DEPLOYMENT, RUN

DIGEST = "sha256:" + "ab" * 32
BLOB = "cd" * 20
SPAN = SourceSpan("databricks.yml", 3, 5, 3, 9)
FINDING = Diagnostic(
    code="BND204",
    severity=Severity.ERROR,
    summary="unknown field",
    path="resources.jobs.x",
    spans=(SPAN,),
    related=(Related(SPAN, "first definition"),),
)


def check(kind: str, document: Any) -> None:
    schema = json.loads((resource_folder("schemas") / kind / "v1.json").read_text(encoding="utf-8"))
    errors = [
        f"{'.'.join(str(step) for step in error.absolute_path)}: {error.message}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(json.loads(json.dumps(document)))
    ]
    assert errors == []


def a_plan(**more: Any) -> Plan:
    base = PlanBase(state_ref="refs/bundlectl/state/b/t", state_tip=None, lineage=None, serial=0)
    facts: dict[str, Any] = {
        "tool_version": "0.1.0",
        "created": "2026-11-23T10:00:00Z",
        "expires": "2026-11-24T10:00:00Z",
        "bundle": "b",
        "target": "t",
        "source": PlanSource(commit=None, tree=None),
        "snapshot": None,
        "config_digest": DIGEST,
        "base": base,
        "backend": BackendIdentity(kind="local"),
        "observed": "not_read",
        "complete": False,
        "changes": (),
    }
    return sealed(Plan(**{**facts, **more}))


def test_an_empty_plan() -> None:
    check("plan", plan_document(a_plan()))


def test_a_plan_with_everything() -> None:
    fields = (
        FieldChange(("max_concurrent_runs",), Verdict.CHANGE, 1, 2, 1, span=SPAN),
        FieldChange(
            ("tasks", Keyed("task_key", "a"), "new_cluster"), Verdict.DEFAULT, observed={}, reason="backend_default"
        ),
        FieldChange(("tags", "password"), Verdict.CONFLICT, "a", "b", "c", sensitive=True),
    )
    change = Change(
        address="resources.jobs.x",
        action=Action.UPDATE,
        id="12",
        fields=fields,
        code=CodeRef(None, DIGEST, ("a.py",)),
        desired={"name": "x"},
        observed={"name": "y"},
        spec_digest=DIGEST,
        span=SPAN,
        active_runs=0,
        reason="because",
    )
    plan = a_plan(
        source=PlanSource(commit=BLOB, tree=BLOB, ref="refs/heads/main", remote="https://x", dirty=True, root="a"),
        snapshot=DIGEST,
        base=PlanBase(state_ref="r", state_tip=BLOB, lineage="l", serial=4, deployment="d", commit=BLOB),
        observed="read",
        complete=True,
        changes=(change, Change(address="resources.jobs.y", action=Action.CREATE)),
        code=(CodeFile("a.py", "added", None, BLOB, 3, 0), CodeFile("b", "modified", BLOB, BLOB)),
        artifacts=({"path": "d.whl", "digest": None},),
        variables=({"name": "v", "origin": "flag", "digest": DIGEST},),
        guards=(Guard("destructive", "BND312", "deletes a job", ("resources.jobs.y",), "--allow-destructive"),),
        drift=(DriftedJob("resources.jobs.x", False, fields[:1]),),
        debt=("resources.jobs.z",),
        diagnostics=(FINDING,),
    )
    check("plan", plan_document(plan))


RUNNING = Run(
    run_id="7",
    job_id="12",
    name="x",
    state=LifeCycle.RUNNING,
    result=None,
    message="",
    queued_ms=1_767_225_600_000,
    start_ms=1_767_225_600_100,
    end_ms=0,
    trigger="ONE_TIME",
    creator="ann",
    tasks=(
        TaskRun(
            run_id="8",
            task_key="a",
            attempt=0,
            state=LifeCycle.TERMINATED,
            result=Result.FAILED,
            message="exit status 1",
            start_ms=1_767_225_600_100,
            end_ms=1_767_225_600_900,
        ),
    ),
)


@pytest.mark.parametrize("kind", ["ref", "worktree", "target", "recorded", "deployment", "observed", "source"])
def test_comparisons(kind: str) -> None:
    point = Point(kind=kind, name=kind, target="t")
    whole = replace(point, commit=BLOB, tree=BLOB, ref="refs/heads/main", dirty=("a",), deployment=4, snapshot=DIGEST)
    check("diff", diff_document(Comparison(bundle="b", left=point, right=point)))
    fields = tuple(FieldDifference(("a",), 1, None, SPAN, None, cause is Cause.DRIFT, cause) for cause in Cause)
    jobs = [
        JobDifference(address="resources.jobs.x", status=status, renamed_from="y", fields=fields, direct=("a.py",))
        for status in JobStatus
    ]
    files = [
        FileDifference(CodeFile("a.py", status, None, BLOB), ("resources.jobs.x",), Patch(("+a",), 3, "binary"))
        for status in ("added", "modified", "removed", "mode")
    ]
    comparison = Comparison(
        bundle="b",
        left=point,
        right=whole,
        jobs=tuple(jobs),
        files=tuple(files),
        findings=(Finding(FINDING, BLOB), Finding(FINDING, None)),
    )
    check("diff", diff_document(comparison))


def test_results() -> None:
    check("error", documents.error_document(LeaseHeld("busy", hint="wait"), [FINDING]))
    check("diagnostics", documents.diagnostics_document([FINDING], bundle="b", target=None, source=None))
    check("deploy", documents.deploy_document(DEPLOYMENT, []))
    check("run", documents.run_document(RUNNING, RUN, address="resources.jobs.x"))
    check("runs", documents.runs_document([documents.run_entry(RUNNING)]))
    check("script", documents.script_document(ScriptResult("hello", 0, 12)))
    check("history", documents.history_document("t", [DEPLOYMENT]))
    check("summary", documents.summary_document(bundle="b", target="t", deployment=None, jobs=[]))
    check("init", documents.init_document("minimal", "here", ["databricks.yml"]))


@pytest.mark.parametrize("ended", [False, True])
def test_run_manifests(ended: bool) -> None:
    manifest = open_manifest(RUN["inputs"])
    if ended:
        manifest = seal(manifest, RUN["outcome"], "2026-11-23T10:05:15Z")
    check("run-manifest", manifest)


def test_drift_and_what_became_of_it() -> None:
    time = "2026-12-24T00:00:00Z"
    fields = (
        FieldChange(("n",), Verdict.DRIFT, 1, 1, 5, by="ann", at=time),
        FieldChange(("m",), Verdict.DRIFT, observed=5, reason="snoozed", snoozed_until=time),
        FieldChange(("password",), Verdict.DRIFT, "a", "a", "b", sensitive=True),
    )
    job = JobDrift("resources.jobs.x", "1", copies=("2",), fields=fields)
    gone = JobDrift("resources.jobs.y", "3", gone=True)
    summary = {"jobs": 2, "drifted": 2, "fields": 4, "snoozed": 1}
    document = drift_document("t", 1, [job, gone], ["9"], summary)
    check("drift", document)
    assert document["jobs"][0]["fields"][2]["observed"] == {"sensitive": True}
    check("drift", drift_document("t", 1, [], [], dict.fromkeys(summary, 0)))
    accepted = [
        AcceptedField(DriftField(job, field), span) for field, span in zip(fields, (SPAN, None, None), strict=True)
    ]
    check(
        "drift-accept", accepted_document("t", accepted, [FilePatch("x.yml", ("+a",))], ["dev: jobs.x"], written=True)
    )
    snooze = Snooze("x", ("n",), time, "why", "ann", time, DIGEST)
    check("drift-snoozes", snoozes_document("t", [snooze], 0))


def test_a_plan_of_a_part() -> None:
    selection = {"select": ["a*"], "exclude": [], "changed_since": "HEAD~1", "only": ["a"]}
    snoozed = FieldChange(("n",), Verdict.DRIFT, 1, 1, 5, "snoozed", by="ann", at="2026-11-20T16:40:00Z")
    drift = DriftedJob("resources.jobs.a", False, (snoozed._replace(snoozed_until="2026-12-24T00:00:00Z"),))
    plan = a_plan(selection=selection, left_out=("resources.jobs.b",), debt=("resources.jobs.b",), drift=(drift,))
    check("plan", plan_document(plan))
    assert plan_document(plan)["summary"]["drift"] == 0
