"""Every similarity restores rows of its own kind by its defaults, or names what to take instead."""

import math
import re

import numpy as np
import pytest

import attrax
from attrax import data
from attrax import similarity as sim

COUNT = 64
DEFAULTS = {
    "`Memory(rows)`": (None, "grey levels"),
    "`Correlation()`": (sim.Correlation(), "grey levels"),
    "`Cosine()`": (sim.Cosine(), "grey levels"),
    "`non_negative(Cosine())`": (sim.non_negative(sim.Cosine()), "grey levels"),
    "`Euclidean()`": (sim.Euclidean(), "grey levels"),
    '`Euclidean("square")`': (sim.Euclidean("square"), "grey levels"),
    '`Euclidean("distance")`': (sim.Euclidean("distance"), "grey levels"),
    "`Manhattan()`": (sim.Manhattan(), "grey levels"),
    "`Minkowski(3)`": (sim.Minkowski(3.0), "grey levels"),
    "`Minkowski(inf)`": (sim.Minkowski(math.inf), "grey levels"),
    "`Hamming()`": (sim.Hamming(), "bright or dark"),
    "`Jaccard()`": (sim.Jaccard(), "bright or dark"),
    "`Dot()`": (sim.Dot(), "signs"),
    "`KullbackLeibler()`": (sim.KullbackLeibler(), "counts"),
    "`KullbackLeibler(True)`": (sim.KullbackLeibler(True), "counts"),
    "`JensenShannon()`": (sim.JensenShannon(), "counts"),
}
REFUSED = {
    "`Dot()`, grey levels": (sim.Dot(), "grey levels", "Euclidean"),
    '`Dot("sum")`': (sim.Dot("sum"), "counts", "Euclidean"),
    '`Euclidean("reciprocal")`': (sim.Euclidean("reciprocal"), "grey levels", "Max"),
    '`Manhattan("reciprocal")`': (sim.Manhattan("reciprocal"), "grey levels", "Max"),
    "`non_negative(Euclidean())`": (sim.non_negative(sim.Euclidean()), "grey levels", "Max"),
    '`KullbackLeibler(form="reciprocal")`': (
        sim.KullbackLeibler(form="reciprocal"),
        "counts",
        "Euclidean",
    ),
    '`JensenShannon("inverted")`': (sim.JensenShannon("inverted"), "counts", "Euclidean"),
}


@pytest.fixture(scope="module")
def kinds():
    """Rows of each kind, and how they are damaged."""
    rng = np.random.default_rng(0)
    grey = np.asarray(data.load("sample", limit=COUNT).x)
    bits = (grey > 0.5).astype(np.float32)
    flip = rng.random(grey.shape) < 0.1
    counts = np.round(255 * grey)
    thinned = rng.binomial(counts.astype(int), 0.5) * (rng.random(grey.shape) < 0.7)
    return {
        "grey levels": (grey, np.clip(grey + 0.2 * rng.normal(size=grey.shape), 0, 1)),
        "bright or dark": (bits, np.where(flip, 1 - bits, bits)),
        "signs": (2 * bits - 1, np.where(flip, 1 - 2 * bits, 2 * bits - 1)),
        "counts": (counts, thinned),
    }


@pytest.fixture(scope="module")
def table(root):
    """The cells of the page, by their first."""
    text = (root / "docs" / "choosing.md").read_text(encoding="utf-8")
    section = text.split("## Each similarity with its defaults")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    return {first: rest for first, *rest in rows}


def test_the_table_has_every_similarity(table):
    assert set(table) == {*DEFAULTS, *REFUSED}
    named = {type(part).__name__ for part, _ in DEFAULTS.values()} - {"NoneType"}
    leaves = {
        name
        for name, thing in vars(sim).items()
        if isinstance(thing, type)
        and issubclass(thing, sim.AbstractSimilarity)
        and not name.startswith("Abstract")
    }
    # These are what a function, a matrix, or sets of the reader's make of them.
    own = {"Kernel", "SimilarityFunction", "LinearKernel", "CumulativeEuclidean"}
    assert leaves - named == own


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_restore_as_the_table_says(name, kinds, table):
    part, kind = DEFAULTS[name]
    rows, damaged = kinds[kind]
    state = np.asarray(attrax.retrieve(attrax.Memory(rows, similarity=part), damaged).state)
    error = np.linalg.norm(state - rows, axis=1) / np.linalg.norm(rows, axis=1)
    assert table[name] == [kind, f"{100 * np.mean(error < 0.05):.0f} %"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_default_restores_is_refused_with_a_remedy(name, kinds, table):
    part, kind, remedy = REFUSED[name]
    with pytest.raises(ValueError, match=remedy):
        attrax.Memory(kinds[kind][0], similarity=part)
    assert table[name] == [kind, f"refused; take `{remedy}()`"]
