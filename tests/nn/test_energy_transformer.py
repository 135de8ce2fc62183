import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.common.checks import NoEnergyError
from attrax.nn import EnergyTransformer
from attrax.separation import Power, Softmax, SumNormalised

N, D, HEADS, Y, M = 6, 8, 2, 3, 10
TOKENS = np.random.default_rng(0).normal(size=(N, D))
MASK = np.arange(N) < 4
EDGES = np.abs(np.arange(N)[:, None] - np.arange(N)) <= 1
FACTORS = np.random.default_rng(1).uniform(0.5, 2, (HEADS, N, N))
FORMS = {
    "relu": (None, lambda s: np.maximum(s, 0)),
    "power": (Power(3, rectified=True), lambda s: np.maximum(s, 0) ** 3),
    "softmax": (Softmax(0.7), lambda s: softmax(0.7 * s)),
}


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def block(separation=None, **options):
    options = {"steps": 3, "beta": 0.8, "heads": HEADS, "head_size": Y, "memories": M} | options
    return EnergyTransformer(D, separation=separation, key=jax.random.key(0), **options)


def by_hand(layer, tokens, weigh, open_, factors):
    """−∂E/∂g as the paper writes it, loops over heads."""
    c = tokens - tokens.mean(1, keepdims=True)
    g = c / np.sqrt((c**2).mean(1, keepdims=True) + 1e-5)
    memories, drive = np.asarray(layer.memories), np.zeros_like(g)
    for q, k, factor in zip(layer.attention.queries, layer.attention.keys, factors, strict=True):
        asked, asking = g @ np.asarray(k).T, g @ np.asarray(q).T
        scores = np.where(open_, 0.8 * factor * (asking @ asked.T), -1e9)
        share = np.where(open_, softmax(scores), 0.0) * factor
        drive += share @ asked @ np.asarray(q) + share.T @ asking @ np.asarray(k)
    return drive + weigh(g @ memories.T) @ memories


@eqx.filter_jit
def run(layer, *tokens, **given):
    return layer(*tokens, **given)


@eqx.filter_jit
def drive(layer, tokens, **given):
    return layer.drive(tokens, **given)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("self_term", [False, True])
def test_the_drive_is_the_closed_form(x64, form, self_term):
    separation, weigh = FORMS[form]
    layer = block(separation, self_term=self_term)
    open_ = EDGES if self_term else EDGES & ~np.eye(N, dtype=bool)
    found = drive(layer, TOKENS, edges=EDGES, factors=FACTORS)
    np.testing.assert_allclose(found, by_hand(layer, TOKENS, weigh, open_, FACTORS), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_the_energy_has_that_slope_and_is_the_networks(x64, form):
    layer = block(FORMS[form][0])
    network = layer.network(N)
    states = {"tokens": jnp.asarray(TOKENS)}
    np.testing.assert_allclose(
        network.pull(states)["tokens"], drive(layer, TOKENS), rtol=0, atol=1e-12
    )
    parts = network.energies(states)
    energy, own = layer.energy(TOKENS), parts.pop("tokens")
    np.testing.assert_allclose(sum(parts.values()), energy, rtol=1e-12)
    np.testing.assert_allclose(network.energy(states), energy + own, rtol=1e-12)
    # By the state, the slope goes through layer norm besides.
    slope = jax.grad(layer.energy)(jnp.asarray(TOKENS))
    through = jax.vjp(layer.activation, jnp.asarray(TOKENS))[1](drive(layer, TOKENS))[0]
    np.testing.assert_allclose(-slope, through, rtol=0, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.02, 0.5])
def test_energy_falls_and_the_last_state_is_the_answer(x64, alpha):
    layer = block(steps=40, alpha=alpha, heads=1)
    energies = layer.energies(TOKENS)
    assert energies.shape == (41,)
    assert np.all(np.diff(energies) < 0)
    states = layer.trajectory(TOKENS)
    assert np.array_equal(states[0], TOKENS)
    np.testing.assert_allclose(states[-1], run(layer, TOKENS), rtol=1e-12)
    np.testing.assert_allclose(states[1], TOKENS + alpha * drive(layer, TOKENS), rtol=1e-12)
    assert np.array_equal(block(steps=0)(TOKENS), TOKENS)


def test_tokens_have_no_order(x64):
    layer, order = block(), np.random.default_rng(2).permutation(N)
    np.testing.assert_allclose(run(layer, TOKENS[order]), run(layer, TOKENS)[order], atol=1e-12)


def test_masked_tokens_stay_and_are_not_seen(x64):
    layer = block()
    garbage = np.where(MASK[:, None], TOKENS, np.nan)
    found = run(layer, garbage, MASK)
    np.testing.assert_allclose(found[:4], run(layer, TOKENS[:4]), atol=1e-12)
    assert np.isnan(found[4:]).all()
    np.testing.assert_allclose(layer.energy(garbage, MASK), layer.energy(TOKENS[:4]), rtol=1e-12)
    assert not layer.drive(garbage, MASK)[4:].any()
    assert np.isnan(layer.trajectory(garbage, MASK)[:, 4:]).all()
    slopes = eqx.filter_grad(lambda layer: jnp.sum(layer(garbage, MASK)[:4] ** 2))(layer)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    assert np.isnan(run(layer, garbage)).any()


def test_later_tokens_draw_earlier_ones_through_a_triangular_mask(x64):
    layer, causal = block(steps=1), np.tri(N, dtype=bool)
    changed = TOKENS.copy()
    changed[-1] = -changed[-1]
    moved = run(layer, changed, edges=causal)[0] - run(layer, TOKENS, edges=causal)[0]
    assert np.abs(moved).max() > 1e-3


def test_a_batch_and_half_precision():
    layer = block()
    batch = jnp.asarray(np.stack([TOKENS, 2 * TOKENS]), jnp.float32)
    masks = np.stack([MASK, ~MASK])
    found = eqx.filter_jit(eqx.filter_vmap(layer, in_axes=(0, 0)))(batch, masks)
    np.testing.assert_allclose(found[1], layer(batch[1], masks[1]), rtol=1e-5)
    narrow = layer(batch[0].astype(jnp.bfloat16))
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(narrow.astype(jnp.float32), layer(batch[0]), atol=0.15)
    assert layer.energy(batch[0].astype(jnp.bfloat16)).dtype == jnp.float32


def test_noise_takes_a_key():
    layer, quiet = block(noise=0.1, steps=1), block(steps=1)
    tokens = jnp.asarray(TOKENS, jnp.float32)
    assert np.array_equal(layer(tokens), quiet(tokens))
    keys = jax.random.split(jax.random.key(1), 200)
    noise = jax.vmap(lambda key: layer(tokens, key=key) - quiet(tokens))(keys)
    assert np.std(noise) == pytest.approx(0.1, rel=0.05)
    assert np.array_equal(quiet(tokens, key=keys[0]), quiet(tokens))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: block(heads=3, head_size=None), "`size` must be a multiple of `heads`"),
        (lambda: block(heads=0), "`heads` must be a positive whole number"),
        (lambda: block(steps=-1), "`steps` must be a whole number of at least 0"),
        (lambda: block(alpha=0), "`alpha` must be positive"),
        (lambda: block(noise=-1), "`noise` must be at least 0"),
        (lambda: block(beta=-1), "`beta` must be positive"),
        (lambda: block(Power(2)), "`separation` must take scores of either sign"),
        (lambda: block(SumNormalised(Power(1, rectified=True))), "`separation` must have a convex"),
        (lambda: block()(TOKENS[0]), "`tokens` must have shape"),
        (lambda: block()(TOKENS[None]), "jax.vmap takes a batch"),
        (lambda: block()(TOKENS[:, 1:]), "`tokens` must have shape"),
        (lambda: block()(TOKENS, MASK[1:]), "`mask` must have shape"),
        (lambda: block()(TOKENS, MASK * 1.0), "`mask` must be boolean"),
        (lambda: block()(TOKENS, edges=EDGES[1:]), "`edges` must have shape"),
        (lambda: block()(TOKENS, factors=FACTORS[:1]), "`factors` must have shape"),
        (lambda: block(noise=0.1)(TOKENS, key=0), "`key` must be one key"),
        (lambda: block().network(0), "`tokens` must be a positive whole number"),
        (lambda: EnergyTransformer(8, key=1), "`key` must be one key"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(call, says):
    with pytest.raises((ValueError, TypeError, NoEnergyError), match=says):
        call()
