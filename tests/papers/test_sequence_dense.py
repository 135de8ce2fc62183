"""Long sequence Hopfield memory: what breaks which claim, and broken measurements."""

import numpy as np
import pytest

from attrax.models import SequenceMemory
from attrax.papers.contract import NotRun, Run
from attrax.papers.sequence_dense import measure as m


def noisy(share, rows=20):
    """Numbers of draws about a mean."""
    return share * (1 + 1e-3 * np.tile([-1, 1], rows // 2))


def lengths(half, units=15, *, whole=False, wrong=1.0, sizes=None):
    """Sequences, or steps, of which those up to a length succeed."""
    sizes = np.round(half * 2.0 ** np.arange(-2, 2.1, 0.5)) if sizes is None else np.array(sizes)
    sizes = np.unique(np.maximum(sizes, 2)).astype(int)
    # Of many draws shares fall through one half at that length.
    share = 1 / (1 + (sizes / half) ** 4)
    good = (np.arange(200)[None] / 200 < share[:, None]).astype(int)
    trials = sizes if whole else np.ones(len(sizes), int)
    scan = m.scanned(sizes, units, trials, good * trials[:, None])
    return m.Lengths(units, scan, whole, 0.0094 * wrong * np.ones((len(sizes), 1)) * noisy(1))


def polynomial(factor=1.0, law=1.0, whole=1.0):
    """Capacities, and the law of steps, as multiples of those of normal noise."""
    known = {}
    for degree in (1, 2, 3, 4):
        for units in m.UNITS[degree]["quick"]:
            half = m.normal(degree, units)
            known[m.lengths, degree, units] = lengths(half * factor, units)
            known[m.law, degree, units] = lengths(half * law, units)
            half = m.normal(degree, units, True) * whole
            known[m.lengths, degree, units, True] = lengths(half, units, whole=True)
    return known


def exponential(factor=1.0, law=1.0, *, growth=1.36, wrong=1.0, at_predicted=0.0):
    """The same of exponentials, whose sequences have lengths of their own."""
    known = {}
    for units in m.UNITS[None]["quick"]:
        half = m.normal(None, units)
        known[m.lengths, None, units] = lengths(half * factor, units)
        known[m.law, None, units] = lengths(half * law, units)
        found = lengths(4 * growth ** (units - 5), units, whole=True, wrong=wrong)
        if units == m.LARGE:
            sizes = [10, 20, 40, 80, 160, 320, 628, 1500]
            half = 1200 if at_predicted else 80
            found = lengths(half, units, whole=True, wrong=wrong, sizes=sizes)
        known[m.lengths, None, units, True] = found
    return known


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
    "other capacities than theory's": (
        {**polynomial(1.8, 1.8), **exponential(1.8, 1.8)},
        {"steps_follow_normal_noise"},
    ),
    "another law": ({**polynomial(1, 0.7), **exponential(1, 1)}, {"steps_follow_their_law"}),
    "short sequences": (
        {**polynomial(whole=0.5), **exponential()},
        {"whole_sequences_are_held", "one_step_and_all_steps"},
    ),
    "long exponentials": (
        exponential(growth=1.5, wrong=0.5, at_predicted=1.0),
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


SIZES = {"lengths.cues": 1500, "lengths.draws": 24, "law.draws": 5e4, "lengths.products": 1e5}


def test_lengths_are_those_of_theory(monkeypatch):
    run = small(**SIZES)
    steps, law = m.lengths(run, 2, 18), m.law(run, 2, 18)
    assert 0.8 < steps.half[0] / law.half[0] < 1.25
    assert steps.half[1] < steps.half[0] < steps.half[2]
    whole = m.lengths(run, 2, 18, True)
    assert 0.7 < whole.half[0] / m.normal(2, 18, whole=True) < 1.4
    assert whole.right(6).mean() > 0.8
    # Were patterns biased, hardly any sequence would come back.
    monkeypatch.setattr(
        m,
        "signs",
        lambda rng, *s, dtype=np.float32: np.where(rng.random(s) < 0.8, 1, -1).astype(dtype),
    )
    other = m.lengths(small(**SIZES), 2, 18, True)
    assert other.right(6).mean() < 0.5
    assert other.wrong.mean() > 3 * whole.wrong.mean()


def test_counts_of_patterns_among_zeros_are_those_of_the_formula():
    rows = m.signs(np.random.default_rng(0), 8, 40, 18, dtype=np.int8)
    for size in (20, 40):
        good, wrong = np.asarray(m.counted(m.padded(rows[:, :size], 2, True), size, size, 2)).T
        for draw, patterns in enumerate(rows[:, :size].astype(float)):
            after = np.roll(patterns, -1, 0)
            # Of each cue, pattern and unit, without the unit's own part.
            scores = (patterns @ patterns.T)[..., None] - patterns[:, None] * patterns
            drives = np.sum(scores**2 * after, axis=1)
            off = np.sum(np.where(drives == 0, patterns, np.sign(drives)) != after, axis=1)
            assert (good[draw], wrong[draw]) == (np.sum(off == 0), off.sum())


def test_the_law_is_that_of_patterns_that_are_drawn(monkeypatch):
    """An exponential among few units, where patterns that are close decide."""
    steps, law = (measure(small(**SIZES), None, 5) for measure in (m.lengths, m.law))
    shares = np.asarray(steps.scan.each.value), np.asarray(law.scan.each.value)
    assert np.abs(shares[0] - shares[1]).max() < 0.08
    # Noise of another size would hold other lengths.
    monkeypatch.setattr(m.np, "exp", lambda x: np.exp2(1.1 * x))
    assert (
        np.abs(np.asarray(m.law(small(**SIZES), None, 5).scan.each.value) - shares[1]).max() > 0.1
    )


def test_replays_of_other_successors_leave_the_diagonal(monkeypatch):
    overlaps = m.replays(Run())
    due = {degree: np.diagonal(found) for degree, found in overlaps.items()}
    assert (due[None] == 1).all()
    assert due[2][:6].min() > 0.8
    assert due[2][20:].max() < 0.5
    assert due[1][5:].max() < 0.6
    plain = m.sequence_memory
    monkeypatch.setattr(m, "sequence_memory", lambda rows, *a, **k: plain(rows[::-1], *a, **k))
    assert np.diagonal(m.replays(Run())[None])[1:].max() < 0.6


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
