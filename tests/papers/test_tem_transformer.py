"""The Tolman-Eichenbaum machine: what breaks which claim, and broken measurements."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import recall_path, write_gate
from attrax.papers import tem_transformer as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.tem_transformer import measure as m


def walked(right, surplus=0):
    """Walks of 100 steps, some of which are right."""
    visited = np.tile(np.arange(100) > 0, (4, 1))
    rows = np.arange(100)[None] < 100 * right + np.array([[-0.5], [0.0], [0.0], [0.5]])
    return m.Paths(rows & visited, visited, visited, np.full(4, surplus))


def activity(same, split=False):
    grids = np.zeros((4, 12, 8, 8))
    rng = np.random.default_rng(0)
    for world in range(4):
        for unit in range(12):
            row, column = (unit % 7, unit // 2) if same else rng.integers(0, 8, 2)
            grids[world, unit, row, column] = 1.0
            if split:
                grids[world, unit, (row + 4) % 8, column] = 0.5
    return m.Units(grids.reshape(4, 12, 64), np.full(4, 12), np.zeros((4, 9), int), None)


def learnt(untaken, taken):
    spread = np.array([-1e-3, 0.0, 1e-3])
    rows = np.stack([np.full(3, 0.1), np.full(3, untaken) + spread])
    others = np.stack([np.full(3, 0.1), np.full(3, taken) - spread])
    return m.Trained(np.array([0, 100]), rows, others, (1000, 2000), 5000)


GOOD = learnt(0.98, 0.99)
BROKEN = {
    "exact codes that are wrong": (
        {(m.paths, 0.0, False): walked(0.9), (m.paths, 0.1, False): walked(0.5)},
        {"exact[0]"},
    ),
    "little noise that is much": ({(m.paths, 0.02, False): walked(0.95)}, {"exact[0.02]"}),
    "noise that does nothing": (
        {(m.paths, noise, False): walked(1.0) for noise in (0.0, 0.1, 0.2)},
        {"drift_spoils"},
    ),
    "landmarks that do not help": (
        {(m.paths, noise, True): walked(0.9) for noise in (0.1, 0.2)},
        {"landmarks_repair"},
    ),
    "nodes stored twice": (
        {(m.paths, 0.0, False): walked(1.0, 3)},
        {"gate_stores_conjunctions_once"},
    ),
    "reads of what comes": ({m.looks_ahead: 0.1}, {"reads_are_causal"}),
    "other gains": ({m.disagreement: 0.01}, {"conjunctions_are_linear_attention"}),
    "weights that fall": (
        {(m.sharpness, True): np.tile([0.8, 0.7, 0.6, 0.5], (3, 1))},
        {"growing_beta_stays_sharp"},
    ),
    "weights that stay": (
        {(m.sharpness, False): np.full((3, 4), 0.8)},
        {"fixed_beta_dilutes"},
    ),
    "fields of two parts": ({m.units: activity(False, True)}, {"units_are_place_like"}),
    "units that stay where they are": ({m.units: activity(True)}, {"units_remap"}),
    "a recurrent network that is as good": (
        {(m.trained, "transformer"): GOOD, (m.trained, "recurrent"): GOOD},
        {"beats_recurrent_network"},
    ),
    "links that are learnt one by one": (
        {
            (m.trained, "transformer"): learnt(0.8, 0.99),
            (m.trained, "recurrent"): learnt(0.5, 0.5),
        },
        {"untaken_links_are_as_good"},
    ),
}
SMALL = Run(sizes={"paths.draws": 3, "units.draws": 6, "sharpness.draws": 2})


def fresh(monkeypatch, **others):
    """A small run in which functions of the measurements are others."""
    m._walked.cache_clear()
    for name, value in others.items():
        monkeypatch.setattr(m, name, value)
    return Run(sizes={"paths.draws": 3, "units.draws": 6, "sharpness.draws": 2})


@pytest.fixture(autouse=True)
def _compiled_anew():
    yield
    m._walked.cache_clear()


def test_walks_are_predicted_and_those_whose_codes_do_not_move_are_not(monkeypatch):
    paths = SMALL(m.paths, 0.0, False)
    assert paths.accuracy().min() == 1
    assert paths.untaken.sum() > 200
    assert not paths.surplus.any()
    assert SMALL(m.paths, 0.3, False).accuracy().mean() < 0.9
    still = fresh(monkeypatch, rotate_code=lambda code, angles: code)
    assert still(m.paths, 0.0, False).accuracy().max() < 0.3


def test_a_gate_that_knows_nothing_stores_again(monkeypatch):
    other = fresh(monkeypatch, write_gate=lambda codes, seen: write_gate(codes, seen, 1.5))
    assert other(m.paths, 0.0, False).surplus.min() > 300


def test_landmarks_that_draw_nothing_do_not_repair(monkeypatch):
    assert SMALL(m.paths, 0.2, True).accuracy().mean() > 0.98
    locate = m.locate_path
    other = fresh(monkeypatch, locate_path=lambda *given: locate(*given, rate=0.0))
    assert other(m.paths, 0.2, True).accuracy().mean() < 0.9


def test_conjunctions_of_squares_are_no_linear_attention(monkeypatch):
    assert m.disagreement(Run()) < 1e-14
    monkeypatch.setattr(
        m, "conjunctions", lambda g, x: (g[:, :, None] * x[:, None]).reshape(-1, 160)
    )
    assert m.disagreement(Run()) > 0.1


def test_reads_that_see_the_step_itself_are_noticed(monkeypatch):
    assert m.looks_ahead(Run()) == 0
    network = m.TolmanEichenbaum

    def other(*given, **options):
        model = network(*given, **options)
        return lambda actions, seen: jnp.roll(model(actions, seen), -1, axis=0)

    monkeypatch.setattr(m, "TolmanEichenbaum", other)
    assert m.looks_ahead(Run()) > 1e-3


def test_weights_follow_theory_and_those_of_a_fixed_beta_fall(monkeypatch):
    sizes = np.array(m.SIZES)
    growing, fixed = (SMALL(m.sharpness, kind).mean(0) for kind in (True, False))
    np.testing.assert_allclose(growing, 1 / (1 + (sizes - 1) * sizes**-1.5), atol=0.02)
    np.testing.assert_allclose(fixed, 1 / (1 + (sizes - 1) / 64), atol=0.03)

    def other(*given, growing, **options):
        return recall_path(*given, growing=False, **options)

    monkeypatch.setattr(m, "recall_path", other)
    weights = m.sharpness(SMALL, True)
    assert (weights[:, -1] < weights[:, 0]).all()


def test_units_have_fields_where_they_were_written(monkeypatch):
    units = SMALL(m.units)
    assert units.fields().mean() > 0.95
    assert np.abs(units.correlations().mean()) < 0.2
    for world in range(6):
        first = dict.fromkeys(units.walks[world].tolist())
        peaks = units.activity[world, : units.counts[world]].argmax(1)
        np.testing.assert_array_equal(peaks, list(first))
    np.testing.assert_allclose(np.nansum(units.activity, axis=1), 1, rtol=1e-5)
    random = np.random.default_rng(0).random((6, 64, 64)) ** 4
    assert units._replace(activity=random).fields().max() < 0.5
    twice = units._replace(activity=units.activity.repeat(2, 0), counts=units.counts.repeat(2))
    np.testing.assert_allclose(twice.correlations(), 1, atol=1e-6)


def test_networks_learn_and_one_that_cannot_move_does_not():
    small = {"steps": 150, "networks": 2, "points": 2, "tests": 4}
    ours = m.learn(0, m.NETWORKS["transformer"], **small)
    assert ours.untaken.shape == ours.taken.shape == (3, 2)
    assert ours.links[0] > 1000
    assert ours.untaken[0].max() < 0.25
    assert ours.untaken[-1].min() > 0.45
    # Both kinds are of one size, and that of the GRU is not the smaller.
    keys = jax.random.split(jax.random.key(0), 2)
    sizes = [
        sum(x.size for x in jax.tree.leaves(make(key=key)) if isinstance(x, jax.Array))
        for make, key in zip(m.NETWORKS.values(), keys, strict=True)
    ]
    assert sizes[0] == ours.parameters
    assert 1 <= sizes[1] / sizes[0] < 1.15


def test_the_recurrent_network_sees_what_was_and_not_what_is():
    model = m.Recurrent(4, 12, 8, key=jax.random.key(0))
    actions, seen = np.arange(9) % 4, np.arange(10)
    logits = model(actions, seen)
    other = model(actions, np.where(np.arange(10) < 6, seen, 11))
    np.testing.assert_array_equal(logits[:7], other[:7])
    assert np.abs(logits[7:] - other[7:]).max() > 1e-3
    turned = model(np.where(np.arange(9) < 5, actions, 0), seen)
    np.testing.assert_array_equal(logits[:6], turned[:6])
    assert np.abs(logits[6] - turned[6]).max() > 1e-4


def test_grid_cells_are_not_run():
    with pytest.raises(NotRun, match="no command"):
        paper.codes_are_grid_like.measure(Run())
