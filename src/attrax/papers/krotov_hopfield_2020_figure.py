"""The figure of large associative memory: energies, limits, and where conditions break."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import plot
from . import krotov_hopfield_2020_measures as km
from .krotov_hopfield_2020_capacity import Capacity

_TITLES = {
    "A": "A: tanh, rectified square",
    "A′": "A′: tanh, linear",
    "B": "B: linear, softmax",
    "C": "C: unit norm, exp",
}
_PARTS = {"feature": "C0", "memory": "C1", "feature-memory": "C2"}


def draw(path: Path, found: dict[str, Any]) -> None:
    """Write the sheet to `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 8.4), layout="constrained")
    axes = figure.subplots(2, 4)
    for ax, name in zip(axes[0], km.MODELS, strict=True):
        energies_by_part(ax, found[name].descent, km.STEP, _PARTS)
        ax.set_title(_TITLES[name])
    axes[0, 0].legend(fontsize=9, loc="lower left")
    axes[0, 0].set_ylabel("energy, one start")
    _limits(axes[1, 0], {name: found[name].limit for name in km.MODELS})
    _decays(axes[1, 1], found["decays"])
    _coarse(axes[1, 2], found["coarse"])
    _capacity(axes[1, 3], found["capacity"])
    for ax in axes.flat:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        "Large associative memory: 40 feature and 12 memory neurons, τ_h = 0.2 τ_f", fontsize=13
    )
    figure.savefig(path, format="png", dpi=100)


def energies_by_part(ax, descent, step: float, colours: dict[str, str]) -> None:
    """The energy of one start and its parts, over time in units of the slowest layer's τ."""
    total = descent.energy[0]
    time = step * np.arange(len(total))
    for name, colour in colours.items():
        ax.plot(time, descent.parts[name][0], color=colour, lw=1.3, label=name)
    ax.plot(time, total, "k", lw=2.4, label="sum")
    ax.set(xscale="log", xlabel="time / τ", xlim=(10 * step, time[-1]))
    ax.xaxis.set_major_formatter("{x:g}")


def distances(ax, limits: dict[str, Any], label: str) -> None:
    """Distances from the reduced system, and a line of slope one."""
    for name, each in limits.items():
        mean = np.exp(np.log(each.distance).mean(0))
        plot.curves(each.tau, mean, None, f"{name} ({each.exponents.mean(0)[-1]:.2f})", ax)
    tau = next(iter(limits.values())).tau
    low = min(np.exp(np.log(each.distance).mean(0))[-1] for each in limits.values())
    ax.plot(tau, 0.5 * low * tau / tau[-1], "k--", lw=1.2, label="slope 1")
    ax.set(xscale="log", yscale="log", xlabel=label, ylabel="largest distance")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=9, title="last exponent", title_fontsize=9)


def _limits(ax, limits) -> None:
    distances(ax, limits, "τ_h / τ_f")
    ax.set_title("Approach to the effective theory")


def _decays(ax, decays: km.Decays) -> None:
    for alpha, descent in zip(km.DECAYS, decays.descents, strict=True):
        total = descent.energy[0]
        ax.plot(km.STEP * np.arange(len(total)), total, lw=2, label=f"α = {alpha:g}")
    ax.set(xscale="log", xlabel="time / τ_f", ylabel="energy", title="C: the decay is free")
    ax.set_xlim(10 * km.STEP, km.STEP * len(total))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=9)


def _coarse(ax, coarse) -> None:
    longest = 20
    for step, energies in zip(coarse.steps, coarse.energies, strict=True):
        if step == 0.5:
            continue
        count = int(longest / step) + 1
        time = step * np.arange(count)
        rises = np.diff(energies[:count]) > 1e-9
        (line,) = ax.plot(time, energies[:count], lw=1.6, label=f"dt = {step:g} τ_h")
        ax.plot(time[1:][rises], energies[1:count][rises], ".", ms=9, color=line.get_color())
    calm = coarse.energies[0][: int(longest / coarse.steps[0])]
    low, high = calm.min(), calm.max()
    ax.set(xlabel="time / τ_h", ylabel="energy", title="A: Euler's steps (dots: a rise)")
    ax.set(xlim=(0, longest), ylim=(low - 0.3 * (high - low), high + 0.7 * (high - low)))
    ax.legend(fontsize=9)


def _capacity(ax, capacity: Capacity) -> None:
    sizes = np.asarray(capacity.neurons)
    for counts, label in (
        (capacity.recalled, "one pattern a neuron"),
        (capacity.crowded, "two patterns a neuron"),
    ):
        plot.curves(sizes, counts.mean(0), counts.std(0), label, ax)
    ax.axvline(capacity.features**2 / 100, color="grey", lw=1, ls="--", label="N_f²/100")
    ax.set(
        xscale="log",
        ylim=(-0.03, 1.05),
        xlabel="memory neurons N_h",
        ylabel="patterns recalled / N_h",
        title=f"A: recall, n = 3, N_f = {capacity.features}, 10 % flipped",
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=9, loc="center left")
