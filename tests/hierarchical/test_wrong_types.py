"""Wrong types, in a process of its own: in this one the check of annotations comes first."""

import re
import subprocess
import sys

SETTING = """
import jax.numpy as jnp
from attrax.hierarchical import *
from attrax.separation import Softmax
keys = jnp.eye(4, 3) + 0.1
layers = {"value": Neurons(3), "memory": Neurons(4)}
dense = DenseSynapse(keys)
network = HierarchicalMemory(layers, [dense])
def attempt(make):
    try:
        make()
    except (TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}".replace(chr(10), " "))
    else:
        print("no error")
"""

CASES = {
    "Neurons(3, Softmax())": "TypeError: `lagrangian` .* wrap a separation in SeparationLagrangian",
    "Neurons('3')": "ValueError: `shape` must be a positive whole number",
    "Neurons(2.5)": "ValueError: `shape` must be a positive whole number",
    "Neurons(3, tau='1')": "TypeError: `tau` must be a number",
    "SeparationLagrangian(len)": "TypeError: `separation` .* goes into ConvexFunction",
    "ConvexFunction(3)": "TypeError: `fn` must be a function, but it is int",
    "DenseSynapse(keys, ('a',))": "ValueError: `layers` must be the names of two layers",
    "DenseSynapse(keys, 'memory')": "ValueError: `layers` must be the names of two layers",
    "DenseSynapse('keys')": "TypeError: `weights` must hold numbers",
    "SimilaritySynapse(len, keys)": "TypeError: `similarity` .* wrap a function in Similarity",
    "HierarchicalMemory({'value': keys}, [dense])": "TypeError: `neurons` .* maps 'value' to",
    "HierarchicalMemory(3, [dense])": "TypeError: `neurons` must map names to Neurons",
    "HierarchicalMemory(layers, [keys])": "TypeError: `synapses` must be synapses such as Dense",
    "HierarchicalMemory(layers, dense)": "TypeError: `synapses` must be a sequence of synapses",
    "network.energy(keys)": "TypeError: `states` must map names of layers to arrays",
}


def test_wrong_types_are_refused_with_the_remedy():
    calls = "".join(f"attempt(lambda: {call})\n" for call in CASES)
    command = [sys.executable, "-c", SETTING + calls]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(CASES)
    for line, (call, pattern) in zip(lines, CASES.items(), strict=True):
        assert re.match(pattern, line), f"{call}: {line}"
