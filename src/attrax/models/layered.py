"""Layered networks: a stack of dense, convolutional and pooling layers, and a network of rules."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, native, positive
from ..hierarchical import (
    AbstractLagrangian,
    ConvolutionSynapse,
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    PoolingSynapse,
    SeparationLagrangian,
)
from ..separation import AbstractSeparation, Softmax

Activation = AbstractSeparation | AbstractLagrangian
Shape = int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """A layer of which every neuron is joined with every one of the layer below.

    **Arguments:**

    - `shape`: how many neurons, or their shape.
    - `lagrangian`: a Lagrangian or a separation, whose gradient is the activation; `Quadratic()`
      if `None`.
    - `tau`: time constant, ≥ 0, in the unit of the other layers; 0 is fast.
    - `weights`: shape (neurons, neurons of the layer below); drawn if `None`, with variance one
      over the neurons below.

    **Source:** [krotov2021hierarchical]
    """

    shape: Shape
    lagrangian: Activation | None = None
    tau: float = 1.0
    weights: Any = None


@dataclass(frozen=True, eq=False)
class ConvolutionLayer:
    """A layer that is a convolution of the layer below, as `ConvolutionSynapse` says.

    **Arguments:**

    - `channels`: how many maps it has, each with one kernel.
    - `window`: the kernel's size, one for each spatial axis.
    - `lagrangian`: a Lagrangian or a separation; `Quadratic()` if `None`.
    - `tau`: time constant, ≥ 0, in the unit of the other layers; 0 is fast.
    - `stride`: the step of the window, one for all axes or one each.
    - `padding`: "VALID", "SAME", or (before, after) for each spatial axis.
    - `kernel`: shape (*window, channels below, channels); drawn if `None`, with variance one over
      the entries that a neuron sees.

    **Source:** [krotov2021hierarchical]
    """

    channels: int
    window: tuple[int, ...]
    lagrangian: Activation | None = None
    tau: float = 1.0
    stride: int | tuple[int, ...] = 1
    padding: Any = "VALID"
    kernel: Any = None


@dataclass(frozen=True, eq=False)
class PoolingLayer:
    """A layer that sees the mean, or the largest, of each window of the layer below.

    **Arguments:**

    - `window`: its size, one for each spatial axis.
    - `kind`: "mean" or "max".
    - `lagrangian`: a Lagrangian or a separation; `Quadratic()` if `None`.
    - `tau`: time constant, ≥ 0, in the unit of the other layers; 0 is fast.
    - `stride`: the step of the window; its size if `None`.
    - `padding`: "VALID", "SAME", or (before, after) for each spatial axis.

    **Source:** [krotov2021hierarchical]; [hoover2022universal]
    """

    window: tuple[int, ...]
    kind: Literal["mean", "max"] = "mean"
    lagrangian: Activation | None = None
    tau: float = 1.0
    stride: int | tuple[int, ...] | None = None
    padding: Any = "VALID"


Layer = DenseLayer | ConvolutionLayer | PoolingLayer


def layered(
    shape: Shape,
    layers: Sequence[Layer],
    *,
    lagrangian: Activation | None = None,
    tau: float = 1.0,
    key: jax.Array | None = None,
) -> HierarchicalMemory:
    """A stack of layers, each joined with the next, the same weights up and down.

    τ_A ẋ_A = ξ_A g_{A−1} + ξᵀ_{A+1} g_{A+1} − x_A, and the same with convolutions and pooling.

    ```python
    network = layered(
        (28, 28, 1),
        [
            ConvolutionLayer(8, (5, 5), Power(1, rectified=True), tau=0.5, stride=2),
            PoolingLayer((2, 2)),
            DenseLayer(10, Softmax(4.0), tau=0.2),
        ],
        lagrangian=Tanh(),
        key=jax.random.key(0),
    )
    ```

    The energy is bounded below if every synapse joins at least one layer of bounded activations,
    such as `Tanh` and `Softmax`, and the other grows no faster than linearly.

    **Arguments:**

    - `shape`: of the visible layer: a whole number, or a shape whose last axis is channels.
    - `layers`: the layers above it, from below: `DenseLayer`, `ConvolutionLayer`, `PoolingLayer`.
    - `lagrangian`: of the visible layer, a Lagrangian or a separation; `Quadratic()` if `None`.
    - `tau`: time constant of the visible layer, > 0.
    - `key`: of the weights that are not given; not needed if all are.

    **Returns:** a network with the layers "visible", "hidden 1", "hidden 2", …

    **Raises:** `ValueError` or `TypeError` for layers that do not fit onto one another, and for
    weights that would have to be drawn without a `key`.

    **Source:** [krotov2021hierarchical]
    """
    if isinstance(layers, Layer) or not isinstance(layers, Sequence) or not layers:
        raise TypeError(
            "`layers` must be a list of DenseLayer, ConvolutionLayer or PoolingLayer, from below, "
            f"but it is {layers!r}."
        )
    names = ["visible", *(f"hidden {i + 1}" for i in range(len(layers)))]
    neurons = {"visible": Neurons(shape, lagrangian, tau)}
    synapses = {}
    for i, (layer, below, above) in enumerate(zip(layers, names, names[1:], strict=False)):
        drawn = None if key is None else jax.random.fold_in(key, i)
        upper, synapse = _stacked(layer, above, neurons[below], drawn)
        neurons[above] = Neurons(upper, layer.lagrangian, layer.tau)
        synapses[(below, above)] = synapse
    return HierarchicalMemory(neurons, synapses)


def blocks_and_rules(
    primitives: ArrayLike,
    rules: ArrayLike,
    *,
    beta: ArrayLike | None = None,
    strength: ArrayLike = 1.0,
    tau: tuple[float, float] = (0.5, 0.2),
) -> HierarchicalMemory:
    """A network of what there is and how it goes together: primitives below, rules above.

    The visible layer has blocks. Each block has its own primitives, between which a softmax
    chooses, and a rule names one primitive for each block. From below the primitives are driven
    by their overlaps with the block, from above by the rule that fits best; so a block that shows
    nothing is completed by what goes with the others.

    **Arguments:**

    - `primitives`: shape (blocks, primitives, d), entries usually −1 and +1.
    - `rules`: the index of a primitive for each block, one rule a row, shape (rules, blocks).
    - `beta`: inverse temperature of the primitives, > 0, in units of 1/overlap; 4 over the mean
      |primitive|² if `None`.
    - `strength`: by how much a rule drives its primitives, > 0, as a share of what a block that
      shows one drives it by, the mean |primitive|².
    - `tau`: time constants of primitives and rules, ≥ 0, in units of the visible layer's.

    **Returns:** a network with the layers "visible" (blocks, d), "primitives" (blocks, primitives)
    and "rules" (rules,).

    **Raises:** `ValueError` or `TypeError` for wrong shapes, and rules that name no primitive.

    **Source:** [krotov2021hierarchical]
    """
    rows = as_floats("primitives", primitives, ndim=3)
    blocks, count, width = rows.shape
    named = _checked_rules(rules, blocks, count)
    norm = jnp.mean(jnp.sum(jnp.square(rows.astype(accumulate(rows.dtype))), -1))
    inverse = 4 / norm if beta is None else positive("beta", beta)
    drive = norm * positive("strength", strength).astype(norm.dtype)
    # Each primitive sees its own block alone: a matrix of blocks.
    below = jnp.zeros((blocks, count, blocks, width), rows.dtype)
    for block in range(blocks):
        below = below.at[block, :, block].set(rows[block])
    above = jnp.zeros((len(named), blocks, count), rows.dtype)
    above = above.at[np.arange(len(named))[:, None], np.arange(blocks), named].set(drive)
    neurons = {
        "visible": Neurons((blocks, width)),
        "primitives": Neurons(
            (blocks, count), SeparationLagrangian(Softmax(inverse), axis=-1), tau[0]
        ),
        # A rule is driven by up to one `drive` a block.
        "rules": Neurons(len(named), Softmax(4 / drive), tau[1]),
    }
    synapses: dict[Any, Any] = {
        ("visible", "primitives"): DenseSynapse(below.reshape(blocks * count, -1)),
        ("primitives", "rules"): DenseSynapse(above.reshape(len(named), -1)),
    }
    return HierarchicalMemory(neurons, synapses)


def _stacked(layer: Layer, name: str, below: Neurons, key):
    """The shape of a layer, and the synapse that joins it with the one below."""
    if isinstance(layer, DenseLayer):
        # Its own check refuses shapes that are none.
        upper = Neurons(layer.shape).shape
        size = (math.prod(upper), below.size)
        weights = layer.weights
        if weights is None:
            weights = _drawn(key, name, size, below.size)
        return upper, DenseSynapse(weights)
    if not isinstance(layer, ConvolutionLayer | PoolingLayer):
        raise TypeError(
            f"`layers` must hold DenseLayer, ConvolutionLayer or PoolingLayer, but {name!r} is "
            f"{type(layer).__name__}."
        )
    window = layer.window
    if not isinstance(window, tuple | list) or len(window) != len(below.shape) - 1:
        raise ValueError(
            f"`window` of {name!r} must have one size for each axis of the layer below but its "
            f"last, the channels; it is {window!r}, and that layer's shape is {below.shape}."
        )
    if isinstance(layer, PoolingLayer):
        pooling = PoolingSynapse(
            tuple(window), layer.kind, stride=layer.stride, padding=layer.padding
        )
        return _outcome(pooling, below, name), pooling
    kernel = layer.kernel
    if kernel is None:
        size = (*window, below.shape[-1], layer.channels)
        if not all(isinstance(n, int) and n >= 1 for n in size):
            raise ValueError(
                f"`window` and `channels` of {name!r} must be positive whole numbers, but are "
                f"{window!r} and {layer.channels!r}."
            )
        kernel = _drawn(key, name, size, math.prod(size[:-1]))
    convolution = ConvolutionSynapse(kernel, stride=layer.stride, padding=layer.padding)
    expected = (*window, below.shape[-1], layer.channels)
    if convolution.kernel.shape != expected:
        raise ValueError(
            f"`kernel` of {name!r} must have shape {expected}, "
            f"but its shape is {convolution.kernel.shape}."
        )
    return _outcome(convolution, below, name), convolution


def _outcome(synapse, below: Neurons, name: str) -> tuple[int, ...]:
    """The shape that a synapse makes of the layer below."""
    lower = jax.ShapeDtypeStruct(below.shape, jnp.zeros(()).dtype)
    shape = jax.eval_shape(synapse.drive, lower).shape
    if min(shape) < 1:
        raise ValueError(
            f"`window` of {name!r} does not fit into the layer below, whose shape is {below.shape}."
        )
    return shape


def _drawn(key, name, size, inputs):
    if key is None:
        raise ValueError(
            f"`key` is needed to draw the weights of {name!r}: pass key=jax.random.key(0), say, "
            "or give them to the layer."
        )
    return jax.random.normal(key, size) / math.sqrt(inputs)


def _checked_rules(rules, blocks: int, count: int) -> np.ndarray:
    named = np.asarray(native("rules", rules))
    if named.ndim != 2 or named.shape[1] != blocks or not len(named):
        raise ValueError(
            f"`rules` must have shape (rules, {blocks}), one primitive for each block, "
            f"but its shape is {named.shape}."
        )
    if named.dtype.kind not in "iu":
        raise TypeError(
            f"`rules` must hold whole numbers, the indices of primitives, not {named.dtype}."
        )
    if named.min() < 0 or named.max() >= count:
        raise ValueError(
            f"`rules` must name primitives from 0 to {count - 1}, "
            f"but holds {named.min()} to {named.max()}."
        )
    return named
