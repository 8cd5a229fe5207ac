"""An effect model from a download of training rows, by numpy alone.

Reads JSON Lines, the head first; prints coefficients by fold, Q and slope as JSON.
"""

import json
import sys

import numpy as np

ALPHA = 1.0
KNOWN_MAX = 10.0


def numbers(column, value):
    """The numbers of one feature, as the head says."""
    indicator = [float(value is None)] if column["missingIndicator"] else []
    if column["kind"] == "category":
        own = [float(value == listed) for listed in column["values"]]
        is_missing = value is None and column["missingIndicator"]
        return own + [float(not any(own) and not is_missing)] + indicator
    if value is None or column["deviation"] == 0:
        return [0.0] + indicator
    z = (float(value) - column["mean"]) / column["deviation"]
    return [min(max(z, -KNOWN_MAX), KNOWN_MAX)] + indicator


def regression(x, y):
    """Logistic regression with a penalty on all but the last coefficient."""
    penalty = np.full(x.shape[1], ALPHA)
    penalty[-1] = 0
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (p - y) + penalty * w
        w -= np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + np.diag(penalty), gradient)
    return w


def main():
    head, *rows = [json.loads(line) for line in sys.stdin]
    rows = [row for row in rows if row["matured"]]
    x = np.array([
        sum((numbers(column, row["features"].get(column["field"])) for column in head["features"]), [])
        for row in rows
    ])
    treated = np.array([row["arm"] == "treatment" for row in rows])
    y = np.array([row["outcome"] for row in rows], float)
    fold = np.array([row["fold"] for row in rows])
    e = np.array([row["treatmentProbability"] for row in rows])
    # Who passed the flow's gate by lot counts for all who did not.
    counts = 1 / np.array([row["gateProbability"] for row in rows])
    without, with_, coefficients = np.empty(len(y)), np.empty(len(y)), []
    for number in range(5):
        learned, own = fold != number, fold == number
        t = treated[learned].astype(float)[:, None]
        ones = np.ones((learned.sum(), 1))
        w = regression(np.hstack([t, x[learned], t * x[learned], ones]), y[learned])
        coefficients.append(list(w))
        width = x.shape[1]
        z = w[-1] + x[own] @ w[1 : width + 1]
        without[own] = 1 / (1 + np.exp(-z))
        with_[own] = 1 / (1 + np.exp(-(z + w[0] + x[own] @ w[width + 1 : -1])))
    raw = with_ - without
    robust = raw + np.where(treated, (y - with_) / e, -(y - without) / (1 - e))
    slope = np.polyfit(raw, robust, 1, w=np.sqrt(counts))[0]
    order = np.argsort(-raw, kind="stable")
    one = np.where(treated, counts / e, 0)[order]
    other = np.where(treated, 0, counts / (1 - e))[order]
    mean = np.divide(np.cumsum(other * y[order]), np.cumsum(other), where=np.cumsum(other) > 0, out=np.zeros(len(y)))
    gain = np.where(np.cumsum(other) > 0, np.cumsum(one * y[order]) - mean * np.cumsum(one), 0)
    gain = np.concatenate([[0], gain]) / one.sum()
    share = np.concatenate([[0], np.cumsum(counts[order])]) / counts.sum()
    q = np.trapezoid(gain, share) - gain[-1] / 2
    json.dump({"coefficients": coefficients, "q": q, "slope": slope, "average": np.average(robust, weights=counts)}, sys.stdout)


main()
