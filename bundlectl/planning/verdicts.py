"""Three sides of one job -> a verdict and a reason per differing field. Pure.

Called by planning.planner for jobs whose digest differs. Desired against recorded is the user's change, recorded
against observed is drift. How a field behaves is read from the field table.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bundlectl.model.job import JsonObject
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, path_text
from bundlectl.model.plan import ABSENT, FieldChange, Verdict, is_sensitive
from bundlectl.planning.diff import (
    KeyedDocument,
    at,
    differing_paths,
    is_empty,
    keyed,
    not_counted,
    plain,
    topmost,
    without_defaults,
)
from bundlectl.planning.field_table import EMPTY, FieldTable, Row, pattern_of
from bundlectl.planning.snoozes import NO_SNOOZES, SNOOZED, JobSnoozes

# Why a difference on the backend is left as it is.
KEPT_REASONS = frozenset({"operator_owned", SNOOZED})

# Verdicts that make a deploy write the job. BOTH is written too: the record has to learn it.
_WRITTEN = frozenset({Verdict.CHANGE, Verdict.CONFLICT, Verdict.BOTH, Verdict.DRIFT})


class Sides(NamedTuple):
    """Documents of one job in neutral form, references between jobs resolved as far as known."""

    desired: Mapping[str, Any]
    recorded: Mapping[str, Any] | None  # None: not recorded
    observed: Mapping[str, Any] | None  # None: not read; the recorded document when the digests agree


class Comparison(NamedTuple):
    """What is different, and what a deploy would send."""

    fields: tuple[FieldChange, ...]
    desired: JsonObject  # with what belongs to the operator as the backend has it
    written: bool  # a deploy has to write the job
    forces_replace: tuple[str, ...] = ()

    @property
    def drift(self) -> tuple[FieldChange, ...]:
        """Fields that the backend holds differently from what was deployed."""
        return tuple(field for field in self.fields if field.verdict in (Verdict.DRIFT, Verdict.CONFLICT))


def compare(
    sides: Sides,
    table: FieldTable,
    *,
    operator_pause: bool,
    spans: Mapping[str, SourceSpan],
    snoozes: JobSnoozes = NO_SNOOZES,
) -> Comparison:
    """Every differing field of a job, suppressed ones included. `spans`: full field path -> where it is written."""
    desired = keyed(sides.desired, table)
    recorded = keyed(sides.recorded, table) if sides.recorded is not None else None
    observed = keyed(sides.observed, table) if sides.observed is not None else None
    fields: list[FieldChange] = []
    if observed is not None:
        bases = [desired] if recorded is None else [desired, recorded]
        observed, filled = without_defaults(observed, bases, table)
        fields = [_default(path, value, row) for path, value, row in filled]
    kept: list[FieldChange] = []
    for path in _paths(desired, recorded, observed):
        field = _snoozed(_judge(path, desired, recorded, observed, table, operator_pause), snoozes)
        fields.append(field)
        if field.reason == SNOOZED or (field.reason == "operator_owned" and field.observed is not ABSENT):
            kept.append(field)
    fields = [field._replace(span=_span(field, spans)) for field in fields]
    fields.sort(key=lambda field: path_text(field.path))
    written = [field for field in fields if _is_written(field)]
    replaced = tuple(path_text(field.path) for field in written if table.find("replace", pattern_of(field.path)))
    return Comparison(tuple(fields), _with_kept(sides.desired, kept), bool(written), replaced)


def _paths(desired: KeyedDocument, recorded: KeyedDocument | None, observed: KeyedDocument | None) -> list[FieldPath]:
    if recorded is None:
        return differing_paths(observed, desired) if observed is not None else []
    found = differing_paths(recorded, desired)
    if observed is not None and observed != recorded:
        found = topmost([*found, *differing_paths(recorded, observed)])
    return found


def _is_written(field: FieldChange) -> bool:
    return field.verdict in _WRITTEN and field.reason not in KEPT_REASONS


def _snoozed(field: FieldChange, snoozes: JobSnoozes) -> FieldChange:
    """Drift that somebody put off: it is left as it is. What the bundle changes too is not drift alone."""
    if field.verdict is not Verdict.DRIFT or field.reason is not None:
        return field
    snooze = snoozes.of(field.path, field.observed)
    return field._replace(reason=SNOOZED, snoozed_until=snooze.until) if snooze is not None else field


def _judge(
    path: FieldPath,
    desired: KeyedDocument,
    recorded: KeyedDocument | None,
    observed: KeyedDocument | None,
    table: FieldTable,
    operator_pause: bool,
) -> FieldChange:
    want = at(desired, path)
    was = at(recorded, path) if recorded is not None else ABSENT
    # A first comparison with a job that is already there has no record: what is there stands in for it.
    now = at(observed, path) if observed is not None else ABSENT
    known = observed is not None
    verdict, reason = _verdict(want, was if recorded is not None else now, now, known)
    row = not_counted(path, was, now, table) if known else None
    if operator_pause and table.find("operator", pattern_of(path)) is not None and (known or want != was):
        verdict = Verdict.DRIFT if known and now != was and recorded is not None else Verdict.SUPPRESSED
        reason = "operator_owned"
    elif row is not None and verdict in (Verdict.DRIFT, Verdict.CONFLICT):
        # The backend does not tell: what remains is the user's own change, if there is one.
        verdict = Verdict.SUPPRESSED if want == was else Verdict.CHANGE
        reason = row.reason if want == was else None
    sensitive = any(is_sensitive(path, side) for side in (want, was, now))
    return FieldChange(path, verdict, plain(was), plain(want), plain(now), reason, sensitive=sensitive)


def _verdict(want: Any, was: Any, now: Any, known: bool) -> tuple[Verdict, str | None]:
    if not known or now == was:
        # Taken off an empty list or map, or given one: nothing that anybody would notice.
        return (Verdict.SUPPRESSED, EMPTY.reason) if is_empty(want) and is_empty(was) else (Verdict.CHANGE, None)
    if want == was:
        return Verdict.DRIFT, None
    if want == now:
        return Verdict.BOTH, "remote_already_set"
    return Verdict.CONFLICT, None


def _default(path: FieldPath, value: Any, row: Row) -> FieldChange:
    return FieldChange(
        path, Verdict.DEFAULT, observed=plain(value), reason=row.reason, sensitive=is_sensitive(path, value)
    )


def _span(field: FieldChange, spans: Mapping[str, SourceSpan]) -> SourceSpan | None:
    return spans.get(path_text(field.path)) if field.desired is not ABSENT else None


def _with_kept(desired: Mapping[str, Any], kept: Iterable[FieldChange]) -> JsonObject:
    """The desired document with what stays as the backend has it in place."""
    document: Any = dict(desired)
    for field in kept:
        document = put(document, field.path, field.observed)
    assert isinstance(document, dict)
    return document


def put(value: Any, path: FieldPath, new: Any) -> Any:
    """The value with `new` at a path; without what is there when `new` is ABSENT."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and isinstance(step, str):
        if not rest and new is ABSENT:
            return {name: item for name, item in value.items() if name != step}
        return {**value, step: put(value.get(step), rest, new)} if step in value or not rest else value
    if isinstance(value, list) and not isinstance(step, str):
        return _put_element(value, step, rest, new)
    return value


def _put_element(items: list[Any], step: int | Keyed, rest: FieldPath, new: Any) -> list[Any]:
    hit = [_is_element(item, number, step) for number, item in enumerate(items)]
    if not any(hit):
        return [*items, new] if not rest and new is not ABSENT else items
    if not rest and new is ABSENT:
        return [item for item, found in zip(items, hit, strict=True) if not found]
    return [put(item, rest, new) if found else item for item, found in zip(items, hit, strict=True)]


def _is_element(item: Any, number: int, step: int | Keyed) -> bool:
    if isinstance(step, int):
        return number == step
    return isinstance(item, dict) and item.get(step.field) == step.value
