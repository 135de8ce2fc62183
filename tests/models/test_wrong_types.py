"""Wrong types, in a plain interpreter: in this one the check of annotations comes first."""

import re

import pytest

SETTING = """
import numpy as np
from attrax.models import *
rows = np.eye(3)
import jax
KEY = jax.random.key(0)
"""

CASES = {
    "binary_dense_memory('rows')": "TypeError: `memories` must hold numbers",
    "binary_dense_memory([1.0, 2.0])": "ValueError: `memories` must have 2 axes",
    "binary_dense_memory(rows, 2)": "TypeError: `lagrangian` must be a Lagrangian or a separation",
    "binary_dense_memory(rows, gain='2')": "TypeError: `gain` must be a number",
    "graded_network(rows, np.tanh)": "TypeError: .* a convex function in ConvexFunction",
    "log_sum_exp_memory(rows, [1.0, 2.0])": "ValueError: `beta` must be one number",
    "spherical_memory(rows, decay=None)": "TypeError: `decay` must be a number",
    "effective_energy(log_sum_exp_memory(rows), {}, 'x')": "ValueError: `layer` is 'x', but the",
    "effective_energy(log_sum_exp_memory(rows), rows)": "TypeError: `states` must map names",
    "RandomFeatureMemory(np.tanh)": r"TypeError: `features` must be a RandomFeatures\(width, cou",
    "random_feature_memory(rows, 'hot', 4, key=KEY)": "TypeError: `beta` must be a number",
    "random_feature_memory(rows, 1.0, 2.5, key=KEY)": "ValueError: `count` must be a positive",
    "diffusion_sampler('2', 1.0, 9)": "TypeError: `start` must be a number",
    "diffusion_score(rows, 'here', 1.0)": "TypeError: `states` must hold numbers",
    "layered(3, DenseLayer(2))": "TypeError: `layers` must be a list of DenseLayer, Convolution",
    "layered(3, [2])": "TypeError: `layers` must hold DenseLayer, .* but 'hidden 1' is int",
    "layered(3, 'dense')": "TypeError: `layers` must hold DenseLayer, .* is str",
    "layered(3, {1: DenseLayer(2)})": "TypeError: `layers` must be a list",
    "layered(3, [DenseLayer('2')])": "ValueError: `shape` must be a positive whole number",
    "layered((4, 4, 1), [PoolingLayer(2)])": "ValueError: `window` of 'hidden 1' must have one",
    "layered((4, 4, 1), [PoolingLayer((2, 2), 'median')])": "ValueError: `kind` must be 'mean'",
    "layered((4, 4, 1), [ConvolutionLayer('2', (2, 2))])": "ValueError: .* positive whole numbers",
    "blocks_and_rules([[[1.0], [1.0]]], [['a']])": "TypeError: `rules` must hold whole numbers",
    "blocks_and_rules([[[1.0], [1.0]]], [0])": "ValueError: `rules` must have shape",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_types_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
