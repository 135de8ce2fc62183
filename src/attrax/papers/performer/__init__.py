"""Performer: attention by positive orthogonal random features, linear in the number of tokens.

The kernel exp(x·y) of softmax attention is estimated by products of random features. So keys and
values are summed into one matrix of constant size, which queries read: the cost of a read does not
depend on how much is stored. Positive features are needed for the normalisation, and orthogonal
directions make them vary less.

**Source:** [choromanski2021rethinking]
"""

import numpy as np

from attrax.theory import orthogonal_feature_bound

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Choromanski et al. (2021), "


def worst(off, note):
    """The largest of several means, with its standard error: a row of draws for each name."""
    means = {name: float(np.mean(rows)) for name, rows in off.items()}
    name = max(means, key=lambda each: abs(means[each]))
    error = float(np.std(off[name], ddof=1)) / len(off[name]) ** 0.5
    listed = ", ".join(f"{each} {value:+.4f}" for each, value in means.items())
    return Evidence(abs(means[name]), f"{note} {listed}.", error)


def relative(ours, theirs):
    """Means of ours over the means of theirs, by draws that vary as both do."""
    return 1 + (ours - theirs) / theirs.mean(-1, keepdims=True)


@claim(
    paper="0",
    source=PAPER + "Lemma 1; bound asked here",
    most=0.01,
)
def unbiased(run):
    """x ⊥ y, |x|² = |y|² = ½, d = 16, Y = 64 orthogonal directions: mean estimate over exp(x·y),
    less 1, largest of three kinds"""
    drawn = run(m.estimates, 64, True)
    off = {kind: drawn.bias(kind, m.RIGHT) for kind in m.KINDS}
    return worst(off, "By kind it is:")


@claim(
    paper="0 (formulas)",
    source=PAPER + "Lemma 2; bound asked here",
    most=0.1,
)
def errors(run):
    """The same, independent: mean squared error over the formula, less 1, largest of three kinds"""
    drawn = run(m.estimates, 64, False)
    theory = {kind: m.formula(kind, m.RIGHT, 64) for kind in m.KINDS}
    off = {kind: drawn.error(kind, m.RIGHT) / theory[kind] - 1 for kind in m.KINDS}
    listed = ", ".join(f"{kind} {error:.4f}" for kind, error in theory.items())
    return worst(off, f"The formulas give {listed}. Differences are:")


@claim(paper="0", source=PAPER + "Lemma 2; rounding of float32", most=1e-12)
def exact(run):
    """Positive and hyperbolic features at y = −x, trigonometric at y = x: mean squared error"""
    drawn = run(m.estimates, 64, False)
    zero = [drawn.error(kind, m.OPPOSITE).mean() for kind in m.KINDS[:2]]
    zero.append(drawn.error("trigonometric", 0).mean())
    other = drawn.error("trigonometric", m.OPPOSITE).mean(), drawn.error("positive", 0).mean()
    note = (
        f"In units of exp(2 x·y). At the other's place trigonometric features have {other[0]:.4f}, "
        f"and positive ones {other[1]:.4f}."
    )
    return Evidence(max(zero), note)


@claim(
    paper="–",
    source="asked here; derived here, by ₁F₁",
    most=0.1,
)
def orthogonal_errors(run):
    """The same, orthogonal: mean squared error over the formula, less 1, largest of two kinds"""
    drawn, kinds = run(m.estimates, 64, True), m.KINDS[:2]
    theory = {kind: m.formula(kind, m.RIGHT, 64, orthogonal=True) for kind in kinds}
    off = {kind: drawn.error(kind, m.RIGHT) / theory[kind] - 1 for kind in kinds}
    listed = ", ".join(f"{kind} {error:.4f}" for kind, error in theory.items())
    return worst(off, f"The formula gives {listed}. Differences are:")


@claim(paper="at most 1", source=PAPER + "theorem on orthogonal features", most=1)
def within_bound(run):
    """The same, Y = 16, positive: mean squared error over the bound of the theorem"""
    bound = float(orthogonal_feature_bound(0.0, 1.0, 16, m.D))
    independent, exact = (m.formula("positive", m.RIGHT, 16, o) for o in (False, True))
    note = f"Over the bound, that of independent ones is {independent / bound:.3f}, and by the "
    note += f"formula that of orthogonal ones {exact / bound:.3f}."
    return Evidence(run(m.estimates, 16, True).error("positive", m.RIGHT) / bound, note)


@claim(
    paper="below 1",
    source=PAPER + "theorem on orthogonal features",
    most=1,
)
def orthogonal_is_better(run):
    """The same, Y = 64, positive: mean squared error, orthogonal over independent directions"""
    drawn, other = run(m.estimates, 64, True), run(m.estimates, 64, False)
    rest = {
        kind: drawn.error(kind, m.RIGHT).mean() / other.error(kind, m.RIGHT).mean()
        for kind in m.KINDS[1:]
    }
    note = ", ".join(f"{value:.3f} of {kind} ones" for kind, value in rest.items())
    ratios = relative(drawn.error("positive", m.RIGHT), other.error("positive", m.RIGHT))
    return Evidence(ratios, f"It is {note}.")


@claim(paper="–", source="asked here; ₀F₁(d/2; d|z|²/4) exp(−½|z|²)", least=0.942, most=0.962)
def constant_lengths_are_biased(run):
    """Unit x ⊥ y, directions of length √16: mean estimate of exp(x·y)"""
    bias = run(m.estimates, 64, True, "constant").bias("positive", m.UNIT)
    note = f"Theory says {m.constant_length_kernel(m.UNIT):.4f}, where normal lengths have 1."
    return Evidence(1 + bias, note)


@claim(paper="falls", source=PAPER + "figure of approximation errors", most=0.1)
def reads_improve(run):
    """Normal queries and keys times ½: error of reads by Y = 512 directions, over that by 16"""
    half, whole = run(m.reads, 0.5), run(m.reads, 1.0)
    means = half.orthogonal.mean(1), whole.orthogonal.mean(1)
    note = (
        f"Squared errors over squared outputs fall from {means[0][0]:.3f} to {means[0][-1]:.4f}. "
        f"Of queries and keys twice as long, they are {means[1][0]:.2f} and {means[1][-1]:.2f}: "
        "features of few directions do not tell such keys apart."
    )
    return Evidence(half.orthogonal[-1] / means[0][0], note)


@claim(paper="at most 1", source=PAPER + "figure of approximation errors", most=1)
def orthogonal_reads_are_better(run):
    """The same: error of reads, orthogonal over independent directions, mean over Y"""
    half = run(m.reads, 0.5)
    ratios = relative(half.orthogonal, half.independent)
    listed = zip(half.counts, ratios.mean(1), strict=True)
    note = ", ".join(f"{ratio:.2f} for {count}" for count, ratio in listed)
    return Evidence(ratios.mean(0), f"By numbers of directions it is {note}.")


@claim(paper="equal", source=PAPER + "prefix sums; float32", most=1e-5)
def causal_is_the_lower_triangle(run):
    """Causal reads in chunks, and token by token, less those of the masked table: largest"""
    causal = run(m.causal)
    note = f"Over the largest output, it is {causal.chunks:.1e} and {causal.steps:.1e}."
    return Evidence(max(causal), note)


@claim(paper="–", source="asked here", most=0)
def large_scores_are_read(run):
    """Half precision, q and k up to 1000 times as long: share of reads zero, too large or NaN"""
    large = run(m.large_scores)
    listed = zip(large.sizes, large.causal, strict=True)
    note = ", ".join(f"{share:.3f} at {size}" for size, share in listed)
    note = (
        f"The share of such causal reads is {note} times the length: a token reads nothing while "
        "all keys so far are smaller by e⁻⁸⁷ than another of its chunk."
    )
    return Evidence(large.every.max(), note)


@claim(paper="linear", source=PAPER + "complexity", most=2.05)
def operations_are_linear(run):
    """2¹⁰ to 2¹⁵ tokens: multiplications for twice as many tokens, largest ratio"""
    costs = run(m.costs)
    ratios = [np.max(each[1:] / each[:-1]) for each in (costs.every, costs.causal, costs.exact)]
    note = (
        f"Exact attention has {ratios[2]:.2f}. It has {costs.exact[0] / costs.every[0]:.1f} times "
        f"the multiplications at {costs.lengths[0]} tokens, and "
        f"{costs.exact[-1] / costs.every[-1]:.0f} times at {costs.lengths[-1]}, for 256 directions "
        "of 64 entries."
    )
    return Evidence(max(ratios[:2]), note)


@claim(paper="linear", source=PAPER + "complexity", most=2.05)
def memory_is_linear(run):
    """2¹¹ to 2¹³ tokens, gradient of causal reads: working memory for twice as many, largest"""
    memory = run(m.memories)
    ratios = [np.max(each[1:] / each[:-1]) for each in (memory.causal, memory.exact)]
    note = (
        f"Exact attention has {ratios[1]:.2f}. At {memory.lengths[-1]} tokens they take "
        f"{memory.causal[-1] / 2**20:.1f} MiB and {memory.exact[-1] / 2**20:.0f} MiB."
    )
    return Evidence(ratios[0], note)


@claim(paper="not recovered", source=PAPER + "experiments", least=0)
def proteins_and_images(run):
    """TrEMBL proteins and ImageNet64: accuracy and bits, less those of exact attention"""
    raise NotRun("needs TrEMBL or ImageNet64 and days of accelerators: there is no command")
