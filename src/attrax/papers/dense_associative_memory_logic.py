"""Dense memories, exactly: energies in whole numbers, the logic of XOR, and the dual network."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import Asynchronous
from ..models import DenseClassifier, dense_memory, train_dense_classifier
from ..retrieval import retrieve

# (degree, rectified): those that can tell XOR, by the paper, and those that cannot.
SOLVE = ((3, False), (5, False), (2, True), (3, True), (4, True))
CANNOT = ((2, False), (4, False))


def _power(overlap: int, degree: int, rectified: bool) -> int:
    return max(overlap, 0) ** degree if rectified else overlap**degree


def descents(degree: int, rectified: bool, starts: int, seed: int) -> tuple[int, int, float]:
    """How often a change of a unit does not lower −Σ F, in whole numbers, of how many changes.

    Units go where the memory drives them, in the order of the visits of `Asynchronous`; the third
    number is the share of its sweeps that end in the same state.
    """
    rng = np.random.default_rng(seed + degree)
    rows = rng.choice([-1, 1], (40, 24))
    states, order = rng.choice([-1, 1], (starts, 24)), rng.permutation(24)
    memory = dense_memory(rows, degree, rectified=rectified)
    found = retrieve(memory, states, Asynchronous(order, max_steps=40), path=True)

    def energy(state):
        return -sum(_power(int(r), degree, rectified) for r in rows @ state)

    rises = changes = 0
    agree = []
    for path in np.asarray(found.path).astype(np.int64):
        for before, after in itertools.pairwise(path):
            state = before.copy()
            for i in order:
                side = np.sign(float(_drive(memory, jnp.asarray(state, memory.dtype))[i]))
                if side not in (0, state[i]):
                    other = state.copy()
                    other[i] = -state[i]
                    changes += 1
                    rises += int(energy(other) >= energy(state))
                    state = other
            agree.append(np.array_equal(state, after))
            if np.array_equal(before, after):
                break
    return rises, changes, float(np.mean(agree))


# Called for every unit, which is where `eqx.filter_jit` would take longer than the drive.
@jax.jit
def _drive(memory, state):
    return memory.drive(state)


def xor() -> dict[tuple[int, bool], float]:
    """For each kind the share of the four inputs (x, y) whose third unit takes −xy.

    It must do so from both of its states.
    """
    return {kind: float(share) for kind, share in zip(_KINDS, _xor(), strict=True)}


_KINDS = (*SOLVE, *CANNOT)


@jax.jit
def _xor():
    rows = jnp.array([[-1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
    other = rows * jnp.array([[1.0, 1.0, -1.0]])

    def third(memory, starts):
        return jax.vmap(memory.pull)(starts)[:, 2] == rows[:, 2]

    shares = []
    for degree, rectified in _KINDS:
        memory = dense_memory(rows, degree, rectified=rectified)
        shares.append(jnp.mean((third(memory, rows) & third(memory, other)).astype(rows.dtype)))
    return shares


def dual(epsilons: Sequence[float], seed: int) -> np.ndarray:
    """The largest difference of c from the network with one hidden layer, for each ε.

    Of 100 random images by 50 random memories, n = 3; c takes all values between −1 and 1.
    """
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        memories, rows = rng.normal(0, 0.3, (50, 74)), jnp.asarray(rng.uniform(-1, 1, (100, 64)))

        @jax.jit
        def differences(epsilon):
            network = DenseClassifier(memories, 10, 3, temperature=5.0, epsilon=epsilon)
            read = jax.vmap(network.as_memory())(rows)
            feed_forward = jnp.tanh(2 * network.degree / network.temperature * read)
            return jnp.max(jnp.abs(jax.vmap(network)(rows) - feed_forward))

        return np.array([float(differences(jnp.asarray(e, jnp.float64))) for e in epsilons])


def beside_formulas(steps: int, seed: int) -> float:
    """The largest difference of a weight after some steps of training from the paper's formulas.

    These are worked out here label by label in NumPy, n = 20 and m = 30, in double precision.
    """
    rng = np.random.default_rng(seed)
    n, m, temperature, pixels, classes, count = 20, 30, 30.0, 40, 3, 60
    x, y = rng.uniform(-1, 0.5, (count, pixels)), rng.integers(0, classes, count)
    memories = rng.normal(-0.3, 0.3, (7, pixels + classes))
    with jax.enable_x64(True):
        classifier = DenseClassifier(memories, classes, n, temperature=temperature)
        trained = train_dense_classifier(
            classifier, x, y, epochs=steps, power=m, batch_size=count, key=jax.random.key(seed)
        )
        found = np.asarray(trained.model.memories)
    velocity = np.zeros_like(memories)
    resting = np.concatenate([x, -np.ones((count, classes))], axis=1)
    for step in range(steps):
        slope = np.zeros_like(memories)
        below = np.maximum(resting @ memories.T, 0) / temperature
        for label in range(classes):
            raised = resting.copy()
            raised[:, pixels + label] = 1
            above = np.maximum(raised @ memories.T, 0) / temperature
            c = np.tanh(np.sum(above**n - below**n, axis=1))
            t = np.where(y == label, 1.0, -1.0)
            outer = 2 * m * n / temperature * (c - t) ** (2 * m - 1) * (1 - c) * (1 + c)
            slope += (outer[:, None] * above ** (n - 1)).T @ raised
            slope -= (outer[:, None] * below ** (n - 1)).T @ resting
        velocity = 0.6 * velocity - slope
        largest = np.maximum(np.abs(velocity).max(axis=1, keepdims=True), 1e-30)
        memories = np.clip(memories + 0.04 * 0.998**step * velocity / largest, -1, 1)
    return float(np.abs(found - memories).max())
