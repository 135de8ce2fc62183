"""`retrieve`: the first call, and gradients through fixed points."""

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import data, dynamics, separation, similarity

FIRST_CALL = """
import time, numpy as np, attrax, attrax.stores.rows, attrax.retrieval, jax
x = np.random.default_rng(0).random((1000, 784), dtype=np.float32)
q = x + np.float32(0.1)
start = time.perf_counter()
memory = attrax.Memory(x)
made = time.perf_counter()
jax.block_until_ready(attrax.retrieve(memory, q).state)
print(made - start, time.perf_counter() - made)
"""


def test_first_call_of_retrieve(amounts):
    """In a fresh process, after import, without a compilation cache; the best of three."""
    times = []
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True
        )
        times.append([float(part) for part in run.stdout.split()])
    amounts(min(call for _, call in times), 1.5, "1.5 s", 1.0, "s of first call")


def losses(steps):
    """Sum of squares of the fixed point, implicit and unrolled, as functions of the keys."""
    x = jnp.asarray(data.load("sample").x[:200])
    q = x[:16] + 0.1 * jax.random.normal(jax.random.key(0), x[:16].shape)
    # Warm enough for the fixed point to depend on the keys through the weights.
    separated = separation.Softmax(0.2)

    def memory(keys):
        return attrax.Memory(keys, similarity=similarity.Euclidean(), separation=separated)

    def implicit(keys):
        how = dynamics.FixedPoint(max_steps=steps)
        return jnp.sum(jnp.square(attrax.retrieve(memory(keys), q, how).state))

    def unrolled(keys):
        stored = memory(keys)

        def run(query):
            step = lambda state, _: (stored.pull(state), None)  # noqa: E731
            return jax.lax.scan(step, query, length=steps)[0]

        return jnp.sum(jnp.square(jax.vmap(run)(q)))

    return jax.jit(jax.grad(implicit)), jax.jit(jax.grad(unrolled)), x


def test_implicit_gradient_beside_unrolled(versus):
    implicit, unrolled, x = losses(steps=100)
    versus(lambda: implicit(x), lambda: unrolled(x), "unrolled, 100 steps")


def test_implicit_gradient_memory_beside_unrolled(amounts):
    implicit, unrolled, x = losses(steps=100)
    sizes = [
        function.lower(x).compile().memory_analysis().temp_size_in_bytes
        for function in (implicit, unrolled)
    ]
    amounts(*sizes, "unrolled, 100 steps", None, "B")


def test_retrieve_beside_one_big_vmap(versus):
    """Chunks wait for their own slowest query only."""
    x = jnp.asarray(data.load("sample").x)
    memory = attrax.Memory(x)
    q = x + 0.5 * jax.random.normal(jax.random.key(0), x.shape)
    one = eqx.filter_jit(lambda: attrax.retrieve(memory, q, chunk=1000).state)
    versus(lambda: attrax.retrieve(memory, q).state, one, "chunk=1000")


@pytest.mark.parametrize("sizes", [(1000, 784, 1000), (100_000, 128, 16), (10_000, 784, 256)])
def test_one_read_beside_vmap(versus, sizes):
    """What `retrieve` adds to a read: checks, copies, the best row and how many share a weight."""
    count, width, number = sizes
    rng = np.random.default_rng(0)
    memory = attrax.Memory(rng.random((count, width), dtype=np.float32))
    q = rng.random((number, width), dtype=np.float32)
    one = dynamics.OneRead()
    versus(
        lambda: attrax.retrieve(memory, q, one).state,
        lambda: jax.vmap(memory)(q),
        "vmap(memory)",
        1.15,
    )
