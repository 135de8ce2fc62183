"""Hierarchical memories: layers of neurons with convex Lagrangians, joined by synapses."""

from .lagrangians import AbstractLagrangian as AbstractLagrangian
from .lagrangians import ConvexFunction as ConvexFunction
from .lagrangians import Quadratic as Quadratic
from .lagrangians import SeparationLagrangian as SeparationLagrangian
from .memory import HierarchicalMemory as HierarchicalMemory
from .model import LayerSpace as LayerSpace
from .neurons import Neurons as Neurons
from .synapses import AbstractSynapse as AbstractSynapse
from .synapses import DenseSynapse as DenseSynapse
from .synapses import SimilaritySynapse as SimilaritySynapse
