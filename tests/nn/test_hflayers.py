"""Against hflayers 1.0.2: what 45 drawn layers of it gave, with the slopes of all that they hold.

`files/hflayers.npz` is what `benchmarks/hflayers_configurations.py` makes, by running hflayers
itself in double precision, under PyTorch 2.13: for each layer its options, weights and inputs (of
32 bits), masks, outputs, and the derivatives of a random sum of its outputs.
Examples went through it one at a time: with several heads and static rows it gives examples of a
batch the rows of others. Its `update_steps_eps` was 1e-30, so that no step was left out.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import from_hflayers

# What hflayers' constructors were told that weights tell by themselves.
TOLD = {
    "update_steps_eps",
    "output_size",
    "disable_out_projection",
    "input_bias",
    "normalize_stored_pattern_affine",
    "normalize_state_pattern_affine",
    "normalize_pattern_projection_affine",
    "normalize_hopfield_space_affine",
    "quantity",
    "lookup_weights_as_separated",
}
COUNT = 45


@pytest.fixture(scope="module")
def archive(root):
    return np.load(root / "tests/files/hflayers.npz")


def parts(archive, number, kind):
    """Arrays of one configuration, by name."""
    begin = f"{number:02d}/{kind}/"
    return {name.removeprefix(begin): archive[name] for name in archive if name.startswith(begin)}


def asked(layer, kind, inputs, masks):
    """What a layer of attrax gives for one example, in hflayers' order of inputs."""
    there = {name: ~mask for name, mask in masks.items()}
    if kind == "Hopfield":
        stored, state, projection = inputs
        mask = there.get("stored_pattern_padding_mask", there.get("association_mask"))
        return layer(state, stored, projection, mask=mask)
    if kind == "HopfieldPooling":
        return layer(inputs[0], mask=there.get("stored_pattern_padding_mask")).reshape(-1)
    if kind == "HopfieldLayer":
        return layer(inputs[0])
    if kind == "Encoder":
        return layer(inputs[0], mask=there.get("src_key_padding_mask"), inference=True)
    rows, encoded = inputs
    mask = there.get("memory_key_padding_mask")
    return layer(rows, encoded, encoded_mask=mask, causal=True, inference=True)


@pytest.mark.parametrize("number", range(COUNT))
def test_outputs_and_slopes_are_those_of_hflayers(archive, number):
    configuration = json.loads(archive["configurations"].tobytes())[number]
    kind = configuration["kind"]
    options = {k: v for k, v in configuration["options"].items() if k not in TOLD}
    activation = jnp.tanh if "association_activation" in options else None
    weights = parts(archive, number, "weight")
    masks, inputs = parts(archive, number, "mask"), parts(archive, number, "input")
    inputs = [inputs[str(i)] for i in range(len(inputs))]
    cotangent = archive[f"{number:02d}/cotangent"].astype(np.float64)

    def outputs(weights, inputs):
        layer = from_hflayers(weights, activation=activation, **options)
        common = {name: mask for name, mask in masks.items() if name == "association_mask"}
        own = {name: mask for name, mask in masks.items() if "padding" in name}
        return jax.vmap(lambda inputs, own: asked(layer, kind, inputs, common | own))(inputs, own)

    def loss(weights, inputs):
        out = outputs(weights, inputs)
        return jnp.sum(out * cotangent), out

    with jax.enable_x64(True):
        moving = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (weights, inputs))
        slopes, out = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(*moving)
    near = {"rtol": 1e-7, "atol": 1e-7}
    np.testing.assert_allclose(out, archive[f"{number:02d}/output"], **near)
    for name, slope in parts(archive, number, "slope").items():
        np.testing.assert_allclose(slopes[0][name], slope, **near, err_msg=name)
    for name, slope in parts(archive, number, "input_slope").items():
        np.testing.assert_allclose(slopes[1][int(name)], slope, **near)
