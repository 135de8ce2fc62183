"""Trainable layers for networks: associative memories as `equinox.Module`s, unbatched."""

from .blocks import DecoderBlock as DecoderBlock
from .blocks import EncoderBlock as EncoderBlock
from .hflayers import from_hflayers as from_hflayers
from .hopfield import Association as Association
from .hopfield import HopfieldAttention as HopfieldAttention
from .pooling import HopfieldLookup as HopfieldLookup
from .pooling import HopfieldPooling as HopfieldPooling
from .prototypes import PrototypeLayer as PrototypeLayer
