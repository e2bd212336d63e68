"""When a Quartz expression fires: fields, an instant and a time zone -> the next instant. Pure.

Called by config's checks of schedules; the fields come from base.quartz, the zone from base.zones. It looks at no
clock.

Two rules decide what a change of the clocks does. A wall time that a zone skips is no fire, it is not moved. A wall
time that a zone has twice fires at its second instance, after the clocks went back.
"""

import calendar
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from bundlectl.base.quartz import Quartz

_SUNDAY_FIRST = 2  # datetime counts days of the week from Monday 0, Quartz from Sunday 1
_SATURDAY, _SUNDAY = 7, 1


def next_fire(fields: Quartz, after: datetime, zone: tzinfo) -> datetime | None:
    """The first fire strictly after `after`, in `zone`; None when there is none up to the last year of the expression.

    `after` must know its zone; a fire is at a whole second. Raises ValueError for an instant without zone.
    """
    if after.tzinfo is None:
        raise ValueError("an instant without time zone")
    reference = after.astimezone(UTC)
    started = after.astimezone(zone).replace(tzinfo=None)
    for wall in _walls(fields, started):
        fire = wall.replace(tzinfo=zone, fold=1)
        instant = fire.astimezone(UTC)
        # Both must hold: in the first pass of a repeated hour a wall time that is over comes again.
        if instant > reference and instant.astimezone(zone).replace(tzinfo=None) == wall:
            return fire
    return None


def fires(fields: Quartz, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Every fire strictly after `after`, in order. Raises ValueError for an instant without zone."""
    fire = next_fire(fields, after, zone)
    while fire is not None:
        yield fire
        fire = next_fire(fields, fire, zone)


def _walls(fields: Quartz, after: datetime) -> Iterator[datetime]:
    """Wall times that fit, strictly after `after`, in order."""
    start = after.replace(microsecond=0) + timedelta(seconds=1)
    hours, minutes, seconds = sorted(fields.hours), sorted(fields.minutes), sorted(fields.seconds)
    for day in _days(fields, start):
        same = day.date() == start.date()
        for hour in hours[bisect_left(hours, start.hour) :] if same else hours:
            this_hour = same and hour == start.hour
            for minute in minutes[bisect_left(minutes, start.minute) :] if this_hour else minutes:
                this_minute = this_hour and minute == start.minute
                for second in seconds[bisect_left(seconds, start.second) :] if this_minute else seconds:
                    yield day.replace(hour=hour, minute=minute, second=second)


def _days(fields: Quartz, start: datetime) -> Iterator[datetime]:
    """Days that fit, from the day of `start` on, as midnights."""
    months = sorted(fields.months)
    for year in sorted(fields.years):
        if year < start.year:
            continue
        for month in months:
            if (year, month) < (start.year, start.month):
                continue
            first = start.day if (year, month) == (start.year, start.month) else 1
            for day in sorted(_days_of_month(fields, year, month)):
                if day >= first:
                    yield datetime(year, month, day)


def _days_of_month(fields: Quartz, year: int, month: int) -> set[int]:
    last = calendar.monthrange(year, month)[1]
    if fields.by_weekday:
        return _by_weekday(fields, _weekday(year, month, 1), last)
    found = {day for day in fields.days if day <= last}
    found.update(_nearest_weekday(year, month, day, last) for day in fields.nearest if day <= last)
    for entry in fields.last_days:
        day = last - entry.before
        if day >= 1:
            found.add(_nearest_weekday(year, month, day, last) if entry.weekday else day)
    return found


def _by_weekday(fields: Quartz, first: int, last: int) -> set[int]:
    """Days of a month that begins with the day of the week `first` and has `last` days."""
    if fields.nth is not None:
        weekday, count = fields.nth
        day = 1 + (weekday - first) % 7 + 7 * (count - 1)
        return {day} if day <= last else set()
    found: set[int] = set()
    for weekday in fields.weekdays:
        days = range(1 + (weekday - first) % 7, last + 1, 7)
        found.update(days[-1:] if fields.last else days)
    return found


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """The day from Monday to Friday that is nearest to a day, in the same month."""
    weekday = _weekday(year, month, day)
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _weekday(year: int, month: int, day: int) -> int:
    """1 is Sunday, as Quartz counts."""
    return (datetime(year, month, day).weekday() + _SUNDAY_FIRST - 1) % 7 + 1
