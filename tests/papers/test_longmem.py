"""LongMem: what breaks which claim, and broken measurements."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import Bank
from attrax.papers import longmem as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.longmem import measure as m

ONES = np.ones(3)


def exact(**changes):
    numbers = dict.fromkeys(m.Exact._fields, 0.0) | {"learns": 1e-3}
    return m.Exact(**{**numbers, **changes})


def recall(**changes):
    good = {
        "inside": ONES,
        "model": ONES / 8,
        "forgets": ONES / 8,
        "untrained": ONES / 2,
        "remembers": ONES,
        "told": np.tile([0.475, 0.6, 0.8, 0.95], (3, 1)),
        "softer": np.full((3, 2), 0.5),
    }
    return m.Recall(**{**good, **changes})


BROKEN = {
    "differences of other layers": ({m.exact: exact(still=0.1)}, {"differences_telescope"}),
    "other chunks": ({m.exact: exact(read=0.1)}, {"chunks_are_read"}),
    "fewer chunks read wrong": ({m.exact: exact(alone=0.1)}, {"chunks_are_read"}),
    "other tokens": ({m.exact: exact(tokens=0.1)}, {"chunks_of_one_are_tokens"}),
    "a gate of one half for no rows": ({m.exact: exact(empty=0.1)}, {"an_empty_bank_is_attention"}),
    "the last row instead": ({m.exact: exact(unseen=0.1)}, {"missing_chunks_are_masked"}),
    "a model that learns": ({m.exact: exact(frozen=1e-6)}, {"the_model_is_frozen"}),
    "nothing learns": ({m.exact: exact(learns=0.0)}, {"the_model_is_frozen"}),
    "a writer that changes": ({m.exact: exact(stored=1e-6)}, {"stored_rows_stay"}),
    "a writer that does not": (
        {m.writer_that_learns: 0.0},
        {"rows_of_a_writer_that_learns_do_not"},
    ),
    "chunks that make no difference": (
        {(m.chunks, kind): np.full((4, 5), 0.5) for kind in ("unrelated", "topics")},
        {"chunks[unrelated]", "chunks[topics]"},
    ),
    "answers seen in the window": (
        {m.recall: recall(forgets=0.5 * ONES)},
        {"without_a_bank_it_is_chance"},
    ),
    "a bank that is not read": (
        {m.recall: recall(remembers=ONES / 8, told=np.full((3, 4), 0.125))},
        {"a_bank_reaches_beyond_the_window", "more_demonstrations_help"},
    ),
    "a bank in the way": (
        {m.texts: m.Texts(2 * ONES, ONES, 1.1 * ONES, np.ones((3, 8)))},
        {"texts_are_predicted_better"},
    ),
}


@pytest.fixture(scope="module")
def measured():
    return m.exact(Run())


def test_identities_hold_and_parts_learn(measured):
    assert max(measured[:6]) < 3e-5
    assert measured.frozen == measured.stored == 0
    assert measured.learns > 1e-6


def test_blocks_that_change_something_are_not_the_model():
    side, tokens = m.small(0), np.arange(m.SEGMENT, dtype=np.int32)
    bank = side.start()
    assert m.apart(m.call(side, tokens, bank).logits, m.alone(side, tokens)) > 1e-2
    # One part of one block is enough.
    still = m.changing_nothing(side)
    still = eqx.tree_at(lambda x: x.blocks[1].feedforward, still, side.blocks[1].feedforward)
    assert m.apart(m.call(still, tokens, bank).logits, m.alone(side, tokens)) > 1e-3


def test_another_gate_other_chunks_and_the_last_row_are_seen(monkeypatch):
    rng = np.random.default_rng(0)
    side, rows = m.small(0), rng.normal(size=(m.SEGMENT, 16)).astype(np.float32)
    attention = side.blocks[0].attention
    size = attention.head_size
    pairs = rng.normal(size=(2, 2, 24, size)).astype(np.float32)
    bank = side.start().write(*pairs)
    assert m.difference(side.memory, attention, rows, bank) < 3e-5
    read = m.read

    def other_gate(memory, attention, rows, bank):
        memory = eqx.tree_at(lambda memory: memory.bias, memory, memory.bias + 0.5)
        return read(memory, attention, rows, bank)

    def other_rows(memory, attention, rows, bank):
        places = jnp.argsort(jnp.arange(bank.capacity) % 2)
        keys, values = (x[:, places] for x in (bank.keys, bank.values))
        bank = eqx.tree_at(lambda bank: (bank.keys, bank.values), bank, (keys, values))
        return read(memory, attention, rows, bank)

    for other in (other_gate, other_rows):
        monkeypatch.setattr(m, "read", other)
        assert m.difference(side.memory, attention, rows, bank) > 1e-2
    # As tokens, groups of two are others than the nearest.
    assert m.nearest_tokens(side.memory, attention, rows, bank) > 1e-2


def test_keys_in_other_places_are_found_by_chance(monkeypatch):
    run = Run(sizes={"chunks.draws": 4})
    single, whole = m.chunks(run, "unrelated"), m.chunks(run, "topics")
    assert single.shape == whole.shape == (4, len(m.SIZES))
    assert single[:, 0].min() > 0.9
    assert whole[:, -1].min() > 0.9

    class Shifted:
        """A bank whose rows are not where they were written."""

        def __init__(self, *shape, **options):
            self.bank = Bank(*shape, **options)

        def write(self, keys):
            return self.bank.write(jnp.roll(keys, 100, axis=1))

    monkeypatch.setattr(m, "Bank", Shifted)
    assert m.chunks(run, "unrelated").mean() < 3 * m.K / m.STORED


def test_texts_say_what_is_asked_and_not_in_the_same_window():
    rng = np.random.default_rng(0)
    for draw, length in ((m.within, 3), (m.beyond, 4)):
        text = draw(rng, length)
        assert text.shape == (length * m.WINDOW + 1,)
        assert text.max() < m.TOKENS
        asked, said = text[-2 * m.FACTS - 1 : -1 : 2], text[-2 * m.FACTS :: 2]
        told = text[text < m.QUESTION]
        assert len(told) == m.FACTS
        known = dict(zip(told // m.ANSWERS, told % m.ANSWERS, strict=True))
        assert all(known[q - m.QUESTION] == a - m.ANSWER for q, a in zip(asked, said, strict=True))
        inside = text[-m.WINDOW - 1 :] < m.QUESTION
        assert inside.any() == (draw is m.within)
    text = m.beyond(rng, 11, times=8, wrong=1.0)
    assert (text < m.QUESTION).sum() == 8 * m.FACTS


def test_what_takes_minutes_is_not_run_in_seconds():
    with pytest.raises(NotRun, match="--profile full"):
        m.texts(Run())
    assert paper.texts_are_predicted_better.check(Run()).verdict == "not run"
