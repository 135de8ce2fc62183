"""The framework: what breaks which claim, measurements of what is broken, and the official rates.

`universal_hopfield_official.csv` holds what the official code gives on Fashion-MNIST in file order,
five runs a setting. Where nothing is random its rates must come out exactly.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from attrax import Memory, data
from attrax.papers.contract import Run
from attrax.papers.universal_hopfield import measure as m

SMALL = {"runs": 2, "memories": (10, 60), "classical.memories": (2, 10)}


def curves(**rates):
    """Rates that are the same at all points and in all runs."""
    named = {name.replace("_", " "): np.full((3, 2), rate) for name, rate in rates.items()}
    return m.Curves((10, 300), named, np.zeros(2))


REVERSED = curves(
    Euclidean=0.1,
    Manhattan=0.9,
    dot=0.1,
    plain_dot=0.1,
    KL=0.9,
    reverse_KL=0.9,
    true_Jensen_Shannon=0.1,
)
REVERSED.rates["true Jensen-Shannon"] = REVERSED.rates.pop("true Jensen Shannon")
REVERSED.rates["Jensen-Shannon"] = np.full((3, 2), 0.9)
HIDDEN = curves(Euclidean=0.1, Manhattan=0.1, dot=0.9, KL=0.9, reverse_KL=0.9)
BLUNT = curves(identity=0.9, max=0.9, softmax=0.1)
BLUNT.rates.update({"10th power": np.full((3, 2), 0.1), "softmax, β ∝ N": np.full((3, 2), 0.1)})
BROKEN = {
    "another model": ({m.instances: {"one": 1e-9}}, {"classical_models_are_instances"}),
    "a rise": ({m.rise: 1e-9}, {"energy_never_rises"}),
    "distances that hold less": (
        {m.capacity: curves(Euclidean=0.1, Manhattan=0.1, dot=0.9)},
        {"distances_hold_more_images", "distances_hold_as_many_digits"},
    ),
    "noise that spares others": (
        {m.noise: REVERSED},
        {
            "dot_withstands_noise",
            "dot_withstands_noise_on_digits",
            "kl_is_far_worse_under_noise",
            "jensen_shannon_as_coded_is_far_worse",
            "jensen_shannon_is_not_far_worse",
        },
    ),
    "masks that spare others": (
        {m.hidden: HIDDEN},
        {
            "manhattan_withstands[rows]",
            "manhattan_withstands[pixels]",
            "manhattan_withstands[border]",
            "kl_is_far_worse_under_masks",
            "manhattan_withstands_masks_on_digits",
        },
    ),
    "separations that blur": (
        {m.separations: (BLUNT, BLUNT)},
        {
            "sharp_separations_hold_more_images",
            "sharp_separations_hold_more_digits",
            "softmax_is_as_sharp_as_max",
        },
    ),
    "halves that come back more often": (
        {m.association: (curves(all=0.5, half=0.9), curves(all=0.5, half=0.9))},
        {"halves_come_back_as_often"},
    ),
    "a classical network that holds digits": (
        {m.classical: curves(classical=0.9)},
        {"the_classical_network_holds_few_digits"},
    ),
}


def test_models_of_other_rows_are_no_instances(monkeypatch):
    assert max(m.instances(Run()).values()) < 1e-12
    monkeypatch.setattr(m, "Memory", lambda rows, **parts: Memory(1.001 * rows, **parts))
    assert min(m.instances(Run()).values()) > 1e-4


def test_steps_that_are_too_long_raise_the_energy():
    assert m.rise(Run(), "dot") <= 1e-12 < m.rise(Run(), "dot", 1.1)
    # What leaves the range of floats is NaN, and counts as a rise.
    assert not m.rise(Run(), "dot", 3.0) <= 1e-12


def test_noise_is_as_strong_as_said(monkeypatch):
    monkeypatch.setattr(m, "SIMILARITIES", {name: m.SIMILARITIES[name] for name in m.THREE})
    noise = m.noise(Run(sizes=SMALL), "images")
    for name in m.THREE:
        rates = noise.rates[name].mean(0)
        assert rates[0] - rates[-1] > 0.3, name
    assert noise.mean("dot") == pytest.approx(noise.rates["dot"].mean(1))


def test_the_background_decides_which_similarity_holds_more():
    run = Run(sizes=SMALL)
    black, white = m.capacity(run, "images", False), m.capacity(run, "images", True)
    assert (black.mean("Manhattan") < black.mean("dot")).all()
    assert (white.mean("Manhattan") > white.mean("dot")).all()


def test_what_is_hidden_is_hidden_and_can_be_left_out():
    run = Run(sizes=SMALL)
    for kind in ("pixels", "border"):
        rates = m.hidden(run, "images", kind).rates["dot"].mean(0)
        assert rates[0] > rates[-1] + 0.2, kind
    black, unknown = m.hidden(run, "images", "rows"), m.hidden(run, "images", "rows", None)
    assert (unknown.rates["Manhattan"][:, 0] == 1).all()
    assert (unknown.mean("Manhattan") > black.mean("Manhattan") + 0.1).all()


def test_a_separation_is_what_is_varied(monkeypatch):
    loose, strict = m.separations(Run(sizes=SMALL), "images")
    assert (strict.mean("max") > strict.mean("identity") + 0.1).all()
    assert (loose.mean("identity") >= strict.mean("identity")).all()
    monkeypatch.setitem(m.SEPARATIONS, "max", m.SEPARATIONS["identity"])
    strict = m.separations(Run(sizes=SMALL), "images")[1]
    np.testing.assert_array_equal(strict.mean("max"), strict.mean("identity"))


def test_halves_have_a_smaller_error():
    official, exact = m.association(Run(sizes=SMALL), "images")
    assert (official.mean("half") > official.mean("all")).all()
    assert (official.mean("all") > exact.mean("all")).all()
    assert exact.mean("all").all()
    np.testing.assert_array_equal(exact.mean("half"), exact.mean("all"))


def test_folded_noise_leaves_one_query_to_the_classical_network():
    run = Run(sizes=SMALL)
    plain, folded = m.classical(run, "images", False), m.classical(run, "images", True)
    assert plain.rates["classical"][:, 0].mean() > folded.rates["classical"][:, 0].mean()


def test_digits_are_those_of_mnist():
    with pytest.raises(Exception, match="needs MNIST"):
        m.images(Run(data="digits"), "MNIST")


def test_masked_rows_give_the_official_rates():
    if data.available()["fashion-mnist"] is None:
        pytest.skip("the full Fashion-MNIST is not here: apt install dataset-fashion-mnist")
    run = Run("full", sizes={"runs": 5})
    measured = m.hidden(run, "images", "rows")
    official = {}
    path = Path(__file__).with_name("universal_hopfield_official.csv")
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["experiment"] == "masking":
                place = row["similarity"], float(row["level"]), int(row["run"])
                official[place] = float(row["fraction"])
    assert len(official) > 50
    names = {name.lower().replace("-", "_").replace(" ", "_"): name for name in m.SIMILARITIES}
    compared = 0
    for (similarity, level, number), fraction in official.items():
        name = names[similarity]
        place = int(np.flatnonzero(np.isclose(measured.x, level))[0])
        assert measured.rates[name][number, place] == pytest.approx(fraction, abs=1e-6)
        compared += 1
    assert compared == len(official)
