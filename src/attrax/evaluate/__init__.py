"""How well a memory retrieves: criteria, the baseline they are read beside, and sweeps."""

from .criteria import exact_row as exact_row
from .criteria import retrieved as retrieved
from .criteria import squared_error as squared_error
from .sweeps import Sweep as Sweep
from .sweeps import baseline_mean_image as baseline_mean_image
from .sweeps import capacity_sweep as capacity_sweep
from .sweeps import level_sweep as level_sweep
from .sweeps import scores as scores
