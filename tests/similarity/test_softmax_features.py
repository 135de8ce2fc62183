import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Memory
from attrax import similarity as sim
from attrax.separation import Identity, SumNormalised

KEY = jax.random.key(0)
KINDS = ("positive", "hyperbolic", "trigonometric")


def test_blocks_of_directions_are_orthogonal_and_lengths_are_drawn():
    with jax.enable_x64():
        rows = np.asarray(sim.random_directions(20, 8, key=KEY))
        other = np.asarray(sim.random_directions(20, 8, lengths="constant", key=KEY))
    assert rows.shape == (20, 8)
    for start in (0, 8, 16):
        block = rows[start : start + 8]
        table = block @ block.T
        assert np.abs(table - np.diag(np.diag(table))).max() < 1e-12
    assert np.ptp(np.linalg.norm(rows, axis=1)) > 0.5
    np.testing.assert_allclose(np.linalg.norm(other, axis=1), np.sqrt(8), rtol=1e-12)
    # The same rotations: lengths are apart from them.
    turned = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(turned, other / np.sqrt(8), atol=1e-12)
    independent = np.asarray(sim.random_directions(20, 8, orthogonal=False, key=KEY))
    assert np.abs(independent[0] @ independent[1]) > 0.1
    fixed = sim.random_directions(20, 8, orthogonal=False, lengths="constant", key=KEY)
    np.testing.assert_allclose(np.linalg.norm(fixed, axis=1), np.sqrt(8), rtol=1e-6)


def test_each_direction_is_normal_and_rotations_are_of_haar():
    """Without signs the first direction would lean to one side: QR's own has a fixed sign there."""
    keys = jax.random.split(KEY, 4000)
    rows = np.asarray(jax.jit(jax.vmap(lambda k: sim.random_directions(3, 3, key=k)))(keys))
    error = 1 / np.sqrt(4000)
    assert np.abs(rows.mean(0)).max() < 4.5 * error
    second = np.einsum("nai,naj->aij", rows, rows) / 4000
    assert np.abs(second - np.eye(3)).max() < 4.5 * np.sqrt(2) * error
    assert np.abs((rows**4).mean(0) / 3 - 1).max() < 4.5 * np.sqrt(96) / 3 * error
    # Both orientations.
    assert abs(np.sign(np.linalg.det(rows)).mean()) < 4.5 * error


def test_frequencies_of_the_gaussian_kernel_may_be_orthogonal():
    part = sim.RandomFeatures(8, 8, 0.5, orthogonal=True, key=KEY)
    np.testing.assert_array_equal(part.frequencies, sim.random_directions(8, 8, key=KEY))
    plain = sim.RandomFeatures(8, 8, 0.5, key=KEY)
    np.testing.assert_array_equal(plain.frequencies, jax.random.normal(KEY, (8, 8)))


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_the_formula(kind):
    with jax.enable_x64():
        part = sim.SoftmaxFeatures(5, 7, 0.4, kind, key=KEY)
        rows = np.random.default_rng(0).normal(size=(2, 5))
        x, y = (np.asarray(part(jnp.asarray(row))) for row in rows)
        angles = np.sqrt(0.4) * rows @ np.asarray(part.directions, float).T
    half = 0.2 * np.sum(rows**2, axis=1)
    exact = {
        "positive": np.mean(np.exp(angles.sum(0))) * np.exp(-half.sum()),
        "hyperbolic": np.mean(np.cosh(angles.sum(0))) * np.exp(-half.sum()),
        "trigonometric": np.mean(np.cos(angles[0] - angles[1])) * np.exp(half.sum()),
    }
    assert x @ y == pytest.approx(exact[kind], rel=1e-12)
    assert x.shape == (part.size,) == (7 if kind == "positive" else 14,)
    assert (part.width, part.count) == (5, 7)


def test_the_kernel_is_reached_as_directions_grow():
    """Within some four errors of 40 000 directions."""
    x, y = jnp.asarray(np.random.default_rng(1).normal(size=(2, 6)) / 3, jnp.float32)
    for kind in KINDS:
        part = sim.SoftmaxFeatures(6, 40_000, 1.3, kind, key=KEY)
        assert float(part(x) @ part(y)) == pytest.approx(np.exp(1.3 * x @ y), rel=0.02), kind
    part = sim.RectifiedFeatures(6, 40_000, 0.0, key=KEY)
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    angle = np.arccos(x @ y / lengths)
    arc = lengths * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    assert float(part(x) @ part(y)) == pytest.approx(arc, rel=0.05)


def test_redrawn_features_differ_in_their_directions_alone():
    for part in (
        sim.SoftmaxFeatures(5, 7, 0.4, "hyperbolic", lengths="constant", key=KEY),
        sim.RectifiedFeatures(5, 7, 0.1, orthogonal=False, key=KEY),
    ):
        again = part.redraw(jax.random.key(1))
        assert jax.tree.structure(again) == jax.tree.structure(part)
        assert np.abs(again.directions - part.directions).max() > 0.1
        same = eqx.tree_at(lambda p: p.directions, again, part.directions)
        assert eqx.tree_equal(same, part)
        assert eqx.tree_equal(part.redraw(KEY), part)


def test_features_of_half_precision_are_of_single():
    row = jnp.asarray([3.0, -2.0, 1.0], jnp.float16)
    for part in (sim.SoftmaxFeatures(3, 4, key=KEY), sim.RectifiedFeatures(3, 4, key=KEY)):
        assert part(row).dtype == jnp.float32
        np.testing.assert_array_equal(part(row), part(row.astype(jnp.float32)))


def test_a_memory_of_such_a_kernel_becomes_a_matrix():
    rng = np.random.default_rng(0)
    keys, queries = (rng.normal(size=(9, 6)).astype(np.float32) / 3 for _ in range(2))
    values = rng.normal(size=(9, 2)).astype(np.float32)
    part = sim.SoftmaxFeatures(6, 32, 2.0, key=KEY)
    memory = Memory(
        keys,
        values,
        similarity=sim.Kernel(part, range="positive"),
        separation=SumNormalised(Identity()),
        projection="sum",
    )
    scores = jax.vmap(part)(queries) @ jax.vmap(part)(keys).T
    expected = scores @ values / scores.sum(1, keepdims=True)
    np.testing.assert_allclose(jax.vmap(memory)(queries), expected, rtol=1e-5, atol=1e-6)
    collapsed = jax.vmap(memory.superpose())(queries)
    np.testing.assert_allclose(collapsed, expected, rtol=1e-5, atol=1e-6)


SETTING = """
import jax
from attrax import similarity as sim
KEY = jax.random.key(0)
"""
WRONG = {
    "sim.SoftmaxFeatures(0, 4, key=KEY)": "`width` must be a positive whole number",
    "sim.SoftmaxFeatures(4, 2.5, key=KEY)": "`count` must be a positive whole number",
    "sim.SoftmaxFeatures(4, 2, -1.0, key=KEY)": "`beta` must be positive",
    "sim.SoftmaxFeatures(4, 2, 1.0, 'cosine', key=KEY)": "`kind` must be one of 'positive'",
    "sim.SoftmaxFeatures(4, 2, lengths='d', key=KEY)": "`lengths` must be one of 'normal'",
    "sim.RectifiedFeatures(4, 2, -0.1, key=KEY)": "`epsilon` must be at least 0",
    "sim.random_directions(4, True, key=KEY)": "`width` must be a positive whole number",
}


@pytest.mark.plain(SETTING, WRONG)
@pytest.mark.parametrize("call", WRONG)
def test_wrong_calls_are_told_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds[0] == "ValueError", text
    assert text.startswith(WRONG[call]), text
