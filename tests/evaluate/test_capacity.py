"""Bands against SciPy, scans against networks in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from scipy.stats import t as student

from attrax.dynamics import Asynchronous, OneRead
from attrax.evaluate import Band, CapacityScan, capacity_scan, success_bands
from attrax.evaluate.bands import _student, pooled_bands, weighted_bands
from attrax.learning import Hebb
from attrax.separation import Power, Softmax
from attrax.stores.binary import BinaryMemory
from attrax.stores.matrix import MatrixMemory

KEY = jax.random.key(7)
D, SIZES = 40, (9, 15)
# With an odd number of patterns and an even number of units no field is zero.
TABLE = np.random.default_rng(12).choice([-1.0, 1.0], (4, SIZES[-1], D)).astype(np.float32)
CYCLIC = Asynchronous("cyclic")


def from_table(key, shape):
    """One of four sets of patterns."""
    return jnp.asarray(TABLE)[jax.random.randint(key, (), 0, 4)]


def bits_from_table(key, shape):
    return (from_table(key, shape) + 1) / 2


def frozen(rows):
    """A network without couplings: every state stays."""
    return MatrixMemory(jnp.zeros((rows.shape[1],) * 2), units="signs", symmetry="positive")


def couplings(rows):
    matrix = rows.T @ rows
    np.fill_diagonal(matrix, 0)
    return matrix


def settled(matrix, state, low):
    """One unit after another by index, until none changes; one without drive keeps its state."""
    state, moved = state.copy(), True
    while moved:
        moved = False
        for i in range(len(state)):
            drive = matrix[i] @ state
            new = 1 if drive > 0 else low if drive < 0 else state[i]
            moved |= new != state[i]
            state[i] = new
    return state


def wrong_in_numpy(meaning, units):
    """Units that end up wrong, of each table and size."""
    low = -1 if units == "signs" else 0
    found = np.full((4, len(SIZES), SIZES[-1]), -1)
    for t, s in np.ndindex(4, len(SIZES)):
        signs = TABLE[t, : SIZES[s]]
        matrix = couplings(signs)
        for i, row in enumerate(signs if units == "signs" else (signs + 1) / 2):
            if meaning == "fixed_point":
                found[t, s, i] = (row * (matrix @ row) < 0).sum()
            else:
                found[t, s, i] = (settled(matrix, row, low) != row).sum()
    return found


@pytest.mark.parametrize(
    ("meaning", "units", "padded"),
    [
        ("fixed_point", "signs", False),
        ("fixed_point", "signs", True),
        ("tolerated_error", "signs", True),
        ("tolerated_error", "bits", False),
    ],
)
def test_successes_are_those_of_networks_in_numpy(meaning, units, padded):
    options = {} if meaning == "fixed_point" else {"dynamics": CYCLIC, "tolerance": 0.1}
    scan = capacity_scan(
        Hebb(units),
        D,
        SIZES,
        meaning=meaning,
        draws=24,
        units=units,
        padded=padded,
        sample=from_table if units == "signs" else bits_from_table,
        key=KEY,
        **options,
    )
    wrong = wrong_in_numpy(meaning, units)
    allowed = 0 if meaning == "fixed_point" else 4
    successes = ((wrong >= 0) & (wrong <= allowed)).sum(-1)
    assert len(np.unique(successes, axis=0)) == 4, "tables must be told apart by what they count"
    # Each draw is one of the tables, and all four are drawn.
    which = [np.flatnonzero((successes == row).all(1)) for row in np.asarray(scan.successes).T]
    assert all(len(found) == 1 for found in which)
    which = np.concatenate(which)
    assert set(which) == {0, 1, 2, 3}
    np.testing.assert_allclose(scan.each.value, successes[which].mean(0) / SIZES, atol=1e-6)
    every = (successes[which] == np.asarray(SIZES)).mean(0)
    np.testing.assert_allclose(scan.every.value, every, atol=1e-6)
    overlaps = 1 - 2 * np.where(wrong >= 0, wrong, 0).sum(-1)[which] / (np.asarray(SIZES) * D)
    np.testing.assert_allclose(scan.overlap, overlaps.mean(0), atol=1e-6)
    error = overlaps.std(0, ddof=1) / np.sqrt(24)
    np.testing.assert_allclose(scan.overlap_error, error, atol=1e-6)
    assert scan.sizes.tolist() == list(SIZES)
    np.testing.assert_allclose(scan.load, np.asarray(SIZES) / D)


def test_correction_of_errors_is_that_of_a_network_in_numpy():
    draws, n, flips = 150, 4, 12
    options = {"meaning": "error_correction", "damage": 0.3, "dynamics": CYCLIC, "key": KEY}
    scan = capacity_scan(Hebb(), D, (n,), draws=draws, **options)
    rng = np.random.default_rng(9)
    shares = []
    for _ in range(draws):
        rows = rng.choice([-1.0, 1.0], (n, D))
        matrix, back = couplings(rows), 0
        for row in rows:
            cue = row.copy()
            cue[rng.permutation(D)[:flips]] *= -1
            back += np.array_equal(settled(matrix, cue, -1), row)
        shares.append(back / n)
    error = np.std(shares) * np.sqrt(2 / draws)
    assert abs(float(scan.each.value[0]) - np.mean(shares)) < 4 * error
    assert 0.2 < np.mean(shares) < 0.95


@pytest.mark.parametrize("damage", [0.05, 0.29, 1.0])
def test_exactly_the_share_of_units_is_flipped(damage):
    options = {"meaning": "error_correction", "damage": damage, "draws": 3, "key": KEY}
    scan = capacity_scan(frozen, 100, (2,), **options)
    assert scan.each.value[0] == 0
    assert float(scan.overlap[0]) == pytest.approx(1 - 2 * damage, abs=1e-6)
    if damage < 0.5:
        assert capacity_scan(frozen, 100, (2,), tolerance=damage, **options).each.value[0] == 1
        less = capacity_scan(frozen, 100, (2,), tolerance=damage - 0.01, **options)
        assert less.each.value[0] == 0


def test_a_fixed_point_need_not_repair_anything():
    scan = capacity_scan(frozen, D, (4 * D,), draws=3, key=KEY)
    assert scan.meaning == "fixed_point"
    assert scan.each.value[0] == scan.every.value[0] == scan.overlap[0] == 1


@pytest.mark.parametrize(
    "make", [lambda rows: BinaryMemory(rows, Power(2)), lambda rows: BinaryMemory(rows, Softmax())]
)
def test_rows_of_zeros_change_nothing_for_dense_memories(make):
    sizes = (5, 40)
    one = capacity_scan(make, 12, sizes, draws=10, key=KEY)
    padded = capacity_scan(make, 12, sizes, draws=10, padded=True, key=KEY)
    assert jnp.array_equal(one.successes, padded.successes)
    assert 0 < one.each.value[1] < 1


def test_rows_of_zeros_that_are_stored_are_an_error():
    def centred(rows):
        return MatrixMemory((rows - 0.5).T @ (rows - 0.5), units="signs", symmetry="positive")

    for make, units in ((centred, "signs"), (Hebb("bits"), "bits")):
        with pytest.raises(ValueError, match="`make` stores something of rows of zeros"):
            capacity_scan(make, D, SIZES, draws=2, padded=True, units=units, key=KEY)


def test_all_padded_sizes_are_one_program():
    traced = []

    def make(rows):
        traced.append(rows.shape)
        return Hebb()(rows)

    def scan(sizes, **options):
        options = {"draws": 20, "padded": True, "key": KEY, **options}
        return capacity_scan(make, D, sizes, **options)

    scan((3, 5, 7, 9, 11))
    # A look at what is made, the comparison of two memories, and the program.
    assert len(traced) == 4
    scan((3, 4, 5, 6, 11), key=jax.random.key(1))
    assert len(traced) == 5


def test_jit_changes_nothing():
    def scan(key):
        return capacity_scan(Hebb(), D, SIZES[-1:], draws=20, key=key)

    found, jitted = scan(KEY), jax.jit(scan)(KEY)
    assert jnp.array_equal(found.successes, jitted.successes)
    np.testing.assert_allclose(found.each, jitted.each, atol=1e-6)
    other = scan(jax.random.key(8))
    assert not jnp.array_equal(found.successes, other.successes)
    assert len(np.unique(found.successes)) > 1


def test_one_draw_has_no_standard_error():
    scan = capacity_scan(Hebb(), D, (9,), draws=1, key=KEY)
    assert np.isnan(scan.overlap_error[0])
    assert np.isfinite(scan.overlap[0])


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"meaning": "stability"}, ValueError, "`meaning` must be one of 'fixed_point'"),
        ({"sizes": ()}, ValueError, "`sizes` must be whole numbers"),
        ({"sizes": (0, 2)}, ValueError, "`sizes` must be whole numbers"),
        ({"sizes": (4, 2)}, ValueError, "`sizes` must be whole numbers"),
        ({"sizes": np.asarray([0.5])}, ValueError, "`sizes` must be whole numbers"),
        ({"d": 0}, ValueError, "`d` must be a positive whole number"),
        ({"draws": 0}, ValueError, "`draws` must be a positive whole number"),
        ({"damage": 0.1}, ValueError, "`damage` is the share .* 'fixed_point' it is 0.1"),
        ({"meaning": "error_correction"}, ValueError, "`damage` is the share"),
        ({"meaning": "error_correction", "damage": 1.1}, ValueError, "`damage` is the share"),
        ({"meaning": "error_correction", "damage": 0.01}, ValueError, "flips none of 40 units"),
        ({"tolerance": 0.1}, ValueError, "one exact update is asked"),
        ({"dynamics": OneRead()}, ValueError, "one exact update is asked"),
        ({"meaning": "tolerated_error", "tolerance": -0.1}, ValueError, "`tolerance` is the share"),
        ({"units": "real"}, ValueError, "`units` must be 'signs' or 'bits'"),
        ({"units": "bits"}, ValueError, "`make` makes memories of signs: pass units='signs'"),
        ({"confidence": 0}, ValueError, "`confidence` must lie between 0 and 1"),
        ({"sample": jax.random.normal}, ValueError, "`sample` must hold -1 and 1 only"),
        ({"sample": lambda key, shape: jnp.ones(3)}, ValueError, r"`sample` must return patterns"),
        ({"make": lambda rows: rows}, TypeError, "`make` must make a memory"),
        ({"make": lambda rows: MatrixMemory(rows.T @ rows)}, ValueError, "graded states"),
    ],
)
def test_wrong_calls_say_what_is_wrong(change, error, text):
    parts = {"make": Hebb(), "d": D, "sizes": SIZES, "draws": 2, "key": KEY, **change}
    with pytest.raises(error, match=text):
        capacity_scan(**parts)


def scanned(share, low, high, load=(0.1, 0.2, 0.3, 0.4)):
    """A scan of given shares of successes."""
    load, *bands = (jnp.asarray(x, float) for x in (load, share, low, high))
    nothing = jnp.zeros(load.shape)
    sizes = jnp.arange(1, load.size + 1)
    each, every = Band(*bands), Band(nothing, nothing, nothing)
    return CapacityScan("fixed_point", sizes, load, each, every, nothing, nothing, sizes[:, None])


def test_the_capacity_is_where_the_share_falls_through_a_half():
    scan = scanned((1.0, 0.75, 0.25, 0.0), (0.9, 0.5, 0.1, 0.0), (1.0, 0.9, 0.5, 0.1))
    np.testing.assert_allclose(scan.capacity(), (0.25, 0.2, 0.3), atol=1e-6)
    # At another level: 1 to 0.75, 0.9 to 0.5, 1 to 0.9.
    np.testing.assert_allclose(scan.capacity(level=0.9), (0.14, 0.1, 0.2), atol=1e-6)
    share = np.asarray(scan.each.value)
    expected = np.interp(-0.6, -share, scan.load)
    np.testing.assert_allclose(scan.capacity(level=0.6).value, expected, atol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda s: s.capacity())(scan), (0.25, 0.2, 0.3), atol=1e-6)


def test_noise_puts_the_capacity_between_the_first_and_the_last_fall():
    scan = scanned((0.6, 0.4, 0.6, 0.4), (0.6, 0.4, 0.6, 0.4), (0.6, 0.4, 0.6, 0.4))
    np.testing.assert_allclose(scan.capacity(), (0.25, 0.15, 0.35), atol=1e-6)


@pytest.mark.parametrize(
    ("share", "expected"),
    [((1.0, 0.9, 0.8, 0.8), (np.nan, 0.4, np.inf)), ((0.4, 0.2, 0.1, 0.0), (np.nan, 0.0, 0.1))],
)
def test_a_capacity_beyond_the_sizes_is_not_made_up(share, expected):
    np.testing.assert_allclose(scanned(share, share, share).capacity(), expected, atol=1e-6)


def test_the_capacity_of_every_pattern_is_lower():
    scan = capacity_scan(Hebb(), D, range(1, 14, 2), draws=100, padded=True, key=KEY)
    each, every = scan.capacity(), scan.capacity("every")
    assert every.low < every.value < every.high < each.value < each.high
    with pytest.raises(ValueError, match="`of` must be 'each' or 'every'"):
        scan.capacity("all")
    with pytest.raises(ValueError, match="`level` must lie between 0 and 1"):
        scan.capacity(level=1.0)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_bands_are_those_of_scipy(confidence):
    trials = np.asarray([1, 7, 100, 20000])
    for share in (0, 0.1, 0.5, 1):
        successes = np.round(trials * share).astype(int)
        found = success_bands(successes, trials, confidence)
        for i, (k, n) in enumerate(zip(successes, trials, strict=True)):
            expected = binomtest(int(k), int(n)).proportion_ci(confidence, method="wilson")
            np.testing.assert_allclose(
                [found.value[i], found.low[i], found.high[i]], [k / n, *expected], atol=2e-6
            )
    assert success_bands(0, 10).low == 0
    assert success_bands(10, 10).high == 1


def test_bands_cover_the_truth_as_often_as_they_say():
    n = 40
    band = success_bands(np.arange(n + 1), n)
    truth = np.linspace(0.005, 0.995, 199)
    inside = (np.asarray(band.low) <= truth[:, None]) & (truth[:, None] <= np.asarray(band.high))
    covered = (binom.pmf(np.arange(n + 1), n, truth[:, None]) * inside).sum(1)
    assert covered.mean() == pytest.approx(0.95, abs=0.01)


def test_bands_broadcast_and_run_under_jit_and_vmap():
    counts = np.arange(12).reshape(3, 4)
    found = success_bands(counts, 12)
    assert found.value.shape == (3, 4)
    np.testing.assert_allclose(jax.jit(success_bands)(counts, 12), found, atol=1e-6)
    mapped = jax.vmap(success_bands, (0, None))(jnp.asarray(counts), 12)
    np.testing.assert_allclose(mapped, found, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((3, 2), "`successes` must lie between 0 and `trials`, but there are 3 of 2"),
        ((-1, 2), "`successes` must lie between 0"),
        ((0, 0), "`trials` must be positive"),
        (([1, 2], [3, 3, 3]), "do not go together"),
        (([], 3), "empty"),
        ((1, 2, 0.0), "`confidence` must lie between 0 and 1"),
        ((1, 2, 95), "`confidence` must lie between 0 and 1"),
    ],
)
def test_wrong_bands_say_what_is_wrong(arguments, text):
    with pytest.raises(ValueError, match=text):
        success_bands(*arguments)


def test_pooled_bands_know_that_trials_of_a_run_are_alike():
    rng = np.random.default_rng(10)
    runs, trials, experiments, truth = 25, 40, 2000, 0.6
    shares = rng.beta(3, 2, (experiments, runs))
    counts = jnp.asarray(rng.binomial(trials, shares))
    pooled = pooled_bands(counts, jnp.full(experiments, trials), 0.95)
    naive = success_bands(counts.sum(1), runs * trials)

    def covered(band):
        return float(np.mean((np.asarray(band.low) <= truth) & (truth <= np.asarray(band.high))))

    assert covered(pooled) > 0.92
    assert covered(naive) < 0.6
    np.testing.assert_allclose(pooled.value, naive.value, atol=1e-6)


@pytest.mark.parametrize(("runs", "least"), [(2, 0.83), (3, 0.92), (5, 0.935), (10, 0.935)])
def test_pooled_bands_of_few_runs_cover_the_truth(runs, least):
    """Intervals by the normal quantile cover 0.75, 0.83, 0.88 and 0.92."""
    rng = np.random.default_rng(runs)
    experiments, trials = 4000, 40
    shares = rng.beta(4.5, 4.5, (experiments, runs))
    counts = jnp.asarray(rng.binomial(trials, shares))
    band = pooled_bands(counts, jnp.full(experiments, trials), 0.95)
    covered = (np.asarray(band.low) <= 0.5) & (np.asarray(band.high) >= 0.5)
    assert least < covered.mean() < 0.98


@pytest.mark.parametrize("degrees", [1, 2, 9, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_students_quantile(degrees, confidence):
    tail = (1 - confidence) / 2
    found = _student(jnp.asarray(-norm.ppf(tail), jnp.float32), degrees)
    np.testing.assert_allclose(found, -student.ppf(tail, degrees), rtol=2e-3)


def test_weighted_bands_know_how_little_varies():
    """Taken for one binomial of as many trials, parts would seem to vary more than they do."""
    rng = np.random.default_rng(12)
    weights, truth, trials = np.asarray([[0.8], [0.2]]), np.asarray([[0.05], [0.4]]), 400
    counts = rng.binomial(trials, np.broadcast_to(truth, (2, 4000)))
    band = weighted_bands(counts, np.full((2, 1), trials), weights, 0.95)
    mean = float((weights * truth).sum())

    def covered(low, high):
        return np.mean((np.asarray(low) <= mean) & (mean <= np.asarray(high)))

    assert covered(band.low, band.high) == pytest.approx(0.95, abs=0.012)
    np.testing.assert_allclose(band.value, (weights * counts / trials).sum(0), rtol=1e-5)
    single = success_bands(np.round((weights * counts).sum(0)), trials)
    assert covered(single.low, single.high) > 0.97


@pytest.mark.parametrize("count", [0, 3, 50])
def test_weighted_bands_of_one_part_are_plain_ones(count):
    one = weighted_bands(np.full((1, 1), count), np.full((1, 1), 50), np.ones((1, 1)), 0.9)
    np.testing.assert_allclose(np.ravel(one), success_bands(count, 50, 0.9), atol=1e-6)


def test_pooled_bands_are_plain_ones_where_runs_do_not_differ():
    even = pooled_bands(jnp.asarray([[5, 5, 5, 5], [0, 0, 0, 0]]), jnp.asarray([10, 10]), 0.9)
    np.testing.assert_allclose(even, success_bands([20, 0], 40, 0.9), atol=1e-6)
    one = pooled_bands(jnp.asarray([[5]]), jnp.asarray([10]), 0.9)
    np.testing.assert_allclose(one, success_bands([5], 10, 0.9), atol=1e-6)
