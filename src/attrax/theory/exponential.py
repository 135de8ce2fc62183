"""Closed forms for the exponential memory: rates of its capacity, and errors at finite size."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlog1py
from jaxtyping import Array, Float

from .arguments import Numbers, bounded, known_size, one_of, reals
from .noise import exceeds, log_binomial


def entropy_gap(mean: Numbers) -> Float[Array, "..."]:
    """I(a) = ½[(1 + a) ln(1 + a) + (1 − a) ln(1 − a)], what a mean a takes off the entropy ln 2.

    Also the rate at which a large overlap of random patterns is rare: of e^{αd} random patterns,
    about e^{(α − I(a)) d} have an overlap of a d or more with a given state.

    **Arguments:**

    - `mean`: a in [−1, 1], the mean of a unit of values ±1, any shape.

    **Returns:** nats a unit, in [0, ln 2], shape of `mean`.

    **Raises:** `ValueError` if `mean` lies outside [−1, 1].

    **Source:** [demircigil2017model]
    """
    (mean,) = reals(mean=mean)
    bounded("mean", mean, -1, 1)
    near = jnp.abs(mean) < 0.5
    small = jnp.where(near, mean, 0)
    # The definition is a small difference of large terms near zero; this is not.
    inner = small * jnp.arctanh(small) + jnp.log1p(-(small**2)) / 2
    return jnp.where(near, inner, (xlog1py(1 + mean, mean) + xlog1py(1 - mean, -mean)) / 2)


def exponential_rate(damage: Numbers = 0.0, criterion: str = "all_patterns") -> Float[Array, "..."]:
    """½ I(1 − 2ρ), the largest α at which e^{αd} patterns are repaired by one update of each unit.

    Random patterns, d → ∞, a share ρ of the units flipped; I is `entropy_gap`. The factor ½ is the
    price of *all* patterns: then none of the e^{2αd} pairs may be close. One given pattern is
    repaired up to the rate at which others are as close to its cue as itself, I(1 − 2ρ), or, with
    hardly any damage, up to that at which the sum of all others is as large, 2(1 − 2ρ) − ln cosh 2.

    | ρ | all patterns | one pattern |
    |---|---|---|
    | 0 | 0.347 | 0.675 |
    | 0.1 | 0.184 | 0.368 |
    | 0.2 | 0.096 | 0.193 |
    | 0.3 | 0.041 | 0.082 |

    **Arguments:**

    - `damage`: share ρ of flipped units, in [0, ½], any shape.
    - `criterion`: `"all_patterns"` (the theorem) or `"one_pattern"` (by the argument above, for
      which `exponential_flip_probability` is the check).

    **Returns:** α in nats a unit, so that N = e^{αd}; shape of `damage`.

    **Raises:** `ValueError` for a damage outside [0, ½] or an unknown criterion.

    **Source:** [demircigil2017model]
    """
    one_of("criterion", criterion, ("all_patterns", "one_pattern"))
    (damage,) = reals(damage=damage)
    bounded("damage", damage, 0, 0.5)
    signal = 1 - 2 * damage
    if criterion == "all_patterns":
        return entropy_gap(signal) / 2
    # The slope of the gap is infinite at one, and would be NaN where it is not taken.
    high = signal > math.tanh(2)
    gap = entropy_gap(jnp.where(high, 0.5, signal))
    return jnp.where(high, 2 * signal - math.log(math.cosh(2)), gap)


def exponential_flip_probability(
    log_n_patterns: Numbers, d: Numbers, damage: Numbers = 0.0
) -> Float[Array, "..."]:
    """The chance that one unit is wrong after one update of a damaged pattern, at finite d.

    With k flips among the other d − 1 units the signal is e^{d−1−2k}; each other pattern adds
    ±e^{d−1−2j} with j binomial. The law of that sum is computed from its characteristic function,
    exactly but for a blur of a twentieth of the signal: simulations of 3 to 200 patterns agree
    within their errors and 2 %. Absolute error: some 1e-6 in float32. Tails are heavy: a unit
    is lost when *one* other pattern is closer to the cue, so a normal approximation is far off.

    **Arguments:**

    - `log_n_patterns`: natural logarithm of the number N ≥ 1 of random patterns, any shape.
    - `d`: number of units, whole, at least 1, any shape; not traced, for it sizes a sum.
    - `damage`: share ρ in [0, ½] of flipped units, rounded to a whole number of them, any shape.
      The average is over units: one in d sees itself among the flipped with chance ρ.

    **Returns:** a probability in [0, ½], of the arguments' joint shape. The exact sign of a sum
    that is zero counts as half.

    **Raises:** `ValueError` for an argument out of its range; `TypeError` if `d` is traced.

    **Source:** [demircigil2017model]
    """
    size = known_size("d", d)
    log_n, damage, units = reals(log_n_patterns=log_n_patterns, damage=damage, d=size)
    bounded("log_n_patterns", log_n, 0)
    bounded("damage", damage, 0, 0.5)
    shape = log_n.shape
    table = jnp.asarray(log_binomial(np.broadcast_to(size, shape).ravel()), log_n.dtype)
    flips = jnp.round(damage * units)
    several = log_n > 0
    positive = jnp.where(several, log_n, 1)
    log_others = jnp.where(several, positive + jnp.log(-jnp.expm1(-positive)), -jnp.inf)
    columns = (a.ravel() for a in (log_others, flips, flips / units))
    return _wrong((*columns, table)).reshape(shape)


@jax.jit
def _wrong(arguments):
    def one(argument):
        log_others, flips, share, log_weights = argument
        differing = jnp.arange(log_weights.size, dtype=log_weights.dtype)

        def update(flipped):
            # Sizes fall by e² from level to level: eight of them span `SMALL` to `LARGE`.
            return exceeds(log_others, log_weights, 2 * (flipped - differing), 8)

        kept, lost = jax.vmap(update)(jnp.stack([flips, jnp.maximum(flips - 1, 0)]))
        return (1 - share) * kept + share * lost

    # One at a time: each holds an array of frequencies × levels.
    return jax.lax.map(one, arguments)
