"""Units that settle one after another, against a plain loop over neurons."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import MatrixMemory, Outcome, retrieve
from attrax.dynamics import Asynchronous, Coordinates
from attrax.hierarchical import Absolute, HierarchicalMemory, LateralSynapse, Neurons

# Two whole blocks of units and a part of one.
D = 97
RNG = np.random.default_rng(0)
WHOLE = RNG.integers(-3, 4, (D, D))
MATRIX = WHOLE + WHOLE.T
STARTS = RNG.choice([-1, 1], (6, D))
THETA = RNG.integers(-2, 3, D)


def memory(units="signs", **options):
    return MatrixMemory(MATRIX.astype(np.float32), units=units, **options)


def plain_sweep(matrix, state, order, *, low=-1, threshold=THETA):
    """One sweep in whole numbers; every change must lower the energy, in whole numbers too."""
    state = state.copy()

    def twice_energy(state):
        return -(state @ matrix @ state) + 2 * threshold @ state

    for i in order:
        field = matrix[i] @ state - matrix[i, i] * state[i] - threshold[i]
        new = state.copy()
        new[i] = 1 if field > 0 else low if field < 0 else state[i]
        if new[i] != state[i]:
            assert twice_energy(new) < twice_energy(state)
        state = new
    return state


@pytest.mark.contract
@pytest.mark.parametrize("units", ["signs", "bits"])
def test_sweeps_are_those_of_a_loop_over_neurons(units):
    low = -1 if units == "signs" else 0
    matrix = MATRIX - np.diag(np.diag(MATRIX))
    starts = np.where(STARTS > 0, 1, low)
    model = memory(units, threshold=THETA.astype(np.float32))
    order = np.random.default_rng(1).permutation(D)
    found = retrieve(model, starts, Asynchronous(order, max_steps=30), path=True)
    for path, steps, outcome, start in zip(
        np.asarray(found.path).astype(int), found.steps, found.outcome._value, starts, strict=True
    ):
        np.testing.assert_array_equal(path[0], start)
        for before, after in itertools.pairwise(path):
            np.testing.assert_array_equal(after, plain_sweep(matrix, before, order, low=low))
        assert outcome == Outcome.converged._value
        # The last sweep is the first that changes nothing.
        moved = (path[1:] != path[:-1]).any(1)
        assert steps == moved.sum() + 1


@pytest.mark.parametrize("units", ["signs", "bits"])
def test_sweeps_with_self_terms_go_by_the_energy_of_both_states(units):
    """The self-coupling of a bit is half of it a drive: ½ W_ii σ_i² is zero in the low state."""
    low = -1 if units == "signs" else 0
    model = memory(units, threshold=THETA.astype(np.float32), self_term=True)
    found = retrieve(model, np.where(STARTS > 0, 1, low), Asynchronous("cyclic", max_steps=1))

    def twice_energy(state):
        return -(state @ MATRIX @ state) + 2 * THETA @ state

    for start, end in zip(STARTS, np.asarray(found.state), strict=True):
        state = np.where(start > 0, 1, low)
        for i in range(D):
            both = np.stack([state, state])
            both[:, i] = low, 1
            gap = twice_energy(both[0]) - twice_energy(both[1])
            state = state if gap == 0 else both[int(gap > 0)]
        np.testing.assert_array_equal(end, state)


@pytest.mark.parametrize("kind", ["matrix", "dense"])
def test_units_that_are_known_stay_and_the_others_see_them(kind):
    """Those coupled in pairs and those that overlap, against a loop over energies."""
    rng = np.random.default_rng(11)
    rows, known = rng.choice([-1, 1], (5, D)), rng.random(D) < 0.4
    matrix = rows.T @ rows - 5 * np.eye(D, dtype=int)
    model = {
        "matrix": MatrixMemory(matrix.astype(np.float32), units="signs"),
        "dense": attrax.models.dense_memory(rows.astype(np.float32), 3, rectified=False),
    }[kind]

    def energy(state):
        return -state @ matrix @ state if kind == "matrix" else -((rows @ state) ** 3).sum()

    how = Asynchronous("cyclic", max_steps=1)
    found = retrieve(model, STARTS, how, known=known, path=True)
    starts, ends = np.moveaxis(np.asarray(found.path).astype(int), 1, 0)
    np.testing.assert_array_equal(starts[:, known], STARTS[:, known])
    assert (ends != starts).any()
    for state, end in zip(starts, ends, strict=True):
        for i in np.flatnonzero(~known):
            other = np.where(np.arange(D) == i, -state, state)
            state = other if energy(other) < energy(state) else state
        np.testing.assert_array_equal(end, state)


@pytest.mark.parametrize("order", ["random", "cyclic"])
def test_the_energy_falls_to_a_state_that_no_flip_lowers(order):
    model = memory()
    found = retrieve(model, STARTS, Asynchronous(order), certify=True)
    assert bool(jnp.all(found.outcome == Outcome.converged))
    assert bool(jnp.all(found.certificate.rise <= 0))
    matrix = MATRIX - np.diag(np.diag(MATRIX))
    states = np.asarray(found.state).astype(int)
    assert (states * (states @ matrix) >= 0).all()


def test_integers_scaled_by_a_fraction_keep_their_ties():
    """With couplings of 1/N in floating point a field of zero would be a rounding error."""
    tied = MatrixMemory(np.ones((D, D), np.float32), scale=1 / 3, units="signs")
    half = np.where(np.arange(D) < D // 2, 1.0, -1.0)  # one more −1 than +1
    first = retrieve(tied, half, Asynchronous("cyclic", max_steps=1))
    # The first +1 sees Σ = −2 and falls; each +1 in turn likewise.
    assert float(first.state.sum()) == -D
    even = MatrixMemory(np.ones((4, 4)), scale=1 / 3, units="signs", threshold=np.full(4, 1 / 3))
    state = np.array([1.0, -1.0, 1.0, 1.0])
    # Unit 0 sees a sum of 1, which scaled is its threshold: a tie.
    only_first = np.array([0, 1, 2, 3])
    found = {
        ties: retrieve(even, state, Asynchronous(only_first, ties=ties, max_steps=1)).state
        for ties in ("keep", "high", "low")
    }
    assert float(found["keep"][0]) == 1.0
    assert float(found["high"][0]) == 1.0
    assert float(found["low"][0]) == -1.0


def test_a_query_goes_the_same_way_alone_and_among_others():
    together = retrieve(memory(), STARTS, Asynchronous(seed=3))
    chunked = retrieve(memory(), STARTS, Asynchronous(seed=3), chunk=2)
    alone = retrieve(memory(), STARTS[4], Asynchronous(seed=3))
    np.testing.assert_array_equal(together.state, chunked.state)
    np.testing.assert_array_equal(together.steps, chunked.steps)
    np.testing.assert_array_equal(together.state[4], alone.state)
    assert int(together.steps[4]) == int(alone.steps)
    model = memory()
    outside = Asynchronous(seed=3).run(
        model.space(jnp.asarray(STARTS[4], float), None), jnp.asarray(STARTS[4], float)
    )
    np.testing.assert_array_equal(outside.state, alone.state)


def test_a_random_order_is_another_one_in_each_sweep():
    orders = np.asarray([Asynchronous(seed=3).order(D, jnp.asarray(sweep)) for sweep in range(4)])
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(D), (4, D)))
    assert len(np.unique(orders, axis=0)) == 4


@pytest.mark.parametrize("seeds", [(0, 1), (2**24, 2**24 + 1), (2**32 - 2, 2**32 - 1)])
def test_other_seeds_are_other_orders(seeds):
    """To the last of 32 bits, of which single precision keeps 24."""
    one, other = (
        retrieve(memory(), STARTS, Asynchronous(seed=seed, max_steps=1)).state for seed in seeds
    )
    assert (np.asarray(one) != np.asarray(other)).any()


def test_with_its_self_term_a_unit_feels_itself():
    """A strong self-coupling freezes every state under "field"; under "energy" it is a constant."""
    matrix = MATRIX + 1000 * np.eye(D, dtype=int)
    frozen = MatrixMemory(
        matrix.astype(np.float32), units="signs", self_term=True, symmetry="positive"
    )
    field = retrieve(frozen, STARTS, Asynchronous(rule="field"))
    np.testing.assert_array_equal(field.state, STARTS)
    energy = retrieve(frozen, STARTS, Asynchronous())
    np.testing.assert_array_equal(energy.state, retrieve(memory(), STARTS).state)


def test_the_limit_of_sweeps_is_reported():
    found = retrieve(memory(), STARTS, Asynchronous(max_steps=1))
    assert bool(jnp.all(found.outcome == Outcome.step_limit))
    assert bool(jnp.all(found.steps == 1))


def test_networks_of_layers_are_sent_to_coordinates():
    network = HierarchicalMemory({"value": Neurons(4)}, {"value": LateralSynapse(jnp.eye(4))})
    with pytest.raises(TypeError, match=r"Coordinates\(\)"):
        retrieve(network, np.ones(4), Asynchronous())
    with pytest.raises(TypeError, match=r"Asynchronous updates two-state units"):
        retrieve(attrax.Memory(np.eye(4)), np.eye(4), Asynchronous())


def test_it_agrees_with_coordinates_on_the_same_couplings():
    """Two roads to the update of 1982: a matrix of units, and a lateral synapse of `Absolute`."""
    network = HierarchicalMemory(
        {"value": Neurons(D, Absolute())}, {"value": LateralSynapse(jnp.asarray(MATRIX, float))}
    )
    # The synapse takes the symmetric part of its weights, without their diagonal.
    layered = retrieve(network, STARTS, Coordinates("cyclic"))
    units = retrieve(memory(), STARTS, Asynchronous("cyclic"))
    np.testing.assert_array_equal(layered.state, units.state)


def test_it_runs_under_jit_with_a_new_seed_and_order_uncompiled():
    traced = []

    @jax.jit
    def settle(dynamics, states):
        traced.append(1)
        return retrieve(memory(), states, dynamics).state

    states = jnp.asarray(STARTS, float)
    one = settle(Asynchronous(seed=0), states)
    other = settle(Asynchronous(seed=1), states)
    assert len(traced) == 1
    np.testing.assert_array_equal(one, retrieve(memory(), states, Asynchronous(seed=0)).state)
    assert (np.asarray(one) != np.asarray(other)).any()


@pytest.mark.parametrize("rule", ["energy", "field"])
@pytest.mark.parametrize("kind", ["matrix", "dense", "exponential"])
def test_memories_of_sixteen_bits_go_the_same_way(kind, rule):
    """Signs, sums of them and these couplings are whole numbers of few bits."""
    rows = np.random.default_rng(4).choice([-1.0, 1.0], (5, D)).astype(np.float32)
    starts = np.where(np.random.default_rng(5).random((5, D)) < 0.1, -rows, rows)
    make = {
        "matrix": lambda rows: MatrixMemory(rows.T @ rows, scale=1 / 64, units="signs"),
        "dense": lambda rows: attrax.models.dense_memory(rows, 3),
        "exponential": attrax.models.exponential_memory,
    }[kind]
    narrow, wide = (make(jnp.asarray(rows, dtype)) for dtype in (jnp.bfloat16, jnp.float32))
    how = Asynchronous(rule=rule)
    found, expected = (retrieve(model, starts, how) for model in (narrow, wide))
    assert found.state.dtype == jnp.bfloat16
    assert found.energy.dtype == jnp.float32
    np.testing.assert_array_equal(found.state.astype(jnp.float32), expected.state)
    np.testing.assert_array_equal(found.steps, expected.steps)
    np.testing.assert_allclose(found.energy, expected.energy, rtol=1e-6)
    np.testing.assert_array_equal(
        narrow(starts[0]).astype(jnp.float32), wide(starts[0]), err_msg="all units at once"
    )
