"""Delivers the raw clickstream: page views generated from a seed, robots included."""

import sys

from pipeline import eagerness, generator, run_folder, set_value, write_table

PAGES = ("home", "search", "product", "cart")


def views(seed, customers):
    numbers = generator(seed, "clickstream")
    rows = []
    session = 0
    for customer, eager in enumerate(eagerness(seed, customers), 1):
        for _ in range(1 + numbers.randrange(5)):
            session += 1
            for _ in range(2 + numbers.randrange(6)):
                weights = (3, 3, 1 + 6 * eager, 0.2 + 4 * eager)
                seconds = round(numbers.expovariate(1 / (20 + 60 * eager)), 1)
                rows.append((session, customer, numbers.choices(PAGES, weights)[0], seconds))
    rows.extend((session + 1 + robot, 0, "search", 0.0) for robot in range(50))
    return rows


def main(folder, customers, seed):
    target = run_folder(folder)
    rows = views(seed, int(customers))
    write_table(target / "clickstream.csv", ("session_id", "customer_id", "page", "seconds"), rows)
    set_value("rows", len(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
