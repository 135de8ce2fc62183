"""Errors of random features of the exponential kernel, independent and orthogonal."""

import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Float

from .arguments import Numbers, bounded, one_of, reals, whole

# Of the sum over powers of ω·z. Beyond z² = 709 the error itself is infinite in double precision.
_TERMS = 1024


def softmax_feature_error(
    product: Numbers, squares: Numbers, count: Numbers, kind: str = "positive"
) -> Float[Array, "..."]:
    """The mean squared error of φ(x)·φ(y) as an estimate of K = exp(x·y), Y independent directions.

    With z² = |x + y|² and Δ² = |x − y|² it is K²/Y times

    | kind | factor | zero at |
    |---|---|---|
    | `"positive"` | exp(z²) − 1 | y = −x |
    | `"hyperbolic"` | cosh(z²) − 1 | y = −x |
    | `"trigonometric"` | cosh(Δ²) − 1 | y = x |

    **Arguments:**

    - `product`: x·y, times β where there is one, any shape.
    - `squares`: |x|² + |y|², times β, at least 2|x·y|, any shape.
    - `count`: Y ≥ 1, the number of directions, whole, any shape.
    - `kind`: of the features, see `attrax.similarity.SoftmaxFeatures`.

    **Returns:** in units of K², of the arguments' joint shape.

    **Raises:** `ValueError` for squares that no x and y have, fewer than one direction, or an
    unknown kind.

    **Source:** [choromanski2021rethinking]
    """
    one_of("kind", kind, ("positive", "hyperbolic", "trigonometric"))
    product, squares, count = _arguments(product, squares, count)
    exponent = squares + (-2 if kind == "trigonometric" else 2) * product
    # cosh(u) − 1 = 2 sinh²(u/2), which is exact for small u.
    spread = jnp.expm1(exponent) if kind == "positive" else 2 * jnp.sinh(exponent / 2) ** 2
    return jnp.exp(2 * product) * spread / count


def orthogonal_feature_error(
    product: Numbers, squares: Numbers, count: Numbers, width: Numbers, kind: str = "positive"
) -> Float[Array, "..."]:
    """The mean squared error where directions are orthogonal in blocks of d, of normal lengths.

    Two directions of a block add up to a vector of squared length χ²_{2d} and uniform direction,
    so that E exp((ω₁ + ω₂)·z) = ₁F₁(d; d/2; ½z²), where it is exp(z²) for independent ones. With p
    ordered pairs within blocks, d(d − 1) in each whole one, `softmax_feature_error` becomes less by

    p K²/Y² (1 − exp(−z²) ₁F₁(d; d/2; ½z²)).

    **Arguments:**

    - `product`, `squares`: see `softmax_feature_error`.
    - `count`: Y ≥ 1, the number of directions, whole, any shape. The last block may be cut.
    - `width`: d ≥ 1, the number of entries of a row, whole, any shape.
    - `kind`: "positive" or "hyperbolic", which gain alike.

    **Returns:** in units of K², of the arguments' joint shape.

    **Raises:** `ValueError` as `softmax_feature_error`, and for sizes that are not whole.

    **Source:** derived here; bounded in [choromanski2021rethinking]
    """
    one_of("kind", kind, ("positive", "hyperbolic"))
    product, squares, count, width = _arguments(product, squares, count, width)
    independent = softmax_feature_error(product, squares, count, kind)
    left = jnp.mod(count, width)
    pairs = (count - left) * (width - 1) + left * (left - 1)
    # ₁F₁(d; d/2; ½z²) = Σ_k ρ_k |z|^2k/k! with ρ_k = Π_{i<k} (d + i)/(d + 2i): a mean over k of a
    # Poisson law of mean z². Of products near one, logarithms are summed.
    steps = jnp.arange(_TERMS, dtype=product.dtype).reshape((1,) * product.ndim + (-1,))
    falls = jnp.log1p(-steps / (width[..., None] + 2 * steps))
    ratios = jnp.cumsum(falls, axis=-1) - falls
    mean = jnp.maximum(squares + 2 * product, 0)[..., None]
    chances = jnp.exp(xlogy(steps, mean) - mean - gammaln(steps + 1))
    gain = -jnp.sum(chances * jnp.expm1(ratios), axis=-1)
    return independent - pairs * jnp.square(jnp.exp(product) / count) * gain


def orthogonal_feature_bound(
    product: Numbers, squares: Numbers, count: Numbers, width: Numbers
) -> Float[Array, "..."]:
    """What the error of Y ≤ d orthogonal positive features does not exceed.

    `softmax_feature_error` less 2(Y − 1)/(Y(d + 2)) (K − exp(−½ (|x|² + |y|²)))². The error itself
    is `orthogonal_feature_error`.

    **Arguments:**

    - `product`, `squares`, `count`, `width`: see `orthogonal_feature_error`; Y ≤ d.

    **Returns:** in units of K², of the arguments' joint shape.

    **Raises:** `ValueError` as `orthogonal_feature_error`, and for more directions than entries.

    **Source:** [choromanski2021rethinking]
    """
    product, squares, count, width = _arguments(product, squares, count, width)
    bounded("width less count", width - count, 0)
    independent = softmax_feature_error(product, squares, count)
    gap = jnp.exp(product) - jnp.exp(-squares / 2)
    return independent - 2 * (count - 1) / (count * (width + 2)) * jnp.square(gap)


def _arguments(product, squares, count, width=None):
    """All of them in one type and shape, checked."""
    given = {"product": product, "squares": squares, "count": count}
    given |= {} if width is None else {"width": width}
    product, squares, *sizes = reals(**given)
    # Of rows that are equal or opposite, rounding may leave less.
    rounding = 8 * float(jnp.finfo(product.dtype).eps)
    bounded("squares less 2 |product|", squares * (1 + rounding) - 2 * jnp.abs(product), 0)
    for name, size in zip(("count", "width"), sizes, strict=False):
        bounded(name, size, 1)
        whole(name, size)
    return product, squares, *sizes
