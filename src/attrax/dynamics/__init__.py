"""Dynamics: how a state moves to an attractor."""

from .base import AbstractDynamics as AbstractDynamics
from .base import Model as Model
from .base import Outcome as Outcome
from .base import Run as Run
from .fixed_point import FixedPoint as FixedPoint
from .flow import Flow as Flow
from .iterate import Iterate as Iterate
from .iterate import OneRead as OneRead
