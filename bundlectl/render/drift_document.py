"""Drift, what was accepted of it and what is snoozed as documents: `bundlectl.drift/v1` and its two companions. Pure.

Called by the command `drift` for -o json; the schemas are in schema.drift_document.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from bundlectl.model.location import SourceSpan, path_text
from bundlectl.model.plan import ABSENT, FieldChange
from bundlectl.model.plan_document import HIDDEN, hidden, span_document
from bundlectl.render.documents import result_document
from bundlectl.render.drift_text import AcceptedField, DriftedJob, FilePatch


class SnoozeEntry(Protocol):
    """A snooze as the state keeps it."""

    def document(self) -> dict[str, str]: ...
    def is_over(self, now_ms: int) -> bool: ...


def drift_document(
    target: str, deployment: int, jobs: Iterable[DriftedJob], strays: Iterable[str], summary: Mapping[str, int]
) -> dict[str, Any]:
    """`drift -o json`."""
    return result_document(
        "drift",
        target=target,
        deployment=deployment,
        jobs=[_job(job) for job in jobs],
        strays=list(strays),
        summary=dict(summary),
    )


def accepted_document(
    target: str,
    fields: Iterable[AcceptedField],
    patches: Iterable[FilePatch],
    elsewhere: Iterable[str],
    *,
    written: bool,
) -> dict[str, Any]:
    """`drift accept -o json`."""
    return result_document(
        "drift-accept",
        target=target,
        written=written,
        fields=[
            {
                "address": item.field.job.address,
                **_field(item.field.field),
                "span": _span(item.span),
            }
            for item in fields
        ],
        files=[{"path": patch.path, "patch": "".join(f"{line}\n" for line in patch.lines)} for patch in patches],
        elsewhere=list(elsewhere),
    )


def snoozes_document(target: str, snoozes: Iterable[SnoozeEntry], now_ms: int) -> dict[str, Any]:
    """`drift snooze -o json`."""
    return result_document(
        "drift-snoozes",
        target=target,
        snoozes=[{**snooze.document(), "over": snooze.is_over(now_ms)} for snooze in snoozes],
    )


def _job(job: DriftedJob) -> dict[str, Any]:
    return {
        "address": job.address,
        "id": job.id,
        "gone": job.gone,
        "mark_changed": job.mark_changed,
        "copies": list(job.copies),
        "fields": [_field(field) for field in job.fields],
    }


def _field(field: FieldChange) -> dict[str, Any]:
    document: dict[str, Any] = {"path": path_text(field.path)}
    for side in ("recorded", "observed"):
        value = getattr(field, side)
        if value is not ABSENT:
            document[side] = dict(HIDDEN) if field.sensitive else hidden(value, field.path)
    return {
        **document,
        "by": field.by,
        "at": field.at,
        "reason": field.reason,
        "snoozed_until": field.snoozed_until,
    }


def _span(span: SourceSpan | None) -> dict[str, Any] | None:
    return span_document(span)
