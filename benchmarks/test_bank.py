"""Banks beside PyTorch, writes beside smaller banks, and steps beside a model without one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.nn import Bank, LanguageModel, NearestMemory
from attrax.separation import Softmax, TopK

HEADS, SIZE, BEST = 8, 64, 32
PAIRS, QUERIES = 262_144, 256


def rows(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture(scope="module")
def pairs():
    """Keys and values of 262,144 pairs a head, and queries."""
    shape = HEADS, PAIRS, SIZE
    return rows(0, *shape), rows(1, *shape), rows(2, HEADS, QUERIES, SIZE)


def reading(pairs, separation):
    """A function of no arguments that reads a full bank."""
    keys, values, queries = map(jnp.asarray, pairs)
    bank = Bank(PAIRS, SIZE, SIZE, heads=HEADS).write(keys, values)
    read = eqx.filter_jit(lambda bank, queries: bank.read(queries, separation).value)
    return lambda: read(bank, queries)


def in_torch(torch, pairs, beta):
    """The same: products, the best, their values, a softmax."""
    keys, values, queries = (torch.from_numpy(x) for x in pairs)

    def read():
        with torch.no_grad():
            out = []
            for head in range(HEADS):
                scores, index = torch.topk(queries[head] @ keys[head].T, BEST)
                weights = torch.softmax(beta * scores, dim=-1)
                out.append(torch.einsum("sk,skv->sv", weights, values[head][index]))
            return torch.stack(out)

    return read


def test_read_beside_torch(versus, torch, pairs):
    ours, theirs = reading(pairs, TopK(BEST, Softmax(0.125))), in_torch(torch, pairs, 0.125)
    np.testing.assert_allclose(ours(), theirs().numpy(), atol=1e-3)
    versus(ours, theirs, "torch", 0.5, rounds=3)


def test_read_beside_its_product(versus, pairs):
    """The products of keys and queries alone, one head after another."""
    keys, _, queries = map(jnp.asarray, pairs)
    # A maximum, as the scores of all heads would fill 2 GiB.
    best = jax.jit(
        lambda queries, keys: jax.lax.map(
            lambda both: jnp.max(both[0] @ both[1].T, axis=1), (queries, keys)
        )
    )
    ours = reading(pairs, TopK(BEST, Softmax(0.125)))
    versus(ours, lambda: best(queries, keys), "products and a maximum", None, rounds=3)


def test_write_beside_a_small_bank(versus):
    """32 rows a head, in place, into 262,144 places and 4096."""
    new, values = jnp.asarray(rows(0, HEADS, 32, SIZE)), jnp.asarray(rows(1, HEADS, 32, SIZE))
    write = eqx.filter_jit(lambda rows, bank: bank.write(*rows), donate="all-except-first")

    def writing(capacity):
        held = [Bank(capacity, SIZE, SIZE, heads=HEADS)]

        def again():
            for _ in range(100):
                held[0] = write((new, values), held[0])
            return held[0].count

        return again

    versus(writing(PAIRS), writing(4096), "4096 places", 1.2)


def test_step_beside_no_bank(versus):
    """A step of training, width 256, segments of 256 tokens, with a full bank of 65,536 pairs."""
    size, segment, batch, heads = 256, 256, 4, 4
    rng, optimizer = np.random.default_rng(0), optax.adam(1e-3)
    tokens = jnp.asarray(rng.integers(0, 256, (batch, segment + 1)))

    def stepping(memory):
        contexts = (None, memory, None, None)
        key = jax.random.key(0)
        model = LanguageModel(256, size, layers=4, heads=heads, contexts=contexts, key=key)
        state = jax.vmap(lambda _: model.start())(jnp.zeros(batch))
        if memory is not None:
            banks = state[1][0]
            keys = rows(1, *banks.keys.shape)
            keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
            banks = jax.vmap(lambda bank, keys, values: bank.write(keys, values))(
                banks, keys, rows(2, *banks.values.shape)
            )
            state = (state[0], (banks, state[1][1]), *state[2:])
        moments = optimizer.init(eqx.filter(model, eqx.is_inexact_array))

        def loss(model, state, tokens):
            logits, state, _ = jax.vmap(lambda tokens, state: model(tokens, state))(
                tokens[:, :-1], state
            )
            nats = optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:])
            return jnp.mean(nats), state

        @eqx.filter_jit(donate="all-except-first")
        def step(tokens, model, state, moments):
            slopes, state = eqx.filter_grad(loss, has_aux=True)(model, state, tokens)
            changes, moments = optimizer.update(slopes, moments)
            return eqx.apply_updates(model, changes), state, moments

        held = [(model, state, moments)]

        def again():
            held[0] = step(tokens, *held[0])
            return held[0][0].embedding

        return again

    ours = stepping(NearestMemory(65_536, heads=heads, k=BEST))
    versus(ours, stepping(None), "no bank", 1.5, rounds=3)
