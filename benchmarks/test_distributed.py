"""Sparse distributed memory beside kanervasdm: 1000 writes and reads at 10 000 locations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.models import SparseDistributedMemory
from attrax.theory import optimal_radius

LOCATIONS, D, PATTERNS = 10_000, 784, 1000


def test_writes_and_reads_beside_kanervasdm(versus):
    """Patterns written, and each read where a tenth of its bits are flipped."""
    package = pytest.importorskip("kanerva_sdm", reason="kanervasdm is not installed")
    rng = np.random.default_rng(0)
    addresses, patterns = rng.integers(0, 2, (LOCATIONS, D)), rng.integers(0, 2, (PATTERNS, D))
    cues = np.where(rng.random(patterns.shape) < 0.1, 1 - patterns, patterns)
    radius = optimal_radius(D, LOCATIONS, PATTERNS)
    memory = SparseDistributedMemory(addresses, radius)
    keys, queries = (jnp.asarray(x, jnp.float32) for x in (patterns, cues))
    read = jax.jit(lambda memory, queries: jax.vmap(memory.pull)(queries))
    written, asked = patterns.tolist(), cues.tolist()
    rival = package.KanervaSDM(D, D, LOCATIONS, radius, 0)

    def theirs():
        rival.erase_memory()
        for row in written:
            rival.write(row, row)
        return np.array([rival.read(row) for row in asked])

    def ours():
        return read(memory.write(keys), queries)

    # Their addresses are their own, so what is right is compared, a majority of most bits.
    assert abs(np.mean(np.asarray(ours()) == patterns) - np.mean(theirs() == patterns)) < 0.01
    versus(ours, theirs, "kanervasdm", 1 / 50, rounds=2)
