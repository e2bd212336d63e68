"""Schemas of what commands print with `-o json`, and of the event stream.

Written by schema.export; the documents are made by render.documents and render.progress. Within a version members are
only added and readers ignore what they do not know, so these schemas are open; every member that is always there is
required, which is what catches a misspelt one.
"""

from bundlectl.model.explanation import ROLES
from bundlectl.schema.manifests import deployment_body, run_manifest_body
from bundlectl.schema.parts import ACTIONS, diagnostic, position
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
        {
            "targets": array(
                text(), "All that were resolved, with --all-targets; a finding that only some have names them"
            )
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
        {
            "until": nullable(time("Of a deleted job: how long it is kept; null when it is not")),
            "restored": boolean("Whether a deleted job came back"),
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


def script() -> Schema:
    """`run -o json` of a script."""
    required = {
        "script": text("Name of the script"),
        "exit_code": integer("Of its shell"),
        "elapsed_ms": integer("Milliseconds that it took", least=0),
    }
    return _result("script", "Script of a bundle that ended", required)


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
        {"debt": array(address(), "Jobs left out of the last deployment")},
    )


def explain() -> Schema:
    """`explain -o json`: of a field, or of a diagnostic code."""
    span = record(
        {"file": text("Relative to the top of the tree, or as the invoker named it"), "start": position()},
        {"end": position()},
        more=True,
    )
    link = record(
        {
            "raw": nullable(text("As written, when references in it were replaced")),
            "span": nullable(span | {"description": "null: no file says it"}),
            "role": choice(*ROLES, description="What gave the value"),
            "note": nullable(text("For people: what the role does not say")),
            "path": nullable(text("The field that is written there, when it is another one: a variable, a preset")),
            "wins": boolean("Whether the value of the field is the one of this link"),
            "overridden": boolean("Whether a newer link replaced it"),
        },
        {"value": anything("The value after this link; left out when it took the field away")},
        more=True,
    )
    behaviour = record(
        {"behaviour": text("Row of the field table"), "reason": text("As in a plan"), "why": text()}, more=True
    )
    rule = record(
        {"compared_as": text("Kind of value"), "text": text("For people"), "behaviours": array(behaviour)}, more=True
    )
    field = record(
        {
            "path": text("The field in full"),
            "target": nullable(text("null when none could be chosen")),
            "chain": array(link, "Newest first"),
            "rule": nullable(rule | {"description": "How it is compared; null for what acts through jobs only"}),
        },
        {
            "value": anything("Left out when the field is not set"),
            "recorded": anything("What the last deployment wrote; left out when it did not set the field"),
            "observed": anything("What is on the backend; left out when it was not asked or does not set the field"),
            "deployment": integer("Which deployment that was"),
        },
        more=True,
    )
    code = record({"code": text("Registered code"), "title": text(), "explanation": text()}, more=True)
    whole = _result("explain", "Where a value comes from", {})
    return whole | {"anyOf": [field, code]}


def state() -> Schema:
    """`state list, show, unlock, accept-rewrite, gc -o json`."""
    apply = record(
        {
            "deployment": text("Id of the deployment that is under way"),
            "holder": text("Who deploys"),
            "host": nullable(text()),
            "run_url": nullable(text("Run of the CI system")),
            "commit": nullable(text("Commit that is being deployed")),
            "begun_at": time(),
            "lease_until": time(),
            "alive": boolean("Whether the holder lives, as far as this machine can tell"),
        },
        more=True,
    )
    target = record(
        {
            "target": text(),
            "ref": text("Full name of the ref that holds the state"),
            "form": choice("branch", "ref"),
            "remote": text("Address of the git remote; . for the repository itself"),
            "tip": nullable(text("Newest state commit; null before the first")),
            "serial": nullable(integer("How many deployments have ended")),
            "lineage": nullable(text("Id of this history of deployments")),
            "commit": nullable(text("Commit that is deployed")),
            "jobs": integer("How many jobs are recorded", least=0),
            "open_apply": nullable(apply | {"description": "A deploy that has begun and not ended"}),
        },
        more=True,
    )
    cache = record({"path": text(), "bytes_before": integer(), "bytes_after": integer()}, more=True)
    required = {"targets": array(target, "One for each target that was asked for")}
    return _result("state", "Recorded state", required, {"caches": array(cache, "What was packed")})


def state_document() -> Schema:
    """`state pull`."""
    required = {
        "ref": text("Full name of the ref that holds the state"),
        "remote": text("Address of the git remote; . for the repository itself"),
        "version": text("State commit"),
        "meta": mapping(anything(), "meta.json of the commit"),
        "jobs": mapping(mapping(anything()), "Each recorded job with its document, by key"),
        "apply": nullable(mapping(anything(), "apply.json of the commit")),
    }
    return _result("state-document", "One commit of the recorded state", required)


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
