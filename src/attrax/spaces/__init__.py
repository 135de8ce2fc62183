"""Spaces: a store and one query as a dynamical system, and what some of them can do besides."""

from .base import AbstractSpace as AbstractSpace
from .base import Answer as Answer
from .base import Comparing as Comparing
from .base import Measured as Measured
from .base import Reaching as Reaching
from .base import Reading as Reading
from .base import Relaxing as Relaxing
from .base import Succeeding as Succeeding
from .base import Sweeping as Sweeping
from .base import Tempered as Tempered
from .noise import AbstractGeometry as AbstractGeometry
from .noise import Noisy as Noisy
from .noise import PlainNoise as PlainNoise
from .units import AbstractUnitSpace as AbstractUnitSpace
from .units import OverlappingUnits as OverlappingUnits
from .units import PairedUnits as PairedUnits
from .units import SetwiseUnits as SetwiseUnits
