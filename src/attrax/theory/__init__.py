"""What theory says of random binary memories: stability, capacity, order parameters.

Closed forms and solved equations for patterns of independent, fair signs: what simulations are
compared with and drawn beside. Arguments broadcast; everything may be jitted, mapped and, where
it is smooth, differentiated, but for sparse distributed memories: what is said of them is counted
before a program runs.
"""

from .dense import dense_capacity as dense_capacity
from .dense import dense_flip_probability as dense_flip_probability
from .distributed import ExponentialFit as ExponentialFit
from .distributed import circle_intersection as circle_intersection
from .distributed import critical_distance as critical_distance
from .distributed import fit_beta as fit_beta
from .distributed import optimal_radius as optimal_radius
from .distributed import signal_to_noise as signal_to_noise
from .exponential import entropy_gap as entropy_gap
from .exponential import exponential_flip_probability as exponential_flip_probability
from .exponential import exponential_rate as exponential_rate
from .hebb import gardner_capacity as gardner_capacity
from .hebb import hebb_capacity as hebb_capacity
from .hebb import hebb_first_step as hebb_first_step
from .hebb import hebb_flip_probability as hebb_flip_probability
from .hebb import pseudo_inverse_capacity as pseudo_inverse_capacity
from .hebb import storkey_capacity as storkey_capacity
from .replica import OrderParameters as OrderParameters
from .replica import critical_load as critical_load
from .replica import hebb_free_energy as hebb_free_energy
from .replica import hebb_order_parameters as hebb_order_parameters
from .replica import spin_glass_temperature as spin_glass_temperature
from .replica import transition_load as transition_load
