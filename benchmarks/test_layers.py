"""Layers of `attrax.nn` beside PyTorch's fused attention, JAX's own, and hflayers.

hflayers is not on an index: `ATTRAX_RIVAL_HFLAYERS` names a checkout of hopfield-layers.
"""

import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import nn
from attrax.separation import Softmax
from attrax.separation.attention import attend

SIZES = [(8, 512), (2, 2048)]
HEADS, WIDTH = 8, 64
LAYER = (32, 1024, 64)
ROOT = Path(__file__).parent.parent


def arrays(batch, count, parts=4):
    rng = np.random.default_rng(0)
    shape = (batch, HEADS, count, WIDTH)
    return [rng.standard_normal(shape).astype(np.float32) for _ in range(parts)]


def reader(backward):
    """What reads all heads of a batch, and the slopes of a sum of it."""
    separation = Softmax(WIDTH**-0.5)

    def read(q, k, v):
        one = lambda q, k, v: attend(separation, q, k, v).value  # noqa: E731
        return jax.vmap(jax.vmap(one))(q, k, v)

    if not backward:
        return jax.jit(lambda q, k, v, c: read(q, k, v))
    return jax.jit(lambda q, k, v, c: jax.vjp(read, q, k, v)[1](c))


def torch_reader(torch, q, k, v, c, backward):
    tensors = [torch.from_numpy(x).requires_grad_(backward) for x in (q, k, v)]
    fused, cotangent = torch.nn.functional.scaled_dot_product_attention, torch.from_numpy(c)

    def forward():
        with torch.no_grad():
            return fused(*tensors)

    def both():
        return torch.autograd.grad(fused(*tensors), tensors, cotangent)

    return both if backward else forward


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("batch", "count"), SIZES)
def test_a_read_beside_torch(versus, torch, batch, count, backward):
    given = arrays(batch, count)
    inputs = [jnp.asarray(x) for x in given]
    read, theirs = reader(backward), torch_reader(torch, *given, backward)
    versus(lambda: read(*inputs), theirs, "torch's fused attention", 1.6 if backward else 1.5)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("batch", "count"), SIZES)
def test_a_read_beside_jax(versus, batch, count, backward):
    inputs = [jnp.asarray(x) for x in arrays(batch, count)]
    swapped = [jnp.swapaxes(x, 1, 2) for x in inputs]

    def forward(q, k, v):
        return jax.nn.dot_product_attention(q, k, v)

    theirs = jax.jit(
        (lambda q, k, v, c: jax.vjp(forward, q, k, v)[1](c))
        if backward
        else (lambda q, k, v, c: forward(q, k, v))
    )
    read = reader(backward)
    versus(lambda: read(*inputs), lambda: theirs(*swapped), "jax.nn.dot_product_attention", 1.0)


@pytest.mark.parametrize(("batch", "count"), SIZES)
def test_a_read_beside_its_products(versus, batch, count):
    """How far a read is from its two matrix products alone."""
    q, k, v, c = (jnp.asarray(x) for x in arrays(batch, count))

    @jax.jit
    def products(q, k, v):
        def one(group):
            q, k, v = group
            return (q @ k.T) @ v

        groups = [x.reshape(-1, *x.shape[2:]) for x in (q, k, v)]
        return jax.lax.map(one, tuple(groups))

    read = reader(False)
    versus(lambda: read(q, k, v, c), lambda: products(q, k, v), "(q Kᵀ) V, no softmax")


@pytest.mark.parametrize(("batch", "count"), SIZES)
def test_a_read_with_backward_beside_its_products(versus, batch, count):
    """The limit: seven products of each head, two forward, and five to come back."""
    q, k, v, c = (jnp.asarray(x) for x in arrays(batch, count))

    @jax.jit
    def products(q, k, v, c):
        def some(keys, values):
            def step(sums, part):
                q, c = part
                scores, slopes = keys @ q.T, values @ c.T
                change = scores.T @ values, scores.T @ keys
                new = slopes @ q, scores @ c
                return jax.tree.map(jnp.add, sums, new), (change, slopes.T @ keys)

            return step

        def one(group):
            q, k, v, c = group
            parts = [x.reshape(-1, 256, WIDTH) for x in (q, c)]
            return jax.lax.scan(some(k, v), (jnp.zeros_like(k), jnp.zeros_like(v)), tuple(parts))

        groups = [x.reshape(-1, *x.shape[2:]) for x in (q, k, v, c)]
        return jax.lax.map(one, tuple(groups))

    read = reader(True)
    versus(lambda: read(q, k, v, c), lambda: products(q, k, v, c), "its seven products")


@pytest.fixture(scope="module")
def hflayers(torch):
    folder = os.environ.get("ATTRAX_RIVAL_HFLAYERS")
    if folder is None:
        pytest.skip("set ATTRAX_RIVAL_HFLAYERS to a checkout of hopfield-layers")
    sys.path.insert(0, folder)
    return pytest.importorskip("hflayers")


def both_layers(torch, hflayers, updates):
    """The same layer in both libraries, with its forward and backward pass."""
    batch, count, width = LAYER
    module = hflayers.Hopfield(input_size=width, num_heads=1, update_steps_max=updates)
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    layer = nn.from_hflayers(weights, update_steps_max=updates)
    x = np.random.default_rng(0).standard_normal((batch, count, width)).astype(np.float32)
    rows, tensor = jnp.asarray(x), torch.from_numpy(x).requires_grad_()

    @eqx.filter_jit
    def slopes(layer, rows):
        def total(inputs):
            layer, rows = inputs
            return jnp.sum(jnp.square(jax.vmap(layer)(rows)))

        return eqx.filter_grad(total)((layer, rows))

    compiled = slopes.lower(layer, rows).compile()

    def theirs():
        module.zero_grad()
        tensor.grad = None
        module(tensor).square().sum().backward()
        return tensor.grad

    return lambda: jax.tree.leaves(compiled(layer, rows)), theirs, compiled.compiled


@pytest.mark.parametrize(("updates", "target"), [(0, 0.6), (3, 0.15)])
def test_a_layer_with_backward_beside_hflayers(versus, torch, hflayers, updates, target):
    ours, theirs, _ = both_layers(torch, hflayers, updates)
    versus(ours, theirs, f"hflayers, {updates} updates", target)


MEMORY = """
import sys
from pathlib import Path
sys.path.insert(0, "benchmarks")
import test_layers
import torch
sys.path.insert(0, sys.argv[2])
import hflayers
_, theirs, _ = test_layers.both_layers(torch, hflayers, int(sys.argv[1]))


def amount(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


# What the compiler took is forgotten: the most is counted from here.
Path("/proc/self/clear_refs").write_text("5")
before = amount("VmRSS")
theirs()
print((amount("VmHWM") - before) * 1024)
"""


@pytest.mark.parametrize("updates", [0, 3])
def test_memory_with_backward_beside_hflayers(amounts, torch, hflayers, updates):
    """What one call takes above inputs and weights: of attrax by the compiled program's own
    account, and of hflayers by what its process grows by."""
    account = both_layers(torch, hflayers, updates)[2].memory_analysis()
    command = [sys.executable, "-c", MEMORY, str(updates), os.environ["ATTRAX_RIVAL_HFLAYERS"]]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    ours = account.temp_size_in_bytes + account.output_size_in_bytes
    amounts(float(ours), float(run.stdout), f"hflayers, {updates} updates", 0.25, "B")
