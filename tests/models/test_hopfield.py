"""Classical, dense and exponential memories, against energies counted in whole numbers."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models, retrieve
from attrax import separation as sep
from attrax.dynamics import Asynchronous, Glauber
from attrax.dynamics.sweeps import sweep
from jitted import jitted

RNG = np.random.default_rng(0)
D, N = 31, 12
PATTERNS = RNG.choice([-1, 1], (N, D))
STARTS = RNG.choice([-1, 1], (7, D))


def energy(degree, rectified, state):
    """n·E in whole numbers of Python, which never overflow."""
    overlaps = [int(x) for x in PATTERNS @ np.asarray(state, int)]
    return -sum(max(x, 0) ** degree if rectified else x**degree for x in overlaps)


@pytest.mark.parametrize(
    ("degree", "rectified"), [(2, False), (2, True), (3, False), (3, True), (4, False), (7, True)]
)
def test_units_go_to_the_lower_energy_one_after_another(degree, rectified):
    order = np.random.default_rng(degree).permutation(D)
    with jax.enable_x64(True):
        memory = models.dense_memory(PATTERNS.astype(float), degree, rectified=rectified)
        found = retrieve(memory, STARTS, Asynchronous(order, max_steps=15), path=True)
        energies = np.asarray(found.energies)
    for path, measured in zip(np.asarray(found.path).astype(int), energies, strict=True):
        for before, after in itertools.pairwise(path):
            state = before.copy()
            for i in order:
                other = state.copy()
                other[i] = -state[i]
                if energy(degree, rectified, other) < energy(degree, rectified, state):
                    state = other
            np.testing.assert_array_equal(state, after)
        scale = degree * D ** (degree - 1)
        exact = [energy(degree, rectified, state) / scale for state in path]
        np.testing.assert_allclose(measured, exact, rtol=1e-12)
    assert bool(jnp.all(found.outcome == attrax.Outcome.converged))


def test_degree_two_is_hebbs_network():
    """Every read and every sweep: the energies differ by a constant."""
    classical = models.hopfield_network(PATTERNS)
    dense = models.dense_memory(PATTERNS, 2, rectified=False)
    for state in STARTS:
        np.testing.assert_array_equal(classical(state), dense(state))
    np.testing.assert_array_equal(retrieve(classical, STARTS).state, retrieve(dense, STARTS).state)
    states = jnp.asarray(STARTS, jnp.float32)
    energies = (jitted(jax.vmap(memory.energy), states) for memory in (classical, dense))
    gaps = np.subtract(*energies)
    # −½ (Σ(ξσ)²/d − N) against −½ Σ(ξσ)²/d.
    np.testing.assert_allclose(gaps, N / 2, rtol=1e-5)


@pytest.mark.parametrize(("d", "degree"), [(784, 15), (100, 40)])
@pytest.mark.parametrize("rule", ["energy", "field"])
def test_steep_energies_of_many_units_stay_within_floats(d, degree, rule):
    """784¹⁵ is no single precision number, nor is 784⁻¹⁴."""
    rng = np.random.default_rng(degree)
    rows = rng.choice([-1.0, 1.0], (20, d)).astype(np.float32)
    cues = np.where(rng.random(rows.shape) < 0.1, -rows, rows)
    memory = models.dense_memory(rows, degree)
    dynamics = Asynchronous(rule=rule)
    found = retrieve(memory, cues, dynamics, certify=rule == "energy")
    np.testing.assert_array_equal(found.state, rows)
    np.testing.assert_allclose(found.energy, -d / degree, rtol=1e-4)
    if rule == "energy":
        assert bool(jnp.all(found.certificate.certified))
    # Whatever the scale: signs of drives are not rounded to zero, nor are they infinite.
    for scale in (1.0, 1e6):
        part = sep.Power(degree - 1, rectified=True, scale=scale)
        for self_term in (False, True):
            plain = models.BinaryMemory(rows, part, self_term=self_term)
            drive = jitted(models.BinaryMemory.drive, plain, jnp.asarray(rows[0]))
            assert np.isfinite(drive).all()
            np.testing.assert_array_equal(retrieve(plain, cues, dynamics).state, rows)
            np.testing.assert_array_equal(plain(cues[0]), rows[0])


def test_all_at_once_is_the_update_of_the_theorem():
    """sgn Σ_μ ξ_i exp(r_μi) with r the overlap over the other units, in double precision."""
    memory = models.exponential_memory(PATTERNS)
    for state in STARTS:
        rest = PATTERNS @ state[:, None] - PATTERNS * state  # (N, d)
        exact = [
            sum(int(x) * math.exp(int(r)) for x, r in zip(PATTERNS[:, i], rest[:, i], strict=True))
            for i in range(D)
        ]
        np.testing.assert_array_equal(memory(state), np.sign(exact))


@pytest.mark.parametrize("beta", [0.05, 1.0, 15.0, 40.0])
def test_exponential_gaps_of_all_units_are_those_of_each(beta):
    """By products where e^(−4β) is a number, one by one where it is not."""
    rng = np.random.default_rng(3)
    rows, state = rng.choice([-1.0, 1.0], (30, 12)), rng.choice([-1.0, 0.0, 1.0], 12)
    # As compiled code pads: rows that are not there, and units.
    rows[25:], rows[:, 10:], state[10:] = 0, 0, 0

    def drive(rows, state):
        return models.BinaryMemory(rows, sep.Softmax(beta)).drive(state)

    found = jax.jit(drive)(jnp.asarray(rows, jnp.float32), jnp.asarray(state, jnp.float32))
    rest = (rows @ state)[:, None] - rows * state
    up, down = (np.logaddexp.reduce(beta * (rest + sign * rows), axis=0) for sign in (1, -1))
    np.testing.assert_allclose(found, (up - down) / beta, atol=1e-5)
    assert np.abs(found[:10]).max() > 0.1
    np.testing.assert_array_equal(found[10:], 0)


SEPARATIONS = {
    "identity": sep.Identity(),
    "power": sep.Power(2.5, rectified=True),
    "odd power": sep.Power(3, scale=5.0),
    "exponential": sep.Exponential(0.3),
    "softmax": sep.Softmax(0.3),
    "ghost": sep.GhostSoftmax(0.3),
    "steep ghost": sep.GhostSoftmax(25.0),
    "shares": sep.SumNormalised(sep.Softmax(0.3)),
}


@pytest.mark.parametrize("name", SEPARATIONS)
def test_gaps_are_differences_of_energies(name):
    """Of single units, all at once and one after another, from energies alone."""
    with jax.enable_x64(True):
        memory = models.BinaryMemory(PATTERNS.astype(float), SEPARATIONS[name])
        potential = jax.jit(lambda scores: memory.separation.potential(scores))

        def gap(state, unit):
            ends = (np.where(np.arange(D) == unit, side, state) for side in (1.0, -1.0))
            up, down = (potential(jnp.asarray(PATTERNS @ end)) for end in ends)
            return float(up - down)

        start = np.where(np.arange(D) < 6, 0.0, STARTS[0])
        expected = [gap(start, unit) for unit in range(D)]
        found = jitted(models.BinaryMemory.drive, memory, jnp.asarray(start))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        state = STARTS[1].astype(float)
        order = np.random.default_rng(9).permutation(D)
        for unit in order:
            drive = gap(state, unit)
            state[unit] = state[unit] if abs(drive) < 1e-9 else np.sign(drive)
        once = retrieve(memory, STARTS[1:3], Asynchronous(order, max_steps=1)).state[0]
        np.testing.assert_array_equal(once, state)
        assert (state != STARTS[1]).sum() > 2


@pytest.mark.parametrize("rule", ["energy", "field"])
def test_how_many_units_are_looked_at_together_changes_nothing(rule):
    memory = models.dense_memory(PATTERNS, 3)
    order = jnp.asarray(np.random.default_rng(8).permutation(D), jnp.int32)
    known = jnp.arange(D) % 5 == 0

    def decide(drive, before, noise):
        return jnp.where(drive > noise, 1.0, -1.0)

    def swept(start, ahead):
        noise = 0.1 * jax.random.normal(jax.random.key(0), start.shape)
        return sweep(memory.space(start, known), start, order, decide, noise, rule, ahead)

    starts = jnp.asarray(STARTS, jnp.float32)
    one = [jax.jit(swept, static_argnums=1)(start, 1) for start in starts]
    assert (np.asarray(one) != STARTS).sum() > 20
    np.testing.assert_array_equal(np.asarray(one)[:, ::5], STARTS[:, ::5])
    for ahead in (7, D, 50):
        together = jax.jit(jax.vmap(swept, (0, None)), static_argnums=1)(starts, ahead)
        np.testing.assert_array_equal(together, one)


def test_what_drives_units_has_a_slope_in_beta():
    """Of every unit's gap by β, also where no memory has the unit at +1."""

    def drive(beta):
        rows = jnp.asarray(np.where(np.arange(D) == 3, -1, PATTERNS), jnp.float32)
        memory = models.BinaryMemory(rows, sep.Softmax(beta))
        return memory.drive(jnp.asarray(STARTS[0], jnp.float32))

    for beta in (0.1, 1.0):
        slope = jax.jit(jax.jacfwd(drive))(beta)
        measured = (drive(beta + 1e-2) - drive(beta - 1e-2)) / 2e-2
        np.testing.assert_allclose(slope, measured, rtol=2e-2, atol=2e-2)
        assert bool(jnp.all(jnp.isfinite(jax.jit(jax.jacrev(drive))(beta))))


def test_the_exponential_memory_stays_finite_where_exp_overflows():
    rng = np.random.default_rng(1)
    wide = rng.choice([-1, 1], (50, 2000))
    memory = models.exponential_memory(wide)
    damaged = np.where(rng.random(2000) < 0.3, -1, 1) * wide[0]
    found = retrieve(memory, damaged, certify=True)
    np.testing.assert_array_equal(found.state, wide[0])
    np.testing.assert_allclose(found.energy, -2000.0, rtol=1e-6)
    assert bool(found.certificate.certified)


def test_xor_needs_a_degree_above_two():
    """Four memories (x, y, z = −xy): the third unit is read from the other two."""
    rows = np.array([(x, y, -x * y) for x in (-1.0, 1.0) for y in (-1.0, 1.0)])
    known = np.array([True, True, False])

    def solved(degree, rectified):
        memory = models.dense_memory(rows, degree, rectified=rectified)
        found = retrieve(memory, rows, known=known, path=True)
        return bool(np.all(found.state == rows))

    assert solved(3, False)
    assert solved(5, False)
    assert solved(2, True)
    assert solved(3, True)
    # Without rectification even degrees see no difference between the two answers.
    for degree in (2, 4):
        memory = models.dense_memory(rows, degree, rectified=False)
        np.testing.assert_allclose(memory.energy(rows[0]), memory.energy(rows[0] * [1, 1, -1.0]))


def test_with_a_self_term_the_field_is_used():
    """Σ_μ ξ_i F′(ξ_μ·σ), the universal form of similarity, separation and projection."""
    memory = models.BinaryMemory(PATTERNS, sep.Power(2, rectified=True), self_term=True)
    field = PATTERNS.T @ np.maximum(PATTERNS @ STARTS[0], 0) ** 2
    np.testing.assert_array_equal(memory(STARTS[0]), np.sign(field))
    rows = attrax.Memory(
        PATTERNS, similarity=attrax.similarity.Dot(), separation=sep.Power(2, rectified=True)
    )
    np.testing.assert_allclose(rows(STARTS[0]), field, rtol=1e-5)
    other = models.BinaryMemory(PATTERNS, sep.Power(2, rectified=True))
    swept = retrieve(other, STARTS, Asynchronous("cyclic", rule="field", max_steps=1)).state
    for start, state in zip(STARTS, np.asarray(swept), strict=True):
        expected = start.copy()
        for i in range(D):
            drive = PATTERNS[:, i] @ np.maximum(PATTERNS @ expected, 0) ** 2
            expected[i] = np.sign(drive) if drive != 0 else expected[i]
        np.testing.assert_array_equal(state, expected)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_ties_of_fields_in_whole_numbers_are_ties(degree):
    rng = np.random.default_rng(degree)
    rows, starts = rng.choice([-1, 1], (6, 21)), rng.choice([-1, 1], (40, 21))
    memory = models.BinaryMemory(rows.astype(np.float32), sep.Power(degree), self_term=True)
    found = retrieve(memory, starts, attrax.dynamics.OneRead()).state
    fields = (starts @ rows.T) ** degree @ rows
    np.testing.assert_array_equal(found, np.where(fields == 0, starts, np.sign(fields)))
    assert (fields == 0).sum() > 5


def test_dense_units_at_a_temperature_follow_boltzmann():
    few = PATTERNS[:3, :5]
    memory = models.dense_memory(few, 3)
    states = np.array(list(itertools.product([-1, 1], repeat=5)))
    energies = -(np.maximum(states @ few.T, 0) ** 3).sum(1) / (3 * 5**2)
    weights = np.exp(-energies / 0.6)
    exact = weights / weights.sum()
    chains = 6000
    found = retrieve(
        memory,
        np.broadcast_to(states[0], (chains, 5)),
        Glauber(0.6, sweeps=40),
        key=jax.random.key(0),
        chunk=chains,
    )
    index = (np.asarray(found.state)[:, None] == states[None]).all(-1).argmax(1)
    counted = np.bincount(index, minlength=32) / chains
    chi = chains * ((counted - exact) ** 2 / exact).sum()
    assert (chi - 31) / math.sqrt(62) < 5
    flat = chains * ((counted - 1 / 32) ** 2 * 32).sum()
    assert (flat - 31) / math.sqrt(62) > 5


def test_graded_units_come_to_rest_where_the_two_state_ones_do():
    memory = models.hopfield_network(PATTERNS[:2])
    network = models.graded_network(memory, 10.0)
    cue = np.where(np.arange(D) < 4, -PATTERNS[0], PATTERNS[0])
    graded = retrieve(network, 0.1 * cue, attrax.dynamics.Flow(), certify=True)
    settled = retrieve(memory, cue)
    np.testing.assert_array_equal(np.sign(graded.state), settled.state)
    assert bool(graded.certificate.certified)
    assert 0 < float(jnp.min(jnp.abs(graded.state))) < 1


def test_a_saved_memory_comes_back(tmp_path):
    memory = models.dense_memory(PATTERNS, 4)
    attrax.save(tmp_path / "dense.attrax", memory)
    found = attrax.load(tmp_path / "dense.attrax")
    np.testing.assert_array_equal(found(STARTS[0]), memory(STARTS[0]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: models.dense_memory(PATTERNS / 2), ValueError, "`patterns` must hold -1 and 1"),
        (lambda: models.dense_memory(PATTERNS[0]), ValueError, "`patterns` must have 2 axes"),
        (lambda: models.dense_memory(PATTERNS[:0]), ValueError, "`patterns` are empty"),
        (lambda: models.dense_memory(PATTERNS, 1), ValueError, "`degree` must be a whole number"),
        (lambda: models.exponential_memory(PATTERNS, 0.0), ValueError, "`beta` must be positive"),
        (
            lambda: models.BinaryMemory(PATTERNS, sep.Max()),
            TypeError,
            "`separation` must be a sum over memories",
        ),
        (
            lambda: models.dense_memory(PATTERNS)(np.zeros(D)),
            ValueError,
            "`query` must hold -1 and 1",
        ),
        (lambda: models.dense_memory(PATTERNS)(np.ones(3)), ValueError, r"shape \(31,\)"),
        (lambda: models.hopfield_network(PATTERNS * 0.5), ValueError, "`patterns` must hold"),
        (
            lambda: models.graded_network(attrax.MatrixMemory(np.eye(3))),
            ValueError,
            "`memory` must be a MatrixMemory of signs",
        ),
        (
            lambda: models.graded_network(
                attrax.MatrixMemory(np.triu(np.ones((3, 3))), units="signs")
            ),
            ValueError,
            "not symmetric",
        ),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
