"""Wrong configurations and calls of layers end in errors that say what to do."""

import re

import pytest

SETTING = """
import jax, numpy as np
from attrax import nn
from attrax.dynamics import FixedPoint, Langevin
from attrax.nn import HopfieldAttention
from attrax.separation import Max, Power, Softmax
KEY = jax.random.key(0)
def layer(**options):
    return HopfieldAttention(6, heads=2, key=KEY, **options)
def rows(*shape):
    return np.random.default_rng(0).normal(size=shape or (3, 6))
pool = nn.HopfieldPooling(6, key=KEY)
lookup = nn.HopfieldLookup(6, memories=4, key=KEY)
prototypes = nn.PrototypeLayer(6, classes=3, key=KEY)
"""
CASES = {
    # Configurations.
    "HopfieldAttention(0, key=KEY)": "ValueError: `query_size` must be a positive whole number",
    "HopfieldAttention(7, heads=2, key=KEY)": "ValueError: `query_size` must be a multiple of",
    "HopfieldAttention(6, heads=0, key=KEY)": "ValueError: `heads`",
    "HopfieldAttention(6, key=0)": "TypeError: `key` must be one key",
    "HopfieldAttention(6)": "TypeError: .* missing .* 'key'",
    "HopfieldAttention(6, 6, 5, connected=True, key=KEY)": "ValueError: `value_size` must be `key",
    "layer(steps=0)": "ValueError: `steps`",
    "layer(head_size=1.5)": "ValueError: `head_size`",
    "layer(value_head_size=-1)": "ValueError: `value_head_size`",
    "layer(project=('key',), head_size=4)": "ValueError: `query_size` must be `head_size`, 4",
    "layer(project=('query',), head_size=4)": "ValueError: `key_size` must be `head_size`, 4",
    "layer(project=('keys',))": "ValueError: `project` must be True, False or some of 'query'",
    "layer(norm='layer')": "ValueError: `norm` must be True, False or some of",
    "layer(project=('query', 'key'), output_size=3)": "ValueError: `output_size` is for",
    "layer(separation=Softmax)": "TypeError: `separation` must be one of attrax.separation",
    "layer(separation=Power(2))": "ValueError: Power is defined for non-negative scores",
    "layer(separation=Max(), beta=2.0)": "ValueError: `beta` is given, but Max has none",
    "layer(beta=[1.0, 2.0, 3.0])": "ValueError: `beta` must be one number, or one for each of 2",
    "layer(beta=0.0)": "ValueError: `beta` must be positive",
    "layer(beta='big')": "TypeError: `beta`",
    "layer(dynamics='fixed')": "TypeError: `dynamics` must be one of attrax.dynamics",
    "layer(dynamics=FixedPoint(), steps=2)": "ValueError: `dynamics` must not be random",
    "layer(dynamics=Langevin(0.1, step=0.1, steps=3))": "ValueError: `dynamics` must not be random",
    "layer(dropout=1.0)": "ValueError: `dropout` must be a number from 0 to below 1",
    "layer(implementation='fast')": "ValueError: `implementation` must be one of 'xla', 'cudnn'",
    "layer(implementation=3)": "TypeError: `implementation` must be",
    "layer(implementation='xla', steps=2)": "ValueError: `implementation` is for a softmax of one",
    "layer(activation='relu')": "TypeError: `activation` must be a function",
    "nn.HopfieldPooling(6, quantity=0, key=KEY)": "ValueError: `quantity`",
    "nn.HopfieldPooling(6, queries=rows(2, 6), key=KEY)": r"ValueError: .* shape \(1, 6\)",
    "nn.HopfieldPooling(6, attention=layer(), heads=2, key=KEY)": "ValueError: heads must not be",
    "nn.HopfieldPooling(5, attention=layer(), key=KEY)": "ValueError: `key_size` of `attention`",
    "nn.HopfieldPooling(6, attention='mine', key=KEY)": "TypeError: `attention` must be",
    "nn.HopfieldLookup(6, memories=1, key=KEY)": "ValueError: `memories` must be a whole number of",
    "nn.HopfieldLookup(6, memories=rows(1, 6), key=KEY)": "ValueError: .* the weight is always 1",
    "nn.HopfieldLookup(6, memories=3, values=rows(2, 6), key=KEY)": "ValueError: `values`",
    "nn.EncoderBlock(jax.nn.relu, key=KEY)": "TypeError: `attention` must be a HopfieldAttention",
    "nn.EncoderBlock(layer(output_size=3), key=KEY)": "ValueError: .* rows of its `query_size`, 6",
    "nn.EncoderBlock(layer(), dropout=2, key=KEY)": "ValueError: `dropout`",
    "nn.PrototypeLayer(6, classes=1, key=KEY)": "ValueError: `classes`",
    "nn.PrototypeLayer(6, classes=2, prototypes=rows(), key=KEY)": "ValueError: `prototypes`",
    "nn.from_hflayers({}, num_heads=2)": "ValueError: `weights` have no",
    "nn.from_hflayers({}, heads=2)": "ValueError: 'heads' is no option here",
    "nn.from_hflayers({}, association_activation='tanh')": "ValueError: `activation` must be the",
    # Calls.
    "layer()(rows(3, 5))": r"ValueError: `query` must have shape \(rows, 6\)",
    "layer()(rows(2, 3, 6))": "ValueError: `query` must have 2 axes",
    "layer()(rows(0, 6))": "ValueError: `query` has no rows",
    "layer()('text')": "TypeError: `query`",
    "layer()(rows(), rows(3, 5))": "ValueError: `keys` must have shape",
    "layer()(rows(), rows(4, 6), rows(5, 6))": "ValueError: `values` must have one row a key, 4",
    "layer()(rows(), mask=np.zeros(3))": "TypeError: `mask` must be boolean",
    "layer()(rows(), mask=np.zeros(4, bool))": r"ValueError: `mask` must have shape \(3,\), \(3, 3",
    "layer()(rows(), rows(4, 6), causal=True)": "ValueError: `causal` needs as many queries",
    "layer()(rows() * np.nan)": "ValueError: `query` holds NaN",
    "layer(dropout=0.1)(rows())": "ValueError: `key` is needed for dropout",
    "layer().memory(rows(), head=2)": "ValueError: `head` must be below 2",
    "HopfieldAttention(6, 4, key=KEY)(rows())": "ValueError: `keys` are needed: they have 4",
    "HopfieldAttention(6, 6, 4, key=KEY)(rows())": "ValueError: `values` are needed: they have 4",
    "pool(rows(3, 5))": "ValueError: `keys` must have shape",
    "lookup(rows(3, 5))": "ValueError: `query` must have shape",
    "prototypes(rows(3, 6))": "ValueError: `row` must have 1 axis",
    "prototypes(rows(5))": r"ValueError: `row` must have shape \(6,\)",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
