"""Makes tests/files/hflayers.npz: what drawn layers of hflayers give, and the slopes of it.

    .venv-rivals/bin/python benchmarks/hflayers_configurations.py tests/files/hflayers.npz

It needs PyTorch and a checkout of hopfield-layers, named by `ATTRAX_RIVAL_HFLAYERS`. Examples go
through a layer one at a time: with several heads and static rows hflayers gives examples of a batch
the rows of others.
"""

import json
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.environ["ATTRAX_RIVAL_HFLAYERS"])
from hflayers import Hopfield, HopfieldLayer, HopfieldPooling
from hflayers.transformer import HopfieldDecoderLayer, HopfieldEncoderLayer

COUNT, WIDTH, BATCH, STATES, ROWS = 45, 6, 2, 4, 5
KINDS = (
    "Hopfield", "Hopfield", "HopfieldPooling", "HopfieldLayer", "Hopfield", "Encoder",
    "Hopfield", "Decoder", "HopfieldLayer", "HopfieldPooling",
)  # fmt: skip
INPUTS = ("stored_pattern", "state_pattern", "pattern_projection")
rng = np.random.default_rng(2020)


def pick(*choices):
    return choices[rng.integers(len(choices))]


def normal(*shape):
    return torch.tensor(rng.standard_normal(shape), dtype=torch.float32)


def often(share):
    return bool(rng.random() < share)


def draw(kind):
    """Options of a layer; of the blocks only those of their association."""
    heads = pick(1, 2, 3)
    options = {
        "input_size": WIDTH,
        "num_heads": heads,
        "update_steps_max": pick(0, 0, 1, 3),
        "scaling": pick(None, 0.25, 1.0, 2.0),
        # No step is left out.
        "update_steps_eps": 1e-30,
    }
    if kind in ("Encoder", "Decoder"):
        return options
    for name in INPUTS:
        options[f"normalize_{name}"] = on = often(0.6)
        options[f"normalize_{name}_affine"] = on and often(0.7)
    hidden = pick(None, 4, 5)
    static = [often(0.2) for _ in range(3)]
    if any(static):
        # Static rows have the size of a head.
        hidden = WIDTH
    options["hidden_size"] = hidden
    options |= {
        f"{name}_as_static": is_static for name, is_static in zip(INPUTS, static, strict=True)
    }
    options["disable_out_projection"] = often(0.2)
    options["input_bias"] = often(0.8)
    if not options["disable_out_projection"]:
        options["output_size"] = pick(None, 3)
    options["add_zero_association"] = often(0.3)
    options["normalize_hopfield_space"] = often(0.25)
    affine = options["normalize_hopfield_space"] and hidden is not None
    options["normalize_hopfield_space_affine"] = affine
    options["association_activation"] = pick(None, None, "tanh")
    if not any(static):
        options["pattern_size"] = pick(None, None, 3)
        if kind == "Hopfield":
            options["stored_pattern_size"] = pick(None, 7)
            options["pattern_projection_size"] = pick(None, 8)
        if rng.random() < 0.25 and kind != "HopfieldLayer":
            options["pattern_projection_as_connected"] = True
            options["pattern_size"] = None
            options["pattern_projection_size"] = options.get("stored_pattern_size")
    if kind == "HopfieldPooling":
        options["quantity"] = pick(1, 3)
    if kind == "HopfieldLayer":
        options["quantity"] = pick(2, 5)
        options["lookup_weights_as_separated"] = often(0.5)
    return options


def made(kind, options):
    if kind == "Encoder":
        return HopfieldEncoderLayer(Hopfield(**options), dim_feedforward=9, dropout=0.0)
    if kind == "Decoder":
        sizes = {"stored_pattern_size": 7, "pattern_projection_size": 7}
        cross = Hopfield(**{**options, **sizes})
        return HopfieldDecoderLayer(Hopfield(**options), cross, dim_feedforward=9, dropout=0.0)
    classes = {c.__name__: c for c in (Hopfield, HopfieldPooling, HopfieldLayer)}
    return classes[kind](**options)


def given(kind, options):
    """Inputs and masks of a layer."""
    padded, associated = often(0.4), often(0.3)
    padding = torch.tensor(rng.random((BATCH, ROWS)) < 0.4)
    padding[:, 0] = False
    masks = {}
    if kind == "Hopfield":
        sizes = options.get("stored_pattern_size", 6), options.get("pattern_projection_size", 6)
        inputs = [normal(BATCH, ROWS, sizes[0]), normal(BATCH, STATES, WIDTH)]
        inputs.append(normal(BATCH, ROWS, sizes[1]))
        if padded:
            masks["stored_pattern_padding_mask"] = padding
        association = torch.tensor(rng.random((STATES, ROWS)) < 0.3)
        association[:, 1] = False
        if associated and not padded:
            masks["association_mask"] = association
        return inputs, masks
    if kind == "Decoder":
        inputs = [normal(BATCH, STATES, WIDTH), normal(BATCH, ROWS, 7)]
        if padded:
            masks["memory_key_padding_mask"] = padding
        masks["tgt_mask"] = torch.triu(torch.ones(STATES, STATES, dtype=torch.bool), 1)
        return inputs, masks
    if kind == "HopfieldLayer":
        return [normal(BATCH, STATES, WIDTH)], masks
    if padded:
        name = "src_key_padding_mask" if kind == "Encoder" else "stored_pattern_padding_mask"
        masks[name] = padding
    return [normal(BATCH, ROWS, WIDTH)], masks


def asked(module, kind, inputs, masks):
    """Outputs, one example at a time."""
    rows = []
    for i in range(BATCH):
        own = {n: m[i : i + 1] if "padding" in n else m for n, m in masks.items()}
        part = [x[i : i + 1] for x in inputs]
        if kind == "Decoder":
            rows.append(module(*part, **own))
        else:
            rows.append(module(tuple(part) if len(part) == 3 else part[0], **own))
    return torch.cat(rows)


def main(path):
    arrays, configurations = {}, []

    def keep(place, tensor, narrow=False):
        array = tensor.detach().numpy()
        arrays[f"{number:02d}/{place}"] = array.astype(np.float32) if narrow else array

    for number in range(COUNT):
        kind = KINDS[number % len(KINDS)]
        options = draw(kind)
        options = {k: v for k, v in options.items() if v is not None or k == "scaling"}
        module = made(kind, options)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(0.4 * normal(*parameter.shape))
        module.double().eval()
        inputs, masks = given(kind, options)
        inputs = [x.double().requires_grad_() for x in inputs]
        out = asked(module, kind, inputs, masks)
        cotangent = normal(*out.shape).double()
        (out * cotangent).sum().backward()
        for name, tensor in module.state_dict().items():
            keep(f"weight/{name}", tensor, narrow=True)
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                keep(f"slope/{name}", parameter.grad)
        for place, x in enumerate(inputs):
            keep(f"input/{place}", x, narrow=True)
            keep(f"input_slope/{place}", x.grad)
        keep("output", out)
        keep("cotangent", cotangent, narrow=True)
        for name, mask in masks.items():
            keep(f"mask/{name}", mask)
        configurations.append({"kind": kind, "options": options})
    arrays["configurations"] = np.frombuffer(json.dumps(configurations).encode(), np.uint8)
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
