"""The checks at the boundary, by themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.common.checks import as_floats, as_mask, is_concrete, positive


@pytest.mark.parametrize(
    "value",
    [[[1, 2]], [[True, False]], np.uint8([[1, 2]]), jnp.asarray([[1, 2]]), [[1.5, 2]]],
    ids=str,
)
def test_numbers_become_floats(value):
    array = as_floats("x", value, ndim=2)
    assert array.dtype == jnp.float32
    np.testing.assert_array_equal(array, np.asarray(value, np.float32))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_floats_stay_what_they_are(dtype):
    assert as_floats("x", jnp.ones(3, dtype)).dtype == dtype


def test_doubles_stay_doubles_where_there_are_any():
    assert as_floats("x", np.ones(3)).dtype == jnp.float32
    with jax.enable_x64():
        assert as_floats("x", np.ones(3)).dtype == jnp.float64
        assert as_floats("x", [1, 2]).dtype == jnp.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_the_first_entry_that_is_no_number_is_named(bad, kind):
    array = np.ones((3, 4), np.float32)
    array[1, 2] = array[2, 0] = bad
    with pytest.raises(ValueError, match=r"`x` holds .*\(1, 2\)"):
        as_floats("x", kind(array))


def test_values_are_not_looked_at_under_jit():
    seen = []

    @jax.jit
    def double(x):
        seen.append(is_concrete(x))
        return 2 * as_floats("x", x, ndim=1)

    np.testing.assert_array_equal(double(jnp.asarray([jnp.nan, 1.0])), [np.nan, 2])
    assert seen == [False]
    assert is_concrete(np.ones(2), jnp.ones(2), 3)
    with pytest.raises(ValueError, match=r"`x` must have 1 axis, but its shape is \(1, 2\)"):
        double(jnp.ones((1, 2)))


def test_masks_must_be_masks():
    assert as_mask("m", [True, False], (2,)).dtype == jnp.bool_
    with pytest.raises(TypeError, match=r"`m` must be boolean \(True = takes part\)"):
        as_mask("m", [1, 0], (2,))
    with pytest.raises(ValueError, match=r"`m` must have shape \(3,\), but its shape is \(2,\)"):
        as_mask("m", [True, False], (3,))


def test_positive_numbers_and_traced_ones_pass():
    assert positive("b", 2).dtype == jnp.float32
    assert float(jax.jit(lambda b: positive("b", b))(jnp.asarray(-1.0))) == -1
    with pytest.raises(ValueError, match=r"`b` must be positive"):
        positive("b", jnp.asarray(-1.0))


def test_errors_are_value_errors():
    """So that code which catches those need not know attrax."""
    assert issubclass(attrax.NoEnergyError, ValueError)
    assert issubclass(attrax.FileFormatError, ValueError)
