import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.evaluate import bit_error, overlap

RNG = np.random.default_rng(0)
STATES = RNG.choice([-1.0, 1.0], (7, 4, 31)).astype(np.float32)
PATTERNS = RNG.choice([-1.0, 1.0], (4, 31)).astype(np.float32)


def test_the_overlap_is_that_of_numpy():
    expected = np.einsum("rnd,nd->rn", STATES, PATTERNS) / 31
    found = overlap(STATES, PATTERNS)
    assert found.shape == (7, 4)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(overlap(STATES[0, 0], PATTERNS), expected_row(), atol=1e-6)


def expected_row():
    return PATTERNS @ STATES[0, 0] / 31


def test_the_bit_error_is_the_share_that_differs():
    found = bit_error(STATES, PATTERNS)
    np.testing.assert_allclose(found, (STATES != PATTERNS).mean(-1), atol=1e-6)
    np.testing.assert_allclose(found, (1 - overlap(STATES, PATTERNS)) / 2, atol=1e-6)


def test_equal_and_reversed_states():
    row = PATTERNS[0]
    assert (overlap(row, row), overlap(-row, row)) == (1, -1)
    assert (bit_error(row, row), bit_error(-row, row)) == (0, 1)


def test_bits_have_the_overlap_of_their_signs():
    bits, patterns = (STATES + 1) / 2, (PATTERNS + 1) / 2
    of_bits = overlap(bits, patterns, units="bits")
    np.testing.assert_allclose(of_bits, overlap(STATES, PATTERNS), atol=1e-6)
    errors = bit_error(bits, patterns, units="bits")
    np.testing.assert_array_equal(errors, bit_error(STATES, PATTERNS))
    # Booleans and whole numbers are states too.
    same = overlap(bits.astype(bool), patterns.astype(int), units="bits")
    np.testing.assert_array_equal(same, of_bits)


def test_graded_states_have_an_overlap_but_no_bit_error():
    graded = 0.5 * STATES
    np.testing.assert_allclose(overlap(graded, PATTERNS), overlap(STATES, PATTERNS) / 2, atol=1e-6)
    with pytest.raises(ValueError, match=r"`state` must hold -1 and 1 only, but is .*0\.5"):
        bit_error(graded, PATTERNS)


def test_narrow_types_are_summed_exactly():
    long = RNG.choice([-1.0, 1.0], 4001)
    narrow = jnp.asarray(long, jnp.bfloat16)
    flipped = narrow.at[:3].multiply(-1)
    assert float(overlap(flipped, narrow)) == pytest.approx(1 - 6 / 4001, abs=1e-6)
    assert float(bit_error(flipped, narrow)) == pytest.approx(3 / 4001, abs=1e-6)


@pytest.mark.parametrize("measure", [overlap, bit_error])
def test_under_jit_and_vmap(measure):
    expected = measure(STATES, PATTERNS)
    np.testing.assert_allclose(jax.jit(measure)(STATES, PATTERNS), expected, atol=1e-6)
    mapped = jax.vmap(jax.vmap(measure), (0, None))(jnp.asarray(STATES), jnp.asarray(PATTERNS))
    np.testing.assert_allclose(mapped, expected, atol=1e-6)


def test_nan_differs():
    state = jnp.asarray(PATTERNS[0]).at[5].set(jnp.nan)
    assert float(jax.jit(bit_error)(state, PATTERNS[0])) == pytest.approx(1 / 31)


@pytest.mark.parametrize("measure", [overlap, bit_error])
@pytest.mark.parametrize(
    ("state", "pattern", "options", "text"),
    [
        (PATTERNS, PATTERNS[:, :5], {}, r"as many entries.*\(4, 31\) and \(4, 5\)"),
        (np.float32(1), np.float32(1), {}, "as many entries"),
        (PATTERNS, PATTERNS[:3], {}, "leading axes"),
        (PATTERNS[:0], PATTERNS[:0], {}, "empty"),
        (PATTERNS, PATTERNS / 2, {}, "`pattern` must hold -1 and 1 only"),
        (PATTERNS, (PATTERNS + 1) / 2, {}, "`pattern` must hold -1 and 1 only"),
        (PATTERNS, PATTERNS, {"units": "bits"}, "`pattern` must hold 0 and 1 only"),
        (PATTERNS, PATTERNS, {"units": "real"}, "`units` must be 'signs' or 'bits'"),
        (PATTERNS * np.nan, PATTERNS, {}, "`state` holds NaN"),
    ],
)
def test_wrong_calls_say_what_is_wrong(measure, state, pattern, options, text):
    with pytest.raises(ValueError, match=text):
        measure(state, pattern, **options)
