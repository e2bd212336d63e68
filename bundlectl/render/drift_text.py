"""Drift of a target as text, and the result of accepting or snoozing it. Pure.

Called by the command `drift`. Values and names come from the backend, so everything is escaped.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from bundlectl.model.location import FieldPath, SourceSpan, path_short, path_text
from bundlectl.model.plan import FieldChange
from bundlectl.render.escape import Style, plain, visible
from bundlectl.render.plan_changes import author_text
from bundlectl.render.values import counted, job_name, minute_text, span_text, value_text


class DriftedJob(Protocol):
    """One job that is not as it was deployed."""

    @property
    def address(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def gone(self) -> bool: ...
    @property
    def mark_changed(self) -> bool: ...
    @property
    def copies(self) -> tuple[str, ...]: ...
    @property
    def fields(self) -> tuple[FieldChange, ...]: ...


class Snoozed(Protocol):
    """A snooze that is recorded."""

    @property
    def name(self) -> str: ...
    @property
    def until(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def path(self) -> FieldPath: ...

    def is_over(self, now_ms: int) -> bool: ...


class NamedField(Protocol):
    """A field of a drifted job."""

    @property
    def job(self) -> DriftedJob: ...
    @property
    def field(self) -> FieldChange: ...


class AcceptedField(Protocol):
    """A value that was taken over, and where it is written now."""

    @property
    def field(self) -> NamedField: ...
    @property
    def span(self) -> SourceSpan | None: ...


class FilePatch(Protocol):
    """A file that was, or would be, written."""

    @property
    def path(self) -> str: ...
    @property
    def lines(self) -> tuple[str, ...]: ...


def drift_text(
    target: str,
    jobs: Iterable[DriftedJob],
    strays: Iterable[str],
    snoozes: Mapping[str, Snoozed],
    *,
    drifted: int,
    looked_at: int,
    style: Style = plain,
) -> str:
    """The whole result. `snoozes`: by the name of the field, for the reason of each."""
    lines = [drift_summary(target, drifted, looked_at).rstrip("\n")]
    for job in jobs:
        lines += _job(job, snoozes, style)
    for id in strays:
        lines.append(f"  {style('drift', '!')} job {visible(id)}  has the mark of this target and is not recorded")
    return "\n".join(lines) + "\n"


def drift_summary(target: str, drifted: int, looked_at: int) -> str:
    """The first line alone (-q)."""
    if not drifted:
        return f"{visible(target)}: no drift in {counted(looked_at, 'job')}\n"
    return f"{visible(target)}: {drifted} of {counted(looked_at, 'job')} drifted\n"


def _job(job: DriftedJob, snoozes: Mapping[str, Snoozed], style: Style) -> Iterator[str]:
    mark, name = style("drift", "!"), job_name(job.address)
    if job.gone:
        yield f"  {mark} {name}  gone from the backend"
    if job.mark_changed:
        yield f"  {mark} {name}  its code path or ownership mark was changed"
    for id in job.copies:
        yield f"  {mark} {name}  there is a copy of it: job {visible(id)} beside {visible(job.id)}"
    for field in job.fields:
        old = value_text(field.recorded, sensitive=field.sensitive)
        new = value_text(field.observed, sensitive=field.sensitive)
        text = f"{name}  {visible(path_short(field.path))}  {old} -> {new}"
        if field.snoozed_until is not None:
            yield f"  = {text}   {_snoozed(job, field, snoozes)}"
        else:
            yield f"  {mark} {text}{author_text(field)}"
            if field.reason == "operator_owned":
                yield "      kept: pause belongs to the operator"


def _snoozed(job: DriftedJob, field: FieldChange, snoozes: Mapping[str, Snoozed]) -> str:
    snooze = snoozes.get(f"{job.address}.{path_text(field.path)}")
    why = f": {visible(snooze.reason)}" if snooze is not None else ""
    return f"snoozed until {minute_text(field.snoozed_until)}{why}"


def accepted_text(
    fields: Iterable[AcceptedField],
    patches: Iterable[FilePatch],
    elsewhere: Iterable[str],
    *,
    written: bool,
    style: Style = plain,
) -> str:
    """What was taken over and where, the diff of each file, and what changes in other targets too."""
    lines = []
    for item in fields:
        change = item.field.field
        old = value_text(change.recorded, sensitive=change.sensitive)
        new = value_text(change.observed, sensitive=change.sensitive)
        place = span_text(item.span) if item.span is not None else "the bundle says so already"
        lines.append(
            f"{job_name(item.field.job.address)}  {visible(path_short(change.path))}  {old} -> {new}   {place}"
        )
    files = list(patches)
    for patch in files:
        lines.append("")
        lines += [style(_DIFF_STYLES.get(line[:1], ""), visible(line)) for line in patch.lines]
    others = list(elsewhere)
    if others:
        lines += ["", f"These change too: {', '.join(map(visible, others))}"]
    if files:
        names = ", ".join(visible(patch.path) for patch in files)
        done = f"Wrote {names}. Review it and commit it." if written else f"Not written: {names} (--dry-run)"
        lines += ["", done]
    return "\n".join(lines) + "\n" if lines else "Nothing to accept.\n"


_DIFF_STYLES = {"+": "add", "-": "remove", "@": "dim"}


def snoozes_text(target: str, snoozes: Iterable[Snoozed], now_ms: int) -> str:
    """One line for each snooze that is recorded."""
    lines = [
        f"jobs.{visible(item.key)}  {visible(path_short(item.path))}  "
        + ("over since" if item.is_over(now_ms) else "until")
        + f" {minute_text(item.until)}   {visible(item.by)}: {visible(item.reason)}"
        for item in snoozes
    ]
    return "\n".join(lines) + "\n" if lines else f"{visible(target)}: nothing is snoozed\n"
