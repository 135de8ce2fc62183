"""Fast weights against a loop in NumPy: all rules, chunks, states, slopes and narrow floats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_triangular

from attrax import Memory
from attrax.nn import fast_weights
from attrax.nn.delta import unit_lower_inverse
from attrax.separation import Identity
from attrax.similarity import DPFP, Kernel

L, P, V = 37, 6, 5
rng = np.random.default_rng(0)
QUERIES, KEYS, VALUES = (rng.normal(size=(L, n)) for n in (P, P, V))
KEYS = KEYS / np.linalg.norm(KEYS, axis=1, keepdims=True)
RATE, STATE = rng.uniform(size=L), rng.normal(size=(V, P))
BY_TOKEN, BY_FEATURE = (-rng.exponential(size=shape) for shape in (L, (L, P)))
ERASE, GATE = rng.uniform(size=(L, P)) * KEYS, rng.uniform(size=(L, V))
CASES = {
    "sum": {"rule": "sum"},
    "sum, rates and decays": {"rule": "sum", "rate": GATE, "log_decay": BY_FEATURE},
    "delta": {"rate": RATE, "state": STATE},
    "delta at full rate": {},
    "gated delta": {"rate": RATE, "log_decay": BY_TOKEN, "state": STATE},
    "a decay each feature": {"rate": RATE, "log_decay": BY_FEATURE},
    "erased and written apart": {"erase": ERASE, "rate": GATE, "log_decay": BY_FEATURE},
    "erased under other keys": {"erase": ERASE, "rate": RATE, "log_decay": BY_TOKEN},
    "it forgets all at once": {"rate": RATE, "log_decay": 60 * BY_FEATURE},
}


def loop(queries, keys, values, *, rule="delta", rate=None, erase=None, log_decay=None, state=None):
    """What is read and the last state, one token after another, with the matrices written out."""
    memory = np.zeros((values.shape[1], keys.shape[1])) if state is None else state
    rate = np.ones(len(keys)) if rate is None else rate
    outputs = []
    for t, (query, key, value) in enumerate(zip(queries, keys, values, strict=True)):
        if log_decay is not None:
            memory = memory @ np.diag(np.broadcast_to(np.exp(log_decay[t]), key.shape))
        if rule == "delta":
            erased = rate[t] * key if erase is None else erase[t]
            memory = memory @ (np.eye(len(key)) - np.outer(erased, key))
        memory = memory + np.outer(rate[t] * value, key)
        outputs.append(memory @ query)
    return np.array(outputs), memory


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_loop_token_by_token_and_in_chunks(name):
    expected = loop(QUERIES, KEYS, VALUES, **CASES[name])
    for chunk in (None, 8, "auto"):
        found = fast_weights(QUERIES, KEYS, VALUES, chunk=chunk, **CASES[name])
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["sum, rates and decays", "erased under other keys", "delta"])
def test_a_state_goes_on_where_it_was_left(name):
    options = {key: value for key, value in CASES[name].items() if key != "state"}
    whole, last = fast_weights(QUERIES, KEYS, VALUES, **options)
    state, parts = None, []
    for part in (slice(0, 20), slice(20, 21), slice(21, L)):
        own = {k: v if isinstance(v, str) else v[part] for k, v in options.items()}
        arrays = (x[part] for x in (QUERIES, KEYS, VALUES))
        read, state = fast_weights(*arrays, state=state, chunk=16, **own)
        parts.append(read)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-13)
    np.testing.assert_allclose(state, last, atol=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["sum", "gated delta", "erased and written apart"])
def test_slopes_are_those_of_the_recurrence(name):
    options = dict(CASES[name])
    fixed = {"rule": options.pop("rule", "delta")}
    given = {"queries": QUERIES, "keys": KEYS, "values": VALUES, **options}

    def loss(given, chunk):
        read, state = fast_weights(**given, **fixed, chunk=chunk)
        return jnp.sum(jnp.sin(read)) + jnp.sum(jnp.cos(state))

    ours, theirs = (jax.jit(jax.grad(loss), static_argnums=1)(given, c) for c in (8, None))
    for name in given:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-12, err_msg=name)


@pytest.mark.usefixtures("x64")
def test_a_write_of_the_delta_rule_is_a_step_down_the_squared_error():
    def error(state):
        return 0.5 * jnp.sum((state @ KEYS[0] - VALUES[0]) ** 2)

    first = (QUERIES[:1], KEYS[:1], VALUES[:1])
    _, after = fast_weights(*first, rate=RATE[:1], state=STATE)
    np.testing.assert_allclose(after, STATE - RATE[0] * jax.grad(error)(STATE), atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_the_sum_rule_is_the_superposed_memory():
    features = DPFP(2)
    memory = Memory(KEYS, VALUES, similarity=Kernel(features), separation=Identity()).superpose()
    keys = jax.vmap(features)(jnp.asarray(KEYS))
    _, state = fast_weights(jnp.zeros_like(keys), keys, VALUES, rule="sum")
    np.testing.assert_allclose(state, memory.matrix, atol=1e-14)


@pytest.mark.parametrize("size", [1, 3, 8, 12, 32, 64])
def test_equal_keys_do_not_spoil_the_inverse(size):
    # Powers of this matrix have entries of 10^17 that cancel in a series of them.
    below = np.tri(size, k=-1, dtype=np.float32)
    found = np.asarray(unit_lower_inverse(jnp.asarray(below)))
    np.testing.assert_allclose(found, np.eye(size) - np.eye(size, k=-1), atol=1e-6)
    drawn = 0.3 * np.tril(np.random.default_rng(size).normal(size=(size, size)), -1)
    identity = np.eye(size)
    expected = solve_triangular(identity + drawn, identity, lower=True)
    found = unit_lower_inverse(jnp.asarray(np.stack([drawn, below]), jnp.float32))[0]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_half_precision_is_summed_in_32_bits():
    half = [jnp.asarray(x, jnp.bfloat16) for x in (QUERIES, KEYS, VALUES)]
    read, state = fast_weights(*half, rate=jnp.asarray(RATE, jnp.bfloat16))
    assert (read.dtype, state.dtype) == (jnp.bfloat16, jnp.float32)
    wide = [np.asarray(x, np.float64) for x in (*half, jnp.asarray(RATE, jnp.bfloat16))]
    expected, last = loop(*wide[:3], rate=wide[3])
    np.testing.assert_allclose(state, last, atol=1e-5)
    np.testing.assert_allclose(np.asarray(read, np.float64), expected, rtol=0.01, atol=0.01)


def test_a_token_does_not_see_those_after_it():
    given = [x.astype(np.float32) for x in (QUERIES, KEYS, VALUES)]
    read, _ = fast_weights(*given, chunk=16)
    later = np.arange(L)[:, None] > 20
    other, _ = fast_weights(given[0], *(np.where(later, -x[::-1], x) for x in given[1:]), chunk=16)
    np.testing.assert_allclose(read[:21], other[:21], atol=1e-5)
    assert np.abs(np.asarray(read[21:] - other[21:])).min() > 0


WRONG = {
    "queries of another width": ({"queries": QUERIES[:, 1:]}, "`queries` must have the shape of"),
    "keys fewer than values": ({"keys": KEYS[1:]}, "`keys` must have a row for each of the 37"),
    "no tokens": ({"values": VALUES[:0]}, "`values` must have a token and an entry"),
    "a row of values": ({"values": VALUES[0]}, "`values` must have 2 axes"),
    "rates of features": ({"rate": GATE}, r"`rate` must have the shape of tokens, \(37,\), but"),
    "erasing sums": ({"rule": "sum", "erase": ERASE}, "`erase` is for the delta rule"),
    "decays that grow": ({"log_decay": -BY_TOKEN}, "`log_decay` is the logarithm of a number up"),
    "decays of values": ({"log_decay": GATE}, r"`log_decay` must have .* \(37,\) or \(37, 6\)"),
    "a state transposed": ({"state": STATE.T}, r"`state` must have .* \(5, 6\), but it has"),
    "chunks of none": ({"chunk": 0}, "`chunk` must be a positive whole number"),
    "missing numbers": ({"keys": np.where(KEYS > 1, KEYS, np.nan)}, "`keys` holds NaN"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_names_what_is_wrong(name):
    changed, text = WRONG[name]
    given = {"queries": QUERIES, "keys": KEYS, "values": VALUES, **changed}
    with pytest.raises((ValueError, TypeError), match=text):
        fast_weights(**given)
