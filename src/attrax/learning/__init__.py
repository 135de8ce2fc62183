"""Learning rules: how patterns are stored in the couplings of a memory; one rule a file."""

from .hebb import Hebb as Hebb
from .hebb import SparseHebb as SparseHebb
from .perceptron import Perceptron as Perceptron
from .perceptron import stabilities as stabilities
from .pseudo_inverse import PseudoInverse as PseudoInverse
from .rules import AbstractIncrementalRule as AbstractIncrementalRule
from .rules import AbstractRule as AbstractRule
from .storkey import Storkey as Storkey
from .unlearning import Unlearning as Unlearning
