"""A plan as text: header, drift, changes, code, guards, and the summary lines that never change their form. Pure.

Called by cli for `plan` and for the plan that `deploy` asks about. Loads nothing heavy: an unchanged plan is one line.
"""

from collections.abc import Iterator, Mapping, Sequence

from bundlectl.model.plan import DENY, Action, CodeFile, Plan, PlanSource, PolicyFinding, count
from bundlectl.render.escape import Style, plain, visible
from bundlectl.render.plan_changes import change_lines, drift_lines
from bundlectl.render.values import commit_text, counted, job_name, minute_text, snapshot_text

_SHOWN_FILES = 50
_SHOWN_NAMES = 20
_SHOWN_FINDINGS = 50
_FILE_SIGNS: Mapping[str, tuple[str, str]] = {
    "added": ("+", "add"),
    "removed": ("-", "remove"),
    "modified": ("~", "change"),
    "mode": ("~", "change"),
}


def plan_text(plan: Plan, *, style: Style = plain, show: str = "changed", verbose: bool = False) -> str:
    """The whole plan. `show`: changed, suppressed (also what does not count) or all (also folded jobs)."""
    told = (plan.changes, plan.drift, plan.guards, plan.debt, plan.left_out, plan.code_only, plan.not_read)
    quiet = not any(told)
    if quiet:
        return no_changes(plan) + "\n"
    parts = [list(_header(plan, style))]
    if plan.drift:
        since = f" since deployment {plan.base.serial}" if plan.base.deployment else ""
        parts.append([style("bold", f"Drift{since}"), *drift_lines(plan.drift, style)])
    if plan.changes:
        parts.append([style("bold", "Changes"), *change_lines(plan.changes, style, show=show, verbose=verbose)])
    if plan.code or plan.code_only:
        parts.append(list(_code(plan, style)))
    if plan.artifacts:
        parts.append([style("bold", "Artifacts"), *_artifacts(plan)])
    if plan.hooks:
        named = ", ".join(map(visible, plan.hooks))
        parts.append([f"{style('bold', 'Hooks')}  {named}: code of the bundle that a deploy with --allow scripts runs"])
    guards = list(_guards(plan, style))
    if guards:
        parts.append([style("bold", "Guards"), *guards])
    if plan.policies:
        head = f"{style('bold', 'Policy')}  read at {visible(plan.policy_source or '')}"
        parts.append([head, *_policies(plan.policies, style)])
    if plan.left_out:
        parts.append([f"Left out  {_names(plan.left_out)}: not selected, and still behind after this"])
    if plan.debt:
        parts.append([f"Debt  {_names(plan.debt)} left out of an earlier deployment and still behind"])
    parts.append(list(_end(plan)))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def summary_text(plan: Plan) -> str:
    """The summary lines alone (-q)."""
    if not plan.changes and not plan.code_only:
        return no_changes(plan) + "\n"
    return "\n".join(_summary(plan)) + "\n"


def plan_line(plan: Plan) -> str:
    """`Plan: A to add, C to change, D to delete, U unchanged[, N not selected]`: people and scripts read it."""
    totals = count(plan)
    added = totals[Action.CREATE] + totals[Action.REPLACE]
    changed = totals[Action.UPDATE] + totals[Action.RENAME]
    deleted = totals[Action.DELETE] + totals[Action.REPLACE]
    left_out = f", {plan.not_selected} not selected" if plan.not_selected else ""
    return f"Plan: {added} to add, {changed} to change, {deleted} to delete, {plan.unchanged} unchanged{left_out}"


def no_changes(plan: Plan) -> str:
    """`No changes. prod matches main @ c1cfe67 (deployment 41).`"""
    recorded = f"deployment {plan.base.serial}" if plan.base.deployment else "nothing deployed yet"
    dirty = f", dirty, {counted(len(plan.source.dirty_paths), 'file')}" if plan.source.dirty else ""
    if plan.left_out:
        return f"No changes in what is selected. {counted(len(plan.left_out), 'change')} left out ({recorded})."
    return f"No changes. {visible(plan.target)} matches {_point(plan.source)}{dirty} ({recorded})."


def _names(addresses: Sequence[str]) -> str:
    more = f" and {len(addresses) - _SHOWN_NAMES} more" if len(addresses) > _SHOWN_NAMES else ""
    return ", ".join(map(job_name, addresses[:_SHOWN_NAMES])) + more


def _point(source: PlanSource) -> str:
    """`main @ c1cfe67`, or the commit alone when no branch is checked out."""
    if source.commit is None:
        return f"tree {commit_text(source.tree)}"
    ref = source.ref.removeprefix("refs/heads/").removeprefix("refs/tags/") if source.ref else None
    return f"{visible(ref)} @ {commit_text(source.commit)}" if ref else commit_text(source.commit)


def _header(plan: Plan, style: Style) -> Iterator[str]:
    backend = [visible(plan.backend.kind)]
    if plan.backend.host:
        backend.append(visible(plan.backend.host))
    title = f"{visible(plan.bundle)} -> {visible(plan.target)}"
    yield f"{style('bold', title)}   {'  '.join(backend)}"
    source = plan.source
    state = f"dirty, {counted(len(source.dirty_paths), 'file')}" if source.dirty else "clean"
    code = f"  snapshot {snapshot_text(plan.snapshot)}" if plan.snapshot else ""
    tree = f"  tree {commit_text(source.tree)}" if source.tree else ""
    yield f"source    {_point(source)}{tree}{code}  {style('warning', state) if source.dirty else state}"
    base = plan.base
    if base.deployment:
        told = "".join(f"  {part}" for part in (minute_text(base.at), visible(base.by or "")) if part)
        yield f"recorded  deployment {base.serial} @ {commit_text(base.commit)}{told}"
    else:
        yield "recorded  nothing deployed yet"
    if plan.observed != "read":
        what = "not read" if plan.observed == "not_read" else "read in part"
        yield f"backend   ? {what}" + (f": {visible(plan.not_read)}" if plan.not_read else "")


def _code(plan: Plan, style: Style) -> Iterator[str]:
    old, new = snapshot_text(plan.base.snapshot), snapshot_text(plan.snapshot)
    yield f"{style('bold', 'Code')}  snapshot {old} -> {new}"
    yield from file_lines(plan.code, style)
    if plan.code_only and not plan.changes:
        yield "  no job runs from it; a deploy records it"


def file_lines(files: Sequence[CodeFile], style: Style, notes: Mapping[str, str] | None = None) -> Iterator[str]:
    """Changed files with their line counts; of very many, the first. `notes`: what else is said of a file, by path."""
    shown = files[:_SHOWN_FILES]
    width = max((len(visible(file.path)) for file in shown), default=0)
    for file in shown:
        sign, kind = _FILE_SIGNS[file.status]
        note = notes.get(file.path) if notes is not None else None
        yield f"  {style(kind, sign)} {visible(file.path):<{width}}  {_lines(file)}{f'  {note}' if note else ''}"
    if len(files) > len(shown):
        yield f"  {counted(len(files) - len(shown), 'more file')}"


def _artifacts(plan: Plan) -> Iterator[str]:
    """Built files by content; what is not built yet says so."""
    names = [visible(item["path"]) for item in plan.artifacts]
    width = max(map(len, names))
    for item, name in zip(plan.artifacts, names, strict=True):
        digest = item.get("digest")
        yield f"  {name:<{width}}  {snapshot_text(digest) if digest else 'built at deploy'}"


def _lines(file: CodeFile) -> str:
    if file.status == "mode":
        return "mode"
    if file.added is None and file.removed is None:
        return "not counted: binary or large"
    return f"+{file.added or 0} -{file.removed or 0}"


def _policies(found: Sequence[PolicyFinding], style: Style) -> Iterator[str]:
    """A line for each finding; what is denied comes first."""
    ordered = sorted(found, key=lambda item: item.severity != DENY)
    shown = ordered[:_SHOWN_FINDINGS]
    rows = [
        (visible(item.name), job_name(item.address) if item.address else "", visible(item.message)) for item in shown
    ]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    for item, (name, job, message) in zip(shown, rows, strict=True):
        sign = style("error", "x") if item.severity == DENY else style("warning", "!")
        place = f"   {visible(item.span)}" if item.span is not None else ""
        yield f"  {sign} {name:<{widths[0]}}  {job:<{widths[1]}}  {message}{place}"
    if len(ordered) > len(shown):
        yield f"  {counted(len(ordered) - len(shown), 'more finding')}"


def _guards(plan: Plan, style: Style) -> Iterator[str]:
    shown = [guard for guard in plan.guards if guard.guard not in ("destructive", "policy")]
    width = max((len(guard.guard) for guard in shown), default=0)
    for guard in shown:
        override = f"  ({visible(guard.override)})" if guard.override else ""
        yield f"  {style('error', 'x')} {visible(guard.guard):<{width}}  {visible(guard.summary)}{override}"
        if guard.hint:
            yield f"      {visible(guard.hint)}"


def _end(plan: Plan) -> Iterator[str]:
    yield from _summary(plan)
    if plan.changes or plan.code_only:
        yield f"plan {_short(plan.digest)}   changes {_short(plan.changes_digest)}"


def _summary(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        yield no_changes(plan) if not plan.code_only else plan_line(plan)
    else:
        yield plan_line(plan)
    facts = list(_facts(plan))
    if facts:
        yield " ".join(facts)
    destructive = [
        f"{job_name(change.address)} ({change.action.value})" for change in plan.changes if change.destructive
    ]
    if destructive:
        yield f"Destructive: {', '.join(destructive)}."


def _facts(plan: Plan) -> Iterator[str]:
    totals = count(plan)
    pointed = sum(change.code is not None and change.action is not Action.CREATE for change in plan.changes)
    if plan.code or pointed:
        affected = f", {counted(pointed, 'job')} affected" if pointed else ""
        yield f"Code: {counted(len(plan.code), 'file')} changed{affected}."
    if totals["drift"]:
        yield f"Drift: {counted(totals['drift'], 'field')}."
    if totals["conflict"]:
        yield f"Conflict: {counted(totals['conflict'], 'field')}."
    if plan.policies:
        warned = counted(totals["warned"], "warning")
        yield f"Policy: {totals['denied']} denied, {warned}." if totals["denied"] else f"Policy: {warned}."


def _short(digest: str) -> str:
    return f"{digest[: len('sha256:') + 6]}..." if digest else "-"
