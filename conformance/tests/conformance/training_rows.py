"""Reads a download of training rows and says what it holds, beside the same of Hillstrom's file."""

import csv
import gzip
import json
import sys

rows_file, experiment_file, step = sys.argv[1], sys.argv[2], int(sys.argv[3])

with gzip.open(rows_file, "rt") as lines:
    head = json.loads(next(lines))
    rows = [json.loads(line) for line in lines]
assert len(rows) == head["rows"], (len(rows), head["rows"])


def summary(outcomes):
    """Customers and their mean outcome and revenue, by arm."""
    arms = {}
    for arm, outcome, value in outcomes:
        arms.setdefault(arm, []).append((outcome, value))
    return {
        arm: {
            "n": len(seen),
            "outcome": sum(outcome for outcome, _ in seen) / len(seen),
            "value": round(sum(value for _, value in seen) / len(seen), 9),
        }
        for arm, seen in sorted(arms.items())
    }


with gzip.open(experiment_file, "rt") as file:
    known = [row for row in csv.DictReader(file) if row["segment"] != "Mens E-Mail"][::step]
arm_of = {"No E-Mail": "holdout", "Womens E-Mail": "treatment"}
recency = sum(float(row["recency"]) for row in known) / len(known)
for column in head["features"]:
    assert column["field"] != "recency" or abs(column["mean"] - recency) < 1e-9, (column, recency)
print(
    json.dumps(
        {
            "download": summary((row["arm"], row["outcome"], row["value"]) for row in rows),
            "file": summary(
                (arm_of[row["segment"]], int(row["visit"]), float(row["spend"])) for row in known
            ),
        }
    )
)
