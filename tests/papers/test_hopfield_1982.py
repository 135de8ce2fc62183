"""The classical network: what breaks which claim, and measurements of what is broken."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax import MatrixMemory
from attrax.learning import Hebb
from attrax.papers.contract import Run
from attrax.papers.hopfield_1982 import measure as m
from attrax.theory import hebb_order_parameters

THEORY = np.array([1.0, 0.9996, 0.998, 0.9932, 0.9872])
MANY = np.tile([-1e-3, 1e-3], 8)


def limit(shift):
    """Overlaps off theory by so many standard errors."""
    return m.Limit(
        np.array(m.LOADS[:5]), THEORY + shift * 1e-3, 0 * THEORY, 0 * THEORY + 1e-3, THEORY
    )


def overlaps(at_012, at_018):
    drawn = np.ones((8, 16))
    drawn[3], drawn[6] = at_012 + MANY, at_018 + MANY
    return m.Overlaps((500,), (drawn,))


def basins(nearest):
    return m.Basins(np.full((6, 9), nearest), np.full((6, 9), nearest))


UNCOOLED = np.zeros(10), np.zeros(10)
IMAGES = m.Images(np.ones(1), np.ones(1), {}, (1, 1), {"Hebb": 0.2, "Projection": 1.0}, 0.3)
BROKEN = {
    "sweeps": (
        {m.flips: m.Flips(1, 400, 0.5)},
        {"energy_falls", "sweeps_are_the_rule"},
    ),
    "cycles of three": ({m.synchronous: (0.2, 0.7)}, {"at_once_they_rest_or_alternate"}),
    "overlaps": (
        {m.overlaps: overlaps(0.9, 0.9)},
        {"recalls_below_the_capacity", "forgets_above_the_capacity"},
    ),
    "theory": ({m.limit: limit(9.0)}, {"overlaps_tend_to_theory"}),
    "cooling that leaves the difference": (
        {m.limit: limit(9.0), m.cooled: UNCOOLED},
        {"overlaps_tend_to_theory", "overlaps_near_the_capacity_tend_to_theory"},
    ),
    "warm": ({m.warm: (np.full((4, 2), 0.9), np.ones(4))}, {"warm_networks_follow_theory"}),
    "another law": ({m.boltzmann: 9.0}, {"samples_follow_boltzmann"}),
    "the noise of signs": (
        {m.stability: (np.full(9, 0.0046), np.full(9, 0.9))},
        {"units_are_unstable_as_noise_says", "patterns_are_unchanged"},
    ),
    "narrow basins": ({m.basins: basins(0.8)}, {"cues_nearby_find_their_pattern"}),
    "rules": (
        {m.recalled: np.array([0.5, 0.5])},
        {"beyond_hebb[0]", "beyond_hebb[1]", "beyond_hebb[2]"},
    ),
    "another rule": ({m.incremental: 0.1}, {"one_by_one_is_at_once"}),
    "mixtures": (
        {m.mixtures: (np.full(4, 0.9), np.full((4, 3), 0.4))},
        {"mixtures_stay", "mixtures_lie_between"},
    ),
    "graded": (
        {m.graded: m.Graded(np.ones((1, 9)), 1e-6, (1.0, 1.0, 0.7))},
        {"graded_energy_falls", "graded_units_rest_like_two_state_units"},
    ),
    "images": ({m.images: IMAGES}, {"projection_holds_images"}),
}


def store_others(rows):
    """A network of other patterns than those it is given."""
    signs = jnp.where(jnp.arange(rows.shape[1]) % 2 == 0, 1.0, -1.0)
    return Hebb()(jnp.roll(rows, 1, axis=1) * signs[None])


def keep_all(rows):
    """A network in which every state is at rest."""
    return MatrixMemory(jnp.zeros((rows.shape[1], rows.shape[1])), units="signs")


def test_near_the_capacity_overlaps_differ_only_where_cooling_removes_the_difference():
    from attrax.papers import hopfield_1982 as paper

    claim = paper.overlaps_near_the_capacity_tend_to_theory
    off = limit(9.0)
    off.limit[4] = off.theory[4]
    cooled = 9e-3 + 1e-4 * np.arange(-10.0, 10.0), np.full(20, 1e-5)
    assert claim.check(Run(known={m.limit: off, m.cooled: cooled})).verdict == "differs"
    # At 0.13 nothing was cooled.
    assert claim.check(Run(known={m.limit: limit(9.0), m.cooled: cooled})).verdict == "fails"
    assert claim.check(Run(known={m.limit: limit(1.0)})).verdict == "holds"


def test_bits_differ_only_where_signs_do_better():
    from attrax.papers import hopfield_1982 as paper

    claim, wide = paper.cues_nearby_find_their_pattern, basins(0.95)
    known = {(m.basins, 30, "bits"): basins(0.7), (m.basins, 30): wide, (m.basins, 100): wide}
    assert claim.check(Run(known=known)).verdict == "differs"
    assert claim.check(Run(known={**known, (m.basins, 30): basins(0.8)})).verdict == "fails"


def test_a_line_through_overlaps_finds_their_limit():
    sizes = (500, 1000, 2000)
    drawn = tuple(
        np.concatenate([THEORY - 5 / size, [0.9, 0.7, 0.4]])[:, None] + MANY for size in sizes
    )
    line = Run(known={m.overlaps: m.Overlaps(sizes, drawn)})(m.limit)
    np.testing.assert_allclose(line.limit, THEORY, atol=1e-6)
    np.testing.assert_allclose(line.slope, -5, atol=1e-2)
    exact = hebb_order_parameters(line.loads, np.zeros(5)).overlap
    np.testing.assert_allclose(line.theory, exact, rtol=1e-6)


def test_overlaps_are_with_what_was_stored():
    run = Run(sizes={"overlaps.sizes": (250,), "overlaps.draws": (3,)})
    right, wrong = m.overlaps(run), m.overlaps(run, store_others)
    assert right.mean[0, 0] > 0.99
    assert wrong.mean.max() < 0.8


def test_warm_overlaps_are_with_what_was_stored():
    run = Run(sizes={"warm.units": 200, "warm.draws": 2})
    warm, theory = m.warm(run)
    assert np.abs(warm.mean(1) - theory).max() < 0.1
    wrong, _ = m.warm(run, store_others)
    assert np.abs(wrong.mean(1) - theory).min() > 0.1


def test_cooling_is_not_settling_at_once():
    run = Run(sizes={"cooled.units": 300, "cooled.draws": 3})
    assert np.abs(m.cooled(run, load=0.12)[1]).max() > 0
    assert m.cooled(run, start=1e-6, load=0.05)[0].max() == 0


def test_couplings_that_differ_by_direction_raise_energies():
    assert m.flips(Run(), 60, 2)[::2] == (0, 1.0)
    broken = m.flips(Run(), 60, 2, antisymmetric=True)
    assert 5 < broken.rises <= broken.changes


def test_couplings_that_differ_by_direction_cycle_longer():
    assert sum(m.synchronous(Run(), 40, 20)) == 1
    assert sum(m.synchronous(Run(), 40, 20, symmetric=False)) < 0.9


def test_samples_of_another_temperature_are_seen():
    run = Run(sizes={"boltzmann.chains": 4000})
    assert m.boltzmann(run, 1.0) < 4 < m.boltzmann(run, 0.8)
    assert m.boltzmann(run, 1.0, sampled=1.25) > 4


def test_stability_is_that_of_plain_numpy():
    rng = np.random.default_rng(0)

    def keep(signs):
        couplings = signs.T @ signs
        np.fill_diagonal(couplings, 0)
        fields = (signs + 1) // 2 @ couplings
        return (np.where(fields == 0, signs, np.sign(fields)) == signs).all(1).mean()

    plain = np.array([keep(rng.choice([-1, 1], (10, 100))) for _ in range(200)])
    run = Run(sizes={"stability.networks": 200})
    units, whole = m.stability(run, "bits")
    error = np.hypot(whole.std(), plain.std()) / np.sqrt(200)
    assert abs(whole.mean() - plain.mean()) < 4 * error
    assert whole.mean() < m.stability(run, "signs")[1].mean()
    assert 0.005 < units.mean() < 0.015


def test_cues_are_as_far_off_as_said():
    run = Run(sizes={"basins.networks": 5})
    kept = m.basins(run, 30, make=keep_all)
    assert (kept.exact.mean(1) == [1, 0, 0, 0, 0, 0]).all()
    assert m.basins(run, 100).exact[5].mean() > 0.9
    lost = m.basins(run, 30, make=store_others)
    assert lost.nearest[1:].mean() < 0.6


def test_cues_of_rules_are_damaged(monkeypatch):
    run = Run(sizes={"recalled.networks": 2})
    assert m.recalled(run, "Projection", 0.1, d=100).mean() > 0.9
    monkeypatch.setitem(m.RULES, "kept", keep_all)
    assert m.recalled(run, "kept", 0.1, d=100).max() == 0


def test_a_rule_that_is_not_storkeys_is_seen(monkeypatch):
    assert m.incremental(Run(), "Hebb", 30, 5) == 0
    assert m.incremental(Run(), "Storkey", 30, 5) < 1e-5
    monkeypatch.setitem(m.RULES, "Storkey", Hebb())
    assert m.incremental(Run(), "Storkey", 30, 5) > 0.05


def test_mixtures_of_other_patterns_do_not_stay():
    right, wrong = m.mixtures(Run(), d=400, draws=3), m.mixtures(Run(), store_others, 400, draws=3)
    assert right[0].min() > 0.99
    assert wrong[0].max() < 0.9
    assert np.abs(wrong[1]).max() < 0.45


@pytest.mark.parametrize(("stretch", "falls"), [(1.0, True), (200.0, False)])
def test_steps_that_are_too_long_raise_the_energy(stretch, falls):
    run = Run(sizes={"graded.starts": 2, "graded.steps": 40})
    assert (m.graded(run, stretch).rise <= 1e-12) == falls


def test_images_are_damaged_and_come_back_by_projection(monkeypatch):
    images = m.images(Run(), count=12)
    assert images.exact["Projection"] > images.exact["Hebb"]
    assert 0.05 < (images.cues != images.stored).mean() < 0.15
    monkeypatch.setitem(m.RULES, "kept", lambda rows: keep_all(jnp.asarray(rows)))
    assert m.images(Run(), ("kept",), count=12).exact["kept"] == 0


def test_the_lines_of_theory_end_at_the_critical_load():
    loads, overlaps, _, critical = m.lines(Run())
    np.testing.assert_allclose([loads[-1], critical[0]], 0.1379, atol=1e-4)
    assert (np.diff(overlaps) <= 1e-6).all()
