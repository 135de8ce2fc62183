"""Numbers of every kind come in by one gate: each answers as its doubles do, or is refused."""

import decimal
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pandas
import pytest
from matplotlib import figure

import attrax
from attrax import data, evaluate, models, plot
from attrax import hierarchical as hier
from attrax import similarity as sim
from attrax.separation import Max

BASE = np.random.default_rng(0).integers(0, 200, (6, 5))
SIGNS = np.where(np.random.default_rng(1).random((3, 8)) < 0.5, -1, 1)
KEY = jax.random.key(0)
KNOWN = np.arange(5) < 4


def memory(rows):
    return attrax.Memory(rows, similarity=sim.Euclidean(), separation=Max())


# Every function of numbers, as one of a table of whole numbers (6, 5).
CALLS = {
    "Memory.patterns": lambda x: memory(x).keys,
    "Memory.values": lambda x: attrax.Memory(BASE, x, separation=Max()).values,
    "Memory.best": lambda x: memory(BASE).best(x[2]),
    "Memory.call": lambda x: memory(BASE)(x[2]),
    "Memory.write": lambda x: memory(BASE).write(x[1]).keys,
    "Memory.scores": lambda x: memory(BASE).scores(x[2]),
    "retrieve": lambda x: attrax.retrieve(memory(BASE), x).state,
    "retrieve.known": lambda x: attrax.retrieve(memory(BASE), x, known=KNOWN).state,
    "MatrixMemory": lambda x: attrax.MatrixMemory(x).matrix,
    "squared_error": lambda x: evaluate.squared_error(x, BASE[::-1]),
    "squared_error.target": lambda x: evaluate.squared_error(BASE[::-1], x),
    "retrieved": lambda x: evaluate.retrieved(x, BASE[::-1], 9000),
    "exact_row": lambda x: evaluate.exact_row(x, np.arange(6) % 5),
    "scores": lambda x: evaluate.scores(sim.Dot(), x, x),
    "baseline_mean_image": lambda x: evaluate.baseline_mean_image(x, 5000),
    "extrapolate": lambda x: evaluate.extrapolate([1, 2, 3, 4, 5, 6], x, x + 1).value,
    "gaussian": lambda x: data.gaussian(x[0], 0.5, key=KEY),
    "salt_and_pepper": lambda x: data.salt_and_pepper(x[0], 0.5, key=KEY),
    "drop": lambda x: data.drop(x[0], 0.5, key=KEY),
    "mask_rows": lambda x: data.mask_rows(x[0], 0.5, (5, 1)),
    "inpaint": lambda x: data.inpaint(x[0], 0.5, (5, 1)),
    "DenseSynapse": lambda x: hier.DenseSynapse(x).weights,
    "DenseSynapse.bias": lambda x: hier.DenseSynapse(x, x[:, 0]).bias,
    "SimilaritySynapse": lambda x: hier.SimilaritySynapse(sim.Euclidean(), x).keys,
    "binary_dense_memory": lambda x: models.binary_dense_memory(x).synapses[0].weights,
    "DenseClassifier": lambda x: models.DenseClassifier(x, 2, 2, temperature=1.0).memories,
}
# Where NaN has an answer, what lies under a mask is NaN.
OF_NAN = {
    *("squared_error", "squared_error.target", "retrieved"),
    *("gaussian", "salt_and_pepper", "drop", "mask_rows", "inpaint"),
}
KINDS = {
    "uint8": lambda x: x.astype(np.uint8),
    "int16, big-endian": lambda x: x.astype(">i2"),
    "float32, big-endian": lambda x: x.astype(">f4"),
    "float64, big-endian": lambda x: x.astype(">f8"),
    "long double": lambda x: x.astype(np.longdouble),
    "float16": lambda x: x.astype(np.float16),
    "uint64": lambda x: x.astype(np.uint64),
    "objects": lambda x: x.astype(float).astype(object),
    "whole objects": lambda x: x.astype(object),
    "decimals": lambda x: np.vectorize(decimal.Decimal, otypes=[object])(x),
    "nothing masked": lambda x: np.ma.masked_equal(x, -1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALLS)
def test_every_kind_of_numbers_answers_as_doubles_do(name, kind):
    if (name, kind) == ("gaussian", "float16"):
        pytest.skip("noise is drawn in the type of the pattern")
    answer = np.asarray(CALLS[name](KINDS[kind](BASE)), np.float64)
    expected = np.asarray(CALLS[name](BASE.astype(float)), np.float64)
    tolerance = 2e-3 if kind == "float16" else 1e-6
    np.testing.assert_allclose(answer, expected, tolerance)


@pytest.mark.parametrize("name", CALLS)
def test_masked_entries_are_refused_or_missing(name):
    masked = np.ma.masked_array(BASE, BASE >= 0)
    if name in OF_NAN:
        of_nan = np.asarray(CALLS[name](np.full(BASE.shape, np.nan)), np.float64)
        np.testing.assert_array_equal(np.asarray(CALLS[name](masked), np.float64), of_nan)
        return
    with pytest.raises(ValueError, match="mask"):
        CALLS[name](masked)


@pytest.mark.parametrize("factor", [20_000_000, 1 << 40])
@pytest.mark.parametrize("name", ["Memory.patterns", "squared_error", "DenseSynapse", "drop"])
def test_whole_numbers_of_64_bits_do_not_wrap(name, factor):
    big = BASE.astype(np.int64) * factor
    answer = np.asarray(CALLS[name](big))
    np.testing.assert_array_equal(answer, CALLS[name](big.astype(float)))


@pytest.mark.parametrize("factor", [21_000_000, 1 << 40])
@pytest.mark.parametrize("kind", [np.int64, object, ">i8"])
def test_no_number_wraps_where_some_entries_are_known(factor, kind):
    table = BASE.astype(np.int64) * factor
    asked = np.where(KNOWN, table, 0)
    found = attrax.retrieve(memory(table), asked.astype(kind), known=KNOWN).state
    np.testing.assert_array_equal(found, table.astype(np.float32))


@pytest.mark.parametrize("hole", [np.nan, None, np.inf, 1e39])
def test_entries_that_are_not_known_may_be_anything(hole):
    asked = BASE.astype(object)
    asked[:, 4] = hole
    found = attrax.retrieve(memory(BASE), asked, known=KNOWN).state
    np.testing.assert_array_equal(found, BASE)
    masked = np.ma.masked_array(BASE, np.broadcast_to(~KNOWN, BASE.shape))
    np.testing.assert_array_equal(attrax.retrieve(memory(BASE), masked, known=KNOWN).state, BASE)


def test_an_inverted_mask_is_asked_about():
    asked = np.where(KNOWN, BASE, np.nan)
    with pytest.raises(ValueError, match=r"first at index \(0, 4\) where.*is the mask inverted"):
        attrax.retrieve(memory(BASE), asked, known=~KNOWN)
    # Not where turning it would not help.
    asked[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"`queries` holds NaN.*Replace"):
        attrax.retrieve(memory(BASE), asked, known=KNOWN)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([[1e39, 1.0]], r"1e\+39 at index \(0, 0\), which is too large for float32"),
        ([[2.0, -1e300]], r"-1e\+300 at index \(0, 1\), which is too large"),
        ([[10**400, 1]], "too large for double precision"),
        ([[1e-50, 2e-49]], "too small for float32 and would become zero"),
        ([[1.0, 2.0], [0.0, 1e-60]], r"index \(1,\), which is too small"),
        ([[np.inf, 1.0]], r"holds infinity, first at index \(0, 0\)"),
        ([[np.nan, 1.0]], r"holds NaN, first.*Stored rows must be whole"),
        (np.zeros((2, 3, 3)), r"Flatten each: patterns.reshape\(len\(patterns\), -1\)"),
        (np.ma.masked_equal([[1.0, 2.0]], 2.0), "one masked entry.*compress_rows"),
        ([np.ma.masked_equal([1.0, 2.0], 2.0)], "one masked entry"),
    ],
)
def test_what_cannot_be_stored_is_said_for_what_it_is(value, text):
    with pytest.raises(ValueError, match=text):
        attrax.Memory(value)


def test_what_is_no_table_of_values_is_said_for_what_it_is():
    with pytest.raises(ValueError, match=r"one_hot\(values, classes\)"):
        attrax.Memory(BASE, np.arange(6))
    with pytest.raises(TypeError, match=r"an Euclidean; write similarity=Euclidean\(\.\.\.\)"):
        attrax.Memory(BASE, sim.Euclidean())
    with pytest.raises(TypeError, match=r"a Max; write separation=Max\(\.\.\.\)"):
        attrax.Memory(BASE, Max)


def test_masks_of_masks_are_refused():
    filled = np.ma.array(np.ones(6, bool), mask=np.arange(6) == 2)
    with pytest.raises(ValueError, match="`filled` has one masked entry"):
        attrax.Memory(BASE, filled=filled, separation=Max())


SETTING = "from attrax.learning import Hebb; from conformance.test_gate import *"
SWEEP = (
    "similarity=sim.Dot(), separation=Max(), corrupt=data.flip_bits, thresholds=np.ones(1), key=0"
)
KEYED = {
    "random_patterns": "data.random_patterns(3, 4, key=0)",
    "gaussian": "data.gaussian(SIGNS[0], 0.1, key=0)",
    "salt_and_pepper": "data.salt_and_pepper(SIGNS[0], 0.1, key=0)",
    "drop": "data.drop(SIGNS[0], 0.1, key=0)",
    "flip_bits": "data.flip_bits(SIGNS[0], 0.1, key=0)",
    "drop_mask": "data.drop_mask(0.1, 4, key=0)",
    "level_sweep": f"evaluate.level_sweep(SIGNS[None], (0.1,), {SWEEP})",
    "capacity_sweep": f"evaluate.capacity_sweep(SIGNS[None], (2,), level=0.1, {SWEEP})",
    "basin_sweep": "evaluate.basin_sweep(Hebb(), SIGNS[None], (1,), key=0)",
    "capacity_scan": (
        "evaluate.capacity_scan(Hebb(), 20, (2,), meaning='fixed_point', draws=1, key=0)"
    ),
    "ensemble": "evaluate.ensemble(Hebb(), lambda m, p, k: 0.0, 2, 4, draws=1, key=0)",
    "draw_softmax_reads": ("evaluate.draw_softmax_reads('gaussian', 1.0, 4, 1.0, draws=1, key=0)"),
    "draw_softmax_thresholds": (
        "evaluate.draw_softmax_thresholds('gaussian', 4, 1.0, draws=1, key=0)"
    ),
    "dense_classifier": (
        "models.dense_classifier(4, 2, memories=2, degree=2, temperature=1.0, key=0)"
    ),
    "bit_pattern_bags": "data.bit_pattern_bags(4, key=0)",
    "latch_sequences": "data.latch_sequences(4, key=0)",
    "graph_world": "data.graph_world(4, key=0)",
    "random_walk": "data.random_walk(data.graph_world(4, key=KEY), 4, key=0)",
    "RandomFeatures": "sim.RandomFeatures(4, 2, 1.0, key=0)",
    "SoftmaxFeatures": "sim.SoftmaxFeatures(4, 2, key=0)",
    "RectifiedFeatures": "sim.RectifiedFeatures(4, 2, key=0)",
    "random_directions": "sim.random_directions(4, 2, key=0)",
    "random_feature_memory": "models.random_feature_memory(SIGNS, 1.0, 2, key=0)",
    "random_simplices": "models.random_simplices(4, {1: 2}, key=0)",
    "scaffold_memory": "models.scaffold_memory(4, key=0)",
    "sparse_distributed_memory": "models.sparse_distributed_memory(4, 2, 1, key=0)",
}


@pytest.mark.plain(SETTING, list(KEYED.values()))
@pytest.mark.parametrize("name", KEYED)
def test_a_whole_number_for_a_key_is_told_how_to_make_one(name, answers):
    _, text = answers[KEYED[name]]
    assert "such as jax.random.key(0)" in text, text


def test_every_public_function_with_a_key_is_tried():
    named = {
        name
        for room in (data, evaluate, models)
        for name, thing in vars(room).items()
        if inspect.isfunction(thing) and "key" in inspect.signature(thing).parameters
    }
    # These take no key, or `None`, in most calls.
    assert named - {"layered", "train_dense_classifier", "blocks_and_rules"} <= set(KEYED)


def test_pictures_show_masked_entries_as_missing():
    path = np.ma.masked_equal([[1.0, 2.0, -999.0]], -999.0)
    axes = plot.energy(path, figure.Figure().subplots())
    np.testing.assert_array_equal(axes.lines[-1].get_ydata(), [1, 2, np.nan])


def test_nullable_columns_are_numbers():
    frame = pandas.DataFrame(BASE, columns=list("abcde"))
    for kind in ("Float64", "Int64", "Float32", "UInt8"):
        np.testing.assert_array_equal(memory(frame.astype(kind)).keys, BASE)
    mixed = frame.astype({"a": float, "b": "Int64", "c": object})
    mixed["d"] = frame["d"] > 90
    expected = BASE.astype(float)
    expected[:, 3] = BASE[:, 3] > 90
    np.testing.assert_array_equal(memory(mixed).keys, expected)
    holes = frame.astype("Int64")
    holes.loc[:, "e"] = pandas.NA
    found = attrax.retrieve(memory(BASE), np.asarray(holes), known=holes.notna()).state
    np.testing.assert_array_equal(found, BASE)
    with pytest.raises(ValueError, match="`queries` holds NaN"):
        attrax.retrieve(memory(BASE), np.asarray(holes))
    with pytest.raises(TypeError, match="select_dtypes"):
        memory(frame.assign(a="x"))
    mask = pandas.array([True, None], dtype="boolean")
    with pytest.raises(ValueError, match=r"`filled` has missing entries.*fillna"):
        attrax.Memory(BASE[:2], filled=mask)


def test_a_file_in_double_precision_is_not_rounded_in_silence(tmp_path):
    path = tmp_path / "memory.attrax"
    rows = np.random.default_rng(0).normal(size=(4, 3)) + 1e6
    with jax.enable_x64():
        attrax.save(path, memory(rows))
        np.testing.assert_array_equal(attrax.load(path).keys, rows)
    with pytest.warns(UserWarning, match=r"holds float64.*jax_enable_x64"):
        assert attrax.load(path).keys.dtype == jnp.float32


@pytest.mark.parametrize("count", [4, 4000])
def test_what_is_changed_after_the_call_changes_nothing(count):
    """Arrays of some sizes and alignments could share their memory with those of JAX."""
    rows = np.random.default_rng(0).normal(size=(count, 64)).astype(np.float32)
    memory = attrax.Memory(rows, similarity=sim.Euclidean(), separation=Max())
    kept = rows.copy()
    rows[:] = 0
    np.testing.assert_array_equal(memory.keys[:count], kept)


def test_half_precision_says_what_it_cannot_hold():
    half = attrax.Memory(BASE.astype(np.float16), similarity=sim.Euclidean(), separation=Max())
    far = np.full(5, 1e6, np.float32)
    for call in (half, half.best, half.write, lambda query: attrax.retrieve(half, query)):
        with pytest.raises(ValueError, match=r"too large for float16.*keep everything in float32"):
            call(far)
