"""Layers that read another input: what they compute, and what they promise."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import NoEnergyError, retrieve
from attrax.dynamics import FixedPoint, Iterate
from attrax.nn import HopfieldAttention
from attrax.separation import Entmax, SeparationFunction, Softmax, Threshold, TopK
from conformance import registry

KEY = jax.random.key(0)
S, N, D, H = 5, 7, 6, 2


def rows(count, size=D, seed=1):
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def layer(**options):
    return HopfieldAttention(D, heads=H, deviation=0.5, key=KEY, **options)


def by_hand(layer, query, keys, values, mask=None):
    """The formula in NumPy, in double precision, with every projection and norm that there is."""

    def norm(part, x):
        if part is None:
            return x
        centred = x - x.mean(-1, keepdims=True)
        x = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
        return x * np.asarray(part.weight) + np.asarray(part.bias)

    def project(part, x):
        return (
            x if part is None else x @ np.asarray(part.weight, np.float64).T + np.asarray(part.bias)
        )

    def heads(x, part):
        return np.stack(np.split(x, layer.heads, -1)) if part else np.stack([x] * layer.heads)

    q = heads(project(layer.query_map, norm(layer.query_norm, query)), layer.query_map)
    k = heads(project(layer.key_map, norm(layer.key_norm, keys)), layer.key_map)
    v = heads(project(layer.value_map, norm(layer.value_norm, values)), layer.value_map)
    for step in range(layer.steps):
        scores = np.asarray(layer.beta)[:, None, None] * (q @ k.swapaxes(1, 2))
        if mask is not None:
            scores = np.where(mask, scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        q = weights @ (k if step < layer.steps - 1 else v)
    return project(layer.output_map, np.concatenate(list(q), -1)), weights


OPTIONS = {
    "one_step": {},
    "three_steps": {"steps": 3},
    "norms": {"norm": True},
    "a_beta_each": {"beta": [0.5, 2.0], "steps": 2},
    "sizes": {"head_size": 4, "value_head_size": 3, "output_size": 2},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_formula(name, masked):
    part = layer(**OPTIONS[name])
    query, keys, values = rows(S), rows(N, seed=2), rows(N, seed=3)
    mask = np.random.default_rng(4).random((S, N)) < 0.7 if masked else None
    if masked:
        mask[:, 0] = True
    expected, weights = by_hand(part, query, keys, values, mask)
    read = eqx.filter_jit(part.read)(query, keys, values, mask=mask)
    np.testing.assert_allclose(part(query, keys, values, mask=mask), expected, atol=2e-5)
    np.testing.assert_allclose(read.output, expected, atol=2e-5)
    np.testing.assert_allclose(read.weights, weights, atol=1e-5)
    np.testing.assert_allclose(read.effective, 1 / np.square(weights).sum(-1), rtol=1e-4)


def test_without_projections_it_retrieves_as_a_memory():
    patterns = rows(20, 32)
    part = HopfieldAttention(32, project=(), beta=1.0, dynamics=Iterate(), key=KEY)
    damaged = patterns[:4] + 0.3 * rows(4, 32, seed=5)
    np.testing.assert_allclose(part(damaged, patterns), patterns[:4], atol=1e-3)
    memory = part.memory(patterns)
    found = retrieve(memory, damaged)
    np.testing.assert_allclose(part(damaged, patterns), found.state, atol=1e-5)
    assert len(memory) == 20


@pytest.mark.parametrize(
    "name", ["softmax", "entmax_1.5", "top_softmax", "rectified_4", "k_subsets"]
)
def test_a_head_is_a_memory_and_its_energy_that_of_the_memory(name):
    separation = registry.SEPARATIONS[name]
    part = layer(separation=separation)
    query, keys, values = rows(S), rows(N, seed=2), rows(N, seed=3)
    read = part.read(query, keys, values)
    there = np.array([True] * 5 + [False] * 2)
    masked = part.read(query, keys, values, mask=there)
    assert not np.any(np.asarray(masked.weights)[..., 5:])
    for head in range(H):
        memory = part.memory(keys, values, head=head)
        np.testing.assert_allclose(
            jax.vmap(memory.weights)(read.state[head]), read.weights[head], atol=1e-5
        )
        if separation.lacks_potential is None:
            energy = jax.vmap(memory.energy)(read.state[head])
            np.testing.assert_allclose(energy, read.energy[head], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(part.energy(query, keys)[head], energy, rtol=1e-4, atol=1e-5)


def test_every_step_lowers_the_energy():
    query, keys = rows(S), rows(N, seed=2)
    energies = [np.asarray(layer(steps=n).read(query, keys).energy) for n in range(1, 6)]
    assert np.all(np.diff(np.stack(energies), axis=0) <= 1e-5)
    assert np.min(np.diff(np.stack(energies), axis=0)) < -1e-3


def test_a_fixed_point_has_the_output_and_slopes_of_many_steps():
    query, keys = rows(S), rows(N, seed=2)

    def loss(part):
        return jnp.sum(jnp.sin(part(query, keys)))

    slope = eqx.filter_jit(eqx.filter_value_and_grad(loss))
    ends, at_end = slope(layer(beta=3.0, dynamics=FixedPoint(rtol=1e-7, atol=1e-7)))
    runs, after = slope(layer(beta=3.0, steps=60))
    np.testing.assert_allclose(ends, runs, rtol=1e-5)
    for name in ("key_map", "value_map", "output_map"):
        a, b = (getattr(tree, name).weight for tree in (at_end, after))
        np.testing.assert_allclose(a, b, atol=3e-3 * float(np.abs(b).max()))
    np.testing.assert_allclose(at_end.beta, after.beta, atol=1e-3)


def test_causal_rows_see_none_that_come_later():
    part, x = layer(), rows(N)
    changed = x.copy()
    changed[4:] += 1
    before = eqx.filter_jit(lambda x: part(x, causal=True))
    np.testing.assert_allclose(before(x)[:4], before(changed)[:4], atol=1e-6)
    assert np.all(np.triu(np.asarray(part.weights(x, causal=True))[0], 1) == 0)
    beside = layer(zero=True, learnt=True)
    np.testing.assert_allclose(
        beside(x, causal=True)[:4], beside(changed, causal=True)[:4], atol=1e-6
    )


def test_a_memory_of_zeros_can_be_read_alone():
    """A state unlike every key reads nearly nothing, where it can."""
    part = HopfieldAttention(D, project=(), beta=50.0, zero=True, key=KEY)
    keys = np.abs(rows(N))
    np.testing.assert_allclose(part(-keys[:1], keys), 0, atol=1e-6)
    assert part.weights(-keys[:1], keys).shape == (1, 1, N + 1)


def test_a_learnt_row_is_read_and_learns():
    part, x = layer(learnt=True), rows(S)
    assert part.weights(x).shape == (H, S, S + 1)
    slopes = eqx.filter_grad(lambda part: jnp.sum(part(x) ** 2))(part)
    assert np.all(np.abs(slopes.learnt_key).max(-1) > 0)
    assert np.all(np.abs(slopes.learnt_value).max(-1) > 0)


def test_where_nothing_takes_part_nothing_is_read():
    """hflayers gives NaN for a bag that is all padding, to it and to what it learns from."""
    part = HopfieldAttention(D, heads=H, bias=False, deviation=0.5, key=KEY)
    x, mask = rows(S), np.zeros(S, bool)
    np.testing.assert_array_equal(part(x, mask=mask), 0)
    slopes = eqx.filter_grad(lambda part: jnp.sum(part(x, mask=mask)))(part)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))


def test_beta_is_that_of_its_head():
    """hflayers gives the entries of a tensor to entries of the queries in turn."""
    part = layer(beta=[1e-6, 5.0])
    weights = np.asarray(part.weights(rows(S), rows(N, seed=2)))
    np.testing.assert_allclose(weights[0], 1 / N, atol=1e-4)
    assert weights[1].max() > 0.5


def test_rows_of_one_example_are_never_those_of_another():
    """hflayers mixes the examples of a batch where static rows meet several heads."""
    part = layer(project=("query", "output"), head_size=D)
    query, keys = rows(2 * S).reshape(2, S, D), rows(2 * N, seed=2).reshape(2, N, D)
    together = jax.vmap(part)(query, keys)
    for i in range(2):
        np.testing.assert_allclose(together[i], part(query[i], keys[i]), atol=1e-6)


def test_dropout_is_of_weights_in_training_alone():
    part, x = layer(dropout=0.5), rows(S)
    calls = [part(x, key=jax.random.key(i)) for i in range(2)]
    assert np.abs(calls[0] - calls[1]).max() > 1e-3
    np.testing.assert_array_equal(part(x, inference=True), layer()(x))
    np.testing.assert_array_equal(eqx.nn.inference_mode(part)(x), layer()(x))
    many = jax.vmap(lambda key: part(x, key=key))(jax.random.split(KEY, 4000))
    np.testing.assert_allclose(jnp.mean(many, 0), layer()(x), atol=0.1)


def test_it_is_half_precision_where_its_inputs_are():
    part = jax.tree.map(
        lambda leaf: leaf.astype(jnp.bfloat16) if eqx.is_inexact_array(leaf) else leaf,
        layer(steps=2),
    )
    x = jnp.asarray(rows(S))
    half = part(x.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), layer(steps=2)(x), atol=0.1)


def test_it_trains_with_positive_beta():
    from attrax.training import train

    part, x = layer(), rows(S)
    target = rows(S, seed=9)
    result = train(
        part, lambda part, x: jnp.mean((part(x) - target) ** 2), lambda step: x, steps=50
    )
    assert result.losses[-1] < result.losses[0]
    assert np.all(result.model.beta > 0)


def test_without_a_potential_there_is_no_energy():
    part = layer(separation=SeparationFunction(jax.nn.softmax))
    with pytest.raises(NoEnergyError):
        part.energy(rows(S))
    assert np.all(np.isnan(part.read(rows(S)).energy))


@pytest.mark.parametrize("separation", [Entmax(1.5), TopK(3, Softmax()), Threshold(0.1)])
def test_other_separations_have_slopes_masks_and_dropout(separation):
    part, x = layer(separation=separation, dropout=0.3), rows(S)
    mask = np.array([True] * 4 + [False])

    def loss(part):
        return jnp.sum(part(x, mask=mask, causal=True, key=KEY) ** 2)

    slopes = jax.tree.leaves(eqx.filter_grad(loss)(part))
    assert all(np.all(np.isfinite(leaf)) for leaf in slopes)
    assert max(float(np.abs(leaf).max()) for leaf in slopes) > 0


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("implementation", ["xla", jax.nn.dot_product_attention])
def test_another_implementation_reads_the_same(implementation, masked):
    query, keys = rows(S), rows(N, seed=2)
    mask = np.random.default_rng(4).random((S, N)) < 0.7 if masked else None
    if masked:
        mask[1] = False
    ours, theirs = layer(beta=[0.5, 2.0]), layer(beta=[0.5, 2.0], implementation=implementation)
    read = [eqx.filter_jit(part)(query, keys, mask=mask) for part in (ours, theirs)]
    np.testing.assert_allclose(*read, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_pixels_in_half_precision_are_summed_in_single(dtype):
    """Rows of 300 entries from 0 to 255: squares and scores are beyond 16 bits."""
    x = jnp.asarray(np.random.default_rng(0).integers(0, 256, (20, 300)), dtype)
    wide = HopfieldAttention(300, heads=2, norm=True, learnt=True, steps=2, key=KEY)
    raw = HopfieldAttention(300, project=(), beta=1e-4, zero=True, key=KEY)
    for part in (wide, raw):
        half = jax.tree.map(
            lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, part
        )
        exact = jax.tree.map(
            lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, half
        )
        read, expected = half.read(x), exact.read(x.astype(jnp.float32))
        assert read.output.dtype == dtype
        assert read.energy.dtype == jnp.float32
        for a, b in zip(read, expected, strict=True):
            size = float(jnp.max(jnp.abs(b)))
            np.testing.assert_allclose(a.astype(jnp.float32), b, atol=0.02 * size)
        np.testing.assert_allclose(
            half.energy(x), exact.energy(x.astype(jnp.float32)), rtol=0.02, atol=1e-3
        )
