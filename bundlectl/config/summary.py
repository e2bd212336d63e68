"""What a plan without changes asks of a bundle, as JSON and back: one pass, also for very many jobs.

Called by config.cache and config.reload, stored by config.index. What an incremental load needs is in config.records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from bundlectl.model.artifact import ArtifactPattern, ArtifactSpec
from bundlectl.model.bundle import Bundle, Target, Variable
from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.job import JobDigest
from bundlectl.model.location import SourceSpan

_DIGEST_PREFIX = "sha256:"

# What reading a stored document raises that is not one of ours, or damaged.
DAMAGED = (KeyError, TypeError, ValueError, IndexError)


def finding_row(finding: Diagnostic) -> list[Any]:
    """A finding as JSON."""
    return [
        finding.code,
        finding.severity.value,
        finding.summary,
        finding.detail,
        finding.hint,
        finding.path,
        [list(span) for span in finding.spans],
        [[list(related.span), related.text] for related in finding.related],
    ]


def read_finding(row: Sequence[Any]) -> Diagnostic:
    """The other way."""
    code, severity, summary, detail, hint, path, spans, related = row
    return Diagnostic(
        code=code,
        severity=Severity(severity),
        summary=summary,
        detail=detail,
        hint=hint,
        path=path,
        spans=tuple(SourceSpan(*span) for span in spans),
        related=tuple(Related(SourceSpan(*span), text) for span, text in related),
    )


def _read_artifact(row: Sequence[Any]) -> ArtifactSpec:
    name, kind, folder, build, executable, files, dynamic_version, span = row
    patterns = tuple(ArtifactPattern(source, SourceSpan(*place)) for source, place in files)
    return ArtifactSpec(name, kind, folder, build, executable, patterns, dynamic_version, SourceSpan(*span))


class Summary(NamedTuple):
    """What a plan without changes asks for."""

    bundle: Bundle
    findings: tuple[Diagnostic, ...]
    snapshot_key: str | None


def summary_document(summary: Summary) -> dict[str, Any]:
    """As JSON; jobs are columns, because there may be very many of them."""
    bundle = summary.bundle
    fields = {
        name: getattr(bundle, name)
        for name in Bundle.__dataclass_fields__
        if name not in ("jobs", "target", "variables")
    }
    odd = {}
    digests = []
    for number, (key, meta) in enumerate(bundle.jobs.items()):
        digests.append(meta.digest.removeprefix(_DIGEST_PREFIX))
        if meta[1:] != (True, (), None, "git", False):
            odd[number] = [meta.uses_code, list(meta.depends_on), meta.renamed_from, meta.pause, meta.uses_artifacts]
        del key
    return {
        "bundle": {**fields, "unmanaged": dict(bundle.unmanaged)},
        "target": asdict(bundle.target),
        "variables": [list(variable) for variable in bundle.variables],
        "keys": list(bundle.jobs),
        "digests": "".join(digests),
        "odd": odd,
        "findings": [finding_row(finding) for finding in summary.findings],
        "snapshot_key": summary.snapshot_key,
    }


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def read_summary(document: Mapping[str, Any]) -> Summary:
    """The other way. Raises KeyError, TypeError, ValueError for what is no such document."""
    keys: list[str] = document["keys"]
    text: str = document["digests"]
    if len(text) != 64 * len(keys):
        raise ValueError("digests and keys do not fit")
    make = JobDigest.__new__
    jobs = {
        key: make(JobDigest, _DIGEST_PREFIX + text[at : at + 64], True)
        for key, at in zip(keys, range(0, len(text), 64), strict=True)
    }
    for number, (uses_code, depends_on, renamed_from, pause, uses_artifacts) in document["odd"].items():
        key = keys[int(number)]
        digest = jobs[key].digest
        jobs[key] = JobDigest(digest, uses_code, tuple(depends_on), renamed_from, pause, uses_artifacts)
    fields = _tuples(document["bundle"])
    fields["artifacts"] = tuple(map(_read_artifact, fields["artifacts"]))
    bundle = Bundle(
        jobs=jobs,
        target=Target(**_tuples(document["target"])),
        variables=tuple(Variable(*row) for row in document["variables"]),
        **fields,
    )
    return Summary(bundle, tuple(map(read_finding, document["findings"])), document["snapshot_key"])
