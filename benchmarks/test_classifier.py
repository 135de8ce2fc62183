"""Training a dense classifier beside the notebook of its authors, in NumPy.

Needs a checkout of Dense_Associative_Memory, named by the environment variable `ATTRAX_RIVAL_DAM`.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from attrax.models import dense_classifier, train_dense_classifier

PIXELS, CLASSES, BATCH = 784, 10, 1000


@pytest.fixture(scope="module")
def notebook():
    """The source of its cell that trains."""
    folder = os.environ.get("ATTRAX_RIVAL_DAM")
    if folder is None:
        pytest.skip("set ATTRAX_RIVAL_DAM to a checkout of Dense_Associative_Memory")
    path = Path(folder) / "Dense_Associative_Memory_training.ipynb"
    sources = ["".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"]]
    (source,) = [source for source in sources if "VKS=np.zeros" in source]
    return "\n".join(line for line in source.splitlines() if not line.startswith("%"))


@pytest.mark.parametrize(
    ("count", "memories", "degree", "power"),
    [(1000, 2000, 3, 3), (1000, 2000, 20, 30), (1000, 100, 20, 30), (60_000, 2000, 3, 3)],
)
def test_training(versus, notebook, count, memories, degree, power):
    """One step of 1000 images of 784 pixels; and an epoch of sixty, which takes NumPy minutes."""
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(-0.6, 0.5, (count, PIXELS)), -1, 1)
    labels = rng.integers(0, CLASSES, count)
    code = compile(notebook, "notebook", "exec")
    nothing = SimpleNamespace(figure=lambda **_: None)

    def theirs():
        given = {
            "np": np,
            "plt": nothing,
            "draw_weights": lambda *_: None,
            "N": PIXELS,
            "Nc": CLASSES,
            "Ns": count,
            "Num": BATCH,
            "NsT": 1,
            "NumT": 2,
            "Nep": 1,
            "M": images.T,
            "Lab": np.where(labels == np.arange(CLASSES)[:, None], 1.0, -1.0),
            "MT": images[:1].T,
            "LabT": np.ones((CLASSES, 1)),
            "K": memories,
            "Kx": 1,
            "Ky": memories,
            "n": degree,
            "m": power,
            "eps0": 0.04,
            "f": 0.998,
            "p": 0.6,
            "Temp_in": 540.0,
            "Temp_f": 540.0,
            "thresh_pret": 200,
            "mu": -0.3,
            "sigma": 0.3,
            "prec": 1e-30,
        }
        exec(code, given)
        return given["KS"]

    key = jax.random.key(0)
    network = dense_classifier(
        PIXELS, CLASSES, memories=memories, degree=degree, temperature=540.0, key=key
    )

    def ours():
        run = train_dense_classifier(network, images, labels, epochs=1, power=power, key=key)
        return run.model.memories

    if count == BATCH:
        assert np.abs(theirs()).max() <= 1
    versus(ours, theirs, "the authors' NumPy", rounds=3 if count == BATCH else 1)
