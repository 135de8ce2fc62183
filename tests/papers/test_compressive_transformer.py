"""Compressive transformer: what breaks which claim, and broken measurements."""

import equinox as eqx
import jax
import numpy as np
import pytest

from attrax.nn import (
    Bank,
    CompressiveMemory,
    ConvolutionCompression,
    MaxCompression,
    reconstruction_loss,
)
from attrax.papers import compressive_transformer as paper
from attrax.papers import language
from attrax.papers.compressive_transformer import measure as m
from attrax.papers.contract import NotRun, Run

SPREAD = np.array([-1e-3, 0.0, 1e-3])
OTHERS = ("convolution", "convolution beside", "most used", "short cache")


def trained(mass=2.0, **nats):
    rows = {name: np.tile((nats[name] + SPREAD)[:, None], 16) for name in nats}
    rows |= {name: np.tile((2.1 + 2 * SPREAD)[:, None], 16) for name in OTHERS if name not in nats}
    weights = np.full((3, 2, m.ROWS), 0.01)
    weights[:, :, : m.ROWS // 2] *= mass + SPREAD[:, None, None]
    seconds = {"none": np.ones(3), "convolution": np.full(3, 1.5)}
    sizes = dict.fromkeys(m.MODELS, 100)
    names = {"none", "longer", "cache", "mean"} - set(nats)
    rows |= {name: np.tile((2.2 + SPREAD)[:, None], 16) for name in names}
    return m.Trained(rows, seconds, sizes, 450, weights)


def errors(attention, autoencoding):
    rows = 1 + SPREAD
    return m.Errors(attention + 2 * SPREAD, rows, 2 * rows, autoencoding + 2 * SPREAD, 8 * rows)


BROKEN = {
    "a token that is kept twice": (
        {m.kept: m.Kept(np.ones((1, 2, 2)), np.eye(2)[None])},
        {"each_token_is_in_one_place"},
    ),
    "a token from beyond the reach": (
        {m.reach: m.Reach({1: np.ones(3, bool)}, {1: np.array([False, True, True])})},
        {"reach_is_that_of_the_formula"},
    ),
    "slopes that leak": (
        {m.slopes: m.Slopes(np.ones(2), np.full(2, 1e-9), np.zeros(2), np.ones(2))},
        {"losses_are_apart"},
    ),
    "no slopes at all": (
        {m.slopes: m.Slopes(*np.zeros((4, 2)))},
        {"losses_are_apart"},
    ),
    "zeros that are read": (
        {m.empty: m.Empty(np.full(3, 1e-3), np.full(3, 1e-3))},
        {"empty_places_are_not_read"},
    ),
    "scores twice": (
        {m.scores: np.array([2 * t * (t + r + c) for t, r, c in m.SIZES])},
        {"cost_is_that_of_the_formula"},
    ),
    "losses exchanged": (
        {m.errors: errors(1.5, 0.5)},
        {"attention_reconstruction_is_best", "autoencoding_is_worse_than_the_mean"},
    ),
    "a cache that harms": ({m.trained: trained(none=2.15)}, {"a_cache_is_better_than_none"}),
    "a cache that is best": (
        {m.trained: trained(cache=2.0)},
        {"compression_is_better_than_a_longer_cache"},
    ),
    "steps are better than memory": (
        {m.trained: trained(longer=2.0)},
        {"compression_is_worth_its_time"},
    ),
    "means are best": (
        {m.trained: trained(mean=2.0)},
        {"a_learnt_compression_is_better_than_the_mean"},
    ),
    "compressed rows that are not read": (
        {m.trained: trained(mass=0.5, none=2.3)},
        {"weights_rise_where_compressed_rows_begin"},
    ),
}


def test_other_rows_than_means_are_seen(monkeypatch):
    kept = m.kept(Run())
    np.testing.assert_array_equal(kept.found, kept.wanted)
    assert set(np.unique(kept.found[-1].sum(0) * m.RATE)) == {0, 1, m.RATE}
    monkeypatch.setattr(m, "MeanCompression", MaxCompression)
    kept = m.kept(Run())
    assert (kept.found != kept.wanted).sum() > 4


def test_a_longer_reach_is_seen(monkeypatch):
    def longer(length, compressed, compression):
        return CompressiveMemory(length, compressed + 1, compression)

    run = Run(sizes={"reach.layers": (1,)})
    good = m.reach(run)
    np.testing.assert_array_equal(good.seen[1], good.wanted[1])
    monkeypatch.setattr(m, "CompressiveMemory", longer)
    assert (m.reach(run).seen[1] & ~good.wanted[1]).sum() == 2


def test_slopes_that_are_not_stopped_are_seen(monkeypatch):
    good = m.slopes(Run())
    assert max(good.own_rest.max(), good.task_compression.max()) == 0
    assert min(good.own_compression.min(), good.task_rest.max()) > 0.01
    monkeypatch.setattr(jax.lax, "stop_gradient", lambda rows: rows)
    leaks = m.slopes(Run())
    assert min(leaks.own_rest.max(), leaks.task_compression.max()) > 1e-3


def test_noise_that_is_read_is_seen(monkeypatch):
    good = m.empty(Run())
    assert good.noise.max() == 0
    # Recent rows are full after two segments, and compressed ones after two more.
    assert (good.zeros[:4] > 0).all()
    assert (good.zeros[4:] == 0).all()
    monkeypatch.setattr(Bank, "filled", property(lambda bank: bank.ages >= 0))
    assert m.empty(Run()).noise[0] > 1e-3


def test_more_scores_are_counted(monkeypatch):
    good = m.scores(Run())

    def larger(length, compressed, compression):
        return CompressiveMemory(length, compressed + 1, compression)

    monkeypatch.setattr(m, "CompressiveMemory", larger)
    np.testing.assert_array_equal(m.scores(Run()) - good, [size[0] for size in m.SIZES])


def test_losses_that_are_exchanged_are_seen(monkeypatch):
    run = Run(sizes={"errors.draws": 2, "errors.steps": 150})
    good = m.errors(run)
    assert (good.attention < good.mean).all()
    assert (good.autoencoding > good.mean).all()
    right = m.learn_compression

    def exchanged(*given, of):
        return right(*given, of="attention" if of == "autoencoding" else "autoencoding")

    monkeypatch.setattr(m, "learn_compression", exchanged)
    monkeypatch.setattr(m, "compared", m.compared.__wrapped__)
    wrong = m.errors(run)
    np.testing.assert_allclose(wrong.attention, good.autoencoding, rtol=1e-3)
    np.testing.assert_allclose(wrong.autoencoding, good.attention, rtol=1e-3)


def test_errors_are_of_the_loss_of_attention():
    layer = m.stream_layer(jax.random.key(0))
    rows, old = m.stream(jax.random.key(1), (2, 32))
    assert np.asarray(old).std(0)[m.USED :].min() > np.asarray(old).std(0)[: m.USED].max()
    compression = ConvolutionCompression(m.ENTRIES, 4, deviation=0.3, key=jax.random.key(2))
    whole, less = (m.read(layer, rows, kept)[1] for kept in (old, compression(old)))
    wanted = reconstruction_loss(layer, compression, rows, old)
    np.testing.assert_allclose(np.mean((whole - less) ** 2), wanted, rtol=1e-5)


def test_models_are_as_large_and_memories_are_read(monkeypatch):
    """Queries of zeros in place of training: attention is even, and memories make a difference."""
    asked = []

    def learn(model, tokens, *, steps, **sizes):
        asked.append(steps)
        maps = [block.attention.query_map.weight for block in model.blocks]
        even = eqx.tree_at(
            lambda model: [block.attention.query_map.weight for block in model.blocks],
            model,
            [0 * weight for weight in maps],
        )
        return language.Learnt(even, 1.0 + (model.blocks[0].context is not None), np.zeros(1))

    monkeypatch.setattr(m.language, "learn", learn)
    monkeypatch.setattr(m, "MODELS", {name: m.MODELS[name] for name in ("none", "convolution")})
    sizes = {"language.steps": 10, "language.seeds": 1, "language.documents": 2}
    found = m.trained(Run(sizes=sizes))
    assert asked == [10, 10, 20]
    assert found.longer == 20
    assert abs(found.sizes["convolution"] / found.sizes["none"] - 1) < 0.01
    np.testing.assert_array_equal(found.nats["longer"], found.nats["none"])
    apart = np.abs(found.nats["convolution"] - found.nats["none"])
    assert apart[:, 1:].min() > 0
    even = np.mean(1 / (m.ROWS + np.arange(1, m.TEXT + 1)))
    np.testing.assert_allclose(found.mass, even, rtol=1e-4)


def test_what_takes_minutes_is_not_run_in_seconds():
    with pytest.raises(NotRun, match="--profile full"):
        m.trained(Run())
    assert paper.a_cache_is_better_than_none.check(Run()).verdict == "not run"
