"""HAMUX: associative memories as hypergraphs of neuron layers and synapses.

Layers with convex Lagrangians and synapses of any scalar energy make a network whose energy falls,
and which can be trained end to end. HAMUX 0.1.1 has classifiers but states no accuracy: what is
asked of them here is asked of ordinary classifiers too, whose learning rates are searched alike.

**Source:** [hoover2022universal]
"""

import numpy as np

from attrax.dynamics import Outcome
from attrax.evaluate import ROUNDING

from ..contract import Evidence, claim
from . import measure as m

_README = "README of HAMUX 0.2.2"
_ROUNDING = "over the largest term of E, most of 32 ε"
_OURS = "asked here; HAMUX 0.1.1 states no accuracy"


@claim(paper="exact", source="definitions; double precision", most=1e-12)
def activations(run):
    """∇L is the activation: largest difference over 11 Lagrangians"""
    return run(m.identities)[0]


@claim(paper="exact", source="Legendre identity; double precision", most=1e-12)
def legendre(run):
    """∂E/∂g of a layer is its state: largest difference over 11 Lagrangians"""
    return run(m.identities)[1]


@claim(paper="−4.275979 and 9 slopes", source=f"{_README}, as printed", most=1)
def readme_numbers(run):
    """README's network at zero: largest distance from the printed numbers, in last digits"""
    return run(m.readme_numbers)


@claim(paper="falls", source=f"{_README}; {_ROUNDING}", most=ROUNDING)
def readme_descends(run):
    """README's descent, 40 steps of α = 0.5 from three starts: largest rise of the energy"""
    return run(m.readme_descent, 0.5).rise.max()


@claim(paper="–", source="−4.277 in a run of HAMUX 0.2.2", least=-4.2775, most=-4.2765)
def readme_ends(run):
    """README's descent, 40 steps of α = 0.5: energy at the end"""
    ends = run(m.readme_descent, 0.5).energy[:, -1]
    return Evidence(ends, f"The ends of {len(ends)} runs differ by {np.ptp(ends):.1e}.")


@claim(paper="exact", source="documentation of HAMUX, a test; double precision", most=1e-12)
def convolution_is_transposed(run):
    """A convolution drives up by itself and down by its transpose: largest relative difference"""
    return run(m.transposed)


@claim(paper="0 (theorem)", source=f"convex Lagrangians; {_ROUNDING}", most=ROUNDING)
def graphs_descend(run):
    """Random graphs, 100 steps of α = 0.05: largest rise of the energy"""
    short, long = (
        np.concatenate([each.rise for each in run(m.graphs, step)]) for step in (0.05, 2.5)
    )
    note = (
        f"The energy is watched in {len(short)} runs. Steps of 2.5 are too long, and in "
        f"{np.sum(~(long <= ROUNDING))} of as many runs they raise the energy."
    )
    return Evidence(short.max(), note)


def train(name: str):
    """The `hn` models of HAMUX 0.1.1, on digits in place of MNIST."""
    text = f"hn_{name} of HAMUX 0.1.1, 100 hidden neurons, digits, after ten steps: test accuracy"

    @claim(text, paper="–", source=_OURS, least=0.93)
    def learns(run):
        linear = run(m.digits, "logistic regression").mean()
        note = f"Logistic regression, trained alike, reads {linear:.3f} of the digits right."
        return Evidence(run(m.digits, name), note)

    return learns


hn = {name: train(name) for name in m.HN}


def compare(layers: str, rival: str, than: str, margin: float = 0.0):
    """A network at rest and another classifier, by seed."""
    more = f"no worse by more than {margin:g}" if margin else "more"
    text = f"A {layers} network at rest, Fashion-MNIST, {more} than {than}: difference in accuracy"

    @claim(text, paper="–", source=_OURS, least=-margin)
    def compares(run):
        own, other = run(m.accuracies, f"{layers}, at rest"), run(m.accuracies, rival)
        note = f"At rest it reads {own.show()}, the other {other.show()}."
        return Evidence(own.shares - other.shares, note)

    return compares


_FORWARD = "the same layers feed-forward"
accuracy = {
    "dense, forward": compare("dense", "dense, feed-forward", _FORWARD, 0.01),
    "linear": compare("convolutional", "logistic regression", "logistic regression"),
    "MLP": compare("convolutional", "MLP", "an MLP of 64 hidden units", 0.01),
    "forward": compare("convolutional", "convolutional, feed-forward", _FORWARD, 0.01),
}


def descend(layers: str):
    """A classifier's energy along exact updates of its layers in turn."""
    text = f"A {layers} network, layer by layer to rest: test images at which the energy rises"

    @claim(text, paper="0 (theorem)", source="exact updates; most of 32 ε", most=0)
    def descends(run):
        relaxed = run(m.relaxed, layers)
        rested = float((relaxed.outcome == Outcome.converged).mean())
        note = (
            f"{rested:.2%} of {len(relaxed.steps)} images come to rest, after "
            f"{float(relaxed.steps.mean()):.1f} sweeps on the average."
        )
        return Evidence(int((~relaxed.certificate.certified).sum()), note)

    return descends


descends = {layers: descend(layers) for layers in ("dense", "convolutional")}
