"""Hebb's rule, and the covariance rule for sparse bits."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.data import random_patterns
from attrax.dynamics import Iterate
from attrax.learning import Hebb, PseudoInverse, SparseHebb

SIGNS = random_patterns(7, 23, key=jax.random.key(0))
BITS = (SIGNS + 1) / 2


def sparse(n, d, p, seed=0):
    return jax.random.bernoulli(jax.random.key(seed), p, (n, d)).astype(float)


def covariance(patterns, p):
    """Σ (V − p)(V − p)ᵀ/(d p(1 − p)) by loops over units."""
    patterns = np.asarray(patterns, np.float64)
    d = patterns.shape[1]
    matrix = np.zeros((d, d))
    for row in patterns:
        for i in range(d):
            for j in range(d):
                matrix[i, j] += (row[i] - p) * (row[j] - p)
    return matrix / (d * p * (1 - p))


@pytest.mark.contract
@pytest.mark.parametrize(("units", "patterns"), [("signs", SIGNS), ("bits", BITS)])
def test_hebb_is_the_sum_of_outer_products_in_whole_numbers(units, patterns):
    memory = Hebb(units)(patterns)
    whole = np.asarray(SIGNS, int)
    assert np.array_equal(memory.matrix, np.einsum("ni,nj->ij", whole, whole))
    assert float(memory.scale) == pytest.approx(1 / 23)
    assert (memory.units, memory.symmetry, memory.self_term) == (units, "positive", False)
    assert memory.threshold is None


@pytest.mark.parametrize("dtype", [np.int8, bool, np.float16])
def test_sums_of_narrow_types_are_exact(dtype):
    """600 equal rows: float16 counts to 2048 only by twos, int8 to 127."""
    bits = np.tile(np.asarray(BITS[:1]).astype(dtype), (2049, 1))
    memory = Hebb("bits")(bits)
    assert memory.matrix.dtype == jnp.float32
    assert set(np.unique(memory.matrix)) == {-2049.0, 2049.0}


@pytest.mark.parametrize(("units", "patterns"), [("signs", SIGNS), ("bits", BITS)])
def test_hebb_writes_and_the_memory_removes_exactly(units, patterns):
    rule = Hebb(units)
    memory = rule(patterns[:1])
    for row in patterns[1:]:
        memory = rule.write(memory, row)
    assert np.array_equal(memory.matrix, rule(patterns).matrix)
    assert memory.symmetry == "positive"
    assert np.array_equal(
        memory.remove(patterns[2]).matrix, rule(patterns[jnp.arange(7) != 2]).matrix
    )


def test_the_sparse_rule_is_the_covariance():
    bits = sparse(9, 20, 0.2)
    memory = SparseHebb(0.2)(bits)
    assert np.allclose(memory.scale * memory.matrix, covariance(bits, 0.2), atol=1e-5)
    measured = float(bits.mean())
    assert measured != 0.2
    memory = SparseHebb()(bits)
    assert np.allclose(memory.scale * memory.matrix, covariance(bits, measured), atol=1e-5)
    assert (memory.units, memory.symmetry) == ("bits", "positive")


def test_at_half_activity_it_is_hebb_for_bits():
    memory = SparseHebb(0.5)(BITS)
    assert np.array_equal(4 * memory.matrix, Hebb("bits")(BITS).matrix)
    assert np.array_equal(memory.threshold, np.zeros(23))


def test_the_threshold_makes_the_fewest_errors_in_a_first_step():
    """Measured over thresholds; the rarer state moves the best one by 0.12 at this load."""
    p, load, d = 0.05, 0.8, 1000
    bits = sparse(int(load * d), d, p)
    memory = SparseHebb(p)(bits)
    assert np.allclose(memory.threshold, 0.5 - p + load * p * np.log(19), atol=0.002)
    drives = np.asarray(jax.vmap(memory.drive)(bits) + memory.threshold[None])
    ones = np.asarray(bits) == 1
    trial = np.arange(0.3, 0.9, 0.02)
    errors = [((drives > x) != ones).mean() for x in trial]
    assert abs(trial[np.argmin(errors)] - float(memory.threshold[0])) < 0.05
    # What the theory takes for granted: the noise about the drives of ones and of zeros.
    assert drives[~ones].std() == pytest.approx(np.sqrt(load * p), rel=0.05)
    assert drives[~ones].mean() == pytest.approx(-p, abs=0.01)
    assert drives[ones].mean() == pytest.approx(1 - p, abs=0.01)


def test_sparse_patterns_are_held_beyond_the_capacity_of_hebb():
    """Half as many patterns as units, three and a half times what Hebb holds of dense ones."""
    bits = sparse(500, 1000, 0.05)
    found = attrax.retrieve(SparseHebb()(bits), bits, Iterate(max_steps=20)).state
    assert float(jnp.mean(found != bits)) < 0.006
    # Negative controls: all zeros are wrong eight times as often, and Hebb's rule more often.
    assert float(jnp.mean(bits)) > 0.045
    hebb = attrax.retrieve(Hebb("bits")(bits), bits, Iterate(max_steps=20)).state
    assert float(jnp.mean(hebb != bits)) > 0.3


def test_the_sparse_rule_writes():
    bits = sparse(9, 20, 0.2)
    rule = SparseHebb(0.2)
    memory = rule(bits[:1])
    for row in bits[1:]:
        memory = rule.write(memory, row)
    batch = rule(bits)
    assert np.allclose(memory.matrix, batch.matrix, atol=1e-5)
    assert np.allclose(memory.threshold, batch.threshold, atol=1e-6)
    assert not np.allclose(batch.threshold, rule(bits[:1]).threshold, atol=0.1)


@pytest.mark.parametrize("threshold", [0.3, np.linspace(0, 1, 20)])
def test_a_threshold_of_ones_own(threshold):
    bits = sparse(9, 20, 0.2)
    rule = SparseHebb(0.2, threshold=threshold)
    expected = np.broadcast_to(threshold, (20,)).astype(np.float32)
    assert np.array_equal(rule(bits).threshold, expected)
    assert np.array_equal(rule.write(rule(bits), bits[0]).threshold, expected)


@pytest.mark.contract
@pytest.mark.parametrize(
    ("rule", "patterns"), [(Hebb(), SIGNS), (Hebb("bits"), BITS), (SparseHebb(), BITS)]
)
def test_jit_and_vmap(rule, patterns):
    whole = rule(patterns)
    assert np.allclose(jax.jit(lambda p: rule(p).matrix)(patterns), whole.matrix, atol=1e-5)
    draws = jnp.stack([patterns, patterns[:, ::-1]])
    matrices = jax.vmap(lambda p: rule(p).matrix)(draws)
    assert np.allclose(matrices[0], whole.matrix, atol=1e-5)
    assert np.allclose(matrices[1], rule(draws[1]).matrix, atol=1e-5)


def test_double_precision():
    with jax.enable_x64(True):
        bits = np.asarray(sparse(9, 20, 0.2), np.float64)
        memory = SparseHebb(0.2)(bits)
        assert memory.matrix.dtype == memory.threshold.dtype == jnp.float64
        assert np.allclose(memory.scale * memory.matrix, covariance(bits, 0.2), atol=1e-12)
        memory = Hebb()(np.asarray(SIGNS, np.float64))
        assert memory.matrix.dtype == memory.scale.dtype == jnp.float64


WRONG = {
    "graded states": (
        lambda: Hebb()(SIGNS / 2),
        ValueError,
        r"`patterns` must hold -1 and 1 only, but is .*0\.5 at index \(0, 0\): jnp\.where",
    ),
    "bits for signs": (lambda: Hebb()(BITS), ValueError, r"`patterns` must hold -1 and 1 only"),
    "signs for bits": (
        lambda: SparseHebb()(SIGNS),
        ValueError,
        r"`patterns` must hold 0 and 1 only.*units='signs'",
    ),
    "one axis": (lambda: Hebb()(SIGNS[0]), ValueError, r"`patterns` must have 2 axes.*\(23,\)"),
    "no rows": (lambda: Hebb()(SIGNS[:0]), ValueError, r"`patterns` must have at least one row"),
    "text": (lambda: Hebb()(np.array([["a"]])), TypeError, r"`patterns` must hold numbers"),
    "NaN": (lambda: Hebb()(SIGNS * jnp.nan), ValueError, r"`patterns` holds NaN"),
    "a short pattern": (
        lambda: Hebb().write(Hebb()(SIGNS), SIGNS[0, :5]),
        ValueError,
        r"`pattern` must have shape \(23,\), but its shape is \(5,\)",
    ),
    "a graded pattern": (
        lambda: Hebb().write(Hebb()(SIGNS), SIGNS[0] / 2),
        ValueError,
        r"`pattern` must hold -1 and 1 only",
    ),
    "a memory of other units": (
        lambda: Hebb().write(Hebb("bits")(BITS), SIGNS[0]),
        ValueError,
        r"`memory` must have units='signs', but it has units='bits'",
    ),
    "a memory of another rule": (
        lambda: Hebb().write(PseudoInverse()(SIGNS), SIGNS[0]),
        ValueError,
        r"`memory` must be one that Hebb has made, but it is one of PseudoInverse: start from Hebb",
    ),
    "an activity that is no share": (
        lambda: SparseHebb(1.5),
        ValueError,
        r"`activity` is the share of ones and must lie between 0 and 1, but it is 1\.5",
    ),
    "several activities": (
        lambda: SparseHebb(np.ones(3) / 2),
        ValueError,
        r"`activity` must be one number",
    ),
    "nothing but zeros": (
        lambda: SparseHebb()(0 * BITS),
        ValueError,
        r"`patterns` hold 0 alone.*pass activity=",
    ),
    "writing what cannot be measured": (
        lambda: SparseHebb().write(SparseHebb(0.5)(BITS), BITS[0]),
        ValueError,
        r"`activity` must be given to write one pattern, as in SparseHebb\(activity=0\.05\)",
    ),
    "another activity": (
        lambda: SparseHebb(0.1).write(SparseHebb(0.3)(BITS), BITS[0]),
        ValueError,
        r"`memory` multiplies its matrix by scale=0\.207.* SparseHebb writes",
    ),
    "thresholds of other units": (
        lambda: SparseHebb(0.5, threshold=np.ones(3))(BITS),
        ValueError,
        r"`threshold` must be one number or have shape \(23,\), but its shape is \(3,\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_ends_in_a_clear_error(name):
    call, kind, pattern = WRONG[name]
    with pytest.raises(kind, match=pattern):
        call()


# Wrong calls that annotations, checked at run time in tests, would end before attrax does.
SETTING = """
import numpy as np
from attrax.learning import Hebb, Perceptron, PseudoInverse, Storkey, Unlearning, stabilities
"""
NOT_A_MEMORY = (
    r"TypeError: `memory` must be a MatrixMemory, but it is {}; attrax\.learning\.Hebb\(\)"
)
PLAIN = {
    "Hebb('real')": "ValueError: `units` must be 'signs' or 'bits', but it is 'real'",
    "Hebb().write(3, [1.0, -1.0])": NOT_A_MEMORY.format("int"),
    "Storkey().write(None, [1.0, -1.0])": NOT_A_MEMORY.format("NoneType"),
    "PseudoInverse().write('a', [1.0, -1.0])": NOT_A_MEMORY.format("str"),
    "stabilities(np.eye(2), [[1.0, -1.0]])": NOT_A_MEMORY.format("ndarray"),
    "Perceptron(max_epochs=0.5)": "ValueError: `max_epochs` must be a positive whole number, but",
    "Perceptron(margin='a')": "TypeError: `margin` must be a number, but it is 'a'",
    "Unlearning(0.01, steps=2.5)": r"ValueError: `steps` must .* whole number, but it is 2\.5",
    "Unlearning(0.01, steps=2)(Hebb()([[1.0, -1.0]]), key=0)": "TypeError: `key` must be one key, ",
}


@pytest.mark.plain(SETTING, PLAIN)
@pytest.mark.parametrize("call", PLAIN)
def test_wrong_types_end_in_clear_errors_where_nothing_checks_annotations(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(PLAIN[call], f"{kinds[0]}: {text}")
