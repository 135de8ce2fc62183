"""What it costs to call a layer of JAX from PyTorch: the door beside the call in JAX alone.

A thread of PyTorch that waits takes a core from XLA, so that both sides have one thread of it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LAYERS = {
    "perceptron": (eqx.nn.MLP(4, 3, 5, 1, key=KEY), [(5, 4)]),
    "attention": (eqx.nn.MultiheadAttention(4, 64, key=KEY), [(8, 32, 64)] * 3),
    "memory": (
        attrax.Memory(
            RNG.standard_normal((200, 64), dtype=np.float32),
            separation=attrax.separation.Softmax(4.0),
        ),
        [(32, 64)],
    ),
}


@pytest.fixture
def alone(torch):
    """PyTorch with one thread, for this test."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("backward", [False, True])
def test_a_call_from_torch_beside_jax(versus, alone, name, backward):
    import attrax.torch

    torch = alone
    layer, shapes = LAYERS[name]
    inputs = [RNG.standard_normal(shape, dtype=np.float32) for shape in shapes]
    arrays, static = eqx.partition(layer, eqx.is_array)

    def outputs(arrays, *inputs):
        return jax.vmap(eqx.combine(arrays, static))(*inputs)

    def total(arrays, *inputs):
        return jnp.sum(outputs(arrays, *inputs))

    every = tuple(range(1 + len(inputs)))
    theirs = jax.jit(jax.value_and_grad(total, argnums=every) if backward else outputs)
    given = [jnp.asarray(each) for each in inputs]
    module = attrax.torch.Module(layer).eval().requires_grad_(backward)
    tensors = [torch.from_numpy(each).requires_grad_(backward) for each in inputs]

    def ours():
        found = module(*tensors)
        if backward:
            for each in (*tensors, *module.parameters()):
                each.grad = None
            found.sum().backward()

    versus(ours, lambda: theirs(arrays, *given), "the same in JAX")
