"""Learning: how the parameters of memories are found; one rule a file."""

from .train import Trained as Trained
from .train import train as train
