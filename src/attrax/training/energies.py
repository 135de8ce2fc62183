"""Energies that learn from data: low where the data are, high where a sampler strays instead."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, check_function, one_key, one_of, whole_number
from ..hierarchical.whole import check_energy
from .batches import Batches
from .langevin_sampler import LangevinSampler
from .parameters import parameters
from .replay_buffer import ReplayBuffer
from .step import advance, prepared
from .tasks import at_least_zero
from .train import check_optimizer, diverged, reporter

OBJECTIVES = ("contrastive", "softplus", "logsumexp")


def contrastive_energy_loss(
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    objective: str = "contrastive",
    penalty: ArrayLike = 1.0,
) -> Float[Array, ""]:
    """Energies E⁺ of data and E⁻ of samples: ⟨E⁺⟩ − ⟨E⁻⟩ + α (⟨E⁺²⟩ + ⟨E⁻²⟩).

    If the samples have the density exp(−E)/Z and bear no gradient themselves, the slope of
    ⟨E⁺⟩ − ⟨E⁻⟩ is that of −ln p of the data. Two other objectives take its place:

        "softplus":   ⟨ln(1 + exp(E⁺_i − E⁻_i))⟩, each datum with a sample;
        "logsumexp":  ⟨E⁺⟩ − Σ_i w_i E⁻_i, w = softmax(−E⁻), which has no gradient.

    The last has the slope of −ln p too where the samples are all states there are, or uniform ones.
    The published code adds 10⁻⁴ to the sum under w.

    **Arguments:**

    - `positive`: E⁺, shape (n,).
    - `negative`: E⁻, shape (m,); m = n for "softplus".
    - `objective`: "contrastive", "softplus" or "logsumexp".
    - `penalty`: α ≥ 0, in 1/unit of the energy; it keeps energies small.

    **Returns:** a scalar.

    **Raises:** `ValueError` for other shapes, an unknown objective, or an α below zero.

    **Source:** [du2019implicit]
    """
    one_of("objective", objective, OBJECTIVES)
    high, low = (
        as_floats(name, x, ndim=1, finite=False)
        for name, x in (("positive", positive), ("negative", negative))
    )
    if not high.size or not low.size or (objective == "softplus" and high.size != low.size):
        raise ValueError(
            "`positive` and `negative` must have energies, and for softplus as many, but their "
            f"shapes are {high.shape} and {low.shape}."
        )
    dtype = accumulate(jnp.promote_types(high.dtype, low.dtype))
    high, low = high.astype(dtype), low.astype(dtype)
    alpha = at_least_zero("penalty", penalty).astype(dtype)
    if objective == "softplus":
        value = jnp.mean(jax.nn.softplus(high - low))
    elif objective == "logsumexp":
        value = jnp.mean(high) - jnp.sum(jax.lax.stop_gradient(jax.nn.softmax(-low)) * low)
    else:
        value = jnp.mean(high) - jnp.mean(low)
    return value + alpha * (jnp.mean(jnp.square(high)) + jnp.mean(jnp.square(low)))


class TrainedEnergy(eqx.Module):
    """What `train_energy` found.

    - `model`: the model after the last step.
    - `buffer`: the samples at the end, from which another training or chains may go on.
    - `losses` (steps,): of each step, before it.
    - `gaps` (steps,): ⟨E⁺⟩ − ⟨E⁻⟩ of each step, before it. It should stay about zero: far below,
      the sampler does not reach the valleys; far above, they are deeper than the data's.
    """

    model: Any
    buffer: ReplayBuffer
    losses: Float[Array, " steps"]
    gaps: Float[Array, " steps"]


def train_energy(
    model: Any,
    patterns: ArrayLike,
    *,
    steps: int,
    batch_size: int = 128,
    energy: Callable | None = None,
    sampler: LangevinSampler | None = None,
    buffer: ReplayBuffer | None = None,
    objective: str = "contrastive",
    penalty: ArrayLike = 1.0,
    optimizer: optax.GradientTransformation | None = None,
    trainable: Callable | None = None,
    every: int = 100,
    progress: Any = None,
    key: Array,
) -> TrainedEnergy:
    """Train any energy by its own samples: the recipe of implicit energy-based models.

    In each step chains start from a replay buffer, run down the energy by Langevin dynamics, and
    are written back; `contrastive_energy_loss` then lowers the energy of a batch of data and
    raises that of the samples.

    ```python
    network = eqx.nn.MLP(64, "scalar", 128, 2, jax.nn.silu, key=key)
    trained = train_energy(network, images, steps=1000, key=key)

    # The same for a memory, whose rows and β learn.
    trained = train_energy(memory, images, steps=1000, energy=lambda m: m.energy, key=key)
    ```

    Many steps are one compiled program. Parameters and what learns are those of `train`.

    **Arguments:**

    - `model`: an Equinox module.
    - `patterns`: the data, shape (N, d).
    - `steps`: how many steps to make, ≥ 1.
    - `batch_size`: how many rows and how many samples a step sees; at most N.
    - `energy`: a function of the model to its energy, a function of a state (d,) to a number; the
      model itself if `None`. What it computes of the weights alone, such as their spectral norms,
      is computed once in each step.
    - `sampler`: a `LangevinSampler`; the published one if `None`.
    - `buffer`: a `ReplayBuffer` to start from, one of `restart=1.0` for chains that all start from
      noise; if `None` the published one, of 10 000 samples in bytes between the sampler's bounds.
    - `objective`, `penalty`: of `contrastive_energy_loss`.
    - `optimizer`: an `optax.GradientTransformation`; Adam at 0.0003 without momentum, as published,
      if `None`.
    - `trainable`: see `train`.
    - `every`: how many steps one program makes, and from one report to the next.
    - `progress`: see `train`; it is called after so many steps.
    - `key`: a `jax.random.key`.

    **Returns:** a `TrainedEnergy`.

    **Raises:** `ValueError` or `TypeError` for wrong arguments; `FloatingPointError` if the loss or
    a parameter becomes infinite or NaN.

    **Source:** [du2019implicit]
    """
    rows = as_floats("patterns", patterns, ndim=2)
    steps, every = whole_number("steps", steps), whole_number("every", every)
    chosen, keys = parameters(model, trainable), jax.random.split(one_key(key))
    if energy is not None:
        check_function("energy", energy)
    check_energy(model if energy is None else energy(model), rows.shape[1:], rows.dtype)
    one_of("objective", objective, OBJECTIVES)
    sampler = LangevinSampler() if sampler is None else sampler
    if not isinstance(sampler, LangevinSampler):
        raise TypeError(f"`sampler` must be a LangevinSampler, but it is {type(sampler).__name__}.")
    buffer = _checked_buffer(buffer, sampler, rows.shape[1], batch_size)
    optimizer = _published() if optimizer is None else check_optimizer(optimizer)
    batches = Batches(rows, min(whole_number("batch_size", batch_size), len(rows)), keys[0])
    how = _How(energy, objective, at_least_zero("penalty", penalty), sampler, optimizer)
    learned = chosen.start(model)
    carry = learned, prepared(optimizer, learned), buffer
    losses, gaps = [], []
    report, close = reporter(progress, 0, steps)
    try:
        for start in range(0, steps, every):
            numbers = np.arange(start, min(start + every, steps), dtype=np.uint32)
            seen = np.stack([batches(int(number)) for number in numbers])
            carry, value, gap, whole = _learn(model, chosen, how, carry, seen, numbers, keys[1])
            losses.extend(np.asarray(value))
            gaps.extend(np.asarray(gap))
            sound = np.isfinite(np.asarray(value)) & np.asarray(whole)
            if not sound.all():
                bad = start + int(np.argmin(sound)) + 1
                raise FloatingPointError(diverged(losses[:bad], steps, None))
            now = carry[0]
            report(len(losses), steps, float(losses[-1]), lambda now=now: chosen.move(model, now))
    finally:
        close()
    found = chosen.move(model, carry[0])
    return TrainedEnergy(found, carry[2], jnp.asarray(losses), jnp.asarray(gaps))


class _How(NamedTuple):
    """What a step is made by."""

    energy: Any
    objective: str
    penalty: Array
    sampler: LangevinSampler
    optimizer: optax.GradientTransformation

    def of(self, model):
        """The energy of a model."""
        return model if self.energy is None else self.energy(model)

    def gap(self, model, rows, samples):
        """⟨E⁺⟩ − ⟨E⁻⟩."""
        energy = self.of(model)
        return jnp.mean(jax.vmap(energy)(rows)) - jnp.mean(jax.vmap(energy)(samples))

    def loss(self, model, batch):
        """The loss of rows and samples."""
        energy = self.of(model)
        energies = (jax.vmap(energy)(x) for x in batch)
        return contrastive_energy_loss(*energies, objective=self.objective, penalty=self.penalty)


@eqx.filter_jit
def _learn(model, chosen, how, carry, seen, numbers, key):
    """Some steps. `carry`: parameters, state of the optimiser, and buffer."""

    def step(carry, given):
        (learned, state, buffer), (rows, number) = carry, given
        noise = jax.random.fold_in(key, number)
        of_starts, of_chains = jax.random.split(noise)
        now = chosen.move(model, learned)
        starts = buffer.sample(rows.shape[0], key=of_starts).astype(rows.dtype)
        samples = how.sampler(how.of(now), starts, key=of_chains)
        gap = how.gap(now, rows, samples)
        setting = model, chosen, how.loss, False, how.optimizer, (rows, samples), noise, number
        learned, state, value, whole = advance(setting, learned, state)
        return (learned, state, buffer.write(samples)), (value, gap, whole)

    arrays, still = eqx.partition(carry, eqx.is_array)

    def inner(arrays, given):
        carry, found = step(eqx.combine(arrays, still), given)
        return eqx.filter(carry, eqx.is_array), found

    arrays, found = jax.lax.scan(inner, arrays, (seen, numbers))
    return eqx.combine(arrays, still), *found


def _checked_buffer(buffer, sampler, width, batch_size):
    if buffer is None:
        bounds = sampler.low, sampler.high
        if not bool(jnp.isfinite(bounds[0]) & jnp.isfinite(bounds[1])):
            raise ValueError(
                "`buffer` must be given where the sampler has no bounds, between which chains "
                "could start, such as ReplayBuffer(10_000, width, bounds=(-1.0, 1.0))."
            )
        return ReplayBuffer(max(10_000, batch_size), width, bounds=bounds, quantised=True)
    if not isinstance(buffer, ReplayBuffer):
        raise TypeError(f"`buffer` must be a ReplayBuffer, but it is {type(buffer).__name__}.")
    if buffer.states.shape[1] != width or buffer.capacity < batch_size:
        raise ValueError(
            f"`buffer` must hold at least {batch_size} samples of {width} entries, as `batch_size` "
            f"and `patterns` ask for, but its shape is {buffer.states.shape}."
        )
    return buffer


@functools.cache
def _published() -> optax.GradientTransformation:
    """One object, since steps are compiled anew for every other optimiser."""
    return optax.adam(3e-4, b1=0.0, b2=0.999)
