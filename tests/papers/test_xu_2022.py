"""Images from text by prototypes: what breaks which claim, and broken measurements."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.data import load
from attrax.nn import HopfieldLookup, PrototypeGenerator
from attrax.papers import xu_2022 as paper
from attrax.papers.classifiers import load_images
from attrax.papers.contract import NotRun, Run
from attrax.papers.xu_2022 import measure as m


def networks(nats=0.55, accuracy=0.9, shuffled=0.1, share=0.8):
    """Three networks that nearly agree."""
    rows = []
    for step in (-1e-3, 0.0, 1e-3):
        reading = m.Reading(share + step, 0.4, np.zeros(4, int), np.zeros((4, 8, 8)))
        numbers = (nats + step, 0.7, accuracy + step, accuracy, shuffled + step, 0.95)
        model: Any = None
        empty = np.zeros((0, 8, 8)), np.zeros(0)
        rows.append(m.Trained(model, np.ones(10), *numbers, *empty, reading))
    return rows


BROKEN = {
    "layers apart, outside, and uphill": (
        {m.layer: m.Layer(1e-9, 1e-9, 1e-9)},
        {
            "a_layer_is_an_mlp_with_a_softmax",
            "reads_of_prototypes_lie_in_their_hull",
            "reads_of_prototypes_lower_the_energy",
        },
    ),
    "what comes after is seen": (
        {m.sight: m.Sight(0.1, 1.0, 0.0, 0.0)},
        {"nothing_is_seen_ahead"},
    ),
    "words among tokens": (
        {m.sight: m.Sight(0.0, 1.0, 0.01, 0.0)},
        {"words_follow_words_and_tokens_the_caption"},
    ),
    "keys at other places": (
        {m.sight: m.Sight(0.0, 1.0, 0.0, 0.1)},
        {"kept_keys_are_the_whole_pass"},
    ),
    "a filter of tokens alone": ({m.left_out: 1024}, {"half_of_all_logits_leaves_nothing_out"}),
    "samples that teach little": (
        {(m.trained, name): networks(accuracy=0.7) for name in ("prototypes", "linear")},
        {"zero_shot[prototypes]", "zero_shot[linear]"},
    ),
    "a metric that does not see captions": (
        {(m.trained, "prototypes"): networks(shuffled=0.9)},
        {"other_captions_say_nothing"},
    ),
    "pixels that are drawn one by one": (
        {(m.trained, "prototypes"): networks(nats=0.8)},
        {"pixels_say_more_than_the_class"},
    ),
    "an output that costs nothing": (
        {
            (m.trained, "prototypes"): networks(nats=0.5),
            (m.trained, "linear"): networks(nats=0.55),
        },
        {"an_output_of_prototypes_costs"},
    ),
    "an MLP that is better": (
        {(m.trained, "linear"): networks(), (m.trained, "mlp"): networks(nats=0.4)},
        {"prototypes_come_near_an_mlp"},
    ),
    "prototypes that stand for anything": (
        {(m.trained, "prototypes"): networks(share=0.4)},
        {"prototypes_can_be_read"},
    ),
}


def test_other_layers_are_seen(monkeypatch):
    found = m.layer(Run())
    assert max(found) < 1e-14
    monkeypatch.setattr(
        m, "HopfieldLookup", lambda *a, beta, **o: HopfieldLookup(*a, beta=1.1, **o)
    )
    assert m.layer(Run()).difference > 1e-2
    monkeypatch.setattr(m, "energies", lambda lookup, states: -jnp.sum(states**2, axis=1))
    assert m.layer(Run()).rise > 1e-2


def test_a_read_beyond_its_prototypes_is_seen(monkeypatch):
    def longer(*args, values=None, **options):
        table = options["memories"]
        return HopfieldLookup(*args, values=2 * table if values is None else values, **options)

    monkeypatch.setattr(m, "HopfieldLookup", longer)
    monkeypatch.setattr(m, "energies", lambda lookup, states: jnp.ones(len(states)))
    assert m.layer(Run()).outside > 1e-2


def test_attention_to_what_comes_after_is_seen(monkeypatch):
    call = m.PrototypeGenerator.hidden

    def blurred(model, *args, **options):
        hidden = call(model, *args, **options)
        return hidden + 0.01 * jnp.mean(hidden, axis=0, keepdims=True)

    class Blurred:
        def __init__(self, *args, **options):
            self.model = PrototypeGenerator(*args, **options)

        def hidden(self, *args):
            return blurred(self.model, *args)

        def generate(self, *args, **options):
            return self.model.generate(*args, **options) // 2

        def __call__(self, *args):
            return jnp.abs(self.model.logits(self.hidden(*args)))

    clear = m.sight(Run())
    assert clear.ahead == clear.masked == clear.apart == 0
    assert clear.behind > 0.1
    monkeypatch.setattr(m, "PrototypeGenerator", Blurred)
    found = m.sight(Run())
    assert found.ahead > 1e-3
    assert min(found.masked, found.apart) > 0.1


def test_a_half_leaves_tokens_out_where_they_are_more_than_words():
    assert m.left_out(Run()) == 0
    assert m.left_out(Run(), 10, 90) == 40


IMAGES = load_images(load, "digits", 1400, 397, 1)
SHOWN, HELD = (m.pairs(x, y) for x, y in ((IMAGES.x, IMAGES.y), (IMAGES.test_x, IMAGES.test_y)))


def test_real_digits_teach_and_noise_does_not():
    assert m.scored(IMAGES, SHOWN[1], IMAGES.y) > 0.9
    mixed = np.random.default_rng(0).permutation(IMAGES.y)
    assert m.scored(IMAGES, SHOWN[1], mixed) < 0.35


def test_frequencies_by_class_say_more_than_those_of_all():
    assert SHOWN[1].min() == 0
    assert SHOWN[1].max() == m.LEVELS - 1
    own = m.table(SHOWN, HELD)
    assert own < np.log(m.LEVELS)
    mixed = np.random.default_rng(0).permutation(SHOWN[0])
    assert m.table((mixed, SHOWN[1]), HELD) > own + 0.05


class Told:
    """A model whose prototype μ stands for level μ mod 4."""

    def top_tokens(self, count):
        return np.arange(m.PROTOTYPES)[:, None] % m.LEVELS


def test_prototypes_that_tell_the_level_agree_and_others_do_not(monkeypatch):
    rng = np.random.default_rng(0)
    right = HELD[1].reshape(-1, 64) + m.LEVELS * rng.integers(0, 16, (len(HELD[1]), 64))
    monkeypatch.setattr(m, "weights", lambda *_: np.eye(m.PROTOTYPES)[right])
    found = m.read(Told(), HELD, 0)
    assert found.agreement == 1
    assert found.control < 0.5
    assert found.places.sum() == HELD[1].size
    wrong = rng.integers(0, m.PROTOTYPES, right.shape)
    monkeypatch.setattr(m, "weights", lambda *_: np.eye(m.PROTOTYPES)[wrong])
    found = m.read(Told(), HELD, 0)
    assert abs(found.agreement - found.control) < 0.05


def test_a_small_generator_learns(monkeypatch):
    small = {"size": 8, "blocks": 1, "heads": 1, "head_size": 4, "prototypes": m.PROTOTYPES}
    monkeypatch.setattr(m, "SIZES", small)
    found = m.learn(load, 0, "prototypes", "prototypes", 40)
    assert found.samples.shape == (300, 8, 8)
    assert found.losses[-5:].mean() < found.losses[:5].mean() - 0.1
    assert found.nats == pytest.approx(found.losses[-5:].mean(), abs=0.1)
    assert found.reading.places.sum() == 397 * 64


def test_what_takes_minutes_is_not_run_in_seconds():
    with pytest.raises(NotRun, match="--profile full"):
        m.trained(Run(), "linear")
    assert paper.zero_shot["linear"].check(Run()).verdict == "not run"
