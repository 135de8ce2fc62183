"""Named systems of the literature, each a short composition of attrax's parts."""

from ..stores.binary import BinaryMemory as BinaryMemory
from ..stores.distributed import SparseDistributedMemory as SparseDistributedMemory
from ..stores.simplices import full_skeleton as full_skeleton
from ..stores.simplices import random_simplices as random_simplices
from ..stores.simplicial import SimplicialMemory as SimplicialMemory
from .classifier import DenseClassifier as DenseClassifier
from .classifier import dense_classifier as dense_classifier
from .classifier_training import train_dense_classifier as train_dense_classifier
from .distributed import sparse_distributed_memory as sparse_distributed_memory
from .hopfield import dense_memory as dense_memory
from .hopfield import exponential_memory as exponential_memory
from .hopfield import graded_network as graded_network
from .hopfield import hopfield_network as hopfield_network
from .large_memory import binary_dense_memory as binary_dense_memory
from .large_memory import effective_energy as effective_energy
from .large_memory import log_sum_exp_memory as log_sum_exp_memory
from .large_memory import spherical_memory as spherical_memory
from .layered import ConvolutionLayer as ConvolutionLayer
from .layered import DenseLayer as DenseLayer
from .layered import PoolingLayer as PoolingLayer
from .layered import blocks_and_rules as blocks_and_rules
from .layered import layered as layered
from .modern import modern_memory as modern_memory
from .simplicial import simplicial_network as simplicial_network
from .simplicial import skeleton_memory as skeleton_memory
