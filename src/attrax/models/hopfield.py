"""Memories of two-state units: classical, dense and exponential."""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from ..common.checks import as_floats, positive, whole_number
from ..hierarchical import (
    AbstractLagrangian,
    HierarchicalMemory,
    LateralSynapse,
    Neurons,
    Quadratic,
    Tanh,
)
from ..learning.hebb import Hebb
from ..learning.rules import AbstractRule
from ..separation import AbstractSeparation, Power, Softmax
from ..stores import AbstractStore
from ..stores.binary import BinaryMemory
from ..stores.matrix import MatrixMemory
from .large_memory import Activation, two_layers


def hopfield_network(patterns: ArrayLike, rule: AbstractRule | None = None) -> MatrixMemory:
    """The network of 1982: E = −½ σᵀWσ + θᵀσ over two-state units without self-coupling.

    **Arguments:**

    - `patterns`: rows to be stored, shape (N, d), of −1 and +1, or of 0 and 1 for rules of bits.
    - `rule`: one of `attrax.learning`, which makes W; `Hebb()`, for signs, if `None`.

    **Returns:** an `attrax.MatrixMemory`, which `retrieve` runs one unit after another.

    **Raises:** `ValueError` for states that the rule is not for; `TypeError` if `rule` is not one.

    **Source:** [hopfield1982neural]
    """
    rule = Hebb() if rule is None else rule
    if not isinstance(rule, AbstractRule):
        raise TypeError(
            f"`rule` must be a rule such as attrax.learning.Hebb(), but it is {rule!r}."
        )
    return rule(patterns)


def dense_memory(patterns: ArrayLike, degree: int = 3, *, rectified: bool = True) -> BinaryMemory:
    """The dense associative memory: E(σ) = −Σ_μ F(ξ_μ·σ) with F(x) = (d/n)(x/d)ⁿ.

    It holds some d^(n−1) random patterns. Rectified, F(x) = 0 for x < 0. The paper's F is xⁿ. The
    positive factor makes a stored pattern's energy some −d/n, so that energies of all d and n are
    within the range of floats, and temperatures are of order one; it scales all energies alike.
    Without rectification an even F likes −ξ as much as ξ, and an odd one is not convex, which
    updates of single units do not need.

    `binary_dense_memory` has the same energy as a network of feature and memory neurons, for smooth
    features, time constants and real memories.

    **Arguments:**

    - `patterns`: ξ, rows to be stored, shape (N, d), of −1 and +1.
    - `degree`: n ≥ 2, of the energy; 2 without rectification is Hebb's network, but for the
      constant that its missing self-couplings leave out.
    - `rectified`: whether negative overlaps count nothing.

    **Returns:** a `BinaryMemory`, which `retrieve` runs one unit after another.

    **Raises:** `ValueError` for a degree below 2, or rows that are not of −1 and +1.

    **Source:** [krotov2016dense]
    """
    degree = whole_number("degree", degree, 2)
    rows = as_floats("patterns", patterns, ndim=2)
    scale = jnp.asarray(max(1, rows.shape[1]), rows.dtype)
    return BinaryMemory(rows, Power(degree - 1, rectified=bool(rectified), scale=scale))


def exponential_memory(patterns: ArrayLike, beta: ArrayLike = 1.0) -> BinaryMemory:
    """The exponential memory: F(x) = exp(βx), with E(σ) = −ln Σ_μ exp(β ξ_μ·σ)/β.

    The logarithm keeps energies within the range of floats and changes no update, as it rises
    with its argument. A temperature acts on it instead of on Σ exp.

    **Arguments:**

    - `patterns`: ξ, rows to be stored, shape (N, d), of −1 and +1.
    - `beta`: β > 0; 1 in the theorem of 2^(d/2) stable patterns.

    **Returns:** a `BinaryMemory`; called, it updates every unit once, as the theorem does.

    **Raises:** `ValueError` for a β that is not positive, or rows that are not of −1 and +1.

    **Source:** [demircigil2017model]
    """
    return BinaryMemory(patterns, Softmax(beta))


def graded_network(
    memory: MatrixMemory | ArrayLike,
    activation: ArrayLike | Activation = 1.0,
    *,
    tau: float = 0.0,
    input: ArrayLike | None = None,
) -> HierarchicalMemory:
    """The network of 1984: τ u̇ = W g(u) − θ − u, with graded states g of a gain or Lagrangian.

    Its energy is −½ gᵀWg + θᵀg + Σ_i ∫₀^{g_i} g⁻¹. The last term shrinks as 1/gain, and the minima
    become those of the two-state units. Rows ξ make W = ξᵀξ, which keeps its diagonal and is never
    formed: it is Model A′ of the theory, whose memory neurons are linear.

    ```python
    graded_network(hopfield_network(patterns), 10.0)     # W of a rule, tanh(10 u)
    graded_network(rows, Quadratic())                    # W = ξᵀξ, linear features
    ```

    **Arguments:**

    - `memory`: a `MatrixMemory` of signs without a self-term; or rows ξ, shape (N, d).
    - `activation`: a number is the gain of g = tanh(gain · u), > 0, in units of 1/u; else g is that
      of a Lagrangian or separation. If g is not bounded, as ReLU is not, the state diverges and its
      energy falls for ever once W is larger than one along what g can reach.
    - `tau`: of the memory neurons of rows, ≥ 0, in units of the features'; 0 is fast.
    - `input`: a constant drive, shape (d,), beside −θ; none if `None`.

    **Returns:** a network with the one layer "units" for a matrix, and the layers "feature" and
    "memory" for rows. Activations of the first layer are the graded states.

    **Raises:** `ValueError` for other units, a self-term, a matrix that is not symmetric, or a
    `tau` where there are no memory neurons; `ValueError` or `TypeError` for other values out of
    bounds.

    **Source:** [hopfield1984neurons]; with rows [krotov2021large]
    """
    own = isinstance(activation, AbstractSeparation | AbstractLagrangian) or callable(activation)
    feature: Any = activation if own else Tanh(positive("activation", activation))
    if not isinstance(memory, MatrixMemory):
        if isinstance(memory, AbstractStore):
            raise ValueError(
                f"`memory` must be a MatrixMemory or rows, not {type(memory).__name__}."
            )
        return two_layers(memory, feature, Quadratic(), tau, input)
    if memory.units != "signs" or memory.self_term:
        raise ValueError("`memory` must be a MatrixMemory of signs without a self-term.")
    if memory.symmetry == "none":
        raise ValueError("`memory` has a matrix that is not symmetric, so it has no energy.")
    if tau != 0:
        raise ValueError("`tau` is of memory neurons, which the network of a matrix does not have.")
    drive = None if memory.threshold is None else -memory.threshold
    if input is not None:
        given = as_floats("input", input, ndim=1).astype(memory.dtype)
        drive = given if drive is None else drive + given
    layer = Neurons(memory.width, feature, 1.0, drive)
    couplings = LateralSynapse(jnp.asarray(memory.scale * memory.matrix))
    return HierarchicalMemory({"units": layer}, {"units": couplings})
