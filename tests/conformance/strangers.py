"""A separation, a similarity and a Lagrangian from outside, as a user would write them.

The separation is that of CONTRIBUTING.md; the others are written from the pages of their abstract
classes. They declare what those ask for and nothing else.
"""

from pathlib import Path
from typing import ClassVar

import jax.numpy as jnp
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from attrax.hierarchical import AbstractLagrangian
from attrax.similarity import AbstractSimilarity

ROOT = Path(__file__).parents[2]


def contributed():
    """The names that the first block of CONTRIBUTING.md defines."""
    sybil = Sybil(parsers=[PythonCodeBlockParser()], path=str(ROOT))
    block = next(iter(sybil.parse(ROOT / "CONTRIBUTING.md").examples()))
    names = {"__name__": __name__}
    exec(block.parsed, names)
    return names


Logistic = contributed()["Logistic"]


class LogCosh(AbstractSimilarity):
    """s = −Σ ln cosh(k − q): squares for entries that are near, distances for others."""

    range: ClassVar = "non-positive"
    rowwise: ClassVar = True
    centroid: ClassVar = None

    def __call__(self, keys, query, weight=None):
        apart = keys - query[None]
        curve = jnp.logaddexp(apart, -apart) - jnp.log(jnp.asarray(2, apart.dtype))
        return -jnp.sum(curve if weight is None else curve * weight[None], axis=-1)


class Hyperbola(AbstractLagrangian):
    """L = Σ √(1 + x²), whose activation is x/√(1 + x²)."""

    lacks_convexity: ClassVar = None
    domain: ClassVar = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = True

    def value(self, state):
        return jnp.sum(jnp.sqrt(1 + state**2))

    def activation(self, state):
        return state / jnp.sqrt(1 + state**2)
