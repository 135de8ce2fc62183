"""Kernel memories and what followed: what breaks which claim, and what is measured of it."""

import numpy as np
import pytest

from attrax.papers.contract import Run
from attrax.papers.kernel_memory_and_followups import measure as m

ONES = np.ones((4, 20))
ROWS = m.RowGradients(0 * ONES, ONES, ONES)
FLAGS = np.ones(4, bool)
FOUND = m.Minima(FLAGS, 2 * FLAGS, 3 * FLAGS, 5 * FLAGS, 8 * FLAGS)
EVEN = m.Phase(np.full((4, 3), 1 / 3), np.full(4, 0.001), np.zeros((2, 2)), np.zeros((2, 2)))
BROKEN = {
    "errors that fall with Y itself": (
        {m.feature_errors: 1 / np.tile(m.FEATURES, (4, 1))},
        {"errors_of_features_fall_with_their_root"},
    ),
    "a pattern is left": (
        {m.removals: (np.full(3, 1e-4), np.zeros(3))},
        {"removed_patterns_leave_no_trace"},
    ),
    "slopes at rows": (
        {m.row_gradients: ROWS._replace(above=1e-9 * ONES)},
        {"gradients_vanish_at_stored_rows", "rows_are_minima_above_a_sharp_threshold"},
    ),
    "no threshold": (
        {m.row_gradients: ROWS._replace(below=0 * ONES)},
        {"rows_are_minima_above_a_sharp_threshold"},
    ),
    "a lost row": (
        {m.minima: FOUND._replace(kept=~FLAGS)},
        {"minima_emerge_while_all_rows_are_kept"},
    ),
    "nothing emerges": (
        {m.minima: FOUND._replace(emergent=0 * FLAGS)},
        {"minima_emerge_while_all_rows_are_kept"},
    ),
    "another score": ({m.score_gaps: np.full((5, 2), 1e-3)}, {"scores_are_slopes_of_the_energy"}),
    "no phases": (
        {m.phases: EVEN},
        {"phases_by_data[few]", "phases_by_data[some]", "phases_by_data[many]"},
    ),
    "samples off the circle": (
        {(m.phases, m.PHASES[-1]): EVEN._replace(away=np.full(4, 0.1))},
        {"phases_by_data[many]", "new_samples_lie_on_the_circle"},
    ),
}


def test_errors_of_another_kernel_do_not_fall():
    run = Run(sizes={"feature_errors.draws": 1})
    right, other = m.feature_errors(run), m.feature_errors(run, 0.06)
    assert -0.6 < m.exponents(m.FEATURES, right)[0] < -0.4
    assert m.exponents(m.FEATURES, other)[0] > -0.4
    assert other[0, -1] > 1.3 * right[0, -1]


def test_a_pattern_that_is_not_removed_is_seen():
    run = Run(sizes={"removals.draws": 1})
    assert m.removals(run)[0].max() < 7.2e-15
    changes, drifts = m.removals(run, 1)
    assert changes.max() > 1e-4
    assert drifts.max() > 1e-4


def test_below_the_threshold_rows_are_moved():
    run = Run(sizes={"row_gradients.draws": 3})
    right, wide = m.row_gradients(run), m.row_gradients(run, 0.9)
    assert right.above.max() == 0
    assert wide.above.max(axis=1).min() > 0
    assert right.gaussian.min() > 0.01


def test_minima_of_a_wide_reach_are_other_than_the_rows(monkeypatch):
    monkeypatch.setattr(m, "GRID", 15)
    monkeypatch.setattr(m, "GAUSSIAN", (1.0, 8.0))
    run = Run(sizes={"minima.draws": 2})
    right, wide = m.minima(run), m.minima(run, 0.2)
    assert right.kept.all()
    assert right.emergent.min() > 0
    assert right.gaussian.max() <= 8
    assert not wide.kept.any()
    # Of a reach so short that no two rows share a state, none emerges.
    assert m.minima(run, 5.0).emergent.max() == 0


def test_the_energy_of_another_noise_has_another_score():
    assert m.score_gaps(Run()).max() < 1e-12
    assert m.score_gaps(Run(), 1.01).max() > 1e-4


@pytest.fixture
def small():
    return Run(sizes={"phases.draws": 2})


def test_phases_need_their_numbers_of_data_and_reads(small, monkeypatch):
    monkeypatch.setattr(m, "SAMPLES", 64)
    shares = {size: m.phases(small, size).shares.mean(0) for size in (3, 64)}
    assert shares[3][0] > 0.5 > shares[64][0]
    assert shares[64][1] > 0.5
    # Without the reads at the last β samples of 64 data do not come together.
    assert m.phases(small, 64, 1).shares.mean(0)[1] < 0.5
    # Noise that is not annealed leaves the circle.
    found = m.phases(small, 64, steps=1)
    assert found.samples.shape == (64, 2)
    assert found.away.mean() > 0


def test_the_landscape_has_rows_and_other_minima():
    rows, energies, minima, _ = m.landscape(Run(sizes={"landscape.points": 20}))
    assert np.isfinite(energies).all()
    on, off = m.split(minima, rows)
    assert on == 8
    assert off >= 1
