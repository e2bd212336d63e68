"""Tests of the package: python -m pytest, in an environment that has it (pip install -e .)."""

from datetime import date

from reports.orders import orders_of, total


def test_a_day_has_the_same_orders_whenever_it_is_asked_for():
    assert orders_of(date(2026, 11, 20)) == orders_of(date(2026, 11, 20))


def test_orders_add_up():
    assert total([1, 2, 3]) == 6
