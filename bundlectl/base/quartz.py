"""Quartz cron expressions: text -> fields, with documented errors and where in the text they are. Pure.

Called by config's checks of schedules and by the engine's checks of jobs. Instants are computed by base.fire_times.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class _Field(NamedTuple):
    name: str  # for messages of ours: "minutes must be 0-59, found 61"
    least: int
    most: int
    step_bound: int | None  # a step of this size or more is refused
    range_error: str  # the reason that Quartz gives
    names: tuple[str, ...] = ()
    names_error: str = ""


_MINUTE_ERROR = "Minute and Second values must be between 0 and 59"
_FIELDS = (
    _Field("seconds", 0, 59, 60, _MINUTE_ERROR),
    _Field("minutes", 0, 59, 60, _MINUTE_ERROR),
    _Field("hours", 0, 23, 24, "Hour values must be between 0 and 23"),
    _Field("day of month", 1, 31, 32, "Day of month values must be between 1 and 31"),
    _Field("month", 1, 12, 13, "Month values must be between 1 and 12", _MONTHS, "Invalid Month value: "),
    _Field(
        "day of week", 1, 7, 8, "Day-of-Week values must be between 1 and 7", _WEEKDAYS, "Invalid Day-of-Week value: "
    ),
    _Field("year", 1970, 2099, None, "Year values must be between 1970 and 2099"),
)
_DAY, _WEEKDAY = 3, 5


class QuartzError(Exception):
    """An expression that does not hold. `reason` is the one Quartz gives, `summary` says it for people.

    `offset` and `length` say which characters of the expression are at fault; length 0 means all of it.
    """

    def __init__(self, reason: str, summary: str, *, offset: int = 0, length: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.summary = summary
        self.offset = offset
        self.length = length


class LastDay(NamedTuple):
    """`L`, `L-3`, `LW`, `L-3W`: so many days before the last of the month, or the weekday nearest to that."""

    before: int
    weekday: bool


class Quartz(NamedTuple):
    """What an expression says. Exactly one of the two day fields counts, the other one was `?`."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    by_weekday: bool  # True: `weekdays`, `nth` and `last` count; else `days`, `nearest` and `last_days`
    days: frozenset[int]
    nearest: frozenset[int]  # 15W: the weekday nearest to the 15th
    last_days: frozenset[LastDay]
    weekdays: frozenset[int]  # 1 is Sunday
    nth: tuple[int, int] | None  # 6#3: (6, 3), the third Friday
    last: bool  # 6L: the last one of the month

    @property
    def fires_every_second(self) -> bool:
        """True when whole minutes pass with a fire in each second."""
        return len(self.seconds) == 60


class _Parts:
    """What the fields add up to while they are read."""

    def __init__(self) -> None:
        self.values: list[set[int]] = [set() for _ in _FIELDS]
        self.open: set[int] = set()  # fields that are `?`
        self.nearest: set[int] = set()
        self.last_days: set[LastDay] = set()
        self.nth: tuple[int, int] | None = None
        self.last = False


@functools.lru_cache(maxsize=1024)
def parse(expression: str) -> Quartz:
    """The fields of an expression. Raises QuartzError for the first fault."""
    words = [(match.start(), match[0]) for match in re.finditer(r"[^ \t]+", expression)]
    parts = _Parts()
    for number, (offset, word) in enumerate(words[: len(_FIELDS)]):
        _read_field(parts, number, word.upper(), offset)
    count = f"expected 6 or 7 fields (seconds first), found {len(words)}"
    if len(words) > len(_FIELDS):
        text = " ".join(word for _, word in words).upper()
        raise QuartzError(f"Invalid expression has too many terms: {text}", count)
    if len(words) < len(_FIELDS) - 1:
        raise QuartzError("Unexpected end of expression.", count)
    if len(words) == len(_FIELDS) - 1:
        parts.values[-1].update(range(_FIELDS[-1].least, _FIELDS[-1].most + 1))
    _check_days(parts, words)
    values = [frozenset(found) for found in parts.values]
    return Quartz(
        seconds=values[0],
        minutes=values[1],
        hours=values[2],
        months=values[4],
        years=values[6],
        by_weekday=_DAY in parts.open,
        days=values[_DAY],
        nearest=frozenset(parts.nearest),
        last_days=frozenset(parts.last_days),
        weekdays=values[_WEEKDAY],
        nth=parts.nth,
        last=parts.last,
    )


def _check_days(parts: _Parts, words: list[tuple[int, str]]) -> None:
    summary = 'exactly one of day of month and day of week must be "?"'
    place = {"offset": words[_DAY][0], "length": words[_WEEKDAY][0] + len(words[_WEEKDAY][1]) - words[_DAY][0]}
    if parts.open == {_DAY, _WEEKDAY}:
        raise QuartzError("'?' can only be specified for Day-of-Month -OR- Day-of-Week.", summary, **place)
    if not parts.open:
        reason = "Support for specifying both a day-of-week AND a day-of-month parameter is not implemented."
        raise QuartzError(reason, summary, **place)


def _read_field(parts: _Parts, number: int, word: str, offset: int) -> None:
    field = _FIELDS[number]
    items = list(_items(word, offset))
    for at, item in items:
        if item == "?":
            if number not in (_DAY, _WEEKDAY):
                reason = "'?' can only be specified for Day-of-Month or Day-of-Week."
                summary = f'"?" is allowed for day of month and day of week only, not for {field.name}'
                raise QuartzError(reason, summary, offset=at, length=1)
            parts.open.add(number)
        elif number == _DAY and ("L" in item or "W" in item):
            _read_special_day(parts, item, at)
        elif number == _WEEKDAY and ("#" in item or item.endswith("L")):
            _read_special_weekday(parts, item, at)
        else:
            parts.values[number].update(_read_plain(number, item, at))
    if number == _WEEKDAY and len(items) > 1 and (parts.last or parts.nth is not None):
        if parts.nth is not None:
            reason = 'Support for specifying multiple "nth" days is not implemented.'
        else:
            reason = "Support for specifying 'L' with other days of the week is not implemented"
        sign = "#" if parts.nth is not None else "L"
        raise QuartzError(reason, f'"{sign}" cannot stand in a list of days', offset=offset, length=len(word))


def _items(word: str, offset: int) -> Iterator[tuple[int, str]]:
    for item in word.split(","):
        yield offset, item
        offset += len(item) + 1


_SPECIAL_DAY = r"L(?:-(?P<before>[0-9]+))?(?P<last_weekday>W)?|(?P<day>[0-9]+)W"


def _read_special_day(parts: _Parts, item: str, offset: int) -> None:
    match = re.fullmatch(_SPECIAL_DAY, item)
    if match is None:
        if re.fullmatch(r"[0-9]+L", item):
            reason = f"'L' option is not valid here. (pos={len(item) - 1})"
        else:
            reason = f"Unexpected character: {_first_odd(item)}"
        raise QuartzError(reason, f'"{item}" is no day of a month', offset=offset, length=len(item))
    if match["day"] is not None:
        day = _number(match["day"])
        if day > 31:
            reason = "The 'W' option does not make sense with values larger than 31 (max number of days in a month)"
            raise QuartzError(reason, f"day of month must be 1-31, found {day}", offset=offset, length=len(item))
        _check_range(_FIELDS[_DAY], day, offset, len(item))
        parts.nearest.add(day)
        return
    before = _number(match["before"] or "0")
    if before > 30:
        reason = "Offset from last day must be <= 30"
        raise QuartzError(reason, f"at most 30 days before the last, found {before}", offset=offset, length=len(item))
    parts.last_days.add(LastDay(before, match["last_weekday"] is not None))


def _read_special_weekday(parts: _Parts, item: str, offset: int) -> None:
    if item == "L":
        parts.values[_WEEKDAY].add(7)
        return
    head, sign, tail = (item[:-1], "L", "") if item.endswith("L") else item.partition("#")
    day = _value(_FIELDS[_WEEKDAY], head, offset)
    parts.values[_WEEKDAY].add(day)
    if sign == "L":
        parts.last = True
        return
    if not tail.isascii() or not tail.isdigit() or not 1 <= _number(tail) <= 5:
        reason = "A numeric value between 1 and 5 must follow the '#' option"
        raise QuartzError(reason, 'a number from 1 to 5 must follow "#"', offset=offset, length=len(item))
    if parts.nth is not None:
        reason = 'Support for specifying multiple "nth" days is not implemented.'
        raise QuartzError(reason, '"#" may be used once', offset=offset, length=len(item))
    parts.nth = (day, _number(tail))


def _read_plain(number: int, item: str, offset: int) -> set[int]:
    """`*`, `a`, `a-b`, and these with a step."""
    field = _FIELDS[number]
    body, slash, step_text = item.partition("/")
    step = _step(field, step_text, offset + len(body) + 1) if slash else 0
    if body in ("*", ""):
        if not body and not slash:
            raise QuartzError("Unexpected end of expression.", "a value is missing", offset=offset, length=1)
        first, last = field.least, field.most
    else:
        low, dash, high = body.partition("-")
        if number == _DAY and low.endswith("C") and not dash:
            low = low[:-1]  # the calendar option that Quartz names and does not implement: the day itself
        first = _value(field, low, offset)
        last = _value(field, high, offset + len(low) + 1) if dash else (field.most if slash else first)
    if first <= last:
        return set(range(first, last + 1, step or 1))
    span = field.most - field.least + 1  # 22-2 runs over the end
    return {(value - field.least) % span + field.least for value in range(first, last + span + 1, step or 1)}


def _step(field: _Field, text: str, offset: int) -> int:
    if not text.isascii() or not text.isdigit():
        place = {"offset": offset - 1, "length": len(text) + 1}
        raise QuartzError("'/' must be followed by an integer.", 'a number must follow "/"', **place)
    step = _number(text)
    if step < 1:
        raise QuartzError(f"Increment < 1 : {step}", "step must be at least 1", offset=offset, length=len(text))
    if field.step_bound is not None and step >= field.step_bound:
        reason = (
            f"Increment >= {field.step_bound} : {step}"
            if field.step_bound in (60, 24)
            else (f"Increment > {field.step_bound - 1} : {step}")
        )
        summary = f"step must be at most {field.step_bound - 1} for {field.name}, found {step}"
        raise QuartzError(reason, summary, offset=offset, length=len(text))
    return step


def _value(field: _Field, text: str, offset: int) -> int:
    """A number or a name, inside the field's range."""
    length = max(1, len(text))
    if text.isascii() and text.isdigit():
        value = _number(text)
        _check_range(field, value, offset, length)
        return value
    if text[:1].isalpha() and field.names:
        if text not in field.names:
            reason = f"{field.names_error}'{text}'"
            summary = f'{field.name} has no value "{text}" ({", ".join(field.names)})'
            raise QuartzError(reason, summary, offset=offset, length=length)
        return field.names.index(text) + 1
    if text == "L" and field.name in ("seconds", "minutes", "hours"):
        reason = "'L' not expected in seconds, minutes or hours fields."
        raise QuartzError(reason, f'"L" is not allowed for {field.name}', offset=offset, length=length)
    reason = f"Unexpected character: {_first_odd(text)}" if text else "Unexpected end of expression."
    summary = f'"{text}" is no value for {field.name}' if text else f"a value is missing for {field.name}"
    raise QuartzError(reason, summary, offset=offset, length=length)


def _check_range(field: _Field, value: int, offset: int, length: int) -> None:
    if not field.least <= value <= field.most:
        found = str(value) if length <= 9 else "a far larger number"
        summary = f"{field.name} must be {field.least}-{field.most}, found {found}"
        raise QuartzError(field.range_error, summary, offset=offset, length=length)


def _number(digits: str) -> int:
    """Digits as a number; a very long run of them is only known to be too large."""
    return int(digits) if len(digits) <= 9 else 999_999_999


def _first_odd(text: str) -> str:
    """The character that a reader of Quartz stumbles over."""
    return next((sign for sign in text if not sign.isdigit()), text[:1])


_UNIX_WEEKDAYS: Mapping[str, str] = {str(number): str(number % 7 + 1) for number in range(8)}


def from_unix(expression: str) -> str | None:
    """The Quartz form of a Unix cron line of five fields, or None when there is no such form.

    `*/5 * * * *` -> `0 */5 * * * ?`. Days of the week count from Sunday 0 there and from Sunday 1 here.
    """
    words = expression.split()
    if len(words) != 5:
        return None
    minute, hour, day, month, weekday = words
    if weekday in ("*", "?"):
        weekday, day = "?", "*" if day == "?" else day
    elif day in ("*", "?"):
        weekday, day = re.sub(r"(?<![/\d])\d+", lambda found: _UNIX_WEEKDAYS.get(found[0], found[0]), weekday), "?"
    else:
        return None
    candidate = f"0 {minute} {hour} {day} {month} {weekday}"
    try:
        parse(candidate)
    except QuartzError:
        return None
    return candidate
