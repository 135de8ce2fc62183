"""Dense memories with exponential capacity: thresholds of softmax from a random energy model.

A memory that reads by softmax keeps P = e^{αN} random patterns, and the sum of the scores of all
others is the partition function of a random energy model. That gives the load up to which a
typical pattern is kept, a bound for all of them, and basins. Gaussian patterns lose some long
before typical ones; patterns of equal length keep all as long as one.

**Source:** [lucibello2024exponential]
"""

import math

import numpy as np

from attrax.theory import condensation_beta, softmax_basin, softmax_rate

from ..contract import Evidence, claim
from . import measure as m

SAYS = "Lucibello and Mézard (2024), abstract; number by random energies, asked here"


def describe(series) -> str:
    """Means by size."""
    mean, error = series.means()
    listed = zip(series.sizes, mean, error, strict=True)
    return ", ".join(f"{x:.4f} ± {e:.4f} at N = {n:.0f}" for n, x, e in listed)


def typical(ensemble, beta):
    """The threshold of one pattern for N → ∞."""
    theory = float(softmax_rate(beta, ensemble, "one_pattern"))
    text = f"{ensemble}, β = {beta:g}: α up to which a typical pattern outweighs all others, N → ∞"

    @claim(text, paper="–", source=SAYS, least=theory - 0.005, most=theory + 0.005)
    def kept(run):
        series = run(m.one_pattern, ensemble, beta)
        value, error = series.limit()
        note = f"Theory says {theory:.4f}. Thresholds of draws are {describe(series)}."
        return Evidence(value, note, error)

    return kept


one_pattern = {"spherical": typical("spherical", 1.0), "gaussian": typical("gaussian", 2.0)}


@claim(paper="–", source="asked here; 99 % of the largest of 24 normal numbers", most=3.5)
def within_bands(run):
    """24 thresholds, log-sums and overlaps, N → ∞: largest distance from theory, in errors"""
    found = run(m.limits)
    pulls = np.array([abs(x.value - x.theory) / x.error for x in found])
    worst = found[int(pulls.argmax())]
    note = (
        f"{np.sum(pulls < 1.96)} of {len(found)} bands of 95 % hold theory. Farthest is "
        f"{worst.name}: {worst.value:.5f} ± {worst.error:.5f}, and theory says {worst.theory:.5f}. "
        "Signs at β = 2 are left out: that threshold, 0.6750, is so near ln 2, where patterns fill "
        "all states, that sizes below some hundreds follow another law."
    )
    return Evidence(pulls.max(), note)


def every(beta, log_terms, width, cause):
    """The growth of the number of patterns at which the first is lost."""
    theory = float(softmax_rate(beta, "gaussian", "all_patterns"))
    text = f"gaussian, β = {beta:g}: number P at which the first is lost, ln P grows with N by"
    source = "asked here; first moment, of which the abstract speaks as a lower bound"

    @claim(text, paper="–", source=source, least=theory - width, most=theory + width)
    def kept(run):
        series = run(m.all_patterns, "gaussian", beta)
        value, error = m.growth(series, log_terms)
        note = (
            f"Theory says {theory:.4f}: {cause} The {log_terms:g} ln N of its prefactor is taken "
            f"off. ln P is {describe(series)}."
        )
        return Evidence(value, note, error)

    return kept


# Of short patterns: ½/(1 − r′(ρ)/g) at ρ = α/g and g = β − β²/2.
all_patterns = [
    every(2.0, 0.25, 0.015, "one pattern is nearer to another than that to itself."),
    every(0.3, 0.152, 0.008, "the shortest pattern is drowned by all others."),
]


def gap(ensemble, beta, words, **bounds):
    """α₁ − α_c at the largest size."""
    text = f"{ensemble}, β = {beta:g}: α₁ − α_c, typical less first lost, {words}"

    @claim(text, paper="–", source="asked here; a gap, and none (summary)", **bounds)
    def kept(run):
        series = run(m.gaps, ensemble, beta)
        return Evidence(series.values[-1], f"It is {describe(series)}.")

    return kept


gaps = {
    "gaussian": gap("gaussian", 2.0, "remains", least=0.25),
    "spherical": gap("spherical", 0.5, "closes", most=0.02),
}


@claim(paper="–", source=SAYS, least=0.4372, most=0.4572)
def basin(run):
    """gaussian, α = 0.1, β = 2: overlap from which a query is drawn to its pattern, N → ∞"""
    entropy = run(m.read, "gaussian", 0.1, 2.0).entropy
    value, error = entropy.limit()
    note = (
        f"Theory says √(2α) = {float(softmax_basin(0.1, 2.0, 'gaussian')):.4f}, the overlap of the "
        f"nearest other pattern. Log-sums over N are {describe(entropy)}."
    )
    return Evidence(value / 2, note, error / 2)


@claim(paper="–", source="asked here; Derrida (1981), 1 − β_*/β", least=0.7164, most=0.8364)
def condensed(run):
    """gaussian, α = 0.1, β = 2: Σ w² of a read at a query that is no pattern, N → ∞"""
    series = run(m.read, "gaussian", 0.1, 2.0).squares
    value, error = series.limit()
    shared = run(m.read, "gaussian", 0.2, 0.3).squares.means()[0]
    note = (
        f"Theory says {1 - float(condensation_beta(0.1, 'gaussian')) / 2:.4f}; draws are "
        f"{describe(series)}. Uncondensed, at α = 0.2 and β = 0.3, it falls from {shared[0]:.4f} "
        f"to {shared[-1]:.0e}."
    )
    return Evidence(value, note, error)


@claim(paper="–", source="asked here; β√N = ln P + β²/2 for normal scores", least=0.995, most=1.005)
def attention_scale(run):
    """spherical, β = 1/√N as in attention: ln P/√N up to which a pattern outweighs all, N → ∞"""
    series = run(m.attention, "spherical", 1.0)
    value, error = series.limit()
    mean, _ = series.means()
    sizes = zip(series.sizes, mean, strict=True)
    listed = ", ".join(f"{x:.4f} at N = {n * n:.0f}" for n, x in sizes)
    return Evidence(value, f"It is {listed}.", error)


def memory(ensemble, beta):
    """Loads up to which a `Memory` gives a pattern most of the weight."""
    text = f"{ensemble}, β = {beta:g}: α up to which `Memory` keeps, over that of random energies"

    @claim(text, paper="–", source="asked here; 5 %", least=0.95, most=1.05)
    def kept(run):
        read = run(m.loads_kept, ensemble, beta)
        number = math.exp(read.points[-1] * read.n)
        note = f"Memories of up to {number:.0f} patterns of {read.n} entries are read."
        return Evidence(read.weight, note)

    return kept


memories = {"spherical": memory("spherical", 0.5), "gaussian": memory("gaussian", 2.0)}


@claim(paper="–", source="asked here; 5 %", least=0.95, most=1.05)
def runs_end_in_their_pattern(run):
    """gaussian, α = 0.1, β = 2: overlap from which `retrieve` ends there, over random energies'"""
    kept = run(m.overlaps_kept, "gaussian", 0.1, 2.0)
    other = run(m.overlaps_kept, "spherical", 0.1, 2.0)
    note = (
        f"At N = {kept.n}. By the weight of one read it is {kept.weight.mean():.4f}. For spherical "
        f"patterns both are {other.ends.mean():.4f} and {other.weight.mean():.4f}."
    )
    return Evidence(kept.ends, note)
