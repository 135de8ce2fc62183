"""Training: how the parameters of memories are learnt by gradients through retrieval."""

from .completion import complete as complete
from .completion import completion_loss as completion_loss
from .constrained import AbstractConstrained as AbstractConstrained
from .continual import Continual as Continual
from .continual import train_continually as train_continually
from .contrastive import cloob_loss as cloob_loss
from .contrastive import info_loob as info_loob
from .contrastive import info_nce as info_nce
from .contrastive import leave_one_out_logsumexp as leave_one_out_logsumexp
from .contrastive import retrieve_batch as retrieve_batch
from .elastic import ElasticPenalty as ElasticPenalty
from .energies import TrainedEnergy as TrainedEnergy
from .energies import contrastive_energy_loss as contrastive_energy_loss
from .energies import train_energy as train_energy
from .kernel import learn_kernel as learn_kernel
from .kernel import separation_loss as separation_loss
from .krotov_hopfield import krotov_hopfield as krotov_hopfield
from .langevin_sampler import LangevinSampler as LangevinSampler
from .replay_buffer import ReplayBuffer as ReplayBuffer
from .train import Trained as Trained
from .train import train as train
