"""Publishes a model that is good enough, with a report that opens in a browser."""

import html
import json
import shutil
import sys

from pipeline import read_table, run_folder

TITLE = "Who orders again"


def report(model, orders, run_id):
    """The report as one HTML page without any outside resource."""
    revenue = sum(float(order["amount"]) for order in orders)
    facts = [
        ("Run", run_id),
        ("Paid orders", f"{len(orders):,}"),
        ("Revenue", f"{revenue:,.2f}"),
        ("Customers for training", f"{model['trained_on']:,}"),
        ("Accuracy", f"{model['accuracy']:.1%}"),
        ("Accuracy of always guessing the larger group", f"{model['baseline']:.1%}"),
    ]
    lines = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in facts)
    largest = max(abs(weight) for weight in model["weights"][1:]) or 1.0
    bars = "".join(
        f'<tr><th>{html.escape(name)}</th><td><div class="{"up" if weight >= 0 else "down"}" '
        f'style="width:{abs(weight) / largest * 20:.1f}em"></div></td><td>{weight:+.3f}</td></tr>'
        for name, weight in zip(model["features"], model["weights"][1:])
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{html.escape(TITLE)}</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 3em auto; max-width: 46em; }}
th {{ text-align: left; font-weight: normal; padding-right: 2em; }}
.up, .down {{ height: 1em; background: #2a7; }} .down {{ background: #c53; }}
</style>
<h1>{html.escape(TITLE)}</h1>
<table>{lines}</table>
<h2>What the model looks at</h2>
<table>{bars}</table>
</html>
"""


def main(folder, published, run_id):
    source = run_folder(folder)
    target = run_folder(published)
    model = json.loads((source / "model.json").read_text(encoding="utf-8"))
    page = report(model, read_table(source / "clean_orders.csv"), run_id)
    (source / "report.html").write_text(page, encoding="utf-8")
    for name in ("model.json", "report.html"):
        shutil.copyfile(source / name, target / name)
    print(f"published {target / 'model.json'}")
    print(f"open {target / 'report.html'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
