"""Networks that are taught by noisy examples, against sums over the examples."""

import numpy as np
import pytest

from attrax import models

rng = np.random.default_rng(0)
EXAMPLES = rng.choice([-1.0, 1.0], (3, 5, 8))
STATE = rng.choice([-1.0, 1.0], 8)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("degree", [2, 4])
def test_a_teacher_averages_before_products_are_taken(degree):
    means = EXAMPLES.mean(axis=1)
    scale = np.mean(means**2) ** (degree / 2)
    taught = models.dense_hebbian_memory(EXAMPLES, degree)
    expected = models.ManyBodyMemory(means, degree).energy(STATE) / scale
    np.testing.assert_allclose(taught.energy(STATE), expected, rtol=1e-12)
    alone = models.dense_hebbian_memory(EXAMPLES, degree, supervised=False)
    rows = models.ManyBodyMemory(EXAMPLES.reshape(15, 8), degree).energy(STATE)
    np.testing.assert_allclose(alone.energy(STATE), rows / scale / 5, rtol=1e-12)
    assert (len(taught), len(alone)) == (3, 15)
    by_means = models.dense_hebbian_memory(means[:, None], degree)
    np.testing.assert_allclose(by_means.energy(STATE), taught.energy(STATE), rtol=1e-12)


def test_one_example_needs_no_teacher():
    perfect = EXAMPLES[:, :1]
    energies = [
        models.dense_hebbian_memory(perfect, supervised=supervised).energy(STATE)
        for supervised in (True, False)
    ]
    np.testing.assert_allclose(*energies, rtol=1e-5)
    plain = models.ManyBodyMemory(perfect[:, 0])
    np.testing.assert_allclose(energies[0], plain.energy(STATE), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: models.dense_hebbian_memory(EXAMPLES[0]), "`examples` must have 3"),
        (lambda: models.dense_hebbian_memory(EXAMPLES[:, :0]), "`examples` are empty"),
        (lambda: models.dense_hebbian_memory(0 * EXAMPLES), "must not cancel"),
        (lambda: models.dense_hebbian_memory(EXAMPLES, 9), "at most the 8 units"),
    ],
)
def test_wrong_calls_say_what_to_do(call, text):
    with pytest.raises(ValueError, match=text):
        call()
