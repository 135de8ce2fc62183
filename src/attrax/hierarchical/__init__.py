"""Hierarchical memories: layers of neurons with convex Lagrangians, joined by synapses."""

from .attention import AttentionSynapse as AttentionSynapse
from .convexity import ConvexFunction as ConvexFunction
from .convexity import check_convex as check_convex
from .convolution import ConvolutionSynapse as ConvolutionSynapse
from .convolution import PoolingSynapse as PoolingSynapse
from .dense import BiasSynapse as BiasSynapse
from .dense import DenseSynapse as DenseSynapse
from .dense import HyperSynapse as HyperSynapse
from .dense import LateralSynapse as LateralSynapse
from .elementwise import Absolute as Absolute
from .elementwise import RectifiedExponential as RectifiedExponential
from .elementwise import Sigmoid as Sigmoid
from .elementwise import Tanh as Tanh
from .lagrangians import AbstractLagrangian as AbstractLagrangian
from .lagrangians import Quadratic as Quadratic
from .lagrangians import SeparationLagrangian as SeparationLagrangian
from .memory import HierarchicalMemory as HierarchicalMemory
from .mixing import MixingSynapse as MixingSynapse
from .neurons import Neurons as Neurons
from .norms import LayerNorm as LayerNorm
from .norms import SphericalNorm as SphericalNorm
from .setwise import SetwiseSynapse as SetwiseSynapse
from .similar import SimilaritySynapse as SimilaritySynapse
from .space import LayerSpace as LayerSpace
from .synapses import AbstractSynapse as AbstractSynapse
from .synapses import SynapseFunction as SynapseFunction
