"""`train`: learning by gradient, with any loss and any optimiser."""

import functools
import os
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ..common.checks import one_key, whole_number
from .batches import Batches, takes
from .checkpoint import Checkpoint
from .parameters import parameters
from .step import advance, prepared

Report = Callable[[int, int, float], Any]


class Trained(eqx.Module):
    """What `train` found.

    - `model`: the model after the last step.
    - `losses` (steps,): of the batch of each step, before the step.
    - `steps`: how many were made, those of runs that this one continued among them.
    """

    model: Any
    losses: Float[Array, " steps"]
    steps: int = eqx.field(static=True)


def train(
    model,
    loss,
    batches,
    *,
    steps,
    batch_size=None,
    optimizer=None,
    trainable=None,
    checkpoint: str | os.PathLike | None = None,
    every=100,
    progress: bool | Report | None = None,
    key=None,
) -> Trained:
    """Lower a loss by following its gradient in the parameters of a model.

    ```python
    def loss(network, batch):
        damaged, whole = batch
        found = attrax.retrieve(network, damaged, attrax.dynamics.FixedPoint())
        return jnp.mean((found.state - whole) ** 2)

    trained = train(network, loss, (x, y), steps=1000, batch_size=32, key=jax.random.key(0))
    trained.model, trained.losses
    ```

    Every floating-point array of the model is a parameter: weights, β, γ and δ. These are not:
    what `HierarchicalMemory.freeze` names, which no optimiser moves, weight decay included; what
    a layer is given from outside, `input`, `start` and `clamped` (`BiasSynapse` is the input that
    is learnt); the settings of dynamics; and Python numbers.

    `beta`, `gamma` and `scale` of attrax's parts stay positive, since ln(β/β₀) is what is learnt,
    β₀ being the value at the start. A step of it is relative, whatever the unit of β, and weight
    decay draws β to β₀. A parameter of your own class stays positive if its field says so:
    `beta: Array = eqx.field(metadata={"positive": True})`.

    **Arguments:**

    - `model`: a `HierarchicalMemory`, or any other `equinox.Module`.
    - `loss`: a function of (model, batch), or of (model, batch, key), to one number.
    - `batches`: an array of one row an example, or several in a tuple or dictionary, which the
      loss gets likewise; or a function of (step), or of (step, key), to the batch of that step,
      the first being step 0, which must depend on these alone.
    - `steps`: how many steps to make in all, ≥ 1.
    - `batch_size`: how many rows a step sees, shuffled anew in every epoch; all if `None`.
    - `optimizer`: an `optax.GradientTransformation`; `optax.adam(1e-3)` if `None`. It sees the
      parameters as a dictionary by name, such as ".synapses[0].weights".
    - `trainable`: a function of the model to the part that learns, or to several in a tuple, such
      as `lambda model: model.synapses`; all parameters if `None`. An `input` or `start` learns if
      picked by itself.
    - `checkpoint`: a file that holds the state of the run. If it is there, the run goes on from
      it, and ends with the very numbers of a run that was never stopped; if it holds all steps,
      they are returned at once. It cannot see what functions do: do not change the loss or the
      learning rate between.
    - `every`: how many steps from one checkpoint to the next; the last step makes one too.
    - `progress`: True for a bar (`pip install "attrax[progress]"`), or a function that is called
      with (steps done, steps in all, loss) after each step. If it has an argument `model`, it gets
      that too, such as to look at other examples now and then.
    - `key`: a `jax.random.key`, for the order of rows and for functions that take one.

    **Returns:** a `Trained`.

    **Raises:** `ValueError` or `TypeError` for wrong arguments, and for a checkpoint of another
    run; `FileFormatError` if the file is not one; `FloatingPointError` if the loss or a
    parameter becomes infinite or NaN, which leaves the last checkpoint as it is.
    """
    steps, every = whole_number("steps", steps), whole_number("every", every)
    chosen = parameters(model, trainable)
    if not callable(loss):
        raise TypeError(
            f"`loss` must be a function of (model, batch), but it is {type(loss).__name__}."
        )
    keyed = takes("loss", loss, "model, batch", "key")
    optimizer = check_optimizer(optimizer)
    shuffling, noise = (None, None) if key is None else jax.random.split(one_key(key))
    if keyed and key is None:
        raise ValueError("`loss` takes a key; pass key=jax.random.key(0) to train.")
    source = Batches(batches, batch_size, shuffling)
    learned = chosen.start(model)
    state = learned, prepared(optimizer, learned)
    file, losses = None, []
    if checkpoint is not None:
        run = {
            "model": model,
            "learns": chosen.described,
            "optimizer": state[1],
            "batches": source.seen,
            "batch_size": batch_size,
            "key": key,
        }
        file = Checkpoint(checkpoint, run)
        state, losses = file.read(state)
        if len(losses) > steps:
            raise ValueError(
                f"`steps` is {steps}, but {file.path} holds a run of {len(losses)} steps; ask for "
                "at least as many, or give another `checkpoint`."
            )
    report, close = reporter(progress, len(losses), steps)
    last = len(losses) or None
    try:
        for step in range(len(losses), steps):
            # As an array, for a number would compile every step anew.
            number = np.asarray(step, np.uint32)
            given = model, chosen, loss, keyed, optimizer, source(step), noise, number
            *state, value, whole = advance(given, *state)
            losses.append(np.asarray(value))
            if not (np.isfinite(losses[-1]) and bool(whole)):
                raise FloatingPointError(diverged(losses, steps, last))
            if file is not None and ((step + 1) % every == 0 or step + 1 == steps):
                file.write(tuple(state), losses)
                last = step + 1
            now = functools.partial(_kept, chosen, model, state[0])
            report(step + 1, steps, float(losses[-1]), now)
    finally:
        close()
    found = chosen.move(model, state[0])
    return Trained(found, jnp.asarray(np.stack(losses)), steps)


def diverged(losses, steps, last) -> str:
    """What to say of a run whose last loss or parameters are not finite."""
    value, step = float(losses[-1]), len(losses)
    if np.isfinite(value):
        what = f"The parameters are no longer finite, or positive, after step {step} of {steps}"
    else:
        what = f"The loss is {value} at step {step} of {steps}"
    remedy = (
        "lower the learning rate, clip gradients by optax.clip_by_global_norm, or look for NaN in "
        "the batch and for slopes of roots or logarithms at zero"
    )
    kept = "" if last is None else f" The checkpoint holds the run up to step {last}."
    return f"{what}: {remedy}.{kept}"


def check_optimizer(optimizer):
    """An optimiser; the default in place of `None`."""
    if optimizer is None:
        return _default()
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            "`optimizer` must be an optax.GradientTransformation such as optax.adam(1e-3), "
            f"but it is {optimizer if isinstance(optimizer, float) else type(optimizer).__name__}."
        )
    return optimizer


@functools.cache
def _default():
    """One object, since a step is compiled anew for every other optimiser."""
    return optax.adam(1e-3)


def _kept(chosen, model, learned):
    """The model of a step, in buffers that the next step does not overwrite."""
    return chosen.move(model, jax.tree.map(lambda x: jnp.array(x, copy=True), learned))


def reporter(progress, done: int, steps: int):
    """What to call after each step, the model last as a function, and after the last step."""
    if progress is None or progress is False:
        return (lambda *_: None), (lambda: None)
    if callable(progress):
        wanted = takes("progress", progress, "done, steps, loss", "model")

        def call(done, steps, loss, model):
            progress(done, steps, loss, **({"model": model()} if wanted else {}))

        return call, (lambda: None)
    if progress is not True:
        raise TypeError(f"`progress` must be True or a function, but it is {progress!r}.")
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError(
            'A progress bar needs tqdm: pip install "attrax[progress]", or pass a function.'
        ) from None
    bar = tqdm(total=steps, initial=done, unit="step")

    def report(done, _, loss, __):
        bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
        bar.update(done - bar.n)

    return report, bar.close
