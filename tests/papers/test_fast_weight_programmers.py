"""Fast weight programmers: what breaks which claim, and broken measurements."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import FastWeight, fast_weights
from attrax.papers import fast_weight_programmers as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.fast_weight_programmers import measure as m
from attrax.similarity import DPFP, ELUFeatures


def trained(loss):
    return m.Trained(loss + np.array([-1e-5, 0.0, 1e-5]), np.full(60, loss))


def raw(repeated, once):
    rows = np.full(4, 0.2)
    right = np.tile([1.0, once], (4, 1)) + np.array([[0.0, 1e-3], [0.0, -1e-3]] * 2)
    return m.Raw(rows, rows, repeated * rows, rows, right)


BROKEN = {
    "matrices apart": (
        {m.differences: m.Differences(1e-9, 1e-9, 1e-9)},
        {
            "attention_is_a_written_matrix",
            "writes_are_steps_down_a_slope",
            "chunks_are_the_recurrence",
        },
    ),
    "features twice, and more of them": (
        {m.features: m.Features([0, 32, 64], np.full((4, 3), 0.3))},
        {"features_have_full_rank", "features_are_sparse"},
    ),
    "passes change nothing, and one spoils nothing": (
        {m.raw: raw(1.0, 1.0)},
        {"passes_approach_least_squares", "one_pass_is_not_always_better"},
    ),
    "a single key is not told apart": (
        {(m.trained, name): trained(0.03) for name in ("within", "projected", "softmax", "delta")},
        {"capacity[within]", "capacity[projected]", "capacity[softmax]", "changing[delta]"},
    ),
    "sums without a limit": (
        {(m.trained, name): trained(0.001) for name in ("beyond", "sum")},
        {"capacity[beyond]", "changing[sum]"},
    ),
    "sums that learn nothing": ({(m.trained, "beyond"): trained(0.5)}, {"capacity[beyond]"}),
}


def test_other_decays_rates_and_norms_are_seen(monkeypatch):
    expected = m.differences(Run())
    assert max(expected) < 1e-13

    def other(*arrays, chunk="auto", log_decay=None, rate=None, **options):
        log_decay = None if chunk is None else log_decay
        rate = rate if len(rate) > 1 else 1.1 * rate
        return fast_weights(*arrays, chunk=chunk, log_decay=log_decay, rate=rate, **options)

    monkeypatch.setattr(m, "fast_weights", other)
    monkeypatch.setattr(m, "FastWeight", lambda *a, norm, **o: FastWeight(*a, norm=None, **o))
    assert min(m.differences(Run())) > 1e-3


@pytest.mark.parametrize("other", [lambda _: ELUFeatures(), lambda _: DPFP(17)])
def test_other_features_are_dense_or_lack_rank(other, monkeypatch):
    run = Run(sizes={"features.draws": 1})
    features = m.features(run)
    assert max(features.missing) == 0
    assert np.abs(features.active - 0.25).max() < 0.01
    monkeypatch.setattr(m, "DPFP", other)
    features = m.features(run)
    assert max(features.missing) > 0 or features.active.min() > 0.9


def test_errors_of_sums_are_those_of_random_products_and_sums_everywhere_are_seen(monkeypatch):
    run = Run(sizes={"raw.draws": 4})
    raw = m.raw(run, 32)
    assert raw.sums.mean() == pytest.approx(31 / 128, rel=0.1)
    assert raw.repeated.max() < 0.005
    assert raw.best.max() < 1e-10
    assert m.raw(run, 96).best == pytest.approx(0.5 * (1 - 64 / 96))
    written = m.written

    def only_sums(keys, values):
        return (written(keys, values)[0],) * 3

    monkeypatch.setattr(m, "written", only_sums)
    raw = m.raw(run, 32)
    assert raw.repeated.min() > 0.1
    np.testing.assert_array_equal(raw.right[:, 0], raw.right[:, 1])


def test_the_last_value_of_a_key_is_wanted():
    rng = np.random.default_rng(0)
    keys, values = m.draw(rng, (3,), 5, 10, True)
    assert keys.shape == (3, 10)
    queries = np.broadcast_to(np.arange(6), (3, 6))
    wanted, there = m.targets(keys, values, queries)
    for i in range(3):
        last = dict(zip(keys[i].tolist(), values[i].tolist(), strict=True))
        assert there[i].tolist() == [key in last for key in range(6)]
        assert all(wanted[i, key] == value for key, value in last.items())
    keys, _ = m.draw(rng, (2, 3), 5, 10, False)
    assert (np.sort(keys, -1) == np.arange(5)).all()


def test_a_network_reads_its_own_sums():
    model = m.Retriever(6, 8, "sum", "linear", key=jax.random.key(0))
    keys, values, queries = np.array([3, 1, 4, 0]), np.array([2, 0, 5, 1]), np.array([4, 0])
    one_hot = np.eye(6, dtype=np.float32)[values]
    pairs = jnp.concatenate([one_hot, model.embedding[keys]], 1)
    rows, asked = (
        jax.vmap(lambda x, each=each: jax.nn.elu(each(x)) + 1)(x)
        for each, x in ((model.key_map, pairs), (model.query_map, model.embedding[queries]))
    )
    weights = asked @ rows.T
    expected = weights / weights.sum(1, keepdims=True) @ one_hot
    np.testing.assert_allclose(model(keys, values, queries), expected, atol=1e-5)


def test_networks_learn_and_those_that_do_not_correct_lag_behind():
    small = {"symbols": 6, "replace": True, "networks": 2}
    delta = m.learn(0, "delta", "dpfp1", steps=300, **small)
    assert delta.losses.shape == (2,)
    assert delta.steps[0] > 0.4
    assert max(delta.losses.max(), delta.steps[-30:].mean()) < 0.04
    assert m.learn(0, "sum", "dpfp1", steps=300, **small).steps[-30:].mean() > 0.12


def test_what_takes_minutes_is_not_run_in_seconds():
    with pytest.raises(NotRun, match="--profile full"):
        m.trained(Run(), "beyond")
    assert paper.capacity["beyond"].check(Run()).verdict == "not run"
