"""Samples of Langevin dynamics against the law exp(−E/T), computed by quadrature.

Only the last states of independent chains are compared, so that all samples are independent. All
chains start at the same point, mostly where neurons are saturated. A law is held to be right if
the chance of so large a χ² is above `LEAST`, and each criterion must tell isotropic noise apart.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest
import scipy.linalg
import scipy.special
import scipy.stats
from jaxtyping import Array, Float

import attrax
from attrax import Outcome
from attrax.common.checks import NoEnergyError
from attrax.dynamics.langevin import Langevin
from attrax.hierarchical import (
    Absolute,
    BiasSynapse,
    ConvexFunction,
    DenseSynapse,
    HierarchicalMemory,
    LateralSynapse,
    Neurons,
    SeparationLagrangian,
    Sigmoid,
    SynapseFunction,
    Tanh,
)
from attrax.separation import GhostSoftmax, Softmax
from attrax.similarity import Dot

pytestmark = pytest.mark.usefixtures("x64")
CHAINS, STEPS = 2000, 300
LEAST = 1e-4
T = 0.3


@eqx.filter_jit
def ends(network, dynamics, states, key):
    """Activations of independent chains at their last step, and how they ended."""
    model = network.space(states[network.visible].reshape(-1))

    def one(key):
        run = dynamics.run(model, states, key=key)
        return network.activations(run.state), run.outcome

    return jax.vmap(one)(jax.random.split(key, CHAINS))


def chance(samples, density, inside, cuts=None):
    """The p-value of χ² over cells of a plane, whose masses are sums over a grid.

    - `samples` (n, 2); `density`: of arrays of both coordinates; `inside`: its least and largest.
    - `cuts`: where cells end along each axis; five cells of one size if `None`.
    """
    low, high = inside
    cuts = np.linspace(low, high, 6)[1:-1] if cuts is None else cuts
    middles = low + (high - low) * (np.arange(500) + 0.5) / 500
    cells, count = np.searchsorted(cuts, middles), len(cuts) + 1
    masses = np.zeros((count, count))
    np.add.at(masses, (cells[:, None], cells[None]), density(middles[:, None], middles[None]))
    expected = CHAINS * masses / masses.sum()
    assert expected.min() > 5
    counts = np.zeros((count, count))
    np.add.at(counts, tuple(np.searchsorted(cuts, np.asarray(samples).T)), 1)
    return scipy.stats.chisquare(counts.ravel(), expected.ravel()).pvalue


def simplex_chance(samples, weight):
    """Likewise on the simplex: 16 cells of alike size in (p₁, p₂/(1 − p₁))."""
    first, part = np.meshgrid(*[(np.arange(400) + 0.5) / 400] * 2, indexing="ij")
    first = 1 - np.sqrt(1 - first)  # Of cells of alike area, by the law of the first entry.
    points = np.stack([first, (1 - first) * part, (1 - first) * (1 - part)])
    masses = weight(*points).reshape(4, 100, 4, 100).sum((1, 3))
    expected = CHAINS * masses / masses.sum()
    p = np.asarray(samples)
    assert np.all(p >= 0)
    cells = np.stack([1 - (1 - p[:, 0]) ** 2, p[:, 1] / (1 - p[:, 0])], 1)
    counts = np.histogramdd(cells, bins=[np.linspace(0, 1, 5)] * 2)[0]
    return scipy.stats.chisquare(counts.ravel(), expected.ravel()).pvalue


def tanh_energy(g, beta):
    """The convex dual of ln cosh(β x)/β."""
    return 0.5 * (scipy.special.xlogy(1 + g, 1 + g) + scipy.special.xlogy(1 - g, 1 - g)) / beta


def sigmoid_energy(g, beta):
    """The convex dual of ln(1 + exp(β x))/β."""
    return (scipy.special.xlogy(g, g) + scipy.special.xlogy(1 - g, 1 - g)) / beta


# Of tanh neurons, the first two drive each other, the third a sigmoid one, the fourth is alone.
BETAS, W, V, B = (2.0, 3.0), 0.35, 0.8, 0.2
STEP = 0.1


@pytest.fixture(scope="module")
def squares():
    """A network of neurons that saturate, whose laws are known on squares, and its states."""
    lateral, dense = np.zeros((4, 4)), np.zeros((1, 4))
    lateral[0, 1] = lateral[1, 0] = W
    dense[0, 2] = V
    with jax.enable_x64(True):
        network = HierarchicalMemory(
            {
                "tanh": Neurons(4, Tanh(BETAS[0]), input=np.asarray([0, 0, 0, B])),
                "sigmoid": Neurons(1, Sigmoid(BETAS[1]), tau=0.4),
            },
            {"tanh": LateralSynapse(lateral), ("tanh", "sigmoid"): DenseSynapse(dense)},
        )
        # Far in the tails, where the curvature of L is of the order of exp(−16).
        return network, {"tanh": jnp.full(4, 4.0), "sigmoid": jnp.full(1, 5.0)}


def square_chances(tanh, sigmoid):
    """The p-values of the joint laws of two tanh neurons, of a tanh and a sigmoid one, and of one
    tanh neuron beside another that it has nothing to do with.
    """

    def pair(g, h):
        return np.exp(-(tanh_energy(g, BETAS[0]) + tanh_energy(h, BETAS[0]) - W * g * h) / T)

    def crossed(g, h):
        # The sigmoid's activations are stretched to the square of tanh.
        s = (h + 1) / 2
        energy = tanh_energy(g, BETAS[0]) + sigmoid_energy(s, BETAS[1]) - V * g * s
        return np.exp(-energy / T)

    def lone(g, h):
        middles = np.linspace(-1, 1, 401)[:, None, None]
        return pair(g, middles).sum(0) * np.exp(-(tanh_energy(h, BETAS[0]) - B * h) / T)

    tanh, sigmoid = np.asarray(tanh), np.asarray(sigmoid)
    stretched = np.concatenate([tanh[:, 2:3], 2 * sigmoid - 1], 1)
    return {
        "pair": chance(tanh[:, :2], pair, (-1.0, 1.0)),
        "crossed": chance(stretched, crossed, (-1.0, 1.0)),
        "lone": chance(tanh[:, [0, 3]], lone, (-1.0, 1.0)),
    }


def test_saturating_neurons_sample_the_law_of_their_activations(squares):
    network, states = squares
    dynamics = Langevin(T, step=STEP, steps=STEPS)
    found, outcome = ends(network, dynamics, states, jax.random.key(0))
    assert bool(jnp.all(outcome == Outcome.sampled))
    chances = square_chances(found["tanh"], found["sigmoid"])
    assert min(chances.values()) > LEAST, chances


def test_the_criterion_tells_isotropic_noise_apart():
    """The same steps of the same network, with noise that is alike for all states."""
    rng, size = np.random.default_rng(0), np.sqrt(2 * T * STEP)
    x, y = np.zeros((4, CHAINS)), np.zeros((1, CHAINS))
    for _ in range(STEPS):
        g, h = np.tanh(BETAS[0] * x), scipy.special.expit(BETAS[1] * y)
        pulls = np.stack([W * g[1], W * g[0], V * h[0], np.full(CHAINS, B)])
        x = x + STEP * (pulls - x) + size * rng.normal(size=x.shape)
        y = y + STEP / 0.4 * (V * g[2] - y) + size / np.sqrt(0.4) * rng.normal(size=y.shape)
    chances = square_chances(np.tanh(BETAS[0] * x).T, scipy.special.expit(BETAS[1] * y).T)
    assert max(chances.values()) < LEAST / 1000, chances


def entropy(p):
    return -jnp.sum(p * jnp.log(p))


@pytest.mark.contract
def test_softmax_samples_the_simplex():
    """With its entropy taken back the energy is constant: then the law is Dirichlet(1, 1, 1)."""
    bias = jnp.asarray([0.5, 0.0, -0.3])
    network = HierarchicalMemory(
        {
            "rows": Neurons((2, 3), SeparationLagrangian(Softmax(2.0), -1)),
            "ghost": Neurons(2, GhostSoftmax(1.5), tau=0.5),
        },
        {
            "rows": SynapseFunction(lambda p: entropy(p[0]) / 2 - jnp.sum(bias * p[1])),
            "ghost": BiasSynapse(jnp.asarray([-0.4, 0.0])),
        },
    )
    states = {n: 8 * jnp.ones(network.neurons[n].shape).at[..., 0].set(-1) for n in network.names}
    dynamics = Langevin(T, step=0.2, steps=STEPS)
    found, outcome = ends(network, dynamics, states, jax.random.key(0))
    assert bool(jnp.all(outcome == Outcome.sampled))

    def entropic(beta, *bias):
        def weight(*p):
            parts = (scipy.special.xlogy(q, q) / beta - b * q for q, b in zip(p, bias, strict=True))
            return np.exp(-sum(parts) / T)

        return weight

    # The ghost has what is left of one.
    rest = 1 - jnp.sum(found["ghost"], 1, keepdims=True)
    ghost = jnp.concatenate([found["ghost"], rest], 1)
    laws = {
        "flat": (found["rows"][:, 0], lambda *p: np.ones_like(p[0])),
        "tilted": (found["rows"][:, 1], entropic(2.0, 0.5, 0.0, -0.3)),
        "ghost": (ghost, entropic(1.5, -0.4, 0.0, 0.0)),
    }
    chances = {
        (name, law): simplex_chance(samples, weight)
        for name, (samples, _) in laws.items()
        for law, (_, weight) in laws.items()
    }
    assert min(chances[name, name] for name in laws) > LEAST, chances
    # The criterion tells the laws apart.
    assert max(p for (name, law), p in chances.items() if name != law) < LEAST / 1000, chances


A = np.asarray([[1.0, 0.0, -0.5], [0.0, 1.0, 0.4], [-0.5, 0.4, 1.0]])
TAUS = 1.0, 0.3


@pytest.fixture(scope="module")
def gaussian():
    """E = ½ xᵀ A x of two slow neurons and a fast one."""
    with jax.enable_x64(True):
        network = HierarchicalMemory(
            {"seen": Neurons(2, tau=TAUS[0]), "hidden": Neurons(1, tau=TAUS[1])},
            {("seen", "hidden"): DenseSynapse(-A[2:, :2])},
        )
        return network, {"seen": jnp.full(2, 3.0), "hidden": jnp.full(1, -3.0)}


def gaussian_chance(found, covariance):
    """The least p-value that coordinates made independent are standard normal, and are so."""
    samples = np.concatenate([found["seen"], found["hidden"]], 1)
    white = np.linalg.solve(np.linalg.cholesky(covariance), samples.T)
    alone = [scipy.stats.kstest(row, "norm").pvalue for row in white]
    spread = [
        2 * min(d.cdf(total), d.sf(total))
        for d, total in [(scipy.stats.chi2(CHAINS), np.sum(row**2)) for row in white]
    ]
    pairs = [scipy.stats.pearsonr(white[i], white[j])[1] for i, j in ((0, 1), (0, 2), (1, 2))]
    return min(*alone, *spread, *pairs)


def test_quadratic_neurons_are_gaussian_whatever_their_time_constants(gaussian):
    network, states = gaussian
    found, _ = ends(network, Langevin(T, step=0.2, steps=STEPS), states, jax.random.key(0))
    assert gaussian_chance(found, T * np.linalg.inv(A)) > LEAST


def test_unadjusted_steps_have_the_law_of_the_discrete_process(gaussian):
    """x ← (1 − η R A) x + √(2 T η R) n has a covariance known from Lyapunov's equation."""
    network, states = gaussian
    step, rates = 0.2, np.diag(TAUS[0] / np.asarray([TAUS[0], TAUS[0], TAUS[1]]))

    def discrete(step):
        return scipy.linalg.solve_discrete_lyapunov(
            np.eye(3) - step * rates @ A, 2 * T * step * rates
        )

    dynamics = Langevin(T, step=step, steps=STEPS, adjusted=False)
    found, _ = ends(network, dynamics, states, jax.random.key(0))
    assert gaussian_chance(found, discrete(step)) > LEAST
    # The bias of steps as long as these is seen, and that of short ones is not.
    assert gaussian_chance(found, T * np.linalg.inv(A)) < LEAST
    short = Langevin(T, step=step / 10, steps=STEPS, adjusted=False)
    found, _ = ends(network, short, jax.tree.map(jnp.zeros_like, states), jax.random.key(0))
    assert gaussian_chance(found, T * np.linalg.inv(A)) > LEAST


class Ramp(eqx.Module):
    """Temperatures from one to another, whose ends compile nothing new."""

    first: Float[Array, ""]
    last: Float[Array, ""]
    steps: int = eqx.field(static=True)

    def __call__(self, index):
        return self.first + (self.last - self.first) * index / (self.steps - 1)


def ramp(first, last):
    return Langevin(Ramp(jnp.asarray(first), jnp.asarray(last), STEPS), step=STEP, steps=STEPS)


@pytest.fixture(scope="module")
def paths():
    """Paths and energies of a rugged network with known, clamped and fast parts, by dynamics."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        network = HierarchicalMemory(
            {
                "seen": Neurons(6, Tanh(4.0)),
                "part": Neurons(
                    3,
                    Sigmoid(),
                    0.5,
                    start=np.full(3, 50.0),
                    clamped=np.asarray([True, False, False]),
                ),
                "fast": Neurons(2, Softmax(), tau=0.0),
            },
            {
                "seen": LateralSynapse(rng.normal(size=(6, 6))),
                ("seen", "part"): DenseSynapse(rng.normal(size=(3, 6))),
                ("seen", "fast"): DenseSynapse(rng.normal(size=(2, 6))),
            },
        )
        known = jnp.asarray([True, False, False, False, False, True])
        query = jnp.asarray([0.5, 0.1, -0.1, 0.2, -0.2, 80.0])
        model = network.space(query, known)

        @eqx.filter_jit
        def paths(dynamics, keys):
            def one(key):
                run = dynamics.run(model, model.initial, path=True, key=key)
                last = jax.tree.map(jnp.subtract, model.pull(run.state), run.state)
                return run.path, jax.lax.map(model.energy, run.path), last, run.outcome

            return jax.vmap(one)(keys)

        yield lambda dynamics: paths(dynamics, jax.random.split(jax.random.key(0), 64))


def test_what_is_known_or_clamped_never_moves_and_all_else_does(paths):
    path, _, _, outcome = paths(ramp(0.5, 0.5))
    assert bool(jnp.all(outcome == Outcome.sampled))
    assert path.keys() == {"seen", "part"}
    moves = {name: jnp.any(states != states[:1, :1], (0, 1)) for name, states in path.items()}
    assert moves["seen"].tolist() == [False, True, True, True, True, False]
    assert moves["part"].tolist() == [False, True, True]
    # As the share of accepted steps is to be seen: neither none nor all.
    shares = jnp.any(jnp.diff(path["seen"], axis=1) != 0, -1).mean(-1)
    assert bool(jnp.all((shares > 0.3) & (shares < 1)))


def test_without_temperature_the_energy_falls_to_rest(paths):
    _, energies, last, _ = paths(ramp(0.0, 0.0))
    rises = jnp.diff(energies, axis=1)
    assert float(jnp.max(rises)) <= 1e-12 * float(jnp.max(jnp.abs(energies)))
    assert max(float(jnp.max(jnp.abs(leaf))) for leaf in last.values()) < 1e-3


def test_cooling_ends_lower_than_constant_temperature(paths):
    warm, cooled = (paths(ramp(0.5, last))[1] for last in (0.5, 0.0))
    lower = scipy.stats.mannwhitneyu(cooled[:, -1], warm[:, -1], alternative="less")
    assert lower.pvalue < LEAST


ROWS = np.asarray([[1.0, 0.2, 0.5], [-0.8, 0.9, -0.4], [-0.3, -1.1, 0.6]])


def test_a_memory_samples_what_is_not_known_with_plain_noise():
    """The law is that of the free entries, given the one that is known."""
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(4.0))
    query, known = jnp.asarray([jnp.nan, jnp.nan, 0.3]), jnp.asarray([False, False, True])
    queries, dynamics = jnp.tile(query, (CHAINS, 1)), Langevin(0.2, step=0.2, steps=STEPS)
    sample = partial(attrax.retrieve, memory, queries, dynamics, known=known, chunk=CHAINS)
    found = sample(key=jax.random.key(0))

    def density(x, y):
        scores = 4 * sum(ROWS[:, i, None, None] * v for i, v in enumerate((x, y, 0.3)))
        energy = (x**2 + y**2) / 2 - scipy.special.logsumexp(scores, axis=0) / 4
        return np.exp(-energy / 0.2)

    assert chance(found.state[:, :2], density, (-5.0, 5.0), (-0.8, -0.3, 0.3, 0.8)) > LEAST
    assert bool(jnp.all(found.state[:, 2] == 0.3))
    assert bool(jnp.all(found.outcome == Outcome.sampled))
    assert bool(jnp.all(found.steps == STEPS))
    again, other = (sample(key=jax.random.key(k)).state for k in (0, 1))
    np.testing.assert_array_equal(found.state, again)
    assert not np.any(found.state[:, :2] == other[:, :2])
    assert len(np.unique(found.state[:, 0])) == CHAINS


@pytest.mark.parametrize("precision", [jnp.float32, jnp.bfloat16])
def test_every_geometry_keeps_the_type_of_its_states(precision):
    """Also where the default type is wider, with promotion forbidden."""
    network = HierarchicalMemory(
        {
            "seen": Neurons(3),
            "tanh": Neurons(2, Tanh()),
            "soft": Neurons(2, GhostSoftmax()),
            "convex": Neurons(2, ConvexFunction(lambda x: jnp.sum(jnp.cosh(x)))),
        },
        {("seen", name): DenseSynapse(jnp.ones((2, 3))) for name in ("tanh", "soft", "convex")},
    )
    network = jax.tree.map(lambda x: x.astype(precision) if eqx.is_inexact_array(x) else x, network)

    def run():
        model = network.space(jnp.ones(3, precision))
        return Langevin(0.5, step=0.1, steps=2).run(model, model.initial, key=jax.random.key(0))

    shapes = jax.eval_shape(run).state
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype(precision)}


@pytest.mark.contract
@pytest.mark.parametrize(
    "schedule",
    [
        optax.linear_schedule(1.0, 0.0, 50),
        optax.cosine_decay_schedule(1.0, 50),
        optax.exponential_decay(1.0, 10, 0.5),
        lambda index: 1.0 / (1.0 + index),
    ],
)
def test_schedules_of_optax_are_temperatures(schedule):
    dynamics = Langevin(schedule, step=0.1, steps=50)
    assert dynamics.temperatures.shape == (50,)
    ends = [float(schedule(i)) for i in (0, 49)]
    np.testing.assert_allclose(dynamics.temperatures[jnp.asarray([0, 49])], ends, rtol=1e-6)


WRONG = [
    ({"temperature": -0.1}, r"`temperature` must be .*not negative, but it is -0\.1"),
    ({"temperature": jnp.inf}, "`temperature` must be finite"),
    ({"temperature": jnp.nan}, "`temperature` must be a number, but it is NaN"),
    ({"temperature": "hot"}, "`temperature` must be a number"),
    ({"temperature": None}, "`temperature` must be a number"),
    ({"temperature": [0.1, 0.2]}, "`temperature` must be one number"),
    ({"temperature": lambda i: 1.0 - i}, r"`temperature` .* is -1\.0 in step 2"),
    ({"temperature": lambda i: 0.0 * i + jnp.nan}, "`temperature` .* is nan in step 0"),
    ({"temperature": lambda i: jnp.ones(2)}, r"`temperature` .* shape is \(2,\)"),
    ({"temperature": lambda i: "hot"}, "`temperature` must be a number"),
    ({"step": 0.0}, "`step` must be positive"),
    ({"step": -1.0}, "`step` must be positive"),
    ({"step": None}, "`step` must be a number"),
    ({"steps": 0}, "`steps` must be a positive whole number"),
    ({"steps": 2.5}, "`steps` must be a positive whole number"),
    ({"steps": True}, "`steps` must be a positive whole number"),
]


@pytest.fixture
def unchecked():
    """Without the check of annotations, which comes first in tests and is not there in use."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(("wrong", "reason"), WRONG, ids=lambda x: repr(x)[:20])
def test_wrong_arguments(wrong, reason, unchecked):
    with pytest.raises((TypeError, ValueError), match=reason):
        Langevin(**{"temperature": 1.0, "step": 0.1, "steps": 10, **wrong})


def test_models_that_cannot_be_sampled():
    dynamics = Langevin(0.1, step=0.1, steps=10)
    binary = HierarchicalMemory({"seen": Neurons(2, Absolute())}, {"seen": BiasSynapse(np.ones(2))})
    summed = attrax.Memory(ROWS, similarity=attrax.similarity.Cosine())
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"'seen': .*Absolute.*Tanh.*tau=0"):
        attrax.retrieve(binary, jnp.ones(2), dynamics, key=key)
    with pytest.raises(NoEnergyError, match="adjusted=False"):
        attrax.retrieve(summed, jnp.ones(3), dynamics, key=key)
    with pytest.raises(ValueError, match=r"key=jax\.random\.key"):
        attrax.retrieve(summed, jnp.ones(3), dynamics)
    model = summed.space(jnp.ones(3))
    with pytest.raises(ValueError, match=r"key=jax\.random\.key"):
        dynamics.run(model, model.initial)
