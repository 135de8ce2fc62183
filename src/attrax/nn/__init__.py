"""Trainable layers for networks: associative memories as `equinox.Module`s, unbatched."""

from .blocks import DecoderBlock as DecoderBlock
from .blocks import EncoderBlock as EncoderBlock
from .delta import fast_weights as fast_weights
from .energy_checkpoint import read_image_energy_transformer as read_image_energy_transformer
from .energy_transformer import EnergyTransformer as EnergyTransformer
from .fast_weight import FastWeight as FastWeight
from .fast_weight import FastWeightState as FastWeightState
from .graph_energy_transformer import GraphEnergyTransformer as GraphEnergyTransformer
from .graph_energy_transformer import laplacian_positions as laplacian_positions
from .hflayers import from_hflayers as from_hflayers
from .hopfield import Association as Association
from .hopfield import HopfieldAttention as HopfieldAttention
from .image_energy_transformer import ImageEnergyTransformer as ImageEnergyTransformer
from .image_energy_transformer import hide_patches as hide_patches
from .linear import LinearAttentionState as LinearAttentionState
from .linear import causal_linear_attention as causal_linear_attention
from .linear import linear_attention as linear_attention
from .performer import Performer as Performer
from .pooling import HopfieldLookup as HopfieldLookup
from .pooling import HopfieldPooling as HopfieldPooling
from .prototypes import PrototypeLayer as PrototypeLayer
