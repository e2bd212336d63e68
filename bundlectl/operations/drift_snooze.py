"""Puts drift of a field off until a date, with a reason, in the recorded state; lists and lifts what was put off.

A deploy leaves a snoozed field as the backend has it. The backend itself is not written to here.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from bundlectl.base.clock import parse_rfc3339, rfc3339
from bundlectl.base.identifiers import time_ordered_id
from bundlectl.model.errors import NotFound, UsageError
from bundlectl.model.location import path_short
from bundlectl.operations.context import OperationContext
from bundlectl.operations.drift import find_drift
from bundlectl.operations.drift_fields import named_fields
from bundlectl.operations.load import refuse_untrusted
from bundlectl.operations.world import World, open_world
from bundlectl.planning.field_name import job_field
from bundlectl.planning.snoozes import Snooze, recorded_snoozes, value_digest
from bundlectl.state.store import Note, amend

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_MS = 86_400_000
_MOST_DAYS = 366


class Snoozes(NamedTuple):
    """What is recorded now."""

    target: str
    snoozes: tuple[Snooze, ...]
    now_ms: int


def snooze(context: OperationContext, names: Sequence[str], *, until: str, reason: str) -> Snoozes:
    """Records that these fields are left as they are. Raises UsageError, NotFound for what has not drifted.

    `until`: a date, which begins at midnight UTC, or a time in RFC 3339.
    """
    refuse_untrusted(context)
    now = context.clock.now_ms()
    end = rfc3339(_end_ms(until, now))
    found = find_drift(context)
    deployment = found.world.deployed
    snoozes = dict(deployment.snoozes)
    fields = named_fields(found.drift, names, whole_jobs=False)
    for item in fields:
        made = Snooze(
            item.key,
            item.field.path,
            end,
            reason,
            context.actor.name,
            rfc3339(now),
            value_digest(deployment.lineage, item.field.observed),
        )
        snoozes[made.name] = made.document()
    said = ", ".join(item.name for item in fields)
    return _recorded(context, found.world, snoozes, f"{said} until {end}: {reason}")


def lift(context: OperationContext, names: Sequence[str]) -> Snoozes:
    """Takes snoozes back: the drift counts again. Raises NotFound for a field that is not snoozed."""
    refuse_untrusted(context)
    world = open_world(context)
    deployment = world.deployed
    held = recorded_snoozes(deployment)
    left = dict(deployment.snoozes)
    for text in names:
        key, path = job_field(text)
        mine = [item for item in held if item.key == key and (not path or path_short(item.path) == path_short(path))]
        if not mine:
            shown = ", ".join(path_short(("jobs", item.key, *item.path)) for item in held[:10])
            raise NotFound(f'nothing is snoozed at "{text}"', hint=f"snoozed: {shown}" if shown else None)
        left = {name: value for name, value in left.items() if name not in {item.name for item in mine}}
    return _recorded(context, world, left, f"lifted {', '.join(names)}")


def list_snoozes(context: OperationContext) -> Snoozes:
    """Every snooze of the target, also those whose time has come."""
    world = open_world(context)
    return Snoozes(world.deployed.target, tuple(recorded_snoozes(world.deployed)), context.clock.now_ms())


def _recorded(context: OperationContext, world: World, snoozes: dict[str, object], summary: str) -> Snoozes:
    deployment = replace(world.deployed, snoozes=snoozes)
    now = context.clock.now_ms()
    note = Note("snooze", time_ordered_id(now), summary, None, context.actor.name, context.actor.run_url)
    amend(world.store, world.recorded, deployment, note, clock=context.clock)
    return Snoozes(deployment.target, tuple(recorded_snoozes(deployment)), now)


def _end_ms(text: str, now_ms: int) -> int:
    """When a snooze ends, epoch milliseconds. Raises UsageError."""
    try:
        end = parse_rfc3339(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError:
        raise UsageError(
            f'"--until" needs a date, got "{text[:40]}"', hint="2026-12-24, or 2026-12-24T18:00:00Z"
        ) from None
    if end <= now_ms:
        raise UsageError(f'"--until {text[:40]}" is in the past', hint="a snooze ends on a later day")
    if end > now_ms + _MOST_DAYS * _DAY_MS:
        raise UsageError(
            f'"--until {text[:40]}" is more than a year away',
            hint="what is to stay belongs into the bundle: bundlectl drift accept",
        )
    return end
