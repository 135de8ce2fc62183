"""Any energy as a memory, and energies that are composed of others."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, check_function, whole_number
from ..hierarchical import EnergySynapse, HierarchicalMemory, Neurons


def energy_model(energy: Callable, width: int) -> HierarchicalMemory:
    """A memory of any energy: states move down E(x), τ ẋ = −∇E(x).

    ```python
    model = energy_model(trained.model, 64)
    cooled = attrax.dynamics.Langevin(1.0, step=0.01, steps=1000)
    attrax.retrieve(model, queries, attrax.dynamics.Euler(0.1), known=mask)   # restore
    attrax.retrieve(model, queries, cooled, key=key)                          # sample exp(−E)
    model.energy({"x": query})                                                # how strange it is
    ```

    It is a network of one layer, "x", with an `EnergySynapse`, so that it has dynamics, known
    entries, certificates and gradients as other networks do. `Langevin` with `adjusted=False`, a
    step of η and the temperature T = σ²/(2η) makes the steps x − η ∇E(x) + σ ε of the publication.

    **Arguments:**

    - `energy`: E, a function or module of a state (d,) to a number.
    - `width`: d.

    **Returns:** a `HierarchicalMemory`.

    **Raises:** `TypeError` if E cannot be called; `ValueError` if it does not give a number.

    **Source:** [du2019implicit]
    """
    layers = {"x": Neurons(whole_number("width", width))}
    return HierarchicalMemory(layers, {"x": EnergySynapse(energy)})


class EnergySum(eqx.Module):
    """E(x) = Σ_j c_j E_j(x): the product of densities exp(−E_j), each to the power c_j.

    What has a low energy must have one under all E_j: their "and".

    ```python
    both = EnergySum([round.model, dark.model])
    both(state)                                 # (d,) -> ()
    ```

    **Arguments:**

    - `energies`: E_j, functions or modules of a state (d,) to a number.
    - `weights`: c, shape (number of energies,); ones if `None`. A negative one is a "not".

    **Raises:** `TypeError` or `ValueError` for what cannot be called, no energies, or another
    number of weights.

    **Source:** [du2019implicit]; [hinton2002training]
    """

    energies: tuple[Callable, ...]
    weights: Float[Array, " n"]

    def __init__(self, energies: Sequence[Callable], weights: ArrayLike | None = None):
        if not isinstance(energies, list | tuple) or not energies:
            raise TypeError(
                "`energies` must be a list of functions of a state, but it is "
                f"{'empty' if isinstance(energies, list | tuple) else type(energies).__name__}."
            )
        for i, energy in enumerate(energies):
            check_function(f"energies[{i}]", energy)
        self.energies = tuple(energies)
        ones = jnp.ones(len(energies))
        self.weights = ones if weights is None else as_floats("weights", weights, ndim=1)
        if self.weights.shape != ones.shape:
            raise ValueError(
                f"`weights` must have shape {ones.shape}, one for each of `energies`, but its "
                f"shape is {self.weights.shape}."
            )

    def __call__(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """E of a state.

        **Arguments:**

        - `state`: x, shape (d,).
        """
        parts = jnp.stack([energy(state) for energy in self.energies])
        wide = parts.astype(accumulate(parts.dtype))
        return jnp.sum(self.weights.astype(wide.dtype) * wide)
