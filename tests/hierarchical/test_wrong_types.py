"""Wrong types, in a plain interpreter: in this one the check of annotations comes first."""

import re

import pytest

SETTING = """
import jax.numpy as jnp
import numpy as np
import attrax
from attrax.hierarchical import *
from attrax.separation import Softmax
keys = jnp.eye(4, 3) + 0.1
layers = {"value": Neurons(3), "memory": Neurons(4)}
dense = DenseSynapse(keys)
both = ("value", "memory")
network = HierarchicalMemory(layers, {both: dense})
"""

CASES = {
    "Neurons(3, len)": "TypeError: `lagrangian` .* wrap a convex function in ConvexFunction",
    "Neurons(3, 4.0)": "TypeError: `lagrangian` must be a Lagrangian or a separation, .* float",
    "Neurons(3, Softmax)": "TypeError: `lagrangian` must be .* it is the class Softmax",
    "Neurons('3')": "ValueError: `shape` must be a positive whole number",
    "Neurons(2.5)": "ValueError: `shape` must be a positive whole number",
    "Neurons(3, tau='1')": "TypeError: `tau` must be a number",
    "Neurons(3, input='1')": "TypeError: `input` must hold numbers",
    "Neurons(3, clamped=3)": "TypeError: `clamped` must be boolean",
    "Tanh('1')": "TypeError: `beta` must be a number",
    "Tanh([1.0, 2.0])": "ValueError: `beta` must be one number",
    "LayerNorm(None)": "TypeError: `gamma` must be a number",
    "LayerNorm(epsilon='1')": "TypeError: `epsilon` must be a number",
    "LayerNorm(axis='1')": "TypeError: `axis` must be a whole number, several, or None",
    "SeparationLagrangian(len)": "TypeError: `separation` .* goes into ConvexFunction",
    "SeparationLagrangian(Softmax(), axis=1.0)": "TypeError: `axis` must be a whole number or None",
    "ConvexFunction(3)": "TypeError: `fn` must be a function, but it is int",
    "SynapseFunction(3)": "TypeError: `fn` must be a function, but it is int",
    "DenseSynapse('keys')": "TypeError: `weights` must hold numbers",
    "DenseSynapse([[1.0], [1.0, 2.0]])": "ValueError: `weights` must be a rectangular array",
    "DenseSynapse(1j * keys)": "TypeError: `weights` is complex",
    "ConvolutionSynapse(jnp.ones((2, 2, 1, 1)), stride=1.5)": "ValueError: `stride` must be",
    "ConvolutionSynapse(jnp.ones((2, 2, 1, 1)), padding='FULL')": "ValueError: `padding` must be",
    "PoolingSynapse(2)": "ValueError: `window` must have one size for each spatial axis",
    "PoolingSynapse((2, 2), 'median')": "ValueError: `kind` must be 'mean' or 'max'",
    "AttentionSynapse(keys, keys)": "ValueError: `queries` must have 3 axes",
    "AttentionSynapse(keys[None], keys[None], mask=keys)": "TypeError: `mask` must be boolean",
    "SimilaritySynapse(len, keys)": "TypeError: `similarity` .* wrap a function in Similarity",
    "HierarchicalMemory({'value': keys}, {both: dense})": "TypeError: `neurons` .* maps 'value' to",
    "HierarchicalMemory(3, {both: dense})": "TypeError: `neurons` must map names to Neurons",
    "HierarchicalMemory(layers, {both: keys})": "TypeError: What joins 'value', 'memory' must be a",
    "HierarchicalMemory(layers, {both: DenseSynapse})": "TypeError: .* it is the class DenseSyn",
    "HierarchicalMemory(layers, {3: dense})": "TypeError: `synapses` .* but has the key 3",
    "HierarchicalMemory(layers, {(): dense})": r"TypeError: `synapses` .* but has the key \(\)",
    "HierarchicalMemory(layers, dense)": "TypeError: `synapses` must map names of layers",
    "HierarchicalMemory(layers, [dense])": "TypeError: `synapses` must map names .* is list",
    "HierarchicalMemory(layers, {both: lambda g, f: f})": "ValueError: <lambda> must give one num",
    "HierarchicalMemory(layers, {both: dense}, frozen='value')": "TypeError: `frozen` must be",
    "network.energy(keys)": "TypeError: `states` must map names of layers to arrays",
    "network.relax({'value': keys[0], 'memory': keys[:, 0]}, order=3)": "TypeError: `order` must",
    "network.joined(dense, {})": "TypeError: `other` must be a network, but it is DenseSynapse",
    "network.joined(network, dense)": "ValueError: Both networks have a layer 'value'",
    "network.with_layer('new', dense, {('new',): dense})": "TypeError: `neurons` .* maps 'new' to",
    "network.with_layer('new', Neurons(3), dense)": "TypeError: `synapses` must map names",
    "network.without(3)": "ValueError: There is no layer 3; the layers are 'value', 'memory'",
    "network.clamp('memory', 'x')": "TypeError: `start` must hold numbers",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_types_are_refused_with_the_remedy(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
