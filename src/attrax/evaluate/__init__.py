"""How well a memory retrieves: criteria, the baseline they are read beside, and sweeps."""

from .bands import Band as Band
from .bands import success_bands as success_bands
from .basins import BasinSweep as BasinSweep
from .basins import basin_sweep as basin_sweep
from .capacity import CapacityScan as CapacityScan
from .capacity import capacity_scan as capacity_scan
from .criteria import exact_row as exact_row
from .criteria import retrieved as retrieved
from .criteria import squared_error as squared_error
from .ensembles import Extrapolation as Extrapolation
from .ensembles import ensemble as ensemble
from .ensembles import extrapolate as extrapolate
from .overlaps import bit_error as bit_error
from .overlaps import overlap as overlap
from .spurious import StateKind as StateKind
from .spurious import States as States
from .spurious import classify_states as classify_states
from .sweeps import Sweep as Sweep
from .sweeps import baseline_mean_image as baseline_mean_image
from .sweeps import capacity_sweep as capacity_sweep
from .sweeps import level_sweep as level_sweep
from .sweeps import scores as scores
