"""HAMUX: what breaks which claim, and measurements of what is broken."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Outcome
from attrax import hierarchical as hi
from attrax.dynamics import Euler
from attrax.evaluate import ROUNDING, Descent
from attrax.papers import classifiers as cf
from attrax.papers.contract import Run
from attrax.papers.hamux import measure as m


def ending(energy, rise=0.0):
    """Three runs to one energy, with a rise in the last step but one."""
    spread = np.array([[-1e-4], [0.0], [1e-4]])
    return Descent({"all": np.array([[-4.0, energy - rise, energy]]) + spread}, None)


def shares(mean):
    return m.Accuracies(np.array([-1e-4, 0.0, 1e-4]) + mean, 100, 1e-2)


def resting(certified):
    """Ten images, of which some have no rising energy."""
    certificate = SimpleNamespace(certified=np.arange(10) < certified)
    return SimpleNamespace(outcome=Outcome.converged, steps=np.ones(10), certificate=certificate)


AT_REST = {
    (m.accuracies, f"{layers}, at rest"): shares(0.85) for layers in ("dense", "convolutional")
}
BROKEN = {
    "gradients": ({m.identities: (1e-9, 1e-9)}, {"activations", "legendre"}),
    "gradients are NaN": ({m.identities: (np.nan, np.nan)}, {"activations", "legendre"}),
    "another network": ({m.readme_numbers: 2.0}, {"readme_numbers"}),
    "another end": ({m.readme_descent: ending(-4.3)}, {"readme_ends"}),
    "a rise": ({m.readme_descent: ending(-4.277, 1e-6)}, {"readme_descends"}),
    "another convolution": ({m.transposed: 1e-6}, {"convolution_is_transposed"}),
    "graphs": ({m.graphs: [ending(-4.0), ending(-4.3, 1e-6)]}, {"graphs_descend"}),
    "digits": ({m.digits: np.array([0.5, 0.6, 0.5])}, {"hn[relu]", "hn[softmax]"}),
    "rivals": (
        {
            **AT_REST,
            **{
                (m.accuracies, kind): shares(0.9)
                for kind in (
                    "dense, feed-forward",
                    "convolutional, feed-forward",
                    "logistic regression",
                    "MLP",
                )
            },
        },
        {"accuracy[dense, forward]", "accuracy[linear]", "accuracy[MLP]", "accuracy[forward]"},
    ),
    "a rise of a classifier": (
        {m.relaxed: resting(9)},
        {"descends[dense]", "descends[convolutional]"},
    ),
}


def test_lagrangians_are_compared_with_formulas_and_slopes(monkeypatch):
    assert max(m.identities(Run())) < 1e-12
    known = m.lagrangians()
    tanh, formula = known["tanh"]
    monkeypatch.setattr(m, "lagrangians", lambda: {"tanh": (hi.Tanh(2.0), formula)})
    assert m.identities(Run())[0] > 0.01

    class Wrong(hi.AbstractLagrangian):
        lacks_convexity = None
        domain = "signed"
        non_negative = False
        elementwise = True

        def value(self, state):
            return tanh.value(state)

        def activation(self, state):
            return 1.1 * tanh.activation(state)

    monkeypatch.setattr(m, "lagrangians", lambda: {"tanh": (Wrong(), formula)})
    assert min(m.identities(Run())) > 0.01


def test_the_readme_has_numbers_of_its_own_sign(monkeypatch):
    assert m.readme_numbers(Run()) < 1
    network = m.readme_network
    monkeypatch.setattr(m, "readme_network", lambda sign=1.0: network(-sign))
    assert m.readme_numbers(Run()) > 1e4


def test_energy_falls_in_short_steps_only():
    run = Run(sizes={"graphs": 2})
    assert m.readme_descent(run, 0.5).rise.max() <= ROUNDING
    assert m.readme_descent(run, 2.5).rise.max() > 1e-3
    assert max(each.rise.max() for each in m.graphs(run, 0.05)) <= ROUNDING
    assert not max(each.rise.max() for each in m.graphs(run, 2.5)) <= ROUNDING


def test_a_flipped_kernel_is_no_transpose(monkeypatch):
    assert m.transposed(Run()) < 1e-12
    convolution = hi.ConvolutionSynapse
    flipped = SimpleNamespace(
        ConvolutionSynapse=lambda kernel, **options: convolution(kernel[::-1], **options)
    )
    monkeypatch.setattr(m, "hi", flipped)
    assert m.transposed(Run()) > 0.1


def toy(turned=0):
    """Bright or dark images of 9 × 9, with noise; labels of test images may be turned."""
    rng = np.random.default_rng(0)
    labels = (np.arange(240) % 2).astype(np.int32)
    rows = (rng.random((240, 81)) * 0.5 + 0.5 * labels[:, None]).astype(np.float32)
    test = (labels[200:] + turned) % 2
    return cf.Images("toy", rows[:200], labels[:200], rows[200:], test, (9, 9, 1), 2)


SMALL = {"trained": "", "sizes": (4, 2), "steps": 40, "seeds": 2, "rates": (1e-2,), "relaxed": 40}


@pytest.mark.parametrize("kind", ["MLP", "dense, at rest"])
def test_classifiers_are_judged_by_test_images(kind):
    right = m.accuracies(Run(known={m.images: toy()}, sizes=SMALL), kind)
    assert right.shares.shape == (2,)
    assert right.shares.min() > 0.9
    assert right.rate == 1e-2
    wrong = m.accuracies(Run(known={m.images: toy(1)}, sizes=SMALL), kind)
    assert wrong.shares.max() < 0.1


def test_the_learning_rate_is_chosen_on_images_that_are_left_out():
    sizes = {**SMALL, "rates": (1e-9, 1e-2)}
    assert m.learning_rate(Run(known={m.images: toy()}, sizes=sizes), "MLP") == 1e-2
    # Test images have no say.
    assert m.learning_rate(Run(known={m.images: toy(1)}, sizes=sizes), "MLP") == 1e-2


def test_a_rise_on_the_way_to_rest_is_seen(monkeypatch):
    run = Run(known={m.images: toy()}, sizes=SMALL)
    relaxed = m.relaxed(run, "dense")
    assert relaxed.certificate.certified.all()
    assert (relaxed.outcome == Outcome.converged).all()
    monkeypatch.setattr(m, "SWEEPS", Euler(2.5, max_steps=10))
    assert not m.relaxed(run, "dense").certificate.certified.all()


def test_digits_are_judged_by_test_images(monkeypatch):
    run = Run(sizes={"digits.steps": 60, "digits.seeds": 2})
    right = m.digits(run, "logistic regression")
    assert right.shape == (2,)
    assert right.min() > 0.8
    load = cf.load_images

    def turned(*options):
        images = load(*options)
        return images._replace(test_y=(images.test_y + 1) % 10)

    monkeypatch.setattr(cf, "load_images", turned)
    assert m.digits(run, "logistic regression").max() < 0.2


def test_a_network_read_at_the_start_is_feed_forward():
    network = m.image_network(jax.random.key(0), (9, 9, 1), 2, "dense", 5)
    lower, upper = (jax.tree.map(np.asarray, synapse) for synapse in network.synapses)
    image = toy().x[0]
    hidden = np.maximum(lower.weights @ image + lower.bias, 0)
    logits = eqx.filter_jit(cf.Reader(network, cf.at_start))(jnp.asarray(image))
    np.testing.assert_allclose(logits, 10 * (upper.weights @ hidden + upper.bias), atol=1e-5)
    # Labels act back, so at rest they are others.
    rested = eqx.filter_jit(cf.Reader(network, cf.at_rest))(jnp.asarray(image))
    assert np.abs(np.asarray(rested) - np.asarray(logits)).max() > 1e-3


def test_hn_networks_learn_through_ten_steps():
    run = Run(sizes={"digits.steps": 60, "digits.seeds": 1})
    assert m.digits(run, "relu")[0] > 0.7
