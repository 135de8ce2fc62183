"""How many patterns a dense memory of degree three recalls, by its number of memory neurons."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import Iterate
from ..models import binary_dense_memory
from ..retrieval import retrieve
from .krotov_hopfield_2020_energy import drawing


class Capacity(NamedTuple):
    """Recall by numbers of memory neurons, F of degree three.

    - `neurons`: N_h.
    - `features`: N_f.
    - `recalled`: the share of N_h patterns that come back, one a neuron; shape (runs, sizes).
    - `crowded`: patterns that come back for each neuron when every one holds two.
    """

    neurons: tuple[int, ...]
    features: int
    recalled: np.ndarray
    crowded: np.ndarray


def capacity(
    neurons: tuple[int, ...], features: int, runs: int, flips: float, seed: int
) -> Capacity:
    """Store ±1 patterns, flip a share of the entries, and count what comes back exactly."""
    largest, sizes = max(neurons), np.asarray(neurons)
    rng = drawing(seed)

    @eqx.filter_jit
    def run(patterns, cues):
        def recalled(rows, size):
            # A row of zeros is a silent neuron, as if it were not there.
            memory = binary_dense_memory(jnp.where(there(size)[:, None], rows, 0.0))
            return jnp.all(retrieve(memory, cues, Iterate()).state == patterns, 1)

        def there(size):
            return jnp.arange(largest) < size

        def one(size):
            alone = recalled(patterns[:largest], size)[:largest]
            both = recalled(patterns[:largest] + patterns[largest:], size).reshape(2, -1)
            return jnp.sum(alone & there(size)), jnp.sum(both & there(size)[None])

        return jax.lax.map(one, jnp.asarray(sizes))

    counts = []
    for _ in range(runs):
        patterns = rng.choice((-1.0, 1.0), (2 * largest, features))
        cues = np.where(rng.random(patterns.shape) < flips, -patterns, patterns)
        counts.append(np.stack(run(patterns, cues)))
    shares = np.asarray(counts, np.float64) / sizes
    return Capacity(neurons, features, shares[:, 0], shares[:, 1])
