"""Networks that classify images: an image that is held, neurons between, and a layer of labels."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..dynamics import Euler, FixedPoint, Iterate
from ..hierarchical import (
    ConvolutionSynapse,
    DenseSynapse,
    HierarchicalMemory,
    LayerSpace,
    Neurons,
    PoolingSynapse,
    SeparationLagrangian,
    Tanh,
)
from ..separation import Power, Softmax

WINDOW, STRIDE, POOL = 5, 2, 2
# Labels act back with a gain of about β|V|², and their logits are β V f: sharp labels with small
# weights V leave an image one fixed point, where β = 1 makes the labels a winner-take-all.
SHARP = 10.0
# While weights still change much, the gradient needs no better.
SOLVER = FixedPoint(rtol=1e-3, atol=1e-4, max_steps=20)
# The same exact updates, which can be watched.
SWEEPS = Iterate(rtol=1e-4, atol=1e-5, max_steps=30)
# Exactly ten steps: a tolerance that no state meets.
STEPS = Euler(0.4, rtol=0.0, atol=1e-30, max_steps=10)

Image = Float[Array, " d"]
Logits = Float[Array, " classes"]
Reading = Callable[[HierarchicalMemory, Image], Logits]


def relu() -> SeparationLagrangian:
    """The Lagrangian ½ Σ max(x, 0)², whose activation is max(x, 0)."""
    return SeparationLagrangian(Power(1, rectified=True))


def linear_network(key: jax.Array, pixels: int, classes: int) -> HierarchicalMemory:
    """Image and labels: logistic regression, since the image is held and nothing comes back."""
    return HierarchicalMemory(
        {"image": Neurons(pixels, clamped=True), "label": Neurons(classes, Softmax(SHARP))},
        {("image", "label"): _labels(key, classes, pixels)},
    )


def dense_network(key: jax.Array, pixels: int, classes: int, hidden: int) -> HierarchicalMemory:
    """Image, hidden ReLU neurons, and labels that act back on them."""
    first, second = jax.random.split(key)
    return HierarchicalMemory(
        {
            "image": Neurons(pixels, clamped=True),
            "hidden": Neurons(hidden, relu()),
            "label": Neurons(classes, Softmax(SHARP)),
        },
        {
            ("image", "hidden"): _dense(first, hidden, pixels, math.sqrt(2)),
            ("hidden", "label"): _labels(second, classes, hidden),
        },
    )


def convolutional_network(
    key: jax.Array, shape: tuple[int, int, int], classes: int, channels: int
) -> HierarchicalMemory:
    """Image (H, W, C), ReLU features by a convolution, their means over windows, and labels."""
    first, second = jax.random.split(key)
    features = tuple((n - WINDOW) // STRIDE + 1 for n in shape[:2])
    pooled = tuple(n // POOL for n in features)
    kernel = jax.random.normal(first, (WINDOW, WINDOW, shape[2], channels))
    return HierarchicalMemory(
        {
            "image": Neurons(shape, clamped=True),
            "features": Neurons((*features, channels), relu()),
            "pooled": Neurons((*pooled, channels)),
            "label": Neurons(classes, Softmax(SHARP)),
        },
        {
            ("image", "features"): ConvolutionSynapse(
                kernel * math.sqrt(2 / (WINDOW**2 * shape[2])), stride=STRIDE
            ),
            ("features", "pooled"): PoolingSynapse((POOL, POOL), "mean"),
            ("pooled", "label"): _labels(second, classes, math.prod(pooled) * channels),
        },
    )


def fast_network(
    key: jax.Array, pixels: int, classes: int, hidden: int, lagrangian: Any
) -> HierarchicalMemory:
    """The `hn` models of HAMUX 0.1.1: tanh image, softmax labels, and fast neurons above both."""
    first, second = jax.random.split(key)
    return HierarchicalMemory(
        {
            "image": Neurons(pixels, Tanh(), clamped=True),
            "label": Neurons(classes, Softmax(SHARP), start=jnp.zeros(classes)),
            "hidden": Neurons(hidden, lagrangian, tau=0.0),
        },
        {
            ("image", "hidden"): DenseSynapse(0.1 * jax.random.normal(first, (hidden, pixels))),
            ("label", "hidden"): DenseSynapse(0.01 * jax.random.normal(second, (hidden, classes))),
        },
    )


def _dense(key, upper: int, lower: int, gain: float) -> DenseSynapse:
    weights = jax.random.normal(key, (upper, lower)) * (gain / math.sqrt(lower))
    return DenseSynapse(weights, jnp.zeros(upper))


def _labels(key, classes: int, lower: int) -> DenseSynapse:
    return _dense(key, classes, lower, 1 / SHARP)


def learnt(network: HierarchicalMemory) -> int:
    """How many weights and biases a network has, or the shapes of one."""
    leaves = jax.tree.leaves(network.synapses)
    return sum(leaf.size for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact))


def at_start(network: HierarchicalMemory, image: Image) -> Logits:
    """Logits before the network relaxes: one pass up, as in a feed-forward network."""
    return logits(network, network.space(image).initial)


def at_rest(network: HierarchicalMemory, image: Image) -> Logits:
    """Logits at the fixed point, whose gradient is implicit."""
    model: Any = without_image(network, image)
    return logits(network, SOLVER.run(model, model.initial).state)


def after_steps(network: HierarchicalMemory, image: Image) -> Logits:
    """Logits after ten steps of 0.4; the gradient goes through the steps."""
    model: Any = network.space(image)
    return logits(network, STEPS.run(model, model.initial).state)


def logits(network: HierarchicalMemory, states: dict[str, Array]) -> Logits:
    """β x of the labels, whose softmax is their activation."""
    labels: Any = network.neurons["label"].lagrangian
    return labels.separation.beta * states["label"]


def without_image(network: HierarchicalMemory, image: Image) -> LayerSpace:
    """A network for one image, which is held: what it drives is a constant input of the next layer.

    The other layers have the same pulls, and the energy differs by a constant.

    **Arguments:**

    - `network`: its first layer drives the second one and no other.
    - `image`: shape (d,).
    """
    image_layer, driven = network.names[:2]
    drive = network.space(image).initial[driven]
    rest = eqx.tree_at(
        lambda rest: rest.neurons[driven].input,
        network.without(image_layer),
        drive,
        is_leaf=lambda leaf: leaf is None,
    )
    return rest.space(drive.reshape(-1))
