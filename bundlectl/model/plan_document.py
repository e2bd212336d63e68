"""A plan as its document (`bundlectl.plan/v1`), and the two digests over it. Pure.

Called by planning.planner (digests), state.plan_file (what is saved and compared) and render.documents. Sensitive
values never enter the document: their place says so.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bundlectl.base.digest import digest_document
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.job import NATURAL_KEYS
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, path_text
from bundlectl.model.plan import (
    ABSENT,
    FORMAT,
    Change,
    CodeFile,
    DriftedJob,
    FieldChange,
    Guard,
    Plan,
    PlanBase,
    PlanSource,
    PolicyFinding,
    count,
    is_secret_name,
    is_sensitive,
)

HIDDEN: Mapping[str, Any] = {"sensitive": True}

# Every member of the document; a plan file with another one at its top is refused.
MEMBERS = frozenset(
    {
        "format",
        "tool_version",
        "created",
        "expires",
        "bundle",
        "target",
        "source",
        "snapshot",
        "config_digest",
        "artifacts",
        "variables",
        "hooks",
        "base",
        "backend",
        "observed",
        "complete",
        "changes",
        "code",
        "drift",
        "policy",
        "policy_source",
        "guards",
        "debt",
        "left_out",
        "selection",
        "holds",
        "promotion",
        "rollback",
        "summary",
        "diagnostics",
        "changes_digest",
        "digest",
    }
)

# Members of a change that time moves on by itself.
_PASSING = frozenset({"active_runs", "until"})

# What a reviewer approves: not the commit, the time or the tool, so that a squash of what was reviewed still fits.
_APPROVED = ("bundle", "target", "snapshot", "config_digest", "artifacts", "backend")


def sealed(plan: Plan) -> Plan:
    """The plan with its digests filled in."""
    body = plan_document(plan)
    body["changes_digest"] = changes_digest(body)
    return replace(plan, changes_digest=body["changes_digest"], digest=document_digest(body))


def document_digest(document: Mapping[str, Any]) -> str:
    """Digest over the whole document except itself."""
    return digest_document({name: value for name, value in document.items() if name != "digest"})


def changes_digest(document: Mapping[str, Any]) -> str:
    """Digest over what would change and what it is made of; active runs come and go, so they do not count."""
    return digest_document(
        {
            **{name: document[name] for name in _APPROVED},
            "tree": document["source"]["tree"],
            "lineage": document["base"]["lineage"],
            "serial": document["base"]["serial"],
            "changes": [
                {name: value for name, value in change.items() if name not in _PASSING}
                for change in document["changes"]
            ],
        }
    )


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as one JSON object, with every member of MEMBERS."""
    return {
        "format": FORMAT,
        "tool_version": plan.tool_version,
        "created": plan.created,
        "expires": plan.expires,
        "bundle": plan.bundle,
        "target": plan.target,
        "source": _source(plan.source),
        "snapshot": plan.snapshot,
        "config_digest": plan.config_digest,
        "artifacts": [dict(item) for item in plan.artifacts],
        "variables": [dict(item) for item in plan.variables],
        "hooks": list(plan.hooks),
        "base": _base(plan.base),
        "backend": _backend(plan.backend),
        "observed": plan.observed,
        "complete": plan.complete,
        "changes": [change_document(change) for change in plan.changes],
        "code": {"changed": [code_file_document(file) for file in plan.code], "recorded_only": plan.code_only},
        "drift": [drift_document(job) for job in plan.drift],
        "policy": [_policy(finding) for finding in plan.policies],
        "policy_source": plan.policy_source,
        "guards": [_guard(guard) for guard in plan.guards],
        "debt": list(plan.debt),
        "left_out": list(plan.left_out),
        "selection": dict(plan.selection) if plan.selection is not None else None,
        "holds": [dict(hold) for hold in plan.holds],
        "promotion": None,
        "rollback": None,
        "summary": dict(count(plan)),
        "diagnostics": [diagnostic_document(item) for item in plan.diagnostics],
        "changes_digest": plan.changes_digest,
        "digest": plan.digest,
    }


def change_document(change: Change) -> dict[str, Any]:
    """One entry of `changes`."""
    document: dict[str, Any] = {
        "address": change.address,
        "id": change.id,
        "action": change.action.value,
        "depends_on": list(change.depends_on),
        "destructive": change.destructive,
        "renamed_from": change.renamed_from,
        "forces_replace": list(change.forces_replace),
        "active_runs": change.active_runs,
        "span": span_document(change.span),
        "code": None,
        "desired": hidden(change.desired) if change.desired is not None else None,
        "observed": hidden(change.observed) if change.observed is not None else None,
        "spec_digest": change.spec_digest,
        "reason": change.reason,
        "fields": [field_document(field) for field in change.fields],
    }
    if change.until is not None:
        document["until"] = change.until
    if change.restores:
        document["restores"] = True
    if change.code is not None:
        document["code"] = {"old": change.code.old, "new": change.code.new, "direct": list(change.code.direct)}
    return document


def drift_document(job: DriftedJob) -> dict[str, Any]:
    """One entry of `drift`."""
    return {"address": job.address, "gone": job.gone, "fields": [field_document(field) for field in job.fields]}


def field_document(field: FieldChange) -> dict[str, Any]:
    """One differing field; a side without a value is left out."""
    document: dict[str, Any] = {"path": path_text(field.path), "verdict": field.verdict.value}
    for side in ("recorded", "desired", "observed"):
        value = getattr(field, side)
        if value is not ABSENT:
            document[side] = dict(HIDDEN) if field.sensitive else hidden(value, field.path)
    if field.reason is not None:
        document["reason"] = field.reason
    if field.span is not None:
        document["span"] = span_document(field.span)
    for name in ("by", "at", "snoozed_until"):
        value = getattr(field, name)
        if value is not None:
            document[name] = value
    return document


def span_document(span: SourceSpan | None) -> dict[str, Any] | None:
    """Where something is written, as plans show it."""
    return {"file": span.file, "line": span.line, "column": span.column} if span is not None else None


def diagnostic_document(item: Diagnostic) -> dict[str, Any]:
    """One finding as every JSON result shows it."""
    document: dict[str, Any] = {
        "code": item.code,
        "severity": item.severity.value,
        "summary": item.summary,
        "detail": item.detail,
        "hint": item.hint,
        "path": item.path,
        "spans": [range_document(span) for span in item.spans],
    }
    if item.related:
        document["related"] = [{"span": range_document(related.span), "text": related.text} for related in item.related]
    return document


def range_document(span: SourceSpan) -> dict[str, Any]:
    """A place as every JSON result shows it."""
    end_line = span.end_line or span.line
    return {
        "file": span.file,
        "start": {"line": span.line, "column": span.column},
        "end": {"line": end_line, "column": span.end_column or span.column},
    }


def _source(source: PlanSource) -> dict[str, Any]:
    return {
        "commit": source.commit,
        "tree": source.tree,
        "ref": source.ref,
        "remote": source.remote,
        "dirty": source.dirty,
        "dirty_paths": list(source.dirty_paths),
        "root": source.root,
        "working_tree": source.working_tree,
    }


def _base(base: PlanBase) -> dict[str, Any]:
    return {
        "state_ref": base.state_ref,
        "state_tip": base.state_tip,
        "lineage": base.lineage,
        "serial": base.serial,
        "deployment": base.serial if base.deployment is not None else None,
        "deployment_id": base.deployment,
        "commit": base.commit,
        "expect": base.expect,
    }


def _backend(identity: BackendIdentity) -> dict[str, Any]:
    return {"kind": identity.kind, "host": identity.host, "workspace_id": identity.workspace_id}


def code_file_document(file: CodeFile) -> dict[str, Any]:
    """One changed file."""
    return file._asdict()


def _policy(finding: PolicyFinding) -> dict[str, Any]:
    return {**finding._asdict(), "span": span_document(finding.span)}


def _guard(guard: Guard) -> dict[str, Any]:
    return {
        "guard": guard.guard,
        "code": guard.code,
        "summary": guard.summary,
        "addresses": list(guard.addresses),
        "override": guard.override,
        "hint": guard.hint,
    }


def hidden(value: Any, path: FieldPath = ()) -> Any:
    """A JSON value in which sensitive texts are replaced."""
    return _replaced(value, path) if _may_hold_secrets(value, path) else value


def _may_hold_secrets(value: Any, path: FieldPath) -> bool:
    """Whether a name at or in the value says so: most documents have none, and looking is cheap."""
    names = [step.value if isinstance(step, Keyed) else step for step in path]
    if any(isinstance(name, str) and is_secret_name(name) for name in names):
        return True
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if item.__class__ is str:
            continue
        if isinstance(item, Mapping):
            named = item.get("name")
            if any(map(is_secret_name, item)) or (isinstance(named, str) and is_secret_name(named)):
                return True
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
    return False


def _replaced(value: Any, path: FieldPath) -> Any:
    if isinstance(value, Mapping):
        return {name: _replaced(item, (*path, name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        field = NATURAL_KEYS.get(_pattern(path))
        return [_replaced(item, (*path, _element(item, field, number))) for number, item in enumerate(value)]
    return dict(HIDDEN) if is_sensitive(path, value) else value


def _element(item: Any, field: str | None, number: int) -> Keyed | int:
    named = item.get(field) if field is not None and isinstance(item, Mapping) else None
    return Keyed(field, named) if field is not None and isinstance(named, str) else number


def _pattern(path: FieldPath) -> tuple[str, ...]:
    return tuple(step if isinstance(step, str) else "*" for step in path)
