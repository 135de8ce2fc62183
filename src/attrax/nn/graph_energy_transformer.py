"""`GraphEnergyTransformer`: nodes of a graph descend an energy, attending along its edges."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, inverse_root
from ..common.checks import as_floats, as_mask, one_key, one_of, whole_number
from .energy_transformer import EnergyTransformer
from .image_energy_transformer import checked_block

# What an edge may be: between nodes; from the token of the whole to a node; and back.
_KINDS = 3


class GraphEnergyTransformer(eqx.Module):
    """Classes of the nodes of a graph, or of a whole graph, by energy transformers in a row.

    A node attends to those that an edge leads to, so a step lets it hear of nodes two edges away:
    its neighbours' shares of attention depend on theirs. The score of head h along an edge of
    weight a is multiplied by w_h a with a learnt w_h, and so are those to and from the token of
    the whole graph, which all nodes see and which sees all, with weights of their own.

    ```python
    block = EnergyTransformer(32, heads=4, steps=4, key=jax.random.key(0))
    model = GraphEnergyTransformer(block, 3, 2, read="graph", positions=4, key=jax.random.key(1))
    places = laplacian_positions(adjacency, 4)
    model(nodes, adjacency, positions=places)       # logits (2,)
    ```

    **Arguments:**

    - `blocks`: an `EnergyTransformer`, or several of one size that act one after another, each
      with layer norm and energy of its own.
    - `features`: F, features of a node.
    - `classes`: C, how many classes.
    - `read`: "node" gives logits of every node, from a perceptron of its layer norm before the
      first step and after the last; "graph" those of the graph, from the token of the whole.
    - `positions`: how many entries the positions of nodes have; 0 for none.
    - `key`: draws what encodes and what reads.

    **Raises:** `ValueError` for sizes that do not fit; `TypeError` for anything but blocks.

    **Source:** [hoover2023energy]
    """

    blocks: tuple[EnergyTransformer, ...]
    encoder: eqx.nn.Linear
    placer: eqx.nn.Linear | None
    whole: Float[Array, " d"]
    weights: tuple[Float[Array, "h k"], ...]
    head: eqx.nn.MLP
    read: str = eqx.field(static=True)

    def __init__(
        self,
        blocks,
        features: int,
        classes: int,
        *,
        read="node",
        positions: int = 0,
        key,
    ):
        several = tuple(blocks) if isinstance(blocks, Sequence) else (blocks,)
        self.blocks = tuple(checked_block("blocks", block) for block in several)
        sizes = {block.size for block in self.blocks}
        if len(sizes) != 1:
            raise ValueError(
                f"`blocks` must be of one size, at least one, but their sizes are {sorted(sizes)}."
            )
        one_of("read", read, ("node", "graph"))
        self.read, size = read, self.blocks[0].size
        features, classes = whole_number("features", features), whole_number("classes", classes)
        count = whole_number("positions", positions, 0)
        keys = jax.random.split(one_key(key), 4)
        self.encoder = eqx.nn.Linear(features, size, key=keys[0])
        self.placer = eqx.nn.Linear(count, size, False, key=keys[1]) if count else None
        self.whole = jax.random.normal(keys[2], (size,))
        heads = [block.attention.queries.shape[0] for block in self.blocks]
        self.weights = tuple(jnp.ones((h, _KINDS)) for h in heads)
        seen = size if read == "graph" else 2 * size
        self.head = eqx.nn.MLP(
            seen, classes, size, 1, final_activation=jax.nn.identity, key=keys[3]
        )

    def __call__(
        self,
        nodes,
        adjacency,
        mask=None,
        *,
        positions=None,
        key=None,
    ) -> Float[Array, "..."]:
        """Logits of the nodes, or of the graph.

        **Arguments:**

        - `nodes`: features, shape (N, F).
        - `adjacency`: weights of edges, shape (N, N), 0 where there is none; that of row t and
          column s lets node t attend to node s. A node attends to itself only where the diagonal
          has an edge and the block has `self_term`.
        - `mask`: shape (N,), True for nodes that are there; all if `None`.
        - `positions`: shape (N, positions), such as `laplacian_positions`.
        - `key`: a `jax.random.key` for the blocks' noise; there is none without.

        **Returns:** shape (N, C), or (C,) of a graph.

        **Raises:** `ValueError` for wrong shapes.
        """
        tokens, mask = self._tokens(nodes, mask, positions)
        edges, factors = self._edges(adjacency, tokens)
        keys = [None] * len(self.blocks)
        if key is not None:
            keys = list(jax.random.split(one_key(key), len(self.blocks)))
        before = self.blocks[0].activation(tokens)
        for block, weights, own in zip(self.blocks, self.weights, keys, strict=True):
            strength = jnp.einsum("kts,hk->hts", factors, weights.astype(factors.dtype))
            tokens = block(tokens, mask, edges=edges, factors=strength, key=own)
        after = self.blocks[-1].activation(tokens)
        if self.read == "graph":
            return self.head(after[0])
        return jax.vmap(self.head)(jnp.concatenate([before, after], axis=1))

    def _tokens(self, nodes, mask, positions):
        """Tokens of the nodes, that of the whole first if it is read, and which take part."""
        nodes = as_floats("nodes", nodes, ndim=2, finite=False)
        if nodes.shape[1] != self.encoder.in_features:
            raise ValueError(
                f"`nodes` must have {self.encoder.in_features} features each, but their shape is "
                f"{nodes.shape}."
            )
        tokens = jax.vmap(self.encoder)(nodes)
        if (positions is None) != (self.placer is None):
            raise ValueError(
                "`positions` must be given where the model has them, and only there: it has "
                f"{0 if self.placer is None else self.placer.in_features}."
            )
        if self.placer is not None:
            positions = as_floats("positions", positions, dtype=tokens.dtype)
            expected = nodes.shape[0], self.placer.in_features
            if positions.shape != expected:
                raise ValueError(
                    f"`positions` must have shape {expected}, but their shape is {positions.shape}."
                )
            tokens = tokens + jax.vmap(self.placer)(positions)
        mask = None if mask is None else as_mask("mask", mask, nodes.shape[:1])
        if self.read == "graph":
            tokens = jnp.concatenate([self.whole.astype(tokens.dtype)[None], tokens])
            mask = None if mask is None else jnp.concatenate([jnp.ones(1, bool), mask])
        return tokens, mask

    def _edges(self, adjacency, tokens):
        """Which tokens attend to which, and the weights of edges by kind, (3, N, N)."""
        adjacency = as_floats("adjacency", adjacency, dtype=tokens.dtype)
        extra = 1 if self.read == "graph" else 0
        count = tokens.shape[0] - extra
        if adjacency.shape != (count, count):
            raise ValueError(
                f"`adjacency` must have shape {(count, count)}, but its shape is {adjacency.shape}."
            )
        between = jnp.pad(adjacency, (extra, 0))
        to_nodes = jnp.zeros_like(between).at[:extra, extra:].set(1.0)
        kinds = jnp.stack([between, to_nodes, to_nodes.T])
        return jnp.any(kinds != 0, axis=0), kinds


def laplacian_positions(adjacency, count: int, mask=None) -> Float[Array, "n p"]:
    """Positions of nodes by how a graph would vibrate: eigenvectors of its Laplacian.

    They are those of I − D^(−½) A D^(−½) with the smallest eigenvalues, the first of all left
    out, which says nothing of places in a connected graph. Their signs are arbitrary, so
    training may draw them anew.

    **Arguments:**

    - `adjacency`: A, weights of edges ≥ 0, shape (N, N), made symmetric by (A + Aᵀ)/2.
    - `count`: how many entries a position has.
    - `mask`: shape (N,), True for nodes that are there; all if `None`.

    **Returns:** shape (N, count), each column of unit length; zeros for nodes that are not there,
    and in the columns that a graph is too small for.

    **Raises:** `ValueError` for a matrix that is not square.

    **Source:** [hoover2023energy]
    """
    adjacency, count = as_floats("adjacency", adjacency, ndim=2), whole_number("count", count)
    nodes = adjacency.shape[0]
    if adjacency.shape != (nodes, nodes):
        raise ValueError(f"`adjacency` must be square, but its shape is {adjacency.shape}.")
    wide = accumulate(adjacency.dtype)
    there = jnp.ones(nodes, bool) if mask is None else as_mask("mask", mask, (nodes,))
    pairs = there[:, None] & there[None]
    weights = jnp.where(pairs, (adjacency + adjacency.T).astype(wide) / 2, 0.0)
    root = inverse_root(jnp.sum(weights, axis=1))
    laplacian = jnp.eye(nodes, dtype=wide) - root[:, None] * weights * root[None]
    # Eigenvalues are at most 2, so that absent nodes come last.
    laplacian = laplacian + 4 * jnp.diag((~there).astype(wide))
    vectors = jnp.linalg.eigh(laplacian)[1]
    places = jnp.arange(1, count + 1, dtype=jnp.int32)
    columns = vectors[:, jnp.minimum(places, nodes - 1)]
    kept = there[:, None] & (places < jnp.sum(there, dtype=jnp.int32))[None]
    return jnp.where(kept, columns, 0.0).astype(adjacency.dtype)
