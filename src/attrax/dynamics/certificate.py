"""Whether the energy fell all along a run."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..common.checks import NoEnergyError, is_concrete
from ..common.display import shaped
from ..spaces.base import AbstractSpace
from .base import magnitude

_ROUNDING = 32


class Certificate(eqx.Module):
    """The largest rise of the energy along a run; leading axes are those of the queries.

    - `rise` (...): the largest rise in one step, 0 if there was none; NaN where the energy was NaN.
    - `step` (...): the step that made it, the first being 1; 0 if there was none.
    - `scale` (...): the largest term of the energy along the run, by which rounding is measured.
    """

    rise: Float[Array, "..."]
    step: Int[Array, "..."]
    scale: Float[Array, "..."]

    @property
    def certified(self) -> Bool[Array, "..."]:
        """Whether no step raised the energy by more than rounding, 32 ε of the largest term."""
        return self.rise <= _ROUNDING * jnp.finfo(self.scale.dtype).eps * self.scale

    def __repr__(self) -> str:
        """Its summary, or under jit its shape."""
        if isinstance(self.rise, jax.Array | np.ndarray) and is_concrete(self.rise):
            return f"Certificate: {self.summary()}"
        return f"Certificate({shaped(self.rise)})"

    def summary(self) -> str:
        """One line: no rise, or where and by how much the largest was."""
        good = np.asarray(self.certified).reshape(-1)
        if good.all():
            return f"{good.size} of {good.size}: the energy never rose beyond rounding."
        rises = np.asarray(self.rise, np.float64).reshape(-1)
        worst = int(np.argmax(np.where(np.isnan(rises), np.inf, rises)))
        step, scale = (np.asarray(a).reshape(-1)[worst] for a in (self.step, self.scale))
        return (
            f"{int(good.sum())} of {good.size}: the energy never rose beyond rounding. The largest "
            f"rise is {rises[worst]:.3g}, in step {step} of retrieval {worst}, where the largest "
            f"term of the energy is {scale:.3g}: take shorter steps, or Euler(backtracking=True); "
            "update two-state units one after another."
        )


def certify(space: AbstractSpace, path: Any) -> Certificate:
    """Look for a rise of the energy along a path.

    **Arguments:**

    - `space`: what was run.
    - `path`: all states, with a leading axis, the start first; as in `Run.path`.

    **Returns:** a `Certificate`.

    **Raises:** `NoEnergyError` where the space has no energy.
    """
    if space.lacks_energy is not None:
        raise NoEnergyError(space.lacks_energy)
    energies, scales = jax.lax.map(lambda s: (space.energy(s), magnitude(space, s)), path)
    changes = jnp.diff(energies)
    rise = jnp.maximum(jnp.max(changes), 0.0)
    step = jnp.where(rise > 0, jnp.argmax(changes) + 1, 0).astype(jnp.int32)
    return Certificate(rise, step, jnp.max(scales))
