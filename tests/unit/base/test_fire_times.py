"""Fires against a search that looks at every minute, and the ends of time. Vectors: tests/conformance."""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundlectl.base.fire_times import fires, next_fire
from bundlectl.base.quartz import parse

BEFORE_ALL = datetime(1969, 12, 31, tzinfo=UTC)


def test_strictly_after_also_within_a_second() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    daily = parse("0 0 12 * * ?")
    assert next_fire(daily, noon - timedelta(microseconds=1), UTC) == noon
    assert next_fire(daily, noon, UTC) == noon + timedelta(days=1)
    assert next_fire(daily, noon + timedelta(microseconds=1), UTC) == noon + timedelta(days=1)


def test_the_instant_may_be_given_in_any_zone() -> None:
    daily, berlin = parse("0 0 12 * * ?"), ZoneInfo("Europe/Berlin")
    fire = next_fire(daily, datetime(2026, 7, 1, 1, tzinfo=timezone(timedelta(hours=9))), berlin)
    assert fire is not None
    assert fire.isoformat() == "2026-07-01T12:00:00+02:00"
    with pytest.raises(ValueError, match="without time zone"):
        next_fire(daily, datetime(2026, 1, 1), berlin)


def test_the_last_year_is_the_end() -> None:
    yearly = parse("0 0 0 1 1 ?")
    assert next_fire(yearly, datetime(2098, 6, 1, tzinfo=UTC), UTC) == datetime(2099, 1, 1, tzinfo=UTC)
    assert next_fire(yearly, datetime(2099, 6, 1, tzinfo=UTC), UTC) is None
    assert next_fire(yearly, datetime(2300, 6, 1, tzinfo=UTC), UTC) is None
    assert list(fires(parse("0 0 0 1 1 ? 2026-2027"), BEFORE_ALL, UTC)) == [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("expression", "never"),
    [
        ("0 30 2 30 2 ?", True),
        ("0 30 2 31 4,6 ?", True),
        ("0 30 2 31W 2 ?", True),
        ("0 30 2 29 2 ? 2027", True),
        ("0 30 2 ? 2 MON#5 2027", True),
        ("0 30 2 L-30 2 ?", True),
        ("0 30 2 29 2 ?", False),
        ("0 30 2 31 2,3 ?", False),
        ("0 30 2 L 2 ?", False),
        ("0 30 2 ? 2 MON", False),
        ("* * * * * ? 2099", False),
    ],
)
def test_schedules_that_never_fire(expression: str, never: bool) -> None:
    assert (next_fire(parse(expression), BEFORE_ALL, UTC) is None) is never


def test_a_day_that_a_zone_never_had_is_passed_over() -> None:
    apia = ZoneInfo("Pacific/Apia")  # went from the 29th to the 31st of December 2011
    found = fires(parse("0 0 9 * * ?"), datetime(2011, 12, 28, tzinfo=apia), apia)
    assert [fire.day for fire in islice(found, 3)] == [28, 29, 31]


def field(least: int, most: int) -> st.SearchStrategy[str]:
    value = st.integers(least, most)
    return st.one_of(
        st.just("*"),
        value.map(str),
        st.tuples(value, st.integers(1, 12)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        st.tuples(value, value).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.lists(value, min_size=2, max_size=3).map(lambda values: ",".join(map(str, values))),
    )


DAYS = st.one_of(
    st.tuples(st.one_of(field(1, 31), st.sampled_from(["L", "LW", "L-3", "15W", "1W", "31W", "L-1W"])), st.just("?")),
    st.tuples(st.just("?"), st.one_of(field(1, 7), st.sampled_from(["6L", "6#3", "MON#5", "FRI-MON", "L"]))),
)


def _fits(number: int, text: str, least: int, most: int) -> bool:
    """Whether a number is in a field, read anew from its text."""
    for item in text.split(","):
        body, _, step = item.partition("/")
        low, dash, high = body.partition("-")
        first = least if body == "*" else int(low)
        last = int(high) if dash else most if (step or body == "*") else first
        size = most - least + 1
        distance = (number - first) % size if last < first else number - first
        length = (last - first) % size if last < first else last - first
        if 0 <= distance <= length and distance % int(step or 1) == 0:
            return True
    return False


def _day_fits(day: datetime, of_month: str, of_week: str) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    weekday = day.isoweekday() % 7 + 1
    if of_month == "?":
        if of_week in ("6L", "6#3", "MON#5"):
            wanted, count = {"6L": (6, 0), "6#3": (6, 3), "MON#5": (2, 5)}[of_week]
            return weekday == wanted and ((day.day - 1) // 7 + 1 == count if count else day.day + 7 > last)
        return _fits(weekday, {"FRI-MON": "6-2", "L": "7"}.get(of_week, of_week), 1, 7)
    if of_month in ("L", "L-3"):
        return day.day == last - (3 if of_month == "L-3" else 0)
    if "W" in of_month:
        wanted = {"LW": last, "L-1W": last - 1}.get(of_month) or int(of_month.removesuffix("W"))
        if wanted > last:
            return False
        near = [
            (abs(number - wanted), number)
            for number in range(1, last + 1)
            if datetime(day.year, day.month, number).isoweekday() < 6
        ]
        return day.day == min(near)[1]
    return _fits(day.day, of_month, 1, 31)


def _by_looking(expression: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Minutes of UTC that fit, found by looking at each one."""
    _, minute, hour, of_month, month, of_week = expression.split(" ")
    at = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while at < until:
        if not (_fits(at.month, month, 1, 12) and _day_fits(at, of_month, of_week)):
            at = (at + timedelta(days=1)).replace(hour=0, minute=0)
            continue
        if _fits(at.hour, hour, 0, 23) and _fits(at.minute, minute, 0, 59):
            yield at
        at += timedelta(minutes=1)


@settings(max_examples=60, deadline=None)
@given(
    minute=field(0, 59),
    hour=field(0, 23),
    month=field(1, 12),
    days=DAYS,
    start=st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)),
)
def test_fires_are_those_that_a_look_at_every_minute_finds(
    minute: str, hour: str, month: str, days: tuple[str, str], start: datetime
) -> None:
    expression = f"0 {minute} {hour} {days[0]} {month} {days[1]}"
    after = start.replace(tzinfo=UTC)
    until = after + timedelta(days=40)
    wanted = list(islice(_by_looking(expression, after, until), 20))
    found = [fire for fire in islice(fires(parse(expression), after, UTC), len(wanted) + 1) if fire < until]
    assert found[: len(wanted)] == wanted
    assert len(wanted) == 20 or len(found) == len(wanted)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(
        ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata"]
    ),
    hour=field(0, 23),
    minute=field(0, 59),
    start=st.datetimes(datetime(2017, 1, 1), datetime(2029, 1, 1)),
)
def test_fires_rise_in_both_clocks(zone: str, hour: str, minute: str, start: datetime) -> None:
    at = start.replace(tzinfo=UTC)
    place = ZoneInfo(zone)
    wall = at.astimezone(place).replace(tzinfo=None)
    for fire in islice(fires(parse(f"0 {minute} {hour} * * ?"), at, place), 40):
        assert fire.astimezone(UTC) > at.astimezone(UTC)
        assert fire.replace(tzinfo=None) > wall
        assert fire.astimezone(UTC).astimezone(place).replace(tzinfo=None) == fire.replace(tzinfo=None)
        at, wall = fire, fire.replace(tzinfo=None)
