"""Wrong calls: each ends in an error that names the argument and what to do.

The calls are made in a plain interpreter, as users make them: here, where annotations are checked
at run time, some would end in the checker's error instead of attrax's own.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import separation as sep
from attrax import similarity as sim
from attrax.dynamics import Asynchronous, FixedPoint, Flow, Iterate
from attrax.evaluate import basin_sweep, capacity_scan, success_bands
from attrax.learning import Hebb

ROWS = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
QUERY = ROWS[0]
HALF = np.arange(6) < 3


def memory(**options):
    options = {"similarity": sim.Dot(), "separation": sep.Softmax(1.0), **options}
    return attrax.Memory(ROWS, **options)


def with_entry(value):
    rows = ROWS.copy()
    rows[3, 2] = value
    return rows


def scan(make=None, **options):
    options = {"meaning": "tolerated_error", "draws": 2, "key": jax.random.key(0), **options}
    return capacity_scan(make or Hebb(), 20, **{"sizes": (2, 3), **options})


def basins(**options):
    rows = np.sign(ROWS[None, :3])
    options = {"distances": (1, 2), "key": jax.random.key(0), **options}
    return basin_sweep(Hebb(), rows, **options)


def mesh():
    return jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))


CALLS = {
    # Patterns.
    "patterns of one axis": (
        lambda: attrax.Memory(QUERY),
        ValueError,
        r"`patterns` must have 2 axes, but its shape is \(6,\)",
    ),
    "patterns of three axes": (
        lambda: attrax.Memory(ROWS[None]),
        ValueError,
        r"`patterns` must have 2 axes, but its shape is \(1, 12, 6\)",
    ),
    "no patterns": (
        lambda: attrax.Memory(ROWS[:0]),
        ValueError,
        r"`patterns` must have at least one row and one column, but its shape is \(0, 6\)",
    ),
    "patterns of no entries": (
        lambda: attrax.Memory(ROWS[:, :0]),
        ValueError,
        r"`patterns` must have at least one row and one column, but its shape is \(12, 0\)",
    ),
    "ragged patterns": (
        lambda: attrax.Memory([[1.0, 2.0], [3.0]]),
        ValueError,
        r"`patterns` must be a rectangular array of numbers",
    ),
    "patterns of text": (
        lambda: attrax.Memory([["a", "b"]]),
        TypeError,
        r"`patterns` must hold numbers",
    ),
    "patterns of nothing": (
        lambda: attrax.Memory(None),
        TypeError,
        r"`patterns` must hold numbers",
    ),
    "complex patterns": (
        lambda: attrax.Memory(ROWS + 1j),
        TypeError,
        r"`patterns` is complex; attrax works on real numbers",
    ),
    "patterns with NaN": (
        lambda: attrax.Memory(with_entry(np.nan)),
        ValueError,
        r"`patterns` holds NaN.*first at index \(3, 2\).*known=",
    ),
    "patterns with infinity": (
        lambda: attrax.Memory(with_entry(np.inf)),
        ValueError,
        r"`patterns` holds .*infinit.*\(3, 2\)",
    ),
    "a constant pattern": (
        lambda: attrax.Memory(np.concatenate([ROWS, np.full((1, 6), 0.1, np.float32)])),
        ValueError,
        r"Rows 12 of `patterns` are constant.*Leave them out, or use .*Euclidean\(\)",
    ),
    "patterns that are alike": (
        lambda: attrax.Memory(np.concatenate([ROWS, 2 * ROWS])),
        ValueError,
        r"Rows \d+ and \d+ can hardly be told apart by Correlation.*Softmax\(beta\)",
    ),
    "patterns that are no distributions": (
        lambda: memory(similarity=sim.KullbackLeibler()),
        ValueError,
        r"of `patterns` are negative somewhere.*Euclidean\(\)",
    ),
    # Values, masks, sizes.
    "values of one axis": (
        lambda: memory(values=np.ones(12)),
        ValueError,
        r"`values` must have 2 axes",
    ),
    "too few values": (
        lambda: memory(values=np.ones((11, 3))),
        ValueError,
        r"`values` must have one row a pattern, 12, but has 11",
    ),
    "values with NaN": (
        lambda: memory(values=with_entry(np.nan)),
        ValueError,
        r"`values` holds NaN",
    ),
    "a mask of numbers": (
        lambda: memory(filled=np.ones(12)),
        TypeError,
        r"`filled` must be boolean \(True = takes part\), but its entries are float",
    ),
    "a mask of another length": (
        lambda: memory(filled=np.ones(11, bool)),
        ValueError,
        r"`filled` must have shape \(12,\), but its shape is \(11,\)",
    ),
    "a mask of text": (lambda: memory(filled="abc"), TypeError, r"`filled` must be boolean"),
    "capacity below the rows": (
        lambda: memory(capacity=11),
        ValueError,
        r"`capacity` must be a whole number of at least 12 rows, but it is 11",
    ),
    "fractional capacity": (
        lambda: memory(capacity=12.5),
        ValueError,
        r"`capacity` must be a whole number",
    ),
    "a block of no rows": (
        lambda: memory(block=0),
        ValueError,
        r"`block` must be a positive whole number, but it is 0",
    ),
    "a block for what is read whole": (
        lambda: memory(similarity=lambda keys, query: keys @ query, block=4),
        ValueError,
        r"`block` was given, but .* read whole.*rowwise=True",
    ),
    # Parts.
    "a similarity by name": (
        lambda: memory(similarity="dot"),
        TypeError,
        r"`similarity` must be a similarity or a function.*it is str",
    ),
    "a similarity's class": (
        lambda: memory(similarity=sim.Dot),
        TypeError,
        r"`similarity` must be .*Dot\(\)",
    ),
    "a similarity of wrong shape": (
        lambda: memory(similarity=lambda keys, query: keys * query[None])(QUERY),
        ValueError,
        r"one score a key, shape \(12,\), but it returned \(12, 6\)",
    ),
    "a similarity without weights for a half": (
        lambda: attrax.retrieve(memory(similarity=lambda k, q: k @ q), QUERY, known=HALF),
        TypeError,
        r"`weight`",
    ),
    "a separation by name": (
        lambda: memory(separation="softmax"),
        TypeError,
        r"`separation` must be a separation or a function.*it is str",
    ),
    "a separation's class": (
        lambda: memory(separation=sep.Softmax),
        TypeError,
        r"`separation` must be .*Softmax\(",
    ),
    "a separation of wrong shape": (
        lambda: memory(separation=lambda scores: scores[:3])(QUERY),
        ValueError,
        r"one weight a score, shape \(12,\), but it returned \(3,\)",
    ),
    "a separation without mask for spare room": (
        lambda: memory(separation=lambda scores: scores, capacity=20)(QUERY),
        TypeError,
        r"takes no `mask`: give it a second argument",
    ),
    "an unknown projection": (
        lambda: memory(projection="mean"),
        ValueError,
        r"`projection` must be \"sum\" or \"centroid\", but it is 'mean'",
    ),
    "scores outside the domain": (
        lambda: memory(separation=sep.Power(2)),
        ValueError,
        r"Power is defined for non-negative scores.*non_negative\(similarity\)",
    ),
    "an unknown form": (
        lambda: sim.Euclidean("squared"),
        ValueError,
        r"`form` must be one of 'half_square', .*it is 'squared'",
    ),
    "a norm of order one half": (
        lambda: sim.Minkowski(0.5),
        ValueError,
        r"`p` must be at least 1, but it is 0.5",
    ),
    "negative smoothing": (
        lambda: sim.KullbackLeibler(epsilon=-1.0),
        ValueError,
        r"`epsilon` must not be negative, but it is -1.0",
    ),
    "a feature map that is none": (
        lambda: sim.Kernel(3),
        TypeError,
        r"`feature_map` must be a function of one row, but it is int",
    ),
    "a reciprocal of signed scores": (
        lambda: sim.non_negative(sim.Dot(), "reciprocal"),
        ValueError,
        r"how='reciprocal' is for scores that are never positive.*how='rectify'",
    ),
    "no beta": (lambda: sep.Softmax(0.0), ValueError, r"`beta` must be positive.*it is 0.0"),
    "a negative beta": (lambda: sep.GhostSoftmax(-1.0), ValueError, r"`beta` must be positive"),
    "beta of NaN": (
        lambda: sep.Exponential(float("nan")),
        ValueError,
        r"`beta` must be .*[nN]a[nN]",
    ),
    "an infinite beta": (lambda: sep.Softmax(float("inf")), ValueError, r"`beta` must be .*finite"),
    "several betas": (
        lambda: sep.Softmax(np.ones(3)),
        ValueError,
        r"`beta` must be one number, but its shape is \(3,\)",
    ),
    "beta of text": (
        lambda: sep.Softmax("2"),
        TypeError,
        r"`beta` must be .*number.*('2'|str)",
    ),
    "degree zero": (lambda: sep.Power(0), ValueError, r"`degree` must be positive, but it is 0"),
    "a negative scale": (lambda: sep.Power(2, scale=-1), ValueError, r"`scale` must be positive"),
    "alpha of softmax": (
        lambda: sep.Entmax(1.0),
        ValueError,
        r"`alpha` must exceed 1 \(1 is Softmax\), but it is 1.0",
    ),
    "the best none": (
        lambda: sep.TopK(0, sep.Softmax()),
        ValueError,
        r"`k` must be a positive whole number, but it is 0",
    ),
    "the best of the best": (
        lambda: sep.TopK(3, sep.Max()),
        TypeError,
        r"`then` must be an additive separation such as Softmax\(beta\).*it is Max",
    ),
    "the sum of the best": (
        lambda: sep.SumNormalised(sep.Max()),
        TypeError,
        r"`inner` must be an additive separation.*it is Max",
    ),
    "the sum of what sums to one": (
        lambda: sep.SumNormalised(sep.Entmax()),
        TypeError,
        r"Entmax",
    ),
    "shares of no separation": (
        lambda: sep.ScoreNormalised("softmax"),
        TypeError,
        r"`inner` must be a separation.*it is str",
    ),
    "several thresholds": (
        lambda: sep.Threshold(np.ones(2)),
        ValueError,
        r"`theta` must be one number, but its shape is \(2,\)",
    ),
    # Queries and writing.
    "a query of another length": (
        lambda: memory()(QUERY[:5]),
        ValueError,
        r"`query` must have shape \(6,\) like the stored patterns, but its shape is \(5,\)",
    ),
    "many queries at once": (
        lambda: memory()(ROWS),
        ValueError,
        r"`query` must be one state .* Use jax.vmap\(memory\)\(queries\) or attrax.retrieve",
    ),
    "a query with NaN": (
        lambda: memory()(QUERY * np.nan),
        ValueError,
        r"`query` holds NaN.*`attrax.retrieve`",
    ),
    "an infinite query": (
        lambda: memory()(QUERY * np.inf),
        ValueError,
        r"`query` holds .*infinit",
    ),
    "an energy that is not there": (
        lambda: memory(separation=sep.SumNormalised(sep.Power(3)), projection="sum").energy(QUERY),
        attrax.NoEnergyError,
        r"Weights divided by their own sum.*Softmax is",
    ),
    "a written key of another length": (
        lambda: memory().write(QUERY[:5]),
        ValueError,
        r"`key` must have shape \(6,\) like the stored patterns",
    ),
    "a written constant": (
        lambda: attrax.Memory(ROWS).write(np.ones(6)),
        ValueError,
        r"of `key` are constant",
    ),
    "a written value too many": (
        lambda: memory().write(QUERY, QUERY),
        ValueError,
        r"`value` must not be given.*Memory\(patterns, values\)",
    ),
    "a written value too few": (
        lambda: memory(values=np.ones((12, 3))).write(QUERY),
        ValueError,
        r"`value` must be given: this memory was made with values",
    ),
    "a written value of another length": (
        lambda: memory(values=np.ones((12, 3))).write(QUERY, np.ones(2)),
        ValueError,
        r"`value` must have shape \(3,\), but has \(2,\)",
    ),
    "forgetting what is not there": (
        lambda: memory().forget(12),
        IndexError,
        r"There is no memory at row 12 of 12",
    ),
    "forgetting twice": (
        lambda: memory().forget(3).forget(3),
        IndexError,
        r"There is no memory at row 3",
    ),
    "forgetting a fraction": (
        lambda: memory().forget(1.5),
        IndexError,
        r"`index` must be whole numbers or a mask",
    ),
    "forgetting by a short mask": (
        lambda: memory().forget(np.ones(5, bool)),
        IndexError,
        r"must have shape \(12,\), but its shape is \(5,\)",
    ),
    "forgetting a name": (lambda: memory().forget("a"), IndexError, r"`index` must be whole"),
    "an axis that the mesh lacks": (
        lambda: memory().shard(mesh(), "columns"),
        ValueError,
        r"`axis` must be one of \('rows',\), but it is 'columns'",
    ),
    "spreading what is read whole": (
        lambda: memory(separation=jax.nn.softmax).shard(mesh(), "rows"),
        ValueError,
        r"must be read whole, so its rows cannot be spread; use",
    ),
    # Retrieval and dynamics.
    "queries of another length": (
        lambda: attrax.retrieve(memory(), ROWS[:, :5]),
        ValueError,
        r"`queries` must have 6 entries along their last axis.*\(12, 5\)",
    ),
    "no queries": (
        lambda: attrax.retrieve(memory(), ROWS[:0]),
        ValueError,
        r"`queries` are empty: their shape is \(0, 6\)",
    ),
    "a query that is one number": (
        lambda: attrax.retrieve(memory(), 0.5),
        ValueError,
        r"`queries` must have 6 entries",
    ),
    "one number and its mask": (
        lambda: attrax.retrieve(memory(), 0.5, known=True),
        ValueError,
        r"`(known|queries)` must have",
    ),
    "queries with NaN": (
        lambda: attrax.retrieve(memory(), with_entry(np.nan)),
        ValueError,
        r"`queries` holds NaN.*\(3, 2\).*known=",
    ),
    "NaN in a known entry": (
        lambda: attrax.retrieve(memory(), with_entry(np.nan), known=HALF),
        ValueError,
        r"`queries` holds NaN",
    ),
    "queries of text": (
        lambda: attrax.retrieve(memory(), ["a"] * 6),
        TypeError,
        r"`queries` must hold numbers",
    ),
    "a known mask of numbers": (
        lambda: attrax.retrieve(memory(), QUERY, known=np.ones(6)),
        TypeError,
        r"`known` must be boolean \(True = the entry is right\)",
    ),
    "a known mask of another length": (
        lambda: attrax.retrieve(memory(), QUERY, known=np.ones(5, bool)),
        ValueError,
        r"`known` must have shape \(6,\).*its shape is \(5,\)",
    ),
    "knowing nothing": (
        lambda: attrax.retrieve(memory(), QUERY, known=np.zeros(6, bool)),
        ValueError,
        r"`known` must know at least one entry",
    ),
    "rows in place of a memory": (
        lambda: attrax.retrieve(ROWS, QUERY),
        TypeError,
        r"`memory` must be .*attrax.stores.AbstractStore, but it is ndarray.*attrax.Memory\(",
    ),
    "dynamics by name": (
        lambda: attrax.retrieve(memory(), QUERY, "iterate"),
        TypeError,
        r"`dynamics` must be one of attrax.dynamics.*it is str",
    ),
    "chunks of nothing": (
        lambda: attrax.retrieve(memory(), QUERY, chunk=0),
        ValueError,
        r"`chunk` must be a positive whole number, but it is 0",
    ),
    "a path of fixed points": (
        lambda: attrax.retrieve(memory(), QUERY, FixedPoint(), path=True),
        ValueError,
        r"FixedPoint keeps no path; use dynamics=attrax.dynamics.Iterate\(\)",
    ),
    "progress under jit": (
        lambda: jax.jit(lambda q: attrax.retrieve(memory(), q, progress=print).state)(QUERY),
        ValueError,
        r"`progress` needs concrete queries; leave it out under jit",
    ),
    "damping of nothing": (
        lambda: Iterate(0.0),
        ValueError,
        r"`damping` .*(positive|\(0, 1\])",
    ),
    "too much damping": (
        lambda: Iterate(jnp.asarray(2.0)),
        ValueError,
        r"`damping` is the share of the new state",
    ),
    "no tolerance": (
        lambda: Iterate(rtol=0.0, atol=0.0),
        ValueError,
        r"`rtol` and `atol` must not be negative, nor both zero",
    ),
    "no steps": (
        lambda: FixedPoint(max_steps=0),
        ValueError,
        r"`max_steps` must be a positive whole number, but it is 0",
    ),
    "no time": (lambda: Flow(0.0), ValueError, r"`time` must be positive.*it is 0.0"),
    # Units.
    "scans by a class": (
        lambda: scan(Hebb),
        TypeError,
        r"`make` must be a function of patterns .*Hebb\(\), but it is the class Hebb",
    ),
    "scans by name": (lambda: scan("hebb"), TypeError, r"`make` must be a function.*it is str"),
    "one size": (lambda: scan(sizes=5), ValueError, r"`sizes` must be whole numbers.*but it is 5"),
    "nested sizes": (
        lambda: scan(sizes=[[1], [2, 3]]),
        ValueError,
        r"`sizes` must be whole numbers of patterns from 1 on",
    ),
    "damage in words": (
        lambda: scan(meaning="error_correction", damage="a tenth"),
        TypeError,
        r"`damage` must be a number, but it is 'a tenth'",
    ),
    "no tolerance in words": (
        lambda: scan(tolerance="none"),
        TypeError,
        r"`tolerance` must be a number, but it is 'none'",
    ),
    "a tolerance that is none": (
        lambda: scan(tolerance=float("nan")),
        ValueError,
        r"`tolerance` must be a number, but it is NaN",
    ),
    "scans with dynamics by name": (
        lambda: scan(dynamics="asynchronous"),
        TypeError,
        r"`dynamics` must be one of attrax.dynamics.*but it is str",
    ),
    "basins with a class of dynamics": (
        lambda: basins(dynamics=Asynchronous),
        TypeError,
        r"`dynamics` must be one of attrax.dynamics, .*but it is Asynchronous",
    ),
    "basins with dynamics between two states": (
        lambda: basins(dynamics=Iterate(0.5)),
        TypeError,
        r"Iterate moves states a part of the way.*Asynchronous\(\)",
    ),
    "basins at one distance": (
        lambda: basins(distances=3),
        ValueError,
        r"`distances` must be whole numbers of units from 0 to 6, but it is 3",
    ),
    "basins at nested distances": (
        lambda: basins(distances=[[1], [2, 3]]),
        ValueError,
        r"`distances` must be whole numbers of units from 0 to 6",
    ),
    "a level in words": (
        lambda: scan().capacity(level="half"),
        TypeError,
        r"`level` must be a number, but it is 'half'",
    ),
    "a share in place of a count": (
        lambda: success_bands(0.3, 100),
        ValueError,
        r"`successes` are counts, whole numbers, but there is 0.3: multiply a share",
    ),
    "half a trial": (
        lambda: success_bands(3, 10.5),
        ValueError,
        r"`trials` are counts, whole numbers, but there is 10.5",
    ),
    "saving a rule": (
        lambda: attrax.save("rule.attrax", Hebb()),
        TypeError,
        r"`memory` is a Hebb, which a file cannot hold; save the memory itself",
    ),
    "a name that is not there": (
        lambda: attrax.Memry,
        AttributeError,
        r"attrax has no attribute 'Memry'. Did you mean attrax.Memory?",
    ),
}


def call(name):
    """The code of a call, for an interpreter that imports this file."""
    return f"CALLS[{name!r}][0]()"


@pytest.mark.plain("from test_bad_input import CALLS", [call(name) for name in CALLS])
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_ends_in_a_clear_error(name, answers):
    _, kind, pattern = CALLS[name]
    classes, text = answers[call(name)]
    assert kind.__name__ in classes, text
    assert re.search(pattern, text), text
    # One or two sentences.
    assert 15 < len(text) < 500


def test_there_are_many():
    assert len(CALLS) >= 40


def test_a_full_memory_says_so_at_run_time_under_jit():
    full = memory(capacity=12, filled=np.ones(12, bool))
    with pytest.raises(Exception, match=r"The memory is full\. Make it with a larger `capacity`"):
        jax.block_until_ready(jax.jit(lambda m, key: m.write(key).keys)(full, jnp.asarray(QUERY)))


def test_nan_under_jit_is_an_outcome():
    """Values cannot be looked at there, so the outcome tells."""
    found = jax.jit(lambda q: attrax.retrieve(memory(), q))(jnp.asarray(QUERY * np.nan))
    assert bool(found.outcome == attrax.Outcome.diverged)


def test_right_calls_near_the_wrong_ones_pass():
    """The table cannot pass because everything raises."""
    assert memory(filled=np.ones(12, bool), capacity=12, block=4)(QUERY).shape == (6,)
    assert memory()(QUERY.astype(int)).shape == (6,)
    assert attrax.retrieve(memory(), QUERY * np.where(HALF, 1, np.nan), known=HALF).state.shape == (
        6,
    )
    assert memory().forget(-1).forget([0, 1]).write(QUERY)(QUERY).shape == (6,)
    assert scan(sizes=range(2, 4), tolerance=0.1).each.value.shape == (2,)
    assert basins(distances=jnp.arange(3)).exact.value.shape == (3,)
    assert success_bands(30.0, 100).value.shape == ()
