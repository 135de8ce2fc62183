import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import AttentionSynapse, HierarchicalMemory, LayerNorm, Neurons

RNG = np.random.default_rng(0)
HEADS, Z = 2, 3
G, F = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 6))
Q, K = RNG.normal(size=(HEADS, Z, 4)), RNG.normal(size=(HEADS, Z, 6))
SELF_K = RNG.normal(size=(HEADS, Z, 4))


def attention(asking, asked, queries, keys, beta, mask):
    """The energy, and the drives of the tokens that ask and of those that are asked."""
    energy, to_asking, to_asked = 0.0, np.zeros_like(asking), np.zeros_like(asked)
    for query, key in zip(queries, keys, strict=True):
        for t, token in enumerate(asking):
            chosen = np.flatnonzero(mask[t])
            if not len(chosen):
                continue
            scores = np.array([beta * (key @ asked[s]) @ (query @ token) for s in chosen])
            weights = np.exp(scores) / np.sum(np.exp(scores))
            energy -= np.log(np.sum(np.exp(scores))) / beta
            for weight, s in zip(weights, chosen, strict=True):
                to_asking[t] += weight * query.T @ (key @ asked[s])
                to_asked[s] += weight * key.T @ (query @ token)
    return energy, to_asking, to_asked


LOWER = np.tri(3, 5, 1, dtype=bool)
EMPTY_ROW = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], bool)


@pytest.mark.parametrize(
    ("beta", "mask"),
    [(None, None), (0.7, None), (0.7, LOWER), (1.5, EMPTY_ROW), (0.7, np.zeros((3, 5), bool))],
    ids=["default", "beta", "masked", "a row that attends to nothing", "nothing"],
)
def test_the_energy_and_its_drives(x64, looked_at, beta, mask):
    everything = np.ones((3, 5), bool) if mask is None else mask
    plain = 1 / np.sqrt(Z) if beta is None else beta
    energy, to_asking, to_asked = attention(G, F, Q, K, plain, everything)
    found, drives = looked_at(AttentionSynapse(Q, K, beta, mask=mask), G, F)
    assert np.allclose(found, energy, rtol=1e-12)
    assert np.allclose(drives[0], to_asking, rtol=0, atol=1e-12)
    assert np.allclose(drives[1], to_asked, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mask", [None, np.tri(3, dtype=bool), np.ones((3, 3), bool)])
def test_no_token_attends_to_itself(x64, looked_at, mask):
    # The first token of the triangle attends to itself alone, so to nothing.
    others = ~np.eye(3, dtype=bool) if mask is None else mask & ~np.eye(3, dtype=bool)
    energy, to_asking, to_asked = attention(G, G, Q, SELF_K, 0.7, others)
    found, (drive,) = looked_at(AttentionSynapse(Q, SELF_K, 0.7, mask=mask), G)
    assert np.allclose(found, energy, rtol=1e-12)
    assert np.allclose(drive, to_asking + to_asked, rtol=0, atol=1e-12)


def test_a_token_attends_to_itself_where_it_may(x64, looked_at):
    energy, to_asking, to_asked = attention(G, G, Q, SELF_K, 0.7, np.ones((3, 3), bool))
    found, (drive,) = looked_at(AttentionSynapse(Q, SELF_K, 0.7, self_term=True), G)
    assert np.allclose(found, energy, rtol=1e-12)
    assert np.allclose(drive, to_asking + to_asked, rtol=0, atol=1e-12)


def test_factors_multiply_scores(x64, looked_at):
    """One factor a head is a larger projection; entries are those of their rows and columns."""
    heads = np.broadcast_to(np.array([2.0, 0.5])[:, None, None], (2, 3, 5))
    found, drives = looked_at(AttentionSynapse(Q, K, factors=heads), G, F)
    scaled = AttentionSynapse(Q * np.array([2.0, 0.5])[:, None, None], K)
    expected, wanted = looked_at(scaled, G, F)
    assert np.allclose(found, expected, rtol=1e-12)
    assert np.allclose(drives[0], wanted[0], rtol=0, atol=1e-12)
    # A score of zero for every other token, so that each of these has the same share.
    single = np.zeros((2, 3, 5))
    single[:, 1, 2] = 1.0
    found, _ = looked_at(AttentionSynapse(Q, K, 1.0, factors=single), G, F)
    scores = [(k @ F[2]) @ (q @ G[1]) for q, k in zip(Q, K, strict=True)]
    assert np.allclose(found, -np.sum(np.log(4 + np.exp(scores))) - 4 * np.log(5), rtol=1e-12)


def test_factors_of_another_shape_are_refused():
    layers = {"asking": Neurons((3, 4)), "asked": Neurons((5, 6))}
    joint = AttentionSynapse(Q, K, factors=np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match="`factors` must have shape"):
        HierarchicalMemory(layers, {("asking", "asked"): joint})


def test_a_token_alone_has_no_energy(x64, looked_at):
    energy, (drive,) = looked_at(AttentionSynapse(Q, SELF_K), G[:1])
    assert energy == 0
    assert np.array_equal(drive, np.zeros((1, 4)))


def test_scores_far_from_zero_do_not_overflow(looked_at):
    big = np.float32(100) * G.astype(np.float32)
    energy, drives = looked_at(AttentionSynapse(Q, SELF_K, 10.0), big)
    assert np.isfinite(energy)
    assert np.all(np.isfinite(drives[0]))


def test_half_precision_sums_in_single(looked_at):
    synapse = AttentionSynapse(Q, K, 0.7, mask=EMPTY_ROW)
    wide, expected = looked_at(synapse, G.astype(np.float32), F.astype(np.float32))
    energy, drives = looked_at(synapse, G.astype(jnp.bfloat16), F.astype(jnp.bfloat16))
    assert energy.dtype == jnp.float32
    assert np.allclose(energy, wide, rtol=0.02)
    assert drives[0].dtype == jnp.bfloat16
    assert np.allclose(drives[0].astype(np.float32), expected[0], atol=0.1)


def test_attention_is_a_step_of_the_pull(x64):
    """With identity projections, one head and one query: attention with values tied to keys."""
    one = np.eye(4)[None]
    network = HierarchicalMemory(
        {"asking": Neurons((1, 4)), "asked": Neurons((5, 4), LayerNorm(axis=-1))},
        {("asking", "asked"): AttentionSynapse(one, one, 1.5)},
    )
    query, keys = RNG.normal(size=(1, 4)), RNG.normal(size=(5, 4))
    keys = network.neurons["asked"].activation(jnp.asarray(keys))
    states = {"asking": jnp.asarray(query), "asked": keys}
    seen = network.activations(states)["asked"]
    weights = np.exp(1.5 * seen @ query[0])
    expected = weights @ seen / np.sum(weights)
    assert np.allclose(network.pull(states)["asking"], expected, rtol=1e-12)
