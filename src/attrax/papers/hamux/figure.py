"""Descents of the README's network and of random graphs, and classifiers of images."""

import numpy as np

from ..contract import NotRun
from ..panels import panel
from . import measure as m


@panel(xlabel="step", ylabel="energy")
def readme(ax, run):
    """The README's network by part, α = 0.2"""
    descent = run(m.readme_descent, 0.2, 3.0)
    for name, energies in descent.parts.items():
        joined = "-" in name
        label = name.replace("-", "–")
        ax.plot(energies[0], "--" if joined else "-", label=label, lw=1.3)
    ax.plot(descent.energy[0], "k", lw=2, label="whole energy")


@panel(xlabel="step", ylabel="energy above the end / that at the start", ylim=(-0.02, 1.02))
def graphs(ax, run):
    """Random graphs, α = 0.05: each run, a colour a graph"""
    for i, descent in enumerate(run(m.graphs, 0.05)):
        above = descent.energy - descent.energy[:, -1:]
        ax.plot((above / above[:, :1]).T, color=f"C{i}", lw=0.5, alpha=0.5)


BARS = {
    "logistic regression": ("logistic\nregression", "C7"),
    "MLP": ("MLP,\n64 units", "C7"),
    "dense, feed-forward": ("dense,\nforward", "C1"),
    "dense, at rest": ("dense,\nat rest", "C0"),
    "convolutional, feed-forward": ("conv.,\nforward", "C1"),
    "convolutional, at rest": ("conv.,\nat rest", "C0"),
}


@panel(ylabel="test accuracy, mean ± sd over seeds")
def accuracies(ax, run):
    """Classifiers, with the number of their weights"""
    labels, means = [], []
    for kind, (label, colour) in BARS.items():
        try:
            measured = run(m.accuracies, kind)
        except NotRun:
            continue
        mean, sd = measured.shares.mean(), measured.shares.std(ddof=1)
        ax.bar(len(labels), mean, yerr=sd, color=colour, capsize=3, width=0.75)
        ax.text(len(labels), mean + sd + 0.001, f"{mean:.3f}", ha="center", fontsize=8)
        labels.append(f"{label}\n{measured.weights:,}")
        means.append(mean)
    ax.set_xticks(range(len(labels)), labels, fontsize=7)
    if means:
        ax.set_ylim(np.floor(50 * min(means)) / 50 - 0.01, max(means) + 0.008)


@panel(xlabel="sweeps over all layers until rest", ylabel="share of test images")
def sweeps(ax, run):
    """How soon images come to rest"""
    for layers, colour in (("dense", "C0"), ("convolutional", "C2")):
        try:
            steps = np.asarray(run(m.relaxed, layers).steps)
        except NotRun:
            continue
        shares = np.bincount(steps, minlength=m.SWEEPS.max_steps + 1) / len(steps)
        ax.bar(np.arange(len(shares)), shares, color=colour, alpha=0.6, label=layers)
