"""The capacity sweep beside the official code of Universal Hopfield Networks.

Needs a checkout of it, named by the environment variable `ATTRAX_RIVAL_UHN`.
"""

import importlib.util
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import similarity

SIZES = (2, 5, 10, 20, 50, 100, 200, 300, 500, 700, 1000)


@pytest.fixture(scope="module")
def official():
    """Its module of functions."""
    pytest.importorskip("torch", reason="PyTorch is not installed: run `make rivals`")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: run `make rivals`")
    folder = os.environ.get("ATTRAX_RIVAL_UHN")
    if folder is None:
        pytest.skip("set ATTRAX_RIVAL_UHN to a checkout of Theory_Associative_Memory")
    path = Path(folder) / "functions.py"
    spec = importlib.util.spec_from_file_location("official_functions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sweep(images, *similarities):
    """The same experiment by attrax: noise σ = 0.5, the best row, threshold 60, every size."""
    from attrax import data, evaluate, separation

    patterns = jnp.asarray(images[None, :1000])
    sharp = separation.ScoreNormalised(separation.Max())

    def corrupt(row, level, *, key):
        return data.gaussian(row, level, folded=True, key=key)

    def run(sizes=SIZES):
        return [
            evaluate.capacity_sweep(
                patterns,
                sizes,
                similarity=part,
                separation=sharp,
                corrupt=corrupt,
                level=0.5,
                thresholds=(60.0,),
                key=jax.random.key(0),
            ).fraction
            for part in similarities
        ]

    return run


def theirs(official, images, functions, sizes):
    """One run of the official sweep; it draws its noise anew at every size."""
    import torch

    rows = torch.from_numpy(np.ascontiguousarray(images[:1000]))

    def run():
        for function in functions:
            for size in sizes:
                official.PC_retrieve_store_continuous(
                    rows,
                    size,
                    beta=1000,
                    num_plot=0,
                    f=function,
                    image_perturb_fn=official.gaussian_perturb_image,
                    sigma=0.5,
                    sep_fn=official.separation_max,
                    sep_param=1000,
                )

    return run


def test_capacity_sweep_beside_the_official_code(versus, official, images):
    """One run of three similarities, N = 2 to 1000."""
    ours = sweep(
        images,
        similarity.Euclidean("reciprocal"),
        similarity.Manhattan("reciprocal"),
        similarity.Dot("sum"),
    )
    functions = (
        official.euclidean_distance,
        official.manhatten_distance,
        official.normalized_dot_product,
    )
    versus(ours, theirs(official, images, functions, SIZES), "official code", 1 / 40, rounds=3)


def test_divergence_beside_the_official_code(versus, official, images):
    """Kullback-Leibler at N = 300."""
    ours = sweep(images[:300], similarity.KullbackLeibler(form="reciprocal"))
    run = theirs(official, images, (official.KL_divergence,), (300,))
    versus(lambda: ours((300,)), run, "official code", 1 / 200, rounds=3)
