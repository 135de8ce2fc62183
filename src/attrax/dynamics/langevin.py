"""Langevin dynamics: noise of a temperature, by which a network samples its energy."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PyTree

from ..common.checks import NoEnergyError, is_concrete, number, positive, whole_number
from ..spaces.base import Tempered
from ..spaces.noise import AbstractGeometry, Noisy
from .base import Outcome, choose, difference, finite, scheduled
from .engine import AbstractStepping, ending


class Langevin(AbstractStepping):
    """dx = (pull(x) − x) dt/τ + √(2T/τ) (∇²L(x))^(−1/2) dW: samples of exp(−E/T).

    The noise is shaped by the curvature of each layer's Lagrangian L (Itô's reading), which makes
    exp(−E/T) the density of the *activations* g = ∇L(x); noise alike for all states would prefer
    saturated neurons. In a `Memory` the states are the activations, and the noise is plain. Fast
    layers, and entries that are known or clamped, have no noise. For this law to exist, exp(−E/T)
    must have a finite integral.

    A step is x + step · (pull − x) + noise. It is accepted or refused by the rule of Metropolis
    and Hastings, which makes the law exact for every step size: long steps are refused, and then
    the state stays. Where neurons saturate, the noise of a step is kept to the length along which
    ∇²L changes, and the drift is that of the diffusion with such noise; the law is the same.

    ```python
    cooled = Langevin(optax.linear_schedule(1.0, 0.0, 1000), step=0.05, steps=1000)
    found = attrax.retrieve(network, queries, cooled, key=jax.random.key(0))
    ```

    With `path=True` the share of accepted steps is that of the steps in which the path moves,
    `jnp.any(jnp.diff(found.path, axis=-2) != 0, -1).mean(-1)`. A share near 0.6 mixes best; the
    more neurons, the shorter the step must be.

    **Arguments:**

    - `temperature`: T ≥ 0, in units of the energy, or a function of the number of the step, from
      0 to `steps` − 1, such as any schedule of optax. At T = 0 a step has no noise and is taken
      unless it raises the energy; as the next one would be the same, the state then stays.
    - `step`: step size, > 0, in units of the slowest layer's time constant.
    - `steps`: how many steps are taken, ≥ 1.
    - `beta`: the memory's inverse temperature β > 0 in each step: a number, or a function of the
      number of the step. `None` leaves it as it is. Where it changes each step goes by the energy
      of its own β, and `found.energy` is that of the memory's.
    - `adjusted`: accept or refuse steps. `False` takes them all: twice as fast, it needs no
      energy, and the law is off by a share that falls with `step`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds; on a run for a `beta`
    of memories without one.

    **Source:** [zhang2020wasserstein]; with `adjusted` [srinivasan2024fast]
    """

    temperature: Float[Array, ""] | Callable
    size: Float[Array, ""]
    beta: Float[Array, ""] | Callable | None
    steps: int = eqx.field(static=True)
    adjusted: bool = eqx.field(static=True)
    random: ClassVar = True
    graded: ClassVar = True
    loop: ClassVar = "fixed"
    limit: ClassVar = Outcome.sampled

    def __init__(
        self,
        temperature: ArrayLike | Callable,
        *,
        step: ArrayLike,
        steps: int,
        beta: ArrayLike | Callable | None = None,
        adjusted: bool = True,
    ):
        self.size, self.steps = positive("step", step), whole_number("steps", steps)
        self.adjusted = bool(adjusted)
        self.temperature = (
            temperature if callable(temperature) else number("temperature", temperature)
        )
        _check("temperature", self.temperatures, "not negative", lambda value: value >= 0)
        self.beta = beta if callable(beta) or beta is None else number("beta", beta)
        if self.betas is not None:
            _check("beta", self.betas, "positive", lambda value: value > 0)

    @property
    def max_steps(self) -> int:
        """As many steps as were asked for."""
        return self.steps

    @property
    def temperatures(self) -> Float[Array, " steps"]:
        """The temperature of each step."""
        return scheduled(self.temperature, self.steps)

    @property
    def betas(self) -> Float[Array, " steps"] | None:
        """The inverse temperature of each step; `None` where the memory keeps its own."""
        return None if self.beta is None else scheduled(self.beta, self.steps, "beta")

    def begin(self, space, state):
        """The place of the start.

        **Raises:** `TypeError` or `ValueError` where a layer has no such noise; `NoEnergyError` if
        steps are to be adjusted by an energy that is not there.
        """
        if not isinstance(space, Noisy):
            raise TypeError(
                f"Langevin needs a space that noise can move, and {type(space).__name__} is none: "
                "see attrax.spaces.Noisy."
            )
        if space.lacks_noise is not None:
            raise ValueError(f"Langevin has no noise for this network: {space.lacks_noise}")
        if self.adjusted and space.lacks_energy is not None:
            raise NoEnergyError(
                f"{space.lacks_energy} Langevin accepts steps by the energy; "
                "pass adjusted=False to take them all."
            )
        temperatures, betas = self.temperatures, self.betas
        space = _at_beta(space, betas, 0)
        return self._place(space, state, temperatures[0]), temperatures, betas

    def step(self, space: Noisy, state, memo, number, key):
        """A step that is proposed, and accepted or refused; the memo is the place."""
        here, temperatures, betas = memo
        temperature = temperatures[number]
        if betas is not None:
            space = _at_beta(space, betas, number)
            here = self._place(space, state, temperature)
        local = here.geometry
        if callable(self.temperature):
            local = space.geometry(state, temperature, self.size)
        normals, chance = jax.random.split(key)
        noise = local.noise(_normal(normals, state))
        new = jax.tree.map(lambda *parts: sum(parts), state, local.drift(here.ahead), noise)
        # Where β changes, the next step has to look anew.
        looks = self.adjusted or betas is None
        there = self._place(space, new, temperature) if looks else here
        if self.adjusted:
            back = difference(difference(state, new), there.geometry.drift(there.ahead))
            gain = _gain(local, there.geometry, noise, back)
            accepted = _accepted(here.energy, there.energy, gain, temperature, chance)
            # Comparisons with NaN are False: such steps are refused. An energy of −∞ is accepted,
            # and the run ends as diverged.
            accepted = accepted & finite(new)
            new, there = choose(accepted, (new, there), (state, here))
        sound = finite(new) & jnp.isfinite(there.energy)
        return new, (there, temperatures, betas), ending(self.limit, (~sound, Outcome.diverged))

    def _place(self, space, state, temperature):
        energy = space.energy(state) if self.adjusted else jnp.zeros(())
        ahead = jax.tree.map(
            lambda x, y: self.size.astype(x.dtype) * (y - x), state, space.pull(state)
        )
        return _Place(ahead, energy, space.geometry(state, temperature, self.size))


class _Place(NamedTuple):
    """What is known of a state: the step from it to its pull, its energy, and the geometry."""

    ahead: PyTree
    energy: Float[Array, ""]
    geometry: AbstractGeometry


def _gain(local, remote, noise, back):
    """ln of the ratio of proposal densities N(x + drift, v M⁻¹), and of ∇²L, times T.

    ∇²L turns a density of activations into one of states. By T, so that T = 0 divides nothing.
    """
    volumes = [b - a for a, b in zip(local.volumes(), remote.volumes(), strict=True)]
    costs = 0.5 * (local.curved(noise) - remote.curved(back))
    return volumes[0] + 0.5 * volumes[1] + costs


def _accepted(energy, new_energy, gain, temperature, chance):
    """The rule of Metropolis and Hastings; at T = 0 no step may raise the energy."""
    heat, rise = temperature.astype(energy.dtype), new_energy - energy
    luck = jnp.log(jax.random.uniform(chance, (), energy.dtype))
    return jnp.where(
        heat > 0, heat * luck < heat * gain.astype(energy.dtype) - rise, new_energy <= energy
    )


def _normal(key, state):
    leaves, structure = jax.tree.flatten(state)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)


def _check(name, values, what, fits):
    if not is_concrete(values):
        return
    wrong = np.flatnonzero(~(fits(values) & (values < math.inf)))
    if wrong.size:
        raise ValueError(
            f"`{name}` must be finite and {what}, but it is "
            f"{float(values[wrong[0]])} in step {wrong[0]}."
        )


def _at_beta(space, betas, number) -> Any:
    """The space at the inverse temperature of a step.

    **Raises:** `TypeError` or `ValueError` where it has none.
    """
    if betas is None:
        return space
    if not isinstance(space, Tempered):
        raise TypeError(
            f"`beta` changes an inverse temperature, and {type(space).__name__} has none: see "
            "attrax.spaces.Tempered."
        )
    if space.lacks_beta is not None:
        raise ValueError(f"`beta` cannot be changed: {space.lacks_beta}")
    return space.at_beta(betas[number])
