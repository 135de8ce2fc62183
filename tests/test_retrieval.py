"""`retrieve`: shapes, chunks, known entries, paths, progress, and every way it can end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Outcome
from attrax.dynamics import Euler, FixedPoint, Flow, Iterate, Langevin, OneRead, Replay
from attrax.hierarchical import Neurons
from attrax.models import sequence_memory
from attrax.separation import Identity, LogSumReLU, Max, Power, Softmax, SumNormalised
from attrax.similarity import Dot, Euclidean, KullbackLeibler

pytestmark = pytest.mark.contract
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(12, 6)).astype(np.float32)
VALUES = RNG.normal(size=(12, 3)).astype(np.float32)
QUERIES = jnp.asarray(ROWS + 0.3 * RNG.normal(size=(12, 6)), jnp.float32)
LEADING = QUERIES.reshape(3, 4, 6)
FEW = Iterate(max_steps=20)
HALF = np.arange(6) < 4


def memory_of(beta=3.0, values=None, **options):
    options = {"similarity": Dot(), "separation": Softmax(beta), **options}
    return attrax.Memory(ROWS, values, **options)


MEMORIES = {
    "default": attrax.Memory(ROWS),
    "tied": memory_of(),
    "values": memory_of(values=VALUES),
    "default with values": attrax.Memory(ROWS, VALUES),
    "no energy": memory_of(separation=SumNormalised(Power(4, rectified=True))),
}


def leaves(found):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(found)]


def assert_close(found, expected):
    for ours, theirs in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", MEMORIES)
def test_leading_axes_are_those_of_the_queries(name):
    memory = MEMORIES[name]
    found = attrax.retrieve(memory, LEADING, FEW, path=True)
    width = 3 if "values" in name else 6
    assert found.state.shape == (3, 4, width)
    assert found.steps.shape == found.memories.shape == (3, 4)
    assert found.path.shape == (3, 4, 21, width)
    if memory.lacks_energy is None:
        assert found.energy.shape == (3, 4)
        assert found.energies.shape == (3, 4, 21)
    else:
        assert found.energy is None
        assert found.energies is None
    one = attrax.retrieve(memory, LEADING[1, 2], FEW, path=True)
    assert one.state.shape == (width,)
    np.testing.assert_allclose(one.state, found.state[1, 2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("chunk", [3, 5, 256])
def test_chunks_change_nothing(chunk):
    memory = MEMORIES["values"]
    known = RNG.random(QUERIES.shape) < 0.6
    known[:, 0] = True
    for mask in (None, HALF, known):
        expected = attrax.retrieve(memory, QUERIES, known=mask)
        assert_close(attrax.retrieve(memory, QUERIES, known=mask, chunk=chunk), expected)


@pytest.mark.parametrize("chunk", [5, 12, 256])
def test_progress_reports_and_changes_no_bit(chunk):
    memory, seen = MEMORIES["default"], []
    expected = attrax.retrieve(memory, LEADING, chunk=chunk)
    found = attrax.retrieve(
        memory, LEADING, chunk=chunk, progress=lambda done, total: seen.append((done, total))
    )
    for ours, theirs in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    size = min(chunk, 12)
    assert seen == [(min(done, 12), 12) for done in range(size, 12 + size, size)]


@pytest.mark.parametrize("mask", [None, "one", "each"])
def test_numbers_of_queries_share_their_programs(mask, caplog):
    memory, rows = MEMORIES["default"], np.tile(np.asarray(QUERIES), (30, 1))
    known = {None: None, "one": HALF, "each": np.tile(HALF, (360, 1))}[mask]

    def retrieve(count):
        some = known[:count] if mask == "each" else known
        return attrax.retrieve(memory, rows[:count], known=some)

    expected = {count: retrieve(count) for count in (16, 64, 256, 1)}
    with jax.log_compiles(), caplog.at_level("WARNING"):
        few, many = retrieve(11), [retrieve(count) for count in (5, 15, 17, 40, 257, 320)]
    compiled = [line for line in caplog.messages if "XLA compilation" in line]
    assert not [line for line in compiled if "_run" in line]
    assert compiled == []
    for ours, theirs in zip(leaves(few), leaves(expected[16]), strict=True):
        np.testing.assert_array_equal(ours, theirs[:11])
    assert [len(found.state) for found in many] == [5, 15, 17, 40, 257, 320]
    np.testing.assert_allclose(many[-1].state[300:], retrieve(12).state[np.arange(20) % 12], 1e-5)


def test_each_query_has_its_part_of_the_key_whatever_the_chunks():
    memory, key = memory_of(), jax.random.key(3)
    noisy = Langevin(0.05, step=0.1, steps=3)
    states = [
        attrax.retrieve(memory, QUERIES, noisy, key=key, chunk=chunk).state for chunk in (3, 5, 12)
    ]
    parts = jax.random.split(key, 12)
    alone = attrax.retrieve(memory, QUERIES, noisy, key=key, chunk=12).state
    np.testing.assert_allclose(states[0], states[2], 1e-4, 1e-5)
    np.testing.assert_allclose(states[1], alone, 1e-4, 1e-5)
    first = jax.vmap(lambda i: jax.random.fold_in(key, i))(np.arange(12, dtype=np.uint32))
    np.testing.assert_array_equal(jax.random.key_data(first), jax.random.key_data(parts))


def test_a_progress_bar_counts_queries(capsys):
    attrax.retrieve(MEMORIES["default"], QUERIES, chunk=5, progress=True)
    assert "12/12" in capsys.readouterr().err


def test_known_entries_are_kept_and_alone_compared():
    memory = attrax.Memory(ROWS)
    damaged = jnp.where(HALF[None], ROWS, jnp.nan)
    found = attrax.retrieve(memory, damaged, known=HALF)
    np.testing.assert_array_equal(found.state[:, HALF], ROWS[:, HALF])
    for filling in (0.0, 1e3, -7.0):
        other = attrax.retrieve(memory, jnp.where(HALF[None], ROWS, filling), known=HALF)
        assert_close(other, found)
    scores = np.corrcoef(ROWS[:, HALF])
    best = [memory.best(row) for row in ROWS]
    assert np.argmax(scores, -1).tolist() == [int(i) for i in best]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_completion_compares_by_the_known_entries_in_every_step(steps):
    """So that a step more changes nothing: what was filled in has no say."""
    found = attrax.retrieve(memory_of(), QUERIES, Iterate(max_steps=steps), known=HALF)
    scores = 3.0 * np.asarray(QUERIES)[:, HALF] @ ROWS[:, HALF].T
    weights = np.exp(scores - scores.max(1, keepdims=True))
    expected = weights / weights.sum(1, keepdims=True) @ ROWS
    np.testing.assert_allclose(found.state[:, ~HALF], expected[:, ~HALF], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("similarity", [Dot(), Euclidean()], ids=str)
def test_known_masks_of_each_query(similarity):
    """One mask a query, one for all, and the same queries one by one agree."""
    memory = memory_of(similarity=similarity)
    masks = RNG.random((3, 4, 6)) < 0.5
    masks[..., 0] = True
    found = attrax.retrieve(memory, LEADING, known=masks)
    for i, j in ((0, 0), (1, 2), (2, 3)):
        one = attrax.retrieve(memory, LEADING[i, j], known=masks[i, j])
        np.testing.assert_allclose(one.state, found.state[i, j], rtol=1e-3, atol=1e-4)
    shared = attrax.retrieve(memory, LEADING, known=HALF)
    repeated = attrax.retrieve(memory, LEADING, known=np.broadcast_to(HALF, LEADING.shape))
    assert_close(repeated, shared)


def test_all_known_compares_as_none_known():
    memory = memory_of()
    found = attrax.retrieve(memory, QUERIES, known=np.ones(6, bool))
    np.testing.assert_array_equal(found.state, QUERIES)
    np.testing.assert_allclose(found.energy, jax.vmap(memory.energy)(QUERIES), rtol=1e-4)


@pytest.mark.parametrize("dynamics", [FEW, Iterate(0.3, max_steps=20)], ids=["plain", "damped"])
def test_a_path_begins_with_the_query_and_ends_with_the_answer(dynamics):
    memory = memory_of()
    found = attrax.retrieve(memory, QUERIES, dynamics, path=True)
    np.testing.assert_array_equal(found.path[:, 0], QUERIES)
    np.testing.assert_array_equal(found.path[:, -1], found.state)
    energies = jax.vmap(jax.vmap(memory.energy))(found.path)
    np.testing.assert_allclose(found.energies, energies, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.energy, found.energies[:, -1], rtol=1e-4, atol=1e-4)
    room = 1e-5 * (1 + np.abs(found.energies).max())
    assert float(jnp.max(jnp.diff(found.energies, axis=-1))) <= room
    without = attrax.retrieve(memory, QUERIES, dynamics)
    np.testing.assert_allclose(without.state, found.state, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(without.steps, found.steps)


@pytest.mark.parametrize("name", ["default", "values", "default with values"])
def test_paths_of_answers(name):
    """Where keys are not what is read, a path shows what reads of its states give."""
    memory = MEMORIES[name]
    found = attrax.retrieve(memory, QUERIES, FEW, path=True)
    read = jax.vmap(memory)(QUERIES)
    if name == "default":
        np.testing.assert_array_equal(found.path[:, 0], QUERIES)
        np.testing.assert_allclose(found.path[:, 1], read, rtol=1e-3, atol=1e-4)
    else:
        np.testing.assert_allclose(found.path[:, 0], read, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.path[:, -1], found.state, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_as_many_reads_as_steps(steps):
    memory = memory_of(beta=0.5)
    found = attrax.retrieve(memory, QUERIES, Iterate(max_steps=steps))
    state = QUERIES
    for _ in range(steps):
        state = jax.vmap(memory)(state)
    moving = found.steps == steps
    assert bool(moving.any())
    np.testing.assert_allclose(found.state[moving], state[moving], rtol=1e-4, atol=1e-5)
    energies = jax.vmap(memory.energy)(found.state)
    np.testing.assert_allclose(found.energy, energies, rtol=1e-4, atol=1e-5)


def outcome_of(memory, query, dynamics=None):
    return attrax.retrieve(memory, jnp.asarray(query, jnp.float32), dynamics)


PAIR = np.zeros((2, 6), np.float32)
PAIR[0, 0], PAIR[1, 0] = 1, -1
# Each query is drawn to the row least like it: from one to the other and back.
FLIPPING = attrax.Memory(
    PAIR, similarity=lambda keys, query: -keys @ query, separation=Softmax(50.0)
)
# ½x² + 5|x − 1| is least at its kink.
KINKED = attrax.HierarchicalMemory(
    {"value": Neurons(1)}, {"value": lambda x: 5 * jnp.sum(jnp.abs(x - 1))}
)
ENDS = {
    "converged": lambda: outcome_of(memory_of(30.0), ROWS[0]),
    "one_read": lambda: outcome_of(memory_of(), ROWS[0], OneRead()),
    "mixture": lambda: outcome_of(memory_of(0.01), ROWS[0]),
    "cycle": lambda: outcome_of(FLIPPING, PAIR[0]),
    "step_limit": lambda: outcome_of(memory_of(0.5), ROWS[0], Iterate(max_steps=1)),
    "diverged": lambda: outcome_of(memory_of(separation=Power(3)), 10 * ROWS[0]),
    "stalled": lambda: outcome_of(KINKED, np.ones(1), Euler(0.5, backtracking=True)),
    "unreached": lambda: outcome_of(
        memory_of(similarity=Euclidean(), separation=LogSumReLU(1.0)), 10 * ROWS[0] + 10
    ),
    "replayed": lambda: outcome_of(sequence_memory(ROWS[:4]), ROWS[0], Replay(2)),
    # The pattern that comes second comes again, and has two successors.
    "lost": lambda: outcome_of(sequence_memory(ROWS[[0, 1, 2, 1, 3]]), ROWS[0], Replay(4)),
    "sampled": lambda: attrax.retrieve(
        memory_of(), QUERIES[0], Langevin(0.1, step=0.01, steps=3), key=jax.random.key(0)
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_outcome_is_reached(name):
    found = ENDS[name]()
    assert bool(found.outcome == getattr(Outcome, name))
    text = Outcome[found.outcome]
    assert f"1 of 1: {text}" == found.summary()


@pytest.mark.parametrize("values", [None, 6e4 * np.ones((4, 3), np.float16)])
def test_a_read_beyond_the_range_of_its_type_is_no_answer(values):
    """The sum of rows is above 65504, the largest number of 16 bits."""
    rows = np.full((4, 2), 200.0 if values is None else 1.0, np.float16)
    memory = attrax.Memory(rows, values, similarity=Dot(), separation=Power(3))
    found = attrax.retrieve(memory, rows[:1], OneRead())
    assert not np.all(np.isfinite(found.state))
    assert found.outcome.counts() == {"diverged": 1}


def test_a_query_without_scores_is_no_answer():
    """Of NaN scores `Max` takes the first row, as argmax does; a retrieval does not rest on it."""
    rows, similarity = np.abs(ROWS), KullbackLeibler(form="reciprocal")
    memory = attrax.Memory(rows, similarity=similarity, separation=Max())
    found = attrax.retrieve(memory, np.zeros_like(rows[:2]))
    assert np.isnan(found.state).all()
    assert found.outcome.counts() == {"diverged": 2}
    assert attrax.retrieve(memory, rows[0]).outcome.counts() == {"converged": 1}


def test_there_is_no_other_outcome():
    members = [name for name, value in vars(Outcome).items() if isinstance(value, Outcome)]
    assert sorted(members) == sorted(ENDS)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("mixture", "raise beta"),
        ("cycle", "damping=0.5"),
        ("step_limit", "raise `max_steps`"),
        ("unreached", "Lower beta"),
        ("diverged", "Softmax or SumNormalised"),
    ],
)
def test_outcomes_name_remedies(name, remedy):
    assert remedy in Outcome[getattr(Outcome, name)]


def test_the_remedies_work():
    """What each outcome advises leads to convergence."""
    start = PAIR[0] + np.array([0, 1, 0, 0, 0, 0])
    assert bool(outcome_of(FLIPPING, start, Iterate(0.5)).outcome != Outcome.cycle)
    assert bool(outcome_of(memory_of(30.0), ROWS[0]).outcome == Outcome.converged)
    limited = outcome_of(memory_of(0.5), ROWS[0], Iterate(max_steps=1000))
    assert bool(limited.outcome != Outcome.step_limit)
    normalised = memory_of(separation=SumNormalised(Power(3, rectified=True)))
    assert bool(outcome_of(normalised, 10 * ROWS[0]).outcome == Outcome.converged)


def test_mixtures_count_their_memories():
    found = outcome_of(memory_of(0.01), ROWS[0])
    np.testing.assert_allclose(found.memories, 12, rtol=0.05)
    np.testing.assert_allclose(outcome_of(memory_of(30.0), ROWS[0]).memories, 1, rtol=1e-3)
    assert outcome_of(memory_of(separation=Identity()), ROWS[0], OneRead()).memories is None


def test_a_summary_counts_the_ways():
    queries = jnp.stack([jnp.asarray(ROWS[0]), jnp.full(6, jnp.nan), jnp.asarray(ROWS[1])])
    found = jax.jit(lambda queries: attrax.retrieve(memory_of(30.0), queries))(queries)
    lines = found.summary().splitlines()
    assert sorted(line[:6] for line in lines) == ["1 of 3", "2 of 3"]


def test_retrieval_under_jit_and_vmap():
    memory = memory_of()
    expected = attrax.retrieve(memory, QUERIES)
    assert_close(jax.jit(lambda q: attrax.retrieve(memory, q))(QUERIES), expected)
    assert_close(jax.vmap(lambda q: attrax.retrieve(memory, q))(QUERIES), expected)


def test_double_and_half_precision_stay_what_they_are():
    for dtype in (jnp.float64, jnp.bfloat16):
        with jax.enable_x64(dtype is jnp.float64):
            memory = attrax.Memory(
                jnp.asarray(ROWS, dtype), similarity=Dot(), separation=Softmax(30.0)
            )
            found = attrax.retrieve(memory, QUERIES[:2])
            assert found.state.dtype == dtype
            assert bool(jnp.all(found.outcome == Outcome.converged))


@pytest.mark.parametrize("dynamics", [Iterate(), Iterate(0.5)], ids=["plain", "damped"])
def test_reverse_mode_through_iteration_names_the_remedy(dynamics):
    def loss(query):
        return jnp.sum(attrax.retrieve(memory_of(), query, dynamics).state)

    with pytest.raises(
        Exception, match=r"cannot be differentiated in reverse mode.*FixedPoint\(\)"
    ):
        jax.grad(loss)(QUERIES[0])


def test_forward_mode_passes_through_iteration():
    with jax.enable_x64():
        rows, query = jnp.asarray(ROWS, float), jnp.asarray(QUERIES[0], float)

        def state(scale):
            memory = attrax.Memory(rows * scale, similarity=Dot(), separation=Softmax(1.0))
            return attrax.retrieve(memory, query, Iterate(max_steps=3)).state

        one, step = jnp.asarray(1.0), 1e-6
        _, slope = jax.jvp(state, (one,), (one,))
        difference = (state(one + step) - state(one - step)) / (2 * step)
        np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "dynamics", [FixedPoint(), Flow(), OneRead()], ids=lambda d: type(d).__name__
)
def test_every_dynamics_serves_memories_of_every_kind(dynamics):
    for name in ("default with values", "no energy"):
        memory = MEMORIES[name]
        found = attrax.retrieve(memory, LEADING, dynamics)
        assert bool(jnp.all(jnp.isfinite(found.state)))
        completed = attrax.retrieve(memory, LEADING, dynamics, known=HALF)
        assert bool(jnp.all(jnp.isfinite(completed.state)))


def test_a_single_read_passes_over_the_blocks_once():
    """Values, the number of memories and the best row are all of one pass."""
    memory = attrax.Memory(np.random.default_rng(0).random((32, 16), np.float32), block=8)
    found = jax.jit(lambda queries: attrax.retrieve(memory, queries, OneRead()))
    program = found.lower(jnp.zeros((4, 16)) + 0.5).compile().as_text()
    assert program.count(" while(") == 1
