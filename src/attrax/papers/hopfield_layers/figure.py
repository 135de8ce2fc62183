"""How networks of one Hopfield layer learn."""

import numpy as np

from ..panels import panel
from . import measure as m


def _curves(ax, run, adapted):
    for i, name in enumerate(m.LAYERS):
        accuracy = run(m.trained, "bits", name, adapted).accuracy
        epochs = np.arange(1, accuracy.shape[1] + 1)
        ax.plot(epochs, accuracy.T, color=f"C{i}", lw=0.5, alpha=0.5)
        ax.plot(epochs, accuracy.mean(axis=0), color=f"C{i}", lw=2, label=name)
    ax.axhline(0.5, color="grey", ls=":", lw=1)
    ax.legend(loc="upper left")


@panel(xlabel="epoch", ylabel="accuracy on new bags", ylim=(0.45, 0.95))
def plain(ax, run):
    """Bit patterns: one head, one read"""
    _curves(ax, run, False)


@panel(xlabel="epoch", ylabel="accuracy on new bags", ylim=(0.45, 0.95))
def adapted(ax, run):
    """Bit patterns: eight heads, three updates; or a table of rows"""
    _curves(ax, run, True)


@panel(xlabel="epoch", ylabel="loss of new sequences", yscale="log")
def latch(ax, run):
    """Latch sequences: one head, one read"""
    for i, name in enumerate(m.LAYERS):
        loss = run(m.trained, "latch", name, False).loss
        epochs = np.arange(1, loss.shape[1] + 1)
        ax.plot(epochs, loss.mean(axis=0), "o-", color=f"C{i}", label=name)
    ax.axhline(np.log(2), color="grey", ls=":", lw=1)
    ax.set_xticks(range(1, run(m.trained, "latch", "attention", False).loss.shape[1] + 1))
    ax.legend()


@panel(xlabel="reads", ylabel="energy less that after six reads", yscale="log", ylim=(1e-5, 1e3))
def energies(ax, run):
    """Every step lowers the energy of a state"""
    energy = run(m.energies)[:, :40]
    # What is below the panel is rounding.
    ax.plot(np.arange(1, 7), np.maximum(energy - energy[-1:], 1e-7), lw=0.8, alpha=0.6)
    ax.set(xlim=(1, 5), xticks=range(1, 6))
