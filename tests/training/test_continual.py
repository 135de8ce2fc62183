"""Learning one task after another, and the penalty that holds what was learnt."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.training import AbstractConstrained, ElasticPenalty, train_continually

RNG = np.random.default_rng(0)
CENTRES = 3 * RNG.normal(size=(4, 6))
# Near enough to be taken for one another.
CENTRES[2:] = CENTRES[:2] + 1.5 * RNG.normal(size=(2, 6))


def task(classes, count, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(classes, count)
    return (CENTRES[y] + 0.5 * rng.normal(size=(len(y), 6))).astype(np.float32), y


TASKS = [task([0, 1], 20), task([2, 3], 13)]
TESTS = [task([0, 1], 10, 1), task([2, 3], 15, 1)]


def mlp(seed=0):
    return eqx.nn.MLP(6, 4, 16, 1, key=jax.random.key(seed))


def learn(model=None, **options):
    options = {"epochs": 8, "batch_size": 8, "key": jax.random.key(1), **options}
    return train_continually(mlp() if model is None else model, TASKS, TESTS, **options)


def surprise(model, example):
    row, label = example
    return jax.nn.logsumexp(model(row)) - model(row)[label]


def test_it_learns_each_and_forgets_the_first():
    found = learn()
    assert found.predicted.shape == (2, 50)
    assert found.losses.shape == (2, 8 * 5)
    assert found.accuracy.shape == (2, 2)
    assert found.accuracy[0, 0] > 0.9
    assert found.accuracy[0, 1] == 0
    assert found.accuracy[1, 0] < 0.5
    assert found.accuracy[1, 1] > 0.9
    right = np.asarray(found.predicted == found.wanted[None])
    np.testing.assert_allclose(found.overall, right.mean(1), rtol=1e-6)
    np.testing.assert_allclose(found.accuracy[:, 1], right[:, 20:].mean(1), rtol=1e-6)
    last = jax.tree.map(lambda x: x[-1] if eqx.is_array(x) else x, found.models)
    for a, b in zip(*map(jax.tree.leaves, (last, found.model)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_those_of_the_formulas(momentum):
    """Whole batches, so that their order does not matter."""
    x, y = TASKS[0]
    options = {"epochs": 3, "batch_size": 40, "momentum": momentum, "key": jax.random.key(0)}
    found = train_continually(mlp(), TASKS[:1], TESTS[:1], **options)
    params, static = eqx.partition(mlp(), eqx.is_array)
    velocity = jax.tree.map(jnp.zeros_like, params)

    def loss(params):
        model = eqx.combine(params, static)
        return jnp.mean(jax.vmap(lambda *example: surprise(model, example))(x, y))

    for _ in range(3):
        slopes = jax.grad(loss)(params)
        velocity = jax.tree.map(lambda v, g: momentum * v - 0.05 * g, velocity, slopes)
        params = jax.tree.map(jnp.add, params, velocity)
    both = map(jax.tree.leaves, (params, eqx.filter(found.model, eqx.is_array)))
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class Counting(AbstractConstrained):
    """A linear map that counts how often it sees each row, by its first entry, and rounds."""

    weights: jax.Array
    seen: jax.Array = eqx.field(metadata={"given": True})

    def __call__(self, row):
        return self.weights @ row

    def observe(self, rows, counted):
        places = rows[:, 0].astype(jnp.int32)
        return eqx.tree_at(lambda m: m.seen, self, self.seen.at[places].add(counted))

    def constrain(self):
        return eqx.tree_at(lambda m: m.weights, self, jnp.clip(self.weights, -0.01, 0.01))


@pytest.mark.parametrize("replay", [0, 3])
def test_rows_are_seen_in_every_epoch_and_kept_ones_again(replay):
    def numbered(start, count):
        rows = np.stack([np.arange(start, start + count), np.ones(count)], 1).astype(np.float32)
        return rows, np.zeros(count, int)

    tasks = [numbered(0, 12), numbered(12, 8), numbered(20, 12)]
    model = Counting(jnp.zeros((2, 2)), jnp.zeros(32))
    options = {"epochs": 5, "batch_size": 4, "key": jax.random.key(0), "replay": replay}
    found = train_continually(model, tasks, tasks, **options)
    seen = np.diff(np.asarray(found.models.seen), axis=0, prepend=0)
    assert found.losses.shape == (3, 15)
    np.testing.assert_array_equal(seen[0], [5] * 12 + [0] * 20)
    assert (seen[1, 12:20] >= 5).all()
    np.testing.assert_array_equal(seen[2, 20:], 5)
    earlier = seen[2, :20]
    kept = np.isin(np.arange(20), [0, 1, 2, 12, 13, 14])
    assert earlier.sum() == (60 if replay else 0)
    assert not earlier[~kept].any()
    if replay:
        assert (earlier[kept] > 2).all()
    assert np.abs(found.models.weights).max() <= np.float32(0.01)


def test_models_and_keys_are_mapped():
    models = eqx.filter_vmap(lambda key: eqx.nn.MLP(6, 4, 16, 1, key=key))(
        jax.random.split(jax.random.key(0), 2)
    )
    keys = jax.random.split(jax.random.key(1), 2)

    @eqx.filter_vmap
    def both(model, key):
        return learn(model, key=key).overall

    found = both(models, keys)
    one = eqx.filter_vmap(lambda model: model)(models)
    first = jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, one)
    np.testing.assert_allclose(found[0], learn(first, key=keys[0]).overall, atol=0.03)


def test_other_numbers_compile_nothing_anew():
    from attrax.training import continual

    learn(learning_rate=0.01)
    before = continual._learn._cached._cache_size()
    learn(learning_rate=0.02, momentum=0.5)
    assert continual._learn._cached._cache_size() == before


def test_the_penalty_is_the_sum_over_tasks_up_to_a_constant():
    model, other, third = mlp(0), mlp(1), mlp(2)
    penalty = ElasticPenalty(model)
    assert float(penalty(other)) == 0
    parts = []
    for each, (x, y) in zip((model, other), TASKS, strict=True):
        penalty = penalty.consolidate(each, surprise, (x, y))
        params, static = eqx.partition(each, eqx.is_array)

        def slope(params, x, y, static=static):
            return jax.grad(lambda p: surprise(eqx.combine(p, static), (x, y)))(params)

        slopes = jax.vmap(slope, (None, 0, 0))(params, x, y)
        fisher = jax.tree.map(lambda s: jnp.mean(s**2, axis=0), slopes)
        parts.append((params, fisher))

    def by_hand(model):
        total = 0.0
        for params, fisher in parts:
            own = eqx.filter(model, eqx.is_array)
            terms = jax.tree.map(
                lambda f, x, p: 0.5 * jnp.sum(f * (x - p) ** 2), fisher, own, params
            )
            total += sum(map(float, jax.tree.leaves(terms)))
        return total

    differences = [float(penalty(each)) - by_hand(each) for each in (model, other, third)]
    np.testing.assert_allclose(differences, differences[0], atol=1e-4)
    assert by_hand(third) > 0.01


def test_a_penalty_holds_what_was_learnt():
    free, held = learn(), learn(importance=1e3)
    after = jax.tree.map(lambda x: x[0] if eqx.is_array(x) else x, free.models)
    penalty = ElasticPenalty(mlp()).consolidate(after, surprise, TASKS[0])
    assert float(penalty(held.model)) < 0.3 * float(penalty(free.model))
    assert held.accuracy[1, 0] > free.accuracy[1, 0]
    first = [jax.tree.leaves(eqx.filter(x.models, eqx.is_array))[0] for x in (free, held)]
    np.testing.assert_allclose(first[0][0], first[1][0], atol=1e-6)
    counted = jnp.asarray(np.arange(40) < 10, jnp.float32)
    x, y = TASKS[0]
    some = ElasticPenalty(mlp()).consolidate(mlp(), surprise, (x, y), counted)
    same = ElasticPenalty(mlp()).consolidate(mlp(), surprise, (x[:10], y[:10]))
    np.testing.assert_allclose(some(mlp(1)), same(mlp(1)), rtol=1e-5)


SETTING = """
import equinox as eqx, jax, numpy as np
from attrax.training import ElasticPenalty, train_continually
KEY = jax.random.key(0)
x, y = np.ones((8, 6), np.float32), np.arange(8) % 4
model = eqx.nn.MLP(6, 4, 16, 1, key=KEY)
def train(model=model, tasks=[(x, y)], tests=[(x, y)], epochs=1, key=KEY, **options):
    return train_continually(model, tasks, tests, epochs=epochs, key=key, **options)
"""
CASES = {
    "train(model=np.tanh)": "TypeError: `model` must be an equinox.Module",
    "train(model=eqx.nn.MLP(6, 'scalar', 4, 1, key=KEY))": "ValueError: `model` must map a row",
    "train(model=eqx.nn.Identity())": "ValueError: `model` has nothing that can learn",
    "train(tasks=[])": "TypeError: `tasks` must be a list of pairs",
    "train(tasks=(x, y))": r"TypeError: `tasks\[0\]` must be a pair",
    "train(tasks=[(x, y[:3])])": r"ValueError: `tasks\[0\]` must be a pair of rows \(n, d\)",
    "train(tasks=[(x, y * 1.0)])": "ValueError: .* of float64",
    "train(tasks=[(x, y), (x[:, :3], y)], tests=[(x, y)] * 2)": r"ValueError: `tasks\[1\]` has",
    "train(tasks=[(x, y + 1)])": "ValueError: `tasks` has labels from 1 to 4",
    "train(tests=[(x, y)] * 2)": "ValueError: `tests` must have as many tasks",
    "train(epochs=0)": "ValueError: `epochs`",
    "train(learning_rate=0)": "ValueError: `learning_rate` must be positive",
    "train(momentum=1.0)": "ValueError: `momentum` must be at least 0 and below 1",
    "train(importance=-1.0)": "ValueError: `importance` must be at least 0 and finite",
    "train(replay=-1)": "ValueError: `replay`",
    "train(key=0)": "TypeError: `key` must be one key",
    "ElasticPenalty(3)": "TypeError: `model` must be an equinox.Module",
    "ElasticPenalty(model).consolidate(model, 3, (x, y))": "TypeError: `loss` must be a function",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
