"""Long sequence Hopfield memory: what breaks which claim, and broken measurements."""

import numpy as np
import pytest

from attrax.models import SequenceMemory
from attrax.papers.contract import NotRun, Run
from attrax.papers.sequence_dense import measure as m


def noisy(share, rows=20):
    """Numbers of draws about a mean."""
    return share * (1 + 1e-3 * np.tile([-1, 1], rows // 2))


def lengths(half=100.0, predicted=50.0, once=300.0, wrong=1.0, factor=1.0):
    """Sequences that are held up to `half`, and steps that are right up to `once`."""
    sizes = np.array([2, 10, 25, 50, 100, 200, 628, 1500])
    every = np.where(sizes[:, None] < noisy(half * factor), 1.0, 0.0)
    each = np.where(sizes[:, None] < noisy(once), 1.0, 0.0)
    units = 0.0094 * wrong * np.ones_like(every) * noisy(1)
    return m.Lengths(15, predicted, sizes, each, every, units)


def dwells(timed):
    """States that are the pattern of the time, or patterns that last one step."""
    times = np.arange(0, 235)
    best = np.tile((times + 5) // 6 if timed else times % 40, (4, 1))
    return m.Dwells(best, np.ones_like(best, float))


def strip(good):
    path = np.ones((40, 3, 4))
    path[int(40 * good) :, 2] = -1
    return m.Strip(path, np.ones((40, 3, 4)), np.full(40, 0.95))


CORRELATED = m.Correlated(np.full(4, 0.9), np.array([1, 1, 0.999, 1]))
BROKEN = {
    "another matrix": ({m.matrix_errors: 3}, {"linear_memory_is_a_matrix"}),
    "squares lose, lines keep": (
        {(m.traces, 2): np.full((4, 100), 0.9), (m.traces, 1): np.full((4, 100), 0.9)},
        {"quadratic_memory_recalls", "linear_memory_loses"},
    ),
    "short sequences": (
        {(m.lengths, n): lengths(half=20) for n in (1, 2, 3, 4)},
        {"whole_sequences_are_held", "one_step_and_all_steps"},
    ),
    "long exponentials": (
        {
            (m.lengths, None, 15): lengths(half=1200, predicted=628, wrong=0.5),
            (m.lengths, None, 9): lengths(half=30),
        },
        {
            "normal_noise_overshoots",
            "errors_follow_the_exact_law",
            "equal_patterns_limit_sequences",
        },
    ),
    "no pseudo-inverse": (
        {(m.correlated, n): CORRELATED for n in (1, 2, 3)},
        {"pseudo_inverse_takes_bias"},
    ),
    "images": (
        {
            (m.transitions, None): 0.99,
            (m.transitions, 3): 0.0,
            (m.transitions, 30): 0.9,
            m.strip: strip(0.5),
        },
        {"exponential_memory_recalls_images", "cues_are_repaired"},
    ),
    "clocks": (
        {
            (m.dwells, 10): dwells(False),
            (m.dwells, 2): dwells(True),
            (m.dwells, 1): dwells(False),
        },
        {"steep_networks_keep_time", "quadratic_networks_do_not"},
    ),
    "recordings": ({m.replayed: noisy(0.2)}, {"recordings_are_replayed"}),
}


def small(**sizes):
    return Run(sizes=sizes)


def keep_self(monkeypatch, *, kept=True, **changed):
    """Make memories of another kind: with self-terms, say."""
    plain = SequenceMemory.__init__

    def init(self, *args, **options):
        plain(self, *args, **{**options, **changed, **({"self_term": True} if kept else {})})

    monkeypatch.setattr(SequenceMemory, "__init__", init)


def test_a_memory_with_self_terms_is_no_matrix_without_a_diagonal(monkeypatch):
    assert m.matrix_errors(Run()) == 0
    keep_self(monkeypatch)
    assert m.matrix_errors(Run()) > 0


def test_traces_of_other_successors_fall(monkeypatch):
    run = small(**{"traces.draws": 2})
    square, line = m.traces(run, 2), m.traces(run, 1)
    assert square.min() == 1
    assert line[:, 20].max() < 0.6
    plain = m.sequence_memory
    monkeypatch.setattr(m, "sequence_memory", lambda rows, *a, **k: plain(rows[::-1], *a, **k))
    assert m.traces(small(**{"traces.draws": 2}), 2)[:, 2].max() < 0.5


def test_lengths_are_those_of_the_law(monkeypatch):
    monkeypatch.setitem(m.UNITS, 2, {"quick": 30, "full": 30})
    run = small(**{"lengths.draws": 16})
    found = m.lengths(run, 2)
    apart = found.every.mean(1) - m.law(30, 2, found.sizes)
    assert np.abs(apart).max() < 0.45
    assert np.abs(apart.mean()) < 0.1
    ratio = found.threshold(found.each) - found.threshold(found.every)
    assert 2 < np.exp(ratio.mean()) < 4.5
    # Were patterns biased, hardly any sequence would come back.
    monkeypatch.setattr(
        m, "signs", lambda rng, *s: np.where(rng.random(s) < 0.8, 1, -1).astype(np.float32)
    )
    other = m.lengths(small(**{"lengths.draws": 16}), 2)
    assert other.at_prediction.mean() < 0.5
    assert other.wrong.mean() > 5 * found.wrong.mean()


def test_thresholds_are_where_shares_fall():
    found = lengths(half=100, once=300)
    np.testing.assert_allclose(np.exp(found.threshold(found.each)), np.sqrt(200 * 628), rtol=1e-6)
    half = np.concatenate([np.ones(4), [0.5], np.zeros(3)])[:, None]
    np.testing.assert_allclose(
        found.threshold(half), (np.log(50 * 100) + np.log(100 * 200)) / 4, rtol=1e-6
    )


def test_what_is_not_whitened_is_not_robust(monkeypatch):
    run = small(**{"correlated.draws": 3})
    found = m.correlated(run, 2)
    assert (found.whitened == 1).all()
    assert found.plain.max() < 0.95
    m.biased.clear_cache()
    monkeypatch.setattr(m, "whitened", lambda rows: None)
    assert m.correlated(small(**{"correlated.draws": 3}), 2).whitened.max() < 0.95
    m.biased.clear_cache()


def test_dwell_times_follow_the_window(monkeypatch):
    run = small(**{"dwells.draws": 2})
    steep, square = m.dwells(run, 10), m.dwells(run, 2)
    assert (steep.timed == 1).all()
    assert steep.ordered.all()
    assert square.timed.max() < 0.5
    assert not dwells(False).timed.mean() > 0.5
    monkeypatch.setattr(m, "STATES", 4)
    shorter = m.dwells(small(**{"dwells.draws": 1}), 10)
    monkeypatch.setattr(m, "STATES", 6)
    assert shorter.timed.max() < 0.5


def test_images_in_another_order_are_not_replayed(monkeypatch):
    run = small(**{"frames": 120, "strip.cues": 12})
    assert m.transitions(run, None) == 1
    assert m.transitions(run, 2) < 0.2
    found = m.strip(run, 5)
    assert found.good.mean() > 0.7
    plain = m.sequence_memory
    monkeypatch.setattr(m, "sequence_memory", lambda rows, **k: plain(rows[::-1], **k))
    assert m.strip(small(**{"frames": 120, "strip.cues": 12}), 5).good.mean() < 0.2


@pytest.mark.parametrize(("count", "share"), [(1, 0.3), (2, 0.51), (3, 0.216)])
def test_half_of_few_pixels(count, share):
    np.testing.assert_allclose(m.half_flipped(count, 0.3), share)


def test_recordings_with_blunt_separations_are_lost(monkeypatch):
    run = small(**{"replayed.cues": 16})
    assert np.median(m.replayed(run)) < 0.01
    blunt = m.Softmax
    monkeypatch.setattr(m, "Softmax", lambda beta: blunt(beta / 100))
    assert np.median(m.replayed(small(**{"replayed.cues": 16}))) > 0.3
    monkeypatch.setattr(m, "EEG", "nowhere.dat")
    with pytest.raises(NotRun, match="Matplotlib ships"):
        m.replayed(small(**{"replayed.cues": 16}))
