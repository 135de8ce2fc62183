"""MESH's capacity curve beside the official NumPy code, named by `ATTRAX_RIVAL_MESH`, a checkout.

The official procedure makes pseudo-inverses anew for each number of patterns and recalls one
pattern at a time. For all of the 816 numbers that takes hours, so some of them are compared.
Without the checkout the rival is the same procedure, written plainly in NumPy.
"""

import contextlib
import importlib
import io
import os
import sys

import jax
import numpy as np
import pytest

from attrax.evaluate import information_curve
from attrax.models import scaffold_memory

LABELS, WINNERS, HIDDEN, FEATURES, RUNS = 18, 3, 300, 816, 2
SIZES = (100, 300, 500, 700, 816)


@pytest.fixture
def official(monkeypatch):
    """The official module, or `None`."""
    folder = os.environ.get("ATTRAX_RIVAL_MESH")
    if folder is None:
        return None
    pytest.importorskip("scipy", reason="SciPy is not installed")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "src"]:
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module("src.senstranspose_utils")


def plain(labels, patterns, sizes):
    """The procedure with nothing saved: one scaffold, one number of patterns, one cue at a time."""
    rng = np.random.default_rng(0)
    projection = rng.normal(size=(HIDDEN, LABELS))
    hidden = np.sign(projection @ labels)
    back = labels @ hidden.T / labels.shape[1]
    errors = []
    for size in sizes:
        stored, states = patterns[:, :size], hidden[:, :size]
        readout, cue = stored @ np.linalg.pinv(states), states @ np.linalg.pinv(stored)
        wrong = 0
        for pattern in stored.T:
            label = np.zeros(LABELS)
            label[np.argsort(back @ np.sign(cue @ pattern))[-WINNERS:]] = 1
            wrong += np.sum(np.sign(readout @ np.sign(projection @ label)) != pattern)
        errors.append(wrong / stored.size)
    return np.array(errors)


def test_capacity_curve(versus, official):
    """Shares of features that are read wrong, for each number of patterns, of two scaffolds."""
    rng = np.random.default_rng(0)
    patterns = rng.choice(np.float32([-1, 1]), (FEATURES, FEATURES))
    empty = [
        scaffold_memory(FEATURES, LABELS, WINNERS, HIDDEN, cue_ridge=0.1, key=key)
        for key in jax.random.split(jax.random.key(0), RUNS)
    ]
    labels = np.asarray(jax.vmap(empty[0].label)(np.arange(FEATURES)), float).T
    columns = np.asarray(patterns.T, float)

    def ours():
        return [
            information_curve(memory, patterns, SIZES, synapses=memory.synapses).overlap
            for memory in empty
        ]

    def theirs():
        if official is None:
            return np.mean([plain(labels, columns, SIZES) for _ in range(RUNS)], axis=0)
        given = ([7, 8, 10], LABELS, HIDDEN, 0.0, 1, FEATURES, labels)
        with contextlib.redirect_stdout(io.StringIO()):
            found = official.senstrans_gs(*given, SIZES, RUNS, FEATURES, columns, WINNERS)
        return found[2].mean(1)

    wrong = (1 - np.mean(ours(), axis=0)) / 2
    np.testing.assert_allclose(wrong, theirs(), atol=0.01)
    rival = "plain NumPy" if official is None else "official code"
    versus(ours, theirs, rival, 1 / 20, rounds=1 if official is not None else 2)
