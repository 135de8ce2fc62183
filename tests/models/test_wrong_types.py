"""Wrong types, in a process of its own: in this one the check of annotations comes first."""

import re
import subprocess
import sys

SETTING = """
import numpy as np
from attrax.models import *
rows = np.eye(3)
def attempt(make):
    try:
        make()
    except (TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}".replace(chr(10), " "))
    else:
        print("no error")
"""

CASES = {
    "binary_dense_memory('rows')": "TypeError: `memories` must hold numbers",
    "binary_dense_memory([1.0, 2.0])": "ValueError: `memories` must have 2 axes",
    "binary_dense_memory(rows, 2)": "TypeError: `lagrangian` must be a Lagrangian or a separation",
    "binary_dense_memory(rows, gain='2')": "TypeError: `gain` must be a number",
    "graded_response_memory(rows, np.tanh)": "TypeError: .* a convex function in ConvexFunction",
    "log_sum_exp_memory(rows, [1.0, 2.0])": "ValueError: `beta` must be one number",
    "spherical_memory(rows, decay=None)": "TypeError: `decay` must be a number",
    "effective_energy(log_sum_exp_memory(rows), {}, 'x')": "ValueError: `layer` is 'x', but the",
    "effective_energy(log_sum_exp_memory(rows), rows)": "TypeError: `states` must map names",
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


def test_wrong_types_say_what_is_wrong():
    lines = [f"attempt(lambda: {call})" for call in CASES]
    code = SETTING + "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = done.stdout.splitlines()
    assert len(found) == len(CASES)
    missed = [
        (call, line)
        for (call, text), line in zip(CASES.items(), found, strict=True)
        if not re.match(text, line)
    ]
    assert not missed
