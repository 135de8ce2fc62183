"""The noise of each layer that leaves its activations distributed as exp(−E/T).

A state x that diffuses with the covariance M⁻¹ = (∇²L(x))⁻¹ samples the activations g = ∇L(x)
without preference. Where neurons saturate, ∇²L vanishes and so strong a noise cannot be followed
in steps, so M is ∇²L + a: the floor a keeps the noise of one step shorter than the length along
which ∇²L changes. The drift that goes with M is that of the exact diffusion, so the law is the
same for every floor; a falls with the step, and far from saturation it does not matter.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ..common.arithmetic import accumulate, match
from ..spaces.noise import AbstractGeometry
from .metrics import AbstractMetric, Dense, Diagonal, Simplex
from .neurons import Neurons


class Geometry(AbstractGeometry):
    """The metrics of all layers at one point of a run, by name."""

    metrics: dict[str, AbstractMetric]

    def drift(self, change: PyTree) -> PyTree:
        """See `AbstractMetric.drift`."""
        return {name: metric.drift(change[name]) for name, metric in self.metrics.items()}

    def noise(self, normal: PyTree) -> PyTree:
        """See `AbstractMetric.noise`."""
        return {name: metric.noise(normal[name]) for name, metric in self.metrics.items()}

    def curved(self, change: PyTree) -> Float[Array, ""]:
        """The sum over layers."""
        return _sum([metric.curved(change[name]) for name, metric in self.metrics.items()])

    def volumes(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The sums over layers."""
        plain, raised = zip(*(metric.volumes() for metric in self.metrics.values()), strict=True)
        return _sum(plain), _sum(raised)


def geometry(
    neurons: dict[str, Neurons],
    states: dict[str, Array],
    temperature: Float[Array, ""],
    step: Float[Array, ""],
    held: dict[str, Bool[Array, "..."]],
) -> Geometry:
    """The geometry of the layers that have a state.

    **Arguments:**

    - `neurons`, `states`: by name; layers without a state are fast and have no noise.
    - `temperature`: T, in units of the energy.
    - `step`: in units of the slowest layer's τ.
    - `held`: True for entries that do not move, beside those that are clamped; by name.
    """
    slowest = max(neurons[name].tau for name in states)
    return Geometry(
        {
            name: metric(layer, state, temperature, step * (slowest / layer.tau), held.get(name))
            for name, state in states.items()
            for layer in [neurons[name]]
        }
    )


def metric(
    layer: Neurons,
    state: Float[Array, "..."],
    temperature: Float[Array, ""],
    step: Float[Array, ""],
    held: Bool[Array, "..."] | None = None,
) -> AbstractMetric:
    """The metric of a layer at a state, with the floor a = 2 T √η/ℓ².

    ℓ is the length along which ∇²L changes. The noise √(2 T η) M^(−1/2) n is then never larger
    than ℓ η^(1/4), and for short steps the floor is gone.

    **Arguments:**

    - `layer`, `state`: the layer, and where it is.
    - `temperature`, `step`: T, and η in units of the layer's τ.
    - `held`: True for entries that do not move, beside those that are clamped.
    """
    lagrangian, clamped = match(layer.lagrangian, state.dtype), layer.clamped
    temperature, step = temperature.astype(state.dtype), step.astype(state.dtype)
    variance, reach = 2 * temperature * step, lagrangian.reach
    floor = variance * 0 if reach is None else 2 * temperature * jnp.sqrt(step) / reach**2
    if clamped is not None:
        held = clamped if held is None else held | clamped
    if lagrangian.elementwise:
        free = None if held is None else ~held
        logs, slope = jax.jvp(lambda x: lagrangian.log_slope(x), (state,), (jnp.ones_like(state),))
        # A neuron that can stand still in its middle, as x³ does, must not be thrown out of it.
        bound = jnp.inf if reach is None else 2 / reach
        slope = jnp.clip(jnp.where(jnp.isfinite(slope), slope, 0.0), -bound, bound)
        if free is not None:
            logs, slope = jnp.where(free, logs, 0.0), jnp.where(free, slope, 0.0)
        return Diagonal(variance, floor, logs, slope, free)
    shares = lagrangian.shares(state)
    if shares is not None:
        return Simplex(variance, floor, *shares)
    return _dense(lagrangian, state, variance, floor)


def lacks_noise(neurons: dict[str, Neurons]) -> str | None:
    """Why no noise samples the activations of some layer; `None` where one does.

    ∇²L must be invertible, but for single points and for shifts under softmax. Fast layers have
    no noise, nor have those that are clamped as a whole.
    """
    for name, layer in neurons.items():
        still = layer.tau == 0 or layer.whole
        reason = None if still else layer.lagrangian.lacks_density
        if reason is not None:
            return (
                f"Layer {name!r}: {reason} With tau=0 the layer follows the others without noise."
            )
    return None


def _dense(lagrangian, state, variance, floor):
    # Matrices are not factored in half precision.
    flat = state.reshape(-1).astype(accumulate(state.dtype))
    variance, floor = variance.astype(flat.dtype), floor.astype(flat.dtype)
    eye = jnp.eye(flat.size, dtype=flat.dtype)

    def hessian(x):
        return jax.jacfwd(lambda x: lagrangian.activation(x.reshape(state.shape)).reshape(-1))(x)

    def gap(x):
        plain = hessian(x)
        logs = jnp.linalg.slogdet(plain)[1], jnp.linalg.slogdet(plain + floor * eye)[1]
        return logs[0] - logs[1], (plain, logs)

    slope, (plain, logs) = jax.grad(gap, has_aux=True)(flat)
    slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
    return Dense(variance, plain, jnp.linalg.cholesky(plain + floor * eye), logs, slope)


def _sum(parts):
    return jnp.sum(jnp.stack(list(parts)))
