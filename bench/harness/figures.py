# SPDX-License-Identifier: Apache-2.0
"""What is made of many rounds: the median, and the quartiles as the spread."""

import statistics


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratios(values, base):
    """Round by round, so that what the machine did in a round is in both."""
    return [value / other for value, other in zip(values, base) if other]


def summary(values, base=None):
    low, middle, high = quartiles(values)
    out = {"median": middle, "low": low, "high": high}
    if base:
        low, middle, high = quartiles(ratios(values, base))
        out["ratio"] = {"median": middle, "low": low, "high": high}
    return out
