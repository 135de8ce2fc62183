"""Units at a temperature, against the exact weights of all their states."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import MatrixMemory, Outcome, retrieve
from attrax.dynamics import Asynchronous, Glauber

D, CHAINS = 6, 4_000
RNG = np.random.default_rng(5)
COUPLINGS = (lambda w: (w + w.T) / 2)(RNG.normal(size=(D, D))).astype(np.float32)
THETA = (0.5 * RNG.normal(size=D)).astype(np.float32)
# At these the law is far from flat, and yet soon reached.
T = {"signs": 0.7, "bits": 0.3}


def law(units):
    """exp(−E/T)/Z by enumeration, E written out here."""
    low = -1 if units == "signs" else 0
    states = np.array(list(itertools.product([low, 1], repeat=D)))
    matrix = COUPLINGS - np.diag(np.diag(COUPLINGS))
    energies = -0.5 * np.einsum("si,ij,sj->s", states, matrix, states) + states @ THETA
    weights = np.exp(-energies / T[units])
    return states, weights / weights.sum()


def shares(states, samples):
    """How often each state occurs."""
    index = ((samples[:, None] == states[None]).all(-1)).argmax(1)
    return np.bincount(index, minlength=len(states)) / len(samples)


@pytest.mark.contract
@pytest.mark.parametrize(
    ("units", "rule", "order"),
    [
        ("signs", "heat_bath", "random"),
        ("bits", "heat_bath", "cyclic"),
        ("signs", "metropolis", "cyclic"),
        ("bits", "metropolis", "random"),
    ],
)
def test_samples_follow_boltzmann(units, rule, order):
    memory = MatrixMemory(COUPLINGS, threshold=THETA, units=units)
    states, exact = law(units)
    starts = np.broadcast_to(states[0], (CHAINS, D))
    dynamics = Glauber(T[units], sweeps=150, rule=rule, order=order)
    found = retrieve(memory, starts, dynamics, key=jax.random.key(0), chunk=CHAINS)
    assert bool(jnp.all(found.outcome == Outcome.sampled))
    counted = shares(states, np.asarray(found.state))

    def distance(law):
        """χ² in standard deviations above its mean; states expected less than 5 times are one."""
        rare = CHAINS * law < 5
        pooled = [np.append(share[~rare], share[rare].sum()) for share in (counted, law)]
        chi = CHAINS * ((pooled[0] - pooled[1]) ** 2 / pooled[1]).sum()
        freedom = (~rare).sum()
        return (chi - freedom) / np.sqrt(2 * freedom)

    assert distance(exact) < 5
    # The same test tells temperatures a tenth away from this one.
    for power in (0.9, 1.1):
        assert distance(exact**power / (exact**power).sum()) > 5


@pytest.mark.parametrize("rule", ["heat_bath", "metropolis"])
def test_without_temperature_it_is_the_asynchronous_update(rule):
    rng = np.random.default_rng(6)
    matrix = rng.integers(-3, 4, (60, 60))
    memory = MatrixMemory((matrix + matrix.T).astype(np.float32), units="signs")
    starts = rng.choice([-1, 1], (8, 60))
    cold = retrieve(
        memory, starts, Glauber(0.0, sweeps=30, rule=rule, seed=4), key=jax.random.key(0)
    )
    settled = retrieve(memory, starts, Asynchronous(seed=4))
    np.testing.assert_array_equal(cold.state, settled.state)


def test_cooling_ends_lower_than_quenching():
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(80, 80)).astype(np.float32) / np.sqrt(80)
    memory = MatrixMemory(matrix + matrix.T, units="signs")
    starts = rng.choice([-1, 1], (50, 80))
    cooled = retrieve(
        memory,
        starts,
        Glauber(lambda sweep: 2.0 * (1 - (sweep + 1) / 300), sweeps=300),
        key=jax.random.key(1),
    )
    quenched = retrieve(memory, starts)
    assert float(jnp.mean(cooled.energy)) < float(jnp.mean(quenched.energy)) - 1


@pytest.mark.parametrize("rule", ["heat_bath", "metropolis"])
def test_every_sweep_has_its_own_temperature(rule):
    """Cold, hot and cold again: a cold sweep is one of `Asynchronous`, a hot one is not."""
    rng = np.random.default_rng(9)
    matrix = rng.integers(-3, 4, (60, 60))
    memory = MatrixMemory((matrix + matrix.T).astype(np.float32), units="signs")
    starts = rng.choice([-1, 1], (8, 60))
    dynamics = Glauber(
        lambda sweep: jnp.where(sweep == 1, 1e6, 0.0), sweeps=3, rule=rule, order="cyclic"
    )
    path = retrieve(memory, starts, dynamics, path=True, key=jax.random.key(0)).path
    changes = []
    for before, after in itertools.pairwise(np.moveaxis(np.asarray(path), 1, 0)):
        cold = retrieve(memory, before, Asynchronous("cyclic", max_steps=1)).state
        changes.append(np.mean(after != np.asarray(cold)))
    assert changes[0] == changes[2] == 0
    assert changes[1] > 0.3


def test_a_path_holds_every_sweep_and_known_units_stay():
    memory = MatrixMemory(COUPLINGS, units="signs")
    known = np.arange(D) < 2
    start = np.ones(D)
    found = retrieve(
        memory, start, Glauber(5.0, sweeps=25), known=known, path=True, key=jax.random.key(2)
    )
    assert found.path.shape == (26, D)
    assert (np.asarray(found.path)[:, :2] == 1).all()
    assert (np.asarray(found.path)[:, 2:] != 1).any()
    np.testing.assert_array_equal(found.path[-1], found.state)


def test_the_same_key_gives_the_same_states_in_any_chunk():
    memory = MatrixMemory(COUPLINGS, units="signs")
    starts = np.random.default_rng(8).choice([-1, 1], (7, D))
    whole = retrieve(memory, starts, Glauber(0.7, sweeps=5), key=jax.random.key(3))
    parts = retrieve(memory, starts, Glauber(0.7, sweeps=5), key=jax.random.key(3), chunk=3)
    np.testing.assert_array_equal(whole.state, parts.state)


@pytest.mark.parametrize("rule", ["heat_bath", "metropolis"])
def test_rare_states_of_memories_of_few_bits_are_as_rare(rule):
    """Units that feel a threshold alone are high with chance 1/(1 + exp(2θ/T)), here 0.0067."""
    memory = MatrixMemory(
        jnp.zeros((5, 5), jnp.bfloat16),
        threshold=jnp.full(5, 1.5, jnp.bfloat16),
        units="signs",
        symmetry="symmetric",
    )
    cold = Glauber(0.6, sweeps=5, rule=rule)
    with jax.numpy_dtype_promotion("standard"):
        found = retrieve(memory, jnp.ones((8000, 5)), cold, key=jax.random.key(0), chunk=8000)
    share = float(jnp.mean((found.state > 0).astype(jnp.float32)))
    assert share == pytest.approx(1 / (1 + math.exp(5)), abs=4 * math.sqrt(0.0067 / 40_000))
