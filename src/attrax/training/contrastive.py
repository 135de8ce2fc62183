"""Contrastive learning: pairs that belong together are told apart from all others of a batch."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, log_sum_exp, products, unit
from ..common.checks import as_floats, positive
from ..separation import Softmax
from ..separation.attention import attend

# Anchors whose products with all candidates are held at once.
_BLOCK = 256


def leave_one_out_logsumexp(
    anchors: ArrayLike, candidates: ArrayLike, inverse_temperature: ArrayLike = 1.0
) -> Float[Array, " n"]:
    """l_i = ln Σ_{j≠i} exp(a_i·c_j/τ), of each anchor over all candidates but its own.

    The own candidate is left out of the sum, not taken off it, so that nothing is lost where it
    outweighs all others. The products of 256 anchors are held at a time, never those of all, and
    derivatives take them again.

    **Arguments:**

    - `anchors`: a, one row each, shape (N, d), N ≥ 2.
    - `candidates`: c, of which row i is anchor i's own, shape (N, d).
    - `inverse_temperature`: 1/τ > 0, in units of 1/(a·c).

    **Returns:** l without unit, in at least 32 bits, shape (N,).

    **Raises:** `ValueError` for wrong shapes, NaN, a single row, or a 1/τ that is not positive;
    `TypeError` for what is not numeric.

    **Source:** [poole2019variational]
    """
    anchors, candidates, beta = _paired(
        "anchors", anchors, "candidates", candidates, inverse_temperature
    )
    return _denominators(beta, anchors, candidates, False)


def info_nce(
    anchors: ArrayLike, candidates: ArrayLike, inverse_temperature: ArrayLike
) -> Float[Array, ""]:
    """InfoNCE, −(1/N) Σ_i ln [exp(a_i·c_i/τ) / Σ_j exp(a_i·c_j/τ)], of rows of unit norm.

    The slope in the product a_i·c_i is −(1 − p_i)/(N τ), p_i being the quotient in brackets. It
    vanishes as soon as the own candidate outweighs the others: the loss saturates. CLIP lowers the
    mean of both directions, `(info_nce(x, y, b) + info_nce(y, x, b)) / 2`.

    **Arguments:**

    - `anchors`: a, one row each, shape (N, d), N ≥ 2; brought to unit norm.
    - `candidates`: c, of which row i belongs to anchor i, shape (N, d); brought to unit norm.
    - `inverse_temperature`: 1/τ > 0, in units of 1/cosine.

    **Returns:** a scalar ≥ 0.

    **Raises:** as `leave_one_out_logsumexp`.

    **Source:** [vandenoord2018representation]
    """
    return _loss(anchors, candidates, inverse_temperature, True)


def info_loob(
    anchors: ArrayLike, candidates: ArrayLike, inverse_temperature: ArrayLike
) -> Float[Array, ""]:
    """InfoLOOB, −(1/N) Σ_i ln [exp(a_i·c_i/τ) / Σ_{j≠i} exp(a_i·c_j/τ)], of rows of unit norm.

    The slope in the product a_i·c_i is −1/(N τ), however well pairs are told apart. The loss lies
    below `info_nce` by the mean of −ln(1 − p_i), and has no bound but that of rows and of τ: a τ
    that is learnt by it may shrink for ever.

    **Arguments:**

    - `anchors`: a, one row each, shape (N, d), N ≥ 2; brought to unit norm.
    - `candidates`: c, of which row i belongs to anchor i, shape (N, d); brought to unit norm.
    - `inverse_temperature`: 1/τ > 0, in units of 1/cosine.

    **Returns:** a scalar, of either sign. The sum over j has N − 1 terms: take off ln(N − 1) to
    compare batches of different sizes.

    **Raises:** as `leave_one_out_logsumexp`.

    **Source:** [poole2019variational], [furst2022cloob]
    """
    return _loss(anchors, candidates, inverse_temperature, False)


def retrieve_batch(queries: ArrayLike, stored: ArrayLike, beta: ArrayLike) -> Float[Array, "s d"]:
    """What a modern Hopfield network of a batch retrieves in one read, Uᵀ softmax(β U q).

    Queries and stored rows are brought to unit norm, and so is what is read. It shows what
    neighbours of the query in the batch have in common: at a small β the mean of all, at a large
    one the nearest row, which is the query itself where it is stored.

    **Arguments:**

    - `queries`: q, shape (S, d).
    - `stored`: rows of U, shape (N, d).
    - `beta`: β > 0, in units of 1/cosine.

    **Returns:** rows of unit norm, in at least 32 bits, shape (S, d).

    **Raises:** `ValueError` for wrong shapes, NaN, no row at all, or a β that is not positive;
    `TypeError` for what is not numeric.

    **Source:** [ramsauer2021hopfield], [furst2022cloob]
    """
    queries, stored, beta = _alike("queries", queries, "stored", stored, "beta", beta)
    return _read(beta, queries, stored)


def cloob_loss(
    x: ArrayLike, y: ArrayLike, *, inverse_temperature: ArrayLike = 30.0, beta: ArrayLike = 8.0
) -> Float[Array, ""]:
    """CLOOB: `info_loob` of what the batch itself retrieves for its embeddings.

    L = LOOB(U(x), U(y)) + LOOB(V(y), V(x)), where U is the memory of all x of the batch and V that
    of all y, read once, as `retrieve_batch` does.

    ```python
    def loss(networks, batch):
        x, y = (jax.vmap(each)(rows) for each, rows in zip(networks, batch))
        return attrax.training.cloob_loss(x, y)
    ```

    Embeddings are retrieved in training alone: compare new ones by their cosines. The published
    code multiplies this loss by τ.

    **Arguments:**

    - `x`: embeddings of one view, one row an example, shape (N, d), N ≥ 2; brought to unit norm.
    - `y`: those of the other view, in the same order, shape (N, d); brought to unit norm.
    - `inverse_temperature`: 1/τ > 0 of the loss, in units of 1/cosine.
    - `beta`: β > 0 of the memories, in units of 1/cosine. As it grows, the loss becomes
      `info_loob` of the embeddings themselves.

    **Returns:** a scalar.

    **Raises:** `ValueError` for wrong shapes, NaN, a single row, or numbers that are not positive;
    `TypeError` for what is not numeric.

    **Source:** [furst2022cloob]
    """
    x, y, inverse = _paired("x", x, "y", y, inverse_temperature)
    beta = positive("beta", beta).astype(x.dtype)
    of_x, of_y = ((_read(beta, x, rows), _read(beta, y, rows)) for rows in (x, y))
    return _contrast(inverse, *of_x, False) + _contrast(inverse, *of_y[::-1], False)


@jax.jit
def _read(beta, queries, stored):
    return unit(attend(Softmax(beta), unit(queries), unit(stored)).value)


def _loss(anchors, candidates, inverse_temperature, own):
    anchors, candidates, beta = _paired(
        "anchors", anchors, "candidates", candidates, inverse_temperature
    )
    return _contrast(beta, anchors, candidates, own)


@functools.partial(jax.jit, static_argnums=3)
def _contrast(beta, anchors, candidates, own):
    """The mean of the denominators less the exponents of pairs, of rows of unit norm."""
    anchors, candidates = unit(anchors), unit(candidates)
    pairs = beta * jnp.sum(anchors * candidates, axis=1)
    return jnp.mean(_denominators(beta, anchors, candidates, own) - pairs)


@functools.partial(jax.jit, static_argnums=3)
def _denominators(beta, anchors, candidates, own):
    """ln Σ_j exp(β a_i·c_j), with the term j = i or without it."""
    numbers = jnp.arange(anchors.shape[0])

    @jax.checkpoint
    def one(pair):
        number, anchor = pair
        scores = products(candidates, anchor)
        if not own:
            scores = jnp.where(numbers == number, -jnp.inf, scores)
        return beta * log_sum_exp(beta, scores)[0]

    return jax.lax.map(one, (numbers, anchors), batch_size=_BLOCK)


def _paired(name, first, other_name, other, inverse_temperature):
    """Both arrays, of one shape with at least two rows."""
    named = name, first, other_name, other
    first, other, beta = _alike(*named, "inverse_temperature", inverse_temperature)
    if first.shape[0] != other.shape[0]:
        raise ValueError(
            f"`{other_name}` must have one row for each of `{name}`, {first.shape[0]}, but has "
            f"{other.shape[0]}."
        )
    if first.shape[0] < 2:
        raise ValueError(
            f"`{name}` must have at least two rows, since each is told apart from the others, but "
            f"the shape is {first.shape}."
        )
    return first, other, beta


def _alike(name, first, other_name, other, number_name, number):
    """Rows of one width and one type, in at least 32 bits, and a positive number of that type."""
    first, other = as_floats(name, first, ndim=2), as_floats(other_name, other, ndim=2)
    if first.shape[1] != other.shape[1] or 0 in first.shape + other.shape:
        raise ValueError(
            f"`{name}` and `{other_name}` must have rows of one length, and at least one each, but "
            f"their shapes are {first.shape} and {other.shape}."
        )
    dtype = accumulate(jnp.promote_types(first.dtype, other.dtype))
    number = positive(number_name, number).astype(dtype)
    return first.astype(dtype), other.astype(dtype), number
