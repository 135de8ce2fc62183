"""iMixer: token mixing through the inverse of a residual block, as in a network of three layers.

With two fast hidden layers, the lower one hears back from the upper one: y = a + F(y). iMixer
solves this by a few iterations in every block. Weights are untied, so that only a tied variant has
an energy. Spectral normalisation is to make F a contraction.

**Source:** [ota2023imixer], [krotov2021hierarchical]
"""

import numpy as np

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Ota and Taki (2023)"
BOUND = (m.SURE * m.SLOPE) ** 2


@claim(paper="0 (exact)", source=PAPER, most=1e-12)
def fixed_point_is_the_inverse(run):
    """d = 20, r = 2, c = 0.9, drawn weights and biases: |y − F(y) − a|/|y| at rest, largest"""
    return float(run(m.iterated, m.PUBLISHED).gaps.max())


@claim(paper="–", source="asked here; the ablation of the appendix is not printed", most=1e-2)
def few_iterations_suffice(run):
    """d = 20, r = 2, c = 0.9, drawn weights: |y₄ − y|/|y| after four iterations"""
    distances = run(m.iterated, m.PUBLISHED).distances
    listed = ", ".join(f"{distances[:, k].mean():.1e} after {k}" for k in (0, 1, 2, 6))
    return Evidence(distances[:, 4], f"On average it is {listed}.")


@claim(paper="< 1", source=f"{PAPER}; bound (c · 1.129)² of Banach", most=BOUND)
def convergence_is_geometric(run):
    """c = 0.88, drawn weights: distance from the fixed point over that before, largest"""
    ratios = run(m.iterated, m.SURE, 3).ratios
    note = f"On average it is {ratios.mean():.2f}: GELU is steep at few units at once."
    return Evidence(float(ratios.max()), note)


@claim(paper="≤ 1", source=f"{PAPER}; soft spectral normalisation", most=1 + 1e-12)
def norms_keep_to_the_bound(run):
    """Normal matrices of 8 to 128 rows: |Ŵ|/c by exact singular values, largest"""
    norms = run(m.norms)
    note = (
        f"attrax takes norms from above, so that it is {norms.above.min():.4f} at least. After "
        "eight steps of power iteration from a random start, as before the first update of the "
        f"published code, it is {norms.power.max():.3f} at most and {norms.power.mean():.3f} on "
        "average."
    )
    return Evidence(float(norms.above.max()), note)


@claim(paper="–", source="asked here; GELU's slope reaches 1.129", least=1.0)
def published_bound_promises_nothing(run):
    """c = 0.9, GELU, one unit at its steepest: largest slope of F"""
    steep = run(m.steep, m.PUBLISHED)
    note = (
        f"Beyond 1 the inverse is not unique: {steep.solutions} states y have the same a as the "
        "steepest. Drawn weights do not come near that, and iteration converges."
    )
    return Evidence(steep.slope, note)


@claim(paper="–", source="asked here; c < 1/1.129 = 0.886", most=1.0)
def smaller_bound_is_a_contraction(run):
    """c = 0.88, GELU, one unit at its steepest: largest slope of F"""
    steep = run(m.steep, m.SURE)
    return Evidence(steep.slope, f"The number of states with the same a is {steep.solutions}.")


@claim(paper="exact", source="implicit-function theorem", most=1e-5)
def implicit_gradient_is_the_unrolled_one(run):
    """All weights, in double precision: difference from 200 iterations, over the largest entry"""
    return float(run(m.gradients).max())


@claim(paper="0 (construction)", source=PAPER, most=1e-12)
def without_iterations_it_is_the_mixer(run):
    """n_iter = 0: block less an MLP-Mixer block of the same weights, over the largest entry"""
    return run(m.without_iterations)


@claim(paper="0 (theorem)", source="Krotov (2021); 32 ε of double", most=7.2e-15)
def tied_energy_falls(run):
    """Tied, ReLU, network of three layers, 1000 steps of 0.005: largest rise over the energy"""
    descent = run(m.flow)
    walks = m.rises(run(m.walks)).max()
    note = (
        "So it does in steps of the layer itself, of length 0.05, 1 and 100 without decay, with "
        f"the equation solved at each: largest rise {walks:.0e}. What is solved for is then the "
        "slope of a convex function, since F is a contraction."
    )
    return Evidence(max(descent.rise.max(), walks), note)


@claim(paper="–", source="asked here; the paper: at or above it on CIFAR-10", most=0.01)
def feedback_costs_at_most_a_point(run):
    """Digits, r = 2, c = 0.9: accuracy with n_iter = 0 less that with n_iter = 2"""
    plain, fed = (run(m.digits, count) for count in (0, 2))
    note = (
        f"They are right on {plain.accuracy.mean():.1%} and {fed.accuracy.mean():.1%} of images "
        f"left out, {np.sum(fed.accuracy >= plain.accuracy)} of {plain.accuracy.size} times with "
        "feedback at least as often."
    )
    return Evidence(plain.accuracy - fed.accuracy, note)


@claim(paper="88.56, 89.07, 87.48 %", source=f"{PAPER}, README", least=0.87)
def cifar_from_scratch(run):
    """CIFAR-10 from scratch at 224 pixels, iMixer-S, B and L: accuracy"""
    raise NotRun(
        "needs four GPUs for days: 300 epochs of 20, 66 and 232 million parameters, by the "
        "authors' train.py --h_ratio 2 --n_power 8 --n_iter 2."
    )
