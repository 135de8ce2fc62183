"""A buffer of past samples, from which chains of a sampler go on."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Shaped, UInt8

from ..common.checks import as_floats, one_key, whole_number
from .langevin_sampler import checked_bounds, share

# A byte holds a number of so many values; see `ReplayBuffer`.
_LEVELS = 256


class ReplayBuffer(eqx.Module):
    """Past samples x, first in, first out: chains start from them instead of from noise.

    ```python
    buffer = ReplayBuffer(10_000, 64)
    starts = buffer.sample(128, key=key)    # (128, 64)
    buffer = buffer.write(samples)
    ```

    A start is a sample drawn from those that are held, with replacement, or, with the probability
    `restart`, uniform noise between the bounds. While nothing is held all starts are noise.

    As in the code of the publication a sample may be held in bytes, ⌊255 (x − a)/(b − a)⌋ for
    bounds a and b, and comes back as a + (b − a) (byte + u)/256 with uniform u from 0 to 1. That
    takes a quarter of the space, and is noise of its own, of standard deviation (b − a)/887, by
    which equal samples part.

    **Arguments:**

    - `capacity`: how many samples are held, ≥ 1; the oldest gives way to the next.
    - `width`: d, entries of a sample.
    - `bounds`: a < b, between which noise is drawn, in the unit of the entries.
    - `restart`: the probability that a start is noise, 0 to 1.
    - `quantised`: hold bytes. Entries beyond the bounds are then cut off at them.

    **Raises:** `ValueError` for numbers outside these bounds.

    **Source:** [du2019implicit]; [tieleman2008training]
    """

    states: Float[Array, "n d"] | UInt8[Array, "n d"]
    written: Int[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    restart: Float[Array, ""]

    def __init__(
        self,
        capacity: int,
        width: int,
        *,
        bounds: tuple[ArrayLike, ArrayLike] = (0.0, 1.0),
        restart: ArrayLike = 0.05,
        quantised: bool = False,
    ):
        shape = whole_number("capacity", capacity), whole_number("width", width)
        self.low, self.high = checked_bounds(bounds, finite=True)
        self.restart = share("restart", restart)
        self.states = jnp.zeros(shape, jnp.uint8 if quantised else self.low.dtype)
        self.written = jnp.zeros((), jnp.int32)

    @property
    def capacity(self) -> int:
        """How many samples are held at most."""
        return self.states.shape[0]

    @property
    def held(self) -> Int[Array, ""]:
        """How many samples are held."""
        return jnp.minimum(self.written, self.capacity)

    def write(self, samples: ArrayLike) -> "ReplayBuffer":
        """The buffer with samples in the places of the oldest.

        **Arguments:**

        - `samples`: x, shape (m, d), the newest last, 1 ≤ m ≤ capacity. NaN stays NaN, but for
          bytes, which have none.

        **Raises:** `ValueError` for another shape, or more than the buffer holds.
        """
        rows = as_floats("samples", samples, ndim=2, dtype=self.low.dtype, finite=False)
        if rows.shape[1] != self.states.shape[1] or not 0 < rows.shape[0] <= self.capacity:
            raise ValueError(
                f"`samples` must be 1 to {self.capacity} rows of {self.states.shape[1]} entries, "
                f"as the buffer holds, but their shape is {rows.shape}."
            )
        steps = jnp.arange(rows.shape[0], dtype=jnp.int32)
        places = (self.written % self.capacity + steps) % self.capacity
        states = self.states.at[places].set(self._stored(rows))
        # Beyond the capacity only the place of the next write counts, so that nothing overflows.
        total = self.written + rows.shape[0]
        total = jnp.where(
            total >= 2 * self.capacity, total % self.capacity + self.capacity, total
        ).astype(jnp.int32)
        return eqx.tree_at(lambda buffer: (buffer.states, buffer.written), self, (states, total))

    def sample(self, count: int, *, key: Array) -> Float[Array, "m d"]:
        """Starts of chains.

        **Arguments:**

        - `count`: m, how many, ≥ 1.
        - `key`: a `jax.random.key`.

        **Returns:** shape (m, d).
        """
        count = whole_number("count", count)
        of_place, of_restart, of_noise, of_parts = jax.random.split(one_key(key), 4)
        shape = (count, self.states.shape[1])
        places = jax.random.randint(of_place, (count,), 0, jnp.maximum(self.held, 1), jnp.int32)
        rows = self._restored(self.states[places], of_parts)
        fresh = jax.random.uniform(of_restart, (count,), self.low.dtype) < self.restart
        noise = jax.random.uniform(of_noise, shape, self.low.dtype)
        noise = self.low + (self.high - self.low) * noise
        return jnp.where((fresh | (self.held == 0))[:, None], noise, rows)

    def _stored(self, rows: Float[Array, "m d"]) -> Shaped[Array, "m d"]:
        if self.states.dtype != jnp.uint8:
            return rows
        parts = (jnp.clip(rows, self.low, self.high) - self.low) / (self.high - self.low)
        return jnp.floor((_LEVELS - 1) * parts).astype(jnp.uint8)

    def _restored(self, rows: Shaped[Array, "m d"], key: Array) -> Float[Array, "m d"]:
        if self.states.dtype != jnp.uint8:
            return rows
        parts = jax.random.uniform(key, rows.shape, self.low.dtype)
        whole = rows.astype(self.low.dtype)
        return self.low + (self.high - self.low) * (whole + parts) / _LEVELS
