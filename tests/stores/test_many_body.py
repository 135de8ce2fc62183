"""Groups of units, against the enumeration of all groups and of all states."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models
from attrax.dynamics import Asynchronous, Glauber
from jitted import jitted

D = 9
rng = np.random.default_rng(0)
ROWS = rng.normal(size=(4, D))
STATES = rng.choice([-1.0, 1.0], (5, D))


def enumerated(rows, state, degree, scale=1.0):
    """The energy, one group after another."""
    terms = rows * state
    groups = [list(group) for group in itertools.combinations(range(rows.shape[1]), degree)]
    total = sum(np.prod(terms[:, group], axis=1).sum() for group in groups)
    return -scale * total / rows.shape[1] ** (degree - 1)


def flipped(state, unit, value):
    return np.where(np.arange(D) == unit, value, state)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("degree", [2, 3, 4, 5, 8, D])
def test_energies_and_drives_are_those_of_all_groups(degree):
    memory = models.ManyBodyMemory(ROWS, degree, scale=1.5)
    for state in STATES[:2]:
        expected = enumerated(ROWS, state, degree, 1.5)
        np.testing.assert_allclose(memory.energy(state), expected, rtol=1e-9)
        low, high = (
            [enumerated(ROWS, flipped(state, i, value), degree, 1.5) for i in range(D)]
            for value in (-1, 1)
        )
        gaps = np.array(low) - np.array(high)
        space = memory.space(jnp.asarray(state))
        columns, overlaps = space.columns(), space.overlaps(jnp.asarray(state))
        for rule, factor in (("energy", 1), ("field", 0.5)):
            drives = space.drives(columns, overlaps, jnp.asarray(state), rule)
            np.testing.assert_allclose(drives, factor * gaps, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(space.drive(jnp.asarray(state)), gaps / 2, rtol=1e-9, atol=1e-15)
        np.testing.assert_array_equal(memory(state), np.where(gaps > 0, 1, -1))


@pytest.mark.usefixtures("x64")
def test_sums_follow_changes_of_units():
    memory = models.ManyBodyMemory(ROWS, 6)
    before, after = jnp.asarray(STATES[0]), jnp.asarray(flipped(STATES[0], 3, -STATES[0][3]))
    space = memory.space(before)
    moved = space.overlaps(before) + space.columns()[3] * (after - before)[3]
    np.testing.assert_allclose(moved, space.overlaps(after), rtol=1e-12)
    rows = np.asarray(memory.rows)
    even = [np.sum(rows**k, axis=1) for k in (2, 4)]
    np.testing.assert_allclose(space.even, even, rtol=1e-12)
    assert int(space.best(before)) == np.argmax(ROWS @ STATES[0])


def test_large_networks_keep_their_figures_in_single_precision():
    patterns = rng.choice([-1.0, 1.0], (3, 1000))
    for degree in (4, 10):
        wide = -sum(esp(patterns[0] * row, degree) for row in patterns) / 1000 ** (degree - 1)
        memory = models.ManyBodyMemory(patterns.astype(np.float32), degree)
        np.testing.assert_allclose(memory.energy(patterns[0]), wide, rtol=1e-4)
        np.testing.assert_array_equal(memory(patterns[0]), patterns[0])


def esp(values, degree):
    """By the recursion over entries, in double precision."""
    polynomials = np.eye(1, degree + 1)[0]
    for value in values:
        polynomials[1:] = polynomials[1:] + value * polynomials[:-1]
    return polynomials[-1]


def test_units_settle_one_after_another_and_energies_fall():
    patterns = rng.choice([-1.0, 1.0], (12, 24))
    memory = models.ManyBodyMemory(patterns, 4)
    starts = np.where(rng.random((8, 24)) < 0.1, -1, 1) * patterns[:8]
    settled = attrax.retrieve(memory, starts, Asynchronous(), path=True)
    assert settled.outcome.counts() == {"converged": 8}
    assert np.diff(np.asarray(settled.energies), axis=1).max() <= 1e-5
    back = np.all(np.asarray(settled.state) == patterns[:8], axis=1)
    assert back.sum() >= 6
    np.testing.assert_array_equal(np.asarray(settled.index)[back], np.arange(8)[back])
    by_field = attrax.retrieve(memory, starts, Asynchronous(rule="field"))
    np.testing.assert_array_equal(settled.state, by_field.state)
    known = np.arange(24) < 18
    completed = attrax.retrieve(memory, np.where(known, patterns[:8], 1), known=known)
    assert np.all(np.asarray(completed.state) == patterns[:8], axis=1).sum() >= 6
    np.testing.assert_array_equal(np.asarray(completed.state)[:, known], patterns[:8, known])


def test_half_precision_settles_alike():
    patterns = rng.choice([-1.0, 1.0], (6, 40))
    starts = np.where(rng.random((6, 40)) < 0.1, -1, 1) * patterns
    states = [
        attrax.retrieve(models.ManyBodyMemory(jnp.asarray(patterns, dtype)), starts).state
        for dtype in (jnp.bfloat16, jnp.float32)
    ]
    assert states[0].dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(states[0], np.float32), states[1])


def test_monte_carlo_samples_the_distribution_of_all_states():
    memory = models.ManyBodyMemory(ROWS, 4, scale=20.0)
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=D)), np.float32)
    energies = np.asarray(jax.vmap(memory.state_energy)(jnp.asarray(states)), np.float64)
    chances = np.exp(-(energies - energies.min()) / 0.2)
    chances /= chances.sum()
    spread = np.sqrt(chances @ (energies - chances @ energies) ** 2)
    sampled = attrax.retrieve(
        memory, states[rng.integers(0, 512, 2000)], Glauber(0.2, sweeps=60), key=jax.random.key(1)
    )
    off = np.mean(np.asarray(sampled.energy)) - chances @ energies
    assert abs(off) < 4 * spread / np.sqrt(2000)
    assert chances @ energies < energies.mean() - spread / 2


def test_derivatives_reach_the_rows():
    memory = models.ManyBodyMemory(ROWS, 4)
    state = jnp.asarray(STATES[0], memory.dtype)
    slopes = jax.grad(lambda memory: memory.state_energy(state), allow_int=True)(memory)
    # Euler's theorem: the energy is of degree P in the rows, and of degree 1 in the scale.
    energy = float(memory.energy(STATES[0]))
    assert np.sum(np.asarray(slopes.keys) * ROWS) == pytest.approx(4 * energy, rel=1e-4)
    assert float(slopes.scale) == pytest.approx(energy, rel=1e-4)


def test_nan_is_not_hidden():
    memory = models.ManyBodyMemory(ROWS, 4)
    state = jnp.asarray(STATES[0], memory.dtype).at[2].set(jnp.nan)
    assert np.isnan(jitted(models.ManyBodyMemory.drive, memory, state)).all()
    assert np.isnan(jitted(models.ManyBodyMemory.state_energy, memory, state))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: models.ManyBodyMemory(np.zeros((0, 4))), ValueError, "`patterns` are empty"),
        (lambda: models.ManyBodyMemory(ROWS, D + 1), ValueError, "at most the 9 units"),
        (lambda: models.ManyBodyMemory(ROWS, 1), ValueError, "`degree` must be"),
        (lambda: models.ManyBodyMemory(ROWS, scale=0.0), ValueError, "`scale` must be positive"),
        (lambda: models.ManyBodyMemory(ROWS)(STATES[0, :4]), ValueError, "must have shape"),
        (lambda: models.ManyBodyMemory(ROWS).energy(ROWS[0]), ValueError, "must hold -1 and 1"),
        (
            lambda: attrax.retrieve(models.ManyBodyMemory(ROWS), ROWS[0]),
            ValueError,
            "must hold -1 and 1",
        ),
    ],
)
def test_wrong_calls_say_what_to_do(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_it_prints_its_sizes_and_is_saved(tmp_path):
    memory = models.ManyBodyMemory(ROWS, 6, scale=0.5)
    assert "degree P" in repr(memory)
    assert len(memory) == 4
    attrax.save(tmp_path / "memory", memory)
    loaded = attrax.load(tmp_path / "memory")
    assert (loaded.degree, float(loaded.scale)) == (6, 0.5)
    np.testing.assert_array_equal(loaded.keys, memory.keys)
