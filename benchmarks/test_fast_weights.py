"""The delta rule in chunks beside token by token, and beside PyTorch, forward and with slopes.

`ATTRAX_RIVAL_FLA` names a checkout of flash-linear-attention, whose plain reference in PyTorch is
a rival too; it needs einops.
"""

import importlib.util
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import fast_weights

LENGTH, SIZE, CHUNK = 4096, 64, 64


@pytest.fixture(params=[2, 4], ids="{} heads".format)
def tokens(request):
    """Queries, unit keys, values and rates, (heads, L, ·)."""
    rng = np.random.default_rng(0)
    queries, keys, values = rng.normal(size=(3, request.param, LENGTH, SIZE))
    keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
    rates = rng.uniform(size=(request.param, LENGTH))
    return tuple(np.asarray(x, np.float32) for x in (queries, keys, values, rates))


def read(queries, keys, values, rates, chunk):
    """What all heads read."""

    def of_head(queries, keys, values, rate):
        return fast_weights(queries, keys, values, rate=rate, chunk=chunk)[0]

    return jax.vmap(of_head)(queries, keys, values, rates)


def program(tokens, chunk, slopes):
    """A function of no arguments that reads, or gives the slopes of a sum of squares."""
    arrays = tuple(map(jnp.asarray, tokens))

    def loss(*arrays):
        return jnp.sum(jnp.square(read(*arrays, chunk)))

    compiled = jax.jit(
        jax.grad(loss, argnums=(0, 1, 2, 3)) if slopes else lambda *x: read(*x, chunk)
    )
    return lambda: compiled(*arrays)


def in_torch(torch, tokens, function, slopes):
    """The same of a function of tensors (1, heads, L, ·)."""
    tensors = [torch.from_numpy(x)[None].requires_grad_(slopes) for x in tokens]

    def call():
        if not slopes:
            with torch.no_grad():
                return function(*tensors)
        outputs = function(*tensors)
        return torch.autograd.grad(outputs.square().sum(), tensors)

    return call


def chunks_in_torch(torch):
    """Chunks by PyTorch's triangular solver."""

    def run(queries, keys, values, rates):
        heads = keys.shape[1]
        queries, keys, values = (x.reshape(heads, -1, CHUNK, SIZE) for x in (queries, keys, values))
        rates = rates.reshape(heads, -1, CHUNK, 1)
        below = torch.tril(rates * keys @ keys.mT, -1) + torch.eye(CHUNK)
        both = torch.cat([rates * values, rates * keys], -1)
        solved = torch.linalg.solve_triangular(below, both, upper=False, unitriangular=True)
        changes, erased = solved[..., :SIZE], solved[..., SIZE:]
        within = torch.tril(queries @ keys.mT)
        state, outputs = torch.zeros(heads, SIZE, SIZE), []
        for i in range(keys.shape[1]):
            change = changes[:, i] - erased[:, i] @ state
            outputs.append(queries[:, i] @ state + within[:, i] @ change)
            state = state + keys[:, i].mT @ change
        return torch.stack(outputs, 1).reshape(1, heads, LENGTH, SIZE)

    return run


@pytest.mark.parametrize("slopes", [False, True], ids=["forward", "with slopes"])
def test_chunks_beside_tokens(versus, tokens, slopes):
    ours, theirs = (program(tokens, chunk, slopes) for chunk in ("auto", None))
    versus(ours, theirs, "token by token", 0.2)


@pytest.mark.parametrize("slopes", [False, True], ids=["forward", "with slopes"])
def test_chunks_beside_torch(versus, torch, tokens, slopes):
    theirs = in_torch(torch, tokens, chunks_in_torch(torch), slopes)
    ours = program(tokens, "auto", slopes)
    if not slopes:
        np.testing.assert_allclose(ours(), theirs()[0].numpy(), atol=1e-3)
    versus(ours, theirs, "torch, solve_triangular", 1.0)


@pytest.mark.parametrize("slopes", [False, True], ids=["forward", "with slopes"])
def test_chunks_beside_the_reference(versus, torch, tokens, slopes):
    pytest.importorskip("einops", reason="einops is not installed, which the rival needs")
    folder = os.environ.get("ATTRAX_RIVAL_FLA")
    if folder is None:
        pytest.skip("set ATTRAX_RIVAL_FLA to a checkout of flash-linear-attention")
    path = Path(folder) / "fla" / "ops" / "delta_rule" / "naive.py"
    spec = importlib.util.spec_from_file_location("fla_naive", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def reference(*tensors):
        return module.delta_rule_chunkwise(*tensors, chunk_size=CHUNK)[0]

    theirs = in_torch(torch, tokens, reference, slopes)
    ours = program(tokens, "auto", slopes)
    if not slopes:
        expected = np.sqrt(SIZE) * theirs()[0].numpy()
        np.testing.assert_allclose(ours(), expected, atol=1e-3)
    versus(ours, theirs, "flash-linear-attention's reference", 1.0, rounds=3)
