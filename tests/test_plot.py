"""The drawing functions: what they take, and that they return Axes."""

import sys

import numpy as np
import pytest

from attrax import plot

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

ROWS = np.random.default_rng(0).random((6, 12))


@pytest.fixture
def ax():
    return Figure().subplots()


def test_images_fill_a_grid(ax):
    assert plot.images(ROWS, (3, 4), ax, columns=4, labels=("a", "b")) is ax
    sheet = np.asarray(ax.images[0].get_array())
    # Two lines of four places with gaps of one; the last two places are white.
    assert sheet.shape == (7, 19, 3)
    np.testing.assert_allclose(sheet[:3, :4, 0], ROWS[0].reshape(3, 4))
    np.testing.assert_allclose(sheet[4:, 5:9, 1], ROWS[5].reshape(3, 4))
    assert np.all(sheet[4:, 10:] == 1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]


def test_images_may_have_colours_and_any_limits(ax):
    plot.images(ROWS * 8 - 4, (3, 2, 2), ax, limits=None)
    sheet = np.asarray(ax.images[0].get_array())
    expected = (ROWS - ROWS.min()) / (ROWS.max() - ROWS.min())
    np.testing.assert_allclose(sheet[:2, :2], expected[0].reshape(3, 2, 2).transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("rows", "shape", "text"),
    [
        (ROWS, (3, 5), "it must be \\(n, d\\) or \\(lines, n, d\\) with d = 15"),
        (ROWS[0], (3, 4), "it must be \\(n, d\\)"),
        (ROWS, (2, 3, 2), "C = 1 or 3"),
        (ROWS, (12,), "it must be \\(H, W\\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(rows, shape, text, ax):
    with pytest.raises(ValueError, match=text):
        plot.images(rows, shape, ax)


def test_energies_by_part_have_their_sum_beside_them(ax):
    parts = {"visible": np.array([3.0, 2.0]), "hidden": np.array([1.0, -1.0])}
    assert plot.energy_parts(parts, [0.1, 0.2], ax) is ax
    assert [line.get_label() for line in ax.lines] == ["visible", "hidden", "sum"]
    assert ax.lines[2].get_ydata().tolist() == [4.0, 1.0]
    assert ax.lines[2].get_xdata().tolist() == [0.1, 0.2]
    plot.energy_parts(parts, ax=ax)
    assert ax.lines[-1].get_xdata().tolist() == [0, 1]


def test_curves_have_a_band(ax):
    assert plot.curves([1, 2], [0.2, 0.4], [0.1, 0.1], "name", ax) is ax
    assert ax.lines[0].get_ydata().tolist() == [0.2, 0.4]
    assert ax.lines[0].get_label() == "name"
    assert len(ax.collections) == 1
    plot.curves([1, 2], [0.2, 0.4], ax=ax)
    assert len(ax.collections) == 1


def test_energy_draws_a_line_a_query(ax):
    assert plot.energy([[3, 2, 1], [2, 2, np.nan]], ax) is ax
    assert len(ax.lines) == 2
    assert ax.get_ylabel() == "energy"


def test_energy_is_drawn_on_axes_whose_ticks_are_fixed(ax):
    ax.set_xticks([])
    plot.energy(np.arange(20.0), ax)
    ticks = ax.get_xticks()
    assert len(ticks) > 2
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_the_sheet_of_recall(ax):
    other = Figure().subplots()
    found = plot.recall_sheet(ROWS, ROWS, ROWS, (3, 4), ROWS[:, :3], [ax, other])
    assert found == [ax, other]
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["stored", "damaged", "retrieved"]
    assert len(other.lines) == 6
    made = plot.recall_sheet(ROWS, ROWS, ROWS, (3, 4))
    assert len(made) == 1
    with pytest.raises(ValueError, match="`axes` must hold 1 Axes"):
        plot.recall_sheet(ROWS, ROWS, ROWS, (3, 4), axes=[ax, other])


def test_a_missing_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "attrax\[plot\]"'):
        plot.require()
    with pytest.raises(ModuleNotFoundError, match=r'pip install "attrax\[plot\]"'):
        plot.images(ROWS, (3, 4))
