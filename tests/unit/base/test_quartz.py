"""Quartz expressions: what each field may hold, and where a fault is. Reasons: conformance/test_quartz_vectors.py."""

import pytest

from bundlectl.base.quartz import LastDay, QuartzError, from_unix, parse

FAULTS = [
    ("0 61 * * * ?", "61", "minutes must be 0-59, found 61"),
    ("0 */0 * * * ?", "0", "step must be at least 1"),
    ("0 0 6 1,40 * ?", "40", "day of month must be 1-31, found 40"),
    ("0 0 6-25 * * ?", "25", "hours must be 0-23, found 25"),
    ("0 0 6 ? 3/x MON", "/X", 'a number must follow "/"'),
    ("0 0 6 1 * ? 1969", "1969", "year must be 1970-2099, found 1969"),
    ("0 0 6 99999999999999999999 * ?", "99999999999999999999", "day of month must be 1-31, found a far larger number"),
    ("0 0 6 \u00b2 * ?", "\u00b2", '"\u00b2" is no value for day of month'),
    ("0 0 6 ,1 * ?", ",", "a value is missing"),
    ("0 0 6 1\u00a02 * ?", "1\u00a02", None),
]


@pytest.mark.parametrize(("expression", "characters", "summary"), FAULTS)
def test_a_fault_names_the_characters(expression: str, characters: str, summary: str | None) -> None:
    with pytest.raises(QuartzError) as raised:
        parse(expression)
    error = raised.value
    assert expression[error.offset : error.offset + error.length].upper() == characters
    assert summary is None or error.summary == summary


def test_the_fields() -> None:
    fields = parse("0 0/15 22-2 ? JAN,jun mon-fri 2026-2030/2")
    assert fields.minutes == {0, 15, 30, 45}
    assert fields.hours == {22, 23, 0, 1, 2}
    assert fields.months == {1, 6}
    assert fields.by_weekday and fields.weekdays == {2, 3, 4, 5, 6}
    assert fields.years == {2026, 2028, 2030}
    assert parse("*/7 * * * * ?").seconds == {0, 7, 14, 21, 28, 35, 42, 49, 56}
    assert parse("/20 * * * * ?").seconds == {0, 20, 40}
    assert parse("0 0 0 ? * FRI-MON").weekdays == {6, 7, 1, 2}
    assert parse("0\t0  0 1 * ?") == parse("0 0 0 1 * ?")


def test_special_days() -> None:
    days = parse("0 0 0 L,15,1W,L-3W,LW * ?")
    assert days.days == {15} and days.nearest == {1}
    assert days.last_days == {LastDay(0, False), LastDay(3, True), LastDay(0, True)}
    assert parse("0 0 0 1C * ?").days == {1}
    third = parse("0 0 0 ? * FRI#3")
    assert third.nth == (6, 3) and not third.last
    last = parse("0 0 0 ? * 6L")
    assert last.last and last.weekdays == {6}
    assert parse("0 0 0 ? * L").weekdays == {7}


def test_every_second() -> None:
    assert parse("* * * * * ?").fires_every_second
    assert not parse("0/2 * * * * ?").fires_every_second


@pytest.mark.parametrize(
    ("unix", "quartz"),
    [
        ("*/5 * * * *", "0 */5 * * * ?"),
        ("30 6 * * 1-5", "0 30 6 ? * 2-6"),
        ("30 6 * * 0", "0 30 6 ? * 1"),
        ("30 6 * * 7", "0 30 6 ? * 1"),
        ("30 6 * * MON", "0 30 6 ? * MON"),
        ("0 6 1 * *", "0 0 6 1 * ?"),
        ("0 6 1 * 1", None),  # either of two days: Quartz cannot say it
        ("0 61 * * *", None),
        ("0 6 * *", None),
    ],
)
def test_unix_cron_lines(unix: str, quartz: str | None) -> None:
    assert from_unix(unix) == quartz
