"""Classical Hopfield network: two-state units, one energy, patterns as its minima.

Units joined by symmetric couplings lower one energy whenever one of them changes, so stored
patterns attract what resembles them: up to 0.138 random patterns a unit under Hebb's rule.

**Source:** [hopfield1982neural]; [hopfield1984neurons]; [amit1985storing]
"""

import numpy as np

from attrax.theory import hebb_flip_probability

from ..contract import Evidence, claim
from . import measure as m


@claim(paper="0 (theorem)", source="Hopfield (1982); symmetric couplings, no self-term", most=0)
def energy_falls(run):
    """Energy falls at every change of a unit, in whole numbers: rises"""
    flips = run(m.flips)
    return Evidence(flips.rises, f"Of {flips.changes} changes in 5 runs of 200 units.")


@claim(paper="exact", source="Hopfield (1982), the rule", least=1)
def sweeps_are_the_rule(run):
    """Sweeps are those of a loop over units in whole numbers: share"""
    return run(m.flips).agree


@claim(paper="1 (theorem)", source="Goles-Chacc et al. (1985); Bruck (1990)", least=1)
def at_once_they_rest_or_alternate(run):
    """All units at once end in a fixed point or a cycle of two: share"""
    rest, cycle = run(m.synchronous)
    note = f"With random couplings {rest:.0%} rest and {cycle:.0%} end in a cycle of two."
    return Evidence(rest + cycle, note)


@claim(paper="0.15 N", source="Hopfield (1982); least of 0.97 asked here", least=0.97)
def recalls_below_the_capacity(run):
    """Recall at α = 0.12, N = 500: mean overlap at rest"""
    return run(m.overlaps).at(500, 0.12)


@claim(paper="0.15 N", source="Hopfield (1982); most of 0.8 asked here", most=0.8)
def forgets_above_the_capacity(run):
    """Recall at α = 0.18, N = 500: mean overlap at rest"""
    remnant = ", ".join(f"{run(m.overlaps).at(500, load).mean():.2f}" for load in (0.15, 0.25))
    note = f"At α = 0.15 and 0.25: {remnant}. Replica theory has no retrieval state above 0.138."
    return Evidence(run(m.overlaps).at(500, 0.18), note)


@claim(paper="exact for N → ∞", source="Amit et al. (1985); straight line in 1/N", most=3)
def overlaps_tend_to_theory(run):
    """Overlap for N → ∞ is replica theory's, α ≤ 0.1: largest distance in standard errors"""
    limit = run(m.limit)
    return Evidence(limit.z[limit.loads <= 0.1].max(), limit.describe())


@claim(paper="exact for N → ∞", source="Amit et al. (1985); straight line in 1/N", most=3)
def overlaps_near_the_capacity_tend_to_theory(run):
    """Overlap for N → ∞ is replica theory's, α = 0.12, 0.13: largest distance in standard errors"""
    limit = run(m.limit)
    near = limit.loads > 0.1
    if limit.z[near].max() <= 3:
        return Evidence(limit.z[near].max(), limit.describe())
    lower, energy = run(m.cooled)
    low, middle, high = m.median_interval(lower)
    # Cooling is measured at 0.12; what is left at 0.13 counts as it is.
    (place,) = np.flatnonzero(limit.loads == 0.12)
    excess, error = limit.limit[place] - limit.theory[place], limit.error[place]
    left = abs(excess - middle) / np.hypot(error, (high - low) / 4)
    note = (
        f"{limit.describe()} Started at a pattern, a network settles in the first minimum on its "
        f"way, at α = 0.12 {excess:.4f} ± {error:.4f} above theory, which is of typical states of "
        f"the valley: cooled down from T = 0.08, networks end {middle:.4f} [{low:.4f}, {high:.4f}] "
        f"lower (median of {lower.size}, 95 % interval) and {energy.mean():.1e} lower in energy a "
        f"unit. Taken off, that leaves {left:.1f} standard errors."
    )
    others = limit.z[near & (limit.loads != 0.12)]
    return Evidence(limit.z[near].max(), note, intervention=max(left, *others))


@claim(paper="exact for N → ∞", source="Amit et al. (1985), T > 0; most of 0.01 asked", most=0.01)
def warm_networks_follow_theory(run):
    """Warm networks, α = 0.05, T = 0.1 to 0.4: largest distance of the overlap from theory"""
    warm, theory = run(m.warm)
    note = "; ".join(
        f"T = {t:g}: {x:.4f}, theory {e:.4f}"
        for t, x, e in zip(m.TEMPERATURES, warm.mean(1), theory, strict=True)
    )
    return Evidence(np.abs(warm.mean(1) - theory).max(), f"{note}.")


@claim(paper="exact", source="Glauber (1963); 6 units, 64 states", most=4)
def samples_follow_boltzmann(run):
    """Glauber dynamics samples exp(−E/T): excess of χ² in its standard deviations"""
    other = run(m.boltzmann, 0.9)
    return Evidence(
        run(m.boltzmann, 1.0), f"Against the law of a temperature a tenth lower: {other:.0f}."
    )


@claim(paper="0.0091 of units", source="Hopfield (1982), p. 2556", least=0.9, most=1.1)
def units_are_unstable_as_noise_says(run):
    """0/1 units, N = 100, n = 10: unstable units over Q(√(N/2(n − 1)))"""
    unstable, _ = run(m.stability, "bits")
    predicted = float(hebb_flip_probability(10, 100, states="bits"))
    note = f"{unstable.mean():.5f} of units beside {predicted:.5f}."
    return Evidence(unstable / predicted, note)


@claim(paper="about 0.6", source="Hopfield (1982), p. 2556", least=0.55, most=0.65)
def patterns_are_unchanged(run):
    """0/1 units, N = 100, n = 10: patterns that are left unchanged"""
    _, whole = run(m.stability, "bits")
    _, signs = run(m.stability, "signs")
    return Evidence(whole, f"Of ±1 units, whose noise is √2 smaller, {signs.mean():.3f}.")


@claim(paper="> 0.9", source="Hopfield (1982), p. 2556", least=0.9)
def cues_nearby_find_their_pattern(run):
    """0/1 units: cues up to 5 units off end nearest to their pattern, N = 30, n = 5: share"""
    bits, signs = run(m.basins, 30, "bits"), run(m.basins, 30)
    listed = ["; ".join(f"{x:.2f}" for x in each.nearest.mean(1)) for each in (bits, signs)]
    note = (
        f"The paper counts final states by the pattern nearest to them. At distances 0 to 5: "
        f"{listed[0]}. With thresholds of zero, a drive of 0/1 units carries ½ Σ_j T_ij beside "
        f"what ±1 units see, and √2 of their noise. Thresholds that take it off make them ±1 units "
        f"of the same couplings: {listed[1]}. Equal unit for unit are then "
        f"{signs.exact[1:].mean():.2f}; {1 - signs.exact[0].mean():.0%} of patterns do not rest. "
        f"At N = 100 cues 5 units off come back in {run(m.basins, 100).exact[5].mean():.2f}."
    )
    return Evidence(bits.nearest[1:].mean(0), note, intervention=signs.nearest[1:].mean(0))


def recall(rule, **declared):
    """Cues with a tenth of their units flipped, at a load beyond Hebb's capacity."""

    @claim(f"{rule}, N = 500, α = 0.25, a tenth flipped: cues that come back exactly", **declared)
    def recalled(run):
        return run(m.recalled, rule, 0.25)

    return recalled


beyond_hebb = [
    recall("Projection", paper="–", source="asked here; it holds N patterns", least=0.99),
    recall("Storkey", paper="–", source="asked here; it holds N/√(2 ln N) = 0.28 N", least=0.99),
    recall("Hebb", paper="–", source="asked here; it holds 0.138 N", most=0.01),
]


@claim(paper="exact", source="incremental rules; 100 ε of single precision", most=1.2e-5)
def one_by_one_is_at_once(run):
    """One by one or at once, Hebb, Storkey, projection: largest relative difference"""
    apart = {rule: run(m.incremental, rule) for rule in ("Hebb", "Storkey", "Projection")}
    listed = ", ".join(f"{name} {value:.0e}" for name, value in apart.items())
    return Evidence(max(apart.values()), f"{listed}.")


@claim(paper="stable", source="Amit et al. (1985)", least=0.999)
def mixtures_stay(run):
    """Mixtures of three patterns stay, N = 1000, n = 10: units that stay"""
    return run(m.mixtures)[0]


@claim(paper="½", source="Amit et al. (1985)", least=0.48, most=0.52)
def mixtures_lie_between(run):
    """Mixtures of three patterns, N = 1000, n = 10: overlap with each of them"""
    return run(m.mixtures)[1].mean(1)


@claim(paper="0 (theorem)", source="Hopfield (1984); Euler's steps, double precision", most=1e-12)
def graded_energy_falls(run):
    """Graded units: largest rise of the energy of 1984 in a step, relative"""
    return run(m.graded, 1.0).rise


@claim(paper="1 for a high gain", source="Hopfield (1984); least of 0.99 asked here", least=0.99)
def graded_units_rest_like_two_state_units(run):
    """Graded units of gain 50 rest where two-state units do: share of units"""
    shares = run(m.graded, 1.0).agree
    listed = ", ".join(f"{x:.3f} (gain {g:g})" for g, x in zip(m.GAINS, shares, strict=True))
    return Evidence(shares[-1], f"{listed}.")


@claim(paper="–", source="asked here; correlated patterns", least=0.9)
def projection_holds_images(run):
    """30 real images as signs, a tenth flipped: exact recall by projection less Hebb's rule"""
    images = run(m.images)
    rates = ", ".join(f"{name} {value:.2f}" for name, value in images.exact.items())
    note = f"{rates}; mean |overlap| of two images {images.correlation:.2f}."
    return Evidence(images.exact["Projection"] - images.exact["Hebb"], note)
