"""Mixing layers as steps of a Hopfield network: MLP-Mixer with tied weights.

A layer of MLP-Mixer, x + W₂ σ(W₁ LN(x)), is one step without decay of a network whose visible
activation is layer norm and whose hidden neurons are fast, if W₂ = W₁ᵀ, without biases and with one
gain for all channels. Then it has an energy, which no step raises, however long.

**Source:** [tang2021remark]
"""

import numpy as np

from ..contract import Evidence, claim
from . import measure as m

PAPER = "Tang and Kopp (2021)"
BOTH = "asked here; Φ and L are convex, and L is of degree one; 32 ε of double"


@claim(paper="0 (exact)", source=PAPER, most=1e-12)
def layers_are_steps(run):
    """Tokens and channels, ReLU and GELU: layer less a step of its network, over |step|, largest"""
    kinds = [(axis, name) for axis in ("tokens", "channels") for name in ("relu", "gelu")]
    return max(float(run(m.differences, *kind).max()) for kind in kinds)


@claim(paper="0 (construction)", source=PAPER, most=1e-12)
def gradient_is_layer_norm(run):
    """∇L of the Lagrangian by differentiation, less layer norm in NumPy: largest difference"""
    return run(m.gradients)


@claim(paper="0 (theorem)", source="Krotov and Hopfield (2021); 32 ε of double", most=7.2e-15)
def energy_falls(run):
    """10 visible and 30 ReLU neurons, 400 steps of 0.05 with decay: largest rise over the energy"""
    descent = run(m.flow)
    first, last = descent.energy[:, 0].mean(), descent.energy[:, -1].mean()
    return Evidence(descent.rise.max(), f"On average it falls from {first:.2f} to {last:.2f}.")


@claim(paper="0 (degree one)", source=PAPER, most=1e-12)
def decay_is_free(run):
    """Without ε, |∇²L x| over that of random directions: the decay does not change the energy"""
    exact, usual = run(m.decay, (m.EXACT, 1e-5))
    return Evidence(exact, f"With the usual ε = 10⁻⁵ it is {usual:.1e}.")


@claim(paper="–", source=BOTH, most=7.2e-15)
def steps_of_any_length_lower_it(run):
    """Tied ReLU, no decay, steps of 0.05, 1, 100, weights × 0.1, 1, 10: largest rise"""
    largest = [
        m.rises(run(m.walks, True, "relu", length, 0.0, scale)).max()
        for length in m.LENGTHS
        for scale in m.SCALES
    ]
    gelu = m.rises(run(m.walks, True, "gelu", 1.0, 0.0, 1.0))
    note = (
        "A step x′ − x = η Wᵀσ raises Σ Φ by at least σ·W(g′ − g) = (x′ − x)·(g′ − g)/η, as Φ is "
        "convex, and that is not negative, as L is. With GELU, whose Φ is not convex, "
        f"{np.mean(gelu > 7.2e-15):.0%} of the same runs have a rise."
    )
    return Evidence(np.max(largest), note)


@claim(paper="–", source="asked here; no energy is common to W₁ and W₂", least=0.9)
def untied_weights_raise_it(run):
    """Untied, 100 steps of 0.05 with decay: runs in which the energy of W₁ rises"""
    energies = run(m.walks, False, "relu", 0.05, 1.0, 1.0)
    rising = np.mean(np.diff(energies, axis=1) > 0)
    note = f"It rises in {rising:.0%} of all steps, and ends above its start in "
    note += f"{np.mean(energies[:, -1] > energies[:, 0]):.0%} of the runs. Tied, in none."
    return Evidence(m.rises(energies) > 7.2e-15, note)


@claim(paper="–", source=BOTH, most=7.2e-15)
def both_at_once_share_an_energy(run):
    """Tied tokens and channels mixed at once, 40 steps of length one: largest rise of the sum"""
    halves = run(m.halves)
    steps, turns = np.diff(halves.in_turn, axis=1), halves.in_turn.sum(-1)
    other = np.concatenate([steps[:, 0::2, 1], steps[:, 1::2, 0]], axis=1)
    note = (
        f"In turn, as in a Mixer, each half lowers its own energy and raises the other's in "
        f"{np.mean(other > 0):.0%} of the steps; {np.mean(np.diff(turns, axis=1) > 0):.0%} of them "
        "raise the sum."
    )
    return Evidence(m.rises(halves.together.sum(-1)).max(), note)


@claim(paper="–", source="asked here; the note has no experiments", least=0.95)
def tied_mixers_learn(run):
    """Digits, 4 tied ReLU blocks of 32 channels: accuracy on 400 images left out"""
    return run(m.digits, True).accuracy


@claim(paper="–", source="asked here; the note has no experiments", most=0.02)
def tying_costs_at_most_two_points(run):
    """Digits: accuracy of the same blocks, untied with GELU and biases, less that of tied ones"""
    tied, untied = (run(m.digits, each) for each in (True, False))
    cosine = m.alignment(untied)
    note = (
        f"Untied ones are right on {untied.accuracy.mean():.1%}, tied ones on "
        f"{tied.accuracy.mean():.1%}. Trained untied, weights down and transposed weights up have "
        f"a cosine of {cosine:.2f}: what is trained in the ordinary way has no such energy."
    )
    return Evidence(untied.accuracy - tied.accuracy, note)
