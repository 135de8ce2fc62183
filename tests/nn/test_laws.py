"""The laws of the core hold for the reads inside layers, under every transform and when saved."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import attrax
from attrax import NoEnergyError, nn
from attrax.dynamics import FixedPoint
from attrax.nn import HopfieldAttention
from attrax.separation import Entmax
from attrax.similarity import DPFP, Dot
from conformance import registry
from jitted import jitted

KEY = jax.random.key(0)
S, D, N = 5, 6, 9
# Separations that take any score, as a dot product gives.
SEPARATIONS = {
    name: separation
    for name, separation in registry.ALL_SEPARATIONS.items()
    if separation.domain == "signed"
}
# A plain function without a mask is refused where there is one.
MASKED = [name for name in SEPARATIONS if name != "function"]
CONVEX = [
    name for name, leaf in SEPARATIONS.items() if leaf.lacks_potential is None and leaf.convex
]


def rows(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def examples(layer, *shape):
    """Rows of a kind that a layer takes."""
    drawn = rows(*shape)
    return np.abs(drawn) if isinstance(layer, nn.SDMClassifier) else drawn


def bare(separation):
    """A layer whose states and keys are the rows that it is given, and the separation it has."""
    layer = HopfieldAttention(D, project=(), separation=separation, key=KEY)
    return layer, layer.at(None if layer.beta is None else layer.beta[0])


@eqx.filter_jit
def energy_of(layer, query, keys):
    return layer.energy(query[None], keys)[0, 0]


@pytest.mark.parametrize("name", CONVEX)
def test_laws_1_and_2_a_read_is_the_slope_of_the_energy_and_never_raises_it(name):
    """∂E/∂q = q − read(q): the weights are the gradient of the potential that E has."""
    (layer, _), keys = bare(SEPARATIONS[name]), rows(N, D, seed=2)
    queries = np.concatenate([rows(12, D), keys[:4], 0.9 * keys[4:8]])
    read = eqx.filter_jit(layer)(queries, keys)
    slope = jax.vmap(jax.grad(lambda query: energy_of(layer, query, keys)))(queries)
    size = 1 + np.abs(read).max()
    np.testing.assert_allclose(slope, queries - read, atol=2e-5 * size)
    energies = jax.vmap(lambda query: energy_of(layer, query, keys))
    before, after = energies(jnp.asarray(queries)), energies(read)
    assert np.all(after - before <= 1e-5 * (np.abs(before) + np.abs(after) + size**2))


@pytest.mark.parametrize("name", MASKED)
def test_law_4_a_read_is_that_of_the_memory_in_value_and_slope(name):
    """Whole, in blocks and with masks: as the fold of the core reads the same keys."""
    (layer, separation), keys, query = bare(SEPARATIONS[name]), rows(N, D, seed=2), rows(S, D)
    mask = np.arange(N) < 7

    def by_layer(query, keys, filled):
        return layer(query, keys, mask=filled)

    def by_memory(query, keys, filled):
        block = None if name == "score_softmax" else 4
        parts = {"similarity": Dot(), "separation": separation}
        memory = attrax.Memory(keys, **parts, filled=filled, block=block)
        return jax.vmap(memory)(query)

    def both(read):
        @eqx.filter_jit
        def found(query, keys, filled):
            value, pull = jax.vjp(lambda query, keys: read(query, keys, filled), query, keys)
            return value, pull(jnp.cos(value))

        return found(query, keys, mask)

    size = 1 + np.abs(both(by_layer)[0]).max()
    for ours, theirs in zip(
        jax.tree.leaves(both(by_layer)), jax.tree.leaves(both(by_memory)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * size**2)


@pytest.mark.parametrize("name", [name for name in SEPARATIONS if name not in CONVEX])
def test_where_no_step_is_known_to_descend_there_is_no_energy(name):
    layer, _ = bare(SEPARATIONS[name])
    assert layer.lacks_energy == layer.memory(rows(N, D)).lacks_energy
    with pytest.raises(NoEnergyError, match=re.escape(layer.lacks_energy)):
        layer.energy(rows(S, D))
    assert np.all(np.isnan(layer.read(rows(S, D)).energy))


MAPPED = HopfieldAttention(D, heads=2, norm=True, deviation=0.5, key=KEY)
BLOCK = nn.EnergyTransformer(D, heads=2, memories=7, steps=3, key=KEY)
VISION = nn.ImageTransformer((4, 4), 3, patch=2, size=D, heads=2, depth=2, key=KEY)
CHAIN = np.eye(S, k=1, dtype=bool) | np.eye(S, k=-1, dtype=bool)
# Every layer, and the shape of one example.
LAYERS = {
    "attention": (MAPPED, (S, D)),
    "updates": (HopfieldAttention(D, heads=2, steps=3, deviation=0.5, key=KEY), (S, D)),
    "fixed point": (HopfieldAttention(D, dynamics=FixedPoint(), deviation=0.5, key=KEY), (S, D)),
    "entmax": (HopfieldAttention(D, separation=Entmax(1.5), deviation=0.5, key=KEY), (S, D)),
    "activation": (HopfieldAttention(D, activation=jax.nn.gelu, deviation=0.5, key=KEY), (S, D)),
    "pooling": (nn.HopfieldPooling(D, quantity=2, attention=MAPPED, key=KEY), (S, D)),
    "lookup": (nn.HopfieldLookup(D, memories=4, deviation=0.5, key=KEY), (S, D)),
    "prototypes": (nn.PrototypeLayer(D, classes=3, key=KEY), (D,)),
    "prototype block": (
        nn.PrototypeBlock(D, heads=2, head_size=3, prototypes=7, scale=1.0, dropout=0.0, key=KEY),
        (S, D),
    ),
    "sparse distributed": (nn.SDMClassifier(D, 9, 3, k=3, switch=50.0, key=KEY), (D,)),
    "encoder": (eqx.nn.inference_mode(nn.EncoderBlock(MAPPED, feedforward=8, key=KEY)), (S, D)),
    "fast weights": (nn.FastWeight(D, heads=2, key=KEY), (S, D)),
    "fast weights, DPFP": (nn.FastWeight(D, feature_map=DPFP(2), norm="sum", key=KEY), (S, D)),
    "performer": (nn.Performer(D, heads=2, count=16, key=KEY), (S, D)),
    "energy transformer": (BLOCK, (S, D)),
    "images": (nn.ImageEnergyTransformer(BLOCK, (4, 4), 2, key=KEY), (4, 4)),
    "tasks": (nn.AdaptedTransformer(VISION, [nn.MemoryTokens(VISION, 2, 3, key=KEY)]), (4, 4)),
    "mixer": (nn.HopfieldMixer(S, D, key=KEY), (S, D)),
    "mixer, untied": (nn.HopfieldMixer(S, D, tied=False, activation="gelu", key=KEY), (S, D)),
    "classifier": (nn.MixerClassifier((4, 4), 3, patch=2, channels=D, depth=2, key=KEY), (4, 4)),
    "imixer": (nn.IMixer(S, D, key=KEY), (S, D)),
    "imlp": (nn.IMLP(D, 8, key=KEY), (D,)),
}
# Those that are given more than one input.
OTHERS = {
    "decoder": (nn.DecoderBlock(MAPPED, MAPPED, dropout=0.0, feedforward=8, key=KEY), (S, D)),
    "generator": (
        nn.PrototypeGenerator(
            (2, 3), 4, words=5, size=D, blocks=2, heads=2, head_size=3, prototypes=7, key=KEY
        ),
        (S, D),
    ),
    "graph": (nn.GraphEnergyTransformer([BLOCK], D, 2, key=KEY), CHAIN),
}


def output(layer, x):
    """The output of a layer, or the first of several."""
    return jax.tree.leaves(layer(x))[0]


def batched(layer, batch):
    return jax.vmap(functools.partial(output, layer))(batch)


@eqx.filter_jit
def loss_of(layer, batch):
    return jnp.mean(jnp.sin(batched(layer, batch)))


slopes_at = eqx.filter_jit(eqx.filter_value_and_grad(loss_of))


def cast(layer, dtype):
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, layer
    )


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_is_its_examples_compiled_or_not_with_slopes_for_all_that_learns(name):
    layer, shape = LAYERS[name]
    batch = examples(layer, 4, *shape)
    together = jitted(batched, layer, batch)
    np.testing.assert_allclose(output(layer, batch[1]), together[1], atol=2e-5)
    slopes = jax.tree.leaves(slopes_at(layer, batch)[1])
    assert slopes
    assert all(np.all(np.isfinite(leaf)) for leaf in slopes)
    assert max(float(np.abs(leaf).max()) for leaf in slopes) > 0


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_spread_over_two_devices_has_the_same_loss_and_slopes(name):
    layer, shape = LAYERS[name]
    batch = examples(layer, 4, *shape)
    mesh = jax.make_mesh((2,), ("examples",), axis_types=(jax.sharding.AxisType.Auto,))
    arrays, rest = eqx.partition(layer, eqx.is_array)

    @jax.jit
    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec("examples")),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    def spread(arrays, part):
        def loss(arrays):
            return loss_of(eqx.combine(arrays, rest), part)

        learnt, fixed = eqx.partition(arrays, eqx.is_inexact_array)
        value, slopes = jax.value_and_grad(lambda some: loss(eqx.combine(some, fixed)))(learnt)
        return jax.lax.pmean((value, slopes), "examples")

    value, slopes = spread(arrays, batch)
    expected, whole = slopes_at(layer, batch)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    for ours, theirs in zip(jax.tree.leaves(slopes), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * (1 + np.abs(theirs).max()))


@pytest.mark.parametrize("name", LAYERS)
def test_double_precision_agrees_with_single(name):
    layer, shape = LAYERS[name]
    x = examples(layer, *shape)
    single = jitted(output, layer, x)
    with jax.enable_x64(True):
        double = jitted(output, cast(layer, np.float64), x.astype(np.float64))
    assert double.dtype == np.float64
    np.testing.assert_allclose(single, double, atol=2e-5 * (1 + np.abs(double).max()))


@pytest.mark.parametrize("name", LAYERS)
def test_half_precision_in_half_precision_out(name):
    layer, shape = LAYERS[name]
    half, x = cast(layer, jnp.bfloat16), examples(layer, *shape).astype(jnp.bfloat16)
    out = jitted(output, half, x)
    assert out.dtype == jnp.bfloat16
    exact = np.asarray(jitted(output, cast(half, np.float32), x.astype(np.float32)))
    size = 1 + np.abs(exact).max()
    np.testing.assert_allclose(out.astype(np.float32), exact, atol=0.06 * size)


@pytest.mark.parametrize("name", [*LAYERS, *OTHERS])
def test_a_layer_that_was_saved_comes_back_as_it_was(name, tmp_path):
    layer, _ = {**LAYERS, **OTHERS}[name]
    attrax.save(tmp_path / "layer", layer)
    found = attrax.load(tmp_path / "layer")
    assert eqx.tree_equal(found, layer)
    assert jax.tree.structure(found) == jax.tree.structure(layer)


def test_a_layer_with_a_function_of_ones_own_is_refused(tmp_path):
    layer = HopfieldAttention(D, activation=lambda x: x + 1, key=KEY)
    with pytest.raises(TypeError, match=r"activation is a function, which a file cannot hold"):
        attrax.save(tmp_path / "layer", layer)
