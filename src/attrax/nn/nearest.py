"""`NearestMemory`: a bank of pairs of a document, of which each token reads the nearest."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import POSITIVE, one_of, positive, whole_number
from ..separation import Softmax, TopK
from . import association
from .bank import Bank
from .bank_reads import BankReading
from .contexts import AbstractContext, Before, Step, before, beside, check_segment
from .hopfield import HopfieldAttention
from .projections import in_heads


class NearestMemory(AbstractContext):
    """A bank of keys and values, of which every token reads the k nearest in each head.

    V = g V_m + (1 − g) V_c, with V_m the softmax read of the k keys with the largest β q̂·k̂, without
    positions, and V_c the causal read of the segment and, if there is one, of a cache before it.
    Gate "scalar": g = σ(b), one number a head that is learnt. Gate "joint": g = Z_m/(Z_m + Z_c),
    with Z the sums of exponentials, which is one softmax over all. An empty bank has g = 0.

    **Arguments:**

    - `capacity`: M, the number of pairs a head.
    - `heads`: H, those of the attention.
    - `k`: how many pairs a token reads.
    - `gate`: "scalar" or "joint".
    - `cache`: how many inputs of the last tokens are kept besides, see `SegmentCache`; 0 for none.
    - `chunk`: c; groups of c rows that were written together are compared by their mean key, and
      read whole. k, M and segments must be multiples of it.
    - `normalised`: whether the bank's keys and the queries have unit norm, so that keys of older
      weights stay comparable.
    - `beta`: β > 0 of the bank at the start, one a head is learnt; 10 where keys have unit norm,
      else 1/√z.

    **Raises:** `ValueError` for sizes that are not whole numbers or do not fit, and unknown gates.

    **Source:** [wu2022memorizing]; chunks [wang2023augmenting]
    """

    bias: Float[Array, " h"] | None
    beta: Float[Array, " h"] | None = eqx.field(metadata=POSITIVE)
    capacity: int = eqx.field(static=True)
    k: int = eqx.field(static=True)
    gate: Literal["scalar", "joint"] = eqx.field(static=True)
    cache: int = eqx.field(static=True)
    chunk: int = eqx.field(static=True)
    normalised: bool = eqx.field(static=True)

    def __init__(
        self,
        capacity: int,
        *,
        heads: int,
        k: int = 32,
        gate: Literal["scalar", "joint"] = "scalar",
        cache: int = 0,
        chunk: int = 1,
        normalised: bool = True,
        beta: float | None = None,
    ):
        heads = whole_number("heads", heads)
        self.capacity, self.k = whole_number("capacity", capacity), whole_number("k", k)
        one_of("gate", gate, ("scalar", "joint"))
        self.gate = gate
        self.cache, self.chunk = whole_number("cache", cache, 0), whole_number("chunk", chunk)
        self.normalised = bool(normalised)
        if self.k % self.chunk or self.capacity % self.chunk:
            raise ValueError(
                f"`k` and `capacity` must be multiples of `chunk`, {chunk}, but they are {k} and "
                f"{capacity}."
            )
        self.bias = jnp.zeros((heads,)) if gate == "scalar" else None
        self.beta = None
        if normalised or beta is not None:
            self.beta = jnp.full((heads,), positive("beta", 10.0 if beta is None else beta))

    def start(self, attention):
        """A bank of no pairs, and a cache of no rows."""
        value_size = jax.eval_shape(lambda: self.pairs(attention, _one_row(attention)))[1].shape[-1]
        bank = Bank(self.capacity, attention.head_size, value_size, heads=attention.heads)
        return bank, Bank(self.cache, attention.key_size) if self.cache else None

    def step(self, attention, rows, state):
        """See `AbstractContext.step`."""
        bank, cache = state
        kept = ()
        if cache is not None:
            check_segment(rows, self.cache)
            kept = (before(cache),)
            cache = cache.write(rows[None])
        value = self.read(attention, rows, bank, *kept)
        state = bank.write(*self.pairs(attention, rows)), cache
        return Step(attention.joined(value, rows), state, jnp.zeros(()))

    def read(
        self, attention: HopfieldAttention, rows: Float[Array, "t d"], bank: Bank, *kept: Before
    ) -> Float[Array, "h t v"]:
        """What each head reads of the bank, and of the segment and what was kept before it."""
        if self.chunk > 1 and rows.shape[0] % self.chunk:
            raise ValueError(
                f"A segment must be a multiple of `chunk`, {self.chunk}, but it has "
                f"{rows.shape[0]} tokens."
            )
        given = beside(attention, rows, *kept)
        local = association.attended(attention, given, given.states, given.values)
        far = self.nearest(attention, rows, bank)
        if self.gate == "joint":
            assert attention.beta is not None
            share = jax.nn.sigmoid(far.potential - attention.beta[:, None] * local.potential)
        else:
            assert self.bias is not None
            share = jnp.where(bank.count > 0, jax.nn.sigmoid(self.bias), 0.0)[:, None]
        share = share[..., None].astype(local.value.dtype)
        return share * far.value.astype(local.value.dtype) + (1 - share) * local.value

    def nearest(self, attention, rows, bank: Bank) -> BankReading:
        """What each head reads of the bank; the potential is ln Z_m."""
        queries = self._scaled(attention, in_heads(attention.query_map, rows, attention.heads))
        separation = Softmax(1.0)
        if self.chunk == 1:
            return bank.read(queries, TopK(self.k, separation))
        places, there = bank.nearest(queries, self.k, chunk=self.chunk)
        return bank.read(queries, separation, candidates=jnp.where(there, places, -1))

    def pairs(
        self, attention: HopfieldAttention, rows: Float[Array, "t d"]
    ) -> tuple[Float[Array, "h t z"], Float[Array, "h t v"]]:
        """The keys and values of rows as the bank holds them, without positions."""
        keys = in_heads(attention.key_map, rows, attention.heads)
        values = in_heads(attention.value_map, rows, attention.heads)
        return _unit(keys) if self.normalised else keys, values

    def _scaled(self, attention, queries):
        queries = _unit(queries) if self.normalised else queries
        beta = attention.beta if self.beta is None else self.beta
        return beta[:, None, None].astype(queries.dtype) * queries


def _unit(rows):
    """Rows of norm one; zero stays zero, and has no slope."""
    square = jnp.sum(jnp.square(rows), axis=-1, keepdims=True)
    return rows * jnp.where(square > 0, jax.lax.rsqrt(jnp.where(square > 0, square, 1.0)), 0.0)


def _one_row(attention):
    return jnp.zeros((1, attention.key_size))
