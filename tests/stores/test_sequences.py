"""Memories of sequences, against sums over all rows, and in the laws of their symmetries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Outcome, models
from attrax.dynamics import Iterate
from attrax.separation import Exponential, Identity, Power, Softmax
from attrax.similarity import Dot, Euclidean, Manhattan, whitened

D = 24
rng = np.random.default_rng(0)
SIGNS = rng.choice([-1.0, 1.0], (30, D))
NEXT = np.roll(SIGNS, -1, 0)
STATES = rng.choice([-1.0, 1.0], (5, D))
IMAGES = rng.random((20, D))
KINDS = {
    "linear": (Identity(), None, lambda m: m),
    "square": (Power(2), None, np.square),
    "rectified": (Power(3, rectified=True), None, lambda m: np.maximum(m, 0) ** 3),
    "exponential": (None, None, lambda m: np.exp((D - 1) * (m - 1))),
    "unshifted": (Exponential(0.5), None, lambda m: np.exp(0.5 * (D - 1) * (m - 1))),
    "distances": (Exponential(1.0), Euclidean(), lambda m: np.exp((D - 1) * (m - 1))),
}


def drives(f, state, values=NEXT):
    """Σ_μ η_μi f(m_i^μ) of overlaps without the unit's own part, one after another."""
    return np.array(
        [
            sum(
                values[mu, i] * f((SIGNS[mu] @ state - SIGNS[mu, i] * state[i]) / (D - 1))
                for mu in range(len(SIGNS))
            )
            for i in range(D)
        ]
    )


def memory_of(kind, **options):
    separation, similarity, f = KINDS[kind]
    options = {"units": "signs", "similarity": similarity, **options}
    return models.sequence_memory(SIGNS, separation, cyclic=True, **options), f


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_takes_the_sign_of_drives_without_own_parts(kind):
    memory, f = memory_of(kind)
    assert not memory.self_term
    for state in STATES:
        expected = drives(f, state)
        tied = np.abs(expected) < 1e-14
        np.testing.assert_array_equal(memory(state), np.where(tied, state, np.sign(expected)))


@pytest.mark.parametrize(
    ("separation", "hold"),
    [
        (Identity(), Power(3)),
        (Power(2, scale=7.0), Power(2)),
        (Exponential(0.5), Power(2)),
        (Softmax(1.0), Exponential(1.0)),
    ],
    ids=["linear", "square", "exponential", "softmax"],
)
@pytest.mark.usefixtures("x64")
def test_mixed_networks_add_a_term_that_holds(separation, hold):
    functions = {
        "Identity": lambda m: m,
        "Power": lambda m: m**2,
        "Exponential": lambda m: np.exp(0.5 * (D - 1) * (m - 1)),
        "Softmax": lambda m: np.exp((D - 1) * (m - 1)),
    }
    moves = functions[type(separation).__name__]
    holds = functions["Softmax"] if isinstance(hold, Exponential) else lambda m: m**hold.degree
    trace, history = np.array([0.5, 0.3, 0.2]), STATES[:3]
    memory = models.sequence_memory(
        SIGNS, separation, units="signs", cyclic=True, hold=hold, strength=1.7, trace=4 * trace
    )
    read = memory.space(jnp.asarray(history[0])).succeed(jnp.asarray(history))
    expected = drives(holds, history[0], SIGNS) + 1.7 * drives(moves, trace @ history)
    np.testing.assert_array_equal(read.value, np.sign(expected))
    np.testing.assert_array_equal(read.best, np.argmax(SIGNS @ history[0]))


@pytest.mark.parametrize("kind", ["square", "exponential"])
def test_signs_of_units_and_the_order_of_rows_do_not_matter(kind):
    separation = KINDS[kind][0]
    memory = memory_of(kind)[0]
    read = jax.vmap(memory)
    turned = rng.choice([-1.0, 1.0], D)
    other = models.SequenceMemory(
        SIGNS * turned, NEXT * turned, separation=separation, units="signs"
    )
    expected = np.asarray(read(STATES)) * turned
    np.testing.assert_array_equal(jax.vmap(other)(STATES * turned), expected)
    order = rng.permutation(len(SIGNS))
    other = models.SequenceMemory(SIGNS[order], NEXT[order], separation=separation, units="signs")
    np.testing.assert_array_equal(jax.vmap(other)(STATES), read(STATES))


def test_the_linear_one_is_a_matrix_without_its_diagonal():
    matrix = NEXT.T @ SIGNS
    np.fill_diagonal(matrix, 0)
    drive = STATES @ matrix.T
    read = jax.vmap(memory_of("linear")[0])(STATES)
    np.testing.assert_array_equal(read, np.where(drive == 0, STATES, np.sign(drive)))


def test_real_entries_are_read_as_by_a_memory():
    for similarity, separation in ((None, None), (Dot(), Softmax(2.0)), (Manhattan(), Softmax())):
        options = {"similarity": similarity, "separation": separation}
        memory = models.sequence_memory(IMAGES, cyclic=True, **options)
        plain = attrax.Memory(IMAGES, np.roll(IMAGES, -1, 0), **options)
        queries = IMAGES[:4] + 0.1 * rng.normal(size=(4, D))
        for query in queries:
            np.testing.assert_allclose(memory(query), plain(query), rtol=1e-5)


def test_blocks_change_nothing():
    for options in ({"similarity": Dot()}, {"similarity": Dot(), "hold": Softmax(3.0)}):
        whole = models.sequence_memory(IMAGES, Softmax(3.0), **options)
        blocks = models.sequence_memory(IMAGES, Softmax(3.0), block=6, **options)
        assert blocks.keys.shape == (24, D)
        assert len(blocks) == 20
        for memory in (whole, blocks):
            assert memory.self_term
        for query in IMAGES[:3]:
            np.testing.assert_allclose(whole(query), blocks(query), rtol=1e-5)


def test_sequences_end_or_go_round():
    parts = [SIGNS[:10], SIGNS[10:13], SIGNS[13:14]]
    ending = models.sequence_memory(parts, units="signs")
    successors = np.concatenate([SIGNS[1:10], SIGNS[[9, 11, 12, 12, 13]]])
    np.testing.assert_array_equal(ending.values, successors)
    cyclic = models.sequence_memory(parts, units="signs", cyclic=True)
    successors = np.concatenate([SIGNS[1:10], SIGNS[[0, 11, 12, 10, 13]]])
    np.testing.assert_array_equal(cyclic.values, successors)


def test_whitened_rows_are_orthogonal_and_replayed_without_errors():
    biased = np.where(rng.random((40, 60)) < 0.9, 1.0, -1.0)
    kernel = whitened(biased)
    scores = np.stack([kernel(jnp.asarray(biased), jnp.asarray(row)) for row in biased])
    np.testing.assert_allclose(scores, np.eye(40), atol=1e-4)
    overlaps = biased @ biased.T / 60
    state = rng.choice([-1.0, 1.0], 60)
    expected = np.linalg.pinv(overlaps) @ (biased @ state / 60)
    found = kernel(jnp.asarray(biased), jnp.asarray(state))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    for separation in (Identity(), Power(3)):
        plain, white = (
            models.sequence_memory(
                biased, separation, units="signs", cyclic=True, similarity=similarity
            )
            for similarity in (None, kernel)
        )
        assert white.self_term
        right = [np.mean(jax.vmap(m)(biased) == np.roll(biased, -1, 0)) for m in (plain, white)]
        assert right[0] < 0.95
        assert right[1] == 1


def test_more_rows_than_entries_are_projected():
    scores = whitened(SIGNS)(jnp.asarray(SIGNS), jnp.asarray(SIGNS[0]))
    assert float(scores[0]) < 1
    twice = np.concatenate([SIGNS[:5], SIGNS[:5]])
    scores = whitened(twice)(jnp.asarray(twice), jnp.asarray(twice[0]))
    np.testing.assert_allclose(scores, np.tile(np.eye(5)[0], 2) / 2, atol=1e-5)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    memory = models.sequence_memory(
        SIGNS, Power(2), units="signs", hold=Power(3), trace=np.array([1, 1, 2.0]), strength=3
    )
    attrax.save(tmp_path / "memory.attrax", memory)
    loaded = attrax.load(tmp_path / "memory.attrax")
    np.testing.assert_array_equal(loaded(STATES[0]), memory(STATES[0]))
    assert repr(loaded) == repr(memory)
    assert "trace" in repr(loaded)


def test_without_a_replay_it_runs_to_the_end():
    memory = models.sequence_memory(SIGNS[:6], units="signs")
    found = attrax.retrieve(memory, SIGNS[0])
    np.testing.assert_array_equal(found.state, SIGNS[5])
    assert bool(found.outcome == Outcome.converged)
    assert found.index == 5
    with pytest.raises(attrax.NoEnergyError, match="not symmetric"):
        attrax.retrieve(memory, SIGNS[0], Iterate(), certify=True)


CALLS = {
    "sequence_memory(SIGNS[0])": "`patterns` must have 2",
    "sequence_memory([])": "`patterns`",
    "sequence_memory(SIGNS[:0])": "`patterns` are empty",
    "sequence_memory([SIGNS, SIGNS[:, :4]])": "sequences of one width",
    "sequence_memory([SIGNS, SIGNS[:0]])": "at least one pattern",
    "sequence_memory(0.5 * SIGNS, units='signs')": "`patterns` must hold -1 and 1 only",
    "sequence_memory(SIGNS, units='bits')": "`units` must be one of 'real', 'signs'",
    "sequence_memory(SIGNS, Power(2), units='real', similarity=Dot())": "Power",
    "sequence_memory(SIGNS, units='signs', strength=0)": "`strength` must be positive",
    "sequence_memory(SIGNS, units='signs', trace=[])": "weight of the present state",
    "sequence_memory(SIGNS, units='signs', trace=[1, -1])": "weights ≥ 0",
    "sequence_memory(SIGNS, units='signs', similarity=Manhattan(), self_term=False)": "pass True",
    "sequence_memory(SIGNS, Softmax(), self_term=False)": "`self_term` can be left out",
    "SequenceMemory(SIGNS, SIGNS[:2])": "`successors` must have the shape of `patterns`",
    "MEMORY(SIGNS[0, :4])": "`query` must have shape (8,)",
    "MEMORY(0 * SIGNS[0])": "`query` must hold -1 and 1 only",
    "attrax.retrieve(MEMORY, SIGNS[0], known=SIGNS[0] > 0)": "complete the cue first",
    "attrax.retrieve(MEMORY, SIGNS[0], confidence=True)": "keeps no rows to be sure of",
    "attrax.retrieve(MEMORY, SIGNS[0], Replay(0))": "`steps` must be a positive whole number",
    "attrax.retrieve(MEMORY, SIGNS[0], Replay(3, tolerance=-1))": "must not be negative",
    "attrax.retrieve(attrax.Memory(SIGNS), SIGNS[0], Replay(3))": "models.sequence_memory",
    "attrax.retrieve(MEMORY, SIGNS[0], Iterate(0.5))": "two-state units",
    "whitened(SIGNS[:0])": "`patterns` are empty",
}
SETTING = """
import attrax
import numpy as np
from attrax.dynamics import Iterate, Replay
from attrax.models import SequenceMemory, sequence_memory
from attrax.separation import Power, Softmax
from attrax.similarity import Dot, Manhattan, whitened
SIGNS = np.random.default_rng(0).choice([-1.0, 1.0], (5, 8))
MEMORY = sequence_memory(SIGNS, units="signs")
"""


@pytest.mark.plain(SETTING, CALLS)
def test_wrong_calls_say_what_to_do(answers):
    for call, text in CALLS.items():
        kinds, said = answers[call]
        assert {"ValueError", "TypeError"} & set(kinds), call
        assert text in said, (call, said)
