"""Worlds that are graphs: grids with an observation at every node, and random walks on them."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..common.checks import one_key, whole_number

_STEPS = {
    4: ((0, 1), (0, -1), (1, 0), (-1, 0)),
    6: ((0, 1), (0, -1), (1, 0), (-1, 0), (1, -1), (-1, 1)),
}


class GraphWorld(NamedTuple):
    """A graph whose links are actions, with an observation at every node.

    - `neighbours` (nodes, actions): the node that an action leads to, −1 where there is no link.
    - `observations` (nodes,): whole numbers from 0 to below `symbols`.
    - `places` (nodes, 2): the coordinates of the nodes, in steps of the grid.
    - `moves` (actions, 2): by how much an action changes them.
    """

    neighbours: Int[Array, "n a"]
    observations: Int[Array, " n"]
    places: Float[Array, "n 2"]
    moves: Float[Array, "a 2"]


class Walk(NamedTuple):
    """What an agent did and saw at each of T steps.

    - `nodes` (T,): where it was.
    - `actions` (T − 1,): entry t led from node t to node t + 1.
    - `observations` (T,): what it saw there.
    - `visited` (T,): whether it had been at that node before.
    - `untaken` (T,): whether it came to a node that it had visited before by a link that it had
      never taken in that direction. A prediction of what is there cannot come from having seen
      this step: these are the steps of zero-shot prediction.
    """

    nodes: Int[Array, " t"]
    actions: Int[Array, " s"]
    observations: Int[Array, " t"]
    visited: Bool[Array, " t"]
    untaken: Bool[Array, " t"]


def graph_world(
    rows: int,
    columns: int | None = None,
    *,
    links: Literal[4, 6] = 4,
    symbols: int = 45,
    key: PRNGKeyArray,
) -> GraphWorld:
    """A grid whose nodes have observations drawn with replacement.

    All worlds of a kind share their rules: going there and back leads to the same node, and so
    does every detour that adds up to nothing. They share no observation. `jax.vmap` over keys makes
    many worlds.

    **Arguments:**

    - `rows`, `columns`: the size of the grid; as many columns as rows if `None`.
    - `links`: of a node: 4 to the sides, or 6 as in a hexagonal grid, whose coordinates are along
      two axes at 60 degrees. Nodes at the border have fewer.
    - `symbols`: how many observations there are to draw from.
    - `key`: the random key.

    **Returns:** a `GraphWorld`.

    **Raises:** `ValueError` for sizes out of bounds or another number of links; `TypeError` for
    what is not a key.

    **Source:** [whittington2020tolman]; [whittington2022relating]
    """
    rows = whole_number("rows", rows)
    columns = rows if columns is None else whole_number("columns", columns)
    symbols = whole_number("symbols", symbols)
    if links not in _STEPS:
        raise ValueError(f"`links` must be 4 or 6, but it is {links!r}.")
    if rows * columns < 2:
        raise ValueError(f"`rows` is {rows} and `columns` {columns}: there must be two nodes.")
    moves = np.array(_STEPS[links])
    places = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    reached = places[:, None] + moves[None]
    inside = np.all((reached >= 0) & (reached < np.array([rows, columns])), axis=-1)
    neighbours = np.where(inside, reached[..., 0] * columns + reached[..., 1], -1)
    observations = jr.randint(one_key(key), (rows * columns,), 0, symbols, jnp.int32)
    return GraphWorld(
        jnp.asarray(neighbours, jnp.int32),
        observations,
        jnp.asarray(places, float),
        jnp.asarray(moves, float),
    )


def random_walk(world: GraphWorld, steps: int, *, key: PRNGKeyArray) -> Walk:
    """A walk that starts anywhere, and takes any of the links of a node with equal chance.

    **Arguments:**

    - `world`: a `GraphWorld` in which every node has a link.
    - `steps`: T, how many nodes the walk visits, the first one among them, ≥ 2.
    - `key`: the random key.

    **Returns:** a `Walk`.

    **Raises:** `TypeError` for another world or what is not a key; `ValueError` for fewer steps.

    **Source:** [whittington2022relating]
    """
    if not isinstance(world, GraphWorld):
        raise TypeError(
            "`world` must be a GraphWorld, such as attrax.data.graph_world(8, key=key), "
            f"but it is {type(world).__name__}."
        )
    steps = whole_number("steps", steps, least=2)
    of_start, of_steps = jr.split(one_key(key))
    first = jr.randint(of_start, (), 0, world.neighbours.shape[0], jnp.int32)

    def step(state, key):
        node, visited, taken = state
        options = world.neighbours[node]
        action = jr.categorical(key, jnp.where(options >= 0, 0.0, -jnp.inf)).astype(jnp.int32)
        reached = options[action]
        new = visited[reached], visited[reached] & ~taken[node, action]
        state = reached, visited.at[reached].set(True), taken.at[node, action].set(True)
        return state, (reached, action, *new)

    visited = jnp.zeros(world.neighbours.shape[0], bool).at[first].set(True)
    start = first, visited, jnp.zeros(world.neighbours.shape, bool)
    _, (nodes, actions, seen, untaken) = jax.lax.scan(step, start, jr.split(of_steps, steps - 1))
    nodes = jnp.concatenate([first[None], nodes])
    seen, untaken = (jnp.concatenate([jnp.zeros(1, bool), row]) for row in (seen, untaken))
    return Walk(nodes, actions, world.observations[nodes], seen, untaken)
