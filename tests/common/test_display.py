"""How objects print, and how retrievals are looked at."""

import equinox as eqx
import jax
import numpy as np
import pytest

import attrax
from attrax import Outcome, evaluate, plot, separation

ROWS = np.random.default_rng(5).random((30, 12))


@pytest.fixture(scope="module")
def memory():
    return attrax.Memory(ROWS, separation=separation.Softmax(13.9))


@pytest.fixture(scope="module")
def found(memory):
    return attrax.retrieve(memory, ROWS)


def test_a_memory_prints_its_sizes_and_numbers(memory):
    text = repr(memory)
    assert "Softmax(beta=13.9)" in text
    assert "Correlation(encoded=True)" in text
    assert "30" in text
    assert "12" in text
    assert len(text.splitlines()) < 9
    assert "Softmax(beta=13.9)" in memory._repr_html_()
    assert "30 of 60 places" in repr(memory.write(ROWS[0] + 1).forget(3))
    matrix = attrax.models.hopfield_network(np.sign(ROWS - 0.5))
    assert "'signs'" in repr(matrix)
    assert "float32 (12, 12)" in matrix._repr_html_()


def test_shapes_and_tracers_print(memory, found):
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), memory)
    assert "Softmax(beta=float32 ())" in repr(shapes)
    texts = []

    @jax.jit
    def look(memory, found):
        texts.extend([repr(memory), repr(found), repr(found.outcome)])
        return found.steps

    look(memory, found)
    assert "Softmax(beta=float32 ())" in texts[0]
    assert "float32 (30, 12)" in texts[1]
    assert "int32 (30,)" in texts[2]
    assert "NoneType" not in repr(jax.tree.map(lambda leaf: None, found.outcome)).lower()


def test_a_thousand_outcomes_print_as_counts():
    codes = np.repeat([0, 2], [995, 5]).astype(np.int32)
    outcome = Outcome(codes)
    assert repr(outcome) == "Outcome of shape (1000,): 995 converged, 5 mixture"
    assert outcome.counts() == {"converged": 995, "mixture": 5}
    assert repr(outcome[999]).startswith("Outcome.mixture: Converged to a metastable mixture")


def test_outcomes_are_indexed_and_compared(found):
    assert bool(found.outcome[0] == Outcome.converged)
    assert bool((found.outcome[3:5] == Outcome.converged).all())
    assert [each.name for each in found.outcome] == ["converged"] * 30
    assert Outcome[found.outcome[2]] == "Converged: the state no longer moves."
    for index in (30, -31):
        with pytest.raises(IndexError, match="30"):
            found.outcome[index]
        with pytest.raises(IndexError, match="30"):
            found[index]
    with pytest.raises(IndexError, match="one query"):
        found.outcome[0][0]
    with pytest.raises(ValueError, match=r"outcome\[0\]"):
        Outcome[found.outcome]
    with pytest.raises(ValueError, match="compared"):
        found.outcome == 0  # noqa: B015


def test_a_retrieval_is_indexed(found):
    one = found[7]
    np.testing.assert_array_equal(one.state, found.state[7])
    assert one.steps.shape == ()
    assert one.outcome.name == "converged"
    assert len(list(found[:4])) == 4
    text = repr(found)
    assert "30 converged" in text
    assert "float32 (30, 12)" in text
    assert len(text.splitlines()) < 9
    assert "30 converged" in found._repr_html_()


def test_unwanted_ends_are_raised(memory, found):
    assert found.raise_unless() is found
    assert found.raise_unless(Outcome.mixture, Outcome.converged) is found
    codes = np.zeros(30, np.int32)
    codes[[4, 11]] = 4
    mixed = eqx.tree_at(lambda each: each.outcome._value, found, codes)
    with pytest.raises(RuntimeError, match=r"2 of 30 .* converged, at 4, 11\. 2: The limit of st"):
        mixed.raise_unless(Outcome.converged)
    with pytest.raises(RuntimeError, match=r"1 of 1 .* cycle"):
        found[0].raise_unless(Outcome.cycle)
    with pytest.raises(ValueError, match="outside jit"):
        jax.jit(lambda each: each.raise_unless().steps)(found)


def test_hashing_a_memory_says_how_to_compile_it(memory):
    with pytest.raises(TypeError, match=r"equinox\.filter_jit\(memory\)"):
        jax.jit(memory)(ROWS[0])
    np.testing.assert_array_equal(eqx.filter_jit(memory)(ROWS[0]), memory(ROWS[0]))


def test_a_mixture_is_not_always_a_fault():
    text = Outcome[Outcome.mixture]
    assert "imputation" in text
    assert "equal" in text


def test_curves_take_bands():
    low, high = np.array([0.1, 0.3]), np.array([0.3, 0.9])
    band = evaluate.Band(np.array([0.2, 0.5]), low, high)
    ax = plot._pyplot().figure().gca()
    for given in ((band,), (band.value, band)):
        plot.curves([1, 2], *given, ax=ax)
        drawn = ax.collections[-1].get_paths()[0].vertices
        assert drawn[:, 1].min() == 0.1
        assert drawn[:, 1].max() == 0.9
        np.testing.assert_array_equal(ax.lines[-1].get_ydata(), [0.2, 0.5])


def test_a_sheet_names_what_does_not_fit():
    rows = np.zeros((3, 4))
    with pytest.raises(ValueError, match="`retrieved` must have the shape of `stored`"):
        plot.recall_sheet(rows, rows, rows[:2], (2, 2))
