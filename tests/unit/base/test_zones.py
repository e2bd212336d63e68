"""Names of time zones: regions, aliases, fixed offsets, and what is none."""

from datetime import datetime, timedelta

import pytest

from bundlectl.base.zones import find_zone, known_zones


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0),
        ("GMT", 0),
        ("US/Pacific", -8),
        ("Asia/Kolkata", 5.5),
        ("GMT+05:30", 5.5),
        ("GMT+0530", 5.5),
        ("GMT-3", -3),
        ("GMT+23:59", 23 + 59 / 60),
    ],
)
def test_a_zone_has_an_offset(name: str, hours: float) -> None:
    zone = find_zone(name)
    assert zone is not None
    assert datetime(2026, 1, 1, tzinfo=zone).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name", ["Mars/Phobos", "", "GMT+24", "GMT+5:60", "GMT+5:3", "../etc/passwd", "America", "a\0b"]
)
def test_anything_else_is_no_zone(name: str) -> None:
    assert find_zone(name) is None


def test_known_zones_are_found() -> None:
    assert {"Europe/Paris", "America/New_York", "UTC"} <= known_zones()
