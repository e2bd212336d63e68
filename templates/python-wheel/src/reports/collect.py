"""The task `collect`: the orders of a day, handed on to the tasks that follow."""

import argparse
from datetime import date

from reports.orders import orders_of
from reports.values import set_value


def main() -> None:
    """The entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--day", type=date.fromisoformat, required=True)
    day = parser.parse_args().day
    amounts = orders_of(day)
    print(f"{len(amounts)} orders on {day}")
    set_value("orders", amounts)
