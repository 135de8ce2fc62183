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

from ..arithmetic import accumulate, match
from ..separation import AbstractExponential, Exponential, GhostSoftmax, Identity, Log, Power
from ..spaces.noise import AbstractGeometry
from .elementwise import Absolute, RectifiedExponential, Sigmoid, Tanh
from .lagrangians import Quadratic, SeparationLagrangian
from .metrics import AbstractMetric, Dense, Diagonal, Simplex
from .neurons import Neurons
from .norms import LayerNorm, SphericalNorm


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
    variance, reach = 2 * temperature * step, _reach(lagrangian)
    floor = variance * 0 if reach is None else 2 * temperature * jnp.sqrt(step) / reach**2
    if clamped is not None:
        held = clamped if held is None else held | clamped
    if lagrangian.elementwise:
        free = None if held is None else ~held
        logs, slope = jax.jvp(
            lambda x: _log_slope(lagrangian, x), (state,), (jnp.ones_like(state),)
        )
        # A neuron that can stand still in its middle, as x³ does, must not be thrown out of it.
        bound = jnp.inf if reach is None else 2 / reach
        slope = jnp.clip(jnp.where(jnp.isfinite(slope), slope, 0.0), -bound, bound)
        if free is not None:
            logs, slope = jnp.where(free, logs, 0.0), jnp.where(free, slope, 0.0)
        return Diagonal(variance, floor, logs, slope, free)
    if isinstance(lagrangian, SeparationLagrangian):
        return _simplex(lagrangian, state, variance, floor)
    return _dense(lagrangian, state, variance, floor)


def lacks_noise(neurons: dict[str, Neurons]) -> str | None:
    """Why no noise samples the activations of some layer; `None` where one does.

    ∇²L must be invertible, but for single points and for shifts under softmax. Fast layers have
    no noise, nor have those that are clamped as a whole.
    """
    for name, layer in neurons.items():
        still = layer.tau == 0 or layer.whole
        reason = None if still else _lacks_density(layer.lagrangian)
        if reason is not None:
            return f"Layer {name!r}: {reason}"
    return None


def _lacks_density(lagrangian):
    kind, flat = type(lagrangian).__name__, "are constant where states move, so have no density"
    if isinstance(lagrangian, LayerNorm | SphericalNorm):
        why, instead = "lie on a curved surface, so have no density", "Quadratic() or Tanh()"
    elif isinstance(lagrangian, Absolute):
        why, instead = flat, "Tanh() or Sigmoid()"
    elif isinstance(lagrangian, RectifiedExponential):
        why, instead = flat, "Exponential()"
    elif isinstance(lagrangian, SeparationLagrangian):
        separation = lagrangian.separation
        kind = type(separation).__name__
        if separation.lacks_potential is not None:
            return separation.lacks_potential
        if isinstance(separation, AbstractExponential | Identity | Log):
            return None
        why, instead = flat, "Softmax() or Sigmoid()"
        if isinstance(separation, Power):
            if separation.domain == "signed" and not separation.rectified:
                return None
            instead = "Tanh(), Sigmoid() or a Power of odd degree, not rectified"
            why = flat if separation.rectified else "take no negative states, but noise gives them"
    else:
        return None
    return (
        f"activations of {kind} {why}. Take {instead}, or tau=0, by which the layer follows the "
        "others without noise."
    )


def _log_slope(lagrangian, state):
    """ln ∂g/∂x of neurons that do not depend on each other, finite where they saturate."""
    if isinstance(lagrangian, Tanh | Sigmoid):
        size = jnp.abs(lagrangian.beta * state) * (2 if isinstance(lagrangian, Tanh) else 1)
        height = 4 if isinstance(lagrangian, Tanh) else 1
        return jnp.log(height * lagrangian.beta) - size - 2 * jnp.log1p(jnp.exp(-size))
    separation = getattr(lagrangian, "separation", None)
    if isinstance(separation, Exponential):
        return jnp.log(separation.beta) + separation.beta * state
    slope = jax.jvp(lagrangian.activation, (state,), (jnp.ones_like(state),))[1]
    return jnp.log(slope)


def _reach(lagrangian):
    """The length along which ∇²L changes, in units of the state; `None` where it does not."""
    if isinstance(lagrangian, Tanh | Sigmoid):
        return 1 / lagrangian.beta
    if not isinstance(lagrangian, SeparationLagrangian):
        return None if isinstance(lagrangian, Quadratic) else 1.0
    separation = lagrangian.separation
    if isinstance(separation, Power):
        return None if separation.degree == 1 else separation.scale
    return 1 / separation.beta if isinstance(separation, AbstractExponential) else None


def _simplex(lagrangian, state, variance, floor):
    separation, axis = lagrangian.separation, lagrangian.axis
    scaled = separation.beta * state
    total, ghost = jax.nn.logsumexp(scaled, axis, keepdims=True), None
    if isinstance(separation, GhostSoftmax):
        total = jnp.logaddexp(total, 0.0)
        ghost = jnp.log(separation.beta) - total
    logs = jnp.log(separation.beta) + scaled - total
    return Simplex(variance, floor, separation.beta, logs, ghost, axis)


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
