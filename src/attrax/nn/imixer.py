"""iMixer: token mixing through the inverse of a residual block, solved by iteration."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import NoEnergyError, as_floats, one_key, whole_number
from ..dynamics import AbstractDynamics
from ..hierarchical import HierarchicalMemory, MixingSynapse, Neurons
from ..spaces import AbstractSpace, Answer, Reading
from .mixer import (
    APART,
    UNTIED,
    Activation,
    MixingLayer,
    Norm,
    Table,
    as_table,
    checked_activation,
    energetic,
    lagrangian,
    mixed,
    normalised,
    sigma,
    table_norm,
    widths_of,
)
from .spectral import checked_bound, soft_spectral_normalise, spectral_norm

# The largest slope of GELU, at x = √2; that of ReLU is one.
_SLOPES = {"gelu": 1.1289042, "relu": 1.0}


class IMLP(eqx.Module):
    """W₂ σ(y) + b₂ of the y with y = a + F(y), a = W₁ z + b₁: an MLP with feedback in it.

    F(y) = Ŵ_b σ(Ŵ_a σ(y) + b_a) + b_b, with Ŵ = W/max(1, |W|/c) in the spectral norm. So y is the
    inverse of y − F(y) at a, and exists and is met by iteration where F is a contraction. That is
    sure where c s < 1, s being the largest slope of σ: 1 for ReLU, and 1.129 for GELU, which
    asks for c < 0.886. The c = 0.9 of the publication leaves it open for GELU, with a bound of
    (0.9 · 1.129)² = 1.03 on the slope of F; see `contraction`.

    Norms are found anew at every call, from above, so that no state is threaded through training
    and the bound holds from the first step.

    **Arguments:**

    - `size`: entries of z, and of the result.
    - `width`: d, entries of y.
    - `ratio`: r ≥ 1; Ŵ_a has r d rows.
    - `n_iter`: how many times F is evaluated, from y = a, ≥ 0; gradients go through all of them.
      With 0 it is an MLP. Or a `FixedPoint()`: until y rests, with the implicit gradient.
    - `bound`: c > 0.
    - `tied`: whether W₂ = W₁ᵀ, W_b = W_aᵀ, without biases.
    - `activation`: σ, "gelu" or "relu".
    - `key`: a `jax.random.key`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [ota2023imixer]
    """

    up: eqx.nn.Linear
    inner: eqx.nn.Linear
    outer: eqx.nn.Linear | None
    down: eqx.nn.Linear | None
    n_iter: int | AbstractDynamics
    bound: float = eqx.field(static=True)
    activation: Activation = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        width: int,
        ratio: int = 1,
        *,
        n_iter: int | AbstractDynamics = 4,
        bound: float = 0.88,
        tied: bool = False,
        activation: Activation = "gelu",
        key: Array,
    ):
        size, width = whole_number("size", size), whole_number("width", width)
        deep = whole_number("ratio", ratio) * width
        if not isinstance(n_iter, AbstractDynamics):
            if isinstance(n_iter, bool) or not isinstance(n_iter, int | np.integer) or n_iter < 0:
                raise ValueError(
                    "`n_iter` must be a whole number of at least 0, or a dynamics.FixedPoint(), "
                    f"but it is {n_iter!r}."
                )
            n_iter = int(n_iter)
        self.n_iter, self.bound = n_iter, checked_bound(bound)
        self.activation = checked_activation(activation)
        keys = jax.random.split(one_key(key), 4)
        self.up = eqx.nn.Linear(size, width, use_bias=not tied, key=keys[0])
        self.inner = eqx.nn.Linear(width, deep, use_bias=not tied, key=keys[1])
        self.outer = None if tied else eqx.nn.Linear(deep, width, key=keys[2])
        self.down = None if tied else eqx.nn.Linear(width, size, key=keys[3])

    @property
    def tied(self) -> bool:
        """Whether the weights down are those up."""
        return self.down is None

    @property
    def contraction(self) -> Float[Array, ""]:
        """A bound on the slope of F, s² |Ŵ_a| |Ŵ_b|: below one, iteration converges to the inverse.

        Where it is above, iteration may converge all the same, but to one of several solutions.
        """
        equation = self._equation(jnp.zeros(self.up.out_features, self.up.weight.dtype))
        norms = spectral_norm(equation.inner) * spectral_norm(equation.outer)
        return norms * _SLOPES[self.activation] ** 2

    def drive(self, z: ArrayLike) -> Float[Array, " d"]:
        """a = W₁ z + b₁ of z, shape (size,).

        **Raises:** `ValueError` for another shape.
        """
        weights = self.up.weight
        z = as_floats("z", z, dtype=weights.dtype, finite=False)
        if z.shape != (self.up.in_features,):
            raise ValueError(
                f"`z` must have shape {(self.up.in_features,)}, but its shape is {z.shape}."
            )
        return _linear(weights, self.up.bias, z)

    def solve(self, z: ArrayLike) -> Float[Array, " d"]:
        """The y that the iteration ends with."""
        equation, count = self._equation(self.drive(z)), self.n_iter
        if isinstance(count, AbstractDynamics):
            return count.run(equation, equation.drive).state
        return jax.lax.scan(lambda y, _: (equation.pull(y), None), equation.drive, length=count)[0]

    def gap(self, z: ArrayLike) -> Float[Array, ""]:
        """|y − F(y) − a|, by how much `solve` misses the inverse."""
        y = self.solve(z)
        return jnp.linalg.norm(y - self._equation(self.drive(z)).pull(y))

    def __call__(self, z: ArrayLike) -> Float[Array, " size"]:
        """W₂ σ(y) + b₂, shape (size,).

        **Raises:** `ValueError` for a z of another shape.
        """
        active = sigma(self.activation)(self.solve(z))
        if self.down is None:
            return _linear(self.up.weight.T, None, active)
        return _linear(self.down.weight, self.down.bias, active)

    def _equation(self, drive) -> "_Equation":
        inner = soft_spectral_normalise(self.inner.weight, self.bound)
        outer, shift = inner.T, None
        if self.outer is not None:
            outer = soft_spectral_normalise(self.outer.weight, self.bound)
            shift = self.outer.bias
        return _Equation(drive, inner, outer, self.inner.bias, shift, sigma(self.activation))


class _Equation(AbstractSpace):
    """The equation y = a + F(y) as a dynamical system: y is drawn to a + F(y)."""

    drive: Float[Array, " d"]
    inner: Float[Array, "rd d"]
    outer: Float[Array, "d rd"]
    inner_bias: Array | None
    outer_bias: Array | None
    sigma: Callable = eqx.field(static=True)
    lacks_energy: ClassVar[str | None] = (
        "A fixed point is all that is asked for; see `energy` of the mixing layer."
    )

    @property
    def initial(self):
        """a."""
        return self.drive

    def read(self, state):
        """a + F(y)."""
        deep = _linear(self.inner, self.inner_bias, self.sigma(state))
        back = _linear(self.outer, self.outer_bias, self.sigma(deep))
        return Reading(state, self.drive + back)

    def energy(self, state):
        """None."""
        raise NoEnergyError(str(self.lacks_energy))

    def answer(self, state, reading=None):
        """y itself."""
        return Answer(state, None, None)

    def record(self, path):
        """All y."""
        return path


class ImplicitMixing(eqx.Module):
    """x ← x + iMLP(LN(x)ᵀ)ᵀ on a table x of tokens × channels: token mixing by an `IMLP`.

    Tied, the norm has one gain γ for all channels, and the layer is one step without decay of a
    network of three layers, of which both hidden ones are fast; its energy, at the y and
    g₂ = σ(y) of the solved equation,

    E(x) = Σ [x·LN(x) − L(x)] + Σ [y·g₂ − Φ(y) − Φ(Ŵ_a g₂) − g₂·W₁ LN(x)], Φ′ = σ,

    falls along τ ẋ = W₁ᵀ σ(y) − x, with the decay −x or without.

    **Arguments:**

    - `tokens`, `channels`: S and C, the shape of the table.
    - `width`: d of the `IMLP`, which each channel has for itself.
    - `ratio`, `n_iter`, `bound`, `tied`, `activation`, `key`: see `IMLP`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [ota2023imixer]
    """

    norm: Norm
    mlp: IMLP
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self,
        tokens: int,
        channels: int,
        width: int,
        ratio: int = 1,
        *,
        n_iter: int | AbstractDynamics = 4,
        bound: float = 0.88,
        tied: bool = False,
        activation: Activation = "gelu",
        key: Array,
    ):
        self.shape = whole_number("tokens", tokens), whole_number("channels", channels)
        self.norm = table_norm(self.shape[1], tied)
        self.mlp = IMLP(
            self.shape[0],
            width,
            ratio,
            n_iter=n_iter,
            bound=bound,
            tied=tied,
            activation=activation,
            key=key,
        )

    @property
    def lacks_energy(self) -> str | None:
        """Why no energy is known to fall; `None` where one is."""
        if not self.mlp.tied:
            return UNTIED
        if isinstance(self.mlp.n_iter, AbstractDynamics):
            return None
        return (
            f"The equation of the hidden layer is left after {self.mlp.n_iter} iterations, and the "
            "energy is that of its solution; pass n_iter=attrax.dynamics.FixedPoint()."
        )

    def __call__(self, x: ArrayLike) -> Table:
        """The table after the step, shape (S, C).

        **Raises:** `ValueError` for a table of another shape.
        """
        x = as_table(x, self.shape, self.mlp.up.weight.dtype)
        return x + jax.vmap(self.mlp, 1, 1)(normalised(self.norm, x, tied=self.mlp.tied))

    def energy(self, x: ArrayLike) -> Float[Array, ""]:
        """E of a table, that of the network with its hidden neurons where they rest.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        norm = energetic(self.norm, self.lacks_energy)
        x = as_table(x, self.shape, self.mlp.up.weight.dtype)
        drives = norm.activation(x)
        y = jax.vmap(self.mlp.solve, 1, 1)(drives)
        potential, active = lagrangian(self.mlp.activation), sigma(self.mlp.activation)(y)
        a = mixed(self.mlp.up.weight, drives, 0)
        deep = mixed(self._inner, active, 0)
        hidden = jnp.sum(active.astype(a.dtype) * (y.astype(a.dtype) - a))
        hidden = hidden - potential.value(y) - potential.value(deep)
        return Neurons(self.shape, norm).energy(x) + hidden

    def network(self, tau: float = 0.01) -> HierarchicalMemory:
        """The network, of which the layer is a step as τ of its hidden layer goes to zero.

        The layer "visible" is the table, with the layer norm for an activation; "hidden" is y, with
        a short time constant, and "deep" is fast. Where "hidden" rests, layer(x) = x + pull(x).

        **Arguments:**

        - `tau`: of the hidden layer, > 0, in units of that of the table.

        **Raises:** `NoEnergyError` for an untied layer; `ValueError` for a τ of zero, since of two
        fast layers that are joined neither follows from the other.
        """
        norm = energetic(self.norm, None if self.mlp.tied else UNTIED)
        channels, potential = self.shape[1], lagrangian(self.mlp.activation)
        deep, width = self._inner.shape
        neurons = {
            "visible": Neurons(self.shape, norm),
            "hidden": Neurons((width, channels), potential, tau),
            "deep": Neurons((deep, channels), potential, 0.0),
        }
        joints: dict[Any, Any] = {
            ("visible", "hidden"): MixingSynapse(self.mlp.up.weight),
            ("hidden", "deep"): MixingSynapse(self._inner),
        }
        return HierarchicalMemory(neurons, joints)

    @property
    def _inner(self) -> Float[Array, "rd d"]:
        return soft_spectral_normalise(self.mlp.inner.weight, self.mlp.bound)


class IMixer(eqx.Module):
    """A block of iMixer: token mixing by an `IMLP`, then channel mixing by an MLP.

    ```python
    block = attrax.nn.IMixer(16, 32, n_iter=2, key=key)
    y = jax.vmap(block)(tables)  # (batch, 16, 32)
    ```

    With `n_iter=0` it is the block of a plain MLP-Mixer.

    **Arguments:**

    - `tokens`, `channels`: S and C.
    - `token_width`: d of the `IMLP`; C/2 if `None`.
    - `channel_width`: hidden neurons of channel mixing; 4 C if `None`.
    - `ratio`, `n_iter`, `bound`, `activation`, `key`: see `IMLP`.
    - `tied`: of both halves; see `ImplicitMixing` and `MixingLayer`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [ota2023imixer]
    """

    token_mixing: ImplicitMixing
    channel_mixing: MixingLayer

    def __init__(
        self,
        tokens: int,
        channels: int,
        token_width: int | None = None,
        channel_width: int | None = None,
        *,
        ratio: int = 1,
        n_iter: int | AbstractDynamics = 4,
        bound: float = 0.88,
        tied: bool = False,
        activation: Activation = "gelu",
        key: Array,
    ):
        channels = whole_number("channels", channels)
        widths = widths_of(channels, token_width, channel_width)
        first, second = jax.random.split(one_key(key))
        self.token_mixing = ImplicitMixing(
            tokens,
            channels,
            widths[0],
            ratio,
            n_iter=n_iter,
            bound=bound,
            tied=tied,
            activation=activation,
            key=first,
        )
        self.channel_mixing = MixingLayer(
            tokens,
            channels,
            widths[1],
            axis="channels",
            tied=tied,
            activation=activation,
            key=second,
        )

    @property
    def lacks_energy(self) -> str:
        """Why the block as a whole has no energy that is known to fall."""
        return self.token_mixing.lacks_energy or APART

    def __call__(self, x: ArrayLike) -> Table:
        """The table after both steps, shape (S, C)."""
        return self.channel_mixing(self.token_mixing(x))


def _linear(weights, bias, x):
    """W x + b, with sums of at least 32 bits, in the type of x."""
    product = mixed(weights, x, 0)
    return (product if bias is None else product + bias.astype(product.dtype)).astype(x.dtype)
