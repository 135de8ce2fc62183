"""Dynamics: how a state moves to an attractor."""

from .asynchronous import Asynchronous as Asynchronous
from .base import AbstractDynamics as AbstractDynamics
from .base import Outcome as Outcome
from .base import Run as Run
from .certificate import Certificate as Certificate
from .certificate import certify as certify
from .coordinates import Coordinates as Coordinates
from .engine import AbstractStepping as AbstractStepping
from .euler import Euler as Euler
from .fixed_point import FixedPoint as FixedPoint
from .flow import Flow as Flow
from .glauber import Glauber as Glauber
from .iterate import Iterate as Iterate
from .iterate import OneRead as OneRead
from .langevin import Langevin as Langevin
from .replay import Replay as Replay
