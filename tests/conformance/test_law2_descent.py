"""Law 2: a read never raises the energy of a memory that states one; others say why not."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.separation import Softmax
from attrax.similarity import Dot, Manhattan
from conformance import registry

DRAWS = 200
# One of each family, tried with every separation: of a mean, a distance, a divergence, a median.
FAMILIES = ("dot", "euclidean", "kullback_leibler", "manhattan")
# The separations that every other similarity is tried with: one of each kind.
KINDS = ("softmax", "power_3", "rectified_half", "entmax_1.5", "top_softmax", "threshold")
PAIRS = [
    (similarity, separation)
    for similarity, a in registry.ALL_SIMILARITIES.items()
    for separation, b in registry.ALL_SEPARATIONS.items()
    if registry.fits(a, b)
]


def memory_of(similarity, separation, projection, dtype=np.float32):
    rows = registry.rows_of(similarity, np.random.default_rng(0), dtype)
    return attrax.Memory(rows, similarity=similarity, separation=separation, projection=projection)


def states_of(similarity, dtype):
    """States drawn as the rows are, some of them near a row and some of them rows."""
    rng = np.random.default_rng(0)
    rows = registry.rows_of(similarity, rng, dtype)
    far = registry.rows_of(similarity, rng, dtype, size=DRAWS - 2 * len(rows))
    return jnp.concatenate([far, rows, 0.9 * rows + 0.1 * far[: len(rows)]])


@eqx.filter_jit
@eqx.filter_vmap(in_axes=(None, 0))
def terms_of(memory, state):
    """R, Φ, the read, and the largest term of E."""
    reading = memory._read(state, None, None)
    term = memory.similarity.state_term(state)
    scores = memory.state_scores(state)
    weights = memory.separation(scores, memory.filled)
    squares = jnp.max(jnp.sum(jnp.square(memory.keys), axis=-1)) + jnp.sum(jnp.square(state))
    scores = jnp.abs(scores)
    scores = jnp.max(jnp.where(jnp.isfinite(scores), scores, 0.0))
    size = jnp.sum(jnp.abs(weights)) * (squares + scores)
    size = jnp.maximum(jnp.maximum(size, jnp.abs(term)), jnp.abs(reading.potential))
    return term, reading.potential, reading.value, size


def rise(memory, states):
    """The largest rise of R − Φ by a read over the states, in units of its rounding error.

    The unit is ε, times the number of terms summed, times the largest term of E: of R, of Φ, and
    of the squares that scores are made of, weighed as they enter Φ.
    """
    term, potential, read, size = map(np.asarray, terms_of(memory, states))
    term_after, potential_after, _, size_after = map(np.asarray, terms_of(memory, read))
    terms = sum(memory.keys.shape)
    # An exponential may throw a state out of the floating-point range; most states stay within.
    within = np.isfinite(size_after)
    assert np.mean(within) > 0.5
    unit = np.finfo(states.dtype).eps * terms * np.maximum(np.maximum(size, size_after), 1)
    rises = (term_after - potential_after)[within] - (term - potential)[within]
    return float(np.max(rises / unit[within]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("similarity", "dtype"),
    [(similarity, np.float64) for similarity in registry.ALL_SIMILARITIES]
    + [(similarity, np.float32) for similarity in ("dot", "euclidean", "kullback_leibler")],
)
def test_a_read_never_raises_the_energy(similarity, dtype):
    part = registry.ALL_SIMILARITIES[similarity]
    with jax.enable_x64(dtype is np.float64):
        states = states_of(part, dtype)
        found = {}
        for name, separation in registry.ALL_SEPARATIONS.items():
            if name not in KINDS and not (similarity in FAMILIES and dtype is np.float64):
                continue
            for projection in ("sum", "centroid"):
                if registry.fits(part, separation):
                    memory = memory_of(part, separation, projection, dtype)
                    if memory.lacks_energy is None:
                        found[name, projection] = rise(memory, states)
    if part.centroid is not None:
        assert ("softmax", "centroid") in found
    else:
        assert not found
    assert {pair: value for pair, value in found.items() if not value <= 1} == {}


@pytest.mark.parametrize(
    "separation", registry.cases(["softmax", "power_3", "entmax_1.5", "max", "threshold"])
)
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan", "kullback_leibler"])
def test_no_rise_in_the_public_api_under_jit(similarity, separation):
    """The same, by `energy` and `memory(query)` alone, compiled, for states that are queries."""
    part, other = registry.ALL_SIMILARITIES[similarity], registry.ALL_SEPARATIONS[separation]
    memory = memory_of(part, other, "centroid")
    states = states_of(part, np.float32)
    if memory.lacks_energy is not None:
        pytest.skip(memory.lacks_energy)

    @jax.jit
    def energies(states):
        return jax.vmap(memory.energy)(states), jax.vmap(memory.energy)(jax.vmap(memory)(states))

    before, after = energies(states)
    room = 1e-5 * (1 + jnp.abs(before) + jnp.abs(after))
    assert bool(jnp.all(after <= before + room))


@pytest.mark.parametrize("projection", ["sum", "centroid"])
def test_memories_without_an_energy_say_why(projection):
    seen = set()
    for similarity, separation in PAIRS:
        memory = memory_of(
            registry.ALL_SIMILARITIES[similarity], registry.ALL_SEPARATIONS[separation], projection
        )
        reason = memory.lacks_energy
        if reason is None:
            continue
        seen.add(reason)
        state = memory.keys[0]
        for asked in (memory, memory.space(state)):
            with pytest.raises(attrax.NoEnergyError, match=re.escape(reason)):
                asked.energy(state)
    # No potential (plain functions, sums, shares, best scores), no centroid, negative weights.
    assert len(seen) > 5


def test_a_false_claim_is_caught():
    """Manhattan's energy descends to the median; the sum of rows may raise it, and the check of
    this file sees that."""
    with jax.enable_x64():
        similarity = Manhattan()
        memory = memory_of(similarity, Softmax(2.0), "sum", np.float64)
        assert memory.lacks_energy is not None
        assert rise(memory, states_of(similarity, np.float64)) > 1e6
        assert rise(memory_of(similarity, Softmax(2.0), "centroid", np.float64), memory.keys) <= 1


@pytest.mark.parametrize("separation", ["softmax", "power_3", "ghost", "entmax_1.5", "identity"])
def test_the_residual_is_the_slope_of_the_energy(separation):
    """For the dot product v − pull(v) = ∇E(v), so that the flow descends as well."""
    with jax.enable_x64():
        memory = memory_of(Dot(), registry.ALL_SEPARATIONS[separation], "sum", np.float64)
        states = states_of(Dot(), np.float64)[:40]

        @jax.jit
        @jax.vmap
        def look(state):
            return jax.grad(memory.state_energy)(state), state - memory.pull(state)

        slopes, expected = look(states)
        np.testing.assert_allclose(slopes, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.contract
def test_the_default_memory_descends_in_key_space():
    rng = np.random.default_rng(0)
    memory = attrax.Memory(rng.random((registry.ROWS, registry.WIDTH)))
    queries = jnp.asarray(rng.random((DRAWS, registry.WIDTH)), jnp.float32)
    found = attrax.retrieve(memory, queries, path=True)
    rises = jnp.diff(found.energies, axis=-1)
    assert float(jnp.max(rises)) <= 1e-5 * float(1 + jnp.max(jnp.abs(found.energies)))
