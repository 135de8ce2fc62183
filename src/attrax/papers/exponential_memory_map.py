"""Where success of one update ends, over numbers of patterns and damage."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluate.capacity import falls
from .exponential_memory_measures import CAPACITIES, Repair, others_at, repair


class Map(NamedTuple):
    """Success over α and ρ at one N.

    - `alphas`, `damages`: the axes.
    - `single`, `all`: shape (damages, alphas); NaN where not all patterns were probed.
    """

    units: int
    alphas: np.ndarray
    damages: np.ndarray
    single: np.ndarray
    all: np.ndarray

    def crossings(self, which: str) -> np.ndarray:
        """α at which success falls to ½, for each ρ; NaN where it does not.

        **Arguments:**

        - `which`: "single" or "all".
        """
        shares = getattr(self, which)
        return np.asarray([crossing(self.alphas, share) for share in shares])


def crossing(x: np.ndarray, share: np.ndarray) -> float:
    """Where a share first falls through ½; NaN where it does not, or where it is not known."""
    known = ~np.isnan(share)
    first = float(falls(x[known], share[known], 0.5)[0])
    return first if math.isfinite(first) else math.nan


def success_map(
    units: int,
    alphas: Sequence[float],
    flips: Sequence[int],
    draws: int,
    few: int,
    seed: int,
    probes: int,
) -> Map:
    """Success of one update over numbers of patterns and of flipped units.

    **Arguments:**

    - `units`: N.
    - `alphas`: nominal; numbers of patterns are whole, and α is taken from them.
    - `flips`: numbers of flipped units.
    - `draws`, `few`: networks at each point, `few` where they have more than `CAPACITIES[1]`
      patterns.
    - `seed`: of the draws; all numbers of flips but none are tried on the same networks.
    - `probes`: patterns tried where there are more than `CAPACITIES[2]`; else all.
    """
    numbers = sorted({others_at(alpha, units) for alpha in alphas})

    def point(m: int, k: int) -> Repair:
        count = draws if m < CAPACITIES[1] else few
        return repair(units, m, k, count, seed, None if m < CAPACITIES[2] else probes)

    found = [[point(m, k) for m in numbers] for k in flips]
    return Map(
        units,
        np.asarray([math.log(m) / units for m in numbers]),
        np.asarray(flips) / units,
        np.asarray([[point.single.mean() for point in row] for row in found]),
        np.asarray([[point.all.mean() for point in row] for row in found]),
    )


def growth(
    sizes: Sequence[int], alphas: Sequence[float], draws: int, few: int, seed: int
) -> dict[int, list[Repair]]:
    """All patterns probed at ρ = 0, over α for each N, up to `CAPACITIES[4]` patterns."""
    numbers = {n: [others_at(alpha, n) for alpha in alphas] for n in sizes}
    return {
        n: [
            repair(n, m, 0, draws if m < CAPACITIES[1] else few, seed)
            for m in each
            if m < CAPACITIES[4]
        ]
        for n, each in numbers.items()
    }


def rate(found: dict[int, list[Repair]]) -> tuple[np.ndarray, np.ndarray, float]:
    """N, the mean of ln(M − 1) up to which networks keep all patterns, and its slope over N.

    The mean of a threshold is the area under the share of those that lie above.
    """
    sizes = np.asarray(list(found), np.float64)
    logs = []
    for points in found.values():
        x = np.log([point.others for point in points])
        logs.append(x[0] + np.trapezoid([point.all.mean() for point in points], x))
    return sizes, np.asarray(logs), float(np.polyfit(sizes, logs, 1)[0])


def expected_all(others: np.ndarray, units: int) -> np.ndarray:
    """The chance that all of M = `others` + 1 patterns are stable at ρ = 0.

    Of two that differ in one unit only, one is lost: exp(−M (M − 1)/2 · N 2^{−N}).
    """
    pairs = (others + 1.0) * others / 2
    return np.exp(-pairs * units * 2.0**-units)
