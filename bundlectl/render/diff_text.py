"""A comparison as text: header, jobs with their fields old -> new and both places, code, diffs of files, totals. Pure.

Called by cli for `diff`. Lines look like those of a plan (render.plan_changes, render.plan_text).
"""

from collections.abc import Iterable, Iterator, Mapping

from bundlectl.model.comparison import (
    Comparison,
    FieldDifference,
    FileDifference,
    JobDifference,
    JobStatus,
    Patch,
    Point,
    causes,
    count,
)
from bundlectl.model.location import SourceSpan, path_short
from bundlectl.model.plan import ABSENT
from bundlectl.model.plan_document import hidden
from bundlectl.render.escape import Style, plain, visible
from bundlectl.render.plan_changes import columns, description, field_lines, files_text, placed, value_sign
from bundlectl.render.plan_text import file_lines
from bundlectl.render.values import commit_text, counted, job_name, snapshot_text, span_text

_SIGNS: Mapping[JobStatus, tuple[str, str]] = {
    JobStatus.ADDED: ("+", "add"),
    JobStatus.CHANGED: ("~", "change"),
    JobStatus.CODE: ("~", "change"),
    JobStatus.RENAMED: (">", "change"),
    JobStatus.REMOVED: ("-", "remove"),
}
# What cannot be taken back first, as in a plan.
_RANKS = {status: rank for rank, status in enumerate((JobStatus.REMOVED, JobStatus.CHANGED, JobStatus.CODE))} | {
    JobStatus.RENAMED: 3,
    JobStatus.ADDED: 4,
}
_FOLD_FROM = 10  # more jobs than this that differ in code alone are one line
_NAMED_JOBS = 3  # behind a file
_TAB = 4


def diff_text(comparison: Comparison, *, style: Style = plain, verbose: bool = False) -> str:
    """The whole comparison."""
    if comparison.is_empty:
        return _same(comparison) + "\n"
    parts = [list(_header(comparison, style))]
    if comparison.jobs:
        parts.append([style("bold", "Jobs"), *_jobs(comparison.jobs, style, verbose)])
    if comparison.files:
        parts.append(list(_code(comparison, style)))
    parts += [list(_patch(item, item.patch, style)) for item in comparison.files if item.patch is not None]
    parts.append(list(_summary(comparison)))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def diff_summary_text(comparison: Comparison) -> str:
    """The summary lines alone (-q)."""
    if comparison.is_empty:
        return _same(comparison) + "\n"
    return "\n".join(_summary(comparison)) + "\n"


def diff_names_text(comparison: Comparison) -> str:
    """Names alone, one a line: jobs as `jobs.key`, then files by path. Empty when nothing differs."""
    names = [job_name(job.address) for job in comparison.jobs]
    names += [visible(item.file.path) for item in comparison.files]
    return "".join(f"{name}\n" for name in names)


def _same(comparison: Comparison) -> str:
    left, right = comparison.left, comparison.right
    left_out = f" ({comparison.not_selected} not selected)" if comparison.not_selected else ""
    return f"No differences. {_point(left)} and {_point(right)} have the same jobs and code{left_out}."


def _point(point: Point) -> str:
    """`recorded:prod (deployment 41 @ 9af01b2)`, `ref:main (c1cfe67)`."""
    facts = [f"deployment {point.deployment}"] if point.deployment is not None else []
    told = " @ ".join([*facts, *([commit_text(point.commit)] if point.commit else [])])
    return _name(point) + (f" ({told})" if told else "")


def _name(point: Point) -> str:
    """What was asked for; a whole commit id in short."""
    return f"ref:{commit_text(point.commit)}" if point.name == f"ref:{point.commit}" else visible(point.name)


def _header(comparison: Comparison, style: Style) -> Iterator[str]:
    left, right = comparison.left, comparison.right
    targets = visible(right.target)
    if left.target != right.target:
        targets = f"{visible(left.target)} -> {targets}"
    yield f"{style('bold', visible(comparison.bundle))}   target {targets}"
    width = max(len(_name(point)) for point in (left, right))
    for side, point in (("from", left), ("to", right)):
        yield f"{side:<6}{_name(point):<{width}}  {_facts(point, style)}".rstrip()


def _facts(point: Point, style: Style) -> str:
    if point.kind in ("recorded", "deployment", "observed") and point.deployment is None:
        return "nothing deployed yet"
    parts = [f"deployment {point.deployment}"] if point.deployment is not None else []
    if point.commit is not None:
        name = point.ref.removeprefix("refs/heads/").removeprefix("refs/tags/") if point.ref else None
        parts.append(f"{visible(name)} @ {commit_text(point.commit)}" if name else f"@ {commit_text(point.commit)}")
    if point.tree is not None:
        parts.append(f"tree {commit_text(point.tree)}")
    if point.snapshot is not None:
        parts.append(f"snapshot {snapshot_text(point.snapshot)}")
    if point.dirty is None:
        parts.append(style("warning", "dirty"))
    elif point.dirty:
        parts.append(style("warning", f"dirty, {counted(len(point.dirty), 'file')}"))
    return "  ".join(parts)


def _jobs(jobs: Iterable[JobDifference], style: Style, verbose: bool) -> Iterator[str]:
    listed = sorted(jobs, key=lambda job: (_RANKS[job.status], job.address))
    folded = [job for job in listed if job.status is JobStatus.CODE]
    fold = len(folded) > _FOLD_FROM and not verbose
    for job in listed:
        if not (fold and job.status is JobStatus.CODE):
            yield from _job(job, style, verbose)
    if fold:
        yield f"  {style('change', '~')} {len(folded)} jobs  code only: they name changed files"


def _job(job: JobDifference, style: Style, verbose: bool) -> Iterator[str]:
    sign, kind = _SIGNS[job.status]
    where = places_text(job.left_span, job.right_span)
    cause = f"  {job.cause.value}" if job.cause is not None else ""
    yield f"{style(kind, f'{sign:>3}')} {placed(f'{job_name(job.address)}{_headline(job)}{cause}', 4, where)}"
    if job.status is JobStatus.ADDED and job.document is not None:
        yield f"      {description(job.document)}"
    for item in sorted(job.fields, key=_field_rank):
        old, new = (hidden(side, item.path) if side is not ABSENT else ABSENT for side in (item.left, item.right))
        name = path_short(item.path)
        yield from field_lines(
            name, old, new, _place(item), style, sensitive=item.sensitive, verbose=verbose, named=True
        )
    if job.direct:
        yield f"      {style('change', '~')} {columns('code', files_text(job.direct), '')}"


def _field_rank(item: FieldDifference) -> tuple[int, str]:
    """Changed fields first, then new ones, then those that are gone, as in a plan."""
    return "~+-".index(value_sign(item.left, item.right)), path_short(item.path)


def _headline(job: JobDifference) -> str:
    if job.status is JobStatus.RENAMED:
        return f"  renamed from jobs.{visible(job.renamed_from)}"
    return "  code only" if job.status is JobStatus.CODE else ""


def _place(item: FieldDifference) -> str:
    where = places_text(item.left_span, item.right_span)
    return "  ".join(part for part in (item.cause.value if item.cause is not None else "", where) if part)


def places_text(left: SourceSpan | None, right: SourceSpan | None) -> str:
    """`file:line` of both sides: once when they are equal, the line alone when only that differs."""
    if left is None or right is None:
        return span_text(right if right is not None else left)
    if left.file == right.file:
        return span_text(left) if left.line == right.line else f"{span_text(left)} -> {right.line}"
    return f"{span_text(left)} -> {span_text(right)}"


def _code(comparison: Comparison, style: Style) -> Iterator[str]:
    old, new = snapshot_text(comparison.left.snapshot), snapshot_text(comparison.right.snapshot)
    yield f"{style('bold', 'Code')}  snapshot {old} -> {new}"
    notes = {item.file.path: _named_by(item.jobs) for item in comparison.files if item.jobs}
    yield from file_lines([item.file for item in comparison.files], style, notes)


def _named_by(jobs: tuple[str, ...]) -> str:
    shown = ", ".join(map(job_name, jobs[:_NAMED_JOBS]))
    return shown + (f" and {len(jobs) - _NAMED_JOBS} more" if len(jobs) > _NAMED_JOBS else "")


def _patch(item: FileDifference, patch: Patch, style: Style) -> Iterator[str]:
    yield style("bold", f"diff {visible(item.file.path)}")
    for line in patch.lines:
        kind = {"+": "add", "-": "remove", "@": "dim"}.get(line[:1], "")
        shown = line[:1] + visible(line[1:].expandtabs(_TAB))
        yield style(kind if not line.startswith(("+++ ", "--- ")) else "bold", shown)
    if patch.left_out:
        yield f"({counted(patch.left_out, 'more line')}, not shown)"
    if patch.note is not None:
        yield f"({patch.note})"
    elif not patch.lines and not patch.left_out:
        yield "(no difference in its lines)"


def _summary(comparison: Comparison) -> Iterator[str]:
    totals = count(comparison)
    renamed = f", {totals['renamed']} renamed" if totals["renamed"] else ""
    changed = totals["changed"] + totals["code"]
    left_out = f", {totals['not_selected']} not selected" if totals["not_selected"] else ""
    yield (
        f"Diff: {totals['added']} added, {changed} changed{renamed}, {totals['removed']} removed, "
        f"{totals['unchanged']} unchanged{left_out}"
    )
    facts = []
    if comparison.files:
        affected = f", {counted(comparison.code_jobs, 'job')} affected" if comparison.code_jobs else ""
        facts.append(f"Code: {counted(len(comparison.files), 'file')} changed{affected}.")
    found = causes(comparison)
    if found:
        facts.append("Causes: " + ", ".join(f"{number} {cause.value}" for cause, number in found.items()) + ".")
    if facts:
        yield " ".join(facts)
