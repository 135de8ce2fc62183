"""The softmax read beside the best product, PyTorch, and the direct form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import separation, similarity
from attrax.separation.fold import Query, Rows, fold
from attrax.stores import storage

SIZES = [(1000, 784, 1000), (10_000, 784, 256), (100_000, 512, 64)]
BETA = 0.1


def arrays(n, d, q):
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((n, d), dtype=np.float32),
        rng.standard_normal((q, d), dtype=np.float32),
    )


def reader(keys, block="choose", sharp=None):
    """All queries read by the fold, as a memory does, compiled once; by softmax if `None`."""
    if block == "choose":
        block = storage.choose_block(keys, None, None, False)
    size = storage.round_up(keys.shape[0], block)
    rows = Rows(storage.pad_rows(keys, size), None, storage.pad_mask(None, keys.shape[0], size))
    sharp = separation.Softmax(BETA) if sharp is None else sharp

    def read(rows, query):
        return fold(sharp, Query(similarity.Dot(), query, None), rows, block=block).value

    return jax.jit(jax.vmap(read, (None, 0))), rows


@pytest.mark.parametrize(("n", "d", "q"), SIZES)
def test_softmax_read_beside_torch(versus, torch, n, d, q):
    keys, queries = arrays(n, d, q)
    read, rows = reader(jnp.asarray(keys))
    ours = jnp.asarray(queries)
    k, x = torch.from_numpy(keys), torch.from_numpy(queries)
    target = 0.6 if n >= 10_000 else 1.0
    versus(
        lambda: read(rows, ours),
        lambda: torch.softmax(BETA * (x @ k.T), dim=-1) @ k,
        "torch softmax(q Kᵀ) K",
        target,
    )


def test_softmax_read_beside_the_products_alone(versus):
    """The limit: the two products of the read and nothing else, in the form JAX does them best."""
    keys, queries = arrays(10_000, 784, 256)
    read, rows = reader(jnp.asarray(keys))
    k, x = jnp.asarray(keys), jnp.asarray(queries)
    both = jax.jit(lambda k, x: (x @ k.T) @ k)
    versus(lambda: read(rows, x), lambda: both(k, x), "(q Kᵀ) K, no softmax", 1 / 0.8)


@pytest.mark.parametrize(("n", "d", "q"), SIZES)
def test_products_alone_beside_torch(versus, torch, n, d, q):
    """How much of a read's ratio is the ratio of the two libraries' matrix products."""
    keys, queries = arrays(n, d, q)
    k, x = jnp.asarray(keys), jnp.asarray(queries)
    tk, tx = torch.from_numpy(keys), torch.from_numpy(queries)
    both = jax.jit(lambda k, x: (x @ k.T) @ k)
    versus(lambda: both(k, x), lambda: (tx @ tk.T) @ tk, "torch (q Kᵀ) K")


@pytest.mark.parametrize(
    ("n", "d", "q", "target"),
    [(10_000, 784, 256, 1.0), (100_000, 512, 64, 1.0), (65_536, 64, 1024, 0.5)],
)
def test_blockwise_beside_direct(versus, n, d, q, target):
    keys, queries = (jnp.asarray(array) for array in arrays(n, d, q))
    blockwise, rows = reader(keys)
    direct, whole = reader(keys, block=None)
    versus(lambda: blockwise(rows, queries), lambda: direct(whole, queries), "direct fold", target)


@pytest.mark.parametrize(
    ("n", "d", "q", "block"), [(10_000, 784, 256, 400), (65_536, 64, 1024, 1024)]
)
def test_products_in_blocks_beside_direct(versus, n, d, q, block):
    """The limit of a blockwise read: its products, block by block, and nothing else."""
    keys, queries = (jnp.asarray(array) for array in arrays(n, d, q))
    direct, whole = reader(keys, block=None)

    @jax.jit
    def products(keys, queries):
        def step(total, part):
            return total + (queries @ part.T) @ part, None

        blocks = keys.reshape(-1, block, d)
        return jax.lax.scan(step, jnp.zeros((q, d)), blocks)[0]

    versus(lambda: products(keys, queries), lambda: direct(whole, queries), "direct fold")


@pytest.mark.parametrize(("n", "d", "q", "block"), [(65_536, 64, 1024, 1024)])
def test_blockwise_beside_the_fewest_passes(versus, n, d, q, block):
    """An online softmax written by hand: products, and one pass each for max, exp and sum."""
    keys, queries = (jnp.asarray(array) for array in arrays(n, d, q))
    read, rows = reader(keys)

    @jax.jit
    def by_hand(keys, queries):
        def step(carry, part):
            top, mass, total = carry
            scores = queries @ part.T
            new = jnp.maximum(top, jnp.max(scores, axis=1))
            old = jnp.exp(BETA * (top - new))
            terms = jnp.exp(BETA * (scores - new[:, None]))
            mass = old * mass + jnp.sum(terms, axis=1)
            return (new, mass, old[:, None] * total + terms @ part), None

        empty = (jnp.full((q,), -1e30), jnp.zeros((q,)), jnp.zeros((q, d)))
        _, mass, total = jax.lax.scan(step, empty, keys.reshape(-1, block, d))[0]
        return total / mass[:, None]

    versus(lambda: read(rows, queries), lambda: by_hand(keys, queries), "online softmax by hand")


def test_blockwise_beside_plain_jax(versus):
    keys, queries = (jnp.asarray(array) for array in arrays(65_536, 64, 1024))
    blockwise, rows = reader(keys)
    plain = jax.jit(lambda k, q: jax.nn.softmax(BETA * q @ k.T, axis=-1) @ k)
    versus(lambda: blockwise(rows, queries), lambda: plain(keys, queries), "jax.nn.softmax", 0.5)


def gradient(block):
    keys, queries = (jnp.asarray(array) for array in arrays(65_536, 64, 256))
    read, rows = reader(keys, block)

    def loss(keys, queries):
        return jnp.sum(jnp.square(read(rows._replace(keys=keys), queries)))

    return jax.jit(jax.grad(loss, (0, 1))), rows.keys, queries


def test_gradient_beside_direct(versus):
    blockwise, keys, queries = gradient("choose")
    direct, whole, _ = gradient(None)
    versus(lambda: blockwise(keys, queries), lambda: direct(whole, queries), "direct gradient", 0.6)


@pytest.mark.parametrize("term", [lambda scores: scores, lambda scores: jnp.exp(BETA * scores)])
def test_limit_of_a_gradient_beside_direct(versus, term):
    """The limit of a gradient in blocks: its seven products, without and with its exponentials.

    Two forwards; then the scores again, and one product for each of the slopes by terms, by
    values, by keys and by queries. Exponentials are taken twice, as scores are not kept.
    """
    direct, whole, queries = gradient(None)
    n, d = whole.shape

    @jax.jit
    def products(keys, queries):
        blocks = keys.reshape(-1, 1024, d)

        def forward(total, part):
            return total + term(queries @ part.T) @ part, None

        slope = jax.lax.scan(forward, jnp.zeros_like(queries), blocks)[0]

        def backward(total, part):
            terms, by_terms = term(queries @ part.T), slope @ part.T
            return total + by_terms @ part, terms.T @ slope + by_terms.T @ queries

        by_queries, by_keys = jax.lax.scan(backward, jnp.zeros_like(queries), blocks)
        return by_keys.reshape(n, d), by_queries

    versus(lambda: products(whole, queries), lambda: direct(whole, queries), "direct gradient")


def test_gradient_beside_the_fewest_passes(versus):
    """The gradient by hand: an online softmax, then each block's weights again from its mass."""
    blockwise, keys, queries = gradient("choose")
    n, d = keys.shape

    @jax.jit
    def by_hand(keys, queries):
        blocks = keys.reshape(-1, 1024, d)

        def forward(carry, part):
            top, mass, total = carry
            scores = BETA * (queries @ part.T)
            new = jnp.maximum(top, jnp.max(scores, axis=1))
            old, terms = jnp.exp(top - new), jnp.exp(scores - new[:, None])
            total = old[:, None] * total + terms @ part
            return (new, old * mass + jnp.sum(terms, axis=1), total), None

        count = len(queries)
        empty = (jnp.full((count,), -1e30), jnp.zeros((count,)), jnp.zeros_like(queries))
        top, mass, total = jax.lax.scan(forward, empty, blocks)[0]
        read = total / mass[:, None]
        slope, level = 2 * read, top + jnp.log(mass)
        shared = jnp.sum(slope * read, axis=1, keepdims=True)

        def backward(total, part):
            weights = jnp.exp(BETA * (queries @ part.T) - level[:, None])
            by_scores = BETA * weights * (slope @ part.T - shared)
            return total + by_scores @ part, weights.T @ slope + by_scores.T @ queries

        by_queries, by_keys = jax.lax.scan(backward, jnp.zeros_like(queries), blocks)
        return by_keys.reshape(n, d), by_queries

    expected, found = blockwise(keys, queries), by_hand(keys, queries)
    np.testing.assert_allclose(expected[0], found[0], atol=1e-4)
    np.testing.assert_allclose(expected[1], found[1], rtol=1e-3, atol=1e-3)
    versus(lambda: blockwise(keys, queries), lambda: by_hand(keys, queries), "gradient by hand")


def test_gradient_memory_beside_direct(amounts):
    sizes = []
    for block in ("choose", None):
        function, keys, queries = gradient(block)
        compiled = function.lower(keys, queries).compile()
        sizes.append(compiled.memory_analysis().temp_size_in_bytes)
    amounts(*sizes, "direct gradient", 0.2, "B")


def test_a_million_memories_by_a_thousand_queries(amounts):
    """Working memory of `retrieve` above the keys themselves."""
    from attrax import Memory, dynamics
    from attrax.retrieval import _How, _run

    keys, queries = (jnp.asarray(array) for array in arrays(1_000_000, 64, 1000))
    memory = Memory(keys, similarity=similarity.Euclidean(), separation=separation.Softmax(1.0))
    arrays_, rest = eqx.partition((memory, dynamics.Iterate(), queries), eqx.is_array)

    def run(arrays_):
        memory, how, queries = eqx.combine(arrays_, rest)
        return _run(_How(memory, how, 256, False, False), queries, None, None).state

    compiled = jax.jit(run).lower(arrays_).compile()
    jax.block_until_ready(compiled(arrays_))
    used = compiled.memory_analysis()
    amounts(used.temp_size_in_bytes + used.output_size_in_bytes, 256 * 2**20, "256 MiB", 1.0, "B")


SPARSE = [separation.Entmax(1.5, BETA), separation.Entmax(2.0, BETA), separation.KSubsets(8, BETA)]


@pytest.mark.parametrize("sparse", SPARSE, ids=["entmax", "sparsemax", "subsets"])
def test_sparse_read_beside_softmax(versus, sparse):
    keys, queries = (jnp.asarray(x) for x in arrays(10_000, 784, 256))
    soft, rows = reader(keys)
    read, _ = reader(keys, sharp=sparse)
    versus(lambda: read(rows, queries), lambda: soft(rows, queries), "softmax", 1.5)


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_sparse_read_beside_entmax(versus, torch, alpha):
    entmax = pytest.importorskip("entmax")
    weigh = entmax.entmax15 if alpha == 1.5 else entmax.sparsemax
    keys, queries = arrays(10_000, 784, 256)
    read, rows = reader(jnp.asarray(keys), sharp=separation.Entmax(alpha, BETA))
    ours = jnp.asarray(queries)
    k, x = torch.from_numpy(keys), torch.from_numpy(queries)
    theirs = lambda: weigh(BETA * (x @ k.T), dim=-1) @ k  # noqa: E731
    np.testing.assert_allclose(read(rows, ours), theirs(), atol=1e-3)
    versus(lambda: read(rows, ours), theirs, "entmax, in PyTorch", 0.7)
