"""Dense memories with exponential capacity: what breaks which claim, and broken measurements."""

import math
from functools import partial

import jax
import numpy as np
import pytest

from attrax.papers import dense_exponential_capacity as paper
from attrax.papers.contract import Run
from attrax.papers.dense_exponential_capacity import measure as m
from attrax.theory import free_entropy, softmax_rate

SIZES = np.array([32, 64, 128, 256])


def series(value, sizes=SIZES, draws=6):
    """Draws at a number, or at one a size, that hardly vary."""
    rows = np.broadcast_to(np.asarray(value, float), sizes.shape)[:, None]
    return m.Series(sizes, rows + 1e-6 * np.linspace(-1, 1, draws), m.nearing(sizes))


def kept(ratio):
    ratios = ratio + 1e-3 * np.linspace(-1, 1, 6)
    return m.Kept(20, np.array([0.3, 0.4]), np.array([1.0, 0.0]), ratios, ratios, ratios)


BROKEN = {
    "other thresholds": (
        {m.one_pattern: series(0.7)},
        {"one_pattern[spherical]", "one_pattern[gaussian]"},
    ),
    "far from theory": ({m.limits: [m.Limit("α₁", 0.5, 0.01, 0.54)] * 24}, {"within_bands"}),
    "all are kept as long as one": (
        {m.all_patterns: series(0.5 * SIZES)},
        {"all_patterns[0]", "all_patterns[1]"},
    ),
    "a gap where there is none": (
        {(m.gaps, "gaussian", 2.0): series(0.1), (m.gaps, "spherical", 0.5): series(0.1)},
        {"gaps[gaussian]", "gaps[spherical]"},
    ),
    "all weights alike": (
        {m.read: m.Read(series(0.5), series(0.2), series(0.01))},
        {"basin", "condensed"},
    ),
    "no scale": ({m.attention: series(1.2)}, {"attention_scale"}),
    "memories keep less": (
        {m.loads_kept: kept(0.8)},
        {"memories[spherical]", "memories[gaussian]"},
    ),
    "runs end elsewhere": ({m.overlaps_kept: kept(1.2)}, {"runs_end_in_their_pattern"}),
}
FEW = {"sizes": (64, 128, 256, 512), "thresholds": 60, "reads": 2000, "attention": 40}


def test_limits_are_those_of_their_terms():
    found = series(0.4 + 2 * np.log(SIZES) / SIZES - 3 / SIZES)
    value, error = found.limit()
    assert abs(value - 0.4) < 4 * error < 1e-3
    # Where another term is there, the error says so.
    value, error = series(0.4 + 30 / SIZES**2).limit()
    assert 1e-4 < abs(value - 0.4) < 3 * error
    slope, error = m.growth(series(0.2 * SIZES + 0.25 * np.log(SIZES)), 0.25)
    assert slope == pytest.approx(0.2, abs=4 * error)


def test_thresholds_of_other_queries_are_seen(monkeypatch):
    claim = paper.one_pattern["gaussian"]
    run = Run(sizes=FEW)
    assert claim.decide(*run(m.one_pattern, "gaussian", 2.0).limit()) != "fails"
    shorter = partial(m.draw_softmax_thresholds, overlap=0.9)
    monkeypatch.setattr(m, "draw_softmax_thresholds", shorter)
    assert claim.check(Run(sizes=FEW)).verdict == "fails"


def test_reads_at_another_temperature_are_seen(monkeypatch):
    run = Run(sizes=FEW)
    value, error = run(m.read, "gaussian", 0.1, 2.0).entropy.limit()
    theory = float(free_entropy(0.1, 2.0, "gaussian"))
    assert abs(value - theory) < 4 * error + 0.01
    real = m.draw_softmax_reads
    monkeypatch.setattr(
        m, "draw_softmax_reads", lambda e, log, n, beta, **k: real(e, log, n, beta / 4, **k)
    )
    run = Run(sizes=FEW)
    assert paper.basin.check(run).verdict == "fails"
    assert paper.condensed.check(run).verdict == "fails"


def test_another_scale_of_attention_is_seen():
    roots = m.attention(Run(sizes=FEW), "spherical", 1.0)
    assert roots.limit()[0] == pytest.approx(1, abs=1e-3)
    other = m.attention(Run(sizes=FEW), "spherical", 1.1)
    assert paper.attention_scale.check(Run(known={m.attention: other})).verdict == "fails"


def test_another_theory_is_seen(monkeypatch):
    monkeypatch.setattr(m, "BETAS", {"spherical": (1.0,), "gaussian": (), "binary": (0.5,)})
    monkeypatch.setattr(m, "READS", {"spherical": (), "gaussian": ((0.1, 2.0),), "binary": ()})
    right = m.limits(Run(sizes=FEW))
    assert len(right) == 4
    assert all(abs(x.value - x.theory) < 4 * x.error for x in right)
    monkeypatch.setattr(m, "softmax_rate", lambda *a: 1.01 * softmax_rate(*a))
    monkeypatch.setattr(m, "free_entropy", lambda a, b, e: free_entropy(2 * a, b, e))
    wrong = m.limits(Run(sizes=FEW))
    assert all(abs(x.value - x.theory) > 3.5 * x.error for x in wrong)


def brute_force(rows, beta):
    """One number of patterns after another."""
    scores = beta * rows @ rows.T
    for number in range(2, len(rows)):
        some = scores[:number, :number] - np.diagonal(scores)[:number, None]
        if (np.exp(some).sum(1) >= 2).any():
            return number
    return None


@pytest.mark.parametrize(
    ("ensemble", "beta"), [("gaussian", 2.0), ("gaussian", 0.3), ("spherical", 0.5)]
)
def test_the_first_pattern_lost_is_found(ensemble, beta):
    for seed in range(8):
        blocks = list(m.draw_blocks(np.random.default_rng(seed), ensemble, 13, 512))
        assert m.first_lost(blocks, beta) == brute_force(np.concatenate(blocks), beta)
    assert math.isnan(m.first_lost(blocks[:1], 50.0)) is (ensemble == "spherical")


def test_short_patterns_are_what_is_lost(monkeypatch):
    sizes = {f"all patterns, gaussian, β = {beta}": ((12, 20), 60) for beta in ("2", "0.3")}
    run = Run(sizes=sizes)
    found = run(m.all_patterns, "gaussian", 2.0)
    slope, error = m.growth(found, 0.25)
    assert slope == pytest.approx(0.173, abs=4 * error)
    gap = run(m.gaps, "gaussian", 2.0).means()[0][-1]
    assert gap > 0.3
    # Of equal lengths it takes more, and the gap is small.
    real = m.draw_blocks
    monkeypatch.setattr(m, "draw_blocks", lambda rng, _, n, most: real(rng, "spherical", n, most))
    run = Run(sizes={f"all patterns, gaussian, β = {b}": ((10, 14), 30) for b in ("2", "0.3")})
    assert m.growth(run(m.all_patterns, "gaussian", 0.3), 0.152)[0] > 0.2
    other = Run(sizes={"all patterns, spherical, β = 0.5": ((14,), 20)})
    monkeypatch.setattr(m, "draw_blocks", real)
    equal = m.gaps(other, "spherical", 0.5).means()[0][-1]
    monkeypatch.setattr(m, "draw_blocks", lambda rng, _, n, most: real(rng, "gaussian", n, most))
    other = Run(sizes={"all patterns, spherical, β = 0.5": ((14,), 20)})
    assert m.gaps(other, "spherical", 0.5).means()[0][-1] > equal + 0.1


def colder(beta):
    return m.build(2 * beta)


def warmer(beta):
    return m.build(beta / 10)


MEMORIES = {"memories": 6, "memories, spherical": (14, 0.25, 0.5), "basins": 40}


def test_memories_keep_what_random_energies_say():
    run = Run(sizes=MEMORIES)
    assert run(m.loads_kept, "spherical", 0.5).weight.mean() == pytest.approx(1, abs=0.03)
    found = run(m.overlaps_kept, "gaussian", 0.1, 2.0)
    assert found.weight.mean() == pytest.approx(1, abs=0.06)
    assert found.ends.mean() == pytest.approx(1, abs=0.06)
    assert m.loads_kept(run, "spherical", 0.5, colder).weight.mean() > 1.1
    assert m.overlaps_kept(run, "gaussian", 0.1, 2.0, warmer).ends.mean() > 1.15


def test_queries_have_their_overlap_and_their_length():
    key = jax.random.key(0)
    patterns = m.sample("spherical", key, (5, 12))
    cues = np.asarray(m.tilt(jax.random.key(1), patterns, 0.3))
    np.testing.assert_allclose(np.sum(cues * np.asarray(patterns), 1) / 12, 0.3, rtol=1e-5)
    np.testing.assert_allclose(np.sum(cues**2, 1), 12, rtol=1e-5)
