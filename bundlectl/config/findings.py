"""Short ways to make the findings of the loading steps. Called by those steps only."""

from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.location import FieldPath, SourceSpan, path_text


def _make(
    severity: Severity,
    code: str,
    summary: str,
    path: FieldPath,
    spans: tuple[SourceSpan, ...],
    detail: str | None,
    hint: str | None,
    related: tuple[Related, ...],
) -> Diagnostic:
    return Diagnostic(
        code=code,
        severity=severity,
        summary=summary,
        detail=detail,
        hint=hint,
        path=path_text(path) if path else None,
        spans=tuple(span for span in spans if span.line),
        related=related,
    )


def error(
    code: str,
    summary: str,
    *spans: SourceSpan,
    path: FieldPath = (),
    detail: str | None = None,
    hint: str | None = None,
    related: tuple[Related, ...] = (),
) -> Diagnostic:
    """Class E: stops the stages after this one."""
    return _make(Severity.ERROR, code, summary, path, spans, detail, hint, related)


def plan_error(
    code: str,
    summary: str,
    *spans: SourceSpan,
    path: FieldPath = (),
    detail: str | None = None,
    hint: str | None = None,
) -> Diagnostic:
    """Class P: a warning for validate, an error for plan."""
    return _make(Severity.PLAN_ERROR, code, summary, path, spans, detail, hint, ())


def warning(
    code: str,
    summary: str,
    *spans: SourceSpan,
    path: FieldPath = (),
    detail: str | None = None,
    hint: str | None = None,
) -> Diagnostic:
    """Class W."""
    return _make(Severity.WARNING, code, summary, path, spans, detail, hint, ())


def note(
    code: str,
    summary: str,
    *spans: SourceSpan,
    path: FieldPath = (),
    detail: str | None = None,
    hint: str | None = None,
) -> Diagnostic:
    """Class R."""
    return _make(Severity.NOTE, code, summary, path, spans, detail, hint, ())


def did_you_mean(near: str | None) -> str | None:
    """The detail line for a nearest name."""
    return f'did you mean "{near}"?' if near else None
