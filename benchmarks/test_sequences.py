"""Replays of sequences beside the way of the paper's notebook: all scores anew for each unit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import retrieve
from attrax.data import load
from attrax.dynamics import Replay
from attrax.models import sequence_memory

STEPS = 100


@pytest.fixture(scope="module")
def images():
    """1000 binarised images of Fashion-MNIST, as signs."""
    return np.where(load("sample").x > 0.5, 1, -1).astype(np.float32)


@pytest.mark.parametrize("cues", [1, 4])
def test_replays_beside_all_scores_for_each_unit(versus, images, cues):
    """An exponential memory: 100 steps from some cues, no unit acting on itself."""
    rows, following = jnp.asarray(images), jnp.roll(jnp.asarray(images), -1, axis=0)
    starts = rows[:: len(images) // cues][:cues]

    @jax.jit
    @jax.vmap
    def update(state):
        overlaps = jnp.matmul(rows, state)[:, None] - rows * state[None]
        return jnp.sign(jnp.sum(following * jnp.exp(overlaps - (rows.shape[1] - 1)), axis=0))

    def theirs():
        states = starts
        for _ in range(STEPS):
            states = update(states)
        return states

    memory = sequence_memory(images, units="signs", cyclic=True)

    def ours():
        return retrieve(memory, starts, Replay(STEPS)).state

    np.testing.assert_array_equal(ours(), theirs())
    versus(ours, theirs, "JAX, as the notebook", 1 / 5, rounds=4)


def test_replays_of_many_cues(versus, images):
    """The same from 256 cues in one program, beside one cue after another."""
    memory = sequence_memory(images, units="signs", cyclic=True)
    starts = jnp.asarray(images[:256])

    def ours():
        return retrieve(memory, starts, Replay(STEPS)).state

    def theirs():
        return [retrieve(memory, start, Replay(STEPS)).state for start in starts[:16]]

    np.testing.assert_array_equal(ours()[:16], np.stack(theirs()))
    versus(ours, theirs, "16 cues one by one", rounds=3)
