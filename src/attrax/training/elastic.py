"""Elastic weight consolidation: parameters that mattered to what was learnt are held in place."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import check_function
from .parameters import leaves_of


class ElasticPenalty(eqx.Module):
    """½ Σ_i F_i (θ_i − θ*_i)² of a model's parameters θ: what was learnt pulls them back.

    F is the diagonal of the empirical Fisher information, the mean of squared slopes of examples'
    losses at θ*. What several tasks add is kept in the memory of one, since Σ_t F_t (θ − θ_t)² is
    F (θ − c)² up to a constant, with F = Σ_t F_t and c the mean of the θ_t that weighs each by F_t.

    ```python
    penalty = ElasticPenalty(model)                        # zero
    penalty = penalty.consolidate(model, loss, examples)   # after each task
    total = loss(model, batch) + strength * penalty(model)
    ```

    **Arguments:**

    - `model`: any `equinox.Module`; its parameters are what `attrax.training.train` would move.

    **Raises:** `TypeError` if it is not one; `ValueError` if it has no parameters.

    **Source:** [kirkpatrick2017overcoming]
    """

    fisher: Any
    centre: Any

    def __init__(self, model: Any):
        learned = split(model)[0]
        self.fisher = jax.tree.map(jnp.zeros_like, learned)
        self.centre = learned

    def __call__(self, model: Any) -> Float[Array, ""]:
        """The penalty of a model, ≥ 0, one number.

        **Arguments:**

        - `model`: like the one that it was made for.
        """
        parts = jax.tree.map(
            lambda f, c, x: 0.5 * jnp.sum(f * jnp.square(x - c)),
            self.fisher,
            self.centre,
            split(model)[0],
        )
        return jax.tree.reduce(jnp.add, parts)

    def consolidate(
        self,
        model: Any,
        loss: Callable[[Any, Any], Array],
        examples: Any,
        counted: Float[Array, " n"] | None = None,
    ) -> "ElasticPenalty":
        """The penalty with what one more task adds.

        **Arguments:**

        - `model`: as it is at the end of the task.
        - `loss`: a function of (model, example) to −ln p of the example.
        - `examples`: an array of one row an example, or several in a tuple.
        - `counted`: how much each example counts, shape (n,); alike if `None`.

        **Raises:** `TypeError` if `loss` is no function.
        """
        check_function("loss", loss)
        learned, rest = split(model)
        count = jax.tree.leaves(examples)[0].shape[0]
        counted = jnp.ones(count) if counted is None else counted

        def slope(learned, example):
            return jax.grad(lambda learned: loss(eqx.combine(learned, rest), example))(learned)

        def add(total, each):
            example, weight = each
            squares = jax.tree.map(jnp.square, slope(learned, example))
            return jax.tree.map(lambda t, s: t + weight * s, total, squares), None

        zero = jax.tree.map(jnp.zeros_like, learned)
        total, _ = jax.lax.scan(add, zero, (examples, counted))
        new = jax.tree.map(lambda t: t / jnp.sum(counted), total)
        fisher = jax.tree.map(jnp.add, self.fisher, new)
        # Where nothing has mattered so far, the centre does not either.
        centre = jax.tree.map(
            lambda c, x, n, f: c + jnp.where(f > 0, n / jnp.where(f > 0, f, 1.0), 0.0) * (x - c),
            self.centre,
            learned,
            new,
            fisher,
        )
        return eqx.tree_at(lambda penalty: (penalty.fisher, penalty.centre), self, (fisher, centre))


def split(model: Any) -> tuple[Any, Any]:
    """The parameters of a model, and all else of it; `eqx.combine` joins them.

    **Raises:** `TypeError` or `ValueError` if it is no module, or has no parameters.
    """
    if not isinstance(model, eqx.Module):
        raise TypeError(f"`model` must be an equinox.Module, but it is {type(model).__name__}.")
    learns = [leaf.learns for leaf in leaves_of(model)]
    if not any(learns):
        raise ValueError("`model` has nothing that can learn: no array of floats.")
    return eqx.partition(model, jax.tree.unflatten(jax.tree.structure(model), learns))
