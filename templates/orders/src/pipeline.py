"""What the tasks of this pipeline share: tables as CSV files, and values for the tasks that follow."""

import csv
import json
import os
import random
from pathlib import Path


def run_folder(argument):
    """The folder of this run, created if it is missing; "~" is the home folder."""
    folder = Path(argument).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def generator(seed, source):
    """Random numbers that depend on the seed and on the name of the source only."""
    return random.Random(f"{seed}/{source}")


def eagerness(seed, customers):
    """How much each customer likes to buy, 0 to 1: the hidden cause behind both sources."""
    numbers = generator(seed, "customers")
    return [numbers.betavariate(0.6, 0.6) for _ in range(customers)]


def read_table(path):
    """Rows of a CSV file, as dictionaries."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(path, columns, rows):
    """Writes rows (tuples) below a header."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    print(f"{path}: {len(rows)} rows")


def set_value(key, value):
    """Hands a value to later tasks: {{tasks.<this task>.values.<key>}}."""
    channel = os.environ.get("BUNDLECTL_TASK_VALUES_OUT")
    if channel is None:  # run by hand, outside a job
        print(f"task value {key} = {value!r}")
        return
    with open(channel, "a", encoding="utf-8") as file:
        file.write(json.dumps({"key": key, "value": value}) + "\n")
