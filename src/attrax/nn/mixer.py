"""Mixing layers: token and channel mixing as steps of a Hopfield network."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate
from ..common.checks import (
    NoEnergyError,
    as_floats,
    one_key,
    one_of,
    whole_number,
)
from ..hierarchical import (
    AbstractLagrangian,
    HierarchicalMemory,
    LayerNorm,
    MixingSynapse,
    Neurons,
    SeparationLagrangian,
)
from ..separation import Power

Axis = Literal["tokens", "channels"]
Activation = Literal["gelu", "relu"]
Norm = LayerNorm | eqx.nn.LayerNorm
Table = Float[Array, "tokens channels"]


class MixingLayer(eqx.Module):
    """x ← x + W₂ σ(W₁ LN(x)) along one axis of a table x of tokens × channels, shape (S, C).

    W₁ and W₂ act on the tokens, alike in every channel, or on the channels, alike in every token.
    The layer norm is that of each token over its channels in both cases.

    Tied, W₂ = W₁ᵀ, there are no biases, and the norm has one gain γ for all channels and a shift δ
    for each. Then LN is the gradient of a convex Lagrangian L, and the layer is one step without
    decay, of length one, of a network with fast hidden neurons; its energy

    E(x) = Σ [x·LN(x) − L(x)] − Σ Φ(W₁ LN(x)), Φ′ = σ,

    falls along τ ẋ = W₁ᵀ σ(W₁ LN(x)) − x, with the decay −x or without. With ReLU no step raises
    −Σ Φ, however long, since Φ is convex. Untied, the weights up and down are apart, both have
    biases, and the norm has a gain for each channel: half of a plain MLP-Mixer block.

    **Arguments:**

    - `tokens`, `channels`: S and C, the shape of the table.
    - `width`: how many hidden neurons a channel has, or a token.
    - `axis`: "tokens" or "channels", what is mixed.
    - `tied`: whether W₂ = W₁ᵀ.
    - `activation`: σ, "relu" or "gelu". GELU falls below x = −0.75, so that only "relu" gives a
      network whose hidden neurons may have a time constant of their own.
    - `key`: a `jax.random.key`, from which the weights are drawn.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [tang2021remark]; [tolstikhin2021mixer]
    """

    norm: Norm
    inner: eqx.nn.Linear
    outer: eqx.nn.Linear | None
    shape: tuple[int, int] = eqx.field(static=True)
    axis: Axis = eqx.field(static=True)
    activation: Activation = eqx.field(static=True)

    def __init__(
        self,
        tokens: int,
        channels: int,
        width: int,
        *,
        axis: Axis,
        tied: bool = True,
        activation: Activation = "relu",
        key: Array,
    ):
        self.shape = whole_number("tokens", tokens), whole_number("channels", channels)
        one_of("axis", axis, ("tokens", "channels"))
        self.axis, self.activation = axis, checked_activation(activation)
        self.norm = table_norm(self.shape[1], tied)
        size, width = self.shape[self.place], whole_number("width", width)
        first, second = jax.random.split(one_key(key))
        self.inner = eqx.nn.Linear(size, width, use_bias=not tied, key=first)
        self.outer = None if tied else eqx.nn.Linear(width, size, key=second)

    @property
    def place(self) -> int:
        """The axis of the table that is mixed."""
        return 0 if self.axis == "tokens" else 1

    @property
    def tied(self) -> bool:
        """Whether the weights down are those up."""
        return self.outer is None

    @property
    def lacks_energy(self) -> str | None:
        """Why no energy is known to fall; `None` where one is."""
        return None if self.tied else UNTIED

    def __call__(self, x: ArrayLike) -> Table:
        """The table after the step, shape (S, C).

        **Raises:** `ValueError` for a table of another shape.
        """
        x = as_table(x, self.shape, self.inner.weight.dtype)
        hidden = self._hidden(normalised(self.norm, x, tied=self.tied))
        hidden = sigma(self.activation)(hidden).astype(x.dtype)
        if self.outer is None:
            return x + mixed(self.inner.weight.T, hidden, self.place).astype(x.dtype)
        return x + biased(self.outer, hidden, self.place).astype(x.dtype)

    def energy(self, x: ArrayLike) -> Float[Array, ""]:
        """E of a table, that of the network with its hidden neurons where they rest.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        norm = energetic(self.norm, self.lacks_energy)
        x = as_table(x, self.shape, self.inner.weight.dtype)
        g = norm.activation(x)
        potential = lagrangian(self.activation).value(self._hidden(g))
        return Neurons(self.shape, norm).energy(x) - potential

    def network(self) -> HierarchicalMemory:
        """The network, of which the layer is a step: layer(x) = x + pull(x).

        The layer "visible" is the table, with the layer norm for an activation; "hidden" is fast.

        **Raises:** `NoEnergyError` for an untied layer; the reason is `lacks_energy`.
        """
        norm = energetic(self.norm, self.lacks_energy)
        sizes = list(self.shape)
        sizes[self.place] = self.inner.weight.shape[0]
        neurons = {
            "visible": Neurons(self.shape, norm),
            "hidden": Neurons(tuple(sizes), lagrangian(self.activation), tau=0.0),
        }
        synapse = MixingSynapse(self.inner.weight, self.place)
        return HierarchicalMemory(neurons, {("visible", "hidden"): synapse})

    def _hidden(self, g):
        return biased(self.inner, g, self.place)


class HopfieldMixer(eqx.Module):
    """A block of a Mixer: token mixing, then channel mixing, on a table of tokens × channels.

    Tied, each half is a step of a network and has an energy: `block.token_mixing.energy(x)`.
    Untied, it is the block of a plain MLP-Mixer.

    ```python
    block = attrax.nn.HopfieldMixer(16, 32, key=key)
    y = jax.vmap(block)(tables)  # (batch, 16, 32)
    ```

    **Arguments:**

    - `tokens`, `channels`: S and C.
    - `token_width`: hidden neurons of token mixing; C/2 if `None`, as in MLP-Mixer.
    - `channel_width`: hidden neurons of channel mixing; 4 C if `None`.
    - `tied`, `activation`, `key`: see `MixingLayer`. MLP-Mixer is `tied=False, activation="gelu"`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [tang2021remark]; [tolstikhin2021mixer]
    """

    token_mixing: MixingLayer
    channel_mixing: MixingLayer

    def __init__(
        self,
        tokens: int,
        channels: int,
        token_width: int | None = None,
        channel_width: int | None = None,
        *,
        tied: bool = True,
        activation: Activation = "relu",
        key: Array,
    ):
        channels = whole_number("channels", channels)
        widths = widths_of(channels, token_width, channel_width)
        first, second = jax.random.split(one_key(key))
        how: Any = {"tied": tied, "activation": activation}
        self.token_mixing = MixingLayer(
            tokens, channels, widths[0], axis="tokens", key=first, **how
        )
        self.channel_mixing = MixingLayer(
            tokens, channels, widths[1], axis="channels", key=second, **how
        )

    @property
    def lacks_energy(self) -> str:
        """Why the block as a whole has no energy that is known to fall."""
        return self.token_mixing.lacks_energy or APART

    def __call__(self, x: ArrayLike) -> Table:
        """The table after both steps, shape (S, C)."""
        return self.channel_mixing(self.token_mixing(x))


class Gelu(AbstractLagrangian):
    """L = Σ ½[(x² − 1) P(x) + x p(x)] + ¼, whose activation is GELU, x P(x).

    P is the normal distribution, p its density.

    **Source:** [tolstikhin2021mixer]
    """

    lacks_convexity: ClassVar[str | None] = (
        "GELU falls below x = −0.75, so that no convex function is behind it; take "
        "activation='relu' for neurons of any time constant."
    )
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = True

    def value(self, state):
        """Σ ½[(x² − 1) P(x) + x p(x)] + ¼."""
        x = state.astype(accumulate(state.dtype))
        normal = jax.scipy.stats.norm
        return jnp.sum((jnp.square(x) - 1) * normal.cdf(x) / 2 + x * normal.pdf(x) / 2 + 0.25)

    def activation(self, state):
        """The function x P(x)."""
        return jax.nn.gelu(state, approximate=False)


UNTIED = (
    "The weights down are not those up, so that the two directions are slopes of no common energy; "
    "pass tied=True."
)
APART = (
    "Token and channel mixing each lower an energy of their own, and none is common to both; see "
    "`token_mixing.energy` and `channel_mixing.energy`."
)


def checked_activation(activation: Any) -> Activation:
    """The name, if it is one."""
    one_of("activation", activation, ("gelu", "relu"))
    return activation


def sigma(activation: Activation) -> Callable[[Array], Array]:
    """The function of that name."""
    return Gelu().activation if activation == "gelu" else jax.nn.relu


def lagrangian(activation: Activation) -> AbstractLagrangian:
    """The Lagrangian of which it is the gradient."""
    return Gelu() if activation == "gelu" else SeparationLagrangian(Power(1, rectified=True))


def widths_of(channels: int, token_width: int | None, channel_width: int | None) -> tuple[int, int]:
    """Hidden neurons of both halves of a block, those of MLP-Mixer where none are given."""
    tokens = max(channels // 2, 1) if token_width is None else token_width
    wide = 4 * channels if channel_width is None else channel_width
    return whole_number("token_width", tokens), whole_number("channel_width", wide)


def table_norm(channels: int, tied: bool) -> Norm:
    """The layer norm of each token, with one gain if tied, else one a channel."""
    if not isinstance(tied, bool):
        raise TypeError(f"`tied` must be True or False, but it is {tied!r}.")
    if tied:
        return LayerNorm(1.0, jnp.zeros(channels), axis=-1)
    return eqx.nn.LayerNorm(channels)


def energetic(norm: Any, reason: str | None) -> LayerNorm:
    """The norm of a layer, if that has an energy.

    **Raises:** `NoEnergyError` with the reason where there is one.
    """
    if reason is not None:
        raise NoEnergyError(reason)
    return norm


def normalised(norm: Any, table: Table, *, tied: bool) -> Table:
    """The layer norm of each token."""
    return norm.activation(table) if tied else jax.vmap(norm)(table)


def as_table(x: ArrayLike, shape: tuple[int, int], dtype: Any) -> Table:
    """The argument `x` as a table in the type of the weights.

    **Raises:** `ValueError` for another shape.
    """
    table = as_floats("x", x, dtype=dtype, finite=False)
    if table.shape != shape:
        raise ValueError(
            f"`x` must be a table of shape {shape} (tokens, channels), but its shape is "
            f"{table.shape}; use jax.vmap for several."
        )
    return table


def mixed(
    weights: Float[Array, "n d"], table: Float[Array, "..."], place: int
) -> Float[Array, "..."]:
    """W along an axis of a table, with sums of at least 32 bits and in their type."""
    dtype = accumulate(table.dtype)
    # Products of half precision with sums in single are not there for every layout on CPUs.
    weights, table = weights.astype(dtype), table.astype(dtype)
    operands = (weights, table) if place == 0 else (table, weights)
    # Neither is transposed, which would cost a copy.
    return jax.lax.dot_general(*operands, (((1,), (place,)), ((), ())))


def biased(linear: eqx.nn.Linear, table: Table, place: int) -> Float[Array, "..."]:
    """W x + b along an axis of a table, in the type of its sums."""
    product = mixed(linear.weight, table, place)
    if linear.bias is None:
        return product
    bias = linear.bias.astype(product.dtype)
    return product + jnp.expand_dims(bias, 1 - place)
