"""Documents of random definitions that are looked up later, and models that must remember them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from attrax.nn import LanguageModel, NearestMemory, token_losses
from attrax.training import train

# A segment is 4 definitions, then 14 lookups: a key, and its value as the next token.
SEGMENT, SEGMENTS, DEFINED, ASKED, GAP = 32, 5, 4, 14, 4
KEYS, VALUES = DEFINED * SEGMENTS, 4
# One token a definition, one a key that is asked, one a value.
VOCABULARY = KEYS * VALUES + KEYS + VALUES
CHANCE = 1 / VALUES


def documents(rng: np.random.Generator, count: int) -> Int[np.ndarray, "b n"]:
    """Documents in which every key is defined once, with a value that is drawn for it alone.

    A segment asks its own keys, but the last one first asks those that were defined 4 before it.
    """
    order = np.broadcast_to(np.arange(KEYS), (count, KEYS))
    keys = rng.permuted(order, axis=1).reshape(count, SEGMENTS, DEFINED)
    values = rng.integers(0, VALUES, keys.shape)
    own = rng.integers(0, DEFINED, (count, SEGMENTS, ASKED))
    begin = np.repeat(np.arange(SEGMENTS)[:, None], ASKED, axis=1)
    own[:, GAP, :DEFINED] = np.arange(DEFINED)
    begin[GAP, :DEFINED] = 0
    rows = np.arange(count)[:, None, None]
    asked = KEYS * VALUES + keys[rows, begin[None], own]
    answers = KEYS * VALUES + KEYS + values[rows, begin[None], own]
    defined = keys * VALUES + values
    lookups = np.stack([asked, answers], axis=-1).reshape(count, SEGMENTS, -1)
    tokens = np.concatenate([defined, lookups], axis=2).reshape(count, -1)
    return np.concatenate([tokens, tokens[:, :1]], axis=1).astype(np.int32)


def lookups(per_token: Any) -> Any:
    """What stands at the key of each lookup, where its value is predicted: (..., segment, 14)."""
    shape = (*per_token.shape[:-1], SEGMENTS, SEGMENT)
    return per_token.reshape(shape)[..., DEFINED::2]


def far(per_token: Any) -> Any:
    """What stands at the keys of the last segment that were defined in the first one."""
    return lookups(per_token)[..., GAP, :DEFINED]


def model_of(capacity: int, seed: int) -> LanguageModel:
    """One layer that has a bank of so many pairs; none of capacity 0.

    A definition is embedded as the sum of its key and its value, and embeddings stay as they are.
    At the start maps of queries and keys are the same.
    """
    memory, key = NearestMemory(capacity, heads=4, k=4) if capacity else None, jax.random.key(seed)
    model = LanguageModel(VOCABULARY, 48, layers=1, heads=4, contexts=memory, key=key)
    asked, answers = model.embedding[-KEYS - VALUES : -VALUES], model.embedding[-VALUES:]
    defined = (asked[:, None] + answers[None]).reshape(-1, 48)

    def chosen(model):
        return model.embedding, model.blocks[0].attention.key_map.weight

    embedding = jnp.concatenate([defined, asked, answers])
    return eqx.tree_at(chosen, model, (embedding, model.blocks[0].attention.query_map.weight))


def enlarged(model: LanguageModel, capacity: int, at: int) -> LanguageModel:
    """The same weights with a bank of another capacity."""
    old = model.blocks[at].context
    assert isinstance(old, NearestMemory)
    heads = model.blocks[at].attention.heads
    new = NearestMemory(capacity, heads=heads, k=old.k, gate=old.gate, cache=old.cache)
    new = eqx.tree_at(lambda new: (new.bias, new.beta), new, (old.bias, old.beta))
    return eqx.tree_at(lambda model: model.blocks[at].context, model, new)


def loss(model: LanguageModel, batch: Int[Array, "b n"]) -> Float[Array, ""]:
    """Nats of values that are looked up far away, and of all, in equal parts."""
    nats = jax.vmap(lambda tokens: token_losses(model, tokens, SEGMENT))(batch)
    return jnp.mean(far(nats)) + jnp.mean(lookups(nats))


class Learnt(NamedTuple):
    """A model after training, and its loss in each step."""

    model: LanguageModel
    losses: Float[np.ndarray, " steps"]


def learn(capacity: int, seed: int, steps: int, rate: float = 1e-2) -> Learnt:
    """A model that has seen 8 documents a step."""

    def batches(step):
        return documents(np.random.default_rng((seed, int(step))), 8)

    schedule = optax.cosine_decay_schedule(rate, steps, 0.1)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))
    found = train(
        model_of(capacity, seed),
        loss,
        batches,
        steps=steps,
        optimizer=optimizer,
        trainable=lambda model: (model.blocks, model.norm),
    )
    return Learnt(found.model, np.asarray(found.losses))


def answered(model: LanguageModel, documents: Int[np.ndarray, "b n"]) -> Bool[np.ndarray, "b f"]:
    """Which far lookups have their value as the most probable token."""
    return far(np.asarray(_right(model, jnp.asarray(documents))))


@eqx.filter_jit
def _right(model, documents):
    def step(state, inputs):
        given, wanted = inputs
        found = model(given, state)
        return found.state, jnp.argmax(found.logits, axis=-1) == wanted

    def one(tokens):
        given, wanted = (x.reshape(SEGMENTS, SEGMENT) for x in (tokens[:-1], tokens[1:]))
        return jax.lax.scan(step, model.start(), (given, wanted))[1].reshape(-1)

    return jax.lax.map(one, documents, batch_size=8)
