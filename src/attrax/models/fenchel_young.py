"""Hopfield-Fenchel-Young networks: one Lagrangian for what is visible, one for what is hidden."""

from jax.typing import ArrayLike

from ..hierarchical import HierarchicalMemory
from ..separation import Entmax
from .large_memory import Activation, two_layers


def fenchel_young_memory(
    memories: ArrayLike,
    separation: Activation | None = None,
    feature: Activation | None = None,
    *,
    input: ArrayLike | None = None,
) -> HierarchicalMemory:
    """The Hopfield-Fenchel-Young network, q ← ∇Ψ*(Ξᵀ ∇Ω*(Ξ q)), of energy Ψ(q) − Ω*(Ξ q).

    Ω* and Ψ* are convex functions, the potentials of the hidden and Lagrangians of the visible
    neurons: in a network of two layers they are all there is, so any pair has an energy, and with
    `Iterate()` one step is the update above, which never raises it.

    | Ω | `separation` | Ψ | `feature` |
    |---|---|---|---|
    | Shannon | `Softmax(β)` | ½ q·q | `Quadratic()` |
    | Tsallis, Gini | `Entmax(α, β)` | the ball of radius r | `SphericalNorm(r, epsilon=0.0)` |
    | norm | `Normmax(α, β)` | layer norm | `LayerNorm(γ, δ)` |
    | k-subsets | `KSubsets(k, β)` | the box, with an entropy | `Tanh(β)`, `Sigmoid(β)` |

    With Ψ = ½|q|² it is `Memory(memories, similarity=Dot(), separation=separation)`, which reads
    rows in blocks and on several devices, and has `known` entries.

    **Arguments:**

    - `memories`: Ξ, rows to be stored, shape (N, d).
    - `separation`: ∇Ω*, a separation or a Lagrangian; `Entmax(1.5)` if `None`.
    - `feature`: ∇Ψ*, likewise; `Quadratic()` if `None`. A query is a state before it: its
      activation is the first q.
    - `input`: I, a constant drive of the visible neurons, shape (d,); none if `None`.

    **Returns:** a network with the layers "feature" and "memory"; `retrieve` gives q.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [santos2024hopfield]; [krotov2021large]
    """
    separation = Entmax(1.5) if separation is None else separation
    return two_layers(memories, feature, separation, 0.0, input)
