"""Measurements of Universal Hopfield Networks that are no sweep: instances, energy, reasons."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ..data import random_patterns
from ..evaluate import scores
from ..separation import Identity, Power, Softmax, SumNormalised, Threshold, TopK
from ..similarity import Cosine, Dot, Euclidean, Hamming, JensenShannon, KullbackLeibler
from ..stores.rows import Memory
from .universal_experiments import SIMILARITIES

_STEP, _STEPS = 2e-3, 5000


def instances(key: jax.Array, n: int = 16, d: int = 64) -> dict[str, float]:
    """How far each model of the taxonomy is from an independent one-step NumPy implementation.

    **Returns:** for each model max |difference| / max |read|, over 8 queries.
    """
    binary = np.asarray(random_patterns(n + 8, d, kind="binary", key=key))
    smooth = np.asarray(random_patterns(n + 8, d, kind="unit", key=key))
    radius, beta, k = 28.0, 8.0, 3

    def softmax(x, q):
        e = np.exp(beta * (x @ q) - np.max(beta * (x @ q)))
        return x.T @ (e / e.sum())

    def dictionary(x, q):
        s = 1 / ((x - q) ** 2).sum(1)
        best = np.argsort(-s)[:k]
        return s[best] / s[best].sum() @ x[best]

    models = {
        "classical Hopfield": (binary, Dot(), Identity(), lambda x, q: (x.T @ x) @ q),
        "sparse distributed memory": (
            binary,
            Hamming(),
            Threshold(-radius),
            lambda x, q: x[(x != q).sum(1) <= radius].sum(0),
        ),
        "dense associative memory": (binary, Dot(), Power(3), lambda x, q: (x @ q) ** 3 @ x),
        "modern Hopfield": (smooth, Dot(), Softmax(beta), softmax),
        "differentiable dictionary": (
            smooth,
            Euclidean("reciprocal"),
            TopK(k, SumNormalised(Identity())),
            dictionary,
        ),
    }
    apart = {}
    for name, (rows, similarity, separation, step) in models.items():
        stored, queries = rows[:n], rows[n:]
        memory = Memory(stored, similarity=similarity, separation=separation)
        ours = np.asarray(jax.vmap(memory)(jnp.asarray(queries)), np.float64)
        wide = stored.astype(np.float64)
        theirs = np.stack([step(wide, query.astype(np.float64)) for query in queries])
        apart[name] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return apart


def lyapunov_rise(similarity, separation, key: jax.Array, n: int = 12, d: int = 6) -> float:
    """The largest rise of the energy E(v, h) along the neural dynamics, from 16 random starts.

    E = R(v) + h·f − L(h) − f·s(v) with f = separation(h) = ∇L, τ_h ḣ = s(v) − h and
    τ_v v̇ = J_s(v)ᵀ f − ∇R(v), by Euler's method with a step of 1/350 of τ_v.

    **Returns:** the largest difference of successive energies over the largest term of E.
    """
    own, start = jax.random.split(key)
    keys = jax.random.uniform(own, (n, d), minval=0.1)
    starts = jax.random.uniform(start, (16, d), minval=0.1)

    def terms(state):
        v, h = state
        rates = separation(h)
        drawn = jnp.vdot(rates, similarity(keys, v))
        return jnp.stack(
            [similarity.state_term(v), jnp.vdot(h, rates), -separation.potential(h), -drawn]
        )

    def field(state):
        v, h = state
        scored, back = jax.vjp(lambda v: similarity(keys, v), v)
        pull = back(separation(h))[0] - jax.grad(similarity.state_term)(v)
        return pull / 0.7, scored - h

    def step(state, _):
        moved = jax.tree.map(lambda x, slope: x + _STEP * slope, state, field(state))
        return moved, terms(state)

    def path(v):
        return jax.lax.scan(step, (v, jnp.zeros((n,), v.dtype)), length=_STEPS)[1]

    parts = jax.jit(jax.vmap(path))(starts)
    rise = jnp.max(jnp.diff(jnp.sum(parts, axis=-1), axis=1))
    return float(jnp.maximum(rise, 0.0) / jnp.max(jnp.abs(parts)))


SMOOTH = {
    "dot": (Dot(), Softmax(4.0)),
    "Euclidean": (Euclidean(), Softmax(4.0)),
    "cosine": (Cosine(), Softmax(8.0)),
    "KL": (KullbackLeibler(), Softmax(8.0)),
}


def hidden_share(images: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """How much of an image's divergence from its own masked form stems from masked entries.

    **Returns:** for "kl" and "reverse_kl" the mean over images of Σ|terms| there over Σ|terms|.
    """
    rows = np.asarray(images, np.float64)
    rows = rows[(rows * known).sum(1) > 0]
    damaged = rows * known
    p, q = rows / rows.sum(1, keepdims=True), damaged / damaged.sum(1, keepdims=True)
    logs = np.log(p + 1e-4) - np.log(q + 1e-4)
    shares = {}
    for name, terms in (("kl", np.abs(p * logs)), ("reverse_kl", np.abs(q * logs))):
        total = terms.sum(1)
        kept = total > 0
        shares[name] = float(np.mean(terms[kept][:, ~known].sum(1) / total[kept]))
    return shares


def distance_rank(images: np.ndarray, damage: Callable, level: float, key: jax.Array) -> float:
    """Where the choice of the coded Jensen-Shannon score stands by true Jensen-Shannon distance.

    **Returns:** the mean share of the other memories that are nearer to the query than the one
    chosen: 0 is the nearest, 1 the most distant.
    """
    rows = jnp.asarray(images)
    keys = jax.random.split(key, rows.shape[0])
    queries = jax.vmap(lambda row, key: damage(row, level, key=key))(rows, keys)

    @jax.jit
    def rank(rows, queries):
        chosen = jnp.argmax(scores(SIMILARITIES["jensen_shannon"], rows, queries), axis=1)
        true = scores(JensenShannon(), rows, queries)
        own = jnp.take_along_axis(true, chosen[:, None], axis=1)
        return jnp.mean(jnp.sum(true > own, axis=1)) / (rows.shape[0] - 1)

    return float(rank(rows, queries))


def patches(images: np.ndarray, shape: tuple[int, ...], side: int, seed: int) -> np.ndarray:
    """A square patch of each image at a random place, its pixels stretched to [0, 1]."""
    full = images.reshape(len(images), *((1, *shape) if len(shape) == 2 else shape))
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, full.shape[2] - side + 1, len(full))
    columns = rng.integers(0, full.shape[3] - side + 1, len(full))
    cut = np.stack(
        [
            image[:, i : i + side, j : j + side].reshape(-1)
            for image, i, j in zip(full, rows, columns, strict=True)
        ]
    )
    low, high = cut.min(1, keepdims=True), cut.max(1, keepdims=True)
    varied = (high > low)[:, 0]
    return ((cut - low) / np.where(high > low, high - low, 1))[varied].astype(np.float32)
