"""Hopfield layers: a memory inside a network, for sets, sequences and lookups.

A layer reads rows of another input, or its own, with states that are learnt or given. Its
authors' notebooks train one layer to find the one row of a bag that gives its label.

**Source:** [ramsauer2021hopfield]
"""

import numpy as np

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Ramsauer et al. (2020)"
NOTEBOOK = f"{PAPER}, official notebook, one seed"


def _bits(run, name, adapted) -> Evidence:
    curves = run(m.trained, "bits", name, adapted)
    best, last = curves.accuracy.max(axis=1).mean(), curves.loss[:, -1].mean()
    epochs = curves.accuracy.shape[1]
    note = f"After {epochs} epochs; the best of them {best:.3f}. Loss of new bags {last:.3f}."
    return Evidence(curves.accuracy[:, -1], note)


@claim(paper="0.846", source=f"{NOTEBOOK}; at least 0.8 asked here", least=0.8)
def attention_finds_bit_patterns(run):
    """Bit patterns, attention with eight heads, three updates, β = ¼: accuracy on new bags"""
    return _bits(run, "attention", True)


@claim(paper="0.836", source=f"{NOTEBOOK}; at least 0.8 asked here", least=0.8)
def pooling_finds_bit_patterns(run):
    """Bit patterns, pooling with the same options: accuracy on new bags"""
    return _bits(run, "pooling", True)


@claim(paper="0.848", source=f"{NOTEBOOK}; at least 0.8 asked here", least=0.8)
def lookup_finds_bit_patterns(run):
    """Bit patterns, lookup from the rows themselves to frozen values: accuracy on new bags"""
    return _bits(run, "lookup", True)


@claim(paper="0.565", source=f"{NOTEBOOK}; at most 0.65 asked here", most=0.65)
def plain_attention_does_not(run):
    """Bit patterns, attention with one head and one read: accuracy on new bags"""
    return _bits(run, "attention", False)


@claim(paper="0.578", source=f"{NOTEBOOK}; at most 0.65 asked here", most=0.65)
def plain_pooling_does_not(run):
    """Bit patterns, pooling with one head and one read: accuracy on new bags"""
    return _bits(run, "pooling", False)


@claim(paper="0.522", source=f"{NOTEBOOK}; at most 0.65 asked here", most=0.65)
def plain_lookup_does_not(run):
    """Bit patterns, lookup that starts at noise: accuracy on new bags"""
    return _bits(run, "lookup", False)


@claim(paper="1.000", source=f"{NOTEBOOK}; at least 0.99 asked here", least=0.99)
def layers_latch(run):
    """Latch sequences, one head and one read, the worst of three layers: accuracy on new ones"""
    curves = [run(m.trained, "latch", name, False).accuracy for name in m.LAYERS]
    ends = [each[:, -1].mean() for each in curves]
    epochs = curves[0].shape[1]
    listed = ", ".join(f"{name} {end:.3f}" for name, end in zip(m.LAYERS, ends, strict=True))
    note = f"After {epochs} {'epoch' if epochs == 1 else 'epochs'}: {listed}."
    return Evidence(curves[int(np.argmin(ends))][:, -1], note)


@claim(paper="0 (theorem)", source=f"{PAPER}, Theorem 1; rounding of float32", most=1e-5)
def steps_never_raise_the_energy(run):
    """Drawn layers and inputs, 1 to 6 steps: largest rise of the energy over its size"""
    energy = run(m.energies)
    rises = np.diff(energy, axis=0).max(axis=0) / np.abs(energy).max(axis=0)
    falls = np.median(energy[0] - energy[-1])
    return Evidence(
        rises.max(), f"{rises.size} states; their energy falls by {falls:.2g} (median)."
    )


@claim(paper="91.3", source=f"{PAPER}, Table 1; ± 0.5", least=90.3)
def pooling_tells_tigers(run):
    """Tiger, multiple instances, pooling layer: area under the ROC curve in per cent"""
    raise NotRun("needs the set of animals, which no package ships")
