"""What a similarity is, and the sums over features that several of them share."""

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate
from ..common.checks import is_concrete, name_of, shape_of
from ..common.display import described
from .centroids import AbstractCentroid

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class AbstractSimilarity(eqx.Module):
    """Scores a query against stored keys, `similarity(keys (N, d), query (d,)) -> scores (N,)`.

    Larger is closer. A score sees its own key and the query only, so that keys can be read in
    blocks. Beside the scores, a similarity states what an energy needs: its state term R, and its
    centroid, the state v that makes R(v) − Σ w s(k, v) smallest for given weights w.
    """

    quadratic: ClassVar[bool] = False
    """Whether the state term R(v) is ½|v|²; it is zero otherwise."""

    encoded: ClassVar[bool] = False
    """Whether a memory keeps its rows standardised: own mean removed, unit norm."""

    discrete: ClassVar[bool] = False
    """Whether entries are equal or not, and nothing between, so that states must keep to entries
    that rows have: a memory then reads the centroid unless it is told otherwise."""

    rows: ClassVar[Literal["any", "varied", "non-negative"]] = "any"
    """What stored rows must be: anything, not constant, or distributions up to a factor."""

    steep: ClassVar[bool] = False
    """Whether scores fall off so steeply from an exact match that those of the rows with themselves
    say nothing of damaged queries: no inverse temperature is then chosen by them."""

    terms: ClassVar[Literal["relative", "differences", "squares", "products"]] = "relative"
    """What its sums are of, and so how large rows and queries may be: entries or their differences,
    the squares of those, or products of entries; "relative" where the unit of rows does not count,
    or where nothing is known."""

    bilinear: ClassVar[Literal["no", "plain", "shifted"]] = "no"
    """Whether scores are products k·v: as they are, with R = ½|v|²; or "shifted", which is but for
    a term of the key alone, and for one of the state alone that is R(v) − ½|v|²."""

    range: Declared[Range]
    """The sign of its scores."""

    rowwise: Declared[bool]
    """Whether keys may be scored in blocks."""

    centroid: Declared[AbstractCentroid | None]
    """The state that weighted memories agree on; `None` where no closed form is known."""

    @abstractmethod
    def __call__(
        self,
        keys: Float[Array, "n d"],
        query: Float[Array, " d"],
        weight: Float[Array, " d"] | None = None,
    ) -> Float[Array, " n"]:
        """The scores of a query.

        **Arguments:**

        - `keys`: stored rows, shape (N, d).
        - `query`: shape (d,), in the units of the keys.
        - `weight`: how much each entry counts, shape (d,), ≥ 0; all alike if `None`. Entries of
          weight zero are as if they were absent from keys and query.

        **Returns:** scores, shape (N,).
        """

    def rounding(self, rows: np.ndarray) -> float:
        """By how much the scores of some rows can be off, beside the rounding of the scores' own
        figures: of a score that is a difference of larger terms.

        **Arguments:**

        - `rows`: shape (N, d).
        """
        return 0.0

    def features(self, rows: Float[Array, "n d"]) -> Float[Array, "n m"] | None:
        """φ(row) of each row, where scores are s = φ(k)·φ(q); `None` where they are not."""
        return None

    def __repr__(self) -> str:
        """Its name, with the numbers that it was given."""
        return described(self)

    @property
    def label(self) -> str:
        """What it is called in a drawing."""
        return type(self).__name__

    @property
    def lacks_centroid(self) -> str | None:
        """Why there is no centroid; `None` where there is one."""
        if self.centroid is not None:
            return None
        return (
            f"No centroid of {self!r} is known in closed form, so its read need not descend; "
            "Dot(), Euclidean() and Manhattan() have one."
        )

    def state_term(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """R(v) of the energy E(v) = R(v) − Φ(s(v)): ½|v|² or zero."""
        if not self.quadratic:
            return jnp.zeros((), accumulate(state.dtype))
        return 0.5 * jnp.sum(jnp.square(state.astype(accumulate(state.dtype))))

    def check(self, name: str, rows: Float[Array, "n d"]) -> None:
        """Refuse rows that the similarity is not defined for; nothing is checked under jit.

        **Raises:** `ValueError` that lists the rows and names the remedy.
        """
        if self.rows == "any" or not is_concrete(rows):
            return
        values = np.asarray(rows, np.float64)
        if self.rows == "varied":
            # As `is_constant`, by which their keys are zero.
            rounding = 4 * float(jnp.finfo(accumulate(rows.dtype)).eps)
            wrong = np.ptp(values, axis=-1) <= rounding * np.abs(values).max(-1)
            why = "are constant, so correlate with nothing"
        else:
            wrong = (values < 0).any(-1) | (values.sum(-1) == 0)
            why = "are negative somewhere or zero throughout, so are no distributions"
        if wrong.any():
            listed = ", ".join(str(i) for i in np.flatnonzero(wrong)[:5])
            raise ValueError(
                f"Rows {listed}{', ...' if wrong.sum() > 5 else ''} of `{name}` {why}. "
                "Leave them out, or use similarity=attrax.similarity.Euclidean()."
            )


class SimilarityFunction(AbstractSimilarity):
    """A plain function `fn(keys (N, d), query (d,)) -> scores (N,)` as a similarity.

    It is read whole unless declared `rowwise`, and has no energy, since nothing is known of it.
    Rows and queries of 16 bits come to it in 32.

    **Arguments:**

    - `fn`: the function; one that takes a third argument `weight` (d,) can complete patterns.
    - `rowwise`: a score depends on its own key and the query only, so keys may come in blocks.
    - `range`: the sign of its scores.

    **Raises:** `TypeError` if `fn` cannot be called.
    """

    fn: Callable = eqx.field(static=True)
    rowwise: bool = eqx.field(static=True)
    range: Range = eqx.field(static=True)
    centroid: ClassVar = None

    def __init__(self, fn: Callable, *, rowwise: bool = False, range: Range = "signed"):
        if isinstance(fn, type):
            raise TypeError(
                f"`similarity` must be an instance, but it is a class; write {fn.__name__}()."
            )
        if not callable(fn):
            raise TypeError(
                "`similarity` must be a similarity or a function of (keys, query), "
                f"but it is {type(fn).__name__}."
            )
        self.fn, self.rowwise, self.range = fn, rowwise, range

    @property
    def label(self) -> str:
        """The name of the function."""
        return name_of(self.fn)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if weight is not None and len(inspect.signature(self.fn).parameters) < 3:
            raise TypeError(
                "`known` needs a similarity that can weigh entries, and this function of "
                "(keys, query) cannot: give it a third argument `weight` (d,)."
            )
        # Sums over narrow rows are made in at least 32 bits, by a function that does not know too.
        wide = accumulate(keys.dtype)
        keys, query = keys.astype(wide), query.astype(wide)
        if weight is None:
            scores = self.fn(keys, query)
        else:
            scores = self.fn(keys, query, weight.astype(wide))
        shape = shape_of(scores)
        if shape != keys.shape[:1]:
            raise ValueError(
                f"The similarity function must return one score a key, shape {keys.shape[:1]}, "
                f"but it returned {type(scores).__name__ if shape is None else shape}."
            )
        return scores
