"""Networks of one Hopfield layer, trained on bags and sequences that hide a signal."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.data import bit_pattern_bags, latch_sequences
from attrax.nn import HopfieldAttention, HopfieldLookup, HopfieldPooling
from attrax.nn.projections import mapped

from ..contract import NotRun

BATCH = 32
# Of the official notebooks: β = ¼, three updates before the last read, eight heads, and dropout.
ADAPTED = {"heads": 8, "head_size": 8, "steps": 4, "beta": 0.25, "dropout": 0.5}
LAYERS = ("attention", "pooling", "lookup")


class Network(eqx.Module):
    """A layer whose rows, one after another, go through a linear map to one number."""

    layer: HopfieldAttention | HopfieldPooling | HopfieldLookup
    out: eqx.nn.Linear

    def __call__(self, rows, *, key=None):
        """The logit of label 1; dropout is on where there is a key."""
        hidden = self.layer(rows, key=key, inference=key is None).reshape(1, -1)
        return mapped(self.out, hidden)[0, 0]


class Task(NamedTuple):
    """Rows to learn from and rows to be asked about, and the different rows that occur in them."""

    x: jax.Array
    y: jax.Array
    x_new: jax.Array
    y_new: jax.Array
    table: jax.Array


class Curves(NamedTuple):
    """Of each seed after each epoch, shape (seeds, epochs): accuracy and loss of new bags."""

    accuracy: np.ndarray
    loss: np.ndarray


def task(which: str, key) -> Task:
    """The bags or sequences of the notebooks: as many, three quarters of them to learn from."""
    bags = bit_pattern_bags(2048, key=key) if which == "bits" else latch_sequences(4096, key=key)
    count = bags.x.shape[0]
    order = jax.random.permutation(jax.random.fold_in(key, 1), count)
    x, y = bags.x[order], bags.y[order].astype(float)
    held = count // 4
    table = jnp.asarray(np.unique(np.asarray(x[held:]).reshape(-1, x.shape[-1]), axis=0))
    return Task(x[held:], y[held:], x[:held], y[:held], table)


def network(name: str, adapted: bool, table, rows: int, key, **options) -> Network:
    """One of the notebooks' networks, with the weights that they start from."""
    size, (one, two) = table.shape[1], jax.random.split(key)
    options = {"norm": True, **(ADAPTED if adapted and name != "lookup" else {}), **options}
    if name == "attention":
        layer = HopfieldAttention(size, key=one, **options)
    elif name == "pooling":
        layer = HopfieldPooling(size, key=one, **options)
    elif adapted:
        own = {"memories": table, "values": size, "trainable_values": False}
        layer = HopfieldLookup(size, key=one, **own, **options)
    else:
        layer = HopfieldLookup(size, memories=table.shape[0], key=one, **options)
    width = size if name == "pooling" else rows * size
    return Network(layer, eqx.nn.Linear(width, 1, key=two))


def learnt(model: Network):
    """What is learnt: all but β, which the notebooks keep, and values that are frozen."""
    layer = model.layer
    spec = jax.tree.map(eqx.is_inexact_array, model)
    attention = (
        (lambda m: m.layer)
        if isinstance(layer, HopfieldAttention)
        else (lambda m: m.layer.attention)
    )
    if attention(model).beta is not None:
        spec = eqx.tree_at(lambda m: attention(m).beta, spec, False)
    if isinstance(layer, HopfieldLookup) and layer.value_rows is not None:
        spec = eqx.tree_at(lambda m: m.layer.value_rows.given, spec, False)
    return spec


def fit(models: Network, data: Task, epochs: int, keys) -> Curves:
    """Learn with each of several networks at once, as the notebooks do: AdamW and clipped slopes.

    **Arguments:**

    - `models`: networks, one for each key, along the first axis of their arrays.
    - `data`: what all of them learn from.
    - `epochs`: how often each sees all of it.
    - `keys`: of the order of rows and of the dropout.
    """
    count = data.x.shape[0]
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3, weight_decay=0.01))
    moving, still = eqx.partition(models, learnt(models))
    still, static = eqx.partition(still, eqx.is_array)

    def right(model, x, y):
        logits = jax.vmap(model)(x)
        losses = optax.sigmoid_binary_cross_entropy(logits, y)
        return jnp.mean((logits > 0) == (y > 0.5)), jnp.mean(losses)

    def run(moving, still, key):
        def loss(moving, rows, key):
            model = eqx.combine(moving, still, static)
            keys = jax.random.split(key, BATCH)
            logits = jax.vmap(lambda x, key: model(x, key=key))(data.x[rows], keys)
            return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, data.y[rows]))

        def step(carry, inputs):
            moving, state = carry
            slopes = jax.grad(loss)(moving, *inputs)
            changes, state = optimizer.update(slopes, state, moving)
            return (optax.apply_updates(moving, changes), state), None

        def epoch(carry, key):
            order, drops = jax.random.split(key)
            batches = jax.random.permutation(order, count)[: count // BATCH * BATCH]
            keys = jax.random.split(drops, count // BATCH)
            carry, _ = jax.lax.scan(step, carry, (batches.reshape(-1, BATCH), keys))
            model = eqx.combine(carry[0], still, static)
            return carry, right(model, data.x_new, data.y_new)

        start = moving, optimizer.init(moving)
        return jax.lax.scan(epoch, start, jax.random.split(key, epochs))[1]

    # optax takes powers of numbers by whole ones.
    with jax.numpy_dtype_promotion("standard"):
        curves = jax.jit(jax.vmap(run))(moving, still, keys)
    return Curves(*(np.asarray(curve) for curve in curves))


def trained(run, which: str, name: str, adapted: bool) -> Curves:
    """How a network does on bit patterns or latch sequences, for several seeds."""
    if which == "bits" and run.profile == "quick":
        raise NotRun("needs minutes: attrax reproduce hopfield-layers --profile full")
    seeds = run.pick("trained.seeds", quick=2, full=3)
    epochs = {
        "bits": run.pick("bits.epochs", quick=0, full=250),
        "latch": run.pick("latch.epochs", quick=1, full=5),
    }[which]
    of_task, of_start, of_order = jax.random.split(jax.random.key(run.seed), 3)
    data = task(which, of_task)
    make = functools.partial(network, name, adapted, data.table, data.x.shape[1])
    models = eqx.filter_vmap(make)(jax.random.split(of_start, seeds))
    return fit(models, data, epochs, jax.random.split(of_order, seeds))


def energies(run) -> np.ndarray:
    """The energy of each state after 1 to 6 steps, of draws of weights and inputs, shape (6, n)."""
    draws = run.pick("energies.draws", quick=20, full=200)

    @jax.jit
    @jax.vmap
    def one(key):
        x = 3 * jax.random.normal(key, (6, 8))
        layer = HopfieldAttention(8, heads=2, beta=1.0, deviation=0.5, key=key)
        states = [layer.read(x).energy]
        for steps in range(2, 7):
            part = HopfieldAttention(8, heads=2, beta=1.0, deviation=0.5, steps=steps, key=key)
            states.append(part.read(x).energy)
        return jnp.stack(states)

    keys = jax.random.split(jax.random.key(run.seed), draws)
    return np.moveaxis(np.asarray(one(keys)), 1, 0).reshape(6, -1)
