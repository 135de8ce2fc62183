"""Convolution and pooling as synapses: layers of shape (height, width, channels)."""

from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate
from ..common.checks import as_floats
from .synapses import AbstractSynapse, Layers, check_count, inner, named, times

Padding = Literal["SAME", "VALID"] | tuple[tuple[int, int], ...]


class ConvolutionSynapse(AbstractSynapse):
    """E = −⟨f, k ∗ g⟩: the lower layer drives the upper one by a convolution.

    As in most of machine learning ∗ does not flip the kernel (it correlates). The upper layer
    drives the lower one by the transposed convolution with the same kernel. Layers have one to
    three spatial axes and then their channels: (length, channels), (height, width, channels).

    **Arguments:**

    - `kernel`: k, shape (*window, channels of g, channels of f), with one to three spatial axes.
    - `stride`: the step of the window, ≥ 1, one for all spatial axes or one each.
    - `padding`: "VALID", "SAME", or (before, after) for each spatial axis.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [krotov2021hierarchical]
    """

    kernel: Float[Array, "..."]
    stride: tuple[int, ...] = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    linear: ClassVar[tuple[bool, ...]] = (True, True)
    drives: ClassVar[tuple[Range, ...]] = ("signed", "signed")

    def __init__(self, kernel, *, stride: int | tuple[int, ...] = 1, padding: Padding = "VALID"):
        self.kernel = as_floats("kernel", kernel)
        if self.kernel.ndim < 3:
            raise ValueError(
                "`kernel` must have shape (*window, channels below, channels above), "
                f"but its shape is {self.kernel.shape}."
            )
        axes = self.kernel.ndim - 2
        if axes > 3:
            raise ValueError(
                f"`kernel` must have at most three spatial axes, but its shape is "
                f"{self.kernel.shape}."
            )
        self.stride = _steps("stride", stride, axes)
        self.padding = _padding(padding, axes)

    @property
    def remark(self) -> str:
        """Its stride, if that is not one."""
        return f"stride {times(self.stride)}" if max(self.stride) > 1 else ""

    def __call__(self, lower: Float[Array, "..."], upper: Float[Array, "..."]) -> Float[Array, ""]:
        """−⟨f, k ∗ g⟩."""
        return -inner(upper, self.drive(lower))

    def drive(self, lower: Float[Array, "..."]) -> Float[Array, "..."]:
        """k ∗ g, in the upper layer's shape."""
        letters = "DHW"[2 - self.kernel.ndim :]
        names = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
        return jax.lax.conv_general_dilated(
            lower[None].astype(self.kernel.dtype),
            self.kernel,
            self.stride,
            self.padding if isinstance(self.padding, str) else list(self.padding),
            dimension_numbers=names,
            preferred_element_type=accumulate(self.kernel.dtype),
        )[0]

    def check(self, layers: Layers) -> None:
        """Refuse layers that the kernel does not fit."""
        check_count(self, layers, 2)
        lower = next(iter(layers.values()))
        window, channels = self.kernel.shape[:-2], self.kernel.shape[-2:]
        if len(lower.shape) != len(window) + 1 or lower.shape[-1] != channels[0]:
            raise ValueError(
                f"`kernel` of shape {self.kernel.shape} needs a lower layer of "
                f"{len(window)} spatial axes and {channels[0]} channels, but joins {named(layers)}."
            )
        _check_upper(self, layers, (*_outcome(lower.shape[:-1], window, self), channels[1]))


class PoolingSynapse(AbstractSynapse):
    """E = −⟨f, pool(g)⟩: the upper layer sees the mean, or the largest, of each window.

    The mean spreads feedback evenly. The maximum sends it to the winner of each window alone;
    where winners change the energy has a kink, so long steps can raise it: use
    `Euler(backtracking=True)`.

    **Arguments:**

    - `window`: sizes of the window, one for each spatial axis.
    - `kind`: "mean" or "max".
    - `stride`: the step of the window; its size if `None`.
    - `padding`: as of `ConvolutionSynapse`, less than the window; what is outside does not count.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [krotov2021hierarchical]; [hoover2022universal]
    """

    window: tuple[int, ...] = eqx.field(static=True)
    kind: Literal["mean", "max"] = eqx.field(static=True)
    stride: tuple[int, ...] = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    drives: ClassVar[tuple[Range, ...]] = ("signed", "signed")

    def __init__(
        self,
        window: tuple[int, ...],
        kind: Literal["mean", "max"] = "mean",
        *,
        stride: int | tuple[int, ...] | None = None,
        padding: Padding = "VALID",
    ):
        if not isinstance(window, tuple | list) or not window:
            raise ValueError(
                f"`window` must have one size for each spatial axis, but it is {window!r}."
            )
        self.window = _steps("window", tuple(window), len(window))
        if kind not in ("mean", "max"):
            raise ValueError(f"`kind` must be 'mean' or 'max', but it is {kind!r}.")
        self.kind = kind
        self.stride = self.window if stride is None else _steps("stride", stride, len(window))
        self.padding = _padding(padding, len(window))
        if not isinstance(self.padding, str) and any(
            max(pair) >= size for pair, size in zip(self.padding, self.window, strict=True)
        ):
            raise ValueError(
                f"`padding` must be smaller than the window {self.window}, or a window sees "
                f"nothing, but it is {self.padding}."
            )

    @property
    def linear(self) -> tuple[bool, ...]:
        """In the upper layer always; in the lower one for the mean."""
        return (self.kind == "mean", True)

    @property
    def remark(self) -> str:
        """Its kind and window."""
        return f"{self.kind} of {times(self.window)}"

    def __call__(self, lower: Float[Array, "..."], upper: Float[Array, "..."]) -> Float[Array, ""]:
        """−⟨f, pool(g)⟩."""
        return -inner(upper, self.drive(lower))

    def drive(self, lower: Float[Array, "..."]) -> Float[Array, "..."]:
        """pool(g), in the upper layer's shape."""
        wide = lower.astype(accumulate(lower.dtype))
        if self.kind == "max":
            return self._reduce(wide, -jnp.inf, jax.lax.max)
        return self._reduce(wide, 0.0, jax.lax.add) / self._reduce(
            jnp.ones_like(wide), 0.0, jax.lax.add
        )

    def _reduce(self, array, start, operation):
        padding = self.padding if isinstance(self.padding, str) else [*self.padding, (0, 0)]
        window, stride = (*self.window, 1), (*self.stride, 1)
        start = np.asarray(start, array.dtype)
        return jax.lax.reduce_window(array, start, operation, window, stride, padding)

    def check(self, layers: Layers) -> None:
        """Refuse layers that the window does not fit."""
        check_count(self, layers, 2)
        lower = next(iter(layers.values()))
        if len(lower.shape) != len(self.window) + 1:
            raise ValueError(
                f"`window` {self.window} needs a lower layer of {len(self.window)} spatial axes "
                f"and its channels, but joins {named(layers)}."
            )
        _check_upper(
            self, layers, (*_outcome(lower.shape[:-1], self.window, self), lower.shape[-1])
        )


def _outcome(sizes, window, synapse) -> tuple[int, ...]:
    """The spatial sizes of the upper layer."""
    if synapse.padding == "SAME":
        return tuple(-(-n // s) for n, s in zip(sizes, synapse.stride, strict=True))
    ends = ((0, 0),) * len(sizes) if synapse.padding == "VALID" else synapse.padding
    return tuple(
        max((n + sum(end) - w) // s + 1, 0)
        for n, w, s, end in zip(sizes, window, synapse.stride, ends, strict=True)
    )


def _check_upper(synapse, layers, expected):
    if 0 in expected:
        raise ValueError(
            f"The window of {type(synapse).__name__} is larger than the lower layer, padding "
            f"included; it joins {named(layers)}."
        )
    if list(layers.values())[1].shape != expected:
        raise ValueError(
            f"{type(synapse).__name__} makes an upper layer of shape {expected}, but joins "
            f"{named(layers)}."
        )


def _steps(name, value, axes) -> tuple[int, ...]:
    steps = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    good = all(isinstance(s, int) and not isinstance(s, bool) and s >= 1 for s in steps)
    if len(steps) != axes or not good:
        raise ValueError(
            f"`{name}` must be a positive whole number, one for each of {axes} spatial axes, "
            f"but it is {value!r}."
        )
    return steps


def _padding(padding, axes) -> Padding:
    if padding in ("SAME", "VALID"):
        return padding
    if not isinstance(padding, tuple | list) or len(padding) != axes:
        raise ValueError(
            f"`padding` must be 'SAME', 'VALID' or (before, after) for each of {axes} spatial "
            f"axes, but it is {padding!r}."
        )
    pairs = tuple(tuple(pair) if isinstance(pair, tuple | list) else pair for pair in padding)
    for pair in pairs:
        if not (
            isinstance(pair, tuple)
            and len(pair) == 2
            and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in pair)
        ):
            raise ValueError(
                f"`padding` must hold pairs (before, after) of whole numbers, but holds {pair!r}."
            )
    return pairs
