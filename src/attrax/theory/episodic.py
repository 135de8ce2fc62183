"""How long episodic memory dwells on a pattern, and whether it leaves it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import is_concrete
from .arguments import Numbers, above_zero, bounded, reals

# Of ln(τ/T), between bounds that are reached only by A beyond the range of floats.
_LOW, _HIGH, _HALVINGS = -35.0, 5.0, 60


def episodic_strength(
    cross_strength: Numbers, gain: Numbers, self_strength: Numbers = 1.0
) -> Float[Array, "..."]:
    """A = α_c β/√α_s, how much a full delay drives the next pattern, over what holds this one.

    Held at a pattern, features are √α_s ξ, so its own neuron is driven by α_s |ξ|², and that of
    the next by up to α_c β √α_s |ξ|². Patterns that are alike only by chance follow one another
    if and only if A > 1.

    **Arguments:**

    - `cross_strength`: α_c ≥ 0, any shape.
    - `gain`: β > 0, any shape.
    - `self_strength`: α_s > 0, any shape.

    **Returns:** the ratio, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [karuvally2023general]
    """
    cross, gain, own = reals(cross_strength=cross_strength, gain=gain, self_strength=self_strength)
    bounded("cross_strength", cross, 0)
    above_zero("gain", gain)
    above_zero("self_strength", own)
    return cross * gain / jnp.sqrt(own)


def episodic_dwell(
    strength: Numbers,
    delay: Numbers,
    *,
    features: Numbers = 0.0,
    cycle: Numbers | None = None,
) -> Float[Array, "..."]:
    """How long an episodic memory stays on one pattern of a long run: τ = −T ln(1 − 1/√A).

    Where the softmax is sharp and patterns have no overlap, the drives are those of a chain of
    two low-pass filters, T_f of features and T of the delay, to patterns that are on for τ each,
    n of them in turn. With x = exp(−τ/T) and a = exp(−τ/T_f), the next one wins when

        A [T (1 − x)²/(1 − xⁿ) − T_f (1 − a)²/(1 − aⁿ)]/(T − T_f) = (1 − a)(1 − aⁿ⁻¹)/(1 − aⁿ),

    which is A (1 − x)² = 1 for T_f = 0 and a long chain. The time is from one switch of the hidden
    neurons to the next.

    **Arguments:**

    - `strength`: A > 0, see `episodic_strength`, any shape.
    - `delay`: T > 0, in any unit of time, any shape.
    - `features`: T_f ≥ 0, below T, in the same unit; 0 for features that follow at once.
    - `cycle`: n ≥ 2, how many patterns the cycle has, any shape; endless if `None`.

    **Returns:** a time in the unit of `delay`, of the arguments' joint shape; infinity for A ≤ 1.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [karuvally2023general]
    """
    strength, delay, features, count = reals(
        strength=strength, delay=delay, features=features, cycle=2.0 if cycle is None else cycle
    )
    above_zero("strength", strength)
    above_zero("delay", delay)
    bounded("features", features, 0)
    bounded("cycle", count, 2)
    if is_concrete(features, delay) and bool(jnp.any(features >= delay)):
        raise ValueError(
            "`features` must be below `delay`, for the delay follows features that move faster, "
            f"but they are up to {float(jnp.max(features)):g} and {float(jnp.min(delay)):g}."
        )
    leaves = strength > 1
    safe = jnp.where(leaves, strength, 2.0)
    ratio = _solved(safe, features / delay, None if cycle is None else count)
    return jnp.where(leaves, delay * ratio, jnp.inf)


def episodic_first_dwell(strength: Numbers, delay: Numbers) -> Float[Array, "..."]:
    """How long it stays on the pattern that it starts from, the delay at zero: −T ln(1 − 1/A).

    The delay has nothing yet of a pattern before, so this is shorter than `episodic_dwell`.

    **Arguments:** as of `episodic_dwell`.

    **Returns:** a time in the unit of `delay`, of the arguments' joint shape; infinity for A ≤ 1.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [karuvally2023general]
    """
    strength, delay = reals(strength=strength, delay=delay)
    above_zero("strength", strength)
    above_zero("delay", delay)
    leaves = strength > 1
    return jnp.where(leaves, -delay * jnp.log1p(-1 / jnp.where(leaves, strength, 2.0)), jnp.inf)


def _solved(strength, share, count):
    """The u = τ/T at which the next pattern wins."""

    def lead(u, strength, share):
        """By how much the next one is ahead, in units of what holds the one before."""
        slow, slow_rest, _ = _filled(u, count)
        moving = share > 0
        fast, fast_rest, before = _filled(u / jnp.where(moving, share, 1.0), count)
        # Features that follow at once are wholly at the pattern that is on.
        fast, fast_rest = jnp.where(moving, fast, 1.0), jnp.where(moving, fast_rest, 1.0)
        held = jnp.where(moving, before, 1.0)
        drive = (slow * slow / slow_rest - share * fast * fast / fast_rest) / (1 - share)
        return strength * drive - fast * held / fast_rest

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        late = lead(jnp.exp(middle), strength, share) > 0
        return jnp.where(late, low, middle), jnp.where(late, middle, high)

    ends = (jnp.full_like(strength, _LOW), jnp.full_like(strength, _HIGH))
    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, ends)
    root = jax.lax.stop_gradient(jnp.exp((low + high) / 2))
    # One step of Newton's, whose derivative is that of the root.
    value, slope = jax.jvp(lambda u: lead(u, strength, share), (root,), (jnp.ones_like(root),))
    return root - value / jax.lax.stop_gradient(slope)


def _filled(u: Array, count: Array | None) -> tuple[Array, Array, Array]:
    """1 − x, 1 − xⁿ and 1 − xⁿ⁻¹ for x = exp(−u); n is endless if `None`."""
    one = -jnp.expm1(-u)
    if count is None:
        return one, jnp.ones_like(u), jnp.ones_like(u)
    return one, -jnp.expm1(-count * u), -jnp.expm1(-(count - 1) * u)
