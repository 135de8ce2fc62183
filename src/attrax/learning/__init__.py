"""Learning rules: how patterns are stored in couplings, and streams in the slots of a memory."""

from .bounded import BoundedHebb as BoundedHebb
from .hebb import Hebb as Hebb
from .hebb import SparseHebb as SparseHebb
from .perceptron import Perceptron as Perceptron
from .perceptron import stabilities as stabilities
from .plasticity import AbstractPlasticity as AbstractPlasticity
from .plasticity import PlasticState as PlasticState
from .pseudo_inverse import PseudoInverse as PseudoInverse
from .rules import AbstractIncrementalRule as AbstractIncrementalRule
from .rules import AbstractRule as AbstractRule
from .slots import AbstractSlotSelector as AbstractSlotSelector
from .slots import LeastRecentlyUsedSlots as LeastRecentlyUsedSlots
from .slots import RandomSlots as RandomSlots
from .slots import SequentialSlots as SequentialSlots
from .slots import SlotOffer as SlotOffer
from .storkey import Storkey as Storkey
from .three_factor import AffineThreeFactor as AffineThreeFactor
from .three_factor import ThreeFactor as ThreeFactor
from .unlearning import Unlearning as Unlearning
