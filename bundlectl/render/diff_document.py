"""A comparison as its document, `bundlectl.diff/v1`. Pure.

Called by cli for `diff -o json`; the schema is schema.diff_document. Where it says the same as a plan, it has the
plan's names.
"""

from typing import Any

from bundlectl.model.comparison import (
    Comparison,
    FieldDifference,
    FileDifference,
    Finding,
    JobDifference,
    Point,
    count,
)
from bundlectl.model.location import SourceSpan, path_text
from bundlectl.model.plan import ABSENT
from bundlectl.model.plan_document import HIDDEN, code_file_document, diagnostic_document, hidden, span_document
from bundlectl.render.documents import result_document


def diff_document(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison; jobs by address, files by path."""
    left, right = comparison.left, comparison.right
    document = result_document(
        "diff",
        bundle=comparison.bundle,
        jobs=[_job(job, left, right) for job in comparison.jobs],
        code=[_file(item) for item in comparison.files],
        summary=count(comparison),
    )
    return {
        **document,
        "from": _point(left),
        "to": _point(right),
        "diagnostics": [_finding(item) for item in comparison.findings],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "kind": point.kind,
        "name": point.name,
        "target": point.target,
        "commit": point.commit,
        "tree": point.tree,
        "ref": point.ref,
        "dirty": point.dirty is None or bool(point.dirty),
        "dirty_paths": list(point.dirty or ()),
        "deployment": point.deployment,
        "snapshot": point.snapshot,
    }


def _job(job: JobDifference, left: Point, right: Point) -> dict[str, Any]:
    code = {"old": left.snapshot, "new": right.snapshot, "direct": list(job.direct)}
    return {
        "address": job.address,
        "status": job.status.value,
        "renamed_from": job.renamed_from,
        "class": job.cause.value if job.cause is not None else None,
        "left_span": _span(job.left_span, left),
        "right_span": _span(job.right_span, right),
        "code": code if job.direct else None,
        "fields": [_field(item, left, right) for item in job.fields],
    }


def _field(item: FieldDifference, left: Point, right: Point) -> dict[str, Any]:
    document: dict[str, Any] = {"path": path_text(item.path)}
    for side, value in (("left", item.left), ("right", item.right)):
        if value is not ABSENT:
            document[side] = dict(HIDDEN) if item.sensitive else hidden(value, item.path)
    return {
        **document,
        "class": item.cause.value if item.cause is not None else None,
        "left_span": _span(item.left_span, left),
        "right_span": _span(item.right_span, right),
    }


def _span(span: SourceSpan | None, point: Point) -> dict[str, Any] | None:
    document = span_document(span)
    if document is None:
        return None
    return {**document, "revision": point.commit if not point.dirty else None}


def _file(item: FileDifference) -> dict[str, Any]:
    document = {**code_file_document(item.file), "jobs": list(item.jobs)}
    if item.patch is None:
        return document
    patch = item.patch
    text = "".join(f"{line}\n" for line in patch.lines)
    return {**document, "patch": {"text": text, "lines_left_out": patch.left_out, "note": patch.note}}


def _finding(finding: Finding) -> dict[str, Any]:
    document = diagnostic_document(finding.diagnostic)
    return {**document, "spans": [{**span, "revision": finding.revision} for span in document["spans"]]}
