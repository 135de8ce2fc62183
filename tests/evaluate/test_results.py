"""How results of `attrax.evaluate` print."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import evaluate

BAND = evaluate.Band(jnp.array([0.2, 0.5]), jnp.array([0.1, 0.4]), jnp.array([0.4, 0.7]))
SHARES = jnp.linspace(0, 0.9, 24).reshape(2, 4, 3)
RESULTS = {
    "Sweep": (evaluate.Sweep(SHARES, SHARES[..., 0], SHARES), ["fraction", "float32 (2, 4, 3)"]),
    "Band": (BAND, ["float32 (2,): 0.2 to 0.5", "low", "high"]),
    "CapacityScan": (
        evaluate.CapacityScan(
            "fixed_point",
            jnp.array([5, 10]),
            jnp.array([0.05, 0.1]),
            BAND,
            BAND,
            jnp.array([0.9, 0.8]),
            jnp.array([jnp.nan, 0.1]),
            jnp.ones((2, 3), jnp.int32),
        ),
        ["fixed_point", "5 to 10", "value 0.2 to 0.5, low 0.1 to 0.4, high 0.4 to 0.7"],
    ),
    "BasinSweep": (
        evaluate.BasinSweep(
            jnp.arange(3),
            BAND,
            BAND,
            jnp.ones(3),
            jnp.ones((3, 2), jnp.int32),
            jnp.ones((3, 2), jnp.int32),
            100,
        ),
        ["0 to 2", "probes", "100"],
    ),
    "Extrapolation": (
        evaluate.Extrapolation(jnp.array(0.138), jnp.array(-0.2), jnp.array(0.001)),
        ["0.138", "0.001"],
    ),
    "AdiabaticLimit": (
        evaluate.AdiabaticLimit(jnp.array([0.1, 0.01]), jnp.ones((5, 2))),
        ["0.01 to 0.1", "float32 (5, 2): 1"],
    ),
    "Descent": (
        evaluate.Descent(
            {"value": jnp.arange(6.0).reshape(2, 3), "memory": jnp.ones((2, 3))}, None
        ),
        ["value 0 to 5, memory 1"],
    ),
    "EnergyRates": (
        evaluate.EnergyRates(-jnp.ones(4), -jnp.ones(4), {"value": jnp.ones((4, 3, 3))}),
        ["hessians", "value 1"],
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_print_in_a_few_lines(name):
    found, texts = RESULTS[name]
    printed, page = repr(found), found._repr_html_()
    assert printed.splitlines()[0] == name
    assert len(printed.splitlines()) < 10
    assert max(map(len, printed.splitlines())) < 100
    for text in texts:
        assert text in printed
        assert text in page


def test_states_print_as_counts_of_their_kinds():
    patterns = np.sign(np.random.default_rng(0).normal(size=(3, 50)))
    states = np.stack([patterns[0], patterns[1], -patterns[2], np.sign(patterns.sum(0))])
    found = evaluate.classify_states(states, patterns)
    assert "2 stored, 1 reversed, 1 mixture" in repr(found)
    texts = []

    @jax.jit
    def look(found):
        texts.append(repr(found))
        return found.count

    look(found)
    assert "int32 (4,)" in texts[0]


def test_fixed_points_print_as_counts_of_their_kinds():
    found = evaluate.classify_fixed_points(np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4]))
    assert "1 pattern, 1 metastable, 1 average" in repr(found)
    assert "int32 (3,): 1 to 4" in repr(found)


def test_tracers_print():
    seen = []

    @jax.jit
    def look(band):
        seen.append(repr(band))
        return band.value

    look(BAND)
    assert "(2,)" in seen[0]
