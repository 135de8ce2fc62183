"""Trainable layers for networks: associative memories as `equinox.Module`s, unbatched."""

from .blocks import DecoderBlock as DecoderBlock
from .blocks import EncoderBlock as EncoderBlock
from .delta import fast_weights as fast_weights
from .fast_weight import FastWeight as FastWeight
from .fast_weight import FastWeightState as FastWeightState
from .hflayers import from_hflayers as from_hflayers
from .hopfield import Association as Association
from .hopfield import HopfieldAttention as HopfieldAttention
from .linear import LinearAttentionState as LinearAttentionState
from .linear import causal_linear_attention as causal_linear_attention
from .linear import linear_attention as linear_attention
from .performer import Performer as Performer
from .pooling import HopfieldLookup as HopfieldLookup
from .pooling import HopfieldPooling as HopfieldPooling
from .prototypes import PrototypeLayer as PrototypeLayer
