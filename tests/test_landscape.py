"""Pictures of energies over the plane: what is drawn is what the memory says."""

import re
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import attrax
from attrax import dynamics, models, plot
from attrax import separation as sep
from attrax import similarity as sim
from attrax.spaces import AbstractSpace, Answer, Reading
from attrax.stores import AbstractStore

pytest.importorskip("matplotlib")
import matplotlib
from matplotlib.figure import Figure

PAIR = np.array([[-1.0, 0.0], [1.0, 0.0]])
ROWS = np.array(
    [[-0.95, 0.3], [-0.6, 0.75], [0.2, 0.95], [0.9, 0.15], [0.55, -0.75], [-0.35, -0.3]]
)


def of_rows(separation, similarity=None, rows=ROWS, **options):
    similarity = sim.Euclidean() if similarity is None else similarity
    return attrax.Memory(rows, similarity=similarity, separation=separation, **options)


def draw(memory, **options):
    return plot.landscape(memory, Figure().subplots(), **options)


def places(ax, label):
    """Where the marks of a label are, in the order of their first entries."""
    marks = [np.asarray(each.get_offsets()) for each in ax.collections if each.get_label() == label]
    found = np.concatenate([*marks, np.zeros((0, 2))])
    return found[np.argsort(found[:, 0])]


class Bowl(AbstractStore):
    """½|v|² where |v| < radius and a value elsewhere, or 7 everywhere; reads halve a state."""

    radius: Float[Array, ""]
    beyond: Float[Array, ""]
    flat: bool = False
    width: ClassVar = 2
    dtype: ClassVar = jnp.dtype("float32")
    units: ClassVar = "real"
    recurrent: ClassVar = True
    traces: ClassVar[list] = []

    def space(self, query, known=None):
        return BowlSpace(self, query)


class BowlSpace(AbstractSpace):
    memory: Bowl
    initial: Float[Array, " d"]
    lacks_energy: ClassVar = None

    def read(self, state):
        return Reading(state, 0.5 * state)

    def energy(self, state):
        Bowl.traces.append(1)
        inside = jnp.sum(state**2) < self.memory.radius**2
        height = jnp.where(inside, 0.5 * jnp.sum(state**2), self.memory.beyond)
        return jnp.full_like(height, 7.0) if self.memory.flat else height

    def answer(self, state, reading=None):
        return Answer(state, self.energy(state), None)

    def record(self, path):
        return path


def bowl(radius=1.0, beyond=np.inf, flat=False):
    return Bowl(jnp.float32(radius), jnp.float32(beyond), flat)


@pytest.mark.parametrize("beta", [0.5, 2.0, 20.0])
def test_two_rows_have_the_attractors_of_mean_field_theory(beta):
    # On the line between rows ±1 a read is x → tanh(βx), which has a pair of fixed points
    # for β > 1, and rests at the mean alone otherwise.
    x = 1.0
    for _ in range(1000):
        x = np.tanh(beta * x)
    ax = draw(of_rows(sep.Softmax(beta), rows=PAIR))
    if beta < 1:
        np.testing.assert_allclose(places(ax, "mixture"), [[0, 0]], atol=2e-3)
        assert not len(places(ax, "attractor"))
    else:
        np.testing.assert_allclose(places(ax, "attractor"), [[-x, 0], [x, 0]], atol=2e-3)
        assert not len(places(ax, "mixture"))
    np.testing.assert_allclose(places(ax, "stored"), PAIR)


def test_a_threshold_has_the_attractors_that_geometry_says():
    radius = 0.469
    ax = draw(of_rows(sep.Threshold(-0.5 * radius**2), projection="centroid"))
    distance = np.linalg.norm(ROWS[:, None] - ROWS, axis=-1)
    near = [(i, j) for i in range(6) for j in range(i) if distance[i, j] < 2 * radius]
    assert len(near) == 3
    # Each row is alone within its radius; so are the two of each pair around their middle.
    middles = np.array([ROWS[[i, j]].mean(axis=0) for i, j in near])
    expected = np.concatenate([ROWS, middles])
    expected = expected[np.argsort(expected[:, 0])]
    np.testing.assert_allclose(places(ax, "attractor"), expected, atol=1e-5)


def test_a_saddle_is_no_attractor_although_a_start_lies_on_it():
    memory = of_rows(sep.Softmax(20.0), rows=PAIR)
    saddle = np.zeros((1, 2))
    assert np.abs(np.asarray(attrax.retrieve(memory, saddle).state)).max() < 1e-6
    ax = draw(memory, patterns=saddle, window=((-2, 2), (-1, 1)))
    np.testing.assert_allclose(places(ax, "attractor"), PAIR, atol=1e-3)
    assert not len(places(ax, "mixture"))


def test_contours_lie_where_the_memory_has_their_energy():
    memory = of_rows(sep.Softmax(8.0))
    ax = draw(memory, window=((-1.5, 1.0), (-1.0, 2.0)))
    filled, lines = ax.collections[:2]
    x, y = np.meshgrid(np.linspace(-1.5, 1.0, 101), np.linspace(-1.0, 2.0, 101))
    grid = jnp.asarray(np.stack([x, y], axis=-1).reshape(-1, 2), "float32")
    energy = jax.jit(jax.vmap(lambda q: memory.state_energy(q)))
    heights = np.asarray(energy(grid))
    np.testing.assert_allclose([filled.zmin, filled.zmax], [heights.min(), heights.max()], 1e-5)
    assert ax.get_xlim() == (-1.5, 1.0)
    assert ax.get_ylim() == (-1.0, 2.0)
    looked = 0
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        some = np.resize(path.vertices, (1000, 2)) if len(path.vertices) else np.zeros((0, 2))
        if len(some):
            found = np.asarray(energy(jnp.asarray(some, "float32")))
            np.testing.assert_allclose(found, level, atol=2e-3)
            looked += 1
    assert looked > 5
    assert abs(float(memory.energy(grid[0])) - heights[0]) < 1e-6


def test_paths_are_those_of_retrieve():
    memory = of_rows(sep.Softmax(8.0))
    begun = np.array([[0.5, 0.5], [-1.0, -1.0], [1.0, 1.0]])
    ax = draw(memory, trajectories=begun)
    paths = np.asarray(attrax.retrieve(memory, begun, path=True).path)
    assert len(ax.lines) == 4
    for line, path in zip(ax.lines, paths, strict=False):
        np.testing.assert_allclose(np.stack(line.get_data(), axis=1), path)
    np.testing.assert_allclose(
        np.stack([line.get_data()[0] for line in ax.lines[3:]])[0], begun[:, 0]
    )
    assert not draw(memory, trajectories=0).lines


def test_values_are_no_states():
    tied = of_rows(sep.Softmax(8.0))
    labelled = of_rows(sep.Softmax(8.0), rows=ROWS, values=np.eye(6))
    one, other = draw(tied), draw(labelled)
    for label in ("stored", "attractor", "mixture"):
        np.testing.assert_allclose(places(one, label), places(other, label), atol=1e-6)
    assert len(places(one, "attractor")) == 4
    assert len(places(one, "mixture")) == 1


def test_rows_that_are_standardised_are_drawn_as_they_were_given():
    rows = np.array([[0.0, 1.0], [1.0, 0.2]])
    ax = draw(attrax.Memory(rows, separation=sep.Softmax(10.0)))
    np.testing.assert_allclose(places(ax, "stored"), rows)
    np.testing.assert_allclose(places(ax, "attractor"), rows, atol=1e-3)


def test_rows_that_are_not_filled_are_not_drawn():
    memory = of_rows(sep.Softmax(8.0), rows=PAIR, capacity=4).forget(0)
    ax = draw(memory)
    np.testing.assert_allclose(places(ax, "stored"), PAIR[1:])
    np.testing.assert_allclose(places(ax, "attractor"), PAIR[1:], atol=1e-5)


def test_a_network_on_a_sphere_is_drawn_over_its_states():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [-0.6, -0.8]])
    memory = models.spherical_memory(rows, sep.Power(6, rectified=True))
    ax = draw(memory, patterns=rows)
    assert ax.get_xlim() == pytest.approx((-1.05, 1.45))
    stars = places(ax, "attractor")
    np.testing.assert_allclose(np.linalg.norm(stars, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(stars, rows[[2, 1, 0]], atol=0.02)


def test_a_network_of_graded_units_is_drawn_over_its_activations():
    # Two units that hold each other, E(g) = −½ g₁g₂ + Σ ∫ tanh⁻¹(g)/gain, as in figure 3 of 1984.
    network = models.graded_network(models.hopfield_network(np.ones((1, 2))), 4.0)
    ax = draw(network, window=((-1, 1), (-1, 1)), dynamics=dynamics.Flow(), patterns=[[1, 1]])
    edge = float(np.tanh(4.0))
    assert ax.get_xlim() == pytest.approx((-edge, edge))
    x = 1.0
    for _ in range(1000):
        x = np.tanh(4.0 * 0.5 * x)
    np.testing.assert_allclose(places(ax, "attractor"), [[-x, -x], [x, x]], atol=5e-3)
    looked = 0
    for level, path in zip(ax.collections[1].levels, ax.collections[1].get_paths(), strict=True):
        g = path.vertices
        own = np.sum(g * np.arctanh(g) + 0.5 * np.log1p(-(g**2)), axis=1) / 4.0
        np.testing.assert_allclose(own - 0.5 * g[:, 0] * g[:, 1], level, atol=2e-3)
        looked += len(g)
    assert looked > 500


@pytest.mark.parametrize("beyond", [np.inf, -np.inf, np.nan])
def test_energies_that_are_not_finite_are_left_grey(beyond):
    ax = draw(bowl(beyond=beyond), window=((-2, 2), (-2, 2)))
    assert ax.get_facecolor() == matplotlib.colors.to_rgba("0.8")
    filled = ax.collections[0]
    assert (filled.zmin, filled.zmax) == (0, pytest.approx(0.5, abs=0.03))
    reach = max(np.abs(path.vertices).max() for path in filled.get_paths() if len(path.vertices))
    assert reach <= 1
    np.testing.assert_allclose(places(ax, "attractor"), [[0, 0]], atol=1e-4)
    assert not len(places(ax, "stored"))


def test_a_plateau_is_drawn():
    ax = draw(bowl(flat=True), window=((-2, 2), (-2, 2)))
    assert (ax.collections[0].zmin, ax.collections[0].zmax) == (7, 7)
    assert ax.get_facecolor() != matplotlib.colors.to_rgba("0.8")
    np.testing.assert_allclose(places(ax, "attractor"), [[0, 0]], atol=1e-4)


def test_all_energies_are_taken_by_one_program():
    draw(bowl(3.0), window=((-1, 1), (-1, 1)))
    before = len(Bowl.traces)
    draw(bowl(2.0), window=((-2, 2), (-1, 2)))
    assert len(Bowl.traces) == before


def test_few_starts_find_fewer_attractors_and_a_tolerance_joins_them():
    memory = of_rows(sep.Softmax(20.0), rows=PAIR)
    options = {"window": ((-2, 2), (-1, 1)), "patterns": [[5, 5]]}
    assert len(places(draw(memory, starts=1, **options), "attractor")) == 1
    assert len(places(draw(memory, starts=8, **options), "attractor")) == 2
    assert len(places(draw(memory, starts=8, tolerance=2.5, **options), "attractor")) == 1


def test_one_read_has_no_attractors():
    ax = draw(of_rows(sep.Softmax(8.0)), dynamics=dynamics.OneRead())
    assert not len(places(ax, "attractor"))
    assert not len(places(ax, "mixture"))


def test_global_styles_change_no_colours():
    style = {
        "image.cmap": "magma",
        "contour.negative_linestyle": "dashed",
        "contour.linewidth": 7,
        "lines.linestyle": ":",
        "lines.marker": "x",
        "scatter.marker": "^",
        "scatter.edgecolors": "red",
    }
    memory = of_rows(sep.Softmax(8.0))
    with matplotlib.rc_context(style):
        ax = draw(memory)
    plain = draw(memory)
    assert ax.collections[0].get_cmap().name == "viridis"
    for one, other in zip(ax.collections, plain.collections, strict=True):
        np.testing.assert_array_equal(one.get_linewidths(), other.get_linewidths())
        np.testing.assert_array_equal(one.get_edgecolors(), other.get_edgecolors())
        assert one.get_linestyles() == other.get_linestyles()
    for one, other in zip(ax.lines, plain.lines, strict=True):
        assert (one.get_marker(), one.get_linestyle()) == (
            other.get_marker(),
            other.get_linestyle(),
        )


def test_energies_between_colours_can_be_chosen():
    ax = draw(of_rows(sep.Softmax(8.0)), levels=[0, 0.25, 1])
    np.testing.assert_allclose(ax.collections[0].levels, [0, 0.25, 1])


def wrong(memory=None, **options):
    memory = of_rows(sep.Softmax(8.0)) if memory is None else memory
    return plot.landscape(memory, **{"ax": Figure().subplots()} | options)


def by(similarity, **options):
    return of_rows(sep.Softmax(8.0), similarity, **options)


SIGNS = np.array([[1, -1]])
WRONG = {
    "text": (lambda: wrong("rows"), TypeError, "`memory` must be a memory.*is str; make one with"),
    "a class": (lambda: wrong(attrax.Memory), TypeError, "it is the class Memory"),
    "rows": (lambda: wrong(ROWS), TypeError, "it is ndarray; make one with attrax.Memory"),
    "three numbers": (
        lambda: wrong(of_rows(sep.Softmax(8.0), rows=np.eye(3))),
        ValueError,
        "states of 3 numbers, and a landscape is drawn over two: store two columns",
    ),
    "signs": (
        lambda: wrong(models.dense_memory(SIGNS)),
        ValueError,
        "two-state units.*corners with no plane.*graded_network",
    ),
    "a matrix": (lambda: wrong(models.hopfield_network(SIGNS)), ValueError, "two-state units"),
    "no centroid yet": (
        lambda: wrong(by(sim.Manhattan())),
        attrax.NoEnergyError,
        'no energy: Under Manhattan.*pass projection="centroid"',
    ),
    "no centroid": (
        lambda: wrong(by(sim.Minkowski(3.0))),
        attrax.NoEnergyError,
        "No centroid of Minkowski.*Euclidean",
    ),
    "no potential": (
        lambda: wrong(of_rows(sep.SumNormalised(sep.Power(2, rectified=True)), sim.Dot())),
        attrax.NoEnergyError,
        "no gradient of a convex function.*Softmax is what to use",
    ),
    "ax, text": (lambda: wrong(ax="axes"), TypeError, "`ax` must be Axes of matplotlib.*it is str"),
    "ax, figure": (lambda: wrong(ax=Figure()), TypeError, "`ax` must be Axes.*it is Figure"),
    "ax, several": (lambda: wrong(ax=Figure().subplots(2)), TypeError, "it is ndarray"),
    "window, one": (
        lambda: wrong(window=(-1, 1)),
        ValueError,
        r"be \(\(left, right\), \(bottom, top",
    ),
    "window, falls": (lambda: wrong(window=((1, -1), (-1, 1))), ValueError, "finite and rising"),
    "window, NaN": (lambda: wrong(window=((0, np.nan), (-1, 1))), ValueError, "finite and rising"),
    "window, text": (lambda: wrong(window="all"), TypeError, "`window` must hold numbers"),
    "window, far": (
        lambda: wrong(bowl(), window=((5, 6), (5, 6))),
        ValueError,
        "finite nowhere in the window .*pass another as `window`",
    ),
    "window, negative": (
        lambda: wrong(
            by(sim.KullbackLeibler(), rows=np.abs(ROWS), projection="centroid"),
            window=((-1, 1), (0.1, 1)),
        ),
        ValueError,
        "`window` holds -1, and KullbackLeibler compares what is never negative",
    ),
    "window, none": (
        lambda: wrong(of_rows(sep.Softmax(8.0)).as_network()),
        ValueError,
        "no rows to fit a window to: pass window=",
    ),
    "points, one": (lambda: wrong(points=1), ValueError, "`points` must be a whole number of at"),
    "points, part": (lambda: wrong(points=9.5), ValueError, "`points` must be a whole number of"),
    "starts": (lambda: wrong(starts=0), ValueError, "`starts` must be a positive whole number"),
    "trajectories": (lambda: wrong(trajectories=-1), ValueError, "`trajectories` must be a whole"),
    "trajectories, wide": (
        lambda: wrong(trajectories=[[1, 2, 3]]),
        ValueError,
        r"`trajectories` must be states of two finite numbers, shape \(n, 2\)",
    ),
    "patterns": (lambda: wrong(patterns=[1, 2]), ValueError, r"but its shape is \(2,\)"),
    "patterns, far": (lambda: wrong(patterns=[[1, np.inf]]), ValueError, "some are not finite"),
    "tolerance": (lambda: wrong(tolerance=0.0), ValueError, "`tolerance` is a distance > 0"),
    "levels": (lambda: wrong(levels=0), ValueError, "`levels` must be a positive whole number"),
    "levels, level": (lambda: wrong(levels=[1, 1]), ValueError, "two and more energies that rise"),
    "dynamics": (lambda: wrong(dynamics="flow"), TypeError, "must be one of attrax.dynamics"),
    "dynamics, random": (
        lambda: wrong(dynamics=dynamics.Langevin(1.0, step=0.1, steps=3)),
        ValueError,
        "Langevin, which draws random numbers and never comes to rest",
    ),
}


def call(name):
    return f"WRONG[{name!r}][0]()"


@pytest.mark.plain("from test_landscape import WRONG", [call(name) for name in WRONG])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_ends_in_a_clear_error(name, answers):
    _, kind, pattern = WRONG[name]
    classes, text = answers[call(name)]
    assert kind.__name__ in classes, text
    assert re.search(pattern, text), text


def test_nothing_is_drawn_where_the_call_was_wrong():
    ax = Figure().subplots()
    with pytest.raises(attrax.NoEnergyError):
        plot.landscape(of_rows(sep.Softmax(8.0), sim.Manhattan()), ax)
    assert not ax.collections
    assert not ax.lines


def test_a_window_stays_where_rows_can_be_compared():
    rows = np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]])
    memory = of_rows(sep.Softmax(9.0), sim.KullbackLeibler(), rows=rows, projection="centroid")
    ax = draw(memory)
    assert (*ax.get_xlim(), *ax.get_ylim()) == pytest.approx((0.1, 0.8, 0.2, 0.9))


def test_states_that_leave_the_range_of_floats_mark_no_attractor():
    # Weights s² that do not sum to one: |v| grows for ever beyond a length, and shrinks below it.
    memory = of_rows(sep.Power(2, rectified=True), sim.Dot(), rows=np.eye(2))
    ax = draw(memory, window=((-2, 3), (-2, 3)))
    np.testing.assert_allclose(places(ax, "attractor"), [[0, 0]], atol=1e-3)
