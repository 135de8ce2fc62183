"""`EnergyTransformer`: a transformer block whose forward pass is descent on one energy."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import GIVEN, one_key, plain_number, positive, whole_number
from ..hierarchical import (
    AttentionSynapse,
    ConvolutionSynapse,
    HierarchicalMemory,
    LayerNorm,
    Neurons,
    SeparationLagrangian,
)
from ..separation import AbstractSeparation
from .energy_checks import checked_tokens, memory_neurons, restricted


class EnergyTransformer(eqx.Module):
    """Tokens that descend the energy of attention and of memories: x ← x − α ∂E/∂g, T times.

    E(g) = −Σ_h Σ_t ln Σ_{s≠t} exp(β k_hs·q_ht)/β − Σ_t Φ(Ξ g_t), where g = layer norm of x, with
    one scale for all entries, and Φ is the potential of a separation, ½ relu² summed over the
    memories unless another is chosen. The slope is taken by g and the step made in x. All steps
    share the weights: two projections a head and the memories, with no values and no outputs.

    ```python
    block = EnergyTransformer(64, heads=4, key=jax.random.key(0))
    block(tokens)                # (N, 64) to (N, 64)
    block.energies(tokens)       # (steps + 1,), falling
    jax.vmap(block)(batch)
    ```

    A layer for text that is read from left to right cannot be made of it: with a mask that lets a
    token attend to earlier ones alone, later tokens still draw the earlier ones, as keys, and
    without that half of the slope there is no energy.

    **Arguments:**

    - `size`: D, entries of a token.
    - `heads`: H, how many heads attend.
    - `head_size`: Y, entries of a key; D/H if `None`.
    - `memories`: M, how many memories; 4 D if `None`.
    - `steps`: T ≥ 0, steps of descent.
    - `alpha`: α > 0, the length of a step; it does not learn.
    - `separation`: how memories are weighed; `Power(1, rectified=True)`, ReLU, if `None`.
      `Power(n − 1, rectified=True)` and `Softmax()` are the other forms of the paper.
    - `beta`: β > 0, inverse temperature of attention; 1/√Y if `None`. It learns.
    - `self_term`: whether a token attends to itself too, as in the published code; the paper
      leaves it out.
    - `noise`: standard deviation of the normal noise that each step adds where a key is given.
    - `key`: draws the projections and memories, normal with variance 1/D.

    **Raises:** `ValueError` for sizes that do not fit, and for a separation without a potential
    for scores of either sign.

    **Source:** [hoover2023energy]
    """

    norm: LayerNorm
    attention: AttentionSynapse
    memories: Float[Array, "m d"]
    hidden: SeparationLagrangian
    alpha: Float[Array, ""] = eqx.field(metadata=GIVEN)
    steps: int = eqx.field(static=True)
    noise: float = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        *,
        heads: int = 1,
        head_size: int | None = None,
        memories: int | None = None,
        steps: int = 12,
        alpha: ArrayLike = 0.1,
        separation: AbstractSeparation | None = None,
        beta: ArrayLike | None = None,
        self_term: bool = False,
        noise: ArrayLike = 0.0,
        key,
    ):
        size, heads = whole_number("size", size), whole_number("heads", heads)
        if head_size is None and size % heads:
            raise ValueError(
                f"`size` must be a multiple of `heads`, but {size} is none of {heads}; "
                "or give `head_size`."
            )
        width = size // heads if head_size is None else whole_number("head_size", head_size)
        count = 4 * size if memories is None else whole_number("memories", memories)
        self.steps = whole_number("steps", steps, 0)
        self.alpha = positive("alpha", alpha)
        self.noise = plain_number("noise", noise)
        if not 0 <= self.noise < jnp.inf:
            raise ValueError(f"`noise` must be at least 0 and finite, but it is {self.noise}.")
        queries, keys, rows = jax.random.split(one_key(key), 3)
        shape, scale = (heads, width, size), size**-0.5
        self.attention = AttentionSynapse(
            scale * jax.random.normal(queries, shape),
            scale * jax.random.normal(keys, shape),
            beta,
            self_term=self_term,
        )
        self.memories = scale * jax.random.normal(rows, (count, size))
        self.norm = LayerNorm(1.0, jnp.zeros(size), axis=-1)
        self.hidden = memory_neurons(separation)

    @property
    def size(self) -> int:
        """D, entries of a token."""
        return self.memories.shape[1]

    def activation(self, tokens) -> Float[Array, "n d"]:
        """g, the layer norm of each token.

        **Arguments:**

        - `tokens`: x, shape (N, D).
        """
        return self.norm.activation(checked_tokens(tokens, self.size))

    def energy(self, tokens, mask=None, *, edges=None, factors=None) -> Float[Array, ""]:
        """E of the tokens' layer norm.

        **Arguments:** see `__call__`.
        """
        tokens, mask, attention = self._given(tokens, mask, edges, factors)
        g = self.norm.activation(tokens)
        scores = self._scores(g)
        if mask is None:
            return attention(g) - self.hidden.value(scores)
        potentials = jax.vmap(self.hidden.value)(scores)
        return attention(g) - jnp.sum(jnp.where(mask, potentials, 0.0))

    def drive(self, tokens, mask=None, *, edges=None, factors=None) -> Float[Array, "n d"]:
        """−∂E/∂g, by which each token moves; zero for tokens that take no part.

        **Arguments:** see `__call__`.
        """
        tokens, mask, attention = self._given(tokens, mask, edges, factors)
        return self._drive(tokens, mask, attention)

    def __call__(
        self,
        tokens,
        mask=None,
        *,
        edges=None,
        factors=None,
        key=None,
    ) -> Float[Array, "n d"]:
        """The tokens after all steps. Derivatives keep the state of each step, and no more.

        **Arguments:**

        - `tokens`: x, shape (N, D).
        - `mask`: shape (N,), True for tokens that take part; all if `None`. The others stay as
          they are, and nobody sees them.
        - `edges`: shape (N, N), True where the token of a row attends to that of a column; all if
          `None`.
        - `factors`: of the scores, shape (heads, N, N), such as weights of edges; 1 if `None`.
        - `key`: a `jax.random.key` for noise; there is none without.

        **Returns:** x, shape (N, D).

        **Raises:** `ValueError` for wrong shapes.
        """
        given, mask, attention = self._given(tokens, mask, edges, factors)
        last, _ = self._descend(given, mask, attention, key, keep=False)
        return (
            last
            if mask is None
            else jnp.where(mask[:, None], last, checked_tokens(tokens, self.size))
        )

    def trajectory(
        self, tokens, mask=None, *, edges=None, factors=None, key=None
    ) -> Float[Array, "t n d"]:
        """The tokens before the first step and after each, shape (steps + 1, N, D).

        **Arguments:** see `__call__`.
        """
        given, mask, attention = self._given(tokens, mask, edges, factors)
        _, states = self._descend(given, mask, attention, key, keep=True)
        states = jnp.concatenate([given[None], states])
        return (
            states
            if mask is None
            else jnp.where(mask[:, None], states, checked_tokens(tokens, self.size))
        )

    def energies(
        self, tokens, mask=None, *, edges=None, factors=None, key=None
    ) -> Float[Array, " t"]:
        """E before the first step and after each, shape (steps + 1,).

        **Arguments:** see `__call__`.
        """
        states = self.trajectory(tokens, mask, edges=edges, factors=factors, key=key)
        given = {"edges": edges, "factors": factors}
        return jax.lax.map(lambda x: self.energy(x, mask, **given), states)

    def network(self, tokens: int) -> HierarchicalMemory:
        """The same energy as a network: a layer of tokens and one of memory neurons for each.

        Its `pull` of the layer "tokens" is `drive`; its energy is that of the block and the
        layer's own, x·g − L(x), by which a flow of the network lets states decay, x ← x + α
        (pull − x), and a step of the block does not.

        **Arguments:**

        - `tokens`: how many there are, N.
        """
        count = whole_number("tokens", tokens)
        neurons = {
            "tokens": Neurons((count, self.size), self.norm),
            "memories": Neurons((count, len(self.memories)), self.hidden, 0.0),
        }
        shared = ConvolutionSynapse(self.memories.T[None])
        return HierarchicalMemory(
            neurons, {"tokens": self.attention, ("tokens", "memories"): shared}
        )

    def _given(self, tokens, mask, edges, factors):
        """What was given, checked: tokens with zeros where masked, the mask, and the attention."""
        tokens = checked_tokens(tokens, self.size)
        mask, attention = restricted(self.attention, tokens, mask, edges, factors)
        if mask is not None:
            tokens = jnp.where(mask[:, None], tokens, jnp.zeros((), tokens.dtype))
        return tokens, mask, attention

    def _scores(self, g):
        dtype = accumulate(g.dtype)
        return jnp.matmul(g, self.memories.astype(g.dtype).T, preferred_element_type=dtype)

    def _drive(self, tokens, mask, attention):
        g = self.norm.activation(tokens)
        # The slope of log-sum-exp is as fast as attention and its transpose written by hand.
        attended = jax.grad(attention)(g)
        weights = self.hidden.activation(self._scores(g)).astype(g.dtype)
        if mask is not None:
            weights = jnp.where(mask[:, None], weights, jnp.zeros((), g.dtype))
        recalled = jnp.matmul(
            weights, self.memories.astype(g.dtype), preferred_element_type=accumulate(g.dtype)
        )
        return recalled.astype(g.dtype) - attended

    def _descend(self, tokens, mask, attention, key, *, keep):
        """The last tokens, and those after each step if they are to be kept."""
        keys = None
        if key is not None and self.noise > 0:
            keys = jax.random.split(one_key(key), self.steps)

        def step(x, key):
            x = x + self.alpha.astype(x.dtype) * self._drive(x, mask, attention)
            if key is not None:
                x = x + self.noise * jax.random.normal(key, x.shape, x.dtype)
            return x, (x if keep else None)

        return jax.lax.scan(
            jax.checkpoint(step, prevent_cse=False), tokens, keys, length=self.steps
        )
