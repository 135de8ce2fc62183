"""Two-state units and learning rules beside PyTorch, hopfieldnetwork and hopfieldkit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import MatrixMemory, learning
from attrax.dynamics import Asynchronous

D, PATTERNS, STATES = 1000, 100, 100


def setup():
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (PATTERNS, D)).astype(np.float32)
    cues = np.where(rng.random((STATES, D)) < 0.2, -1, 1) * patterns[:STATES]
    return patterns, cues.astype(np.float32)


def ours():
    patterns, cues = setup()
    memory, states = learning.Hebb()(patterns), jnp.asarray(cues)
    return lambda: attrax.retrieve(memory, states, Asynchronous()).state


def settled(state, matrix):
    """Whether no single unit would change: what all rivals are asked for."""
    drive = state @ matrix
    return (np.where(drive == 0, state, np.sign(drive)) == state).all()


@pytest.fixture(scope="module")
def couplings():
    patterns, _ = setup()
    matrix = patterns.T @ patterns
    np.fill_diagonal(matrix, 0)
    return matrix


def test_recall_beside_torch(versus, torch, couplings):
    """One unit after another, all states at once, as (units, states); until none moves."""
    _, cues = setup()
    matrix = torch.from_numpy(couplings)

    def theirs():
        state = torch.from_numpy(cues.T.copy())
        while True:
            before = state.clone()
            for i in torch.randperm(D).tolist():
                drive = matrix[i] @ state
                state[i] = torch.where(drive == 0, state[i], torch.sign(drive))
            if torch.equal(before, state):
                return state

    assert settled(theirs().numpy().T, couplings)
    assert settled(np.asarray(ours()()), couplings)
    versus(ours(), theirs, "torch, (units, states)", 0.3)


@pytest.mark.parametrize("kind", ["cubes", "exponentials"])
def test_dense_recall_beside_torch(versus, torch, kind):
    """Units one after another by energies, as (units, states); as many sweeps as attrax makes."""
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (D, 784)).astype(np.float32)
    cues = np.where(rng.random((STATES, 784)) < 0.2, -1, 1) * patterns[:STATES]
    cues = cues.astype(np.float32)
    dense, states = kind == "cubes", jnp.asarray(cues)
    models = attrax.models
    memory = models.dense_memory(patterns, 3) if dense else models.exponential_memory(patterns)
    found = attrax.retrieve(memory, states)
    columns, sweeps = torch.from_numpy(patterns.T.copy()), int(found.steps.max())

    def energy(scores):
        return -scores.clamp(min=0).pow(3).sum(0) if dense else -scores.logsumexp(0)

    def theirs():
        state = torch.from_numpy(cues.T.copy())
        scores = columns.T @ state
        for _ in range(sweeps):
            for i in torch.randperm(784).tolist():
                column, before = columns[i][:, None], state[i]
                rest = scores - column * before
                gap = energy(rest - column) - energy(rest + column)
                after = torch.where(gap == 0, before, torch.sign(gap))
                scores, state[i] = rest + column * after, after
        return state

    np.testing.assert_array_equal(theirs().numpy().T, found.state)
    versus(lambda: attrax.retrieve(memory, states).state, theirs, "torch, (units, states)")


def test_recall_beside_hopfieldnetwork(versus, couplings):
    package = pytest.importorskip("hopfieldnetwork", reason="hopfieldnetwork is not installed")
    patterns, cues = setup()
    network = package.HopfieldNetwork(D)
    network.train_pattern(patterns.T.astype(float))

    def theirs():
        found = []
        for cue in cues:
            network.set_initial_neurons_state(cue.astype(float))
            network.update_neurons(1, "async", run_max=True)
            found.append(network.S)
        return np.stack(found)

    versus(ours(), theirs, "hopfieldnetwork", 0.05, rounds=3)


def test_recall_beside_hopfieldkit(versus, couplings):
    package = pytest.importorskip("hopfieldkit", reason="hopfieldkit is not installed")
    patterns, cues = setup()
    network = package.HopfieldNetwork(D).fit(patterns)
    versus(
        ours(),
        lambda: np.stack([network.recall(cue) for cue in cues]),
        "hopfieldkit",
        0.05,
        rounds=3,
    )


def test_one_state_beside_numpy(versus, couplings):
    """A single state, whose fields NumPy keeps; no target."""
    patterns, cues = setup()
    memory, state = learning.Hebb()(patterns), jnp.asarray(cues[0])

    def theirs():
        rng, state = np.random.default_rng(0), cues[0].copy()
        drive = couplings @ state
        while True:
            moved = False
            for i in rng.permutation(D):
                side = state[i] if drive[i] == 0 else np.sign(drive[i])
                if side != state[i]:
                    drive += couplings[i] * (side - state[i])
                    state[i], moved = side, True
            if not moved:
                return state

    versus(lambda: attrax.retrieve(memory, state).state, theirs, "NumPy, kept fields")


def test_hebb_beside_hopfieldkit(versus):
    package = pytest.importorskip("hopfieldkit", reason="hopfieldkit is not installed")
    patterns, _ = setup()
    rule = jax.jit(lambda rows: learning.Hebb()(rows).matrix)
    rows = jnp.asarray(patterns)
    versus(
        lambda: rule(rows), lambda: package.HopfieldNetwork(D).fit(patterns), "hopfieldkit", 0.05
    )


def test_perceptron_beside_hopfieldkit(versus):
    """The symmetric rule, the only one that it has, at a load that takes many epochs."""
    package = pytest.importorskip("hopfieldkit", reason="hopfieldkit is not installed")
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (150, 300)).astype(np.float32)
    rule = learning.Perceptron(symmetric=True)

    def theirs():
        network = package.PerceptronHopfieldNetwork(300).fit(patterns, seed=0)
        assert network.converged
        return network.weights

    versus(lambda: rule(patterns).matrix, theirs, "hopfieldkit", 0.05, rounds=3)


def test_a_hundred_thousand_recalls_in_one_program(versus):
    """10 000 networks of 100 units, ten recalls of each, beside hopfieldkit with a hundredth."""
    package = pytest.importorskip("hopfieldkit", reason="hopfieldkit is not installed")
    sizes, networks, probes, d = (4, 6, 8, 10, 12), 2000, 10, 100

    @jax.jit
    def scan(key):
        def one(inputs):
            key, count = inputs
            drawn, flipped = jax.random.split(key)
            rows = jax.random.rademacher(drawn, (max(sizes), d), jnp.float32)
            rows = rows * (jnp.arange(max(sizes)) < count)[:, None].astype(jnp.float32)
            memory = MatrixMemory(rows.T @ rows, units="signs", symmetry="positive")
            target = jnp.broadcast_to(rows[0], (probes, d))
            cues = jnp.where(jax.random.bernoulli(flipped, 0.15, target.shape), -target, target)
            return jnp.mean(jnp.all(attrax.retrieve(memory, cues).state == target, axis=1))

        keys = jax.random.split(key, len(sizes) * networks)
        counts = jnp.repeat(jnp.asarray(sizes), networks)
        return jax.lax.map(one, (keys, counts)).reshape(len(sizes), networks).mean(1)

    def hundredth():
        return package.empirical_capacity_scan(d, sizes, n_trials=200, seed=0)["success_rates"]

    key = jax.random.key(0)
    np.testing.assert_allclose(scan(key), hundredth(), atol=0.12)
    versus(lambda: scan(key), hundredth, "hopfieldkit, 1000 recalls", rounds=3)
