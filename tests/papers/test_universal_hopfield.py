"""The official implementation's numbers, on Fashion-MNIST in file order, and the claims.

`universal_hopfield_official.csv` holds what the official code gives, five runs a setting. Where
nothing is random every one of them must come out. Under noise the mean of five runs must agree
within sampling error: |difference| ≤ z √(2 p (1 − p) / n) + 1/n, with p the pooled share of the
n = 5 N queries of either side. The binomial variance bounds the true one, since images differ in
how easily they are found; z is such that one of all settings compared would err by chance in one
suite in a thousand.
"""

import collections
import csv
from pathlib import Path
from statistics import NormalDist

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import data
from attrax.papers import universal_experiments as ux
from attrax.papers import universal_hopfield, universal_measures

SHAPE = (28, 28)
KEY = jax.random.key(0)
FULL = ux.PROFILES["full"]


def official():
    rows = collections.defaultdict(dict)
    path = Path(__file__).with_name("universal_hopfield_official.csv")
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            setting = (
                row["experiment"],
                row["similarity"],
                row["separation"],
                float(row["level"]),
                int(row["n"]),
                float(row["threshold"]),
            )
            rows[setting][int(row["run"])] = float(row["fraction"])
    return {setting: np.array([runs[i] for i in range(5)]) for setting, runs in rows.items()}


OFFICIAL = official()
RANDOM = ("similarity_capacity", "noise", "random_mask", "auto_modern", "hetero_modern")
COMPARED = sum(setting[0] in RANDOM for setting in OFFICIAL)
Z = NormalDist().inv_cdf(1 - 1e-3 / (2 * COMPARED))


@pytest.fixture(scope="module")
def images():
    if data.available()["fashion-mnist"] is None:
        pytest.skip("the full Fashion-MNIST is not here: apt install dataset-fashion-mnist")
    return data.load("fashion-mnist", limit=5000).x


def settings(experiment, similarity, separation, points):
    """The official settings of one curve, which must all be there."""
    keys = [(experiment, similarity, separation, *point) for point in points]
    missing = [key for key in keys if key not in OFFICIAL]
    assert not missing
    return keys


def same(sweep, keys):
    for i, key in enumerate(keys):
        ours = np.asarray(sweep.fraction[:, i, 0], np.float64)
        np.testing.assert_array_equal(np.rint(ours * key[4]), np.rint(OFFICIAL[key] * key[4]), key)


def alike(sweep, keys):
    for i, key in enumerate(keys):
        count = 5 * key[4]
        ours = float(np.asarray(sweep.fraction[:, i, 0], np.float64).mean())
        theirs = OFFICIAL[key].mean()
        share = (ours + theirs) / 2
        bound = Z * np.sqrt(2 * share * (1 - share) / count) + 1 / count
        assert abs(ours - theirs) <= bound, (key, ours, theirs, bound)


def test_every_official_number_has_its_test():
    names = {
        "similarity_capacity",
        "separation_capacity",
        "noise",
        "masking",
        "random_mask",
        "inpaint",
        "threshold",
        "auto_modern",
        "hetero_modern",
        "auto_classical",
        "hetero_classical",
    }
    assert {setting[0] for setting in OFFICIAL} == names
    sizes = collections.Counter(setting[0] for setting in OFFICIAL)
    assert sizes["separation_capacity"] == 9 * len(FULL.separation)
    assert sizes["similarity_capacity"] == 6 * len(FULL.capacity)
    assert sizes["noise"] == 6 * len(FULL.sigmas)
    assert sizes["masking"] == 6 * len(FULL.masks)
    assert sizes["random_mask"] == sizes["inpaint"] == 3 * len(FULL.lost)
    assert sizes["threshold"] == 3 * len(FULL.thresholds)
    assert 4 < Z < 5


@pytest.mark.slow
def test_separation_capacity_is_exact(images):
    found = ux.separation_capacity(images, SHAPE, FULL, KEY)
    assert set(found.curves) == set(ux.SEPARATIONS)
    points = [(0.5, n, 60.0) for n in FULL.separation]
    for separation, sweep in found.curves.items():
        same(sweep, settings("separation_capacity", "manhattan", separation, points))


def test_masking_is_exact(images):
    found = ux.masking(images, SHAPE, FULL, KEY)
    for name, sweep in found.curves.items():
        same(sweep, settings("masking", name, "max", [(f, 50, 60.0) for f in FULL.masks]))


def test_inpainting_is_exact(images):
    found = ux.inpainting(images, SHAPE, FULL, KEY)
    for name, sweep in found.curves.items():
        same(sweep, settings("inpaint", name, "max", [(f, 300, 60.0) for f in FULL.lost]))


def test_thresholds_are_exact(images):
    found = ux.thresholds(images, SHAPE, FULL, KEY)
    for name, sweep in found.curves.items():
        same(sweep, settings("threshold", name, "max", [(0.5, 250, t) for t in FULL.thresholds]))


@pytest.mark.parametrize("similarity", ux.SIMILARITIES)
def test_similarity_capacity_is_within_sampling_error(images, similarity):
    found = ux.similarity_capacity(images, FULL, KEY, (similarity,))
    points = [(0.5, n, 60.0) for n in FULL.capacity]
    keys = settings("similarity_capacity", similarity, "max", points)
    alike(found.curves[similarity], keys)


def test_noise_is_within_sampling_error(images):
    found = ux.noise(images, FULL, KEY)
    for name, sweep in found.curves.items():
        alike(sweep, settings("noise", name, "max", [(s, 100, 60.0) for s in FULL.sigmas]))


def test_random_masks_are_within_sampling_error(images):
    found = ux.random_mask(images, SHAPE, FULL, KEY)
    for name, sweep in found.curves.items():
        alike(sweep, settings("random_mask", name, "max", [(f, 300, 60.0) for f in FULL.lost]))


def test_modern_association_is_within_sampling_error(images):
    found = ux.association(images, SHAPE, FULL, KEY)
    for name, sweep in found.curves.items():
        points = [(0.3, n, 60.0) for n in FULL.capacity]
        alike(sweep, settings(f"{name}_modern", "dot", "max", points))


def test_classical_association_is_what_ties_allow(images):
    """Folded noise makes all queries one, so what is read is a vote of the stored rows.

    Where the vote of an entry is a tie, the last bit of the weights decides, in the official code
    and in attrax. So both must lie between the shares retrieved if each tie went wrong, or right.
    """
    found = ux.classical_association(images, SHAPE, FULL, KEY)
    raw = np.asarray(ux.runs_of(images, max(FULL.classical), 5))
    half = np.where(np.asarray(data.known_rows(0.5, SHAPE, top=True)), raw, 0)
    for name, source in (("auto", raw), ("hetero", half)):
        rows = np.sign(source - 0.5)
        for i, n in enumerate(FULL.classical):
            key = (f"{name}_classical", "dot", "identity", 1e-7, n, 60.0)
            for run in range(5):
                vote = rows[run, :n].sum(0)
                wrong = 4 * ((np.sign(vote) != rows[run, :n]) & (vote != 0)).sum(1)
                tied = 4 * (vote == 0).sum()
                low, high = (wrong + tied <= 60).mean(), (wrong <= 60).mean()
                for share in (OFFICIAL[key][run], float(found.curves[name].fraction[run, i, 0])):
                    assert low - 1e-6 <= share <= high + 1e-6, (key, run, share)


def test_five_models_are_instances():
    apart = universal_measures.instances(jax.random.key(1))
    assert len(apart) == 5
    assert max(apart.values()) < 1e-6


def test_the_energy_falls_and_a_wrong_one_is_caught():
    similarity, separation = universal_measures.SMOOTH["dot"]
    key = jax.random.key(1)
    assert universal_measures.lyapunov_rise(similarity, separation, key) < 2e-6

    # The same flow, and a potential of the wrong sign.
    class Inverted(eqx.Module):
        def __call__(self, scores):
            return separation(scores)

        def potential(self, scores):
            return -separation.potential(scores)

    assert universal_measures.lyapunov_rise(similarity, Inverted(), key) > 1e-3


def test_reverse_kl_does_not_see_masked_entries():
    rows = np.asarray(data.load("sample", limit=50).x)
    known = np.asarray(data.known_rows(0.5, SHAPE))
    shares = universal_measures.hidden_share(rows, known)
    assert shares["reverse_kl"] == 0
    assert shares["kl"] > 0.5


def test_patches_are_cut_from_the_images():
    images = np.arange(2 * 36, dtype=np.float32).reshape(2, 36)
    cut = universal_measures.patches(images, (6, 6), 3, seed=0)
    assert cut.shape == (2, 9)
    assert cut.min() == 0
    assert cut.max() == 1
    # Steps of one along a row and of six along a column, whatever the place.
    np.testing.assert_allclose(np.diff(cut.reshape(2, 3, 3), axis=2), 1 / 14, rtol=1e-5)
    np.testing.assert_allclose(np.diff(cut.reshape(2, 3, 3), axis=1), 6 / 14, rtol=1e-5)


def test_an_empty_query_has_no_score():
    keys = jnp.ones((3, 4))
    assert jnp.all(jnp.isnan(ux.SIMILARITIES["kl"](keys, jnp.zeros(4))))
    assert not jnp.any(jnp.isnan(ux.SIMILARITIES["kl"](keys, jnp.eye(4)[0])))


def test_fewer_images_mean_fewer_memories_or_runs():
    small = FULL.fit(60)
    assert small.capacity == (2, 5, 10, 20, 50)
    assert small.noise == 60
    assert FULL.fit(3).separation == (3,)
    rows = np.zeros((25, 4), np.float32)
    assert ux.runs_of(rows, 10, 5).shape == (2, 10, 4)
    assert ux.runs_of(rows, 30, 5).shape == (1, 25, 4)


@pytest.mark.slow
def test_the_quick_profile_fails_no_claim_on_the_sample(tmp_path):
    pytest.importorskip("matplotlib")
    found = universal_hopfield.run("quick", "sample", 0, tmp_path)
    assert not found.failed, found.table()
    assert [result.name for result in found.claims] == [c.name for c in universal_hopfield.CLAIMS]
    assert (tmp_path / "universal-hopfield" / "figure.png").stat().st_size > 50_000
    assert found.config["data"] == "sample"
