"""Hierarchical associative memory: any number of layers, one energy.

Layers joined by the same weights up and down, dense or convolutional, have one energy that falls
to a fixed point. Lower layers hold primitives, upper ones the rules that assemble them.

**Source:** [krotov2021hierarchical]
"""

import numpy as np

from attrax.evaluate import ROUNDING

from ..contract import Evidence, claim
from . import measure as m

_RISE = "eq. 17, 18; over the largest term of E, most of 32 ε of double precision"


@claim(paper="0 (theorem)", source=_RISE, most=ROUNDING)
def energy_falls(run):
    """Three layers (tanh, ReLU, softmax; τ = 1, 0.5, 0.2): largest rise of the energy in a step"""
    return _describe(run(m.descent))


@claim(paper="0 (theorem)", source=_RISE, most=ROUNDING)
def energy_of_a_convolution_falls(run):
    """A convolutional network on 28 × 28 inputs: largest rise of the energy in a step"""
    return _describe(run(m.convolution))


@claim(paper="–", source="asked here; over the largest term of E, least of 1e-6", least=1e-6)
def feedback_of_its_own_raises_the_energy(run):
    """Feedback weights that are independent: largest rise of the energy in a step"""
    rise = run(m.asymmetric).rise
    return Evidence(rise.max(), _count(rise))


@claim(paper="exact", source="eq. 18; most of 1e-10 asked here", most=1e-10)
def rate_is_the_quadratic_form(run):
    """The rate is Ė = −Σ τ ẋᵀ(∇²L)ẋ: largest relative difference"""
    return run(m.rates).difference


@claim(paper="exact", source="convolutional example; most of 64 ε", most=2 * ROUNDING)
def feedback_is_the_transposed_convolution(run):
    """Feedback of a 5 × 5 convolution, stride 2, is the transposed one: relative difference"""
    return run(m.transposed)


@claim(paper="exact", source="example of three layers; most of 1e-10 asked here", most=1e-10)
def a_fast_top_layer_leaves_its_lagrangian(run):
    """A fast top layer leaves E₁ + E₂ − g₂ᵀξ₂₁g₁ − L₃(ξ₃₂g₂): largest relative difference"""
    return run(m.eliminated)


@claim(paper="1 (limit τ → 0)", source="as above; ±0.1 asked here", least=0.9, most=1.1)
def distance_from_the_reduced_network_is_linear(run):
    """Distance from the network without top layer, τ₃ = 0.001 to 0.0001: exponent"""
    limit = run(m.limit)
    exponents = ", ".join(f"{x:.3f}" for x in limit.exponents.mean(0))
    taus = ", ".join(f"{tau:g}" for tau in limit.tau)
    return Evidence(limit.exponents[:, -1], f"Between τ₃ = {taus} the exponents are {exponents}.")


@claim(paper="0 (theorem)", source="abstract; most of 1e-6 asked here", most=1e-6)
def fixed_points_are_reached(run):
    """Bounded activations at the bottom, after 100 τ: largest speed |ẋ| of all runs"""
    rest = run(m.rest)
    note = (
        f"{rest.speed.size} runs are slower than 10⁻⁶ after {rest.time.min():.0f} to "
        f"{rest.time.max():.0f} τ, in {rest.distinct} different fixed points."
    )
    return Evidence(rest.speed.max(), note)


@claim(paper="0 (theorem)", source="convexity of E in each layer; most of 32 ε", most=ROUNDING)
def layers_in_turn_never_raise_the_energy(run):
    """Layers that jump to their pulls one after another: largest rise of the energy"""
    return run(m.updates, "layer by layer").rise.max()


@claim(paper="–", source="asked here; over the largest term of E, least of 1e-3", least=1e-3)
def layers_at_once_raise_the_energy(run):
    """Layers that jump to their pulls all at once: largest rise of the energy"""
    rise = run(m.updates, "all at once").rise
    return Evidence(rise.max(), _count(rise))


@claim(paper="–", source="abstract, in words only; three of nine pairs, least of 0.9", least=0.9)
def rules_complete_what_is_damaged(run):
    """Two letters and three rules: damaged words that come back, right in every pixel"""
    right = run(m.words).right
    return Evidence(right.mean(0), _by_damage(right))


@claim(paper="–", source="asked here; one letter lost in noise, most of a half", most=0.5)
def letters_alone_do_not_complete(run):
    """The same network without its layer of rules: words with a lost letter that come back"""
    right = run(m.words, False).right
    return Evidence(right[:2].mean(0), _by_damage(right))


def _describe(descent) -> Evidence:
    first, last = descent.energy[:, [0, -1]].mean(0)
    return Evidence(descent.rise.max(), f"The mean energy falls from {first:.1f} to {last:.1f}.")


def _count(rise) -> str:
    return f"The energy rises somewhere in {np.mean(rise > ROUNDING):.0%} of the runs."


def _by_damage(right) -> str:
    shares = zip(m.KINDS, right.mean(1), strict=True)
    return "By damage: " + ", ".join(f"{share:.3f} ({kind})" for kind, share in shares) + "."
