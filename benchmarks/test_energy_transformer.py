"""The energy transformer: a step, and learning through steps, beside the formula by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.nn import EnergyTransformer

TOKENS, SIZE, HEADS, BATCH = 65, 128, 4, 8


def by_hand(block, x):
    """One step, with the slope of the energy as the paper writes it."""
    queries, keys, memories = block.attention.queries, block.attention.keys, block.memories
    centred = x - jnp.mean(x, -1, keepdims=True)
    spread = jnp.sqrt(jnp.mean(centred**2, -1, keepdims=True) + 1e-5)
    g = block.norm.gamma * centred / spread + block.norm.delta
    k, q = (jnp.einsum("nd,hzd->hnz", g, w) for w in (keys, queries))
    scores = block.attention.beta * jnp.einsum("htz,hsz->hts", q, k)
    scores = jnp.where(jnp.eye(len(x), dtype=bool), -jnp.inf, scores)
    shares = jax.nn.softmax(scores, axis=-1)
    asking = jnp.einsum("htz,hzd->td", jnp.einsum("hts,hsz->htz", shares, k), queries)
    asked = jnp.einsum("hsz,hzd->sd", jnp.einsum("hts,htz->hsz", shares, q), keys)
    recalled = jax.nn.relu(g @ memories.T) @ memories
    return x + block.alpha * (asking + asked + recalled)


def drawn(steps):
    block = EnergyTransformer(SIZE, heads=HEADS, steps=steps, key=jax.random.key(0))
    return block, jax.random.normal(jax.random.key(1), (BATCH, TOKENS, SIZE))


def test_a_step_beside_the_closed_form(versus):
    block, x = drawn(1)
    ours = eqx.filter_jit(lambda block, x: jax.vmap(block)(x))
    theirs = eqx.filter_jit(lambda block, x: jax.vmap(lambda x: by_hand(block, x))(x))
    np.testing.assert_allclose(ours(block, x), theirs(block, x), rtol=1e-4, atol=1e-5)
    versus(lambda: ours(block, x), lambda: theirs(block, x), "closed form by hand", 1.1)


def test_a_gradient_through_steps_beside_the_closed_form(versus):
    """Twelve steps, both with a checkpoint at each."""
    block, x = drawn(12)

    def descended(block, x):
        step = jax.checkpoint(lambda x, _: (by_hand(block, x), None), prevent_cse=False)
        return jax.lax.scan(step, x, None, length=12)[0]

    def slope(run):
        return eqx.filter_jit(
            eqx.filter_grad(lambda block, x: jnp.mean(jax.vmap(lambda x: run(block, x))(x) ** 2))
        )

    ours, theirs = slope(lambda block, x: block(x)), slope(descended)
    found, wanted = ours(block, x).memories, theirs(block, x).memories
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
    versus(lambda: ours(block, x), lambda: theirs(block, x), "closed form by hand")
