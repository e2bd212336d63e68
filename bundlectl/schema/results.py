"""Schemas of what commands print with `-o json`, and of the event stream.

Written by schema.export; the documents are made by render.documents and render.progress. Within a version members are
only added and readers ignore what they do not know, so these schemas are open; every member that is always there is
required, which is what catches a misspelt one.
"""

from bundlectl.schema.manifests import deployment_body, run_manifest_body
from bundlectl.schema.parts import ACTIONS, diagnostic
from bundlectl.schema.plan_document import summary as plan_summary
from bundlectl.schema.shapes import (
    Schema,
    address,
    anything,
    array,
    boolean,
    choice,
    constant,
    document,
    integer,
    mapping,
    nullable,
    record,
    text,
    time,
)

STAGES = ("resolve", "load", "validate", "stage", "plan", "approve", "begin", "apply", "verify", "end")


def _result(kind: str, title: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    head = {
        "format": constant(f"bundlectl.{kind}/v1"),
        "tool_version": text("Version of bundlectl"),
        "diagnostics": array(diagnostic(), "Findings"),
    }
    return document(kind, title, record(head | required, optional, more=True))


def error() -> Schema:
    """What a command prints that failed before it had a result."""
    failure = record(
        {
            "code": text("Registered code", pattern=r"^BND[0-9]{3}$"),
            "exit_code": integer("Of the process", least=1),
            "summary": text("What is wrong"),
        },
        {"detail": nullable(text("Why")), "hint": nullable(text("What to do next"))},
        more=True,
    )
    required = {"format": constant("bundlectl.error/v1"), "error": failure, "diagnostics": array(diagnostic())}
    return document("error", "Error of bundlectl", record(required, {"tool_version": text()}, more=True))


def diagnostics() -> Schema:
    """`validate -o diagnostics`."""
    return _result(
        "diagnostics",
        "Findings of bundlectl",
        {
            "bundle": nullable(text()),
            "target": nullable(text()),
            "source": nullable(mapping(anything(), "Where the bundle was read")),
            "counts": mapping(integer(), "How many of each severity"),
        },
    )


def deploy() -> Schema:
    """`deploy -o json`."""
    result = record(
        {
            "address": address(),
            "action": choice(*ACTIONS),
            "outcome": choice("done", "failed", "not_started", "skipped", "unknown"),
            "error": nullable(anything("Why it failed")),
            "not_converged": array(text(), "Fields that the backend did not take"),
        },
        more=True,
    )
    manifest = nullable(deployment_body() | {"description": "null when there was nothing to do"})
    return _result("deploy", "Deployment by bundlectl", {"manifest": manifest, "results": array(result)})


def run() -> Schema:
    """`run -o json`, and `runs get`."""
    output = record({"TaskKey": text(), "Output": anything(), "EndTime": anything()}, more=True)
    manifest = nullable(run_manifest_body() | {"description": "null when no manifest is known"})
    required = {"manifest": manifest, "task_outputs": array(output)}
    return _result("run", "Run of a job", required, {"run": _run_entry() | {"description": "The run as it stands"}})


def runs() -> Schema:
    """`runs list -o json`."""
    required = {"runs": array(_run_entry(), "Newest first"), "next": nullable(text("Next page"))}
    return _result("runs", "Runs of a target", required)


def _run_entry() -> Schema:
    times = {name: nullable(time()) for name in ("started", "ended")}
    states = {
        "life_cycle_state": text("State of the Jobs API"),
        "result_state": nullable(text("Result of the Jobs API; null while it runs")),
        "message": nullable(text("Why it is in that state")),
    }
    task = record(
        {"run_id": text(), "task_key": text(), "attempt": integer("0 for the first"), **states, **times},
        {"duration_ms": nullable(integer()), "lost": boolean("Whether the outcome is unknown")},
        more=True,
    )
    return record(
        {"run_id": text(), **states, "queued": nullable(time()), **times, "tasks": array(task, "Every attempt")},
        {
            "address": nullable(address()),
            "job_id": nullable(text("On the backend")),
            "duration_ms": nullable(integer()),
            "commit": nullable(text("Commit of its code")),
            "snapshot": nullable(text("Digest of its code")),
        },
        more=True,
    )


def history() -> Schema:
    """`history -o json`."""
    manifest = deployment_body() | {"additionalProperties": True}
    return _result(
        "history", "Deployments of a target", {"target": text(), "deployments": array(manifest, "Newest first")}
    )


def summary() -> Schema:
    """`summary -o json`."""
    job = record({"id": nullable(text("On the backend"))}, {"address": address()}, more=True)
    return _result(
        "summary",
        "What is deployed",
        {
            "bundle": text(),
            "target": text(),
            "deployment": nullable(mapping(anything(), "null: nothing is deployed")),
            "jobs": array(job),
        },
    )


def init() -> Schema:
    """`init -o json`."""
    required = {"template": text(), "directory": text(), "files": array(text(), "Relative to the directory")}
    return _result("init", "A new bundle", required)


def events() -> Schema:
    """One line of `-o jsonl`."""
    common = {
        "seq": integer("Rises by one with each line"),
        "@timestamp": time(),
        "@level": choice("debug", "error", "info", "warn"),
        "@message": text("For people"),
    }
    apply = {"address": address(), "action": choice(*ACTIONS)}
    kinds: dict[str, dict[str, Schema]] = {
        "version": {"tool_version": text(), "format": constant("bundlectl.events/v1")},
        "diagnostic": {"diagnostic": diagnostic()},
        "stage_start": {"stage": choice(*STAGES)},
        "stage_end": {"stage": choice(*STAGES)},
        "planned_change": apply,
        "resource_drift": {"address": address()},
        "change_summary": {"summary": plan_summary()},
        "lock_wait": {"holder": text(), "age_ms": integer()},
        "apply_start": apply,
        "apply_progress": apply,
        "apply_complete": apply,
        "apply_errored": {**apply, "error": nullable(anything())},
        "apply_skipped": apply,
        "not_converged": {"address": address(), "fields": array(text())},
        "run_state": {"run_id": text(), "state": text()},
        "task_state": {"run_id": text(), "task_key": text(), "attempt": integer(), "state": text()},
        "task_log": {"task_key": text(), "attempt": integer(), "lines": array(text())},
        "notice": {},
        "result": {"exit_code": integer(), "result": anything("The document of -o json")},
    }
    lines = [record({**common, "type": constant(kind), **members}, more=True) for kind, members in kinds.items()]
    return document("events", "Event stream of bundlectl", {"type": "object", "oneOf": lines})
