"""Training: how the parameters of memories are learnt by gradients through retrieval."""

from .krotov_hopfield import krotov_hopfield as krotov_hopfield
from .train import Trained as Trained
from .train import train as train
