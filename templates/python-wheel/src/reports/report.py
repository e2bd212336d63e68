"""The task `report`: what the orders bring in."""

import argparse
import json

from reports.orders import total


def main() -> None:
    """The entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--day", required=True)  # parameters of the job are given to each of its tasks
    parser.add_argument("--orders", type=json.loads, required=True)
    given = parser.parse_args()
    print(f"{given.day}: {len(given.orders)} orders, {total(given.orders)} in all")
