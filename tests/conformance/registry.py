"""Every public separation and similarity, with the data that they are tried on.

Test files read this one by its path (`runpy.run_path`). A public class without an instance here
fails `test_registry.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from attrax import separation as sep
from attrax import similarity as sim

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
    "sparsemax": sep.Entmax(2.0, 3.0),
    "entmax_1.5": sep.Entmax(1.5, 3.0),
    "entmax_1.3": sep.Entmax(1.3, 3.0),
    "max": sep.Max(),
    "top_softmax": sep.TopK(3, sep.Softmax(2.0)),
    "top_power": sep.TopK(2, sep.Power(2)),
    "top_entmax": sep.TopK(4, sep.Entmax(1.5, 3.0)),
    "top_identity": sep.TopK(3, sep.Identity()),
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
    "kullback_leibler": sim.KullbackLeibler(),
    "kullback_leibler_reverse": sim.KullbackLeibler(reverse=True),
    "kullback_leibler_unsmoothed": sim.KullbackLeibler(epsilon=0.0),
    "kullback_leibler_reciprocal": sim.KullbackLeibler(form="reciprocal"),
    "jensen_shannon": sim.JensenShannon(),
    "jensen_shannon_inverted": sim.JensenShannon("inverted"),
    "jaccard": sim.Jaccard(),
    "kernel": sim.Kernel(jnp.tanh),
    "rectified_dot": sim.non_negative(sim.Dot()),
    "bounded_euclidean": sim.non_negative(sim.Euclidean()),
    "reciprocal_manhattan": sim.non_negative(sim.Manhattan(), "reciprocal"),
    "function": sim.SimilarityFunction(weighted_dot),
    "function_rowwise": sim.SimilarityFunction(weighted_dot, rowwise=True),
}

POSITIVE = ("positive", "non-negative")

# Abstract classes, types and functions, of which there are no instances.
NO_INSTANCES = {
    "AbstractAdditive",
    "AbstractElementwise",
    "AbstractExponential",
    "AbstractImplicit",
    "AbstractSelective",
    "AbstractSeparation",
    "AbstractSimilarity",
    "non_negative",
}


def public(package):
    """The public classes and functions of a package."""
    return {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and callable(value) and name not in NO_INSTANCES
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
