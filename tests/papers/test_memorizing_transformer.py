"""Memorizing transformers: what breaks which claim, and broken measurements."""

import equinox as eqx
import numpy as np
import pytest

from attrax.nn import Bank, NearestMemory
from attrax.papers import language
from attrax.papers import memorizing_transformer as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.memorizing_transformer import measure as m
from attrax.separation import Softmax, TopK

SPREAD = np.array([-1e-4, 0.0, 1e-4])


def truncation(factor, falling):
    left_out = np.ones((2, 4, 5)) * np.array([0.8, 0.4, 0.2, 0.1])[:, None]
    errors = left_out if falling else left_out[:, ::-1]
    return m.Truncation(factor * errors, 10 * left_out, 1.0)


def copied(long, short, without):
    shares = np.stack([short + SPREAD, long + SPREAD], axis=1)
    return m.Copied((96, 128), shares, without + SPREAD, np.ones((3, 40)))


def read(*nats):
    return m.Read(np.array(nats)[None] + SPREAD[:, None], 1000)


BROKEN = {
    "sums apart": (
        {m.identities: m.Identities(1e-9, 1e-9)},
        {"all_rows_are_a_softmax", "the_joint_gate_is_one_softmax"},
    ),
    "reads beyond the bound, worse with more rows": (
        {m.truncation: truncation(30.0, False)},
        {"truncation_is_bounded", "errors_fall_with_k"},
    ),
    "one wrong row": ({m.overflow: m.Overflow(1, 0, 100)}, {"no_row_is_wrong"}),
    "a gate that is open at the start": ({m.first_segment: 0.1}, {"an_empty_bank_is_no_memory"}),
    "an exact search": ({m.recall: np.array([1.0, 1.0])}, {"buckets_find_two_thirds"}),
    "a bank that forgets": ({m.copied: copied(0.5, 0.25, 0.25)}, {"memory_covers_the_gap"}),
    "a bank that keeps more than its places": (
        {m.copied: copied(1.0, 0.9, 0.25)},
        {"memory_ends_with_its_places"},
    ),
    "memory that does not help": (
        {
            (m.read, "plain"): read(2.0),
            (m.read, "cache"): read(2.0),
            (m.read, "joint"): read(2.1),
            (m.read, "scalar"): read(2.1, 2.1, 2.1, 2.1, 2.2, 2.3),
            m.longer: read(1.9),
        },
        {
            "gains[scalar]",
            "gains[joint]",
            "better_at_equal_time",
            "a_larger_bank_needs_no_training",
        },
    ),
}


def test_sums_of_other_weights_are_seen(monkeypatch):
    assert max(m.identities(Run())) < 1e-14
    monkeypatch.setattr(m, "Softmax", lambda beta: Softmax(1.01 * beta))
    monkeypatch.setattr(m, "NearestMemory", lambda *a, gate, **o: NearestMemory(*a, **o))
    assert min(m.identities(Run())) > 1e-3


def test_reads_of_other_weights_leave_their_bound(monkeypatch):
    run = Run(sizes={"truncation.queries": 64})
    found = m.truncation(run)
    assert np.all(found.errors <= 2 * found.left_out * found.largest)
    assert found.left_out[0, 1].mean() == pytest.approx(0.92, abs=0.01)
    monkeypatch.setattr(m, "TopK", lambda k, then: TopK(8, then))
    assert np.ptp(m.truncation(run).errors, axis=1).max() < 1e-9


def test_values_that_part_from_their_keys_are_seen(monkeypatch):
    small = m.overflow(Run())
    assert (small.wrong, small.misplaced) == (0, 0)

    class Apart:
        """Values stand one place beside their keys."""

        def __init__(self, *sizes):
            self.bank = Bank(*sizes)

        def write(self, keys, values, *, count):
            self.bank = self.bank.write(keys, np.roll(values, 1, axis=1), count=count)
            return self

        def read(self, queries, separation):
            return self.bank.read(queries, separation)

    monkeypatch.setattr(m, "Bank", Apart)
    assert min(m.overflow(Run())[1:]) > 0


def test_buckets_of_more_or_fewer_rows_find_others():
    shares = m.recall(Run(sizes={"recall.draws": 200}))
    assert abs(shares.mean() - (1 - (1 - 1 / 128) ** 128)) < 4 * shares.std() / np.sqrt(200)


def test_a_gate_that_does_not_know_that_a_bank_is_empty_is_seen(monkeypatch):
    assert m.first_segment(Run()) < 1e-6
    model_of = m.model_of

    def other(capacity, seed):
        return model_of(capacity, seed if capacity else seed + 1)

    monkeypatch.setattr(m, "model_of", other)
    assert m.first_segment(Run()) > 0.1


def test_documents_answer_their_own_lookups_and_only_by_definitions_in_the_gap():
    tokens = m.documents(np.random.default_rng(0), 4)
    assert tokens.shape == (4, 161)
    first = m.KEYS * m.VALUES
    for row in tokens[:, :-1]:
        known = {}
        for begin in range(0, 160, m.SEGMENT):
            segment = row[begin : begin + m.SEGMENT]
            new = {int(t) // m.VALUES: int(t) % m.VALUES for t in segment[:4]}
            assert not known.keys() & new.keys()
            known.update(new)
            asked, answers = segment[4::2] - first, segment[5::2] - first - m.KEYS
            assert [known[key] for key in asked.tolist()] == answers.tolist()
        far = m.far(row[None])[0] - first
        assert sorted(far) == sorted(row[:4] // m.VALUES)
        # They are not asked in between.
        between = (row[m.SEGMENT : 4 * m.SEGMENT] - first).tolist()
        assert not set(far.tolist()) & set(between)


def test_a_larger_bank_has_the_same_weights():
    model = m.model_of(32, 0)
    larger = m.enlarged(model, 64, 0)
    assert larger.blocks[0].context.capacity == 64
    assert eqx.tree_equal(larger.blocks[0].attention, model.blocks[0].attention)
    assert larger.blocks[0].context.beta is model.blocks[0].context.beta


def test_models_learn_and_those_that_learn_nothing_are_at_chance():
    learnt = m.learn(m.TRAINED, 0, 2)
    assert learnt.losses[0] > 2 * np.log(m.VALUES)
    asked = m.documents(np.random.default_rng(0), 16)
    assert m.answered(learnt.model, asked).mean() < 0.6


def test_text_is_read_in_seconds_by_nobody(monkeypatch):
    with pytest.raises(NotRun, match="--profile full"):
        m.read(Run(), "plain")
    assert paper.gains["joint"].check(Run()).verdict == "not run"
    calls = []

    def learn(model, tokens, *, steps, seed, **sizes):
        calls.append(steps)
        return language.Learnt(model, 0.1 if model.blocks[1].context is None else 0.2, np.ones(1))

    def nats(model, documents, segment):
        context = model.blocks[1].context
        return np.full((2, 4), 2.0 - (0.0 if context is None else context.capacity / 1024))

    monkeypatch.setattr(language, "learn", learn)
    monkeypatch.setattr(language, "nats", nats)
    known = {m.corpus: language.Corpus(np.zeros(9, np.uint8), np.zeros((2, 5), np.int32))}
    run = Run(sizes={"text.steps": 10, "text.seeds": 2}, known=known)
    found = run(m.read, "scalar")
    np.testing.assert_allclose(found.nats[0], 2 - np.array(m.LARGER) / 1024)
    np.testing.assert_allclose(found.held, 1.75)
    assert run(m.longer).nats.shape == (2, 1)
    assert calls[-1] == 20
    assert paper.better_at_equal_time.check(run).verdict == "holds"
