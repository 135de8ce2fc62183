"""What theory says of memories: stability, capacity, order parameters, bounds on errors.

Closed forms and solved equations for independent patterns, of fair signs unless they say otherwise:
what simulations are compared with and drawn beside. Arguments broadcast; everything may be
jitted, mapped and, where it is smooth, differentiated, but for sparse distributed memories: what is
said of them is counted before a program runs.
"""

from .dense import dense_capacity as dense_capacity
from .dense import dense_flip_probability as dense_flip_probability
from .dense_hebbian import TaughtOrderParameters as TaughtOrderParameters
from .dense_hebbian import dataset_entropy as dataset_entropy
from .dense_hebbian import dense_hebbian_critical_load as dense_hebbian_critical_load
from .dense_hebbian import dense_hebbian_first_step as dense_hebbian_first_step
from .dense_hebbian import dense_hebbian_order_parameters as dense_hebbian_order_parameters
from .dense_hebbian import unsupervised_load as unsupervised_load
from .distributed import ExponentialFit as ExponentialFit
from .distributed import circle_intersection as circle_intersection
from .distributed import critical_distance as critical_distance
from .distributed import fit_beta as fit_beta
from .distributed import optimal_radius as optimal_radius
from .distributed import signal_to_noise as signal_to_noise
from .episodic import episodic_dwell as episodic_dwell
from .episodic import episodic_first_dwell as episodic_first_dwell
from .episodic import episodic_strength as episodic_strength
from .exponential import entropy_gap as entropy_gap
from .exponential import exponential_flip_probability as exponential_flip_probability
from .exponential import exponential_rate as exponential_rate
from .fixed_points import modern_global_beta as modern_global_beta
from .fixed_points import modern_jacobian_norm as modern_jacobian_norm
from .fixed_points import modern_separation as modern_separation
from .fixed_points import modern_well_separated as modern_well_separated
from .hebb import gardner_capacity as gardner_capacity
from .hebb import hebb_capacity as hebb_capacity
from .hebb import hebb_first_step as hebb_first_step
from .hebb import hebb_flip_probability as hebb_flip_probability
from .hebb import pseudo_inverse_capacity as pseudo_inverse_capacity
from .hebb import storkey_capacity as storkey_capacity
from .lambert import wright_omega as wright_omega
from .modern import ModernCapacity as ModernCapacity
from .modern import modern_capacity as modern_capacity
from .modern import modern_contraction_bound as modern_contraction_bound
from .modern import modern_energy_offset as modern_energy_offset
from .modern import modern_error_bound as modern_error_bound
from .modern import modern_required_separation as modern_required_separation
from .modern import modern_sphere_radius as modern_sphere_radius
from .random_energy import condensation_beta as condensation_beta
from .random_energy import free_entropy as free_entropy
from .random_energy import largest_overlap as largest_overlap
from .random_energy import overlap_cumulant as overlap_cumulant
from .random_energy import overlap_rate as overlap_rate
from .random_features import orthogonal_feature_bound as orthogonal_feature_bound
from .random_features import orthogonal_feature_error as orthogonal_feature_error
from .random_features import softmax_feature_error as softmax_feature_error
from .replica import OrderParameters as OrderParameters
from .replica import critical_load as critical_load
from .replica import hebb_free_energy as hebb_free_energy
from .replica import hebb_order_parameters as hebb_order_parameters
from .replica import spin_glass_temperature as spin_glass_temperature
from .replica import transition_load as transition_load
from .scaffold import overlap_information as overlap_information
from .scaffold import scaffold_information as scaffold_information
from .scaffold import scaffold_overlap as scaffold_overlap
from .sequences import mixed_sequence_capacity as mixed_sequence_capacity
from .sequences import sequence_capacity as sequence_capacity
from .sequences import sequence_flip_probability as sequence_flip_probability
from .sequences import sequence_kurtosis as sequence_kurtosis
from .softmax import separation_rate as separation_rate
from .softmax import softmax_basin as softmax_basin
from .softmax import softmax_rate as softmax_rate
