"""Diffusion as associative memory: the data are the patterns, and noise is a temperature."""

import equinox as eqx
import jax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, is_concrete, positive, whole_number
from ..dynamics.langevin import Langevin
from ..separation import Softmax
from ..similarity import Euclidean
from ..stores.rows import Memory


def diffusion_memory(patterns: ArrayLike, sigma: ArrayLike) -> Memory:
    """Data under Gaussian noise: E = −σ² ln Σ_μ exp(−|x − ξ_μ|²/2σ²), and β = 1/σ².

    Up to a constant βE is −ln p of the data with noise of standard deviation σ, and a read is the
    mean of the data given x: what a diffusion model learns to denoise to.

    **Arguments:**

    - `patterns`: the data ξ, shape (N, d).
    - `sigma`: σ > 0, in the unit of the entries.

    **Returns:** a `Memory` of `Euclidean()` and `Softmax(1/σ²)`.

    **Raises:** `ValueError` for a `sigma` that is not positive, or patterns that are no table of
    numbers.

    **Source:** [ambrogioni2024search]
    """
    beta = positive("sigma", sigma) ** -2.0
    return Memory(patterns, similarity=Euclidean(), separation=Softmax(beta))


def diffusion_score(
    patterns: ArrayLike, states: ArrayLike, sigma: ArrayLike
) -> Float[Array, "*n d"]:
    """∇ ln p(x) of data with Gaussian noise: −∇(βE), which is (read(x) − x)/σ².

    **Arguments:**

    - `patterns`: the data, shape (N, d).
    - `states`: x, shape (..., d).
    - `sigma`: σ > 0, in the unit of the entries.

    **Returns:** shape (..., d), in 1/unit of the entries.

    **Raises:** `ValueError` for wrong shapes, or a `sigma` that is not positive.

    **Source:** [ambrogioni2024search]
    """
    memory = diffusion_memory(patterns, sigma)
    states = as_floats("states", states, dtype=memory.dtype)
    if states.ndim == 0 or states.shape[-1] != memory.width or states.size == 0:
        raise ValueError(
            f"`states` must have {memory.width} entries along their last axis, as the patterns, "
            f"but their shape is {states.shape}."
        )
    return _score(memory, states, positive("sigma", sigma))


@eqx.filter_jit
def _score(memory, states, sigma):
    rows = states.reshape(-1, states.shape[-1])
    ahead = jax.vmap(memory.pull)(rows) - rows
    return (ahead / (sigma * sigma).astype(ahead.dtype)).reshape(states.shape)


class Geometric(eqx.Module):
    """A schedule first · ratioⁿ of the number n of the step.

    **Arguments:**

    - `first`: its value in step 0.
    - `ratio`: from each step to the next.
    """

    first: Float[Array, ""]
    ratio: Float[Array, ""]

    def __call__(self, number):
        """The value in a step."""
        return self.first * self.ratio**number


def diffusion_sampler(
    start: ArrayLike, stop: ArrayLike, steps: int, *, random: bool = True
) -> Langevin:
    """The reverse of diffusion as dynamics: β = 1/σ² is raised, σ falling from `start` to `stop`.

    With r = (stop/start)^(1/steps) and σ_n = start · rⁿ, a step is
    x ← x + (1 − r²)(read(x) − x) + r σ_n √(1 − r²) z, z standard normal: unadjusted `Langevin` at
    the temperature σ_(n+1)²/2. Not random, it is x ← x + (1 − r)(read(x) − x), Euler's method for
    the flow that has the same densities.

    ```python
    memory = diffusion_memory(data, sigma=0.05)
    noise = 2.0 * jax.random.normal(key, (100, 2))
    found = attrax.retrieve(memory, noise, diffusion_sampler(2.0, 0.05, 60), key=key)
    samples = attrax.retrieve(memory, found.state, OneRead()).state  # the last noise taken off
    ```

    **Arguments:**

    - `start`: the σ that starts are drawn with, above the size of the data.
    - `stop`: the σ of the last step, > 0 and below `start`.
    - `steps`: how many steps, ≥ 1.
    - `random`: draw noise in every step.

    **Returns:** a `Langevin` with schedules of `temperature` and `beta`.

    **Raises:** `ValueError` for numbers that are not positive, or a `stop` that is not below
    `start`.

    **Source:** [song2021score]
    """
    first, last = positive("start", start), positive("stop", stop)
    count = whole_number("steps", steps)
    if is_concrete(first, last) and not float(last) < float(first):
        raise ValueError(
            f"`stop` must be below `start`, {float(first)}, for noise to fall, but it is "
            f"{float(last)}."
        )
    ratio = (last / first) ** (1 / count)
    square = ratio * ratio
    heat: Geometric | float = Geometric(first * first * square / 2, square) if random else 0.0
    return Langevin(
        heat,
        step=1 - square if random else 1 - ratio,
        steps=count,
        beta=Geometric(1 / (first * first), 1 / square),
        adjusted=False,
    )
