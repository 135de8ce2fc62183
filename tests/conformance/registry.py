"""Every public separation, similarity, Lagrangian and synapse, with the data they are tried on.

Test files import it: `from conformance import registry`. A public class without an instance here
fails `test_registry.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import hierarchical as hier
from attrax import separation as sep
from attrax import similarity as sim
from conformance import strangers

ROWS, WIDTH = 12, 6

SEPARATIONS = {
    "softmax": sep.Softmax(2.0),
    "ghost": sep.GhostSoftmax(1.5),
    "exponential": sep.Exponential(0.7),
    "identity": sep.Identity(),
    "log": sep.Log(),
    "power_half": sep.Power(0.5),
    "power_2": sep.Power(2),
    "power_3": sep.Power(3),
    "power_20": sep.Power(20, scale=2.0),
    "rectified_4": sep.Power(4, rectified=True, scale=1.5),
    "rectified_half": sep.Power(0.5, rectified=True),
    "threshold": sep.Threshold(0.4),
    "log_sum_relu": sep.LogSumReLU(0.7),
    "circles": sep.CircleIntersection(8, 2),
    "circles_cosine": sep.CircleIntersection(8, 3, "cosine"),
    "symmetric_pairs": sep.ElementarySymmetric(6, (2,)),
    "symmetric": sep.ElementarySymmetric(6),
    "sparsemax": sep.Entmax(2.0, 3.0),
    "entmax_1.5": sep.Entmax(1.5, 3.0),
    "entmax_1.3": sep.Entmax(1.3, 3.0),
    "normmax": sep.Normmax(2.0, 3.0),
    "normmax_5": sep.Normmax(5.0, 3.0),
    "k_subsets": sep.KSubsets(3, 2.0),
    "max": sep.Max(),
    "top_softmax": sep.TopK(3, sep.Softmax(2.0)),
    "top_power": sep.TopK(2, sep.Power(2)),
    "top_entmax": sep.TopK(4, sep.Entmax(1.5, 3.0)),
    "top_identity": sep.TopK(3, sep.Identity()),
    "top_subtract": sep.TopKSubtract(3),
    "sum_power": sep.SumNormalised(sep.Power(2)),
    "sum_rectified": sep.SumNormalised(sep.Power(3, rectified=True)),
    "sum_exponential": sep.SumNormalised(sep.Exponential(2.0)),
    "sum_softmax": sep.SumNormalised(sep.Softmax(2.0)),
    "sum_sum_power": sep.SumNormalised(sep.SumNormalised(sep.Power(2))),
    "score_softmax": sep.ScoreNormalised(sep.Softmax(20.0)),
    "function": sep.SeparationFunction(jax.nn.softmax),
}


def weighted_dot(keys, query, weight=None):
    """A plain function that can complete patterns."""
    return keys @ (query if weight is None else query * weight)


SIMILARITIES = {
    "dot": sim.Dot(),
    "dot_sum": sim.Dot("sum"),
    "cosine": sim.Cosine(),
    "correlation": sim.Correlation(),
    "correlation_encoded": sim.Correlation(encoded=True),
    "euclidean": sim.Euclidean(),
    "euclidean_exact": sim.Euclidean(exact=True),
    "euclidean_square": sim.Euclidean("square"),
    "euclidean_distance": sim.Euclidean("distance"),
    "euclidean_reciprocal": sim.Euclidean("reciprocal"),
    "manhattan": sim.Manhattan(),
    "manhattan_reciprocal": sim.Manhattan("reciprocal"),
    "minkowski": sim.Minkowski(3.0),
    "hamming": sim.Hamming(),
    "cumulative_euclidean": sim.CumulativeEuclidean(
        [np.array([[0, 1], [4, 2], [3, 5]]), np.array([[1, 3, 4], [0, 2, 5]])]
    ),
    "kullback_leibler": sim.KullbackLeibler(),
    "kullback_leibler_reverse": sim.KullbackLeibler(reverse=True),
    "kullback_leibler_unsmoothed": sim.KullbackLeibler(epsilon=0.0),
    "kullback_leibler_reciprocal": sim.KullbackLeibler(form="reciprocal"),
    "jensen_shannon": sim.JensenShannon(),
    "jensen_shannon_inverted": sim.JensenShannon("inverted"),
    "jaccard": sim.Jaccard(),
    "kernel": sim.Kernel(jnp.tanh),
    "linear_kernel": sim.LinearKernel(
        np.random.default_rng(0).normal(size=(7, WIDTH)) / np.sqrt(WIDTH)
    ),
    "random_features": sim.Kernel(sim.RandomFeatures(WIDTH, 5, 0.3, key=jax.random.key(0))),
    "rectified_dot": sim.non_negative(sim.Dot()),
    "bounded_euclidean": sim.non_negative(sim.Euclidean()),
    "reciprocal_manhattan": sim.non_negative(sim.Manhattan(), "reciprocal"),
    "function": sim.SimilarityFunction(weighted_dot),
    "function_rowwise": sim.SimilarityFunction(weighted_dot, rowwise=True),
}


def log_cosh(state):
    """A convex function of a layer's state, smooth and of bounded slope."""
    return jnp.sum(jnp.logaddexp(state, -state))


LAGRANGIANS = {
    "quadratic": hier.Quadratic(),
    "tanh": hier.Tanh(1.3),
    "sigmoid": hier.Sigmoid(0.8),
    "rectified_exponential": hier.RectifiedExponential(0.7),
    "absolute": hier.Absolute(),
    "layer_norm": hier.LayerNorm(1.2, 0.3),
    "spherical_norm": hier.SphericalNorm(0.9, -0.2),
    "spherical_norm_exact": hier.SphericalNorm(epsilon=0.0),
    "function": hier.ConvexFunction(log_cosh),
    "softmax": hier.SeparationLagrangian(sep.Softmax(2.0)),
    "ghost": hier.SeparationLagrangian(sep.GhostSoftmax(1.5)),
    "relu": hier.SeparationLagrangian(sep.Power(1, rectified=True)),
    "rectified_cube": hier.SeparationLagrangian(sep.Power(3, rectified=True)),
    "exponential": hier.SeparationLagrangian(sep.Exponential(0.5)),
    "entmax": hier.SeparationLagrangian(sep.Entmax(1.5)),
    "identity": hier.SeparationLagrangian(sep.Identity()),
}


# With those from outside, of which the laws hold too.
ALL_SEPARATIONS = {**SEPARATIONS, "own_logistic": strangers.Logistic(3.0)}
ALL_SIMILARITIES = {**SIMILARITIES, "own_log_cosh": strangers.LogCosh()}
ALL_LAGRANGIANS = {**LAGRANGIANS, "own_hyperbola": strangers.Hyperbola()}


def weights(*shape, seed=0):
    """Drawn weights, about as long as make a layer's drive as long as its activations."""
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=shape) / np.sqrt(shape[-1]), jnp.float32)


def disagreement(lower, upper):
    """An energy that no synapse of attrax has: activations of two layers, compared."""
    return 0.1 * jnp.sum(jnp.square(lower[:4] - upper[:4]))


# Each with the shapes of the layers that it joins.
SYNAPSES = {
    "dense": (hier.DenseSynapse(weights(5, 6)), ((6,), (5,))),
    "dense_bias": (hier.DenseSynapse(weights(5, 6), weights(5, seed=1)), ((6,), (5,))),
    "bias": (hier.BiasSynapse(weights(6)), ((6,),)),
    "lateral": (hier.LateralSynapse(weights(6, 6)), ((6,),)),
    "lateral_self": (hier.LateralSynapse(weights(6, 6), self_term=True), ((6,),)),
    "hyper": (hier.HyperSynapse(weights(6, 5, 4)), ((6,), (5,), (4,))),
    "mixing": (hier.MixingSynapse(weights(5, 4), 0), ((4, 3), (5, 3))),
    "setwise": (
        hier.SetwiseSynapse(np.array([[0, 1, 4], [2, 3, 4], [5, 1, 2]]), weights(3)),
        ((6,),),
    ),
    "convolution": (
        hier.ConvolutionSynapse(weights(3, 3, 2, 3), stride=2, padding="SAME"),
        ((5, 4, 2), (3, 2, 3)),
    ),
    "mean_pooling": (hier.PoolingSynapse((2, 2)), ((4, 4, 3), (2, 2, 3))),
    "max_pooling": (hier.PoolingSynapse((2, 2), "max"), ((4, 4, 3), (2, 2, 3))),
    "attention": (
        hier.AttentionSynapse(weights(2, 3, 4), weights(2, 3, 5, seed=1)),
        ((3, 4), (4, 5)),
    ),
    "self_attention": (
        hier.AttentionSynapse(weights(2, 3, 4), weights(2, 3, 4, seed=1), 0.7),
        ((3, 4),),
    ),
    "masked_attention": (
        hier.AttentionSynapse(
            weights(2, 3, 4), weights(2, 3, 5, seed=1), mask=np.tri(3, 4, -1, dtype=bool)
        ),
        ((3, 4), (4, 5)),
    ),
    "weighed_attention": (
        hier.AttentionSynapse(
            *(weights(2, 3, 4), weights(2, 3, 4, seed=1)),
            self_term=True,
            factors=weights(2, 3, 3, seed=2),
        ),
        ((3, 4),),
    ),
    "similarity": (hier.SimilaritySynapse(sim.Euclidean(), weights(5, 6)), ((6,), (5,))),
    "energy": (hier.EnergySynapse(log_cosh), ((6,),)),
    "function": (hier.SynapseFunction(disagreement), ((6,), (5,))),
}

POSITIVE = ("positive", "non-negative")

# One part of each kind, so that the contract does not grow with the number of parts.
KINDS = {
    # Separations: additive, by a solved threshold, by the best scores, without a potential.
    *("softmax", "power_3", "entmax_1.5", "top_softmax", "sum_power"),
    # Similarities: a product, the default, squares, the median's, a divergence, features.
    *("dot", "correlation", "euclidean", "manhattan", "kullback_leibler", "kernel"),
    # Lagrangians beside that of softmax: elementwise, of a norm; and synapses.
    *("tanh", "layer_norm", "dense", "convolution", "attention", "similarity"),
    # Of everything, what wraps a plain function.
    "function",
}

# Abstract classes, types and functions, of which there are no instances.
NO_INSTANCES = {
    "AbstractAdditive",
    "AbstractCentroid",
    "AbstractElementwise",
    "AbstractExponential",
    "AbstractImplicit",
    "AbstractSelective",
    "AbstractSeparation",
    "AbstractSimilarity",
    "AbstractSummedCentroid",
    "non_negative",
    # Feature maps, which Kernel takes, and what they are made of.
    "DPFP",
    "ELUFeatures",
    "NormalisedFeatures",
    "AbstractScaledFeatures",
    "RandomFeatures",
    "RectifiedFeatures",
    "SoftmaxFeatures",
    "random_directions",
    "whitened",
    # Where weighted rows agree is tried with the similarities that have it.
    "WeightedMean",
    "WeightedMedian",
    "WeightedMode",
    "WeightedSum",
}


def cases(names):
    """Names as parameters of a test, those of `KINDS` with the mark `contract`."""
    return [pytest.param(n, marks=pytest.mark.contract) if n in KINDS else n for n in names]


def public(package):
    """The public classes and functions of a package."""
    return {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and callable(value) and name not in NO_INSTANCES
    }


def kinds(package, base):
    """The public classes of a package under an abstract one."""
    return {
        name
        for name, value in vars(package).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base
    }


def scores_of(separation, count, rng, dtype=np.float32, size=ROWS):
    """Drawn scores within the separation's domain, shape (count, size)."""
    scores = rng.normal(size=(count, size))
    if separation.domain != "signed":
        # Bounded away from zero, where a logarithm and a root have no slope.
        scores = np.abs(scores) + 0.05
    return jnp.asarray(scores, dtype)


def rows_of(similarity, rng, dtype=np.float32, size=ROWS):
    """Drawn rows that the similarity is defined for, shape (size, WIDTH)."""
    rows = rng.normal(size=(size, WIDTH))
    if similarity.range in POSITIVE or similarity.rows == "non-negative":
        rows = np.abs(rows) + 0.05
    if type(similarity).__name__ == "Hamming":
        rows = np.round(rows)
    return jnp.asarray(rows, dtype)


def fits(similarity, separation):
    """Whether the separation is defined for the similarity's scores."""
    if separation.domain == "non-negative":
        return similarity.range in POSITIVE
    return separation.domain in ("signed", similarity.range)


def similarity_for(separation):
    """A bilinear similarity whose scores the separation is defined for."""
    return SIMILARITIES["dot" if separation.domain == "signed" else "bounded_euclidean"]
