"""Figures of Hillstrom's experiment by numpy, scipy and statsmodels, as JSON."""

import csv
import gzip
import json
import sys

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

Z = stats.norm.ppf(0.975)
ALPHA = 0.05
CONTRASTS = {
    "mens": ["Mens E-Mail"],
    "womens": ["Womens E-Mail"],
    "any": ["Mens E-Mail", "Womens E-Mail"],
}


def fieller(difference, variance, base, base_variance, covariance):
    """Lift, the roots of Fieller's quadratic, and g."""
    g = Z**2 * base_variance / base**2
    roots = np.roots([
        base**2 - Z**2 * base_variance,
        -2 * (difference * base - Z**2 * covariance),
        difference**2 - Z**2 * variance,
    ])
    return {"value": difference / base, "ci95": sorted(roots.real), "g": g}


def anytime(difference, variance, n, n_star=5000):
    """Equation 9 of arXiv 2103.06476v7, on the variance of the difference."""
    rho = np.sqrt((-2 * np.log(ALPHA) + np.log(-2 * np.log(ALPHA) + 1)) / n_star)
    scaled = n * rho**2 + 1
    half = np.sqrt(variance * n) * np.sqrt(2 * scaled * np.log(np.sqrt(scaled) / ALPHA) / (n * rho) ** 2)
    return [difference - half, difference + half]


def means(treated, held_out):
    """The t tests and intervals of two samples."""
    pooled = stats.ttest_ind(treated, held_out)
    welch = stats.ttest_ind(treated, held_out, equal_var=False)
    return {
        "difference": treated.mean() - held_out.mean(),
        "statistic": pooled.statistic,
        "p": pooled.pvalue,
        "pooled_t": list(pooled.confidence_interval(0.95)),
        "welch": list(welch.confidence_interval(0.95)),
    }


def of_mean(x):
    """Variance of a mean."""
    return x.var(ddof=1) / len(x)


def cuped(treated, held_out, covariate, covariate_held_out):
    """Within-arm regression on the covariate; the difference is the arm's coefficient of OLS."""
    within = [
        (x - x.mean(), y - y.mean())
        for x, y in [(treated, covariate), (held_out, covariate_held_out)]
    ]
    theta = sum((x * y).sum() for x, y in within) / sum((y * y).sum() for _, y in within)
    found = means(treated - theta * covariate, held_out - theta * covariate_held_out)
    x = np.concatenate([treated, held_out])
    y = np.concatenate([covariate, covariate_held_out])
    arm = np.concatenate([np.ones(len(treated)), np.zeros(len(held_out))])
    ols = OLS(x, np.column_stack([np.ones(len(x)), arm, y])).fit()
    adjusted, raw = held_out - theta * covariate_held_out, held_out
    variance = of_mean(treated - theta * covariate) + of_mean(adjusted)
    covariance = -np.cov(adjusted, raw)[0, 1] / len(raw)
    return found | {
        "theta": ols.params[2],
        "difference": ols.params[1],
        "relative_lift": fieller(ols.params[1], variance, raw.mean(), of_mean(raw), covariance),
        "variance_reduction": 1 - variance / (of_mean(treated) + of_mean(held_out)),
        "balance_p": stats.ttest_ind(covariate, covariate_held_out).pvalue,
    }


def rate(treated, held_out):
    hits, n = [treated.sum(), held_out.sum()], [len(treated), len(held_out)]
    z, p = proportions_ztest(hits, n)
    interval = lambda method: list(confint_proportions_2indep(hits[0], n[0], hits[1], n[1], method=method))
    [share, base] = [hit / count for hit, count in zip(hits, n)]
    variances = [share * (1 - share) / n[0], base * (1 - base) / n[1]]
    pooled = sum(hits) / sum(n)
    difference = share - base
    return {
        "difference": difference,
        "statistic": z,
        "p": p,
        "newcombe": interval("newcomb"),
        "wald": interval("wald"),
        "relative_lift": fieller(difference, sum(variances), base, variances[1], -variances[1]),
        "anytime": anytime(difference, pooled * (1 - pooled) * sum(1 / count for count in n), sum(n)),
    }


def amount(treated, held_out):
    found = means(treated, held_out)
    variance, base_variance = of_mean(treated) + of_mean(held_out), of_mean(held_out)
    n = [len(treated), len(held_out)]
    pooled = ((n[0] - 1) * treated.var(ddof=1) + (n[1] - 1) * held_out.var(ddof=1)) / (sum(n) - 2)
    cap = np.quantile(np.concatenate([treated, held_out]), 0.999, method="inverted_cdf")
    difference = found["difference"]
    return found | {
        "relative_lift": fieller(difference, variance, held_out.mean(), base_variance, -base_variance),
        "anytime": anytime(difference, pooled * sum(1 / count for count in n), sum(n)),
        "total": difference * len(treated),
        "winsorized": {"cap": cap} | means(np.minimum(treated, cap), np.minimum(held_out, cap)),
    }


def figures(rows):
    column = lambda name, of: np.array([float(row[name]) for row in rows if row["segment"] in of])
    for contrast, segments in CONTRASTS.items():
        arms = lambda name: (column(name, segments), column(name, ["No E-Mail"]))
        history = arms("history")
        for metric in ["visit", "conversion", "spend"]:
            treated, held_out = arms(metric)
            found = amount(treated, held_out) if metric == "spend" else rate(treated, held_out)
            found["cuped"] = cuped(treated, held_out, *history)
            n = [len(treated), len(held_out)]
            share = 3333 / 10000 if contrast == "any" else 0.5
            expected = [sum(n) * (1 - share), sum(n) * share]
            found["srm"] = dict(zip(["chi_square", "p"], stats.chisquare(n, expected)))
            yield f"{contrast} {metric}", found


with gzip.open(sys.argv[1], "rt") as file:
    rows = list(csv.DictReader(file))
print(json.dumps(dict(figures(rows)), indent=1, default=float))
