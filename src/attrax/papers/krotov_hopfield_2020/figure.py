"""Energies that fall, the approach to the effective theory, long steps, and recall."""

import numpy as np

from attrax import plot

from ..panels import panel
from . import measure as m

_TIME = {"xscale": "log", "xlabel": "time / τ_f", "xlim": (10 * m.STEP, 8)}


@panel(**_TIME)
def parts(ax, run):
    """Model B: the energy by part, one start"""
    descent = run(m.descent, "B")
    parts = {name: part[0] for name, part in descent.parts.items()}
    plot.energy_parts(parts, m.STEP * np.arange(descent.energy.shape[1]), ax)


@panel(**_TIME, ylabel="E less its last value")
def models(ax, run):
    """Energies of the four models fall, one start each"""
    for name in m.MODELS:
        energy = run(m.descent, name).energy[0]
        ax.plot(m.STEP * np.arange(energy.size), energy - energy[-1], label=f"model {name}")


@panel(**_TIME, ylabel="E, one start")
def decays(ax, run):
    """Model C: the decay α is free"""
    for alpha, descent in zip(m.DECAYS, run(m.decays), strict=True):
        energy = descent.energy[0]
        ax.plot(m.STEP * np.arange(energy.size), energy, lw=2, label=f"α = {alpha:g}")


@panel(xscale="log", yscale="log", xlabel="τ_h / τ_f", ylabel="largest distance")
def limit(ax, run):
    """Approach to the effective theory"""
    for name in m.MODELS:
        measured = run(m.limit, name)
        mean = np.exp(np.log(measured.distance).mean(0))
        plot.curves(measured.tau, mean, None, f"model {name}", ax)
    tau = np.array(m.TAUS)
    ax.plot(tau, 0.2 * tau, "k--", lw=1.2, label="slope 1")


@panel(xlabel="time / τ_h", ylabel="E, one start")
def steps(ax, run):
    """Model A: Euler's steps dt (dots: the energy rose)"""
    runs, longest = run(m.long_steps), 20
    for step, energies in zip(runs.steps, runs.energies, strict=True):
        count = int(longest / step) + 1
        time, energy = step * np.arange(count), energies[:count]
        rises = np.diff(energy) > 1e-9
        (line,) = ax.plot(time, energy, lw=1.6, label=f"dt = {step:g} τ_h")
        ax.plot(time[1:][rises], energy[1:][rises], ".", ms=9, color=line.get_color())
    calm = runs.energies[0]
    low, high = calm.min(), calm.max()
    ax.set(xlim=(0, longest), ylim=(low - 0.3 * (high - low), high + 0.7 * (high - low)))


@panel(xscale="log", ylim=(-0.03, 1.05), xlabel="memory neurons N_h", ylabel="share recalled")
def recall(ax, run):
    """Model A, n = 3, N_f = 100: recall, a tenth flipped"""
    capacity = run(m.capacity)
    shares = capacity.recalled
    plot.curves(capacity.neurons, shares.mean(1), shares.std(1), None, ax)
    ax.axvline(capacity.features**2 / 100, color="grey", lw=1, ls="--", label="N_f²/100")
