"""Attention as a synapse: its energy is the log-sum-exp of the scores."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range, accumulate, log_sum_exp, match
from ..common.checks import POSITIVE, as_floats, as_mask, positive
from .synapses import AbstractSynapse, Layers, check_count, named


class AttentionSynapse(AbstractSynapse):
    """E = −Σ_h Σ_t ln Σ_s exp(β c_hts k_hs·q_ht)/β: tokens of one layer attend to another's.

    Queries q_ht = Q_h g_t and keys k_hs = K_h f_s, over heads h. The gradient by a query's token
    is attention with values tied to the keys; the gradient by a key's token is what makes it an
    energy, and what ordinary attention leaves out.

    With one layer instead of two it is self-attention, where no token attends to itself unless
    `self_term` lets it.

    **Arguments:**

    - `queries`: Q, shape (heads, z, d), for tokens g of shape (tokens, d).
    - `keys`: K, shape (heads, z, e), for tokens f of shape (tokens, e).
    - `beta`: inverse temperature β > 0, in units of 1/(k·q); 1/√z if `None`.
    - `mask`: True where the token of g (rows) attends to the token of f (columns); all if `None`,
      save a token itself in self-attention. A row that attends to nothing has no energy.
    - `self_term`: whether a token attends to itself too, in self-attention.
    - `factors`: c, factors of the scores such as the weights of a graph's edges, shape
      (heads, tokens of g, tokens of f); 1 if `None`. A factor of 0 is a score of 0: what does not
      attend is said by the mask.

    **Raises:** `ValueError` for wrong shapes.

    **Source:** [hoover2023energy]
    """

    queries: Float[Array, "h z d"]
    keys: Float[Array, "h z e"]
    beta: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    mask: Bool[Array, "t s"] | None
    self_term: bool = eqx.field(static=True)
    factors: Float[Array, "h t s"] | None
    linear: ClassVar[bool] = False
    drives: ClassVar[Range] = "signed"

    def __init__(
        self,
        queries,
        keys,
        beta: ArrayLike | None = None,
        *,
        mask=None,
        self_term: bool = False,
        factors=None,
    ):
        self.queries = as_floats("queries", queries, ndim=3)
        self.keys = as_floats("keys", keys, ndim=3)
        if self.queries.shape[:2] != self.keys.shape[:2]:
            raise ValueError(
                "`queries` and `keys` must have the same heads and z, but their shapes are "
                f"{self.queries.shape} and {self.keys.shape}."
            )
        self.beta = positive("beta", self.queries.shape[1] ** -0.5 if beta is None else beta)
        self.mask = None if mask is None else as_mask("mask", mask, np.shape(mask))
        if self.mask is not None and self.mask.ndim != 2:
            raise ValueError(
                f"`mask` must have two axes (tokens, tokens), but has shape {self.mask.shape}."
            )
        self.self_term = bool(self_term)
        self.factors = None if factors is None else as_floats("factors", factors, ndim=3)

    def __call__(self, *activations: Float[Array, "..."]) -> Float[Array, ""]:
        """−Σ_h Σ_t ln Σ_s exp(β c_hts k_hs·q_ht)/β."""
        asking, asked = activations[0], activations[-1]
        part, dtype = match(self, asking.dtype), accumulate(asking.dtype)
        q = jnp.einsum("hzd,td->htz", part.queries, asking, preferred_element_type=dtype)
        k = jnp.einsum("hze,se->hsz", part.keys, asked, preferred_element_type=dtype)
        scores = jnp.einsum("htz,hsz->hts", q, k, preferred_element_type=dtype)
        if part.factors is not None:
            scores = scores * part.factors.astype(dtype)
        beta = part.beta.astype(dtype)
        mask = self.mask
        if len(activations) == 1 and not self.self_term:
            others = ~jnp.eye(asking.shape[0], dtype=bool)
            mask = others if mask is None else mask & others
        if mask is None:
            sums = log_sum_exp(beta, scores, -1)[..., 0]
        else:
            some = jnp.any(mask, axis=-1)
            # A row without tokens would be ln 0; its scores are kept and its sum dropped.
            open_ = jnp.where(some[:, None], mask, True)
            sums = log_sum_exp(beta, jnp.where(open_, scores, -jnp.inf), -1)[..., 0]
            sums = jnp.where(some, sums, 0.0)
        return -jnp.sum(sums)

    def check(self, layers: Layers) -> None:
        """Refuse layers that the projections do not fit."""
        if len(layers) > 2:
            check_count(self, layers, 2)
        asking, asked = (list(layers.values())[i] for i in (0, -1))
        for name, array, layer in (("queries", self.queries, asking), ("keys", self.keys, asked)):
            if len(layer.shape) != 2 or layer.shape[1] != array.shape[2]:
                raise ValueError(
                    f"`{name}` of shape {array.shape} need a layer of shape "
                    f"(tokens, {array.shape[2]}), but join {named(layers)}."
                )
        expected = (asking.shape[0], asked.shape[0])
        if self.mask is not None and self.mask.shape != expected:
            raise ValueError(
                f"`mask` must have shape {expected} (tokens that attend, tokens attended to), "
                f"but its shape is {self.mask.shape}."
            )
        expected = (self.queries.shape[0], *expected)
        if self.factors is not None and self.factors.shape != expected:
            raise ValueError(
                f"`factors` must have shape {expected} (heads, tokens that attend, tokens attended "
                f"to), but their shape is {self.factors.shape}."
            )
