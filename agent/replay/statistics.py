"""The formulas that results are judged by: pass@k, intervals, paired comparison.

Owns the mathematics alone: numbers in, numbers out. Must not know attempts, models or reports.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def pass_at_k(attempts: int, resolved: int, k: int) -> float:
    """The chance that at least one of `k` attempts resolves an instance, without bias.

    Chen et al., "Evaluating Large Language Models Trained on Code" (2021), equation 1:
    1 - C(n - c, k) / C(n, k), as the product that does not overflow.

    Args:
        attempts: n, how many were made.
        resolved: c, how many of them resolved it.
        k: At most `attempts`.

    Raises:
        ValueError: There were fewer than `k` attempts, or more resolved than were made.
    """
    if not 1 <= k <= attempts or not 0 <= resolved <= attempts:
        raise ValueError(f"pass@{k} of {resolved} in {attempts}")
    if attempts - resolved < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / at for at in range(attempts - resolved + 1, attempts + 1))


def wilson(successes: float, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a proportion.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927), without
    a correction for continuity: method 3 of Newcombe (1998a).

    Args:
        successes: May be a fraction: where each trial is the mean of several attempts the interval
            is wider than it need be, never narrower, for a mean varies less than one attempt.
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    z = _z(confidence)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def mcnemar(only_one: int, only_other: int) -> float:
    """The two-sided p-value of "neither is better", from the pairs on which two models differ.

    McNemar (1947), exact: the pairs that differ fall on either side as a coin does. Twice the
    smaller tail of the binomial distribution, at most 1.
    """
    differing = only_one + only_other
    tail = sum(math.comb(differing, at) for at in range(min(only_one, only_other) + 1))
    # One division of whole numbers: 2 ** -differing alone is 0 beyond a thousand pairs.
    return min(1.0, 2 * tail / (1 << differing))


def paired_difference(
    both: int, only_one: int, only_other: int, neither: int, confidence: float = CONFIDENCE
) -> Interval:
    """The interval of the difference between two proportions of the same instances.

    Newcombe, "Improved confidence intervals for the difference between binomial proportions based
    on paired data" (1998b), method 10: from the Wilson intervals of both, with their correlation.

    Returns:
        Of one's proportion less the other's.
    """
    trials = both + only_one + only_other + neither
    if trials == 0:
        return Interval(-1.0, 1.0)
    first, second = both + only_one, both + only_other
    one, other = first / trials, second / trials
    of_one, of_other = wilson(first, trials, confidence), wilson(second, trials, confidence)
    phi = _phi(both, only_one, only_other, neither)

    def width(near: float, far: float) -> float:
        return math.sqrt(max(0.0, near * near - 2 * phi * near * far + far * far))

    difference = one - other
    return Interval(
        max(-1.0, difference - width(one - of_one.low, of_other.high - other)),
        min(1.0, difference + width(of_one.high - one, other - of_other.low)),
    )


def _phi(both: int, only_one: int, only_other: int, neither: int) -> float:
    """The correlation of a fourfold table, with the correction that method 10 makes."""
    margins = (
        (both + only_one) * (only_other + neither) * (both + only_other) * (only_one + neither)
    )
    if margins == 0:
        return 0.0
    product = float(both * neither - only_one * only_other)
    if product > 0:
        product = max(0.0, product - (both + only_one + only_other + neither) / 2)
    return product / math.sqrt(margins)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
