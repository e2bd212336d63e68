"""One document, or more, of each published kind: those that the references show, with real digests and ids."""

from typing import Any

DIGEST = "sha256:" + "5e0f" * 16
OTHER = "sha256:" + "91bb" * 16
COMMIT = "c1cf" * 10
TREE = "8a41" * 10
BLOB = "77aa" * 10

FINDING: dict[str, Any] = {
    "code": "BND204",
    "severity": "error",
    "summary": 'unknown field "max_retrys" in a task',
    "detail": None,
    "hint": 'did you mean "max_retries"?',
    "path": "resources.jobs.etl.tasks[task_key='extract'].max_retrys",
    "spans": [{"file": "databricks.yml", "start": {"line": 31, "column": 11}, "end": {"line": 31, "column": 21}}],
}

PLAN: dict[str, Any] = {
    "format": "bundlectl.plan/v1",
    "tool_version": "0.1.0",
    "created": "2026-11-23T10:00:00Z",
    "expires": "2026-11-24T10:00:00Z",
    "bundle": "sales",
    "target": "prod",
    "source": {
        "commit": COMMIT,
        "tree": TREE,
        "ref": "refs/heads/main",
        "remote": "https://git.example/acme/jobs",
        "dirty": False,
    },
    "snapshot": DIGEST,
    "config_digest": DIGEST,
    "artifacts": [{"path": "dist/sales-1.2-py3-none-any.whl", "digest": DIGEST}],
    "base": {
        "state_ref": "refs/bundlectl/state/sales/prod",
        "state_tip": BLOB,
        "lineage": "2f5c",
        "serial": 41,
        "deployment": 41,
        "commit": COMMIT,
        "expect": "recorded",
    },
    "backend": {"kind": "databricks", "host": "https://acme.cloud.databricks.com", "workspace_id": "123"},
    "observed": "read",
    "complete": True,
    "changes": [
        {
            "address": "resources.jobs.etl",
            "id": "8123",
            "action": "update",
            "depends_on": ["resources.jobs.dim"],
            "destructive": False,
            "renamed_from": None,
            "forces_replace": [],
            "active_runs": 2,
            "span": {"file": "databricks.yml", "line": 14, "column": 5},
            "code": {"old": OTHER, "new": DIGEST, "direct": ["src/transform.py"]},
            "desired": {"name": "etl", "max_concurrent_runs": 2},
            "observed": {"max_concurrent_runs": 1},
            "fields": [
                {
                    "path": "max_concurrent_runs",
                    "verdict": "change",
                    "recorded": 1,
                    "desired": 2,
                    "observed": 1,
                    "span": {"file": "databricks.yml", "line": 17, "column": 9},
                },
                {
                    "path": "schedule.pause_status",
                    "verdict": "drift",
                    "reason": "operator_owned",
                    "recorded": "UNPAUSED",
                    "desired": "UNPAUSED",
                    "observed": "PAUSED",
                    "by": "ann@acme.example",
                    "at": "2026-11-20T16:40:00Z",
                },
            ],
        }
    ],
    "code": {
        "changed": [{"path": "src/util.py", "status": "modified", "old": BLOB, "new": TREE, "added": 1, "removed": 1}]
    },
    "policy": [{"name": "owner-tag", "severity": "warn", "address": "resources.jobs.etl", "message": "no owner"}],
    "guards": [
        {
            "guard": "destructive",
            "addresses": ["resources.jobs.stream", "resources.jobs.old"],
            "override": "--allow-destructive",
        }
    ],
    "debt": ["resources.jobs.audit"],
    "holds": [],
    "promotion": None,
    "rollback": None,
    "summary": {
        "create": 1,
        "update": 2,
        "rename": 1,
        "replace": 1,
        "delete": 1,
        "forget": 0,
        "unchanged": 12,
        "not_selected": 0,
        "drift": 1,
        "conflict": 0,
        "code_files": 2,
    },
    "diagnostics": [],
    "changes_digest": DIGEST,
    "digest": OTHER,
}

DEPLOYMENT: dict[str, Any] = {
    "format": "bundlectl.deployment/v1",
    "id": "0198c5d2-0000-7000-8000-000000000000",
    "serial": 42,
    "lineage": "2f5c",
    "parent": OTHER,
    "bundle": "sales",
    "target": "prod",
    "kind": "deploy",
    "source": {
        "repository": "https://git.example/acme/jobs",
        "ref": "refs/heads/main",
        "commit": COMMIT,
        "tree": TREE,
        "root": "jobs/sales",
        "dirty": False,
    },
    "snapshot": {"digest": DIGEST, "files": 41, "bytes": 182311, "mode": "snapshot"},
    "artifacts": [{"path": "dist/sales-1.2-py3-none-any.whl", "digest": DIGEST, "built_from": TREE}],
    "config_digest": DIGEST,
    "variables": [{"name": "timeout", "origin": "flag", "digest": DIGEST}],
    "jobs": [
        {
            "address": "resources.jobs.etl",
            "id": "8123",
            "action": "update",
            "spec_digest": DIGEST,
            "outcome": "done",
            "renamed_from": None,
        }
    ],
    "plan": {"digest": DIGEST, "changes_digest": OTHER, "reviewed": "plan-file"},
    "approval": {
        "by": "ann@acme.example",
        "how": "prompt",
        "overrides": [{"guard": "destructive", "reason": "moved to stream2"}],
        "policies": [{"name": "owner-tag", "severity": "warn"}],
        "policy_source": COMMIT,
    },
    "promotion": {
        "from": "dev",
        "deployment": 57,
        "manifest": DIGEST,
        "gates": [{"id": "runs", "ok": True, "evidence": [DIGEST]}],
    },
    "rollback": None,
    "hold": None,
    "debt": ["resources.jobs.audit"],
    "backend": {"kind": "databricks", "host": "https://acme.cloud.databricks.com", "workspace_id": "123"},
    "actor": {
        "name": "ann@acme.example",
        "verified": False,
        "ci": {"platform": "github", "run_url": "https://ci.example/1", "workflow": "bundle", "actor": "ann"},
    },
    "tool": {"name": "bundlectl", "version": "0.1.0", "python": "3.12.7", "lock_digest": DIGEST},
    "started": "2026-11-23T10:02:00Z",
    "ended": "2026-11-23T10:02:07Z",
    "outcome": "complete",
    "recovered_from": None,
    "unknown": [],
}

RUN: dict[str, Any] = {
    "format": "bundlectl.run-manifest/v1",
    "inputs": {
        "bundle": "sales",
        "job": "resources.jobs.etl",
        "target": "prod",
        "source": {"commit": COMMIT, "tree": TREE, "dirty": False},
        "snapshot": DIGEST,
        "artifacts": [{"path": "dist/sales-1.2-py3-none-any.whl", "digest": DIGEST}],
        "spec": {"digest": DIGEST, "document": {"name": "etl", "tasks": []}},
        "parameters": [{"name": "date", "value": "2026-11-23", "origin": "run"}],
        "task_overrides": {},
        "only": [],
        "environment": [
            {
                "key": "default",
                "lock": DIGEST,
                "python": "3.12.7",
                "packages": [{"name": "pandas", "version": "2.3.1", "digest": DIGEST}],
                "image": None,
            }
        ],
        "secrets": [{"ref": "secret:prod/db", "version": "7"}],
        "engine": {"kind": "local", "version": "0.1.0", "semantics": "1"},
        "deployment": {"lineage": "2f5c", "serial": 42, "manifest": DIGEST},
        "logical_time": "2026-11-23T10:00:00Z",
    },
    "inputs_digest": DIGEST,
    "inputs_full_digest": OTHER,
    "outcome": {
        "run_id": "77120",
        "number_in_job": 14,
        "trigger": {"type": "manual", "by": "ann@acme.example", "ci_run_url": None},
        "repairs": [],
        "replay_of": None,
        "backfill": None,
        "parent_run": None,
        "queued": "2026-11-23T10:05:00Z",
        "started": "2026-11-23T10:05:00Z",
        "ended": "2026-11-23T10:05:15Z",
        "life_cycle_state": "TERMINATED",
        "result_state": "FAILED",
        "tasks": [
            {
                "task_key": "transform",
                "run_if": "ALL_SUCCESS",
                "result_state": "FAILED",
                "attempts": [
                    {
                        "n": 0,
                        "run_id": "77122",
                        "started": "2026-11-23T10:05:01Z",
                        "ended": "2026-11-23T10:05:04Z",
                        "exit_code": 1,
                        "signal": None,
                        "host": None,
                        "state": "FAILED",
                        "log": {"digest": DIGEST, "bytes": 8123, "truncated": 0},
                    }
                ],
                "values": [{"key": "rows", "digest": DIGEST, "value": 18}],
                "outputs": [{"path": "out/rows.csv", "digest": DIGEST, "bytes": 912}],
            }
        ],
        "messages": [],
        "unknown": [],
    },
    "outcome_digest": DIGEST,
    "sealed": "2026-11-23T10:05:15Z",
}


def result(kind: str, **members: Any) -> dict[str, Any]:
    return {"format": f"bundlectl.{kind}/v1", "tool_version": "0.1.0", "diagnostics": [], **members}


RUN_ENTRY: dict[str, Any] = {
    "run_id": "77120",
    "job_id": "8123",
    "address": "resources.jobs.etl",
    "life_cycle_state": "RUNNING",
    "result_state": None,
    "message": "",
    "queued": "2026-11-23T10:05:00.120Z",
    "started": "2026-11-23T10:05:00.150Z",
    "ended": None,
    "duration_ms": None,
    "tasks": [
        {
            "run_id": "77122",
            "task_key": "transform",
            "attempt": 0,
            "life_cycle_state": "TERMINATED",
            "result_state": "FAILED",
            "message": "exit status 1",
            "started": "2026-11-23T10:05:01Z",
            "ended": "2026-11-23T10:05:04Z",
        }
    ],
}


def event(kind: str, **members: Any) -> dict[str, Any]:
    head = {"seq": 7, "@timestamp": "2026-11-23T10:00:00Z", "@level": "info", "@message": "text", "type": kind}
    return {**head, **members}


POINT: dict[str, Any] = {
    "kind": "ref",
    "name": "ref:main",
    "target": "prod",
    "commit": COMMIT,
    "tree": TREE,
    "ref": "refs/heads/main",
    "dirty": False,
    "dirty_paths": [],
    "deployment": None,
    "snapshot": DIGEST,
}
PLACE: dict[str, Any] = {"file": "databricks.yml", "line": 17, "column": 9, "revision": COMMIT}

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "plan": [PLAN],
    "diff": [
        {
            **result(
                "diff",
                bundle="sales",
                to=POINT,
                jobs=[
                    {
                        "address": "resources.jobs.etl",
                        "status": "changed",
                        "renamed_from": None,
                        "class": None,
                        "left_span": PLACE,
                        "right_span": PLACE,
                        "code": {"old": OTHER, "new": DIGEST, "direct": ["src/transform.py"]},
                        "fields": [
                            {
                                "path": "max_concurrent_runs",
                                "left": 1,
                                "right": 2,
                                "class": "override",
                                "left_span": PLACE,
                                "right_span": None,
                            }
                        ],
                    }
                ],
                code=[
                    {
                        "path": "src/transform.py",
                        "status": "modified",
                        "old": BLOB,
                        "new": BLOB,
                        "added": 1,
                        "removed": 1,
                        "jobs": ["resources.jobs.etl"],
                        "patch": {"text": "@@ -1 +1 @@\n-a\n+b\n", "lines_left_out": 0, "note": None},
                    }
                ],
                summary={
                    **dict.fromkeys(("added", "removed", "renamed", "code", "not_selected"), 0),
                    "changed": 1,
                    "unchanged": 4,
                    "code_files": 1,
                    "code_jobs": 5,
                },
            ),
            "from": {**POINT, "kind": "recorded", "name": "recorded:prod", "deployment": 41, "ref": None},
        }
    ],
    "deployment": [DEPLOYMENT],
    # before the run has ended there is no outcome
    "run-manifest": [RUN, {name: RUN[name] for name in ("format", "inputs", "inputs_digest", "inputs_full_digest")}],
    "diagnostics": [
        {
            **result("diagnostics", bundle="sales", target="prod", source={"commit": COMMIT}, counts={"error": 1}),
            "diagnostics": [FINDING],
        }
    ],
    "error": [
        {
            "format": "bundlectl.error/v1",
            "error": {"code": "BND401", "exit_code": 5, "summary": "busy", "detail": "by ann", "hint": None},
            "diagnostics": [],
        }
    ],
    "deploy": [
        result(
            "deploy",
            manifest=DEPLOYMENT,
            results=[
                {
                    "address": "resources.jobs.etl",
                    "action": "update",
                    "outcome": "done",
                    "error": None,
                    "not_converged": [],
                }
            ],
        ),
        result("deploy", manifest=None, results=[]),
    ],
    "run": [
        result(
            "run",
            manifest=RUN,
            run=RUN_ENTRY,
            task_outputs=[{"TaskKey": "transform", "Output": None, "EndTime": 1795428315000}],
        )
    ],
    "runs": [result("runs", runs=[RUN_ENTRY], next=None)],
    "script": [result("script", script="hello", exit_code=0, elapsed_ms=12)],
    "history": [result("history", target="prod", deployments=[DEPLOYMENT])],
    "summary": [
        result(
            "summary",
            bundle="sales",
            target="prod",
            deployment={"serial": 42, "commit": COMMIT},
            jobs=[{"address": "resources.jobs.etl", "id": "8123"}],
        )
    ],
    "state": [
        result(
            "state",
            targets=[
                {
                    "target": "prod",
                    "ref": "refs/bundlectl/state/sales/prod",
                    "form": "ref",
                    "remote": "https://git.example.com/sales.git",
                    "tip": BLOB,
                    "serial": 41,
                    "lineage": "2f5c",
                    "commit": COMMIT,
                    "jobs": 2,
                    "open_apply": {
                        "deployment": "0193",
                        "holder": "ann",
                        "host": "runner-3",
                        "run_url": None,
                        "commit": COMMIT,
                        "begun_at": "2026-11-23T10:02:00Z",
                        "lease_until": "2026-11-23T10:07:00Z",
                        "alive": True,
                    },
                }
            ],
        )
    ],
    "state-document": [
        result(
            "state-document",
            ref="refs/bundlectl/state/sales/prod",
            remote=".",
            version=BLOB,
            meta={"serial": 41},
            jobs={"etl": {"id": "8123", "document": {"name": "etl"}}},
            apply=None,
        )
    ],
    "explain": [
        result(
            "explain",
            path="resources.jobs.etl.max_concurrent_runs",
            target="prod",
            value=2,
            chain=[
                {
                    "value": 2,
                    "raw": "${var.runs}",
                    "span": {"file": "databricks.yml", "start": {"line": 17, "column": 9}},
                    "role": "override",
                    "note": "override of target prod",
                    "path": None,
                    "wins": True,
                    "overridden": False,
                }
            ],
            recorded=1,
            deployment=41,
            rule={"compared_as": "integer", "text": "compared as integer; change in place", "behaviours": []},
        ),
        result("explain", code="BND204", title="Unknown field in a job", explanation="Inside a job ..."),
    ],
    "drift": [
        result(
            "drift",
            target="prod",
            deployment=41,
            jobs=[
                {
                    "address": "resources.jobs.etl",
                    "id": "8123",
                    "gone": False,
                    "mark_changed": False,
                    "copies": ["8200"],
                    "fields": [
                        {
                            "path": "max_concurrent_runs",
                            "recorded": 1,
                            "observed": 5,
                            "by": "ann@acme.example",
                            "at": "2026-11-20T16:40:00Z",
                            "reason": None,
                            "snoozed_until": None,
                        }
                    ],
                }
            ],
            strays=["8300"],
            summary={"jobs": 15, "drifted": 1, "fields": 2, "snoozed": 0},
        )
    ],
    "undelete": [
        result(
            "undelete",
            target="prod",
            done=True,
            jobs=[
                {
                    "address": "resources.jobs.old",
                    "key": "old",
                    "id": "5",
                    "since": "2026-11-23T10:00:00Z",
                    "until": "2026-12-23T10:00:00Z",
                    "over": False,
                    "in_bundle": False,
                    "outcome": "done",
                    "error": None,
                }
            ],
        )
    ],
    "gc": [
        result(
            "gc",
            target="prod",
            dry_run=True,
            removed=[
                {
                    "kind": "tombstone",
                    "address": "resources.jobs.old",
                    "id": "5",
                    "until": "2026-12-23T10:00:00Z",
                    "reasons": ["its time is over"],
                    "outcome": None,
                    "error": None,
                }
            ],
            kept=[],
            bytes=0,
        )
    ],
    "bind": [
        result(
            "bind",
            target="prod",
            address="resources.jobs.etl",
            id="8123",
            action="bind",
            fields=[{"path": "max_concurrent_runs", "verdict": "change", "desired": 2, "observed": 1}],
            in_bundle=True,
            outcome="done",
            error=None,
        )
    ],
    "import": [
        result(
            "import",
            jobs=[
                {
                    "id": "8123",
                    "key": "etl",
                    "file": "resources/etl.yml",
                    "files": ["src/etl.py"],
                    "text": "resources: {}\n",
                    "notes": [],
                    "error": None,
                }
            ],
        )
    ],
    "doctor": [
        result("doctor", checks=[{"id": "git", "status": "FAIL", "detail": "git 2.20", "hint": "install git 2.36"}])
    ],
    "drift-accept": [
        result(
            "drift-accept",
            target="prod",
            written=True,
            fields=[
                {
                    "address": "resources.jobs.etl",
                    "path": "max_concurrent_runs",
                    "recorded": 1,
                    "observed": 5,
                    "by": None,
                    "at": None,
                    "reason": None,
                    "snoozed_until": None,
                    "span": {"file": "databricks.yml", "line": 17, "column": 9},
                }
            ],
            files=[{"path": "databricks.yml", "patch": "--- a/databricks.yml\n"}],
            elsewhere=["dev: jobs.etl"],
        )
    ],
    "drift-snoozes": [
        result(
            "drift-snoozes",
            target="prod",
            snoozes=[
                {
                    "address": "resources.jobs.etl",
                    "field": "max_concurrent_runs",
                    "until": "2026-12-24T00:00:00Z",
                    "reason": "month end",
                    "by": "ann@acme.example",
                    "since": "2026-11-20T16:40:00Z",
                    "observed": DIGEST,
                    "over": False,
                }
            ],
        )
    ],
    "init": [result("init", template="minimal", directory="sales", files=["databricks.yml"])],
    "events": [
        event("version", tool_version="0.1.0", format="bundlectl.events/v1"),
        event("diagnostic", diagnostic=FINDING),
        event("stage_start", stage="apply"),
        event("planned_change", address="resources.jobs.etl", action="update"),
        event("change_summary", summary=PLAN["summary"]),
        event("lock_wait", holder="ann", age_ms=40),
        event("apply_complete", address="resources.jobs.etl", action="update", elapsed_ms=412, op_id="1"),
        event("apply_errored", address="resources.jobs.etl", action="update", error="refused"),
        event("task_state", run_id="1", task_key="a", attempt=0, state="RUNNING", result_state=None),
        event("task_log", task_key="a", attempt=0, lines=["one"]),
        event("result", exit_code=0, result=result("init", template="m", directory="d", files=[])),
    ],
}
