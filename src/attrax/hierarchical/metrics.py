"""Metrics of the noise of a layer, and the step of a diffusion in each; see `geometry`."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate


class AbstractMetric(eqx.Module):
    """M = ∇²L(x) + a of one layer at one state, and the step of a diffusion in it.

    The variance v is 2 T η, with temperature T and the step η in units of the layer's τ. At v = 0
    nothing is drawn, and drifts stay as they are.
    """

    variance: eqx.AbstractVar[Float[Array, ""]]

    @abstractmethod
    def drift(self, change: Float[Array, "..."]) -> Float[Array, "..."]:
        """M⁻¹ ∇²L times a step towards the pull, and the drift that the noise's growth asks for."""

    @abstractmethod
    def noise(self, normal: Float[Array, "..."]) -> Float[Array, "..."]:
        """√v M^(−1/2) times standard normal numbers."""

    @abstractmethod
    def curved(self, change: Float[Array, "..."]) -> Float[Array, ""]:
        """changeᵀ M change/v."""

    @abstractmethod
    def volumes(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """ln det ∇²L and ln det M, up to constants."""


class Diagonal(AbstractMetric):
    """The metric of neurons that do not depend on each other.

    - `floor`: a; `logs`: ln ∂g/∂x, `slope`: its derivative; `free`: False for held entries, where
      both are zero.
    """

    variance: Float[Array, ""]
    floor: Float[Array, ""]
    logs: Float[Array, "..."]
    slope: Float[Array, "..."]
    free: Bool[Array, "..."] | None

    def drift(self, change):
        """See `AbstractMetric.drift`."""
        share = _share(jnp.exp(self.logs), self.floor)
        growth = 0.5 * self.slope * (1 - share) * self.variance / self._raised()
        return share * change + jnp.where(self.variance > 0, growth, 0.0)

    def noise(self, normal):
        """See `AbstractMetric.noise`."""
        drawn = jnp.sqrt(self.variance / self._raised()) * normal
        kept = self.variance > 0 if self.free is None else self.free & (self.variance > 0)
        return jnp.where(kept, drawn, 0.0)

    def curved(self, change):
        """See `AbstractMetric.curved`."""
        return _total(self._raised() * jnp.square(change) / self.variance)

    def volumes(self):
        """See `AbstractMetric.volumes`."""
        return _total(self.logs), _total(jnp.log(self._raised()))

    def _raised(self):
        return jnp.exp(self.logs) + self.floor


class Simplex(AbstractMetric):
    """The metric of softmax, whose activations p fill a simplex: ∇²L = β (diag p − p pᵀ).

    It says nothing of a shift of all states alike, which no activation feels. Along `axis`, the
    ghost of `GhostSoftmax` is one neuron more, whose state stays zero.

    - `floor`: a, added to each β p; `logs`: ln β p; `ghost`: the ghost's, `None` for softmax.
    """

    variance: Float[Array, ""]
    floor: Float[Array, ""]
    beta: Float[Array, ""]
    logs: Float[Array, "..."]
    ghost: Float[Array, "..."] | None
    axis: int | None = eqx.field(static=True)

    def drift(self, change):
        """See `AbstractMetric.drift`."""
        weights = jnp.exp(self.logs)
        mean = self._sum(weights * change) / self.beta
        moved = _share(weights, self.floor) * (change - mean) + self._growth(weights)
        if self.ghost is None:
            return moved + mean
        weight = jnp.exp(self.ghost)
        return moved + _share(weight, self.floor) * mean - self._growth(weight)

    def noise(self, normal):
        """See `AbstractMetric.noise`."""
        raised, ghost = self._raised()
        root = jnp.sqrt(raised)
        own = self._sum(raised)
        common = -1.0 if ghost is None else jnp.sqrt(1 + own / ghost) - 1
        drawn = normal / root + common * self._sum(root * normal) / own
        return jnp.where(self.variance > 0, jnp.sqrt(self.variance) * drawn, 0.0)

    def curved(self, change):
        """See `AbstractMetric.curved`."""
        raised, ghost = self._raised()
        ghost = jnp.zeros_like(self._sum(raised)) if ghost is None else ghost
        mean = self._sum(raised * change) / (self._sum(raised) + ghost)
        own = _total(raised * jnp.square(change - mean) / self.variance)
        return own + _total(ghost * jnp.square(mean) / self.variance)

    def volumes(self):
        """See `AbstractMetric.volumes`."""
        raised, ghost = self._raised()
        plain, metric, whole = _total(self.logs), _total(jnp.log(raised)), self._sum(raised)
        if ghost is not None:
            plain, metric = plain + _total(self.ghost), metric + _total(jnp.log(ghost))
            whole = whole + ghost
        return plain, metric - _total(jnp.log(whole))

    def _growth(self, weights):
        """½ v (a β (1 − m p)/(β p + a)² + (m − 1)(1 − share²)) of m neurons, ghosts counted."""
        share = _share(weights, self.floor)
        count = self.logs.size if self.axis is None else self.logs.shape[self.axis]
        count = count + (self.ghost is not None)
        slope = self.beta / (weights + self.floor) - count * share
        growth = 0.5 * self.variance * (1 - share) * (slope + (count - 1) * (1 + share))
        return jnp.where(self.variance > 0, growth, 0.0)

    def _raised(self):
        ghost = None if self.ghost is None else jnp.exp(self.ghost) + self.floor
        return jnp.exp(self.logs) + self.floor, ghost

    def _sum(self, x):
        return jnp.sum(x, self.axis, keepdims=True)


class Dense(AbstractMetric):
    """The metric of neurons that all depend on each other, by its Cholesky factor: O(n³).

    - `hessian`: ∇²L; `factor`: of ∇²L + a; `logs`: ln det of both; `slope`: the gradient of their
      difference.
    """

    variance: Float[Array, ""]
    hessian: Float[Array, "n n"]
    factor: Float[Array, "n n"]
    logs: tuple[Float[Array, ""], Float[Array, ""]]
    slope: Float[Array, " n"]

    def drift(self, change):
        """See `AbstractMetric.drift`."""
        along = self.hessian @ self._row(change) + 0.5 * self.variance * self.slope
        solved = jax.scipy.linalg.cho_solve((self.factor, True), along)
        return jnp.where(self.variance > 0, self._layer(solved, change), change)

    def noise(self, normal):
        """See `AbstractMetric.noise`."""
        row = jnp.sqrt(self.variance) * self._row(normal)
        drawn = jax.scipy.linalg.solve_triangular(self.factor, row, lower=True, trans=1)
        return jnp.where(self.variance > 0, self._layer(drawn, normal), 0.0)

    def curved(self, change):
        """See `AbstractMetric.curved`."""
        return _total(jnp.square(self.factor.T @ self._row(change))) / self.variance

    def volumes(self):
        """See `AbstractMetric.volumes`."""
        return self.logs

    def _row(self, x):
        return x.reshape(-1).astype(self.slope.dtype)

    def _layer(self, row, like):
        return row.reshape(like.shape).astype(like.dtype)


def _share(weights, floor):
    """The share of the weights in themselves and the floor."""
    return jnp.where(floor > 0, weights / (weights + floor), 1.0)


def _total(x):
    return jnp.sum(x, dtype=accumulate(x.dtype))
