"""Replica theory of Hebb's rule: order parameters, free energy and the lines of its phase diagram.

Signs, random patterns of equal sign chances, d → ∞ at a load α = P/d, zero diagonal, one pattern
condensed, replica symmetry (exact down to low temperatures for retrieval states; for the
spin-glass state an approximation everywhere below its temperature).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .arguments import Numbers, bounded, one_of, padded, reals, trimmed
from .mean_field import State, averages, bisect, branch, newton, peak, retrieval, spin_glass

_STATES = ("retrieval", "spin_glass")


class OrderParameters(NamedTuple):
    """What `hebb_order_parameters` returns, arrays of one shape.

    - `overlap`: m in [0, 1], mean overlap with the condensed pattern.
    - `spin_glass`: q in [0, 1], mean squared magnetisation of a unit.
    - `noise`: r ≥ 0, mean squared overlap with the other patterns, in units of 1/d.
    """

    overlap: Float[Array, "..."]
    spin_glass: Float[Array, "..."]
    noise: Float[Array, "..."]


def hebb_order_parameters(
    load: Numbers, temperature: Numbers = 0.0, *, state: str = "retrieval"
) -> OrderParameters:
    """m = ⟨tanh β(m + √(αr) z)⟩, q = ⟨tanh² β(m + √(αr) z)⟩, r = q/(1 − β(1 − q))², solved.

    Averages are over a standard normal z. Of the solutions with m > 0 the one of largest m/√(αr)
    is the retrieval state; it ends, by a jump, at `critical_load(temperature)`.

    **Arguments:**

    - `load`: α ≥ 0, patterns a unit, any shape.
    - `temperature`: T = 1/β ≥ 0, any shape that broadcasts with it.
    - `state`: `"retrieval"`, or `"spin_glass"` for the solution with m = 0. Where there is no
      retrieval state, the former is the latter; above `spin_glass_temperature(load)` all are zero.

    **Returns:** an `OrderParameters` of arrays of the arguments' joint shape. Derivatives are those
    of the solution; at the critical load itself, where they are infinite, they are not to be used.

    **Raises:** `ValueError` for an argument out of its range or an unknown state.

    **Source:** [amit1985storing]
    """
    return OrderParameters(*_of_state(_parameters, load, temperature, state))


def hebb_free_energy(
    load: Numbers, temperature: Numbers = 0.0, *, state: str = "retrieval"
) -> Float[Array, "..."]:
    """f = ½α + ½m² + ½αT [ln(1 − C) − βq/(1 − C)] + ½αrC − T ⟨ln 2 cosh β(m + √(αr) z)⟩, a unit.

    C = β(1 − q). At zero temperature it is the energy a unit, −½ m² and the share of the noise.

    **Arguments:**

    - `load`: α ≥ 0, patterns a unit, any shape.
    - `temperature`: T = 1/β ≥ 0, any shape that broadcasts with it.
    - `state`: the solution it is taken at, as in `hebb_order_parameters`.

    **Returns:** an energy in units of the couplings' 1/d Σ ξξ, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range or an unknown state.

    **Source:** [amit1985storing]
    """
    return _of_state(_free_energy, load, temperature, state)[0]


def critical_load(temperature: Numbers = 0.0) -> Float[Array, "..."]:
    """α_c(T), the load up to which there are retrieval states; 0.1379 at zero temperature.

    Read the other way round it is the line T_M(α) of the phase diagram. Close to T = 1 it is
    ((1 − T)/1.95)².

    **Arguments:**

    - `temperature`: T ≥ 0, any shape.

    **Returns:** a load, shape of `temperature`; 0 from T = 1 on.

    **Raises:** `ValueError` for a negative temperature.

    **Source:** [amit1985storing]
    """
    return _of_temperature(_critical, temperature)


def transition_load(temperature: Numbers = 0.0) -> Float[Array, "..."]:
    """The load up to which retrieval states are the global minima; 0.0519 at zero temperature.

    (Published as 0.051.) There the free energies of retrieval and spin-glass states are equal.
    Read the other way round it is the line T_c(α) of the phase diagram; between it and
    `critical_load` retrieval states are metastable, yet a network that starts close to a pattern
    stays there.

    **Arguments:**

    - `temperature`: T ≥ 0, any shape.

    **Returns:** a load, shape of `temperature`; 0 from T = 1 on.

    **Raises:** `ValueError` for a negative temperature.

    **Source:** [amit1985storing]
    """
    return _of_temperature(_transition, temperature)


def spin_glass_temperature(load: Numbers) -> Float[Array, "..."]:
    """T_g = 1 + √α, below which a network of many patterns freezes.

    **Arguments:**

    - `load`: α ≥ 0, patterns a unit, any shape.

    **Returns:** a temperature, shape of `load`.

    **Raises:** `ValueError` for a negative load.

    **Source:** [amit1985storing]
    """
    (load,) = reals(load=load)
    bounded("load", load, 0)
    return 1 + jnp.sqrt(load)


def _of_state(function, load, temperature, state):
    one_of("state", state, _STATES)
    load, temperature = reals(load=load, temperature=temperature)
    bounded("load", load, 0)
    bounded("temperature", temperature, 0)
    found = function(padded(load), padded(temperature), state)
    return [trimmed(a, load) for a in found]


def _of_temperature(function, temperature):
    (temperature,) = reals(temperature=temperature)
    bounded("temperature", temperature, 0)
    return trimmed(function(padded(temperature)), temperature)


@functools.partial(jax.jit, static_argnames="state")
def _parameters(load, temperature, state):
    def one(load, temperature):
        root = _root(load)
        m, sigma = _solution(root, temperature, state)
        q = 1 - temperature * averages(m, sigma, temperature).response
        return m, jnp.where(sigma > 0, jnp.maximum(q, 0), 0), (sigma / root) ** 2

    return jax.vmap(one)(load, temperature)


@functools.partial(jax.jit, static_argnames="state")
def _free_energy(load, temperature, state):
    def one(load, temperature):
        root = _root(load)
        return (_energy(_solution(root, temperature, state), root, temperature),)

    return jax.vmap(one)(load, temperature)


@jax.jit
@jax.vmap
def _critical(temperature):
    t = _below_one(temperature)
    # The slope at the peak is zero, so its place needs no derivative.
    root, _ = branch(peak(t), t)
    return jnp.where(temperature < 1, root**2, 0)


@jax.jit
@jax.vmap
def _transition(temperature):
    t = _below_one(temperature)

    def advantage(x, t=t):
        """f of the spin glass over f of the retrieval state with m/σ = x."""
        root, m = branch(x, t)
        return _energy(spin_glass(root, t), root, t) - _energy(State(m, m / x), root, t)

    # On the branch α falls with x; the transition is at x = 4.3 or less.
    fixed = jax.lax.stop_gradient(t)
    x = bisect(lambda x: advantage(x, fixed) > 0, peak(t), jnp.full_like(t, 10))
    root, _ = branch(newton(advantage, x), t)
    return jnp.where(temperature < 1, root**2, 0)


def _solution(root, temperature, state) -> State:
    glass = spin_glass(root, temperature)
    if state == "spin_glass":
        return glass
    t = _below_one(temperature)
    x = peak(t)
    top = jax.lax.stop_gradient(branch(x, t)[0])
    exists = (temperature < 1) & (root <= top)
    found = retrieval(jnp.where(exists, root, top / 2), t, x)
    return State(*(jnp.where(exists, a, b) for a, b in zip(found, glass, strict=True)))


def _energy(state, root, temperature):
    m, sigma = state
    _, response, log_partition = averages(m, sigma, temperature)
    q = jnp.maximum(1 - temperature * response, 0)
    free = jnp.maximum(1 - response, jnp.finfo(root.dtype).eps)
    # β α q/(1 − C) and β α r (1 − q) by σ² = α r, for they are finite at zero temperature.
    entropy = root**2 * temperature * jnp.log(free)
    noise = sigma**2 * response - sigma * root * jnp.sqrt(q)
    return (root**2 + m**2 + entropy + noise) / 2 - log_partition


def _root(load):
    """√α, not quite zero: so it has a derivative."""
    return jnp.sqrt(jnp.maximum(load, jnp.finfo(load.dtype).eps))


def _below_one(temperature):
    return jnp.minimum(temperature, 1 - 16 * jnp.finfo(temperature.dtype).eps)
