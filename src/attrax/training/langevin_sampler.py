"""Short chains of Langevin dynamics down any energy, as energy-based models are trained by."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import (
    as_floats,
    as_mask,
    is_concrete,
    number,
    one_key,
    positive,
    whole_number,
)
from ..hierarchical.whole import check_energy
from .tasks import at_least_zero


class LangevinSampler(eqx.Module):
    """x ← clip(x' − η clip(∇E(x'), ±c), a, b) with x' = x + σ ε: K steps of many chains at once.

    ε are standard normal numbers. Without limits this samples exp(−E/T) at the temperature
    T = σ²/(2η), but for a bias that falls with η. In the code of the publication η and σ are set
    apart, and T is far below 1: chains then lie in the valleys of E. Noise comes before the slope,
    so that the last step takes noise away. In a valley E = ½ k x² the variance is

        (1 − ηk)²/(1 − ηk/2) · T/k,    and noise after the slope would give 1/(1 − ηk/2) · T/k.

    ```python
    sampler = LangevinSampler(60)
    sampler(energy, starts, key=jax.random.key(0))  # (n, d) -> (n, d)
    ```

    Where the law must be exact, `attrax.dynamics.Langevin` accepts and refuses steps of the same
    dynamics; `attrax.models.EnergyModel` makes any energy a memory that it can run. The default is
    the published setting for CIFAR-10, whose entries lie between 0 and 1.

    **Arguments:**

    - `steps`: K ≥ 1.
    - `step`: η > 0, in squared units of the entries by units of the energy; in the publication η is
      λ/2.
    - `noise`: σ ≥ 0, in the unit of the entries. For T = 1 it is √(2η).
    - `limit`: c > 0, the largest slope of an entry that counts, by which a step moves it by ηc at
      most; `None` for no limit.
    - `bounds`: a < b, at which states are cut off after each step; `None` for none.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [du2019implicit]
    """

    step: Float[Array, ""]
    noise: Float[Array, ""]
    limit: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    steps: int = eqx.field(static=True)

    def __init__(
        self,
        steps: int = 60,
        *,
        step: ArrayLike = 10.0,
        noise: ArrayLike = 0.005,
        limit: ArrayLike | None = 0.01,
        bounds: tuple[ArrayLike, ArrayLike] | None = (0.0, 1.0),
    ):
        self.steps = whole_number("steps", steps)
        self.step, self.noise = positive("step", step), at_least_zero("noise", noise)
        self.limit = jnp.asarray(jnp.inf) if limit is None else positive("limit", limit)
        self.low, self.high = checked_bounds((-jnp.inf, jnp.inf) if bounds is None else bounds)

    @property
    def temperature(self) -> Float[Array, ""]:
        """T = σ²/(2η), in units of the energy."""
        return jnp.square(self.noise) / (2 * self.step)

    def __call__(
        self, energy, states: ArrayLike, *, known: ArrayLike | None = None, key: Array
    ) -> Float[Array, "n d"]:
        """Where chains are after K steps; ε of step i is drawn from `jax.random.fold_in(key, i)`.

        **Arguments:**

        - `energy`: E, a function of one state (d,) to a number.
        - `states`: where chains start, shape (n, d).
        - `known`: shape (d,), True for entries that stay as they are; none if `None`.
        - `key`: a `jax.random.key`.

        **Returns:** shape (n, d).

        **Raises:** `TypeError` for an energy that is no function, and `ValueError` for one that
        does not give a number.
        """
        starts = as_floats("states", states, ndim=2, finite=False)
        check_energy(energy, starts.shape[1:], starts.dtype)
        slope = jax.vmap(jax.grad(energy))
        key, dtype = one_key(key), starts.dtype
        size, sd, limit, low, high = (
            x.astype(dtype) for x in (self.step, self.noise, self.limit, self.low, self.high)
        )

        held = None if known is None else as_mask("known", known, starts.shape[1:], "is kept")

        def keep(rows):
            return rows if held is None else jnp.where(held, starts, rows)

        def move(rows, i):
            noise = sd * jax.random.normal(jax.random.fold_in(key, i), rows.shape, dtype)
            rows = keep(rows + noise)
            down = jnp.clip(slope(rows), -limit, limit)
            return keep(jnp.clip(rows - size * down, low, high)), None

        return jax.lax.scan(move, starts, jnp.arange(self.steps, dtype=jnp.uint32))[0]


def checked_bounds(bounds, finite: bool = False) -> tuple[Array, Array]:
    """Two numbers, the first below the second."""
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise TypeError("`bounds` must be a pair of numbers, the least first, such as (0.0, 1.0).")
    low, high = number("bounds[0]", bounds[0]), number("bounds[1]", bounds[1])
    if is_concrete(low, high):
        if not float(low) < float(high):
            raise ValueError(f"`bounds` must rise, but are {float(low):g} and {float(high):g}.")
        if finite and not bool(jnp.isfinite(low) & jnp.isfinite(high)):
            raise ValueError(
                f"`bounds` must be finite, but are {float(low):g} and {float(high):g}."
            )
    return low, high


def share(name: str, value) -> Array:
    """A number from 0 to 1."""
    array = number(name, value)
    if is_concrete(array) and not 0 <= float(array) <= 1:
        raise ValueError(f"`{name}` must be between 0 and 1, but it is {float(array):g}.")
    return array
