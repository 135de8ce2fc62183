from itertools import combinations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.evaluate import StateKind, classify_states
from attrax.learning import Hebb

RNG = np.random.default_rng(1)
D = 400
PATTERNS = RNG.choice([-1.0, 1.0], (9, D)).astype(np.float32)


def mixture(members, signs, patterns=PATTERNS):
    total = np.asarray(signs, np.float32) @ patterns[list(members)]
    return np.where(total >= 0, 1.0, -1.0).astype(np.float32)


def parts(found):
    """Which patterns make a state, with their signs."""
    index, sign = np.asarray(found.index), np.asarray(found.sign)
    return {(int(i), int(s)) for i, s in zip(index, sign, strict=True) if i >= 0}


def flipped(state, count):
    state = state.copy()
    state[RNG.choice(D, count, replace=False)] *= -1
    return state


def test_stored_reversed_and_other():
    other = RNG.choice([-1.0, 1.0], D)
    found = classify_states(np.stack([PATTERNS[4], -PATTERNS[2], other]), PATTERNS)
    kinds = [StateKind.stored, StateKind.reversed, StateKind.other]
    is_kind = np.stack([found.kind == kind for kind in kinds])
    np.testing.assert_array_equal(is_kind, np.eye(3, dtype=bool))
    assert found.count.tolist() == [1, 1, 0]
    assert found.index.tolist() == [[4, -1, -1], [2, -1, -1], [-1, -1, -1]]
    assert found.sign.tolist() == [[1, 0, 0], [-1, 0, 0], [0, 0, 0]]
    overlaps = PATTERNS @ other / D
    largest = overlaps[np.argmax(np.abs(overlaps))]
    np.testing.assert_allclose(found.overlap, [1, -1, largest], atol=1e-6)
    assert found.distance[:2].tolist() == [0, 0]
    assert 0 < found.distance[2] <= round(D * (1 - abs(largest)) / 2)


@pytest.mark.parametrize("signs", list(product([1, -1], repeat=3)))
def test_a_mixture_of_three_is_found_with_its_signs(signs):
    members = (1, 5, 8)
    state = mixture(members, signs)
    found = classify_states(state, PATTERNS)
    assert found.kind == StateKind.mixture
    assert (found.count, found.distance) == (3, 0)
    assert parts(found) == set(zip(members, signs, strict=True))
    # The largest overlap is named first.
    sizes = np.abs(PATTERNS[np.asarray(found.index)] @ state)
    assert (np.diff(sizes) <= 0).all()
    assert abs(float(found.overlap)) == pytest.approx(sizes[0] / D)


def named_by_trying_all(state, patterns):
    """Every triple and all signs, without any short cut."""
    names = []
    for members in combinations(range(len(patterns)), 3):
        for signs in product([1, -1], repeat=3):
            if np.array_equal(mixture(members, signs, patterns), state):
                names.append(set(zip(members, signs, strict=True)))
    return names


def test_mixtures_are_those_that_trying_all_finds():
    rng = np.random.default_rng(2)
    few = rng.choice([-1.0, 1.0], (7, 60)).astype(np.float32)
    mixed = [mixture(rng.permutation(7)[:3], rng.choice([-1, 1], 3), few) for _ in range(30)]
    states = np.stack([*mixed, *rng.choice([-1.0, 1.0], (10, 60)).astype(np.float32)])
    found = classify_states(states, few)
    mixtures = found.kind == StateKind.mixture
    for i, state in enumerate(states):
        names = named_by_trying_all(state, few)
        assert bool(names) == (i < 30) == bool(mixtures[i])
        if names:
            assert parts(jax.tree.map(lambda leaf, i=i: leaf[i], found)) in names


@pytest.mark.parametrize("size", [5, 7])
def test_larger_mixtures(size):
    members, signs = range(1, 1 + size), [1, -1, 1, 1, -1, -1, 1][:size]
    state = mixture(members, signs)
    found = classify_states(state, PATTERNS, mixtures=size)
    assert (found.kind == StateKind.mixture, int(found.count)) == (True, size)
    assert parts(found) == set(zip(members, signs, strict=True))
    assert classify_states(state, PATTERNS, mixtures=size - 2).kind == StateKind.other
    # Fewer patterns go by the same name whatever the limit.
    three = classify_states(mixture((0, 3, 6), (1, 1, -1)), PATTERNS, mixtures=size)
    assert (int(three.count), parts(three)) == (3, {(0, 1), (3, 1), (6, -1)})


def test_what_is_no_mixture():
    assert classify_states(mixture((1, 2), (1, 1)), PATTERNS).kind == StateKind.other
    state = mixture((1, 5, 8), (1, 1, 1))
    assert classify_states(state, PATTERNS, mixtures=1).kind == StateKind.other
    assert classify_states(state, PATTERNS[:7]).kind == StateKind.other
    assert classify_states(state, PATTERNS[:2]).kind == StateKind.other


def test_patterns_near_a_mixture_do_not_hide_it_unless_they_are_many():
    state = mixture((1, 5, 8), (1, 1, -1))
    near = np.stack([flipped(state, 20) for _ in range(4)])
    found = classify_states(state, np.concatenate([PATTERNS, near[:3]]))
    assert parts(found) == {(1, 1), (5, 1), (8, -1)}
    hidden = classify_states(state, np.concatenate([PATTERNS, near]))
    assert parts(hidden) != parts(found)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (PATTERNS[3], StateKind.stored),
        (-PATTERNS[3], StateKind.reversed),
        (mixture((1, 5, 8), (1, 1, 1)), StateKind.mixture),
    ],
)
def test_the_tolerance_counts_units(state, kind):
    beside = flipped(state, 6)
    found = classify_states(beside, PATTERNS, tolerance=6)
    assert found.kind == kind
    assert found.distance == 6
    assert parts(found) == parts(classify_states(state, PATTERNS))
    exact = classify_states(beside, PATTERNS, tolerance=5)
    assert exact.kind == StateKind.other
    assert exact.distance == 6


def test_a_pattern_stored_with_its_reversal_is_stored():
    both = np.stack([-PATTERNS[0], PATTERNS[1], PATTERNS[0]])
    found = classify_states(PATTERNS[0], both)
    assert found.kind == StateKind.stored
    assert found.index[0] == 2


def test_leading_axes_jit_vmap_and_many_states():
    states = np.stack([mixture((i % 7, 7, 8), (1, 1, -1)) for i in range(150)])
    states[::3] = RNG.choice([-1.0, 1.0], (50, D))
    # 150 states of 20 sets and 400 units are more than one step.
    found = classify_states(states, PATTERNS)
    shaped = classify_states(states.reshape(10, 15, D), PATTERNS)
    jitted = jax.jit(lambda x: classify_states(x, PATTERNS))(states)
    mapped = jax.vmap(lambda x: classify_states(x, jnp.asarray(PATTERNS)))(jnp.asarray(states))
    assert shaped.index.shape == (10, 15, 3)
    assert shaped.overlap.shape == (10, 15)
    for other in (shaped, jitted, mapped):
        for name in ("count", "index", "sign", "distance"):
            expected = np.asarray(getattr(found, name))
            np.testing.assert_array_equal(
                np.asarray(getattr(other, name)).reshape(expected.shape), expected
            )
        assert jnp.array_equal((other.kind == StateKind.mixture).reshape(-1), found.count == 3)
    assert found.count.tolist() == [0, 3, 3] * 50


def test_a_network_rests_in_mixtures_of_odd_numbers():
    few = PATTERNS[:4]
    starts = np.stack([mixture((0, 1, 2), (1, -1, 1), few), -few[3]])
    found = classify_states(attrax.retrieve(Hebb()(few), starts).state, few, tolerance=D // 100)
    assert (found.kind == StateKind.mixture).tolist() == [True, False]
    assert parts(jax.tree.map(lambda leaf: leaf[0], found)) == {(0, 1), (1, -1), (2, 1)}
    assert (found.kind == StateKind.reversed).tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"states": PATTERNS[:, :9]}, "`states` must have 400 entries along their last axis"),
        ({"states": PATTERNS[:0]}, "empty"),
        ({"patterns": PATTERNS[:0]}, "empty"),
        ({"patterns": PATTERNS[0]}, "`patterns` must have 2 axes"),
        ({"states": PATTERNS / 2}, "`states` must hold -1 and 1 only"),
        ({"patterns": (PATTERNS + 1) / 2}, "`patterns` must hold -1 and 1 only"),
        ({"mixtures": 4}, "`mixtures` must be 1, 3, 5 or 7"),
        ({"mixtures": 9}, "`mixtures` must be 1, 3, 5 or 7"),
        ({"tolerance": -1}, "`tolerance` must be a whole number"),
        ({"tolerance": 200}, "`tolerance` must be a whole number"),
    ],
)
def test_wrong_calls_say_what_is_wrong(change, text):
    with pytest.raises(ValueError, match=text):
        classify_states(**{"states": PATTERNS, "patterns": PATTERNS, **change})
