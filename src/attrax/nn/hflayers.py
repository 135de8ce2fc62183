"""Weights of hflayers, the PyTorch layers of the paper, in the layers of attrax."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..common.checks import as_floats
from ..dynamics import FixedPoint
from .blocks import DecoderBlock, EncoderBlock
from .hopfield import INPUTS, HopfieldAttention
from .pooling import HopfieldLookup, HopfieldPooling

# Arguments of hflayers' constructors that weights do not hold, with their defaults.
_OPTIONS: dict[str, Any] = {
    "num_heads": 1,
    "scaling": None,
    "update_steps_max": 0,
    "normalize_stored_pattern": True,
    "normalize_state_pattern": True,
    "normalize_pattern_projection": True,
    "normalize_hopfield_space": False,
    "stored_pattern_as_static": False,
    "state_pattern_as_static": False,
    "pattern_projection_as_static": False,
    "pattern_projection_as_connected": False,
    "input_size": None,
    "hidden_size": None,
    "pattern_size": None,
    "stored_pattern_size": None,
    "pattern_projection_size": None,
    "association_activation": None,
    "dropout": 0.0,
    "add_zero_association": False,
    "trainable": True,
    "lookup_targets_as_trainable": True,
}
_NORMS = {
    "query": ("normalize_state_pattern", "norm_state_pattern"),
    "key": ("normalize_stored_pattern", "norm_stored_pattern"),
    "value": ("normalize_pattern_projection", "norm_pattern_projection"),
}
_STATIC = {
    "query": "state_pattern_as_static",
    "key": "stored_pattern_as_static",
    "value": "pattern_projection_as_static",
}


def from_hflayers(
    weights: Mapping[str, Any],
    *,
    activation: Callable | None = None,
    scaling_as_released: bool = False,
    **options: Any,
) -> HopfieldAttention | HopfieldPooling | HopfieldLookup | EncoderBlock | DecoderBlock:
    """A layer of attrax with the weights of one of hflayers 1.0.2, and its outputs.

    `Hopfield` becomes `HopfieldAttention`, `HopfieldPooling` and `HopfieldLayer` become
    `HopfieldPooling` and `HopfieldLookup`, and its two transformer layers `EncoderBlock` and
    `DecoderBlock`. The names of the weights tell which it was.

    ```python
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    layer = attrax.nn.from_hflayers(weights, num_heads=4, scaling=0.25, update_steps_max=3)
    ```

    A file of weights does not hold what the constructor was told, so that has to be told again, by
    hflayers' own names; what is left out has hflayers' default. Inputs change places: hflayers
    takes (stored, state, projection), attrax (state, stored, values); masks are True for what takes
    part; there is one example, and `jax.vmap` for a batch; pooled vectors are not flattened.

    **Arguments:**

    - `weights`: arrays by name, as `state_dict` or a safetensors file has them.
    - `activation`: what `association_activation` named, as a function of JAX.
    - `scaling_as_released`: hflayers gives the entries of a tensor `scaling` to entries of the
      queries in turn rather than to heads. False gives each head its own, as is meant; True
      repeats what hflayers does, which is possible without updates and for projected states.
    - `options`: `num_heads`, `scaling`, `update_steps_max` and so on. An `update_steps_max` of
      `None` or below zero becomes `FixedPoint()`. Steps are never cut short: there is no
      `update_steps_eps`.

    **Raises:** `ValueError` for weights that are missing or do not fit the options, and for options
    that are unknown or have no counterpart.

    **Source:** [ramsauer2021hopfield]
    """
    unknown = set(options) - set(_OPTIONS)
    if unknown:
        raise ValueError(
            f"{', '.join(map(repr, sorted(unknown)))} is no option here; there are "
            f"{', '.join(_OPTIONS)}."
        )
    chosen = {**_OPTIONS, **options, "activation": activation, "released": scaling_as_released}
    if chosen["association_activation"] is not None and activation is None:
        raise ValueError(
            "`activation` must be the function that association_activation="
            f"{chosen['association_activation']!r} names, such as jax.numpy.tanh."
        )
    # Tensors become arrays; arrays that are being differentiated stay as they are.
    arrays = {
        name: value if isinstance(value, jax.Array) else np.asarray(value)
        for name, value in weights.items()
    }
    source = _Source(arrays, chosen)
    for mark, make in _KINDS.items():
        if any(name.startswith(mark) for name in arrays):
            return make(source)
    return _attention(source, "")


class _Source(NamedTuple):
    """Arrays by hflayers' names, and what its constructor was told."""

    arrays: Mapping[str, Any]
    options: Mapping[str, Any]

    def get(self, name: str, axes: int | None = None) -> Array | None:
        """An array, if there is one, with so many axes."""
        if name not in self.arrays:
            return None
        array = as_floats(name, self.arrays[name])
        return array if axes is None else array.reshape(-1, *array.shape[array.ndim - axes + 1 :])

    def need(self, name: str, axes: int | None = None) -> Array:
        """An array that must be there."""
        array = self.get(name, axes)
        if array is None:
            raise ValueError(
                f"`weights` have no {name!r}; they have {', '.join(sorted(self.arrays)) or 'none'}."
            )
        return array

    def projected(self, name: str) -> bool:
        """Whether an input has a projection."""
        return not self.options[_STATIC[name]]


class _Maps(NamedTuple):
    """Weights and biases of projections; `None` where there are none."""

    weights: dict[str, Array]
    biases: dict[str, Array]


def _maps(source: _Source, core: str) -> _Maps:
    """Those of the inputs, which hflayers keeps in one array or in three."""
    projected = [name for name in INPUTS if source.projected(name)]
    common = source.get(core + "in_proj_weight")
    if common is not None:
        if common.shape[0] % len(projected):
            raise ValueError(
                f"`in_proj_weight` of shape {common.shape} is not of {len(projected)} projections, "
                f"of {', '.join(projected)}: which inputs are static?"
            )
        weights = dict(zip(projected, jnp.split(common, len(projected)), strict=True))
    else:
        weights = {name: source.need(f"{core}{name[0]}_proj_weight") for name in projected}
    bias, biases, begin = source.get(core + "in_proj_bias"), {}, 0
    if bias is not None:
        for name in projected:
            size = weights[name].shape[0]
            # hflayers keeps a bias for values even where they have no projection.
            biases[name] = bias[begin : begin + size]
            begin += size
    return _Maps(weights, biases)


def _attention(source: _Source, prefix: str) -> HopfieldAttention:
    options, core = source.options, prefix + "association_core."
    maps, heads = _maps(source, core), options["num_heads"]
    out_weight = source.get(core + "out_proj.weight")
    head_size = options["hidden_size"]
    for name in ("query", "key"):
        if name in maps.weights:
            head_size = maps.weights[name].shape[0] // heads
    if head_size is None:
        head_size = _told(options, "hidden_size", "input_size")
    connected = options["pattern_projection_as_connected"]
    sizes = {
        name: maps.weights[name].shape[1] if name in maps.weights else head_size for name in INPUTS
    }
    if connected and source.projected("key"):
        sizes["value"] = sizes["key"]
    elif "value" not in maps.weights:
        sizes["value"] = options["pattern_size"] or options["pattern_projection_size"] or head_size
    values = maps.weights.get("value")
    norms = tuple(name for name in INPUTS if options[_NORMS[name][0]])
    steps = options["update_steps_max"]
    forever = steps is None or steps < 0
    count = 1 if steps is None or forever else steps + 1
    static = not maps.weights and not connected and out_weight is None
    scaling = options["scaling"]
    if scaling is None:
        scaling = 1.0 if static and not options["normalize_hopfield_space"] else head_size**-0.5
    layer = HopfieldAttention(
        sizes["query"],
        sizes["key"],
        sizes["value"],
        heads=heads,
        head_size=head_size,
        value_head_size=None if values is None else values.shape[0] // heads,
        output_size=None if out_weight is None else out_weight.shape[0],
        beta=1.0 if options["released"] else np.asarray(scaling, np.float32),
        steps=count,
        dynamics=FixedPoint() if forever else None,
        project=tuple(maps.weights) + (() if out_weight is None else ("output",)),
        connected=connected,
        norm=norms,
        head_norm=options["normalize_hopfield_space"],
        bias=bool(maps.biases) or core + "out_proj.bias" in source.arrays,
        zero=options["add_zero_association"],
        dropout=options["dropout"],
        activation=options["activation"],
        key=jax.random.key(0),
    )
    if options["released"]:
        maps = _scaled(maps, scaling, heads, steps)
    for name in maps.weights:
        layer = _linear(layer, f"{name}_map", maps.weights[name], maps.biases.get(name))
    if out_weight is not None:
        layer = _linear(layer, "output_map", out_weight, source.get(core + "out_proj.bias"))
    for name in norms:
        layer = _norm(layer, f"{name}_norm", source, prefix + _NORMS[name][1] + ".")
    return _norm(layer, "head_norm", source, core + "p_norm_")


def _scaled(maps: _Maps, scaling, heads: int, steps) -> _Maps:
    """Queries whose entries are scaled in turn, as hflayers does with a tensor."""
    if np.shape(scaling) != (heads,) or steps != 0 or "query" not in maps.weights:
        raise ValueError(
            "`scaling_as_released` is for a `scaling` of one number a head, projected states and "
            "update_steps_max=0: with further steps, what hflayers does is no choice of β."
        )
    factors = jnp.resize(as_floats("scaling", scaling), maps.weights["query"].shape[:1])
    weights = {**maps.weights, "query": maps.weights["query"] * factors[:, None]}
    biases = dict(maps.biases)
    if "query" in biases:
        biases["query"] = biases["query"] * factors
    return _Maps(weights, biases)


def _pooling(source: _Source) -> HopfieldPooling:
    attention, queries = _attention(source, "hopfield."), source.need("pooling_weights", 2)
    return HopfieldPooling(
        attention.key_size,
        quantity=queries.shape[0],
        attention=attention,
        queries=queries,
        trainable=source.options["trainable"],
        key=jax.random.key(0),
    )


def _lookup(source: _Source) -> HopfieldLookup:
    attention = _attention(source, "hopfield.")
    return HopfieldLookup(
        attention.query_size,
        memories=source.need("lookup_weights", 2),
        values=source.get("target_weights", 2),
        attention=attention,
        trainable=source.options["trainable"],
        trainable_values=source.options["lookup_targets_as_trainable"],
        key=jax.random.key(0),
    )


def _encoder(source: _Source) -> EncoderBlock:
    inner = _inner(source)
    attention = _attention(inner, "hopfield_association.")
    block = EncoderBlock(attention, **_block_options(source))
    block = _fed(block, source)
    return _norm(block, "around_attention.norm", source, "norm_residual.")


def _decoder(source: _Source) -> DecoderBlock:
    inner = _inner(source)
    own, cross = (_attention(inner, f"hopfield_association_{name}.") for name in ("self", "cross"))
    block = _fed(DecoderBlock(own, cross, **_block_options(source)), source)
    block = _norm(block, "around_attention.norm", source, "norm_residual_self.")
    return _norm(block, "around_cross.norm", source, "norm_residual_cross.")


_KINDS: dict[str, Callable[[_Source], Any]] = {
    "hopfield_association.": _encoder,
    "hopfield_association_self.": _decoder,
    "pooling_weights": _pooling,
    "lookup_weights": _lookup,
}


def _inner(source: _Source) -> _Source:
    """What the association within a block was told: dropout and activation are the block's."""
    return source._replace(options={**source.options, "dropout": 0.0, "activation": None})


def _block_options(source: _Source) -> dict[str, Any]:
    return {
        "feedforward": source.need("linear_residual.weight").shape[0],
        "dropout": source.options["dropout"],
        "activation": source.options["activation"],
        "key": jax.random.key(0),
    }


def _fed(block, source: _Source):
    for ours, theirs in (("wide", "linear_residual"), ("narrow", "linear_output")):
        weight, bias = (source.need(f"{theirs}.{part}") for part in ("weight", "bias"))
        block = _linear(block, f"feedforward.{ours}", weight, bias)
    return _norm(block, "around_feedforward.norm", source, "norm_output.")


def _linear(tree, path: str, weight: Array, bias: Array | None):
    """The tree with a linear map of these weights at a path."""
    layer = _at(path)(tree)
    if layer.weight.shape != weight.shape:
        raise ValueError(
            f"`{path}` has weights of shape {weight.shape}, but the options ask for "
            f"{layer.weight.shape}."
        )
    layer = eqx.tree_at(lambda layer: layer.weight, layer, weight)
    if bias is not None:
        layer = eqx.tree_at(lambda layer: layer.bias, layer, bias)
    return eqx.tree_at(_at(path), tree, layer)


def _norm(tree, path: str, source: _Source, name: str):
    """The tree with the scale and shift of a layer norm at a path, where it has those."""
    weight, bias = (source.get(name + part) for part in ("weight", "bias"))
    layer = _at(path)(tree)
    if weight is None or bias is None:
        return tree
    if layer is None or layer.weight.shape != weight.shape:
        raise ValueError(f"`weights` have {name}weight, but the options ask for no such norm.")
    layer = eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, (weight, bias))
    return eqx.tree_at(_at(path), tree, layer)


def _at(path: str) -> Callable:
    return operator.attrgetter(path)


def _told(options, *names):
    for name in names:
        if options[name] is not None:
            return options[name]
    raise ValueError(f"`{names[0]}` is needed: no weights tell it where all inputs are static.")
