"""Dwell times of episodic memory: closed forms, limits, derivatives, and the chain of filters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import theory


def test_strength_is_the_ratio_of_drives():
    np.testing.assert_allclose(theory.episodic_strength(0.7, 7.0, [1.0, 4.0]), [4.9, 2.45])


def test_without_lag_a_long_chain_has_the_closed_form():
    strength = np.array([1.01, 2.0, 4.9, 34.3, 1e4])
    expected = -20 * np.log(1 - 1 / np.sqrt(strength))
    np.testing.assert_allclose(theory.episodic_dwell(strength, 20.0), expected, rtol=1e-4)
    np.testing.assert_allclose(
        theory.episodic_first_dwell(strength, 20.0), -20 * np.log(1 - 1 / strength), rtol=1e-4
    )
    # Of two patterns in turn, A (1 − x)/(1 + x) = 1.
    two = -20 * np.log((strength - 1) / (strength + 1))
    np.testing.assert_allclose(theory.episodic_dwell(strength, 20.0, cycle=2), two, rtol=1e-3)
    long = theory.episodic_dwell(strength, 20.0, cycle=200)
    np.testing.assert_allclose(long[:3], expected[:3], rtol=1e-4)


def test_weak_delays_never_let_go():
    for strength in (0.5, 1.0):
        assert np.isinf(theory.episodic_dwell(strength, 20.0, features=1.0, cycle=7))
        assert np.isinf(theory.episodic_first_dwell(strength, 20.0))


@pytest.mark.parametrize("cycle", [3, 7])
@pytest.mark.parametrize(("strength", "delay"), [(4.9, 20.0), (4.9, 5.0), (34.3, 20.0), (1.2, 8.0)])
def test_lags_and_cycles_are_those_of_a_chain_of_filters(strength, delay, cycle):
    """Hidden neurons that switch at once, stepped through the exact filters in double precision."""
    step = 1e-3
    features, delays = np.zeros(cycle), np.zeros(cycle)
    features[0], on, switches = 1.0, 0, []
    decays = np.exp(-step), np.exp(-step / delay)
    for number in range(int(15 * cycle * delay / step / 5)):
        drives = features + strength * np.roll(delays, 1)
        best = int(np.argmax(drives))
        if best != on:
            on = best
            switches.append(number * step)
        target = np.arange(cycle) == on
        delays = features + (delays - features) * decays[1]
        features = target + (features - target) * decays[0]
    measured = np.diff(switches)[-1]
    found = theory.episodic_dwell(strength, delay, features=1.0, cycle=cycle)
    assert float(found) == pytest.approx(measured, rel=0.01)


def test_it_is_differentiable_mapped_and_compiled():
    dwell = jax.jit(lambda a, t: theory.episodic_dwell(a, t, features=1.0, cycle=7))
    for argument in (0, 1):
        slope = jax.grad(dwell, argument)(4.9, 20.0)
        h = 0.05
        moves = [h, 0.0] if argument == 0 else [0.0, h]
        ends = [dwell(4.9 + s * moves[0], 20.0 + s * moves[1]) for s in (1, -1)]
        assert float(slope) == pytest.approx(float(ends[0] - ends[1]) / (2 * h), rel=0.01)
    for strength in (0.5, 4.9):
        assert np.isfinite(jax.grad(lambda a: theory.episodic_dwell(a, 20.0))(strength))
        assert np.isfinite(jax.grad(lambda a: theory.episodic_first_dwell(a, 20.0))(strength))
    mapped = jax.vmap(dwell, (0, None))(jnp.array([2.0, 5.0]), 20.0)
    assert mapped.shape == (2,)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: theory.episodic_strength(-1.0, 7.0), "`cross_strength` must be at least 0"),
        (lambda: theory.episodic_strength(1.0, 0.0), "`gain` must be positive"),
        (lambda: theory.episodic_dwell(0.0, 20.0), "`strength` must be positive"),
        (lambda: theory.episodic_dwell(2.0, -1.0), "`delay` must be positive"),
        (lambda: theory.episodic_dwell(2.0, 2.0, features=2.0), "`features` must be below `delay`"),
        (lambda: theory.episodic_dwell(2.0, 2.0, cycle=1), "`cycle` must be at least 2"),
        (lambda: theory.episodic_first_dwell(2.0, 0.0), "`delay` must be positive"),
    ],
)
def test_arguments_out_of_their_range_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
