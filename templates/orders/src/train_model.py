"""Trains a logistic regression on the joined table and says how good it is. Plain Python, no packages."""

import json
import math
import sys

from pipeline import generator, read_table, run_folder, set_value

FEATURES = ("first_amount", "sessions", "product_views", "carts", "mean_seconds")
EPOCHS = 300
RATE = 0.3


def scaled(rows):
    """Feature vectors with mean 0 and deviation 1, and the numbers that scale them."""
    columns = [[float(row[name]) for row in rows] for name in FEATURES]
    means = [sum(column) / len(column) for column in columns]
    spreads = [
        math.sqrt(sum((value - mean) ** 2 for value in column) / len(column)) or 1.0
        for column, mean in zip(columns, means)
    ]
    vectors = [
        [(float(row[name]) - mean) / spread for name, mean, spread in zip(FEATURES, means, spreads)] for row in rows
    ]
    return vectors, means, spreads


def probability(weights, vector):
    total = weights[0] + sum(weight * value for weight, value in zip(weights[1:], vector))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def fit(vectors, labels):
    """Weights after gradient descent over the whole table; the first is the intercept."""
    weights = [0.0] * (len(FEATURES) + 1)
    for _ in range(EPOCHS):
        gradient = [0.0] * len(weights)
        for vector, label in zip(vectors, labels):
            error = probability(weights, vector) - label
            gradient[0] += error
            for index, value in enumerate(vector, 1):
                gradient[index] += error * value
        weights = [weight - RATE * slope / len(labels) for weight, slope in zip(weights, gradient)]
    return weights


def accuracy(weights, vectors, labels):
    right = sum((probability(weights, vector) >= 0.5) == bool(label) for vector, label in zip(vectors, labels))
    return round(right / len(labels), 4)


def main(folder, seed):
    target = run_folder(folder)
    rows = read_table(target / "features.csv")
    generator(seed, "split").shuffle(rows)
    vectors, means, spreads = scaled(rows)
    labels = [int(row["ordered_again"]) for row in rows]
    cut = len(rows) * 3 // 4
    weights = fit(vectors[:cut], labels[:cut])
    measured = accuracy(weights, vectors[cut:], labels[cut:])
    again = sum(labels[cut:])
    model = {
        "features": list(FEATURES),
        "weights": [round(weight, 6) for weight in weights],
        "means": [round(mean, 6) for mean in means],
        "spreads": [round(spread, 6) for spread in spreads],
        "trained_on": cut,
        "tested_on": len(rows) - cut,
        "accuracy": measured,
        "baseline": round(max(again, len(rows) - cut - again) / (len(rows) - cut), 4),
    }
    (target / "model.json").write_text(json.dumps(model, indent=2) + "\n", encoding="utf-8")
    set_value("accuracy", measured)
    print(f"accuracy {measured} on {model['tested_on']} customers (always guessing the larger group: {model['baseline']})")


if __name__ == "__main__":
    main(*sys.argv[1:])
