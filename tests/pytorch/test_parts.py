"""Every public similarity and separation goes through the door with its outputs and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import attrax  # noqa: E402
import attrax.torch  # noqa: E402
from conformance import registry  # noqa: E402


def check(layer, rows):
    """Outputs, gradients of inputs, and what comes back, against JAX itself."""
    module, tensor = attrax.torch.Module(layer), torch.from_numpy(np.array(rows)).requires_grad_()
    found = module(tensor)
    expected, pull = jax.vjp(lambda rows: jax.vmap(layer)(rows), rows)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-5, atol=1e-6)
    found.sum().backward()
    (slope,) = pull(jnp.ones_like(expected))
    np.testing.assert_allclose(tensor.grad, slope, rtol=1e-4, atol=1e-5)
    assert jax.tree.structure(module.module()) == jax.tree.structure(layer)


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_separations(name):
    separation = registry.ALL_SEPARATIONS[name]
    check(separation, registry.scores_of(separation, 2, np.random.default_rng(0)))


@pytest.mark.parametrize("name", registry.ALL_SIMILARITIES)
def test_similarities(name):
    similarity = registry.ALL_SIMILARITIES[name]
    rows = registry.rows_of(similarity, np.random.default_rng(1))
    memory = attrax.Memory(rows, similarity=similarity, separation=attrax.separation.Max())
    check(memory, rows[:2])
