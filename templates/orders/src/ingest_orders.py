"""Delivers the raw orders: generated from a seed, with the faults of a real source (duplicates, refunds, tests)."""

import sys
from datetime import date, timedelta

from pipeline import eagerness, generator, run_folder, set_value, write_table

FIRST_DAY = date(2026, 1, 1)


def orders(seed, customers):
    numbers = generator(seed, "orders")
    rows = []
    for customer, eager in enumerate(eagerness(seed, customers), 1):
        again = sum(numbers.random() < 0.8 * eager for _ in range(4))
        for _ in range(1 + again):
            day = FIRST_DAY + timedelta(days=numbers.randrange(180))
            amount = round(numbers.lognormvariate(3.2, 0.6), 2)
            status = numbers.choices(["paid", "cancelled", "test"], [90, 8, 2])[0]
            rows.append((len(rows) + 1, customer, day.isoformat(), amount, status))
    repeated = numbers.sample(rows, len(rows) // 50)  # the source sends some orders twice
    return rows + repeated


def main(folder, customers, seed):
    target = run_folder(folder)
    rows = orders(seed, int(customers))
    write_table(target / "orders.csv", ("order_id", "customer_id", "ordered_at", "amount", "status"), rows)
    set_value("folder", str(target))
    set_value("rows", len(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
