"""Many queries at once are the fold of each, in value and slope, whatever is masked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.separation.attention import attend
from attrax.separation.fold import Query, Rows, fold
from attrax.similarity import Dot
from conformance import registry

S, N, D = 37, 37, 4
KEY = jax.random.key(0)


def arrays(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.standard_normal((n, D)), dtype) for n in (S, N, N))


def masks():
    rng = np.random.default_rng(1)
    mask = rng.random((S, N)) < 0.6
    mask[3] = False
    return rng.random(N) < 0.8, mask


def one_by_one(separation, queries, keys, values, filled=None, mask=None, causal=False):
    there = np.ones((S, N), bool) if mask is None else mask
    there = there if filled is None else there & filled[None]
    there = there & np.tri(S, N, dtype=bool) if causal else there

    def one(query, there):
        reading = fold(separation, Query(Dot(), query, None), Rows(keys, values, there))
        return reading.value, reading.potential

    return jax.vmap(one)(queries, there)


CASES = {
    "all": {},
    "filled": {"filled": masks()[0]},
    "mask": {"mask": masks()[1]},
    "causal": {"causal": True},
    "every": {"filled": masks()[0], "mask": masks()[1], "causal": True},
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Sixteen queries at a time, so that the last block is not full."""
    monkeypatch.setattr("attrax.separation.attention._SCORES", 16 * N)
    monkeypatch.setattr("attrax.separation.attention._QUERIES", 16)
    monkeypatch.setattr("attrax.separation.attention._BACKWARD", 8)
    monkeypatch.setattr("attrax.separation.attention._TOGETHER", 2 * S * N)
    jax.clear_caches()
    yield
    jax.clear_caches()


def compared(separation, case, valued):
    queries, keys, values = arrays()
    values = values if valued else None
    case = jax.tree.map(lambda leaf: jnp.asarray(leaf) if np.ndim(leaf) else leaf, case)
    cotangent = np.random.default_rng(2).standard_normal((S, D)).astype(np.float32)

    def loss(function):
        def total(queries, keys, values):
            read = function(separation, queries, keys, values, **case)
            finite = jnp.where(jnp.isfinite(read[1]), read[1], 0.0)
            return jnp.sum(read[0] * cotangent) + jnp.sum(jnp.sin(finite)), read

        return jax.jit(jax.grad(total, (0, 1, 2) if valued else (0, 1), has_aux=True))

    (slopes, read), (others, expected) = (
        loss(function)(queries, keys, values) for function in (attend, one_by_one)
    )
    for a, b in zip((*read, *slopes), (*expected, *others), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert np.all(np.isfinite(np.concatenate([np.ravel(slope) for slope in slopes])))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("valued", [True, False])
@pytest.mark.usefixtures("small_blocks")
def test_softmax_in_blocks_is_the_fold_of_each(case, valued):
    compared(registry.SEPARATIONS["softmax"], CASES[case], valued)


@pytest.mark.parametrize("name", ["entmax_1.5", "top_softmax", "rectified_4", "ghost", "max"])
@pytest.mark.parametrize("case", ["all", "every"])
def test_other_separations_are_the_fold_of_each(name, case):
    compared(registry.SEPARATIONS[name], CASES[case], True)


@pytest.mark.usefixtures("small_blocks")
def test_heads_and_batches_are_as_each_alone():
    """Whichever of the inputs has the axis; three groups, of which two are read together."""
    separation = registry.SEPARATIONS["softmax"]
    queries, keys, _ = arrays()
    many, mask = jnp.stack([keys, 2 * keys, -keys]), masks()[1]

    def read(queries, keys, mask):
        return jnp.sum(attend(separation, queries, keys, mask=mask).value ** 2)

    for axes in ((None, 0, None), (None, 0, 0)):
        masks_ = jnp.asarray(mask if axes[2] is None else np.stack([mask, ~mask, mask[::-1]]))
        value, slope = jax.vmap(jax.value_and_grad(read, 1), axes)(queries, many, masks_)
        for i in range(3):
            own = masks_ if axes[2] is None else masks_[i]
            alone = jax.value_and_grad(read, 1)(queries, many[i], own)
            np.testing.assert_allclose(value[i], alone[0], rtol=1e-5)
            np.testing.assert_allclose(slope[i], alone[1], rtol=1e-4, atol=1e-5)


def test_scores_of_all_queries_are_never_held():
    """The program's own memory grows with the keys, and not with their product with queries."""
    separation = registry.SEPARATIONS["softmax"]
    sizes = []
    for count in (2048, 8192):
        rows = jax.ShapeDtypeStruct((count, 8), jnp.float32)
        step = jax.jit(jax.grad(lambda q, k: jnp.sum(attend(separation, q, k).value ** 2), (0, 1)))
        sizes.append(step.lower(rows, rows).compile().memory_analysis().temp_size_in_bytes)
    assert sizes[1] < 64 * 2**20 < 8192**2 * 4
    assert sizes[1] < 8 * sizes[0]


def test_dropout_drops_the_same_weights_in_both_passes():
    """A slope by finite differences of one draw is that of the backward pass."""
    separation = registry.SEPARATIONS["softmax"]
    with jax.enable_x64(True):
        queries, keys, values = arrays(jnp.float64)

        def total(queries, keys, values):
            read = attend(separation, queries, keys, values, dropout=0.4, key=KEY)
            return jnp.sum(jnp.sin(read.value))

        slopes = jax.grad(total, (0, 1, 2))(queries, keys, values)
        for place in range(3):
            step = 1e-6 * np.random.default_rng(place).standard_normal((S, D))
            moved = [x + step * (i == place) for i, x in enumerate((queries, keys, values))]
            back = [x - step * (i == place) for i, x in enumerate((queries, keys, values))]
            change = (total(*moved) - total(*back)) / 2
            np.testing.assert_allclose(change, jnp.sum(step * slopes[place]), rtol=1e-5, atol=1e-12)


def test_half_precision_is_summed_in_single():
    separation = registry.SEPARATIONS["softmax"]
    queries, keys, values = (jnp.asarray(x, jnp.bfloat16) for x in arrays())
    read = attend(separation, queries, keys, values)
    wide = attend(separation, *(x.astype(jnp.float32) for x in (queries, keys, values)))
    assert read.value.dtype == jnp.bfloat16
    np.testing.assert_allclose(read.value.astype(jnp.float32), wide.value, atol=0.02)
    np.testing.assert_array_equal(read.potential, wide.potential)


def test_nan_is_not_hidden():
    queries, keys, values = arrays()
    queries = queries.at[5, 0].set(jnp.nan)
    read = attend(registry.SEPARATIONS["softmax"], queries, keys, values)
    assert np.all(np.isnan(read.value[5]))
    assert not np.any(np.isnan(np.delete(np.asarray(read.value), 5, axis=0)))
