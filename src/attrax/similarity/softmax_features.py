"""Random features of the exponential kernel, by which attention is linear in its length."""

import abc
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, products
from ..common.checks import GIVEN, is_concrete, number, one_of, positive
from .directions import Lengths, random_directions

Kind = Literal["positive", "hyperbolic", "trigonometric"]


class AbstractScaledFeatures(eqx.Module):
    """A feature map φ that also gives its features with their scales apart, as exponents.

    Ratios of sums of features are what attention reads, and exponents let them be taken without
    overflow.
    """

    @abc.abstractmethod
    def scaled(self, row: Float[Array, " d"]) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        """Factors of moderate size and exponents e, both of shape (m,): φ = factor · exp(e)."""

    def __call__(self, row: Float[Array, " d"]) -> Float[Array, " m"]:
        """Features of one row, shape (m,), in at least 32 bits.

        **Arguments:**

        - `row`: shape (d,).
        """
        factors, exponents = self.scaled(row)
        return factors * jnp.exp(exponents)


class SoftmaxFeatures(AbstractScaledFeatures):
    """φ(x) with E φ(x)·φ(y) = exp(β x·y), over Y random directions ω.

    | kind | φ(x) √Y | error is zero |
    |---|---|---|
    | `"positive"` | exp(√β ωx − ½ β|x|²) | at y = −x |
    | `"hyperbolic"` | exp(±√β ωx − ½ β|x|²)/√2, 2 Y features | at y = −x |
    | `"trigonometric"` | exp(½ β|x|²) (cos √β ωx, sin √β ωx), 2 Y features | at y = x |

    Positive features are what attention needs: it divides by a sum that may be zero or negative
    under trigonometric ones. Their error grows as exp(½ β|x + y|²), so rows are to be short.
    `attrax.theory.softmax_feature_error` has all three errors.

    ```python
    similarity = Kernel(SoftmaxFeatures(64, 256, key=jax.random.key(0)), range="positive")
    linear = SumNormalised(Identity())
    memory = Memory(keys, values, similarity=similarity, separation=linear).superpose()
    ```

    **Arguments:**

    - `width`: d, the number of entries of a row.
    - `count`: Y, how many directions are drawn.
    - `beta`: β > 0, in units of 1/(x·y); 1/√d in attention.
    - `kind`: see the table.
    - `orthogonal`, `lengths`: of the directions, see `random_directions`.
    - `key`: of the directions.

    **Raises:** `ValueError` for numbers that are not whole or not positive, or an unknown `kind` or
    `lengths`; `TypeError` if `key` is not a random key.

    **Source:** [choromanski2021rethinking]
    """

    directions: Float[Array, "y d"] = eqx.field(metadata=GIVEN)
    beta: Float[Array, ""] = eqx.field(metadata=GIVEN)
    kind: Kind = eqx.field(static=True)
    orthogonal: bool = eqx.field(static=True)
    lengths: Lengths = eqx.field(static=True)

    def __init__(
        self,
        width: int,
        count: int,
        beta: ArrayLike = 1.0,
        kind: Kind = "positive",
        *,
        orthogonal: bool = True,
        lengths: Lengths = "normal",
        key: Array,
    ):
        one_of("kind", kind, ("positive", "hyperbolic", "trigonometric"))
        self.beta = positive("beta", beta)
        self.kind, self.orthogonal, self.lengths = kind, bool(orthogonal), lengths
        self.directions = random_directions(
            count, width, orthogonal=orthogonal, lengths=lengths, key=key
        )

    @property
    def width(self) -> int:
        """d, the number of entries of a row."""
        return self.directions.shape[1]

    @property
    def count(self) -> int:
        """Y, the number of directions."""
        return self.directions.shape[0]

    @property
    def size(self) -> int:
        """m, the number of features: Y, or 2 Y."""
        return self.count if self.kind == "positive" else 2 * self.count

    def redraw(self, key: Array) -> "SoftmaxFeatures":
        """The same feature map with other directions.

        **Arguments:**

        - `key`: of the directions.

        **Raises:** `TypeError` if `key` is not a random key.
        """
        return SoftmaxFeatures(
            self.width,
            self.count,
            self.beta,
            self.kind,
            orthogonal=self.orthogonal,
            lengths=self.lengths,
            key=key,
        )

    def scaled(self, row: Float[Array, " d"]) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        """See `AbstractScaledFeatures.scaled`."""
        dtype = accumulate(row.dtype)
        row = jnp.sqrt(self.beta.astype(dtype)) * row.astype(dtype)
        angles = products(self.directions.astype(dtype), row)
        half = 0.5 * jnp.sum(jnp.square(row))
        root = jnp.sqrt(jnp.asarray(self.size if self.kind == "hyperbolic" else self.count, dtype))
        if self.kind == "trigonometric":
            factors = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)]) / root
            return factors, jnp.broadcast_to(half, factors.shape)
        if self.kind == "hyperbolic":
            angles = jnp.concatenate([angles, -angles])
        return jnp.broadcast_to(1 / root, angles.shape), angles - half


class RectifiedFeatures(eqx.Module):
    """φ(x) = (max(ωx, 0) + ε)/√m: generalised attention, which is not an estimate of softmax.

    Its kernel without ε is, for an angle θ between x and y, that of order one in the arc cosine,
    E φ(x)·φ(y) = |x||y| (sin θ + (π − θ) cos θ)/2π. It hardly varies from draw to draw and never
    overflows.

    **Arguments:**

    - `width`: d, the number of entries of a row.
    - `count`: m, how many directions and features there are.
    - `epsilon`: ε ≥ 0, what all features have at least, so that sums of them are not zero.
    - `orthogonal`: of the directions, see `random_directions`.
    - `key`: of the directions.

    **Raises:** `ValueError` for numbers that are not whole, or a negative `epsilon`; `TypeError` if
    `key` is not a random key.

    **Source:** [choromanski2021rethinking]; the kernel [cho2009kernel]
    """

    directions: Float[Array, "m d"] = eqx.field(metadata=GIVEN)
    epsilon: Float[Array, ""] = eqx.field(metadata=GIVEN)
    orthogonal: bool = eqx.field(static=True)

    def __init__(
        self,
        width: int,
        count: int,
        epsilon: ArrayLike = 1e-3,
        *,
        orthogonal: bool = True,
        key: Array,
    ):
        self.epsilon = number("epsilon", epsilon)
        if is_concrete(self.epsilon) and float(self.epsilon) < 0:
            raise ValueError(f"`epsilon` must be at least 0, but it is {float(self.epsilon)}.")
        self.orthogonal = bool(orthogonal)
        self.directions = random_directions(count, width, orthogonal=orthogonal, key=key)

    @property
    def width(self) -> int:
        """d, the number of entries of a row."""
        return self.directions.shape[1]

    @property
    def count(self) -> int:
        """The number of directions."""
        return self.directions.shape[0]

    @property
    def size(self) -> int:
        """m, the number of features."""
        return self.count

    def redraw(self, key: Array) -> "RectifiedFeatures":
        """The same feature map with other directions; see `SoftmaxFeatures.redraw`."""
        return RectifiedFeatures(
            self.width, self.count, self.epsilon, orthogonal=self.orthogonal, key=key
        )

    def __call__(self, row: Float[Array, " d"]) -> Float[Array, " m"]:
        """Features of one row, shape (m,), in at least 32 bits.

        **Arguments:**

        - `row`: shape (d,).
        """
        dtype = accumulate(row.dtype)
        drives = products(self.directions.astype(dtype), row.astype(dtype))
        rectified = jnp.maximum(drives, 0) + self.epsilon.astype(dtype)
        return rectified / jnp.sqrt(jnp.asarray(self.count, dtype))
