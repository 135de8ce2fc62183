"""Separations: how scores become weights, each with its potential where it has one."""

from .base import AbstractAdditive as AbstractAdditive
from .base import AbstractElementwise as AbstractElementwise
from .base import AbstractImplicit as AbstractImplicit
from .base import AbstractSelective as AbstractSelective
from .base import AbstractSeparation as AbstractSeparation
from .circles import CircleIntersection as CircleIntersection
from .entmax import Entmax as Entmax
from .function import SeparationFunction as SeparationFunction
from .log_sum_relu import LogSumReLU as LogSumReLU
from .normalise import ScoreNormalised as ScoreNormalised
from .normalise import SumNormalised as SumNormalised
from .normmax import Normmax as Normmax
from .power import Identity as Identity
from .power import Log as Log
from .power import Power as Power
from .softmax import AbstractExponential as AbstractExponential
from .softmax import Exponential as Exponential
from .softmax import GhostSoftmax as GhostSoftmax
from .softmax import Softmax as Softmax
from .subsets import KSubsets as KSubsets
from .symmetric import ElementarySymmetric as ElementarySymmetric
from .threshold import Threshold as Threshold
from .top import Max as Max
from .top import TopK as TopK
from .top import TopKSubtract as TopKSubtract
