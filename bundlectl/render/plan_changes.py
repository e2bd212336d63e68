"""Changes and drift of a plan as lines of text: fields old -> new with their place in the bundle. Pure.

Called by render.plan_text, which has the frame around them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bundlectl.model.location import path_short, path_text
from bundlectl.model.plan import ABSENT, Action, Change, DriftedJob, FieldChange, Verdict
from bundlectl.render.escape import Style, visible, visible_lines
from bundlectl.render.values import (
    UNSET,
    counted,
    day_text,
    is_block,
    job_name,
    minute_text,
    snapshot_text,
    span_text,
    value_text,
)

_PLACE = 70  # column of `file:line`
_VALUE = 41  # column of a field's values
_FOLD_FROM = 10  # more code-only jobs than this are one line
_SHOWN_CODE_ONLY = 20  # of those that name a changed file
_DIFF_LINES = 20

SIGNS: Mapping[Action, tuple[str, str]] = {
    Action.CREATE: ("+", "add"),
    Action.UPDATE: ("~", "change"),
    Action.RENAME: (">", "change"),
    Action.REPLACE: ("-/+", "remove"),
    Action.DELETE: ("-", "remove"),
    Action.FORGET: (".", "dim"),
}

# Order of sections: what cannot be undone first.
_RANKS: Mapping[Action, int] = {
    Action.DELETE: 0,
    Action.REPLACE: 2,
    Action.UPDATE: 3,
    Action.RENAME: 4,
    Action.CREATE: 5,
    Action.FORGET: 6,
}

_HIDDEN_VERDICTS = frozenset({Verdict.DEFAULT, Verdict.SUPPRESSED})


def is_code_only(change: Change) -> bool:
    """Whether nothing but the snapshot of a job changes."""
    return (
        change.action is Action.UPDATE and change.code is not None and not visible_fields(change) and not change.reason
    )


def visible_fields(change: Change) -> list[FieldChange]:
    """Fields that a plan shows without being asked: changed ones first, then new ones, then removed ones."""
    shown = [field for field in change.fields if field.verdict not in _HIDDEN_VERDICTS and not _kept(field)]
    return sorted(shown, key=lambda field: ("~+-".index(field_sign(field)), path_short(field.path)))


def field_sign(field: FieldChange) -> str:
    """`+` for a field that appears, `-` for one that goes, `~` for another value."""
    return value_sign(_from(field), field.desired)


def value_sign(old: Any, new: Any) -> str:
    """`+` for a value that appears, `-` for one that goes, `~` for another one."""
    if old is ABSENT:
        return "+"
    return "-" if new is ABSENT else "~"


def change_lines(changes: tuple[Change, ...], style: Style, *, show: str, verbose: bool) -> Iterator[str]:
    """Every change, destructive ones first; many code-only ones folded into one line."""
    folded = [change for change in changes if is_code_only(change)]
    if len(folded) <= _FOLD_FROM or show == "all":
        folded = []
    hidden = {change.address for change in folded}
    for change in sorted((c for c in changes if c.address not in hidden), key=_rank):
        yield from _change(change, style, show, verbose)
    if folded:
        yield from _folded(folded, style)


def _rank(change: Change) -> tuple[int, str]:
    conflict = any(field.verdict is Verdict.CONFLICT for field in change.fields)
    return (1 if conflict and not change.destructive else _RANKS[change.action], change.address)


def _folded(changes: list[Change], style: Style) -> Iterator[str]:
    named = sorted((c for c in changes if c.code is not None and c.code.direct), key=lambda change: change.address)
    for change in named[:_SHOWN_CODE_ONLY]:
        yield from _change(change, style, "changed", False)
    left = len(changes) - min(len(named), _SHOWN_CODE_ONLY)
    if left:
        new = snapshot_text(next((c.code.new for c in changes if c.code is not None), None))
        more = "more jobs" if named else "jobs"
        more = more if left != 1 else more.removesuffix("s")
        yield f"  {style('change', '~')} {left} {more}  code only: they run from snapshot {new} afterwards"


def _change(change: Change, style: Style, show: str, verbose: bool) -> Iterator[str]:
    sign, kind = SIGNS[change.action]
    text = f"{job_name(change.address)}{_headline(change)}"
    yield f"{style(kind, f'{sign:>3}')} {placed(text, 4, span_text(change.span))}"
    if change.action is Action.CREATE and change.desired is not None:
        yield f"      {description(change.desired)}"
    for field in visible_fields(change):
        yield from _field(field, change, style, verbose)
    if show in ("suppressed", "all"):
        for field in change.fields:
            if field.verdict in _HIDDEN_VERDICTS or _kept(field):
                yield f"      = {columns(visible(path_short(field.path)), _suppressed(field), '')}"
    if change.code is not None and change.action is not Action.CREATE:
        yield f"      {style('change', '~')} {columns('code', _code(change), '')}"
    if change.active_runs:
        yield f"      {_active(change)}"
    same = _unchanged_fields(change)
    if same and visible_fields(change):
        hidden = f"{counted(same, 'unchanged field')} hidden"
        yield f"      {style('dim', hidden)}"


def _headline(change: Change) -> str:
    if change.action is Action.RENAME:
        ident = f", id {visible(change.id)} and its runs are kept" if change.id else ""
        return f"  renamed from jobs.{visible(change.renamed_from)}{ident}"
    if change.action is Action.REPLACE:
        return "  must be replaced"
    if is_code_only(change):
        return "  code only"
    if change.action is Action.DELETE:
        kept = f"tombstone until {day_text(change.until)}" if change.until else "deleted for good"
        return f"  {visible(change.reason or 'deleted')}; {kept}"
    return f"  {visible(change.reason)}" if change.reason else ""


def description(document: Mapping[str, Any]) -> str:
    """A new job in a few words: how many tasks, what starts it."""
    tasks = document.get("tasks")
    parts = [counted(len(tasks) if isinstance(tasks, list) else 0, "task")]
    schedule = schedule_text(document)
    if schedule:
        parts.append(schedule)
    return ", ".join(parts)


def schedule_text(document: Mapping[str, Any]) -> str | None:
    """What starts a job by itself, in words; None when nothing does."""
    schedule = document.get("schedule")
    if isinstance(schedule, dict):
        zone = visible(schedule.get("timezone_id", ""))
        paused = ", paused" if schedule.get("pause_status") == "PAUSED" else ""
        return f'schedule "{visible(schedule.get("quartz_cron_expression", ""))}" {zone}{paused}'.rstrip()
    for name in ("continuous", "trigger", "triggers"):
        value = document.get(name)
        if value:
            paused = ", paused" if isinstance(value, dict) and value.get("pause_status") == "PAUSED" else ""
            if isinstance(value, dict):
                kinds = [visible(key.replace("_", " ")) for key in sorted(value) if isinstance(value[key], dict)]
                return f"{name}{f' on {kinds[0]}' if kinds and name == 'trigger' else ''}{paused}"
            return counted(len(value), "trigger")
    return None


def _field(field: FieldChange, change: Change, style: Style, verbose: bool) -> Iterator[str]:
    place = _note(field, change) or span_text(field.span)
    name = path_short(field.path)
    return field_lines(name, _from(field), field.desired, place, style, sensitive=field.sensitive, verbose=verbose)


def field_lines(
    name: str, old: Any, new: Any, place: str, style: Style, *, sensitive: bool, verbose: bool, named: bool = False
) -> Iterator[str]:
    """One field old -> new, and where it is written; text of several lines as its diff. `named`: see value_text."""
    sign = value_sign(old, new)
    shown = visible(name)
    mark = style({"+": "add", "-": "remove"}.get(sign, "change"), sign)
    if not sensitive and (is_block(old) or is_block(new)):
        yield f"      {mark} {columns(shown, 'text', place)}"
        yield from _text_diff(old, new, style, verbose)
        return
    before = value_text(old, sensitive=sensitive, named=named)
    after = value_text(new, sensitive=sensitive, named=named)
    value = after if sign == "+" else f"{before}  {UNSET}" if sign == "-" else f"{before} -> {after}"
    yield f"      {mark} {columns(shown, value, place)}"


def _from(field: FieldChange) -> Any:
    """What a deploy changes away from: for drift what the backend holds, else what was recorded."""
    if field.verdict is Verdict.DRIFT:
        return field.observed
    return field.observed if field.recorded is ABSENT and field.verdict is Verdict.CHANGE else field.recorded


def _note(field: FieldChange, change: Change) -> str:
    if field.verdict is Verdict.DRIFT:
        return "# drift, set back"
    if field.verdict is Verdict.CONFLICT:
        return f"# conflict: the backend has {value_text(field.observed, sensitive=field.sensitive)}"
    if field.verdict is Verdict.BOTH:
        return "# already so on the backend"
    if change.forces_replace and _forces(field, change):
        return "# forces replacement"
    return ""


def _forces(field: FieldChange, change: Change) -> bool:
    return path_text(field.path) in change.forces_replace


def _text_diff(old: Any, new: Any, style: Style, verbose: bool) -> Iterator[str]:
    from difflib import unified_diff

    before = visible_lines(old).split("\n") if isinstance(old, str) else []
    after = visible_lines(new).split("\n") if isinstance(new, str) else []
    lines = list(unified_diff(before, after, lineterm="", n=2))[2:]
    limit = len(lines) if verbose else _DIFF_LINES
    for line in lines[:limit]:
        kind = {"+": "add", "-": "remove", "@": "dim"}.get(line[:1], "")
        yield f"          {style(kind, line)}"
    if len(lines) > limit:
        yield f"          {counted(len(lines) - limit, 'more line')}, shown with -v"


def _suppressed(field: FieldChange) -> str:
    value = field.observed if field.observed is not ABSENT else field.desired
    return f"{value_text(value, sensitive=field.sensitive)}  ({visible(field.reason or field.verdict.value)})"


def _code(change: Change) -> str:
    code = change.code
    assert code is not None
    if code.direct:
        return files_text(code.direct)
    return f"snapshot {snapshot_text(code.old)} -> {snapshot_text(code.new)}"


def files_text(paths: tuple[str, ...]) -> str:
    """Changed files that a job names, the first few."""
    shown = ", ".join(visible(path) for path in paths[:5])
    return shown + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _active(change: Change) -> str:
    runs = counted(change.active_runs or 0, "active run")
    keep = "keeps" if change.active_runs == 1 else "keep"
    if change.code is not None and change.code.old is not None:
        return f"{runs} {keep} snapshot {snapshot_text(change.code.old)}"
    if change.action is Action.DELETE:
        return f"{runs} {'goes' if change.active_runs == 1 else 'go'} on to the end; waiting ones are cancelled"
    if change.destructive:
        return f"{runs} would be cancelled"
    return f"{runs} {keep} the settings that they started with"


def _unchanged_fields(change: Change) -> int:
    if change.desired is None or change.action is Action.CREATE:
        return 0
    return max(0, _leaves(change.desired) - len([f for f in change.fields if f.desired is not ABSENT]))


def _leaves(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_leaves, value.values())) if value else 1
    if isinstance(value, list) and value and any(isinstance(item, dict | list) for item in value):
        return sum(map(_leaves, value))
    return 1


def columns(name: str, value: str, place: str) -> str:
    """A field's name, value and place, each at its column or after a gap."""
    width = _VALUE - 8
    text = f"{name:<{width}}" if len(name) < width else f"{name} "
    return placed(text + value, 8, place)


def placed(text: str, start: int, place: str) -> str:
    """A line's text and, at its column or after a gap, where it is written. `start`: column of the text."""
    if not place:
        return text.rstrip()
    width = _PLACE - start
    return f"{text:<{width}}{place}" if len(text) < width - 1 else f"{text}   {place}"


def drift_lines(jobs: tuple[DriftedJob, ...], style: Style) -> Iterator[str]:
    """What the backend holds differently from what was deployed, and what a deploy does about it."""
    for job in jobs:
        mark = style("drift", "!")
        name = job_name(job.address)
        if job.gone:
            yield f"  {mark} {name}  gone from the backend"
            yield "      deploying creates it again"
        elif not job.fields:
            yield f"  {mark} {name}  its code path or ownership mark was changed"
            yield "      deploying sets it back"
        for field in job.fields:
            old = value_text(field.recorded, sensitive=field.sensitive)
            new = value_text(field.observed, sensitive=field.sensitive)
            sign = mark if field.snoozed_until is None else "="
            yield f"  {sign} {name}  {visible(path_short(field.path))}  {old} -> {new}{author_text(field)}"
            yield f"      {_outcome(field)}"


def author_text(field: FieldChange) -> str:
    """Who changed a field on the backend and when, after a gap; nothing when the backend does not tell."""
    told = " ".join(part for part in (visible(field.by or ""), minute_text(field.at)) if part)
    return f"   {told}" if told else ""


def _outcome(field: FieldChange) -> str:
    if field.snoozed_until is not None:
        return f"snoozed until {minute_text(field.snoozed_until)}: a deploy leaves it"
    if field.reason == "operator_owned":
        return "kept: pause belongs to the operator"
    if field.verdict is Verdict.CONFLICT:
        return f"conflict: the bundle says {value_text(field.desired, sensitive=field.sensitive)}, which a deploy sets"
    return "deploying sets it back"


def _kept(field: FieldChange) -> bool:
    return field.reason in ("operator_owned", "snoozed")
