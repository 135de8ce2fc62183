"""Hopfield-Fenchel-Young memories, with learnt kernels and product keys.

Sparse and Hopfield-Fenchel-Young memories retrieve exactly, a ghost keeps silent, U-Hop learns a
kernel before anything is retrieved, and product keys are a million of two thousand rows.

**Source:** [hu2023sparse]; [santos2024hopfield]; [wu2024uniform]; [hu2024outlier];
[lample2019large]
"""

import numpy as np

from ..contract import Evidence, claim
from . import measure as m

SPARSE = "Hu et al. (2023)"
PAIRS = "Santos et al. (2024)"
UHOP = "Wu et al. (2024)"
# 32 times the spacing of doubles at one.
ROUNDING = 7.2e-15


@claim(paper="exact (theorem)", source=f"{SPARSE}; {PAIRS}; setting asked here", least=1)
def sparse_reads_become_exact(run):
    """Sparse reads end exactly at a pattern, and those of softmax nowhere: share of runs"""
    dense, *sparse = run(m.exact_reads)
    reads = [int(np.max(np.sum(each[:, 1:] > 0, axis=1)) + 1) for each in sparse]
    note = (
        f"d = {m.WIDTH}, {m.PATTERNS} patterns of unit norm, β = {m.BETA:g}, started 0.5 away. "
        f"Sparsemax needs {reads[1]} reads at most and 1.5-entmax {reads[0]}; softmax stays at a "
        f"distance of {dense[:, -1].min():.0e} to {dense[:, -1].max():.0e}."
    )
    exact = np.all([each[:, -1] == 0 for each in sparse], axis=0)
    return Evidence(exact & (dense[:, -1] > 0), note)


@claim(paper="0 (theorem)", source=f"{PAIRS}; 32 ε of double", most=ROUNDING)
def updates_of_all_pairs_lower_the_energy(run):
    """Ω × Ψ: largest rise of the energy in an update, over its largest term"""
    rises = run(m.pair_rises)
    note = f"Ω: {', '.join(m.HIDDEN)}; Ψ: {', '.join(m.VISIBLE)}."
    return Evidence(rises.max(), note)


@claim(paper="–", source="asked here; the paper has k-subsets", least=0.99)
def subsets_are_sums_of_patterns(run):
    """From a noisy sum of 3 patterns, 3-subsets read just these, weights 0 and 1: share"""
    exact = run(m.subset_sums)
    note = (
        f"Of {exact.size} cues; the noise is half as long as a pattern. The intervention takes "
        "the noise away."
    )
    return Evidence(exact, note, intervention=run(m.subset_sums, 0.0))


@claim(paper="0 (theorem)", source=f"{PAIRS}; margins 1/(α − 1), 1 and 1", most=0)
def margins_are_sharp(run):
    """Weights are 0 and 1 exactly if β s of the best exceeds the next by the margin: exceptions"""
    seen = run(m.margins)
    total, close = seen.gaps.size, int(np.sum(np.abs(seen.gaps - 1) < 1e-3))
    names = ", ".join(f"{name} {margin:g}" for name, (_, _, margin) in m.MARGINS.items())
    note = f"Of {total} draws {close} lie within 10⁻³ of the margin. Margins: {names}."
    return Evidence(int(seen.wrong.sum()), note)


@claim(paper="–", source=f"asked here; {UHOP} show figures of lower errors", most=0.5)
def learnt_kernels_lower_errors(run):
    """100 raw images, half of the pixels dropped, best β each: error by U-Hop over by products"""
    seen, drawn = run(m.learnt_kernels, "sample"), run(m.drawn_kernels)
    plain, learnt = seen.whole.min(axis=2).mean(axis=0)
    unit = seen.unit.min(axis=1).mean()
    note = (
        f"Mean squared errors over those of nothing are {plain:.2g} and {learnt:.2g}: products "
        f"prefer long rows. Of rows of unit norm products alone have {unit:.1g}. From the start "
        "and by the rates of the published code, what is learnt has "
        f"{drawn.mean():.2f} times the error of what was drawn."
    )
    return Evidence(seen.ratios(seen.whole), note)


@claim(paper="–", source=f"asked here; {UHOP} show figures of lower errors", most=1)
def learnt_kernels_lower_errors_of_digits(run):
    """100 raw digits, half of the pixels dropped, best β each: error by U-Hop over by products"""
    seen = run(m.learnt_kernels, "digits")
    note = (
        "Digits are of much the same length, so that products do well; and what a learnt kernel "
        "enlarges are small differences, which dropped pixels hide. The intervention compares by "
        "the pixels that are left alone, for both."
    )
    return Evidence(seen.ratios(seen.whole), note, intervention=seen.ratios(seen.known))


@claim(paper="→ 0", source="Hu et al. (2024), Outlier-efficient; bound asked here", most=1e-12)
def the_ghost_is_silent(run):
    """β s of all patterns is −30: norm of what softmax₁ reads"""
    silent, random = run(m.silence)
    dense, _ = run(m.silence, m.Softmax)
    place = int(np.argmin(np.abs(m.LEVELS + 30)))
    note = (
        f"Softmax reads {dense[place]:.2g} there. Random queries are not so far from all patterns: "
        f"softmax₁ reads {random.mean():.2g} of them, on average."
    )
    return Evidence(silent[place], note)


@claim(paper="exact", source="Lample et al. (2019), section 3; setting asked here", least=1)
def product_keys_find_the_best_of_all(run):
    """The 32 best of all pairs of two tables' rows, and what is read: share of queries"""
    right, keys = run(m.product_reads)
    return Evidence(right, f"{right.size} queries of {keys} keys, which are all sorted beside.")
