"""Files that earlier versions wrote are read, and read alike."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import hierarchical as hier
from attrax import models
from attrax import separation as sep
from attrax import similarity as sim

FILES = Path(__file__).parent / "files"
VERSIONS = sorted(path for path in FILES.iterdir() if path.is_dir())


def memories():
    """A memory of every kind, with parts of every kind."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(6, 5)).astype(np.float32)
    signs = np.where(rows > 0, 1.0, -1.0).astype(np.float32)
    weights = jnp.asarray(rows)
    layers = {
        "visible": hier.Neurons(5, hier.Tanh(1.3)),
        "hidden": hier.Neurons(6, sep.Softmax(2.0), 0.1),
    }
    return {
        "default": attrax.Memory(rows),
        "parts": attrax.Memory(
            rows,
            rows[:, :2],
            similarity=sim.non_negative(sim.Euclidean()),
            separation=sep.TopK(3, sep.Power(2, scale=2.0)),
            filled=np.arange(6) != 4,
        ),
        "divergence": attrax.Memory(
            np.abs(rows),
            similarity=sim.KullbackLeibler(),
            separation=sep.SumNormalised(sep.Exponential(2.0)),
        ),
        "matrix": models.hopfield_network(signs),
        "binary": models.dense_memory(signs, 3),
        "classifier": models.DenseClassifier(jnp.asarray(signs), 2, 3, temperature=2.0),
        "network": hier.HierarchicalMemory(
            layers, {("visible", "hidden"): hier.DenseSynapse(weights)}
        ),
        "spherical": models.spherical_memory(rows),
    }


def answer(memory):
    """What a memory answers to a fixed query: numbers that must not change."""
    query = np.linspace(0.5, 1.5, 5).astype(np.float32)
    if isinstance(memory, models.DenseClassifier):
        return np.asarray(memory(jnp.asarray(query[:3])))
    if isinstance(memory, hier.HierarchicalMemory):
        return np.asarray(attrax.retrieve(memory, query, attrax.dynamics.OneRead()).state)
    if isinstance(memory, attrax.MatrixMemory | models.BinaryMemory):
        query = np.ones(5, np.float32)
    return np.asarray(memory(query))


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_files_of_a_version_are_read(folder):
    answers = json.loads((folder / "answers.json").read_text("utf-8"))
    assert set(answers) == {path.stem for path in folder.glob("*.attrax")}
    for name, expected in answers.items():
        memory = attrax.load(folder / f"{name}.attrax")
        np.testing.assert_allclose(answer(memory), expected, rtol=1e-4, atol=1e-6, err_msg=name)


def test_this_version_has_its_files():
    """Of an unreleased version: those that are there hold what is written today."""
    folder = FILES / attrax.__version__
    made = memories()
    assert {path.stem for path in folder.glob("*.attrax")} == set(made)
    for name, memory in made.items():
        assert type(attrax.load(folder / f"{name}.attrax")) is type(memory)


def test_files_name_classes_as_users_do(tmp_path):
    for name, memory in memories().items():
        attrax.save(tmp_path / name, memory)
        header = (tmp_path / name).read_bytes()[:4000].decode("latin1")
        classes = [text.split('"')[1] for text in header.split('"class": ')[1:]]
        assert classes, name
        for public in classes:
            room, _, last = public.rpartition(".")
            assert room in ("attrax", *(f"attrax.{each}" for each in attrax.__dir__())), public
            assert last in dir(__import__(room, fromlist=[last])), public


if __name__ == "__main__":
    target = FILES / attrax.__version__
    target.mkdir()
    for label, made in memories().items():
        attrax.save(target / f"{label}.attrax", made)
    text = json.dumps({label: answer(made).tolist() for label, made in memories().items()})
    (target / "answers.json").write_text(text + "\n", encoding="utf-8")
