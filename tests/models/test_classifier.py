"""Dense classifiers, against energies and formulas worked out one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models
from attrax.models import DenseClassifier, dense_classifier, train_dense_classifier
from attrax.training import krotov_hopfield, train
from jitted import jitted

RNG = np.random.default_rng(0)
K, N, C, B = 6, 12, 3, 40
MEMORIES = RNG.normal(-0.1, 0.4, (K, N + C))
IMAGES = RNG.uniform(-1, 0.6, (B, N))
LABELS = RNG.integers(0, C, B)


def classifier(degree=3, *, temperature=5.0, epsilon=1.0):
    return DenseClassifier(MEMORIES, C, degree, temperature=temperature, epsilon=epsilon)


def states(image, epsilon=1.0):
    """U, and V of each label."""
    resting = np.concatenate([image, np.full(C, -epsilon)])
    raised = np.tile(resting, (C, 1))
    raised[np.arange(C), N + np.arange(C)] = epsilon
    return resting, raised


def look(network, state, image):
    return network.energy(state), network.logits(image), network(image), network.predict(image)


@pytest.mark.parametrize(("degree", "epsilon"), [(2, 1.0), (3, 1.0), (7, 0.25)])
def test_logits_are_what_the_energy_falls_by(x64, degree, epsilon):
    network = classifier(degree, epsilon=epsilon)
    for image in IMAGES[:3]:
        resting, raised = states(image, epsilon)
        below = np.sum((np.maximum(MEMORIES @ resting, 0) / 5) ** degree)
        above = np.sum((np.maximum(raised @ MEMORIES.T, 0) / 5) ** degree, axis=1)
        energy, logits, c, label = jitted(look, network, jnp.asarray(resting), jnp.asarray(image))
        np.testing.assert_allclose(energy, -below, rtol=1e-12)
        np.testing.assert_allclose(logits, (above - below) / epsilon, rtol=1e-9)
        np.testing.assert_allclose(c, np.tanh((above - below) / epsilon), rtol=1e-9)
        assert int(label) == np.argmax(above)


def test_memories_add_up_to_a_logit():
    network = classifier(4)
    logits = network.logits(IMAGES[0])
    for label in range(C):
        parts = np.asarray(network.parts(IMAGES[0], label))
        assert parts.shape == (K,)
        np.testing.assert_allclose(parts.sum(), logits[label], rtol=1e-4)


def test_the_energy_is_that_of_a_memory_with_a_power(x64):
    """E is n/T of the potential that a read of the framework descends, without its state term."""
    network = classifier(4)
    state = states(IMAGES[0])[1][1]
    power = attrax.separation.Power(3, rectified=True, scale=5.0)
    potential = jitted(power.potential, jnp.asarray(MEMORIES @ state))
    np.testing.assert_allclose(network.energy(state), -4 / 5 * potential, rtol=1e-10)


def test_labels_near_zero_are_a_hidden_layer(x64):
    image = jnp.asarray(IMAGES[0])
    memory = classifier(3).as_memory()
    hidden = 3 / 5 * (np.maximum(MEMORIES[:, :N] @ IMAGES[0], 0) / 5) ** 2
    expected = 2 * MEMORIES[:, N:].T @ hidden
    np.testing.assert_allclose(2 * 3 / 5 * memory(image), expected, rtol=1e-10)
    off = [
        float(jnp.max(jnp.abs(classifier(3, epsilon=e).logits(image) - expected)))
        for e in (1e-2, 1e-3, 1e-4)
    ]
    np.testing.assert_allclose(np.divide(off[:-1], off[1:]), 10, rtol=0.05)
    # Labels far from zero are another network.
    assert abs(classifier(3).logits(image) - expected).max() > 0.1


@pytest.mark.parametrize("power", [1, 3, 30])
def test_the_loss_is_that_of_c(x64, power):
    network = classifier(3, temperature=4.0)
    c = np.asarray(jitted(jax.vmap(network), jnp.asarray(IMAGES)))
    targets = np.where(LABELS[:, None] == np.arange(C), 1.0, -1.0)
    expected = np.sum((c - targets) ** (2 * power))
    np.testing.assert_allclose(network.loss(IMAGES, LABELS, power), expected, rtol=1e-9)


def test_the_loss_keeps_its_slope_where_c_is_rounded():
    """A label that is wrong by a logit of 30: c is 1 in floats of 32 bits, and of 64."""

    def loss(network, images, labels):
        return network.loss(images, labels, 2)

    one = np.zeros((1, N + C))
    one[0, 0] = one[0, N] = 1.0

    def slope(weights, dtype):
        network = DenseClassifier(weights.astype(dtype), C, 2, temperature=0.36)
        found = jitted(jax.grad(loss), network, jnp.ones((1, N), dtype), jnp.asarray([1]))
        return network, np.asarray(found.memories)

    network, found = slope(one, np.float32)
    assert float(network(jnp.ones(N))[0]) == 1.0
    with jax.enable_x64(True):
        _, exact = slope(one, np.float64)
    assert np.abs(exact[0, 0]) > 0
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-9 * np.abs(exact).max())


def test_prediction_tells_labels_apart_that_c_does_not():
    """Both are 1 in floats; the larger logit is read."""
    memories = np.zeros((2, N + C))
    memories[:, 0] = 1.0
    memories[0, N + 1] = 1.0
    memories[1, N + 2] = 0.9
    network = DenseClassifier(memories, C, 2, temperature=0.1)
    c = network(jnp.ones(N))
    assert float(c[1]) == float(c[2]) == 1.0
    assert int(network.predict(jnp.ones(N))) == 1


def clouds(count=300):
    """Images of three classes, each a block of bright pixels in noise."""
    labels = np.arange(count) % C
    bright = np.repeat(np.eye(C), N // C, axis=1)[labels]
    rng = np.random.default_rng(1)
    return np.clip(1.4 * bright - 0.7 + rng.normal(0, 0.4, (count, N)), -1, 1), labels


def trained(epochs, count=300, **options):
    images, labels = clouds(count)
    network = dense_classifier(N, C, memories=8, degree=3, temperature=6.0, key=jax.random.key(0))
    options = {"power": 3, "batch_size": 50, "key": jax.random.key(1), **options}
    return train_dense_classifier(network, images, labels, epochs=epochs, **options)


def test_training_learns_and_goes_on_from_a_checkpoint(tmp_path):
    images, labels = clouds()
    seen = {}

    def look(done, steps, loss, *, model):
        seen[done] = (float(model.temperature), np.asarray(model.memories))

    warm = {"temperature": lambda epoch: 8.0 - epoch}
    whole = trained(4, progress=look, **warm)
    wrong = np.mean(np.asarray(jax.vmap(whole.model.predict)(images)) != labels)
    before = dense_classifier(N, C, memories=8, degree=3, temperature=6.0, key=jax.random.key(0))
    assert np.mean(np.asarray(jax.vmap(before.predict)(images)) != labels) > 0.5
    assert wrong < 0.02
    assert whole.steps == len(whole.losses) == 24
    assert np.abs(whole.model.memories).max() <= 1
    # What was seen at a step is the model of that step, at its temperature.
    assert list(seen) == list(range(1, 25))
    np.testing.assert_allclose([seen[1][0], seen[24][0]], [8.0, 8 - 23 / 6], rtol=1e-6)
    np.testing.assert_array_equal(seen[24][1], whole.model.memories)
    np.testing.assert_allclose(whole.model.temperature, 8 - 23 / 6, rtol=1e-6)
    assert not np.array_equal(seen[23][1], seen[24][1])
    # In two parts.
    path = tmp_path / "run"
    half = trained(2, checkpoint=path, **warm)
    np.testing.assert_array_equal(half.model.memories, seen[12][1])
    again = trained(4, checkpoint=path, **warm)
    np.testing.assert_array_equal(again.model.memories, whole.model.memories)
    np.testing.assert_array_equal(again.losses, whole.losses)


def test_steps_are_those_of_the_papers_formulas(x64):
    """Worked out label by label, n = 20 and m = 30."""
    n, m, temperature, steps = 20, 30, 9.0, 10
    trained = train_dense_classifier(
        classifier(n, temperature=temperature),
        IMAGES,
        LABELS,
        epochs=steps,
        power=m,
        batch_size=B,
        key=jax.random.key(0),
    )
    memories, velocity = MEMORIES, np.zeros_like(MEMORIES)
    resting = np.concatenate([IMAGES, -np.ones((B, C))], axis=1)
    for step in range(steps):
        gradient = np.zeros_like(memories)
        below = np.maximum(resting @ memories.T, 0) / temperature
        for label in range(C):
            raised = resting.copy()
            raised[:, N + label] = 1
            above = np.maximum(raised @ memories.T, 0) / temperature
            c = np.tanh(np.sum(above**n - below**n, axis=1))
            t = np.where(label == LABELS, 1.0, -1.0)
            outer = 2 * m * n / temperature * (c - t) ** (2 * m - 1) * (1 - c) * (1 + c)
            gradient += (outer[:, None] * above ** (n - 1)).T @ raised
            gradient -= (outer[:, None] * below ** (n - 1)).T @ resting
        velocity = 0.6 * velocity - gradient
        largest = np.maximum(np.abs(velocity).max(axis=1, keepdims=True), 1e-30)
        memories = np.clip(memories + 0.04 * 0.998**step * velocity / largest, -1, 1)
    assert np.abs(memories - MEMORIES).max() > 0.1
    np.testing.assert_allclose(trained.model.memories, memories, atol=1e-9)


def test_the_largest_change_falls_from_epoch_to_epoch():
    """Also where an epoch is no whole number of steps: five thirds, of 250 images by 150."""
    seen = []

    def look(done, steps, loss, *, model):
        seen.append(np.asarray(model.memories))

    trained(6, 250, progress=look, batch_size=150, decay=0.5)
    # Some memory has its most pulled weight where nothing clips it.
    changes = np.abs(np.diff(seen, axis=0)).max((1, 2))
    epochs = np.floor((np.arange(1, len(seen)) + 0.5) * 150 / 250)
    assert epochs[-1] == 5
    np.testing.assert_allclose(changes, 0.04 * 0.5**epochs, rtol=1e-3)


def test_weights_begin_where_the_authors_begin():
    network = dense_classifier(
        500, 10, memories=200, degree=2, temperature=9.0, key=jax.random.key(0)
    )
    assert network.memories.shape == (200, 510)
    assert (network.pixels, network.keys.shape, network.votes.shape) == (500, (200, 500), (200, 10))
    np.testing.assert_allclose(
        [network.memories.mean(), network.memories.std()], [-0.3, 0.3], atol=0.005
    )


def test_the_optimiser_asks_for_rows():
    with pytest.raises(ValueError, match=r"one a row.*trainable=lambda model: model.memories"):
        train(
            classifier(),
            lambda model, batch: model.loss(batch, LABELS, 2),
            IMAGES.astype(np.float32),
            steps=1,
            optimizer=krotov_hopfield(),
        )


GOOD = {"memories": MEMORIES, "classes": C, "degree": 3, "temperature": 5.0}
DRAWN = {"memories": 4, "degree": 3, "temperature": 5.0, "key": jax.random.key(0)}
WRONG = {
    "one axis": ({"memories": np.ones(5)}, "`memories` must have 2 axes"),
    "NaN": ({"memories": np.full((2, 5), np.nan)}, "holds NaN"),
    "no pixels": ({"classes": N + C}, "columns for at least one pixel and 15 classes"),
    "no rows": ({"memories": np.ones((0, 9))}, "must have a row"),
    "one class": ({"classes": 1}, "`classes` must be a whole number of at least 2"),
    "degree of one": ({"degree": 1}, "`degree` must be a whole number of at least 2"),
    "degree is true": ({"degree": True}, "`degree` must be a whole number"),
    "no temperature": ({"temperature": 0.0}, "`temperature` must be positive"),
    "epsilon": ({"epsilon": -1.0}, "`epsilon` must be positive"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_classifiers(case):
    change, text = WRONG[case]
    with pytest.raises((ValueError, TypeError), match=text):
        DenseClassifier(**{**GOOD, **change})


def test_wrong_calls():
    network = classifier()
    for call in (network, network.logits, network.predict, lambda x: network.parts(x, 0)):
        with pytest.raises(ValueError, match=r"`image` must have shape \(12,\)"):
            call(np.ones(N + 1))
    with pytest.raises(ValueError, match=r"`state` must have shape \(15,\)"):
        network.energy(np.ones(N))
    with pytest.raises(ValueError, match="`pixels` must be a positive whole number"):
        dense_classifier(0, C, **DRAWN)
    with pytest.raises(ValueError, match="`memories` must be a positive whole number"):
        dense_classifier(N, C, **{**DRAWN, "memories": 0})


TRAINED = {"classifier": classifier(), "images": IMAGES, "labels": LABELS, "epochs": 1, "power": 2}
MISUSE = {
    "another model": ({"classifier": attrax.Memory(IMAGES)}, "DenseClassifier"),
    "a width": ({"images": IMAGES[:, 1:]}, r"`images` must have shape \(n, 12\)"),
    "none": ({"images": IMAGES[:0], "labels": LABELS[:0]}, r"its shape is \(0, 12\)"),
    "standardised": ({"images": 3 * IMAGES}, r"do not standardise"),
    "of labels": ({"labels": LABELS[1:]}, r"`labels` must be whole numbers of shape \(40,\)"),
    "graded labels": ({"labels": LABELS / 2}, "`labels` must be whole numbers"),
    "a class too many": ({"labels": LABELS + 1}, "`labels` must be from 0 to 2"),
    "no epochs": ({"epochs": 0}, "`epochs` must be a positive whole number"),
    "no power": ({"power": 0}, "`power` must be a positive whole number"),
    "no batch": ({"batch_size": 0}, "`batch_size` must be a positive whole number"),
    "cold": ({"temperature": lambda epoch: 0.0}, "`temperature` must be positive"),
    "rate": ({"learning_rate": -0.1}, "`learning_rate` must be positive"),
    "momentum": ({"momentum": 1.0}, "`momentum` must be at least 0 and below 1"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_wrong_training(case):
    change, text = MISUSE[case]
    with pytest.raises((ValueError, TypeError), match=text):
        train_dense_classifier(**{**TRAINED, "key": jax.random.key(0), **change})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((IMAGES[0], LABELS, 2), "`images` must have 2 axes"),
        ((IMAGES[:, 1:], LABELS, 2), r"`images` must have shape \(B, 12\)"),
        ((np.where(IMAGES > 0, np.nan, IMAGES), LABELS, 2), "`images` holds NaN"),
        ((IMAGES, LABELS[:1], 2), r"whole numbers of shape \(40,\)"),
        ((IMAGES, np.eye(C)[LABELS], 2), r"whole numbers of shape \(40,\)"),
        ((IMAGES, LABELS - 1, 2), "`labels` must be from 0 to 2, but they go from -1 to 1"),
        ((IMAGES, LABELS, 0.5), "`power` must be at least 1"),
    ],
)
def test_a_loss_of_what_is_no_image_or_class(arguments, text):
    with pytest.raises(ValueError, match=text):
        classifier().loss(*arguments)


def test_a_part_in_what_is_no_class():
    for label in (C, -1):
        with pytest.raises(ValueError, match="`label` must be from 0 to 2"):
            classifier().parts(IMAGES[0], label)


def test_a_temperature_may_be_a_number():
    ends = [trained(1, temperature=t).model.memories for t in (7.0, lambda epoch: 7.0)]
    np.testing.assert_array_equal(*ends)


def test_a_classifier_is_a_pytree_of_its_numbers():
    network = classifier(5)
    leaves = jax.tree.leaves(network)
    assert [x.shape for x in leaves] == [(K, N + C), (), ()]
    assert isinstance(jax.jit(lambda m: m)(network), models.DenseClassifier)
    batched = jax.vmap(network)(IMAGES[:4])
    np.testing.assert_allclose(batched[2], network(IMAGES[2]), rtol=1e-5)
