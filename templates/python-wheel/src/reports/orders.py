"""What an order is, and how orders are added up: no input, no output, so that it is easily tested."""

from datetime import date


def orders_of(day: date) -> list[int]:
    """Amounts of the orders of a day, made up from the date so that every run of a day has the same."""
    return [(day.toordinal() * number) % 97 + 1 for number in range(1, 6)]


def total(amounts: list[int]) -> int:
    """What a day brought in."""
    return sum(amounts)
