"""Manhattan and Euclidean scores beside SciPy and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import similarity

SIZES = [(1000, 1000), (10_000, 1000)]


def setup(n, q):
    rng = np.random.default_rng(0)
    return rng.random((n, 784), dtype=np.float32), rng.random((q, 784), dtype=np.float32)


def scorer(part, keys, queries):
    """Scores of all queries, keys in blocks as a memory reads them."""
    from attrax.stores import storage

    block = storage.choose_block(keys, None, None, False)
    whole = (
        keys if block is None else storage.pad_rows(keys, storage.round_up(keys.shape[0], block))
    )

    @jax.jit
    def score(keys, queries):
        batch = jax.vmap(part, (None, 0))
        if block is None:
            return batch(keys, queries)
        blocks = keys.reshape(-1, block, keys.shape[1])
        return jax.lax.map(lambda keys: batch(keys, queries), blocks)

    return lambda: score(whole, queries)


@pytest.mark.parametrize(("n", "q"), SIZES)
def test_manhattan_beside_scipy(versus, n, q):
    distance = pytest.importorskip("scipy.spatial.distance", reason="SciPy is not installed")
    keys, queries = setup(n, q)
    ours = scorer(similarity.Manhattan(), jnp.asarray(keys), jnp.asarray(queries))
    versus(
        ours,
        lambda: distance.cdist(queries, keys, "cityblock"),
        "scipy cdist",
        0.12 if n == 1000 else 0.15,
        rounds=3,
    )


@pytest.mark.parametrize(("n", "q"), SIZES)
def test_manhattan_beside_torch(versus, torch, n, q):
    keys, queries = setup(n, q)
    ours = scorer(similarity.Manhattan(), jnp.asarray(keys), jnp.asarray(queries))
    k, x = torch.from_numpy(keys), torch.from_numpy(queries)
    versus(ours, lambda: torch.cdist(x, k, p=1), "torch.cdist p=1", 0.1 if n == 1000 else None)


def test_manhattan_beside_its_operations_alone(versus):
    """The limit: as many subtractions, absolute values and sums, on numbers that stay in registers.

    28 features a step is the fastest form of these; neither keys nor queries are read.
    """
    keys, queries = (jnp.asarray(array) for array in setup(1000, 1000))
    ours = scorer(similarity.Manhattan(), keys, queries)

    @jax.jit
    def operations(start, steps):
        def step(total, numbers):
            terms = jnp.zeros_like(start)
            for i in range(28):
                terms = terms + jnp.abs(start - numbers[i])
            return total + terms, None

        return jax.lax.scan(step, jnp.zeros_like(start), steps)[0]

    start, steps = ours(), queries[0].reshape(28, 28)
    versus(ours, lambda: operations(start, steps), "|x - c|, 784 times")


def test_manhattan_by_hand_beside_torch(versus, torch):
    """The form that is fastest of those that XLA compiles, by hand: 28 features a step.

    Steps of 14 to 56 features, and queries in parts of 50 to 500, take 1 to 7 times as long.
    """
    keys, queries = setup(1000, 1000)
    k, x = torch.from_numpy(keys), torch.from_numpy(queries)

    @jax.jit
    def by_hand(keys, queries):
        def step(total, columns):
            for key, query in zip(*columns, strict=True):
                total = total + jnp.abs(query[:, None] - key[None])
            return total, None

        columns = (keys.T.reshape(-1, 28, 1000), queries.T.reshape(-1, 28, 1000))
        return jax.lax.scan(step, jnp.zeros((1000, 1000)), columns)[0]

    ours, theirs = jnp.asarray(keys), jnp.asarray(queries)
    versus(
        lambda: by_hand(ours, theirs), lambda: torch.cdist(x, k, p=1), "torch.cdist p=1, by hand"
    )


def test_euclidean_beside_torch(versus, torch):
    keys, queries = setup(1000, 1000)
    ours = scorer(similarity.Euclidean(), jnp.asarray(keys), jnp.asarray(queries))
    k, x = torch.from_numpy(keys), torch.from_numpy(queries)
    versus(ours, lambda: torch.cdist(x, k, p=2), "torch.cdist p=2", 1.0)


def test_euclidean_beside_its_product_alone(versus):
    """The limit: the one product that the scores are made of."""
    keys, queries = (jnp.asarray(array) for array in setup(1000, 1000))
    product = jax.jit(lambda k, q: q @ k.T)
    ours = scorer(similarity.Euclidean(), keys, queries)
    versus(ours, lambda: product(keys, queries), "q Kᵀ")


@pytest.mark.parametrize("norms", [False, True])
def test_parts_beside_torch_cdist(versus, torch, norms):
    """The limit beside PyTorch: that product, and with it both norms, not yet added up."""
    keys, queries = setup(1000, 1000)
    k, x = jnp.asarray(keys), jnp.asarray(queries)
    tk, tx = torch.from_numpy(keys), torch.from_numpy(queries)

    @jax.jit
    def parts(keys, queries):
        product = queries @ keys.T
        if not norms:
            return product
        ones = jnp.ones((1, 784))
        return product, ones @ jnp.square(keys).T, ones @ jnp.square(queries).T

    versus(lambda: parts(k, x), lambda: torch.cdist(tx, tk, p=2), "torch.cdist p=2, parts alone")


def test_product_beside_torch(versus, torch):
    """JAX's product of queries and keys beside PyTorch's, on which no score can improve."""
    keys, queries = setup(1000, 1000)
    k, x = jnp.asarray(keys), jnp.asarray(queries)
    tk, tx = torch.from_numpy(keys), torch.from_numpy(queries)
    product = jax.jit(lambda k, q: q @ k.T)
    versus(lambda: product(k, x), lambda: tx @ tk.T, "torch q Kᵀ")
