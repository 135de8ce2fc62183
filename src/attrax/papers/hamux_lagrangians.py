"""HAMUX's Lagrangians in attrax, and how far they are from their definitions."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..hierarchical import (
    LayerNorm,
    Neurons,
    Quadratic,
    RectifiedExponential,
    SeparationLagrangian,
    Sigmoid,
    SphericalNorm,
    Tanh,
)
from ..hierarchical.lagrangians import AbstractLagrangian
from ..separation import Exponential, GhostSoftmax, Power, Softmax
from .hamux_networks import relu

EPSILON = 1e-5


class Row(NamedTuple):
    """A Lagrangian of HAMUX: attrax's form of it, and its activation by the book."""

    lagrangian: AbstractLagrangian
    activation: Callable[[np.ndarray], np.ndarray]


def rows() -> dict[str, Row]:
    """Every Lagrangian that HAMUX ships, by its name there."""
    beta, gamma, delta, degree = 1.5, 1.3, 0.2, 4

    def shares(x, ghost):
        terms = np.exp(x)
        return terms / (terms.sum(-1, keepdims=True) + ghost)

    def normed(x):
        centred = x - x.mean(-1, keepdims=True)
        return gamma * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON) + delta

    def spherical(x):
        return gamma * x / np.sqrt((x**2).sum(-1, keepdims=True) + EPSILON) + delta

    return {
        "identity": Row(Quadratic(), lambda x: x),
        "repu": Row(
            SeparationLagrangian(Power(degree - 1, rectified=True)),
            lambda x: np.maximum(x, 0) ** (degree - 1),
        ),
        "relu": Row(relu(), lambda x: np.maximum(x, 0)),
        "exp": Row(SeparationLagrangian(Exponential(beta)), lambda x: np.exp(beta * x)),
        "rexp": Row(RectifiedExponential(beta), lambda x: np.exp(beta * np.maximum(x, 0)) - 1),
        "tanh": Row(Tanh(beta), lambda x: np.tanh(beta * x)),
        "sigmoid": Row(Sigmoid(beta), lambda x: 1 / (1 + np.exp(-beta * x))),
        "softmax": Row(
            SeparationLagrangian(Softmax(beta), axis=-1), lambda x: shares(beta * x, 0.0)
        ),
        "layernorm": Row(LayerNorm(gamma, delta, axis=-1, epsilon=EPSILON), normed),
        "spherical_norm": Row(SphericalNorm(gamma, delta, axis=-1, epsilon=EPSILON), spherical),
        "ghostmax": Row(SeparationLagrangian(GhostSoftmax(), axis=-1), lambda x: shares(x, 1.0)),
    }


class Errors(NamedTuple):
    """Largest differences, relative to what is compared where that is above one.

    - `activation`: of ∇L from the activation, and of the activation from its formula.
    - `legendre`: of ∇ₓE from (∇²L) x, which is ∂E/∂g = x by the chain rule.
    """

    activation: float
    legendre: float


def lagrangian_errors(key: jax.Array, shape: tuple[int, ...] = (3, 6)) -> dict[str, Errors]:
    """How far each Lagrangian is from its definition, on drawn states, in 64 bits."""
    with jax.enable_x64(True):
        state = 2 * jax.random.normal(key, shape, jnp.float64)
        table = rows()

        @jax.jit
        def measured(state):
            return {name: _derivatives(row.lagrangian, state) for name, row in table.items()}

        found = jax.tree.map(np.asarray, measured(state))
        x = np.asarray(state)
    return {
        name: Errors(
            max(_apart(own, slope), _apart(own, table[name].activation(x))),
            _apart(bent, moved),
        )
        for name, (own, slope, bent, moved) in found.items()
    }


def _derivatives(lagrangian, state):
    layer = Neurons(state.shape, lagrangian)
    own, moved = jax.jvp(layer.activation, (state,), (state,))
    return own, jax.grad(lagrangian.value)(state), jax.grad(layer.energy)(state), moved


def _apart(found, expected) -> float:
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))
