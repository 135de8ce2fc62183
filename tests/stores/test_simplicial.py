"""Setwise connections, against sums over sets in NumPy."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models
from attrax.dynamics import Asynchronous, Flow, Glauber
from attrax.stores import simplices as sets_of

KEY = jax.random.key(0)
D = 7
PATTERNS = np.random.default_rng(0).choice([-1.0, 1.0], (3, D))
STATES = np.array(list(itertools.product([-1.0, 1.0], repeat=D)))


def energies(sets, states=STATES, patterns=PATTERNS):
    """−Σ_σ Σ_μ Π ξ_μi Π S_i / d, one set after another."""
    total = np.zeros(len(states))
    for each in sets:
        members = list(each)
        weight = sum(np.prod(row[members]) for row in patterns)
        total -= weight * np.prod(states[:, members], axis=1)
    return total / patterns.shape[1]


def drives(sets, states=STATES, patterns=PATTERNS):
    """(E(S_i = −1) − E(S_i = +1))/2 of each unit."""
    found = []
    for i in range(patterns.shape[1]):
        low, high = states.copy(), states.copy()
        low[:, i], high[:, i] = -1, 1
        found.append((energies(sets, low, patterns) - energies(sets, high, patterns)) / 2)
    return np.stack(found, axis=1)


def listed(simplices):
    return [tuple(row) for sets in simplices for row in np.asarray(sets).tolist()]


MIXED = models.random_simplices(D, {1: 9, 2: 14, 3: 5}, key=KEY)


def test_full_skeletons_are_all_sets_of_each_size():
    for dimension in (1, 2, 6):
        found = models.full_skeleton(D, dimension)
        expected = [c for k in range(dimension) for c in itertools.combinations(range(D), k + 2)]
        assert sorted(listed(found)) == sorted(expected)
    assert models.simplicial_network(PATTERNS, MIXED).counts == {1: 9, 2: 14, 3: 5}


@pytest.mark.parametrize("count", [1, 4, 9, 10])
def test_random_sets_are_different_and_equally_likely(count):
    seen = np.zeros(math.comb(5, 2))
    for seed in range(400):
        (pairs,) = models.random_simplices(5, {1: count, 2: 0}, key=jax.random.key(seed))
        ranks = [
            i for i, c in enumerate(itertools.combinations(range(5), 2)) if c in listed([pairs])
        ]
        assert len(ranks) == count == len(pairs)
        seen[ranks] += 1
    expected = 400 * count / seen.size
    assert np.abs(seen - expected).max() <= 4 * math.sqrt(expected)


def test_energies_and_drives_are_those_of_enumeration():
    for simplices in (MIXED, models.full_skeleton(D, 4)):
        memory = models.simplicial_network(PATTERNS, simplices)
        sets = listed(simplices)
        found = jax.jit(jax.vmap(lambda s, m=memory: (m.state_energy(s), m.drive(s))))(STATES * 1.0)
        np.testing.assert_allclose(found[0], energies(sets), atol=1e-6)
        np.testing.assert_allclose(found[1], drives(sets), atol=1e-6)
        # Whole sums before they are scaled, so that a tie is a tie.
        assert ((np.asarray(found[1]) == 0) == (np.abs(drives(sets)) < 1e-9)).all()


def test_skeletons_need_no_list():
    for dimension in (1, 2):
        short = models.skeleton_memory(PATTERNS, dimension)
        long = models.simplicial_network(PATTERNS, models.full_skeleton(D, dimension))
        one, other = (
            jax.jit(jax.vmap(lambda s, m=m: (m.state_energy(s), m.drive(s))))(STATES * 1.0)
            for m in (short, long)
        )
        np.testing.assert_allclose(one[0], other[0], atol=1e-5)
        np.testing.assert_allclose(one[1], 2 * other[1], atol=1e-5)
        ends = [attrax.retrieve(m, STATES).state for m in (short, long)]
        np.testing.assert_array_equal(*ends)


def test_patterns_are_written_and_removed():
    memory = models.simplicial_network(PATTERNS[:1], MIXED)
    both = memory.write(PATTERNS[1]).write(PATTERNS[2])
    together = models.simplicial_network(PATTERNS, MIXED)
    for one, other in zip(both.weights, together.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    back = together.remove(PATTERNS[1:])
    for one, other in zip(back.weights, memory.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sweeps_see_each_change_and_descend():
    memory = models.simplicial_network(PATTERNS, MIXED)
    order = np.random.default_rng(1).permutation(D)
    found = attrax.retrieve(memory, STATES, Asynchronous(order), path=True)
    assert (np.asarray(found.outcome) == attrax.Outcome.converged).all()
    sets, path, changes = listed(MIXED), np.asarray(found.path), 0
    for start, end in zip(path[:, 0], path[:, 1], strict=True):
        state = start.copy()
        for i in order:
            drive = drives(sets, state[None])[0, i]
            if abs(drive) > 1e-9 and np.sign(drive) != state[i]:
                before = energies(sets, state[None])[0]
                state[i], changes = np.sign(drive), changes + 1
                assert energies(sets, state[None])[0] < before - 1e-9
        np.testing.assert_array_equal(end, state)
    assert changes > 100
    kept = attrax.retrieve(memory, STATES, Asynchronous(order, rule="field"))
    np.testing.assert_array_equal(kept.state, found.state)


def test_known_units_are_held_and_the_memory_reads_all_at_once():
    memory = models.simplicial_network(PATTERNS[:1], MIXED)
    known = np.arange(D) < 3
    cue = np.where(known, PATTERNS[:1], 0)
    found = attrax.retrieve(memory, cue, known=known)
    np.testing.assert_array_equal(np.asarray(found.state)[:, known], PATTERNS[:1, known])
    signs = np.sign(drives(listed(MIXED), PATTERNS[:1], PATTERNS[:1]))
    expected = np.where(signs == 0, PATTERNS[:1], signs)
    np.testing.assert_array_equal(memory(PATTERNS[0]), expected[0])
    assert "sets of 3  14" in repr(memory)


def test_heat_bath_visits_states_as_boltzmann_says():
    patterns = PATTERNS[:, :4]
    simplices = models.full_skeleton(4)
    memory = models.simplicial_network(patterns, simplices)
    ends = attrax.retrieve(memory, np.ones((4000, 4)), Glauber(2.0, sweeps=60), key=KEY).state
    all_states = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))
    weights = np.exp(-energies(listed(simplices), all_states, patterns) / 2)
    index = (np.asarray(ends) > 0) @ np.array([8, 4, 2, 1])
    shares = np.bincount(index, minlength=16) / 4000
    expected = weights / weights.sum()
    assert np.abs(shares - expected).max() < 4 * np.sqrt(expected.max() / 4000)


def test_steep_graded_units_rest_at_patterns():
    rng = np.random.default_rng(3)
    patterns = rng.choice([-1.0, 1.0], (2, 20))
    simplices = models.random_simplices(20, {1: 95, 2: 95}, key=KEY)
    network = models.simplicial_network(patterns, simplices).as_network(4.0)
    cues = patterns.copy()
    cues[:, :2] *= -1
    found = attrax.retrieve(network, cues, Flow())
    np.testing.assert_array_equal(np.sign(found.state), patterns)
    energy = network.energy({"units": jnp.asarray(10 * patterns[0], jnp.float32)})
    units = models.simplicial_network(patterns, simplices).energy(patterns[0])
    # At saturation ∫ g⁻¹ is ln 2 over the gain, a unit.
    np.testing.assert_allclose(energy, units + 20 * math.log(2) / 4, rtol=1e-4)


def wrong(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: models.full_skeleton(1000),
            ValueError,
            "would have 166,666,500 simplices .499,500 of dimension 1, 166,167,000 of dimension 2. "
            "and take 8.7 GB",
        ),
        (
            lambda: models.random_simplices(5000, {2: 10**9}, key=KEY),
            ValueError,
            "would have 1,000,000,000 simplices",
        ),
        (lambda: models.full_skeleton(5, 5), ValueError, "less than the 5 neurons"),
        (
            lambda: models.full_skeleton(5, 0),
            ValueError,
            "`dimension` must be a positive whole number",
        ),
        (
            lambda: models.random_simplices(5, {1: 11}, key=KEY),
            ValueError,
            "asks for 11 simplices of dimension 1, but 5 neurons have 10",
        ),
        (lambda: models.random_simplices(5, {1: 0}, key=KEY), ValueError, "no simplices at all"),
        (lambda: models.random_simplices(5, [3], key=KEY), TypeError, "must map dimensions"),
        (lambda: models.random_simplices(5, {1: 3}, key=0), TypeError, "key"),
        (
            lambda: models.simplicial_network(PATTERNS, [[[0, 7]]]),
            ValueError,
            r"must be from 0 to 6, but row 0 is \[0, 7\]",
        ),
        (
            lambda: models.simplicial_network(PATTERNS, [[[0, 1], [2, 2]]]),
            ValueError,
            r"must not have a neuron twice, but row 1 is \[2, 2\]",
        ),
        (
            lambda: models.simplicial_network(PATTERNS, [[[0, 1], [2, 3], [1, 0]]]),
            ValueError,
            "must be there once",
        ),
        (
            lambda: models.simplicial_network(PATTERNS, [[[0, 1]], [[1, 2]]]),
            ValueError,
            "one array for each size",
        ),
        (lambda: models.simplicial_network(PATTERNS, 2), TypeError, "full_skeleton"),
        (
            lambda: models.simplicial_network(PATTERNS, [[[0.5, 1]]]),
            ValueError,
            "indices of neuron",
        ),
        (
            lambda: models.simplicial_network(PATTERNS * 0.5, MIXED),
            ValueError,
            "must hold -1 and 1",
        ),
        (lambda: models.skeleton_memory(PATTERNS, 3), ValueError, "must be 1 or 2"),
        (
            lambda: models.SimplicialMemory(D, MIXED, [np.ones(9)]),
            ValueError,
            "an array for each of 3",
        ),
        (
            lambda: models.SimplicialMemory(D, MIXED, [np.ones(9), np.ones(9), np.ones(5)]),
            ValueError,
            r"`weights\[1\]` must have shape \(14,\)",
        ),
        (
            lambda: models.simplicial_network(PATTERNS, MIXED)(np.ones(6)),
            ValueError,
            r"must have shape \(7,\), but its shape is \(6,\)",
        ),
        (
            lambda: models.simplicial_network(PATTERNS, MIXED).write(np.ones((2, 6))),
            ValueError,
            r"\(7,\), or \(N, 7\)",
        ),
        (
            lambda: jax.jit(lambda sets: sets_of.as_sets("sets", sets, D))(np.array([[0, 1]])),
            TypeError,
            "before a program is compiled",
        ),
    ],
)
def test_what_is_wrong_is_said(call, kind, text):
    wrong(call, kind, text)
