import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import EnergyTransformer, GraphEnergyTransformer, laplacian_positions

N, F, C, D = 6, 3, 4, 8
RNG = np.random.default_rng(0)
NODES = RNG.normal(size=(N, F)).astype(np.float32)
# A path 0 - 1 - … - 5.
PATH = np.asarray(np.abs(np.arange(N)[:, None] - np.arange(N)) == 1, np.float32)
MASK = np.arange(N) < 4


def block(seed=0, **options):
    options = {"heads": 2, "steps": 1} | options
    return EnergyTransformer(D, key=jax.random.key(seed), **options)


def model(read="node", positions=0, blocks=None):
    blocks = block() if blocks is None else blocks
    return GraphEnergyTransformer(
        blocks, F, C, read=read, positions=positions, key=jax.random.key(1)
    )


@eqx.filter_jit
def run(layer, *given, **options):
    return layer(*given, **options)


@eqx.filter_jit
def places_of(*given):
    return laplacian_positions(*given)


def test_nodes_hear_of_those_that_edges_lead_to_alone():
    layer = model()
    changed = NODES.copy()
    changed[5] += 1
    # The shares of attention of node 4 change, and so what node 3 is drawn by.
    moved = np.abs(run(layer, changed, PATH) - run(layer, NODES, PATH)).max(1)
    assert np.array_equal(np.flatnonzero(moved), [3, 4, 5])
    both = model(blocks=[block(), block(2)])
    moved = np.abs(run(both, changed, PATH) - run(both, NODES, PATH)).max(1)
    assert np.array_equal(np.flatnonzero(moved), [1, 2, 3, 4, 5])


def test_weights_of_edges_multiply_scores():
    layer = model()
    tokens, _ = layer._tokens(NODES, None, None)
    layer = eqx.tree_at(lambda m: m.weights, layer, (jnp.asarray([[2.0, 1, 1], [3, 1, 1]]),))
    weights = 2 * PATH
    factors = jnp.stack([2 * weights, 3 * weights])
    last = layer.blocks[0](tokens, edges=PATH != 0, factors=factors)
    seen = jnp.concatenate([layer.blocks[0].activation(x) for x in (tokens, last)], axis=1)
    np.testing.assert_allclose(run(layer, NODES, weights), jax.vmap(layer.head)(seen), rtol=1e-5)


@pytest.mark.parametrize("read", ["node", "graph"])
def test_absent_nodes_are_not_seen(read):
    layer = model(read, positions=2)
    places = places_of(PATH, 2, MASK)
    few = run(layer, NODES[:4], PATH[:4, :4], positions=places[:4])
    found = run(layer, NODES, PATH, MASK, positions=places)
    np.testing.assert_allclose(found if read == "graph" else found[:4], few, rtol=1e-4, atol=1e-6)
    assert found.shape == ((C,) if read == "graph" else (N, C))


def test_a_graph_has_no_order_of_nodes():
    layer, order = model("graph"), RNG.permutation(N)
    found = run(layer, NODES[order], PATH[order][:, order])
    np.testing.assert_allclose(found, run(layer, NODES, PATH), rtol=1e-4, atol=1e-6)
    other = run(layer, NODES, PATH[order][:, order])
    assert np.abs(np.asarray(other - found)).max() > 1e-4


def test_positions_are_eigenvectors_of_the_laplacian():
    found = np.asarray(places_of(PATH, 3))
    degree = PATH.sum(1)
    laplacian = np.eye(N) - PATH / np.sqrt(degree[:, None] * degree)
    values = np.sort(np.linalg.eigvalsh(laplacian))
    np.testing.assert_allclose(laplacian @ found, found * values[1:4], atol=1e-5)
    np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-5)
    small = np.abs(places_of(PATH, 5, MASK))
    assert (small[4:] == 0).all()
    assert (small[:, 3:] == 0).all()
    np.testing.assert_allclose(small[:4, :2], np.abs(places_of(PATH[:4, :4], 2)), atol=1e-5)
    assert np.isfinite(places_of(0 * PATH, 2)).all()


def test_noise_takes_a_key_and_everything_learns():
    layer = model(blocks=[block(noise=0.5), block(1, noise=0.5)])
    key = jax.random.key(0)
    assert not np.allclose(run(layer, NODES, PATH, key=key), run(layer, NODES, PATH))
    slopes = eqx.filter_grad(lambda layer: jnp.sum(jax.nn.log_softmax(layer(NODES, PATH))[:, 0]))
    found = eqx.filter_jit(slopes)(layer)
    assert np.abs(found.weights[0][:, 0]).min() > 0
    assert np.abs(found.blocks[1].memories).max() > 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: model(blocks=[]), "`blocks` must be of one size"),
        (lambda: model(blocks=3), "`blocks` must be an EnergyTransformer"),
        (lambda: model("edge"), "`read` must be one of"),
        (lambda: model()(NODES[:, 1:], PATH), "`nodes` must have 3 features"),
        (lambda: model()(NODES, PATH[1:]), "`adjacency` must have shape"),
        (lambda: model()(NODES, PATH, MASK[1:]), "`mask` must have shape"),
        (lambda: model()(NODES, PATH, positions=NODES), "`positions` must be given where"),
        (lambda: model(positions=2)(NODES, PATH), "it has 2"),
        (lambda: model(positions=2)(NODES, PATH, positions=NODES), "`positions` must have shape"),
        (lambda: laplacian_positions(NODES, 2), "`adjacency` must be square"),
        (lambda: laplacian_positions(PATH, 0), "`count` must be a positive whole number"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(call, says):
    with pytest.raises((ValueError, TypeError), match=says):
        call()
