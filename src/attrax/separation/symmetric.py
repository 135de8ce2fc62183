"""The separation of a network in which all pairs, or all triples, of units are connected."""

from typing import ClassVar

import equinox as eqx

from ..common.arithmetic import Range
from ..common.checks import whole_number
from .base import AbstractElementwise


class ElementarySymmetric(AbstractElementwise):
    """w = Φ′(s) for Φ(s) = Σ_p e_p(s)/n, sums of products over all sets of p of n signs.

    For signs x with the sum s = Σ x_i, e₂ = Σ_{i<j} x_i x_j = (s² − n)/2 and
    e₃ = Σ_{i<j<k} x_i x_j x_k = (s³ − (3n − 2) s)/6. With x = ξ_μ∘S, the state as a memory sees it,
    −Σ_μ Φ(ξ_μ·S) is the energy of a network whose connections join all sets of p units.

    Potential: Φ as above, for each memory. It is convex for scores that are not negative, and with
    pairs alone for any.

    **Arguments:**

    - `n`: number of units, ≥ 2.
    - `sizes`: the sizes p of sets, (2,), (3,) or (2, 3).

    **Raises:** `ValueError` for other sizes: Φ of larger sets is not convex.

    **Source:** [burns2023simplicial]
    """

    n: int = eqx.field(static=True)
    sizes: tuple[int, ...] = eqx.field(static=True, default=(2, 3))
    non_negative: ClassVar = False
    lacks_potential: ClassVar = None

    def __check_init__(self):
        """Refuse sizes without a convex potential."""
        whole_number("n", self.n, 2)
        if self.sizes not in ((2,), (3,), (2, 3)):
            raise ValueError(
                "`sizes` must be (2,), (3,) or (2, 3), since sums over larger sets are not convex, "
                f"but it is {self.sizes!r}."
            )

    @property
    def domain(self) -> Range:
        """Any score with pairs alone, else non-negative ones."""
        return "signed" if self.sizes == (2,) else "non-negative"

    @property
    def reach(self):
        """`None` with pairs alone, whose weights are the scores up to a factor."""
        return None if self.sizes == (2,) else float(self.n)

    def terms(self, scores, reference):
        """Φ′, and Φ."""
        weights, potential = 0.0 * scores, 0.0 * scores
        square = scores * scores
        if 2 in self.sizes:
            weights = weights + scores
            potential = potential + (square - self.n) / 2
        if 3 in self.sizes:
            linear = 3 * self.n - 2
            weights = weights + (3 * square - linear) / 6
            potential = potential + scores * (square - linear) / 6
        return weights / self.n, potential / self.n

    def difference_terms(self, scores, reference):
        """6 n Φ, which is whole for whole scores."""
        potential, square = 0.0 * scores, scores * scores
        if 2 in self.sizes:
            potential = potential + 3 * (square - self.n)
        if 3 in self.sizes:
            potential = potential + scores * (square - (3 * self.n - 2))
        return (potential,)

    def difference(self, reference, *sums):
        """The sum over 6 n."""
        return sums[0] / (6 * self.n)
