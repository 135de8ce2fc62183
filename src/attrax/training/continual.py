"""`train_continually`: one task after another, without a look back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import one_key, positive, whole_number
from .constrained import AbstractConstrained
from .elastic import ElasticPenalty, split
from .tasks import at_least_zero, count_classes, joined_tasks

# Test rows that a model sees at a time.
_CHUNK = 256


class Continual(eqx.Module):
    """What `train_continually` found, of T tasks.

    - `model`: after the last task.
    - `models`: after each task, with an axis of T before those of every array.
    - `predicted` (T, n): the class that the model gives each test row after each task.
    - `wanted` (n,): the labels of these rows.
    - `task` (n,): of which task each is.
    - `losses` (T, steps): the loss of the batch of each step, before the step.
    """

    model: Any
    models: Any
    predicted: Int[Array, "t n"]
    wanted: Int[Array, " n"]
    task: Int[Array, " n"]
    losses: Float[Array, "t s"]

    @property
    def overall(self) -> Float[Array, " t"]:
        """The share of all test rows that is classified right after each task, shape (T,)."""
        return jnp.mean(self.predicted == self.wanted[None], axis=1)

    @property
    def accuracy(self) -> Float[Array, "t t"]:
        """The same for each task's rows alone: row by what was learnt, column by what is asked."""
        tasks = self.predicted.shape[0]
        own = self.task[:, None] == jnp.arange(tasks, dtype=self.task.dtype)[None]
        own = own.astype(self.losses.dtype)
        right = (self.predicted == self.wanted[None]).astype(own.dtype)
        return right @ own / jnp.sum(own, axis=0)[None]


class _Numbers(NamedTuple):
    """What may change without another compilation."""

    learning_rate: Array
    momentum: Array
    importance: Array
    replay: Array


def train_continually(
    model: Any,
    tasks: Sequence[tuple[ArrayLike, ArrayLike]],
    tests: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: ArrayLike = 0.05,
    momentum: ArrayLike = 0.0,
    importance: ArrayLike | None = None,
    replay: int = 0,
    key: jax.Array,
) -> Continual:
    """Train a classifier on one task after another, and test it on all of them after each.

    The tasks are learnt in order with one head for all classes, and the network is told neither
    which task it is in nor when the next begins. A step follows the slope of the batch's mean
    cross-entropy, θ ← θ + V with V ← μ V − η ∂loss. An `AbstractConstrained` then brings θ back to
    its constraints, and counts what it saw. Every epoch shuffles the rows of its task. All tasks
    make as many steps as the longest, the rows of a shorter one being seen more often.

    All steps of all tasks are one compiled program, and `jax.vmap` maps it over models and keys.

    **Arguments:**

    - `model`: an Equinox module that maps a row (d,) to a logit for each class (C,).
    - `tasks`: rows (n, d) and labels (n,) of each task; such as by `attrax.data.split_by_class`.
    - `tests`: the same, of rows that are not learnt.
    - `epochs`: how often the rows of a task are seen.
    - `batch_size`: how many rows a step sees.
    - `learning_rate`: η > 0.
    - `momentum`: μ, 0 ≤ μ < 1.
    - `importance`: λ ≥ 0, by which the loss of later tasks has λ times an `ElasticPenalty` of
      those before; no penalty is computed if `None`.
    - `replay`: how many rows of each task are kept, the first ones, of which each later step sees
      `batch_size` more, drawn from all that are kept; none if 0.
    - `key`: a `jax.random.key`.

    **Returns:** a `Continual`.

    **Raises:** `TypeError` or `ValueError` for wrong arguments.
    """
    split(model)
    rows, labels, owners = joined_tasks("tasks", tasks)
    asked, wanted, owner = joined_tasks("tests", tests)
    if len(tests) != len(tasks) or asked.shape[1] != rows.shape[1]:
        raise ValueError(
            f"`tests` must have as many tasks as `tasks`, {len(tasks)}, with rows of "
            f"{rows.shape[1]} entries, but has {len(tests)} of {asked.shape[1]}."
        )
    classes = count_classes(model, rows.shape[1])
    for name, given in (("tasks", labels), ("tests", wanted)):
        if given.min() < 0 or given.max() >= classes:
            raise ValueError(
                f"`{name}` has labels from {given.min()} to {given.max()}, but the model has "
                f"logits for the classes 0 to {classes - 1}."
            )
    counts = np.bincount(owners).astype(np.int32)
    size = min(whole_number("batch_size", batch_size), int(counts.max()))
    replay = whole_number("replay", replay, 0)
    numbers = _Numbers(
        positive("learning_rate", learning_rate),
        at_least_zero("momentum", momentum, below=1.0),
        at_least_zero("importance", 0.0 if importance is None else importance),
        jnp.asarray(replay, jnp.int32),
    )
    data = (rows, labels, np.cumsum(counts, dtype=np.int32) - counts, counts)
    shape = (whole_number("epochs", epochs), size, int(counts.max()))
    extras = (importance is not None, replay > 0)
    final, models, predicted, losses = _learn(
        model, data, asked, numbers, one_key(key), shape, extras
    )
    wanted, owner = jnp.asarray(wanted), jnp.asarray(owner)
    return Continual(final, models, predicted, wanted, owner, losses)


class _Carry(NamedTuple):
    """What a step changes: parameters, other arrays of the model, and the velocity."""

    learned: Any
    others: Any
    velocity: Any


@eqx.filter_jit
def _learn(model, data, asked, numbers, key, shape, extras):
    """All tasks. `shape`: epochs, rows of a batch, rows of the longest task."""
    rows, labels, starts, counts = (jnp.asarray(x) for x in data)
    (epochs, size, longest), (elastic, replayed) = shape, extras
    steps = -(-longest // size)
    learned, rest = split(model)
    others, still = eqx.partition(rest, eqx.is_array)

    def joined(carry):
        return eqx.combine(carry.learned, carry.others, still)

    def parted(model, velocity):
        learned, rest = split(model)
        return _Carry(learned, eqx.filter(rest, eqx.is_array), velocity)

    def earlier(task, key):
        """Places of kept rows of tasks before this one; the first has none."""
        of_task, of_row = jax.random.split(key)
        which = jax.random.randint(of_task, (size,), 0, jnp.maximum(task, 1), jnp.int32)
        kept = jnp.minimum(numbers.replay, counts[which])
        return starts[which] + jax.random.randint(of_row, (size,), 0, kept, jnp.int32)

    def step(carry, given, task, penalty):
        places, key = given
        counted = jnp.ones(size, rows.dtype)
        if replayed:
            places = jnp.concatenate([places, earlier(task, key)])
            there = jnp.full(size, (task > 0).astype(rows.dtype))
            counted = jnp.concatenate([counted, there])
        seen, wanted, before = rows[places], labels[places], joined(carry)

        def loss(learned):
            model = eqx.combine(learned, carry.others, still)
            each = jax.vmap(lambda row, label: _surprise(model, (row, label)))(seen, wanted)
            value = jnp.sum(counted * each) / jnp.sum(counted)
            return value + numbers.importance * penalty(model) if elastic else value

        value, slopes = jax.value_and_grad(loss)(carry.learned)
        velocity = jax.tree.map(
            lambda v, g: numbers.momentum * v - numbers.learning_rate * g, carry.velocity, slopes
        )
        moved = jax.tree.map(jnp.add, carry.learned, velocity)
        if not isinstance(before, AbstractConstrained):
            return _Carry(moved, carry.others, velocity), value
        # What is counted is what was active before the step.
        after = before.observe(seen, counted)
        after = eqx.combine(moved, split(after)[1])
        return parted(after.constrain(), velocity), value

    def epoch(carry, key, task, penalty):
        of_order, of_steps = jax.random.split(key)
        noise = jax.random.uniform(of_order, (longest,))
        inside = jnp.arange(longest, dtype=jnp.int32) < counts[task]
        order = jnp.argsort(jnp.where(inside, noise, 2.0))
        turn = jnp.arange(steps * size, dtype=jnp.int32) % counts[task]
        places = (starts[task] + order[turn]).reshape(steps, size)
        keys = jax.random.split(of_steps, steps)
        return jax.lax.scan(
            lambda carry, given: step(carry, given, task, penalty), carry, (places, keys)
        )

    def learn_task(state, given):
        (carry, penalty), (task, key) = state, given
        carry, losses = jax.lax.scan(
            lambda carry, key: epoch(carry, key, task, penalty),
            carry,
            jax.random.split(key, epochs),
        )
        model = joined(carry)
        if elastic:
            turn = jnp.arange(longest, dtype=jnp.int32)
            places = starts[task] + turn % counts[task]
            counted = (turn < counts[task]).astype(rows.dtype)
            penalty = penalty.consolidate(model, _surprise, (rows[places], labels[places]), counted)
        predicted = jax.lax.map(lambda row: jnp.argmax(model(row)), asked, batch_size=_CHUNK)
        arrays = eqx.filter(model, eqx.is_array)
        return (carry, penalty), (arrays, predicted.astype(jnp.int32), losses.reshape(-1))

    carry = _Carry(learned, others, jax.tree.map(jnp.zeros_like, learned))
    tasks = jnp.arange(len(data[3]), dtype=jnp.int32)
    penalty = ElasticPenalty(model) if elastic else None
    (carry, _), (arrays, predicted, losses) = jax.lax.scan(
        learn_task, (carry, penalty), (tasks, jax.random.split(key, len(tasks)))
    )
    return joined(carry), eqx.combine(arrays, still), predicted, losses


def _surprise(model, example):
    """−ln p of the label of a row."""
    row, label = example
    logits = model(row)
    return jax.nn.logsumexp(logits) - logits[label]
