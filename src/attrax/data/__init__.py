"""Data sets, your own images, random patterns, and ways to damage them."""

from .bags import Bags as Bags
from .bags import bit_pattern_bags as bit_pattern_bags
from .bags import latch_sequences as latch_sequences
from .corruptions import drop as drop
from .corruptions import flip_bits as flip_bits
from .corruptions import gaussian as gaussian
from .corruptions import inpaint as inpaint
from .corruptions import mask_rows as mask_rows
from .corruptions import salt_and_pepper as salt_and_pepper
from .dataset import Dataset as Dataset
from .dataset import DatasetFormatError as DatasetFormatError
from .dataset import DatasetNotFoundError as DatasetNotFoundError
from .graphs import GraphWorld as GraphWorld
from .graphs import Walk as Walk
from .graphs import graph_world as graph_world
from .graphs import random_walk as random_walk
from .images import from_folder as from_folder
from .images import from_npy as from_npy
from .images import open as open
from .known import drop_mask as drop_mask
from .known import known_inpaint as known_inpaint
from .known import known_rows as known_rows
from .load import available as available
from .load import load as load
from .patterns import random_patterns as random_patterns
from .tasks import split_by_class as split_by_class
