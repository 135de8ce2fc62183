"""The replica-symmetric equations of Hebb's rule, solved for one load and temperature.

With the noise's deviation σ = √(α r), x = m/σ and C = (1 − q)/T the equations are

    m = ⟨tanh((m + σ z)/T)⟩,   C = ⟨sech²((m + σ z)/T)⟩/T,   σ (1 − C) = √(α q),   q = 1 − T C.

All of it is smooth down to T = 0. For a given x the first is one equation in m, and the others then
give α: the branch of retrieval states is α(x) from its peak, the critical load, to x → ∞.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from jaxtyping import Array

# Trapezoidal rules for ∫ φ(z) f(z) dz and ∫ ½ sech²(s) f(s) ds. Their error is below 1e-15 where
# the poles of f are no nearer to the real line than π/2, as `averages` sees to.
_Z = np.arange(-36, 37) / 4
_Z_WEIGHTS = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()
_S = np.arange(-80, 81) / 4
_S_WEIGHTS = np.cosh(_S) ** -2.0 / (np.cosh(_S) ** -2.0).sum()

# Where the peak of α(x) is looked for; it stays near 2.1 at all temperatures.
_X_LOW, _X_HIGH = 1.0, 4.0

# The functions below are jitted, although only called from jitted ones, to be traced once.


class State(NamedTuple):
    """Overlap m and deviation σ of the noise."""

    overlap: Array
    deviation: Array


class Averages(NamedTuple):
    """Averages over the noise z of a unit with the field m + σ z at temperature T."""

    mean: Array
    response: Array
    log_partition: Array


@jax.jit
def averages(m, sigma, temperature) -> Averages:
    """⟨tanh(h/T)⟩, ⟨sech²(h/T)⟩/T and T ⟨ln 2 cosh(h/T)⟩ for h = m + σ z, σ or T positive.

    Where σ > T the average over z is done in closed form and that over the thermal noise by
    quadrature: tanh(h/T) = ⟨sign(h + T s)⟩ with s of density ½ sech².
    """
    hot = sigma < temperature
    t = jnp.where(hot, temperature, 1)
    h = (m + jnp.where(hot, sigma, 0) * jnp.asarray(_Z, m.dtype)) / t
    weights = jnp.asarray(_Z_WEIGHTS, m.dtype)
    tanh = jnp.tanh(h)
    in_hot = weights @ tanh, weights @ (1 - tanh**2) / t, t * (weights @ jnp.logaddexp(h, -h))

    width = jnp.where(hot, 1, sigma)
    a = (m + jnp.where(hot, 0, temperature) * jnp.asarray(_S, m.dtype)) / width
    weights = jnp.asarray(_S_WEIGHTS, m.dtype)
    sign, bell = erf(a / math.sqrt(2)), math.sqrt(2 / math.pi) * jnp.exp(-(a**2) / 2)
    in_cold = weights @ sign, weights @ bell / width, width * (weights @ (a * sign + bell))
    return Averages(*(jnp.where(hot, *pair) for pair in zip(in_hot, in_cold, strict=True)))


@jax.jit
def overlap_on_branch(x, temperature):
    """The overlap m > 0 of the retrieval state with m/σ = x, for T < 1."""

    def excess(m, x=x, temperature=temperature):
        return averages(m, m / x, temperature).mean - m

    fixed = jax.lax.stop_gradient((x, temperature))

    def step(_, state):
        m, low, high = state
        value, slope = jax.jvp(lambda m: excess(m, *fixed), (m,), (jnp.ones_like(m),))
        low, high = jnp.where(value > 0, m, low), jnp.where(value > 0, high, m)
        newton = m - value / jnp.where(slope < 0, slope, -1)
        inside = (slope < 0) & (newton > low) & (newton < high)
        return jnp.where(inside, newton, (low + high) / 2), low, high

    one = jnp.ones_like(x)
    m = jax.lax.fori_loop(0, 24, step, (one, jnp.zeros_like(x), one))[0]
    return newton(excess, m)


@jax.jit
def root_load(m, sigma, temperature):
    """√α of the state with overlap m and noise σ."""
    response = averages(m, sigma, temperature).response
    return sigma * (1 - response) / jnp.sqrt(1 - temperature * response)


def branch(x, temperature):
    """√α of the retrieval state with m/σ = x, and its overlap."""
    m = overlap_on_branch(x, temperature)
    return root_load(m, m / x, temperature), m


@jax.jit
def peak(temperature):
    """The x = m/σ at which α(x) is largest: golden sections of [_X_LOW, _X_HIGH]."""
    golden = (math.sqrt(5) - 1) / 2
    temperature = jax.lax.stop_gradient(temperature)

    def inner(low, high):
        return jnp.stack([high - golden * (high - low), low + golden * (high - low)])

    # Both values are taken anew: that costs less time than a longer program to compile.
    values = jax.vmap(lambda x: branch(x, temperature)[0])

    def step(_, bounds):
        low, high = bounds
        x = inner(low, high)
        left, right = values(x)
        return jnp.where(left > right, low, x[0]), jnp.where(left > right, x[1], high)

    bounds = tuple(jnp.full_like(temperature, x) for x in (_X_LOW, _X_HIGH))
    low, high = jax.lax.fori_loop(0, 28, step, bounds)
    return (low + high) / 2


def retrieval(root, temperature, x_peak) -> State:
    """The retrieval state at √α = `root` and T < 1, where there is one."""

    fixed_root, fixed = jax.lax.stop_gradient((root, temperature))

    def beyond(log_x):
        return branch(jnp.exp(log_x), fixed)[0] < fixed_root

    # √α ≤ 1/x, since q ≥ m².
    x = jnp.exp(bisect(beyond, jnp.log(x_peak), -jnp.log(fixed_root)))
    m = overlap_on_branch(x, fixed)
    return _polished(State(m, m / x), root, temperature)


@jax.jit
def spin_glass(root, temperature) -> State:
    """The state without overlap; frozen (σ > 0) below T = 1 + √α."""
    frozen = temperature < 1 + root
    t = jnp.where(frozen, temperature, 0)

    def excess(sigma, root=root, t=t):
        return root_load(jnp.zeros_like(sigma), sigma, t) - root

    fixed_root, fixed = jax.lax.stop_gradient((root, t))
    # C ≤ √(2/π)/σ and q ≤ 1. Close to zero √q is lost to rounding.
    low = 10 * fixed * math.sqrt(jnp.finfo(root.dtype).eps)
    high = fixed_root + math.sqrt(2 / math.pi)
    sigma = newton(excess, bisect(lambda s: excess(s, fixed_root, fixed) > 0, low, high))
    return State(jnp.zeros_like(sigma), jnp.where(frozen, sigma, 0))


def bisect(above, low, high):
    """The place in [low, high] from which on `above` is true."""

    def step(_, bounds):
        low, high = bounds
        middle = (low + high) / 2
        up = above(middle)
        return jnp.where(up, low, middle), jnp.where(up, middle, high)

    low, high = jax.lax.fori_loop(0, 56, step, (low, high))
    return (low + high) / 2


def newton(function, x):
    """A step of Newton's close to a root, which makes the root differentiable."""
    x = jax.lax.stop_gradient(x)
    value, slope = jax.lax.stop_gradient(jax.jvp(function, (x,), (jnp.ones_like(x),)))
    sound = jnp.abs(value) < 1e-3 * jnp.abs(slope * x)
    return x - jnp.where(sound, function(x) / jnp.where(sound, slope, 1), 0)


def _polished(state: State, root, temperature) -> State:
    """A step of Newton's on both equations at once, to the same end."""

    def residual(m, sigma):
        mean, response, _ = averages(m, sigma, temperature)
        q = jnp.maximum(1 - temperature * response, 0)
        return mean - m, sigma * (1 - response) - root * jnp.sqrt(q)

    m, sigma = jax.lax.stop_gradient(state)
    f, g = residual(m, sigma)
    (f_m, f_s), (g_m, g_s) = jax.lax.stop_gradient(jax.jacfwd(residual, (0, 1))(m, sigma))
    determinant = f_m * g_s - f_s * g_m
    determinant = jnp.where(determinant == 0, jnp.inf, determinant)
    by_m, by_sigma = (g_s * f - f_s * g) / determinant, (f_m * g - g_m * f) / determinant
    # At the critical load the two roots meet, and a step may lead anywhere.
    sound = (jnp.abs(by_m) < 1e-3 * m) & (jnp.abs(by_sigma) < 1e-3 * sigma)
    return State(jnp.where(sound, m - by_m, m), jnp.where(sound, sigma - by_sigma, sigma))
