"""Any convex function as a Lagrangian, and whether one is convex, tried on drawn states."""

import math
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..common.arithmetic import Range
from ..common.checks import check_function, is_concrete, name_of, shape_of
from .lagrangians import AbstractLagrangian

_SCALES = (0.1, 1.0, 10.0)
_REACHES = (0.05, 1.5)
# At most so many pairs, and fewer in layers so large that their states take more entries than this.
_PAIRS, _ENTRIES = 32, 1 << 22
# Of the cosine, below which it is no rounding error of activations in single precision.
_ROOM = 1e-4


class ConvexFunction(AbstractLagrangian):
    """Any convex function of a layer's state; its gradient is found by differentiation.

    `Neurons` tries on drawn states whether it is convex, since energy can rise otherwise.

    **Arguments:**

    - `fn`: a differentiable function of an array of the layer's shape to a scalar, such as
      `lambda x: jnp.sum(x**4)` for g = 4x³.

    **Raises:** `TypeError` if `fn` cannot be called.

    **Source:** [krotov2021hierarchical]
    """

    fn: Callable = eqx.field(static=True)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = False

    def __check_init__(self):
        """Refuse what cannot be called."""
        check_function("fn", self.fn)

    @property
    def label(self) -> str:
        """The name of the function."""
        return name_of(self.fn)

    def value(self, state):
        """The function itself."""
        return self.fn(state)

    def activation(self, state):
        """Its gradient."""
        return jax.grad(self.fn)(state)

    def check(self, shape):
        """Refuse a function that is not convex on drawn states of the shape."""
        check_convex(self, shape)


def check_convex(
    lagrangian: AbstractLagrangian, shape: tuple[int, ...], *, key: jax.Array | None = None
) -> None:
    """Refuse a Lagrangian whose activation is not monotone on drawn pairs of states.

    L is convex exactly if (g(x) − g(y))·(x − y) ≥ 0 for all states. Pairs near one another and
    far apart are drawn at three scales; what passes may still be concave elsewhere. Under `jit`
    nothing is checked.

    **Arguments:**

    - `lagrangian`: what is tried.
    - `shape`: the layer's shape.
    - `key`: of the draws; a fixed one if `None`, so that the answer is always the same.

    **Raises:** `ValueError` that names a pair's scale and by how much it fails, or says that the
    function does not give one finite number.
    """
    dtype = jnp.zeros(()).dtype
    value = eqx.filter_eval_shape(lagrangian.value, jax.ShapeDtypeStruct(shape, dtype))
    if shape_of(value) != ():
        raise ValueError(f"A Lagrangian must give one number for a layer, but gives {value}.")
    if not is_concrete(key):
        return
    # Not by jax.random, which would be compiled for every shape, for seconds.
    rng = np.random.default_rng(0 if key is None else np.asarray(jax.random.key_data(key)))
    kinds = (2, len(_SCALES), len(_REACHES))
    pairs = min(_PAIRS, max(2, _ENTRIES // (math.prod(kinds) * math.prod(shape))))
    draws = rng.normal(size=(*kinds, pairs, *shape)).astype(dtype)
    least = _monotone(lagrangian, draws)
    if not is_concrete(least):
        return
    for scale, low in zip(_SCALES, least.tolist(), strict=True):
        if low != low:
            raise ValueError(
                f"The Lagrangian is not finite for states of size {scale:g} "
                f"({type(lagrangian).__name__}); it must be defined for all states."
            )
        if low < -_ROOM:
            raise ValueError(
                f"The Lagrangian is not convex: for two states of size {scale:g} the cosine "
                f"between (g(x) − g(y)) and (x − y) is {low:.3g}, below 0, so the energy could "
                "rise. Take a convex function, such as one rectified below zero."
            )


@eqx.filter_jit
def _monotone(lagrangian, draws):
    """The least cosine between differences of activations and of states, at each scale."""

    def one(x, step, scale, reach):
        x = scale * x
        y = x + reach * scale * step
        g, h = lagrangian.activation(x), lagrangian.activation(y)
        along = jnp.sum((g - h) * (x - y))
        apart = jnp.linalg.norm(jnp.ravel(x - y))
        size = jnp.linalg.norm(jnp.ravel(g - h)) * apart
        loss = (jnp.linalg.norm(jnp.ravel(g)) + jnp.linalg.norm(jnp.ravel(h))) * apart
        rounding = 32 * jnp.finfo(along.dtype).eps * loss
        return jnp.where(jnp.abs(along) <= rounding, 0.0, along / jnp.where(size == 0, 1, size))

    pairs = jax.vmap(one, (0, 0, None, None))
    reaches = jax.vmap(pairs, (0, 0, None, 0))
    scales = jax.vmap(reaches, (0, 0, 0, None))
    sizes = (jnp.asarray(numbers, draws.dtype) for numbers in (_SCALES, _REACHES))
    return jnp.min(scales(draws[0], draws[1], *sizes), axis=(1, 2))
