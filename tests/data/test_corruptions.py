"""Every corruption against its definition, written again in NumPy."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from attrax import data

LEVELS = [k / 10 for k in range(1, 10)]
# floor(H (1 - f)) and floor(H f / 2) for f = 0.1 to 0.9, worked out in exact decimals.
CUTS = {
    28: [25, 22, 19, 16, 14, 11, 8, 5, 2],
    32: [28, 25, 22, 19, 16, 12, 9, 6, 3],
    64: [57, 51, 44, 38, 32, 25, 19, 12, 6],
}
BORDERS = {
    28: [1, 2, 4, 5, 7, 8, 9, 11, 12],
    32: [1, 3, 4, 6, 8, 9, 11, 12, 14],
    64: [3, 6, 9, 12, 16, 19, 22, 25, 28],
}
KEY = jr.key(0)
D = 784


@pytest.fixture(scope="module")
def image():
    return jr.uniform(jr.key(1), (D,), minval=0.1, maxval=0.9)


@pytest.fixture(scope="module")
def bits():
    return data.random_patterns(1, D, key=jr.key(2))[0]


RANDOM = {
    "gaussian": lambda x, level, key: data.gaussian(x, level, key=key),
    "folded": lambda x, level, key: data.gaussian(x, level, folded=True, key=key),
    "salt_and_pepper": lambda x, level, key: data.salt_and_pepper(x, level, key=key),
    "drop": lambda x, level, key: data.drop(x, level, key=key),
    "flip_bits": lambda x, level, key: data.flip_bits(x, level, states=(0, 1), key=key),
}


# --- masks that are not random -------------------------------------------------------------------


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("height", [28, 32, 64])
def test_mask_rows_cuts_at_the_exact_row(height, channels):
    shape = (height, 8) if channels is None else (channels, height, 8)
    x = np.arange(1, np.prod(shape) + 1, dtype=np.float32)
    for level, cut in zip(LEVELS, CUTS[height], strict=True):
        bottom, top = x.copy().reshape(shape), x.copy().reshape(shape)
        bottom[..., cut:, :] = 0
        top[..., :cut, :] = 0
        np.testing.assert_array_equal(data.mask_rows(x, level, shape), bottom.ravel())
        np.testing.assert_array_equal(data.mask_rows(x, level, shape, top=True), top.ravel())
        assert int(height * (1 - level)) == cut  # the expression of the official code


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("height", [28, 32, 64])
def test_inpaint_zeroes_the_exact_border(height, channels):
    shape = (height, height) if channels is None else (channels, height, height)
    x = np.arange(1, np.prod(shape) + 1, dtype=np.float32)
    for level, border in zip(LEVELS, BORDERS[height], strict=True):
        expected = np.zeros(shape, np.float32)
        inner = (..., slice(border, height - border), slice(border, height - border))
        expected[inner] = x.reshape(shape)[inner]
        np.testing.assert_array_equal(data.inpaint(x, level, shape), expected.ravel())
        assert int(height * level // 2) == border


def test_inpaint_border_has_as_many_columns_as_rows_in_a_wide_image():
    x = np.ones((10, 20), np.float32)
    expected = np.zeros((10, 20), np.float32)
    expected[2:8, 2:18] = 1
    np.testing.assert_array_equal(data.inpaint(x.ravel(), 0.5, (10, 20)), expected.ravel())


def test_masks_at_the_ends_of_the_range():
    x = jnp.ones(36)
    assert data.mask_rows(x, 0, (6, 6)).sum() == 36
    assert data.mask_rows(x, 1, (6, 6)).sum() == 0
    assert data.mask_rows(x, 0, (6, 6), top=True).sum() == 0
    assert data.mask_rows(x, 1, (6, 6), top=True).sum() == 36
    assert data.inpaint(x, 0, (6, 6)).sum() == 36
    assert data.inpaint(x, 1, (6, 6)).sum() == 0
    assert data.inpaint(jnp.ones(49), 1, (7, 7)).sum() == 1


def test_the_cut_of_a_python_number_is_that_of_double_precision():
    # 10 (1 - 0.8) is 1.9999999999999996 in double precision: one row, not two, is left.
    assert int(10 * (1 - 0.8)) == 1
    assert data.known_rows(0.8, (10, 1)).sum() == 1
    assert data.known_rows(np.float64(0.8), (10, 1)).sum() == 1
    assert data.known_rows(0.3, (10, 1)).sum() == 7


def test_masked_entries_are_exactly_the_unknown_ones(image):
    shape = (28, 28)
    for level in (0.3, 0.7):
        for top in (False, True):
            known = data.known_rows(level, shape, top=top)
            damaged = data.mask_rows(image, level, shape, top=top)
            np.testing.assert_array_equal(damaged, np.where(known, image, 0))
        known = data.known_inpaint(level, shape)
        np.testing.assert_array_equal(data.inpaint(image, level, shape), np.where(known, image, 0))
    assert known.dtype == bool


def test_levels_of_the_masks_can_be_mapped_over(image):
    # Quarters are exact in every precision, so the traced cut must be the same.
    levels = [0.0, 0.25, 0.5, 0.75, 1.0]
    for mask in (data.mask_rows, data.inpaint):
        mapped = jax.jit(jax.vmap(lambda f, mask=mask: mask(image, f, (28, 28))))(jnp.array(levels))
        one_by_one = [mask(image, f, (28, 28)) for f in levels]
        np.testing.assert_array_equal(mapped, np.stack(one_by_one))


# --- random damage ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_key_gives_the_same_damage_and_another_key_another(name, image):
    x = jnp.round(image) if name == "flip_bits" else image
    first = RANDOM[name](x, 0.4, jr.key(5))
    np.testing.assert_array_equal(first, RANDOM[name](x, 0.4, jr.key(5)))
    assert (first != RANDOM[name](x, 0.4, jr.key(6))).any()
    assert (first != x).any()


@pytest.mark.parametrize("name", RANDOM)
def test_jit_and_vmap_agree_with_single_calls(name, image):
    x = jnp.round(image) if name == "flip_bits" else image
    rows = jnp.stack([x, x[::-1], x])
    keys = jr.split(KEY, 3)
    levels = jnp.array([0.0, 0.3, 1.0])
    mapped = jax.jit(jax.vmap(RANDOM[name]))(rows, levels, keys)
    single = [RANDOM[name](*args) for args in zip(rows, levels, keys, strict=True)]
    # jit may fuse the product and sum of the noise into one rounding.
    np.testing.assert_allclose(mapped, np.stack(single), rtol=0, atol=2.0**-22)


@pytest.mark.parametrize("name", RANDOM)
def test_level_zero_changes_nothing(name, image):
    x = jnp.round(image) if name == "flip_bits" else image
    np.testing.assert_array_equal(RANDOM[name](x, 0.0, KEY), x)


def test_gaussian_is_the_pattern_plus_scaled_normal_noise(image):
    noise = np.asarray(jr.normal(KEY, (D,)))
    plain = np.asarray(image) + np.float32(0.5) * noise
    assert (plain < 0).any()
    assert (plain > 1).any()
    close = {"rtol": 0, "atol": 2.0**-22}
    np.testing.assert_allclose(data.gaussian(image, 0.5, key=KEY), plain, **close)
    np.testing.assert_allclose(
        data.gaussian(image, 0.5, clip=True, key=KEY), np.clip(plain, 0, 1), **close
    )
    np.testing.assert_allclose(
        data.gaussian(image, 0.5, folded=True, key=KEY), np.clip(np.abs(plain), 0, 1), **close
    )


def test_gaussian_sigma_is_a_standard_deviation():
    x = data.gaussian(jnp.zeros(100_000), 0.3, key=KEY)
    # The standard error of a standard deviation is sigma / sqrt(2 n); five of them are allowed.
    assert abs(float(x.std()) - 0.3) < 5 * 0.3 / np.sqrt(2 * 100_000)


@pytest.mark.parametrize("level", [0.3, 0.8])
def test_salt_and_pepper_replaces_the_fraction_by_both_colours_equally(level):
    n = 100_000
    x = np.asarray(data.salt_and_pepper(jnp.full(n, 0.5), level, key=KEY))
    assert set(np.unique(x)) == {0.0, 0.5, 1.0}
    for colour in (0.0, 1.0):
        error = np.sqrt(level / 2 * (1 - level / 2) / n)
        assert abs((x == colour).mean() - level / 2) < 5 * error


def test_drop_agrees_with_its_mask_and_its_rate():
    n = 100_000
    x = data.drop(jnp.ones(n), 0.3, key=KEY)
    known = data.drop_mask(0.3, n, key=KEY)
    np.testing.assert_array_equal(np.asarray(x, bool), known)
    assert abs(float(known.mean()) - 0.7) < 5 * np.sqrt(0.3 * 0.7 / n)
    assert not data.drop_mask(1.0, n, key=KEY).any()
    assert data.drop_mask(0.0, n, key=KEY).all()


def test_drop_loses_all_channels_of_a_pixel_together():
    shape = (3, 16, 16)
    x = np.asarray(data.drop(jnp.ones(768), 0.5, shape=shape, key=KEY)).reshape(shape)
    assert 0 < x[0].sum() < 256
    np.testing.assert_array_equal(x, np.broadcast_to(x[:1], shape))
    mask = data.drop_mask(0.5, shape, key=KEY)
    np.testing.assert_array_equal(np.asarray(mask), x.ravel().astype(bool))


def test_a_larger_fraction_drops_what_a_smaller_one_drops():
    less, more = (data.drop_mask(f, D, key=KEY) for f in (0.3, 0.6))
    assert not (more & ~less).any()


def test_flip_bits_turns_the_fraction_in_both_alphabets(bits):
    flipped = data.flip_bits(bits, 0.25, key=KEY)
    product = np.asarray(bits * flipped)
    assert set(np.unique(product)) == {-1.0, 1.0}
    assert abs((product < 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / D)
    zero_one = data.flip_bits((bits + 1) / 2, 0.25, states=(0, 1), key=KEY)
    np.testing.assert_array_equal(zero_one, (flipped + 1) / 2)
    np.testing.assert_array_equal(data.flip_bits(bits, 1.0, key=KEY), -bits)


def test_integers_and_booleans_become_floats():
    assert data.flip_bits(np.array([-1, 1, 1]), 0.5, key=KEY).dtype == jnp.float32
    assert data.drop(np.array([True, False]), 0.5, key=KEY).dtype == jnp.float32


# --- errors -------------------------------------------------------------------------------------

X = jnp.ones(784)
WRONG = {
    "a batch": (lambda: data.gaussian(X[None], 0.1, key=KEY), r"x has shape \(1, 784\).*jax.vmap"),
    "a negative sigma": (lambda: data.gaussian(X, -0.1, key=KEY), r"sigma is -0.1; .* at least 0"),
    "a NaN sigma": (lambda: data.gaussian(X, float("nan"), key=KEY), r"sigma is nan"),
    "a list of sigmas": (lambda: data.gaussian(X, jnp.ones(2), key=KEY), r"sigma has shape \(2,\)"),
    "a percentage": (lambda: data.drop(X, 30, key=KEY), r"fraction is 30.0; it must lie in 0 to 1"),
    "a NaN fraction": (lambda: data.flip_bits(X, float("nan"), key=KEY), r"fraction is nan"),
    "a negative fraction": (lambda: data.salt_and_pepper(X, -0.5, key=KEY), r"fraction is -0.5"),
    "another image": (lambda: data.mask_rows(X, 0.5, (32, 32)), r"x has 784 entries.*has 1024"),
    "another image, inpaint": (lambda: data.inpaint(X, 0.5, (3, 32, 32)), r"has 3072"),
    "another image, drop": (lambda: data.drop(X, 0.5, shape=(3, 28, 28), key=KEY), r"has 2352"),
    "a flat shape": (lambda: data.known_rows(0.5, (784,)), r"must be \(H, W\) or \(C, H, W\)"),
    "four axes": (lambda: data.drop_mask(0.5, (1, 3, 8, 8), key=KEY), r"must be \(d,\), \(H, W\)"),
    "other states": (lambda: data.flip_bits(0.5 * X, 0.1, key=KEY), r"other than -1 and 1"),
    "equal states": (lambda: data.flip_bits(X, 0.1, states=(1, 1), key=KEY), r"must differ"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_named(case):
    call, text = WRONG[case]
    with pytest.raises(ValueError, match=text):
        call()


# --- random patterns ----------------------------------------------------------------------------


def test_random_patterns_have_the_stated_distribution():
    n, d = 200, 500
    binary = np.asarray(data.random_patterns(n, d, kind="binary", key=KEY))
    assert set(np.unique(binary)) == {-1.0, 1.0}
    gaussian = np.asarray(data.random_patterns(n, d, kind="gaussian", key=KEY))
    unit = np.asarray(data.random_patterns(n, d, kind="unit", key=KEY))
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    for x, variance in ((binary, 1), (gaussian, 1), (unit, 1 / d)):
        assert x.shape == (n, d)
        assert abs(x.mean()) < 5 * np.sqrt(variance / (n * d))
        assert abs(x.var() / variance - 1) < 5 * np.sqrt(2 / (n * d))
    # Rows are independent: their overlaps have mean 0 and variance 1 / d.
    overlaps = (unit @ unit.T)[np.triu_indices(n, 1)]
    assert abs(overlaps.std() * np.sqrt(d) - 1) < 0.05


def test_random_patterns_repeat_under_one_key_and_name_what_is_wrong():
    a, b, c = (data.random_patterns(3, 8, key=jr.key(k)) for k in (7, 7, 8))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    with pytest.raises(ValueError, match=r"kind is 'ternary'; .*'binary', 'gaussian', 'unit'"):
        data.random_patterns(3, 8, kind="ternary", key=KEY)
    with pytest.raises(ValueError, match="n is 0; it must be at least 1"):
        data.random_patterns(0, 8, key=KEY)
