"""What counts as a rise of the energy, and what as rounding."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax import MatrixMemory
from attrax.dynamics.certificate import certify

# A pair of coupled units, whose energy of -1 is the largest term, and one that stands alone: its
# flip against its threshold raises the energy by twice that.
PAIR = np.zeros((3, 3), np.float32)
PAIR[0, 1] = PAIR[1, 0] = 1.0
EPS = float(jnp.finfo(jnp.float32).eps)


def certificate(rise):
    memory = MatrixMemory(PAIR, threshold=np.float32([0, 0, -rise / 2]), units="signs")
    path = jnp.asarray([[1, 1, -1], [1, 1, 1], [1, 1, 1], [1, 1, -1]], jnp.float32)
    return certify(memory.space(path[0], None), path)


@pytest.mark.parametrize("rise", [1e-4, 1e-3, 1.0])
def test_a_rise_of_a_small_share_of_the_energy_is_not_certified(rise):
    found = certificate(rise)
    assert float(found.rise) == pytest.approx(rise, rel=2e-3)
    assert int(found.step) == 3
    assert not bool(found.certified)
    assert "0 of 1" in found.summary()


@pytest.mark.parametrize("rise", [0.0, 4 * EPS, 16 * EPS])
def test_a_rise_within_rounding_is_certified(rise):
    found = certificate(rise)
    assert float(found.rise) == pytest.approx(rise, abs=2 * EPS)
    assert bool(found.certified)
    assert "1 of 1" in found.summary()
