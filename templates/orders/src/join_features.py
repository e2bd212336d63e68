"""Joins clean orders with sessions: one row of features for each customer, and whether the customer ordered again."""

import sys
from collections import defaultdict

from pipeline import read_table, run_folder, set_value, write_table

COLUMNS = ("customer_id", "first_amount", "sessions", "product_views", "carts", "mean_seconds", "ordered_again")


def features(orders, sessions):
    by_customer = defaultdict(list)
    for order in orders:
        by_customer[int(order["customer_id"])].append((order["ordered_at"], int(order["order_id"]), order["amount"]))
    rows = []
    for session in sessions:
        customer = int(session["customer_id"])
        history = sorted(by_customer.get(customer, []))
        if not history:
            continue
        views = (session["sessions"], session["product_views"], session["carts"], session["mean_seconds"])
        rows.append((customer, history[0][2], *views, int(len(history) > 1)))
    return rows


def main(folder):
    target = run_folder(folder)
    rows = features(read_table(target / "clean_orders.csv"), read_table(target / "sessions.csv"))
    write_table(target / "features.csv", COLUMNS, rows)
    set_value("rows", len(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
