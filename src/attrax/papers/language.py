"""Small language models on the library of the running Python, for systems with memories."""

import functools
import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from ..data import texts
from ..nn import LanguageModel, language_loss, token_losses
from ..training import train

# Bytes.
VOCABULARY = 256
# Modules that are tables of numbers rather than programs.
_TABLES = ("encodings/", "lib2to3/", "pydoc_data/", "test/")


class Corpus(NamedTuple):
    """Documents of bytes: one long text to learn from, and parts of others to be asked.

    - `learnt` (n,): modules one after another.
    - `asked` (D, N + 1): beginnings of modules that are not among them.
    """

    learnt: Int[np.ndarray, " n"]
    asked: Int[np.ndarray, "d n"]


def library(length: int, documents: int, seed: int = 0) -> Corpus:
    """Modules of Python's library, one in ten of which is asked and not learnt.

    **Arguments:**

    - `length`: N, tokens that are asked of a document.
    - `documents`: D, how many are asked.
    - `seed`: which modules these are.
    """
    found = [
        tokens
        for name, tokens in texts(most=1 << 17).items()
        if tokens.size > length and not name.startswith(_TABLES)
    ]
    order = np.random.default_rng(seed).permutation(len(found))
    cut = len(found) // 10
    asked = [found[i][: length + 1].astype(np.int32) for i in order[: min(cut, documents)]]
    learnt = np.concatenate([found[i] for i in order[cut:]])
    return Corpus(learnt, np.stack(asked))


class Learnt(NamedTuple):
    """A model after training: it, the median seconds of a step, and losses of the steps."""

    model: Any
    seconds: float
    losses: Float[np.ndarray, " steps"]


def learn(
    model: Any,
    tokens: Int[np.ndarray, " n"],
    *,
    steps: int,
    segment: int,
    segments: int,
    batch: int,
    seed: int,
    rate: float = 1e-2,
    trainable: Any = None,
) -> Learnt:
    """Train on parts of a text, each read in segments one after another from an empty memory.

    **Arguments:**

    - `model`: a `LanguageModel`, or another of the same call.
    - `tokens`: the text.
    - `steps`: how many.
    - `segment`, `segments`: tokens of a segment, and segments of a part.
    - `batch`: parts a step.
    - `seed`: which parts, in which order.
    - `rate`: of Adam at the start, which falls to a tenth of it by a cosine.
    - `trainable`: as of `train`.
    """
    length = segment * segments

    def batches(step):
        rng = np.random.default_rng((seed, int(step)))
        starts = rng.integers(0, len(tokens) - length, batch)
        return np.stack([tokens[i : i + length + 1] for i in starts]).astype(np.int32)

    ticks = []
    found = train(
        model,
        _loss_of(segment),
        batches,
        steps=steps,
        optimizer=_optimizer(rate, steps),
        trainable=trainable,
        progress=lambda done, steps, loss: ticks.append(time.perf_counter()),
    )
    return Learnt(found.model, float(np.median(np.diff(ticks))), np.asarray(found.losses))


def nats(model: Any, documents: Int[np.ndarray, "d m"], segment: int) -> Float[np.ndarray, "d n"]:
    """−ln p of every token of documents, each read from an empty memory."""
    return np.asarray(_nats(model, jnp.asarray(documents), segment))


@eqx.filter_jit
def _nats(model, documents, segment):
    return jax.lax.map(lambda tokens: token_losses(model, tokens, segment), documents, batch_size=8)


# One loss and one optimiser for all seeds, so that their steps are compiled once.
@functools.cache
def _optimizer(rate: float, steps: int):
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.cosine_decay_schedule(rate, steps, 0.1)),
    )


@functools.cache
def _loss_of(segment: int):
    def loss(model, batch: Int[Array, "b n"]):
        return jnp.mean(jax.vmap(lambda tokens: language_loss(model, tokens, segment))(batch))

    return loss


def decoder(
    contexts: Any,
    *,
    seed: int,
    size: int,
    layers: int,
    heads: int,
    feedforward: int | None = None,
) -> LanguageModel:
    """A decoder of bytes, whose weights at the start do not depend on its memories."""
    return LanguageModel(
        VOCABULARY,
        size,
        layers=layers,
        heads=heads,
        feedforward=feedforward,
        contexts=contexts,
        key=jax.random.key(seed),
    )
