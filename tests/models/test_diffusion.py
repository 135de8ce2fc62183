"""Diffusion as annealed memory: scores, schedules of β, samples, and wrong calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import attrax
from attrax import Memory, Outcome, models
from attrax.dynamics import Langevin
from attrax.separation import Entmax, LogSumReLU, Power, Softmax, SumNormalised
from attrax.similarity import Dot, Euclidean

KEY = jax.random.key(0)
DATA = np.random.default_rng(0).normal(size=(9, 3))
STATES = np.random.default_rng(1).normal(size=(4, 5, 3))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("sigma", [0.1, 1.0, 5.0])
def test_the_score_is_that_of_a_mixture_of_gaussians(sigma):
    apart = STATES[..., None, :] - DATA
    weights = scipy.special.softmax(-0.5 * np.sum(apart**2, axis=-1) / sigma**2, axis=-1)
    expected = -np.sum(weights[..., None] * apart, axis=-2) / sigma**2
    score = models.diffusion_score(DATA, STATES, sigma)
    np.testing.assert_allclose(score, expected, rtol=1e-10, atol=1e-10 / sigma)
    memory = models.diffusion_memory(DATA, sigma)
    beta = memory.separation.beta

    def scaled(state):
        return -beta * memory.state_energy(state)

    slope = jax.vmap(jax.vmap(jax.grad(scaled)))(jnp.asarray(STATES))
    np.testing.assert_allclose(slope, score, rtol=1e-9, atol=1e-9 / sigma)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("random", [True, False])
def test_the_sampler_takes_the_steps_of_its_formula(random):
    sampler = models.diffusion_sampler(2.0, 0.1, 8, random=random)
    ratio = 0.05 ** (1 / 8)
    sigmas = 2.0 * ratio ** np.arange(9)
    np.testing.assert_allclose(sampler.betas, sigmas[:-1] ** -2, rtol=1e-12)
    memory = models.diffusion_memory(DATA, 0.1)
    found = attrax.retrieve(memory, STATES[0], sampler, path=True, key=KEY)
    assert bool((found.outcome == Outcome.sampled).all())
    path = np.asarray(found.path)
    noise = []
    for n in range(8):
        reads = np.asarray(jax.vmap(models.diffusion_memory(DATA, sigmas[n]))(path[:, n]))
        share = 1 - ratio**2 if random else 1 - ratio
        noise.append(path[:, n + 1] - path[:, n] - share * (reads - path[:, n]))
        noise[-1] /= ratio * sigmas[n] * np.sqrt(1 - ratio**2)
    if random:
        assert scipy.stats.kstest(np.ravel(noise), "norm").pvalue > 1e-4
    else:
        np.testing.assert_allclose(noise, 0, atol=1e-12)


def test_samples_are_the_data():
    memory = models.diffusion_memory(DATA, 0.01)
    noise = 8 * jax.random.normal(KEY, (300, 3))
    found = attrax.retrieve(memory, noise, models.diffusion_sampler(8.0, 0.01, 80), key=KEY)
    counts = np.bincount(np.asarray(found.index), minlength=9)
    apart = np.asarray(found.state) - DATA[np.asarray(found.index)]
    assert np.abs(apart).max() < 0.06
    # Each as likely as any other.
    assert scipy.stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("adjusted", [True, False])
def test_a_constant_beta_is_that_of_another_memory(adjusted):
    def run(beta, given):
        memory = Memory(DATA, similarity=Dot(), separation=Softmax(beta))
        dynamics = Langevin(0.2, step=0.1, steps=20, beta=given, adjusted=adjusted)
        return attrax.retrieve(memory, STATES[0], dynamics, key=KEY).state

    np.testing.assert_allclose(run(1.0, 3.0), run(3.0, None), rtol=1e-10)
    assert np.abs(run(1.0, None) - run(3.0, None)).max() > 0.01


@pytest.mark.parametrize("separation", [Entmax(1.5), LogSumReLU(2.0), Softmax(2.0)])
def test_every_separation_with_a_beta_can_be_annealed(separation):
    """At T = 0 that is deterministic annealing: the centre of all first, then one of them."""
    memory = Memory(DATA, similarity=Euclidean(), separation=separation)
    dynamics = Langevin(0.0, step=1.0, steps=40, beta=lambda n: 1e-3 * 1.3**n, adjusted=False)
    found = attrax.retrieve(memory, DATA, dynamics, path=True, key=KEY)
    np.testing.assert_allclose(
        found.path[:, 1], np.broadcast_to(DATA.mean(0), DATA.shape), atol=0.05
    )
    assert np.isfinite(found.state).all()


MEMORY = models.diffusion_memory(DATA, 1.0)


def anneal(memory, beta=1.0):
    dynamics = Langevin(0.0, step=0.1, steps=2, beta=beta, adjusted=False)
    return attrax.retrieve(memory, DATA[0], dynamics, key=KEY)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: models.diffusion_memory(DATA, 0.0), ValueError, "`sigma` must be positive"),
        (lambda: models.diffusion_score(DATA, DATA[:, :2], 1.0), ValueError, "must have 3 entries"),
        (lambda: models.diffusion_score(DATA, DATA, -1.0), ValueError, "`sigma` must be positive"),
        (lambda: models.diffusion_sampler(1.0, 2.0, 9), ValueError, "`stop` must be below `start`"),
        (lambda: models.diffusion_sampler(1.0, 0.0, 9), ValueError, "`stop` must be positive"),
        (lambda: models.diffusion_sampler(2.0, 1.0, 0), ValueError, "`steps` must be a positive"),
        (lambda: anneal(MEMORY, lambda n: 1.0 - n), ValueError, "`beta` must be .*0.0 in step 1"),
        (lambda: anneal(MEMORY, np.ones(2)), ValueError, "`beta` must be one number"),
        (
            lambda: anneal(
                Memory(DATA**2, similarity=Dot("sum"), separation=SumNormalised(Power(2)))
            ),
            ValueError,
            "SumNormalised has no inverse temperature",
        ),
        (
            lambda: anneal(attrax.MatrixMemory(DATA.T @ DATA, symmetry="positive")),
            TypeError,
            "MatrixSpace has none: see attrax.spaces.Tempered",
        ),
        (
            lambda: attrax.retrieve(MEMORY, DATA, models.diffusion_sampler(2.0, 1.0, 3)),
            ValueError,
            "pass key=",
        ),
    ],
)
def test_wrong_calls_are_answered(make, error, text):
    with pytest.raises(error, match=text):
        make()
