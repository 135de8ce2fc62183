"""Training: how the parameters of memories are learnt by gradients through retrieval."""

from .constrained import AbstractConstrained as AbstractConstrained
from .continual import Continual as Continual
from .continual import train_continually as train_continually
from .elastic import ElasticPenalty as ElasticPenalty
from .kernel import learn_kernel as learn_kernel
from .kernel import separation_loss as separation_loss
from .krotov_hopfield import krotov_hopfield as krotov_hopfield
from .train import Trained as Trained
from .train import train as train
