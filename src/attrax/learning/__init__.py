"""Learning: how the parameters of memories are found; one rule a file."""

from .hebb import Hebb as Hebb
from .hebb import SparseHebb as SparseHebb
from .krotov_hopfield import krotov_hopfield as krotov_hopfield
from .perceptron import Perceptron as Perceptron
from .perceptron import stabilities as stabilities
from .pseudo_inverse import PseudoInverse as PseudoInverse
from .rules import AbstractIncrementalRule as AbstractIncrementalRule
from .rules import AbstractRule as AbstractRule
from .storkey import Storkey as Storkey
from .train import Trained as Trained
from .train import train as train
from .unlearning import Unlearning as Unlearning
