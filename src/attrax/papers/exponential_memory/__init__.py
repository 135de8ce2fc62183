"""Exponential memory: e^{αN} random patterns, each repaired by one update of every unit.

With F(x) = eˣ in place of x², a network of N two-state units keeps 2^{N/2} random patterns. One
update of each unit repairs them after a share ρ of its units is flipped, up to α = ½ I(1 − 2ρ).
That is the rate at which all patterns are lost at once; a given one lasts up to I(1 − 2ρ).

**Source:** [demircigil2017model]
"""

import math

import numpy as np

from ..contract import Evidence, claim
from . import measure as m

THEOREM = "Demircigil et al. (2017), theorem; least of 0.95 asked here"


def describe(series) -> str:
    """Sizes, with the shares of single patterns and of networks that are repaired."""
    listed = [
        f"N = {d}, M = {r.patterns[0, 0]}: {r.one.mean():.4f} of patterns, all of them in "
        f"{r.all.mean():.3f} of {r.all.size} networks"
        for d, r in series.items()
    ]
    return f"{'; '.join(listed)}."


def keeps_all(damage, alpha, d):
    """Networks of a size that repair all their patterns."""
    number = m.stored(alpha, d)
    text = (
        f"ρ = {damage:g}, α = {alpha:g}, N = {d}, all {number} patterns: networks that repair them"
    )

    @claim(text, paper="→ 1 for N → ∞", source=THEOREM, least=0.95)
    def kept(run):
        draws = run.pick("kept.networks", quick=50, full=200)
        return run(m.repaired, d, (number,), round(damage * d), draws).all

    return kept


below_the_rate = [keeps_all(0, 0.2, 36), keeps_all(0.2, 0.05, 100)]


def rises(damage, alpha, least, note):
    """The share of networks that repair all patterns, of large ones less small ones."""
    small, *_, large = m.SERIES[damage, alpha][0]
    text = f"ρ = {damage:g}, α = {alpha:g}: networks that repair all, N = {large} less {small}"

    @claim(text, paper="→ 1 for N → ∞", source="Demircigil et al. (2017), theorem", least=least)
    def risen(run):
        series = run(m.series, damage, alpha)
        shares = [series[d].all for d in (small, large)]
        error = math.hypot(*(x.std(ddof=1) / math.sqrt(x.size) for x in shares))
        return Evidence(shares[1].mean() - shares[0].mean(), describe(series) + note, error)

    return risen


more_with_size = [
    rises(0.0, 0.3, 0, " Pairs a unit apart let 0.95 of networks keep all from N = 71 on."),
    rises(0.1, 0.15, 0.05, ""),
]


@claim(
    paper="½ ln 2 = 0.3466", source="Demircigil et al. (2017), theorem", least=0.3366, most=0.3566
)
def grows_by_half_ln_2(run):
    """ρ = 0: pairs at which half of the networks keep all, ½ ln(pairs) + ½ ln N grows with N by"""
    growth = run(m.growth)
    slope, error = growth.slope(0.5)
    listed = "; ".join(
        f"N = {d}: {x:.3f} ± {e:.3f}"
        for d, x, e in zip(growth.sizes, growth.logs, growth.errors, strict=True)
    )
    note = (
        f"½ ln M(M − 1) is {listed}, and grows by {growth.slope(0)[0]:.4f}. Of two patterns a unit "
        "apart one is lost, and each has N such neighbours: that is the ½ ln N."
    )
    return Evidence(slope, note, error)


@claim(paper="–", source="asked here; law of pairs", least=0.95, most=1.05)
def networks_end_where_pairs_say(run):
    """N = 20, ρ = 0.1 to 0.2: α up to which all are repaired, over what pairs of patterns allow"""
    return run(m.edges, "all", "all", 2, 3, 4)


@claim(paper="–", source="asked here; law of pairs", least=0.95, most=1.05)
def patterns_end_where_pairs_say(run):
    """N = 20, ρ = 0.1 to 0.4: α up to which one is repaired, over what pairs of patterns allow"""
    return run(m.edges, "one", "one", 2, 3, 4, 6, 8)


@claim(paper="–", source="asked here; whether ½ I is sharp for a pattern", least=0.95, most=1.05)
def one_pattern_ends_with_all(run):
    """N = 20, ρ = 0.1 to 0.2: α up to which one is repaired, over what pairs allow for all"""
    beyond = run(m.series, 0.2, 0.145)
    every = run(m.edges, "all", "all", 2, 3, 4)
    note = (
        "The theorem is of a given pattern, and ½ I(1 − 2ρ) suffices for it. The bound is sharp "
        f"for all patterns at once: asked of all, the same networks end at {every.mean():.3f}. At "
        f"ρ = 0.2 and α = 0.145, between ½ I and I, patterns are repaired the more surely the more "
        f"units there are, though networks lose some: {describe(beyond)}"
    )
    return Evidence(run(m.edges, "one", "all", 2, 3, 4), note, intervention=every)


@claim(paper="–", source="asked here; α > ½ I(1 − 2ρ) = 0.096", most=0.05)
def beyond_the_rate(run):
    """ρ = 0.2, α = 0.145, N = 60: networks that repair all patterns"""
    return run(m.series, 0.2, 0.145)[60].all


@claim(paper="–", source="asked here; I(1 − 2ρ) = 0.3681", least=0.3671, most=0.3691)
def one_pattern_lasts_twice_as_long(run):
    """ρ = 0.1, N = 60 to 400: ln M − ½ ln N at which 1 of 20 units is wrong grows with N by"""
    far = run(m.far)
    most = far.logs.max()
    note = (
        f"Numbers of patterns at each distance are drawn in place of up to e^{most:.0f} patterns."
    )
    return Evidence(far.slopes(0.05), note)


def cubic(which, constant, **declared):
    """Fixed points of degree 3 at M = N²/(c ln N)."""
    what = "patterns" if which == "one" else "networks all of whose patterns are"

    @claim(f"n = 3, M = N²/({constant} ln N), N = 100: {what} at rest", **declared)
    def at_rest(run):
        draws = run.pick("cubic.networks", quick=20, full=100)
        numbers = tuple(int(100**2 / (c * math.log(100))) for c in (27, 9, 3))
        rested = run(m.repaired, 100, numbers, 0, draws, 2**20, m.cubic)
        return getattr(rested, which)[(27, 9, 3).index(constant)]

    return at_rest


polynomial = [
    cubic("one", 9, paper="→ 1 for c > 6", source=THEOREM, least=0.95),
    cubic("all", 27, paper="→ 1 for c > 18", source=THEOREM, least=0.95),
    cubic("one", 3, paper="–", source="asked here; the theorem needs c > 6", most=0.5),
]


@claim(paper="0 (construction)", source="Demircigil et al. (2017); 32 ε of double", most=7.2e-15)
def energy_falls(run):
    """Units one by one, the energy falls: largest rise in units of the energy"""
    descent = run(m.descent)
    together = [m.largest_rise(energies[None]) for energies in descent.together]
    note = (
        f"From {len(together)} random states of 24 units among 1001 patterns. All units at once, "
        f"it rises in {np.mean(np.array(together) > 1e-6):.0%} of the runs, by up to "
        f"{max(together):.0%}."
    )
    return Evidence(m.largest_rise(descent.single), note)


@claim(paper="exact", source="Demircigil et al. (2017), T_i", least=1)
def sweeps_are_the_rule(run):
    """Sweeps are those of a loop over units by T_i, in double precision: share"""
    return run(m.descent).agree
