"""Energies by part, what breaks the theorem, the approach to fewer layers, and words."""

import numpy as np

from attrax import plot

from ..panels import panel
from . import measure as m


@panel(xscale="log", xlabel="time / τ", xlim=(0.01, 20))
def parts(ax, run):
    """Tanh, ReLU, softmax: the energy by part, one start"""
    _draw_parts(ax, run(m.descent), m.STEP)


@panel(xscale="log", xlabel="time / τ", xlim=(0.05, 10))
def convolution(ax, run):
    """Convolution of 28 × 28 inputs: the energy by part"""
    _draw_parts(ax, run(m.convolution), 5 * m.STEP)


@panel(xscale="log", xlabel="time / τ", xlim=(0.01, 20), ylabel="E, four starts")
def feedback(ax, run):
    """Feedback by the same weights, and by others"""
    own, other = run(m.descent).energy, run(m.asymmetric).energy
    time = m.STEP * np.arange(own.shape[1])
    for i in range(min(4, len(own))):
        ax.plot(time, own[i], "k", lw=1.3, label=None if i else "the same")
        ax.plot(time, other[i], "C3", lw=1.3, label=None if i else "independent")


@panel(xscale="log", yscale="log", xlabel="τ of the top layer", ylabel="largest distance")
def limit(ax, run):
    """Approach to the network without its top layer"""
    measured = run(m.limit)
    mean = np.exp(np.log(measured.distance).mean(0))
    plot.curves(measured.tau, mean, None, "mean over starts", ax)
    ax.plot(measured.tau, 0.5 * mean[-1] * measured.tau / measured.tau[-1], "k--", label="slope 1")


@panel(xlabel="update", ylabel="E, the start that rises most")
def updates(ax, run):
    """Whole layers that jump to their pulls"""
    worst = int(np.argmax(run(m.updates, "all at once").rise))
    for way, colour in (("all at once", "C3"), ("layer by layer", "k")):
        energy = run(m.updates, way).energies[worst]
        plot.curves(np.arange(energy.size), energy, None, way, ax, color=colour, lw=1.4)


@panel(bare=True)
def words(ax, run):
    """Second letter lost, first lost, a fifth of the pixels flipped"""
    given, alone = run(m.words), run(m.words, False)
    # One word for each kind of damage, shown and completed.
    lines = [
        np.stack([_picture(states[kind, kind]) for kind in range(len(m.KINDS))])
        for states in (given.cues, given.ends, alone.ends)
    ]
    labels = ("shown", "completed", "without\nrules")
    shape = (m.SHAPE[0], 2 * m.SHAPE[1] + 5)
    plot.images(lines, shape, ax, labels=labels, limits=(-1.0, 1.0))


def _draw_parts(ax, descent, step):
    parts = {name: part[0] for name, part in descent.parts.items()}
    plot.energy_parts(parts, step * np.arange(descent.energy.shape[1]), ax)


def _picture(word: np.ndarray) -> np.ndarray:
    """Both letters side by side, ink dark, with paper between and around."""
    letters = word.reshape(2, *m.SHAPE)
    side, gap = (-np.ones((m.SHAPE[0], width)) for width in (2, 1))
    return -np.concatenate([side, letters[0], gap, letters[1], side], axis=1).reshape(-1)
