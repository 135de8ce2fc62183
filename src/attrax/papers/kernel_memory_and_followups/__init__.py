"""Kernel memories and what followed: compact support, random features, diffusion.

An energy of rectified distances keeps every pattern exactly and has minima between them. Sums of
random features hold patterns in a vector of constant size, and patterns can be taken out again.
Diffusion is a memory whose temperature falls: few data are memorised, more of them share spurious
states, and from many come new samples.

**Source:** [hoover2025dense]; [hoover2024dense]; [ambrogioni2024search]; [pham2025memorization]
"""

import numpy as np

from ..contract import Evidence, claim
from . import measure as m

FEATURES = "Hoover et al. (2024)"
SUPPORT = "Hoover et al. (2025)"
DIFFUSION = "Ambrogioni (2024)"
PHASES = "Pham et al. (2025)"


@claim(paper="−½ (theorem)", source=f"{FEATURES}; ± 0.1 asked here", least=-0.6, most=-0.4)
def errors_of_features_fall_with_their_root(run):
    """Random features, d = 16, 20 patterns, β = 0.1: exponent of the error of ∇E with Y"""
    errors = run(m.feature_errors)
    middle = np.median(errors, axis=0)
    note = (
        f"|∇E − exact|, relative, falls from {middle[0]:.2g} at Y = {m.FEATURES[0]} to "
        f"{middle[-1]:.2g} at Y = {m.FEATURES[-1]} (medians of {len(errors)} draws)."
    )
    return Evidence(m.exponents(m.FEATURES, errors), note)


@claim(paper="0", source=f"{FEATURES}, in exact arithmetic; 32 ε of double", most=7.2e-15)
def removed_patterns_leave_no_trace(run):
    """1000 patterns added to 20 and removed in another order: largest change of T, relative"""
    changes, drifts = run(m.removals)
    note = f"Relative to the largest |T| along the way. Reads change by {drifts.max():.0e} at most."
    return Evidence(changes.max(), note)


@claim(paper="0 (theorem)", source=f"{SUPPORT}; β = 1.01 · 2/min|ξ − ξ′|²", most=0)
def gradients_vanish_at_stored_rows(run):
    """Log-sum-ReLU energy, d = 16, 20 rows: largest |∇E| at a stored row"""
    seen = run(m.row_gradients)
    note = (
        f"The log-sum-exp energy of the same β has at least {seen.gaussian.min():.2g} at every "
        f"row, {np.median(seen.gaussian):.2g} in the median, in units of the least distance."
    )
    return Evidence(seen.above.max(), note)


@claim(paper="1 (theorem)", source=f"{SUPPORT}; one per cent either side asked here", least=1)
def rows_are_minima_above_a_sharp_threshold(run):
    """Draws in which all rows rest at 1.01 times β = 2/min|ξ − ξ′|², and some move at 0.99"""
    seen = run(m.row_gradients)
    sharp = (seen.above.max(axis=1) == 0) & (seen.below.max(axis=1) > 0)
    note = f"{sharp.size} draws of 20 rows. At 0.99 the closest two are drawn to their mean."
    return Evidence(sharp, note)


@claim(paper="> 0", source=f"{SUPPORT}; setting asked here", least=0.9)
def minima_emerge_while_all_rows_are_kept(run):
    """d = 2, 8 rows, β = 1.01 · 2/min|ξ − ξ′|²: draws with all rows as minima, and with others"""
    seen = run(m.minima)
    note = (
        f"Of {m.GRID**2} starts: {seen.emergent.mean():.1f} minima beside the 8 rows. At half of "
        f"that β there are {seen.wider.mean():.1f}, and {seen.rows.mean():.1f} rows are left. The "
        f"log-sum-exp energy has never more than {seen.gaussian.max()} minima, at {len(m.GAUSSIAN)}"
        f" β from {m.GAUSSIAN[0]:g} to {m.GAUSSIAN[-1]:g} times it."
    )
    return Evidence(seen.kept & (seen.emergent > 0), note)


@claim(paper="0 (identity)", source=f"{DIFFUSION}; most of 1e-12 asked here", most=1e-12)
def scores_are_slopes_of_the_energy(run):
    """∇ ln p of data with noise σ beside −∇(βE), β = 1/σ²: largest difference, relative"""
    gaps = run(m.score_gaps)
    note = (
        f"σ = {m.SIGMAS[0]:g} to {m.SIGMAS[-1]:g}, d = 16, 100 data. Relative to the largest "
        "distance of a state from the data, over σ²."
    )
    return Evidence(gaps.max(), note)


def phase(number: int, text: str):
    """A claim that one kind of samples is the most common one in its phase."""

    @claim(text, paper="three phases", source=f"{PHASES}; setting asked here", least=0.5)
    def most(run):
        shares = run(m.phases, m.PHASES[number]).shares
        listed = ", ".join(
            f"{share:.0%} {kind}" for share, kind in zip(shares.mean(0), m.KINDS, strict=True)
        )
        return Evidence(shares[:, number], f"{len(shares)} draws of data: {listed}.")

    return most


phases_by_data = {
    "few": phase(0, "Samples of 3 points on a circle, σ = 0.05: share within 0.001 of a datum"),
    "some": phase(1, "Samples of 64 points: share that others equal within 0.001, but no datum"),
    "many": phase(2, "Samples of 2048 points: share that no datum and no other sample equals"),
}


@claim(paper="–", source="asked here; σ²/2 is the pull of a curved line", most=0.0025)
def new_samples_lie_on_the_circle(run):
    """Samples of 2048 points on a circle, σ = 0.05: mean distance from the circle"""
    away = run(m.phases, m.PHASES[-1]).away
    note = f"σ²/2 is {m.SIGMA**2 / 2:.5f}. Points are {np.pi / m.PHASES[-1]:.4f} from one another."
    return Evidence(away, note)
