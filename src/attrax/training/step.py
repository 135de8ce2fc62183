"""One step of learning by gradient, compiled once."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax


@functools.partial(eqx.filter_jit, donate="all-except-first")
def advance(given, learned, state):
    """One step: parameters, state of the optimiser, loss, and whether the parameters are sound.

    **Arguments:**

    - `given`: model, its parameters, loss, whether that takes a key, optimiser, batch, key and
      number of the step; all else is overwritten.
    - `learned`: the coordinates of the parameters by name.
    - `state`: of the optimiser.
    """
    model, parameters, loss, keyed, optimizer, batch, noise, step = given
    extra = {"key": jax.random.fold_in(noise, step)} if keyed else {}

    def objective(learned):
        return _number(loss(parameters.move(model, learned), batch, **extra))

    value, slopes = jax.value_and_grad(objective)(learned)
    # Optimisers mix types, such as counts of steps with slopes.
    with jax.numpy_dtype_promotion("standard"):
        updates, new = optax.with_extra_args_support(optimizer).update(
            slopes, state, learned, value=value, grad=slopes, value_fn=objective
        )
        moved = optax.apply_updates(learned, updates)
    moved, new = _alike((moved, new), (learned, state))
    return moved, new, value, parameters.sound(parameters.move(model, moved))


def prepared(optimizer, learned):
    """The state that the optimiser starts from, each array in a buffer of its own."""
    with jax.numpy_dtype_promotion("standard"):
        state = optimizer.init(learned)
    arrays = jax.tree.map(lambda x: jnp.array(x, copy=True) if _is_numeric(x) else x, state)
    return _alike(arrays, arrays)


def _alike(new, old):
    """Arrays in the types of others, so that a step is compiled once and can be continued."""

    def cast(x, like):
        plain = eqx.is_array(x) and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return jax.lax.convert_element_type(x, like.dtype) if plain else x

    return jax.tree.map(cast, new, old)


def _is_numeric(value) -> bool:
    return eqx.is_array(value) or isinstance(value, bool | int | float | np.ndarray)


def _number(value):
    single = eqx.is_array(value) and value.shape == ()
    if not (single and jnp.issubdtype(value.dtype, jnp.floating)):
        what = f"{value.dtype} {value.shape}" if eqx.is_array(value) else type(value).__name__
        raise TypeError(
            "`loss` must return one floating-point number, such as a jnp.mean, but it returned "
            f"{what}."
        )
    return value
