"""Large associative memory: two layers of neurons, Lagrangians, one energy.

Feature and memory neurons joined by one matrix have an energy that falls for every convex choice
of Lagrangians. Fast memory neurons turn it into the classical, dense, modern and spherical
Hopfield networks.

**Source:** [krotov2021large]
"""

import numpy as np

from attrax.evaluate import ROUNDING

from ..contract import Evidence, claim
from . import measure as m

_RISE = "§2, appendix A; over the largest term of E, most of 32 ε of double precision"


@claim(paper="0 (theorem)", source=_RISE, most=ROUNDING)
def energy_falls(run):
    """Energy never rises in the models A, A′, B and C: largest rise in a step"""
    descents = {name: run(m.descent, name) for name in m.MODELS}
    ends = {name: each.energy[:, [0, -1]].mean(0) for name, each in descents.items()}
    listed = "; ".join(f"{name} from {x[0]:.1f} to {x[1]:.1f}" for name, x in ends.items())
    worst = np.max([each.rise for each in descents.values()])
    return Evidence(worst, f"The mean energies fall over 8 τ_f: {listed}.")


@claim(paper="any α", source="§3.3; bound as above", most=ROUNDING)
def decay_is_free(run):
    """Energy never rises in model C, whatever the decay α = 0, 0.3, 1: largest rise in a step"""
    descents = run(m.decays)
    ends = [each.energy[:, -1].mean() for each in descents]
    listed = ", ".join(f"{e:.2f} (α = {a:g})" for a, e in zip(m.DECAYS, ends, strict=True))
    note = f"The mean energies after 8 τ_f are {listed}."
    return Evidence(np.max([each.rise for each in descents]), note)


@claim(paper="exact", source="eq. 4; most of 1e-10 asked here", most=1e-10)
def rate_is_the_quadratic_form(run):
    """The rate is Ė = −Σ τ ẋᵀ(∇²L)ẋ in all models: largest relative difference"""
    rates = {name: run(m.rates, name) for name in m.MODELS}
    least = "; ".join(f"{name} {each.least_eigenvalue:.1g}" for name, each in rates.items())
    note = f"The least eigenvalues of the Hessians, over the largest, are {least}."
    return Evidence(np.max([each.difference for each in rates.values()]), note)


@claim(paper="exact", source="§3, appendix B; most of 1e-10 asked here", most=1e-10)
def effective_energies_are_those_of_the_table(run):
    """Effective energies: A dense, A′ that of 1984, B log-sum-exp, C spherical: difference"""
    apart = {name: run(m.effective, name) for name in m.MODELS}
    listed = "; ".join(f"{name} {number:.1g}" for name, number in apart.items())
    return Evidence(np.max(list(apart.values())), f"The differences by model are {listed}.")


@claim(paper="1 (limit τ_h → 0)", source="§3; ±0.1 asked here", least=0.9, most=1.1)
def distance_from_the_effective_theory_is_linear(run):
    """Distance from the effective theory, τ_h/τ_f = 0.001 to 0.0001: exponent, worst model"""
    limits = {name: run(m.limit, name).exponents for name in m.MODELS}
    last = np.array([each[:, -1] for each in limits.values()])
    worst = last[np.argmax(np.abs(last.mean(1) - 1))]
    listed = "; ".join(
        f"{name} " + ", ".join(f"{x:.3f}" for x in each.mean(0)) for name, each in limits.items()
    )
    note = f"Between τ_h/τ_f = 1, 0.1, 0.01, 0.001 and 0.0001 the exponents are {listed}."
    return Evidence(worst, note)


@claim(paper="exact", source="§3.2; most of 64 ε, for sums of 12 terms", most=2 * ROUNDING)
def a_step_of_model_b_is_attention(run):
    """Model B with dt = τ_f is attention: largest difference of one step"""
    return run(m.attention)


@claim(paper="min(N_f^(n−1), N_h)", source="§3.1; N_f = 100, a tenth flipped", least=1)
def every_neuron_holds_a_pattern(run):
    """Model A, n = 3, N_h ≤ N_f²/100: share of N_h patterns that come back exactly"""
    capacity = run(m.capacity)
    shares = zip(capacity.neurons, capacity.recalled.mean(1), strict=True)
    note = "Shares by N_h: " + ", ".join(f"{share:.3f} ({n})" for n, share in shares) + "."
    return Evidence(capacity.at(0.0, 0.01), note)


@claim(paper="min(N_f^(n−1), N_h)", source="§3.1; load and most of 0.1 asked here", most=0.1)
def neurons_alone_do_not_make_a_memory(run):
    """Model A, n = 3, N_h = 0.12 N_f²: share of N_h patterns that come back exactly"""
    return run(m.capacity).at(0.12, 0.12)


@claim(paper="–", source="appendix A's condition; least of 0.1 asked here", least=0.1)
def an_indefinite_hessian_lets_the_energy_rise(run):
    """F = x³/3 without rectification: share of runs in which the energy rises"""
    note = "A run in which the energy falls proves nothing, so the Hessian is what to test."
    return Evidence(run(m.indefinite), note)


@claim(paper="E must be bounded", source="§2; ReLU features and norms asked here", least=1)
def an_unbounded_energy_has_no_rest(run):
    """ReLU features in A′: share that diverges at ‖ξᵀξ‖ = 1.25 and converges at 0.8"""
    _, converged, low = run(m.unbounded, 0.8)
    diverged, _, high = run(m.unbounded, 1.25)
    note = f"After 50 τ_f the energy is {low:.1g} at 0.8, and {high:.1g} at 1.25."
    return Evidence(np.minimum(converged, diverged), note)


@claim(paper="–", source="asked here; over the largest term of E, least of 1e-3", least=1e-3)
def long_steps_raise_the_energy(run):
    """Euler with dt = 2 τ_h raises the energy: largest rise in a step"""
    whole, fast = run(m.long_steps), run(m.long_steps, 0.0)
    listed = ", ".join(f"{r:.1g} ({s:g})" for s, r in zip(whole.steps, whole.rise, strict=True))
    note = (
        f"The rises by dt/τ_h are {listed}; with h = ξg instead they are at most "
        f"{fast.rise.max():.1g}. The certificate says: {whole.summary}"
    )
    return Evidence(whole.rise[-1], note)


@claim(paper="exact", source="eq. 4 with I(t); most of 1e-10 asked here", most=1e-10)
def a_changing_input_adds_to_the_rate(run):
    """A changing input adds −İᵀg to the rate: largest relative difference"""
    return run(m.driven)


@claim(paper="–", source="asked here; over the largest size of E_eff, least of 1e-3", least=1e-3)
def the_effective_energy_may_rise(run):
    """At τ_h = τ_f the effective energy rises: largest rise in a step"""
    effective, whole = run(m.monitor)
    note = f"Along the same runs the energy of both layers rises by {whole:.1g} at most."
    return Evidence(effective, note)
