"""Modern Hopfield network: real patterns, exponentially many, read by attention.

The energy is a log-sum-exp of overlaps, and a step of its descent is softmax attention. The
theorems bound the error of a single read, say how many patterns are surely stored, and tell three
kinds of fixed points apart: one pattern, the mean of some, and the mean of all.

**Source:** [ramsauer2021hopfield]
"""

import numpy as np

from attrax.theory import modern_capacity

from ..contract import Evidence, claim
from . import measure as m

PAPER = "Ramsauer et al. (2020)"
# 32 times the spacing of doubles at one.
ROUNDING = 7.2e-15


@claim(paper="0 (theorem)", source=f"{PAPER}, Theorem 1; 32 ε of double", most=ROUNDING)
def energy_falls(run):
    """Reads, whole and damped, never raise the energy: largest rise over its largest term"""
    rises = run(m.descents).rises
    note = f"β = {m.BETAS[0]:g} to {m.BETAS[-1]:g}, damping {m.DAMPINGS[-1]:g} to 1, d = 20."
    return Evidence(rises.max(), note)


@claim(paper="0 (lemma)", source=f"{PAPER}, Lemma A1; 32 ε of double", most=ROUNDING)
def energy_keeps_its_bounds(run):
    """0 ≤ E, and E ≤ min(ln N/β + M²/2, 2 M²) among patterns: excess over the largest bound"""
    return Evidence(run(m.descents).excess.max(), "It is negative where energies stay within.")


@claim(paper="→ 0 (theorem)", source=f"{PAPER}, Theorem 2; most of 1e-12 asked here", most=1e-12)
def reads_come_to_rest(run):
    """Reads come to rest from wherever they start: length of a last step, in units of M"""
    seen = run(m.descents)
    listed = ", ".join(f"{k} at β = {b:g}" for b, k in zip(m.BETAS, seen.reads, strict=True))
    return Evidence(seen.last.max(), f"The slowest of all runs takes {listed}.")


@claim(paper="–", source="asked here; ‖J‖ = β λ(Cov)", least=0.99, most=1.001)
def reads_shrink_distances_by_the_jacobian(run):
    """Near a fixed point repeated reads shrink distances by the norm of the Jacobian: ratio"""
    rates = run(m.descents).rates
    return Evidence(rates, f"{rates.size} fixed points, {rates.min():.4f} to {rates.max():.4f}.")


@claim(paper="≤ 1 (theorem)", source=f"{PAPER}, Theorem 5", most=1)
def errors_of_one_read_are_bounded(run):
    """|f(ξ) − x| after one read over its bound, wherever that says something: largest"""
    pairs, _ = run(m.bounds)
    return Evidence(m.worst(pairs), m.tell(pairs))


@claim(paper="≤ 1 (theorem)", source=f"{PAPER}, Theorem 4", most=1)
def one_read_contracts(run):
    """|f(ξ) − x*| / |ξ − x*| over its bound, where that is below one: largest"""
    _, ratios = run(m.bounds)
    sharper = (
        f"Without the factor N/2 the bound of attrax is reached to {m.worst(ratios[2:0:-1]):.2g}."
    )
    return Evidence(m.worst(ratios), f"{m.tell(ratios)} {sharper}")


@claim(paper="≤ 1 (theorem)", source=f"{PAPER}, Definition 1 and its condition", most=1)
def spheres_keep_what_starts_in_them(run):
    """Read from the sphere 1/(βNM) of a well separated pattern: distance over the radius"""
    read, end, patterns = run(m.spheres)
    note = (
        f"{patterns} patterns are well separated. All states come to rest at the one fixed point "
        f"of their sphere, to {end.max():.0e} of its radius."
    )
    return Evidence(read.max(), note)


@claim(paper="3.1546; 1.3718", source=f"{PAPER}, Theorem 3, cut off after four digits", most=1)
def constants_are_those_printed(run):
    """c for K = 3, d = 20 and K = 1, d = 75: largest difference, in units of the last digit"""
    bases, exponents = run(m.constants)
    note = (
        f"c = {bases[0]:.5f} and {bases[1]:.5f}; a + ln b = {exponents[0]:.4f} and "
        f"−{-exponents[1]:.4f}, where the paper prints 1.27 and −0.94."
    )
    return Evidence(np.abs(bases - [3.1546, 1.3718]).max() / 1e-4, note)


@claim(paper="≥ 0.999 (theorem)", source=f"{PAPER}, Theorem 3, p = 0.001, β = 1", least=0.999)
def guaranteed_patterns_are_stored(run):
    """As many random patterns as are guaranteed are all well separated: share of sets"""
    kept = {each: run(m.guaranteed, *each) for each in ((20, 3.0), (75, 1.0))}
    listed = " and ".join(
        f"{m.guaranteed_number(d, radius)} of d = {d}, K = {radius:g}" for d, radius in kept
    )
    worst = min(kept.values(), key=np.mean)
    return Evidence(worst, f"These are {listed}; {worst.size} sets each.")


@claim(paper="–", source="asked here; ¼ ln c of Theorem 3 at d = 75 is 0.0790", least=0.0790)
def patterns_grow_faster_than_is_guaranteed(run):
    """K = β = 1: growth of ln N with d, for N up to which a read gives a pattern half the weight"""
    apart, bound = run(m.growth, "separated"), modern_capacity([75, 55]).log_n_patterns
    note = (
        f"The number up to which all patterns are well separated, as the proof asks, grows by "
        f"{apart.slopes.mean():.3f} from d = {apart.sizes[0]} to {apart.sizes[-1]}, and that of "
        f"Theorem 3 by {float(bound[0] - bound[1]) / 20:.3f} from 55 to 75."
    )
    return Evidence(run(m.growth, "read").slopes, note)


@claim(paper="three kinds", source=f"{PAPER}, section 2; setting asked here", least=0.95)
def three_kinds_of_fixed_points(run):
    """3 alike of 23 patterns: draws where β = 0.05, 1, 100 give means of > half, of 3, of 1"""
    sizes = run(m.duplicates)
    kinds = (2 * sizes[:, 0] > 23) & (sizes[:, 1] == 3) & (sizes[:, 2] == 1)
    middle = ", ".join(f"{size:.0f}" for size in np.median(sizes, axis=(0, 2)))
    return Evidence(kinds.all(axis=1), f"d = 50; the states are means of {middle} (medians).")


@claim(paper="–", source="asked here; a read contracts below β = 4/D²", most=1e-9)
def hot_memories_have_one_fixed_point(run):
    """β = 0.99 · 4/D²: distance of where any two patterns end, over the largest of two patterns"""
    apart = {which: run(m.hot, which) for which in ("random", "images")}
    listed = ", ".join(f"{which} {value:.0e}" for which, value in apart.items())
    return Evidence(max(apart.values()), f"Patterns of unit norm: {listed}.")


@claim(paper="–", source="asked here; at the β where most are", least=0.5)
def images_pass_through_metastable_states(run):
    """As β grows, states that are means of some images, less the same of random patterns: share"""
    images, random = (m.metastable(run(m.phases, which)) for which in ("images", "random"))
    span = [beta for beta, share in zip(m.PHASES, images, strict=True) if share > 0.05]
    note = (
        f"Images of unit norm: more than 5 % end so at {len(span)} of {len(m.PHASES)} β, from "
        f"{min(span, default=0):.3g} to {max(span, default=0):.3g}. Random patterns change from "
        f"the mean of all to single ones at once: at most {random.max():.0%}."
    )
    return Evidence(images.max() - random.max(), note)


@claim(paper="–", source="asked here; the paper's blog shows one image of 24", least=0.95)
def images_are_completed(run):
    """24 images of which the lower half is missing, β = 64: share that is retrieved"""
    right, sizes, _ = run(m.masked)
    hot, cold = m.PHASES.index(4.0), m.PHASES.index(64.0)
    note = (
        f"At β = 4, {right[:, hot].mean():.0%} are retrieved, and the states are means of "
        f"{np.median(sizes[:, hot]):.0f} images (median)."
    )
    return Evidence(right[:, cold], note)
