"""Lagrangians that are sums over neurons: each activation depends on its own state alone."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate, match
from ..common.checks import POSITIVE, positive
from .lagrangians import AbstractLagrangian


def _checked_beta(beta: ArrayLike) -> Array:
    return positive("beta", beta)


class Tanh(AbstractLagrangian):
    """L = Σ ln cosh(β x)/β, whose activation is tanh(β x): graded neurons between −1 and 1.

    **Arguments:**

    - `beta`: gain β > 0, in units of 1/state. Large: the sign.

    **Raises:** `ValueError` if `beta` is not positive.

    **Source:** [hopfield1984neurons]; [krotov2021large]
    """

    beta: Float[Array, ""] = eqx.field(converter=_checked_beta, default=1.0, metadata=POSITIVE)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = True

    def value(self, state):
        """Σ ln cosh(β x)/β, finite wherever x is."""
        beta = match(self, state.dtype).beta
        scaled = beta * state
        curve = jnp.logaddexp(scaled, -scaled) - jnp.log(jnp.asarray(2, state.dtype))
        return jnp.sum(curve / beta, dtype=accumulate(state.dtype))

    def activation(self, state):
        """tanh(β x)."""
        return jnp.tanh(match(self, state.dtype).beta * state)

    @property
    def reach(self) -> Array:
        """1/β."""
        return 1 / self.beta

    def log_slope(self, state):
        """It is ln β − 2 ln cosh(β x), finite where tanh(β x) is rounded to one."""
        beta = match(self, state.dtype).beta
        return _log_bell(4 * beta, 2 * jnp.abs(beta * state))


class Sigmoid(AbstractLagrangian):
    """L = Σ ln(1 + exp(β x))/β, whose activation is 1/(1 + exp(−β x)): neurons from 0 to 1.

    **Arguments:**

    - `beta`: gain β > 0, in units of 1/state. Large: a step.

    **Raises:** `ValueError` if `beta` is not positive.

    **Source:** [krotov2021hierarchical]
    """

    beta: Float[Array, ""] = eqx.field(converter=_checked_beta, default=1.0, metadata=POSITIVE)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    elementwise: ClassVar = True

    def value(self, state):
        """Σ ln(1 + exp(β x))/β, finite wherever x is."""
        beta = match(self, state.dtype).beta
        return jnp.sum(jax.nn.softplus(beta * state) / beta, dtype=accumulate(state.dtype))

    def activation(self, state):
        """1/(1 + exp(−β x))."""
        return jax.nn.sigmoid(match(self, state.dtype).beta * state)

    @property
    def reach(self) -> Array:
        """1/β."""
        return 1 / self.beta

    def log_slope(self, state):
        """It is ln β + ln g (1 − g), finite where g is rounded to zero or one."""
        beta = match(self, state.dtype).beta
        return _log_bell(beta, jnp.abs(beta * state))


class RectifiedExponential(AbstractLagrangian):
    """L = Σ (exp(β x₊)/β − x₊) with x₊ = max(x, 0), whose activation is exp(β x₊) − 1.

    Sharp like the exponential, and silent below zero. It overflows where exp(β x) does: beyond
    β x = 88 in float32.

    **Arguments:**

    - `beta`: inverse temperature β > 0, in units of 1/state.

    **Raises:** `ValueError` if `beta` is not positive.

    **Source:** [hoover2022universal]
    """

    beta: Float[Array, ""] = eqx.field(converter=_checked_beta, default=1.0, metadata=POSITIVE)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    elementwise: ClassVar = True
    lacks_density: ClassVar = (
        "activations of RectifiedExponential are constant where states move, so have no density; "
        "take Exponential()."
    )

    def value(self, state):
        """Σ exp(β x₊)/β − x₊."""
        beta = match(self, state.dtype).beta
        above = jnp.maximum(state, 0)
        return jnp.sum(jnp.exp(beta * above) / beta - above, dtype=accumulate(state.dtype))

    def activation(self, state):
        """exp(β x₊) − 1."""
        return jnp.expm1(match(self, state.dtype).beta * jnp.maximum(state, 0))


class Absolute(AbstractLagrangian):
    """L = Σ |x|, whose activation is sign(x): the binary neurons of the Hopfield network.

    The sign jumps, so a flow chatters about zero; layer by layer (`Iterate`), neuron by neuron
    (`Coordinates`) or with `Euler(backtracking=True)` the energy falls. `Tanh` with a large beta
    is its smooth form.

    **Source:** [krotov2021large]
    """

    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = True
    two_valued: ClassVar = True
    lacks_density: ClassVar = (
        "activations of Absolute are constant where states move, so have no density; "
        "take Tanh() or Sigmoid()."
    )

    def value(self, state):
        """Σ |x|."""
        return jnp.sum(jnp.abs(state), dtype=accumulate(state.dtype))

    def activation(self, state):
        """sign(x), 0 at zero."""
        return jnp.sign(state)


def _log_bell(height: Float[Array, ""], size: Float[Array, "..."]) -> Float[Array, "..."]:
    """The logarithm of height · exp(−x)/(1 + exp(−x))² for x ≥ 0."""
    return jnp.log(height) - size - 2 * jnp.log1p(jnp.exp(-size))
