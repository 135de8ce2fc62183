"""Similarities: how stored keys score a query, each with its range and its centroid."""

from .base import AbstractSimilarity as AbstractSimilarity
from .base import SimilarityFunction as SimilarityFunction
from .centroids import AbstractCentroid as AbstractCentroid
from .centroids import AbstractSummedCentroid as AbstractSummedCentroid
from .centroids import WeightedMean as WeightedMean
from .centroids import WeightedMedian as WeightedMedian
from .centroids import WeightedMode as WeightedMode
from .centroids import WeightedSum as WeightedSum
from .distances import Euclidean as Euclidean
from .distances import Hamming as Hamming
from .distances import Manhattan as Manhattan
from .distances import Minkowski as Minkowski
from .divergences import Jaccard as Jaccard
from .divergences import JensenShannon as JensenShannon
from .divergences import KullbackLeibler as KullbackLeibler
from .kernels import Kernel as Kernel
from .kernels import LinearKernel as LinearKernel
from .kernels import NonNegative as NonNegative
from .kernels import non_negative as non_negative
from .products import Correlation as Correlation
from .products import Cosine as Cosine
from .products import Dot as Dot
from .random_features import RandomFeatures as RandomFeatures
from .setwise import CumulativeEuclidean as CumulativeEuclidean
