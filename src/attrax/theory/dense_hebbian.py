"""Replica theory of dense Hebbian networks: archetypes retrieved from noisy examples.

Units in groups of P ≥ 3 under the energy of `models.dense_hebbian_memory`; K = α d^{P−1} archetypes
of fair signs, d → ∞, M examples of each, so many that the mean of a class is a normal variable; one
archetype condensed, replica symmetry. With the signal s = z^{P−1}/((P − 1)! √(1 + ρ)) of a unit and
the variance w = α q^{P−1}/(P − 1)! of the noise from other archetypes, its field is
s (1 + √ρ g) + √w x, of normal g and x, and

    m = ⟨tanh β(…)⟩,   z = (m + ρ s C)/√(1 + ρ),   C = ⟨sech² β(…)⟩/T,   q = 1 − T C.

Unlike at P = 2, noise is not amplified by its own response. For given s, the equation of z fixes w
and so α(s): the branch of retrieval states from α = 0 down to the s at which iteration of the
equations no longer comes back to them. There α(s) has its peak, but for very noisy examples, with
which states may become unstable before.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, gammaln
from jaxtyping import Array, Float

from .arguments import Numbers, above_zero, bounded, padded, reals, trimmed, whole
from .mean_field import averages, bisect, newton

# The noise's deviation is looked for up to so many times the signal, and the signal down to such
# a share of the largest, at so many points.
_NOISE, _SIGNAL, _POINTS = 1e3, 1e-3, 128


class TaughtOrderParameters(NamedTuple):
    """What `dense_hebbian_order_parameters` returns, arrays of one shape.

    - `overlap`: m in [0, 1], mean overlap with the condensed archetype.
    - `example_overlap`: z ≥ 0, mean overlap with the mean of its examples, which is divided by its
      root mean square √R.
    - `spin_glass`: q in [0, 1], mean squared magnetisation of a unit.
    """

    overlap: Float[Array, "..."]
    example_overlap: Float[Array, "..."]
    spin_glass: Float[Array, "..."]


def dataset_entropy(quality: Numbers, examples: Numbers) -> Float[Array, "..."]:
    """ρ = (1 − r²)/(M r²), by which quality and number of examples are traded for each other.

    A unit of an example is that of its archetype with probability (1 + r)/2, so that the mean of
    M examples is r(1 + √ρ g) times the archetype, g of variance 1, with mean square r²(1 + ρ).

    **Arguments:**

    - `quality`: r in (0, 1], any shape.
    - `examples`: M ≥ 1, any shape.

    **Returns:** ρ ≥ 0, of the arguments' joint shape; 0 for perfect examples.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [agliari2023supervised]
    """
    quality, examples = _checked_examples(quality, examples)
    return _entropy(quality, examples)


def unsupervised_load(
    load: Numbers, quality: Numbers, examples: Numbers, degree: Numbers = 4
) -> Float[Array, "..."]:
    """α (1 + ρ_P)/(1 + ρ)^P, ρ_P = (1 − r^{2P})/(M r^{2P}): the load that noise of no teacher is.

    Products of P units of an example have the quality r^P, and their mean over examples the
    entropy ρ_P, where a teacher makes products of means. The condensed archetype's signal is the
    same, as the overlaps with all its examples are equal, and noise has this factor more variance.
    So the network without a teacher has the order parameters of the one with a teacher at this
    load; it needs some r^{−2P} examples where the other needs r^{−2}.

    **Arguments:**

    - `load`: α ≥ 0, archetypes a unit to the power of P − 1, any shape.
    - `quality`: r in (0, 1], any shape.
    - `examples`: M ≥ 1, any shape.
    - `degree`: P ≥ 3, whole, any shape.

    **Returns:** a load of at least α, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** derived here; the system is that of [agliari2023unsupervised]
    """
    load, quality, examples, degree = reals(
        load=load, quality=quality, examples=examples, degree=degree
    )
    bounded("load", load, 0)
    _checked_examples(quality, examples)
    _check_degree(degree)
    entropy, products = _entropy(quality, examples), _entropy(quality**degree, examples)
    return load * (1 + products) / (1 + entropy) ** degree


def dense_hebbian_first_step(
    load: Numbers, degree: Numbers = 4, entropy: Numbers = 0.0
) -> Float[Array, "..."]:
    """m = erf([2ρ + 2α (P − 1)! (1 + ρ)^P]^{−1/2}), one step from an archetype at zero temperature.

    All units at once take the side of their fields.

    **Arguments:**

    - `load`: α ≥ 0, archetypes a unit to the power of P − 1, any shape.
    - `degree`: P ≥ 3, whole, any shape.
    - `entropy`: ρ ≥ 0 of the examples, see `dataset_entropy`, any shape.

    **Returns:** the mean overlap m with the archetype, in [0, 1], of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** derived here; the system is that of [agliari2023supervised]
    """
    load, degree, entropy = reals(load=load, degree=degree, entropy=entropy)
    _check_network(load, degree, entropy)
    variance = entropy + load * jnp.exp(gammaln(degree)) * (1 + entropy) ** degree
    noisy = variance > 0
    return jnp.where(noisy, erf(1 / jnp.sqrt(2 * jnp.where(noisy, variance, 1))), 1)


def dense_hebbian_order_parameters(
    load: Numbers, temperature: Numbers = 0.0, degree: Numbers = 4, entropy: Numbers = 0.0
) -> TaughtOrderParameters:
    """m = ⟨tanh βh⟩, z = (m + βρs(1 − q))/√(1 + ρ), q = ⟨tanh² βh⟩, h = s(1 + √ρ g) + √w x, solved.

    Averages are over standard normal g and x; s = z^{P−1}/((P − 1)! √(1 + ρ)) is the signal and
    w = α q^{P−1}/(P − 1)! the variance of the noise from other archetypes. Of the solutions with
    m > 0 the one of largest s is the retrieval state; it ends, by a jump, at
    `dense_hebbian_critical_load`. α = 0 stands for any number of archetypes that grows more slowly
    than d^{P−1}.

    Replica symmetry is an approximation at low temperatures, where it makes noise too strong: the
    critical load of P = 4 is 0.033 at zero temperature and 0.038 at T = 0.04, and true ones do
    not rise with T. In networks of d units signals are smaller by some (P − 1)(P − 2)/(2d).

    **Arguments:**

    - `load`: α ≥ 0, archetypes a unit to the power of P − 1, any shape; for the network without a
      teacher what `unsupervised_load` makes of it.
    - `temperature`: T = 1/β ≥ 0, in units of the energy of `models.dense_hebbian_memory`, any
      shape. The publications' β is 2β/P!.
    - `degree`: P ≥ 3, whole, any shape.
    - `entropy`: ρ ≥ 0 of the examples, see `dataset_entropy`, any shape.

    **Returns:** a `TaughtOrderParameters` of arrays of the arguments' joint shape; all zero where
    there is no retrieval state. Derivatives are those of the solution, but for the critical load
    itself, where they are infinite.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** derived here; the system is that of [agliari2023supervised]
    """
    load, temperature, degree, entropy = reals(
        load=load, temperature=temperature, degree=degree, entropy=entropy
    )
    _check_network(load, degree, entropy)
    bounded("temperature", temperature, 0)
    points = map(padded, (load, temperature, degree, entropy))
    return TaughtOrderParameters(*(trimmed(a, load) for a in _solve(*points)[:3]))


def dense_hebbian_critical_load(
    temperature: Numbers = 0.0, degree: Numbers = 4, entropy: Numbers = 0.0
) -> Float[Array, "..."]:
    """α_c(T), the load up to which there is the retrieval state of few archetypes.

    | P | ρ = 0 | ρ = 0.1 | ρ = 0.3 |
    |---|---|---|---|
    | 3 | 0.1261 | 0.0996 | 0.0770 |
    | 4 | 0.0330 | 0.0218 | 0.0136 |
    | 6 | 0.00131 | 0.00064 | 0.00027 |

    At zero temperature, of the equations of `dense_hebbian_order_parameters`.

    **Arguments:**

    - `temperature`: T ≥ 0, in units of the energy of `models.dense_hebbian_memory`, any shape.
    - `degree`: P ≥ 3, whole, any shape.
    - `entropy`: ρ ≥ 0 of the examples, see `dataset_entropy`, any shape.

    **Returns:** α = K/d^{P−1}, of the arguments' joint shape; 0 where it is too warm for any
    retrieval state. Derivatives are those at a peak of α, where the branch ends for ρ ≤ 0.1.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** derived here; the system is that of [agliari2023supervised]
    """
    temperature, degree, entropy = reals(temperature=temperature, degree=degree, entropy=entropy)
    bounded("temperature", temperature, 0)
    _check_network(jnp.zeros_like(degree), degree, entropy)
    points = map(padded, (jnp.zeros_like(degree), temperature, degree, entropy))
    return trimmed(_solve(*points)[3], degree)


def _checked_examples(quality, examples):
    quality, examples = reals(quality=quality, examples=examples)
    above_zero("quality", quality)
    bounded("quality", quality, 0, 1)
    bounded("examples", examples, 1)
    return quality, examples


def _check_degree(degree):
    whole("degree", degree)
    bounded("degree", degree, 3)


def _check_network(load, degree, entropy):
    bounded("load", load, 0)
    bounded("entropy", entropy, 0)
    _check_degree(degree)


def _entropy(quality, examples):
    square = jnp.square(quality)
    return (1 - square) / (examples * square)


class _Setting(NamedTuple):
    """T, P and ρ of a point."""

    temperature: Array
    degree: Array
    entropy: Array

    @property
    def group(self):
        """(P − 1)!."""
        return jnp.exp(gammaln(self.degree))

    def signal(self, z):
        """The signal s of an overlap z with the mean of the examples."""
        return z ** (self.degree - 1) / (self.group * jnp.sqrt(1 + self.entropy))

    def respond(self, s, w):
        """The m, z and q that a signal s and noise of variance w lead to."""
        # Without any noise or warmth the average is that of a sign.
        tiny = jnp.finfo(s.dtype).eps ** 2
        sigma = jnp.sqrt(self.entropy * s**2 + w + tiny * s**2)
        m, response, _ = averages(s, sigma, self.temperature)
        z = (m + self.entropy * s * response) / jnp.sqrt(1 + self.entropy)
        return m, z, jnp.maximum(1 - self.temperature * response, 0)

    def excess(self, s, ratio):
        """By how much the z that follows from s, with noise of deviation `ratio` s, exceeds the z
        that s stands for."""
        z = self.respond(s, (ratio * s) ** 2)[1]
        return z - self.overlap(s)

    def load(self, s, ratio):
        """α of the state with signal s and noise of deviation `ratio` s."""
        w = (ratio * s) ** 2
        q = self.respond(s, w)[2]
        return self.group * w / jnp.where(q > 0, q, jnp.inf) ** (self.degree - 1)

    def noise(self, s):
        """The deviation of noise, over s, with which the equation of z holds."""
        zero = jnp.zeros_like(s)
        return bisect(lambda ratio: self.excess(s, ratio) < 0, zero, zero + _NOISE)

    def branch(self, x):
        """α of the state with this ln s, or something negative where there is none."""
        s = jnp.exp(x)
        lacking = self.excess(s, jnp.zeros_like(s))
        return jnp.where(lacking < 0, lacking, self.load(s, self.noise(s)))

    def update(self, z, q, load):
        """The z and q that these lead to."""
        w = load * q ** (self.degree - 1) / self.group
        return self.respond(self.signal(z), w)[1:]

    def overlap(self, s):
        """The overlap z with the mean of the examples of which a signal s comes."""
        return (s * self.group * jnp.sqrt(1 + self.entropy)) ** (1 / (self.degree - 1))

    def stable(self, x):
        """Whether there is a state with this ln s that iteration comes back to."""
        s = jnp.exp(x)
        ratio = self.noise(s)
        q = self.respond(s, (ratio * s) ** 2)[2]
        load = self.load(s, ratio)
        (a, b), (c, d) = jax.jacfwd(self.update, (0, 1))(self.overlap(s), q, load)
        determinant = a * d - b * c
        back = (determinant < 1) & (jnp.abs(a + d) < 1 + determinant)
        return back & (self.excess(s, jnp.zeros_like(s)) >= 0)

    def end(self):
        """ln s at which states cease to be stable, that of z = 1, and whether any state is."""
        top = -jnp.log(self.group) - jnp.log1p(self.entropy) / 2
        grid = top + math.log(_SIGNAL) * jnp.linspace(1, 0, _POINTS).astype(top.dtype)
        stable = jax.lax.map(self.stable, grid)
        places = jnp.arange(_POINTS)
        last = jnp.max(jnp.where(stable, places, 1))
        below = jnp.max(jnp.where(~stable & (places < last), places, 0))
        return bisect(self.stable, grid[below], grid[below + 1]), top, jnp.any(stable)


@jax.jit
@jax.vmap
def _solve(load, temperature, degree, entropy):
    """m, z, q and the critical load: one program for all of it, as compiling takes longest."""
    setting = _Setting(temperature, degree, entropy)
    fixed, wanted = jax.lax.stop_gradient((setting, load))
    x, top, any_load = fixed.end()
    s = jnp.exp(x)
    # At a peak α does not depend on s, which so needs no derivative.
    critical = setting.load(s, newton(lambda ratio: setting.excess(s, ratio), fixed.noise(s)))
    there = any_load & (wanted <= jax.lax.stop_gradient(critical))
    s = jnp.exp(bisect(lambda x: fixed.branch(x) < wanted, x, top))
    q = fixed.respond(s, (fixed.noise(s) * s) ** 2)[2]

    def residual(z, q):
        z_next, q_next = setting.update(z, q, load)
        return jnp.stack([z_next - z, q_next - q])

    state = jax.lax.stop_gradient(jnp.stack([fixed.overlap(s), q]))
    slopes = jnp.stack(jax.lax.stop_gradient(jax.jacfwd(residual, (0, 1))(*state)), axis=1)
    (a, b), (c, d) = slopes
    determinant = jnp.where(a * d == b * c, jnp.inf, a * d - b * c)
    inverse = jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])]) / determinant
    change = inverse @ residual(*state)
    # At the critical load two solutions meet, and a step may lead anywhere.
    z, q = state - jnp.where(jnp.max(jnp.abs(change)) < 1e-3, change, 0)
    m, _, _ = setting.respond(setting.signal(z), load * q ** (degree - 1) / setting.group)
    none = 0 * (load + temperature + degree + entropy)
    solved = (jnp.where(there, a, none) for a in (m, z, q))
    return *solved, jnp.where(any_load, critical, none)
