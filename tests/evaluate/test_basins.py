"""Basins against networks in NumPy, and against memories whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

from attrax.dynamics import Asynchronous, Glauber
from attrax.evaluate import basin_sweep, success_bands
from attrax.evaluate.probes import flip_order
from attrax.learning import Hebb
from attrax.separation import Power
from attrax.stores.binary import BinaryMemory
from attrax.stores.matrix import MatrixMemory

KEY = jax.random.key(5)
RUNS, N, D = 3, 6, 60
PATTERNS = np.random.default_rng(4).choice([-1.0, 1.0], (RUNS, N, D)).astype(np.float32)
DISTANCES = (0, 9, 15, 21, 60)


def frozen(rows):
    """A network without couplings: every state stays."""
    return MatrixMemory(jnp.zeros((rows.shape[1],) * 2), units="signs", symmetry="positive")


def settled(couplings, state):
    """One unit after another by index, until none changes."""
    state, moved = state.copy(), True
    while moved:
        moved = False
        for i in range(len(state)):
            drive = couplings[i] @ state
            if drive * state[i] < 0:
                state[i], moved = -state[i], True
    return state


def swept(make, key=KEY):
    """One program for all tests that ask for no more."""
    return basin_sweep(make, PATTERNS[:1], DISTANCES, probes=50, key=key)


def test_the_share_that_comes_back_is_that_of_a_network_in_numpy():
    probes = 300
    found = basin_sweep(
        Hebb(), PATTERNS[:1], DISTANCES, dynamics=Asynchronous("cyclic"), probes=probes, key=KEY
    )
    rng = np.random.default_rng(6)
    couplings = PATTERNS[0].T @ PATTERNS[0]
    np.fill_diagonal(couplings, 0)
    for k, distance in enumerate(DISTANCES):
        overlaps = []
        for _ in range(probes):
            target = PATTERNS[0][rng.integers(N)]
            cue = target.copy()
            cue[rng.permutation(D)[:distance]] *= -1
            overlaps.append(settled(couplings, cue) @ target / D)
        overlaps = np.asarray(overlaps)
        # Two samples of one probability: they differ by four standard errors in one of 16,000.
        for share, expected in (
            (found.exact.value[k], np.mean(overlaps == 1)),
            (found.tolerated.value[k], np.mean(overlaps >= 0.9)),
        ):
            error = np.sqrt(2 * 0.25 / probes)
            assert abs(float(share) - expected) <= 4 * error
        error = overlaps.std() * np.sqrt(2 / probes)
        assert abs(float(found.overlap[k]) - overlaps.mean()) <= 4 * error + 1e-6
    assert found.exact.value[0] == 1
    assert found.overlap[-1] == -1
    # In between something is at stake.
    assert 0.1 < found.exact.value[3] < found.exact.value[1]


def test_exactly_as_many_units_are_flipped_as_asked_for():
    found = basin_sweep(frozen, PATTERNS, DISTANCES, probes=20, tolerance=0.15, key=KEY)
    assert found.distances.tolist() == list(DISTANCES)
    assert found.counts_exact.tolist() == [[20] * RUNS] + [[0] * RUNS] * 4
    assert found.counts_tolerated.tolist() == [[20] * RUNS] * 2 + [[0] * RUNS] * 3
    np.testing.assert_allclose(found.overlap, 1 - 2 * np.asarray(DISTANCES) / D, atol=1e-6)


def test_units_are_flipped_at_random_places():
    order = np.asarray(flip_order(KEY, (4000, 12)))
    assert (np.sort(order) == np.arange(12)).all()
    chosen = order < 3
    assert (chosen.sum(1) == 3).all()
    # Each unit in a quarter of rows, each pair of units in 1 of 22.
    assert np.abs(chosen.mean(0) - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 4000)
    pairs = (chosen.T.astype(float) @ chosen / 4000)[np.triu_indices(12, 1)]
    assert np.abs(pairs - 1 / 22).max() < 4 * np.sqrt(1 / 22 / 4000)


def test_probes_are_of_all_patterns():
    found = basin_sweep(lambda rows: Hebb()(rows[:1]), PATTERNS, [0], probes=200, key=KEY)
    # All states settle in the one pattern that is stored, or its reversal.
    for count in found.counts_exact[0]:
        assert binomtest(int(count), 200, 1 / N).pvalue > 1e-3
    assert len(set(found.counts_exact[0].tolist())) > 1


def test_bits_are_flipped_to_the_other_bit():
    bits = (PATTERNS + 1) / 2
    found = basin_sweep(Hebb("bits"), bits[:, :2], (0, 6), probes=50, key=KEY)
    assert found.exact.value[0] == 1
    assert found.exact.value[1] > 0.5


def test_a_dense_memory_has_wider_basins():
    dense = swept(lambda rows: BinaryMemory(rows, Power(2)))
    assert dense.exact.low[3] > swept(Hebb()).exact.high[3]


def test_bands_are_of_all_probes_and_wider_where_runs_differ():
    one = swept(Hebb())
    expected = success_bands(one.counts_exact[:, 0], 50)
    np.testing.assert_allclose(one.exact, expected, atol=1e-6)
    # Of two runs one has the same pattern N times, and that one alone has couplings.
    rows = np.stack([np.tile(PATTERNS[0, :1], (N, 1)), PATTERNS[1]])

    def sometimes(rows):
        matrix = jnp.where(jnp.all(rows[0] == rows[1]), rows.T @ rows, 0)
        return MatrixMemory(matrix, units="signs", symmetry="positive")

    two = basin_sweep(sometimes, rows, (9,), probes=50, key=KEY)
    assert two.counts_exact.tolist() == [[50, 0]]
    assert float(two.exact.value[0]) == 0.5
    independent = success_bands(50, 100)
    assert two.exact.high[0] - two.exact.low[0] > 3 * (independent.high - independent.low)


def test_random_dynamics_have_a_key():
    cold = Glauber(0.0, sweeps=3)
    found = basin_sweep(Hebb(), PATTERNS[:, :2], (3,), dynamics=cold, probes=20, key=KEY)
    assert found.exact.value[0] == 1


def test_the_key_decides_and_jit_changes_nothing():
    found, other = swept(Hebb()), swept(Hebb(), jax.random.key(6))
    jitted = jax.jit(lambda key: swept(Hebb(), key))(KEY)
    assert jnp.array_equal(found.counts_exact, jitted.counts_exact)
    assert not jnp.array_equal(found.counts_exact, other.counts_exact)


def test_all_runs_and_distances_are_one_program():
    traced = []

    def make(rows):
        traced.append(rows.shape)
        return Hebb()(rows)

    basin_sweep(make, PATTERNS, DISTANCES, probes=10, key=KEY)
    assert len(traced) == 2
    # A look at what is made, and nothing else: other distances and patterns are the same program.
    basin_sweep(make, -PATTERNS, (1, 2, 3, 4, 5), probes=10, key=jax.random.key(1))
    assert len(traced) == 3


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"patterns": PATTERNS[0]}, ValueError, r"pass patterns\[None\]"),
        ({"patterns": PATTERNS[:, :0]}, ValueError, r"`patterns` must have shape \(runs, N, d\)"),
        ({"patterns": PATTERNS / 2}, ValueError, "`patterns` must hold -1 and 1 only"),
        ({"patterns": (PATTERNS + 1) / 2}, ValueError, "`patterns` must hold -1 and 1 only"),
        ({"distances": (61,)}, ValueError, "`distances` must be whole numbers.*from 0 to 60"),
        ({"distances": (-1,)}, ValueError, "`distances` must be whole numbers"),
        ({"distances": (0.5,)}, ValueError, "`distances` must be whole numbers"),
        ({"distances": ()}, ValueError, "`distances` must be whole numbers"),
        ({"probes": 0}, ValueError, "`probes` must be a positive whole number"),
        ({"tolerance": 0.5}, ValueError, "`tolerance` is the share of units"),
        ({"confidence": 1.0}, ValueError, "`confidence` must lie between 0 and 1"),
        ({"make": lambda rows: rows}, TypeError, "`make` must make a memory"),
        ({"make": lambda rows: MatrixMemory(rows.T @ rows)}, ValueError, "graded states"),
        ({"make": lambda rows: Hebb()(rows[:, :9])}, ValueError, "memories of 60 units, but .* 9"),
    ],
)
def test_wrong_calls_say_what_is_wrong(change, error, text):
    parts = {"make": Hebb(), "patterns": PATTERNS, "distances": (3,), "key": KEY, **change}
    with pytest.raises(error, match=text):
        basin_sweep(**parts)
