"""Figures of a ranking by numpy and scipy, as JSON: plain sums, and influence by complex steps.

Reads {scores, propensity, treated, probability, selection, outcome, expected, folds, vectors, values}.
"""

import json
import sys

import numpy as np
from scipy import stats

STEP = 1e-30
BINS = 10
ALPHA = 1.0


def groups(scores):
    """Places of equal scores, the largest first."""
    return [np.flatnonzero(scores == score) for score in np.unique(scores)[::-1]]


def qini(scores, treated, probability, outcome, weights):
    """Area between the curve of gains and the line to its end, per treated unit."""
    each = np.where(treated, 1 / probability, 1 / (1 - probability)) * weights
    xs, gains = [0], [0]
    chosen = np.zeros(len(scores), bool)
    for places in groups(scores):
        chosen[places] = True
        one, other = chosen & treated, chosen & ~treated
        gain = 0
        if other.any():
            mean = (each * outcome)[other].sum() / each[other].sum()
            gain = (each * outcome)[one].sum() - mean * each[one].sum()
        xs.append(weights[chosen].sum() / weights.sum())
        gains.append(gain / each[treated].sum())
    area = sum((x1 - x0) * (g0 + g1) / 2 for x0, x1, g0, g1 in zip(xs, xs[1:], gains, gains[1:]))
    return area - gains[-1] / 2


def autoc(scores, effects, weights):
    """Mean over all shares of the mean effect of the highest ranked, less that of all."""
    total = weights.sum()
    share, reached, area = 0, 0, 0
    for places in groups(scores):
        mean = (weights * effects)[places].sum() / weights[places].sum()
        end = share + weights[places].sum() / total
        if share == 0:
            area += mean * end
        else:
            area += (reached - mean * share) * np.log(end / share) + mean * (end - share)
        reached += mean * (end - share)
        share = end
    return area - reached


def influence(figure, counts):
    """Derivative by how often each unit is there, to machine precision."""
    found = np.empty(len(counts))
    for place in range(len(counts)):
        weights = counts.astype(complex)
        weights[place] += 1j * STEP * counts[place]
        found[place] = figure(weights).imag / STEP
    return found


def measured(figure, counts):
    """The figure, its error, and the influences."""
    moved = influence(figure, counts)
    return figure(counts), np.sqrt((moved**2).sum()), moved


def mean(values, counts):
    """Weighted mean and its error."""
    value = np.average(values, weights=counts)
    n = len(values)
    return [value, np.sqrt((counts**2 * (values - value) ** 2).sum() * n / (n - 1)) / counts.sum()]


def slope(predicted, effects, counts):
    """Weighted least squares with HC1 errors."""
    design = np.column_stack([np.ones(len(predicted)), predicted])
    bread = np.linalg.inv(design.T @ (design * counts[:, None]))
    coefficients = bread @ design.T @ (counts * effects)
    residuals = effects - design @ coefficients
    meat = design.T @ (design * (counts * residuals)[:, None] ** 2)
    variance = bread @ meat @ bread * len(effects) / (len(effects) - 2)
    error = np.sqrt(variance[1, 1])
    return [coefficients[1], error, stats.norm.sf(coefficients[1] / error)]


def bins(raw, folds, effects, counts):
    """Ten bins within folds, with intervals of all together."""
    number = np.zeros(len(raw), int)
    for fold in np.unique(folds):
        own = np.flatnonzero(folds == fold)
        ordered = np.sort(raw[own])
        edges = [ordered[edge * len(own) // BINS] for edge in range(1, BINS)]
        number[own] = 1 + np.searchsorted(edges, raw[own], side="right")
    quantile = stats.norm.ppf(1 - 0.05 / (2 * BINS))
    found = []
    for bin in range(1, BINS + 1):
        own = effects[number == bin]
        if len(own) < 2:
            continue
        effect, error = mean(own, counts[number == bin])
        low, high = effect - quantile * error, effect + quantile * error
        found.append([bin, effect, error, low, high, stats.norm.cdf(effect / error), len(own)])
    return found


def response(treated, outcome, propensity, counts):
    """Area under the curve and logarithmic loss of the treated."""
    y, p, w = outcome[treated] > 0, propensity[treated], counts[treated]
    above = np.sign(p[y][:, None] - p[~y][None, :]) / 2 + 0.5
    auc = w[y] @ above @ w[~y] / (w[y].sum() * w[~y].sum())
    return [auc, -np.average(np.where(y, np.log(p), np.log(1 - p)), weights=w)]


def design(vectors, treated):
    """Treatment, features, and their products."""
    arm = treated.astype(float)[:, None]
    return np.column_stack([arm, vectors, arm * vectors])


def logistic(vectors, treated, outcome):
    """Penalized logistic regression: coefficients, intercept last."""
    x = np.column_stack([design(vectors, treated), np.ones(len(outcome))])
    penalty = np.full(x.shape[1], ALPHA)
    penalty[-1] = 0
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (p - outcome) + penalty * w
        w -= np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + np.diag(penalty), gradient)
    return list(w)


def linear(vectors, treated, values):
    """Penalized linear regression: coefficients, intercept last."""
    x = np.column_stack([design(vectors, treated), np.ones(len(values))])
    penalty = np.full(x.shape[1], ALPHA)
    penalty[-1] = 0
    return list(np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ values))


def coefficients(data):
    """Those of the models learned without the first fold."""
    rest = data["folds"] != 0
    vectors, treated = data["vectors"][rest], data["treated"][rest]
    json.dump({
        "logistic": logistic(vectors, treated, data["outcome"][rest]),
        "linear": linear(vectors, treated, data["values"][rest]),
    }, sys.stdout, default=float)


def main():
    data = {name: np.array(values) for name, values in json.load(sys.stdin).items()}
    if sys.argv[1] == "coefficients":
        return coefficients(data)
    scores, propensity, treated = data["scores"], data["propensity"], data["treated"]
    probability, outcome, folds = data["probability"], data["outcome"], data["folds"]
    without, with_ = data["expected"].T
    residual = np.where(treated, (outcome - with_) / probability, -(outcome - without) / (1 - probability))
    effects = with_ - without + residual
    counts = 1 / data["selection"]
    by_effect = measured(lambda w: qini(scores, treated, probability, outcome, w), counts)
    by_propensity = measured(lambda w: qini(propensity, treated, probability, outcome, w), counts)
    gain = [by_effect[0] - by_propensity[0], np.sqrt(((by_effect[2] - by_propensity[2]) ** 2).sum())]
    json.dump({
        "robust": list(effects),
        "qini": list(by_effect[:2]),
        "by_propensity": list(by_propensity[:2]),
        "gain": gain,
        "autoc": list(measured(lambda w: autoc(scores, effects, w), counts)[:2]),
        "average": mean(effects, counts),
        "slope": slope(scores, effects, counts),
        "bins": bins(scores, folds, effects, counts),
        "response": response(treated, outcome, propensity, counts),
    }, sys.stdout, default=float)


main()
