"""Networks made of networks: layers added, left out, clamped; two joined."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .neurons import Neurons
from .synapses import AbstractSynapse

Synapse = AbstractSynapse | Callable
# Names of layers, one or a tuple; `Any`, since type checkers take keys of mappings to the letter.
Joints = Mapping[Any, Synapse | Sequence[Synapse]]


def part_names(names: tuple[str, ...], edges: tuple) -> tuple[str, ...]:
    """A name for each edge: its layers' names, a single one twice, numbered where they recur."""
    found: list[str] = []
    for layers, _ in edges:
        plain = name = "-".join(layers * 2 if len(layers) == 1 else layers)
        count = 1
        while name in names or name in found:
            count += 1
            name = f"{plain} {count}"
        found.append(name)
    return tuple(found)


def rebuilt(network: Any, **changes: Any) -> Any:
    """The network with other `neurons`, `synapses` or `frozen` parts, checked anew."""
    parts = {
        "neurons": {name: network.neurons[name] for name in network.names},
        "synapses": network.joints,
        "frozen": network.frozen,
        **changes,
    }
    return type(network)(parts["neurons"], parts["synapses"], frozen=parts["frozen"])


def with_layer(network: Any, name: str, neurons: Neurons, synapses: Joints) -> Any:
    """See `HierarchicalMemory.with_layer`."""
    if name in network.names:
        raise ValueError(f"There is a layer {name!r} already; choose another name.")
    layers = {**{n: network.neurons[n] for n in network.names}, name: neurons}
    return rebuilt(network, neurons=layers, synapses=_merged(network.joints, synapses))


def without(network: Any, names: tuple[str, ...]) -> Any:
    """See `HierarchicalMemory.without`."""
    for name in names:
        _there(network, name)
    kept = {n: network.neurons[n] for n in network.names if n not in names}
    joints = {k: v for k, v in network.joints.items() if not set(k) & set(names)}
    surviving = {*kept, *part_names(tuple(kept), _edges(joints))}
    frozen = tuple(name for name in network.frozen if name in surviving)
    return rebuilt(network, neurons=kept, synapses=joints, frozen=frozen)


def joined(network: Any, other: Any, synapses: Joints) -> Any:
    """See `HierarchicalMemory.joined`."""
    if not isinstance(other, type(network)):
        raise TypeError(f"`other` must be a network, but it is {type(other).__name__}.")
    common = [name for name in network.names if name in other.names]
    if common:
        raise ValueError(
            f"Both networks have a layer {common[0]!r}; make one of them with another name."
        )
    layers = {n: part.neurons[n] for part in (network, other) for n in part.names}
    joints = _merged(_merged(network.joints, other.joints), synapses)
    frozen = (*network.frozen, *other.frozen)
    return rebuilt(network, neurons=layers, synapses=joints, frozen=frozen)


def clamp(network: Any, name: str, state: Any, where: Any) -> Any:
    """See `HierarchicalMemory.clamp`."""
    layer = _there(network, name)
    start = layer.start if state is None else state
    return _exchanged(network, name, layer, start, True if where is None else where)


def release(network: Any, name: str) -> Any:
    """See `HierarchicalMemory.release`."""
    layer = _there(network, name)
    return _exchanged(network, name, layer, layer.start, None)


def _exchanged(network, name, layer, start, clamped):
    new = Neurons(
        layer.shape, layer.lagrangian, layer.tau, layer.input, start=start, clamped=clamped
    )
    layers = {n: new if n == name else network.neurons[n] for n in network.names}
    return rebuilt(network, neurons=layers)


def _there(network, name) -> Neurons:
    if name not in network.names:
        known = ", ".join(repr(n) for n in network.names)
        raise ValueError(f"There is no layer {name!r}; the layers are {known}.")
    return network.neurons[name]


def _merged(first, second):
    if not isinstance(second, Mapping):
        raise TypeError(
            "`synapses` must map names of layers to what joins them, "
            f"but it is {type(second).__name__}."
        )
    found = {key: list(value) for key, value in first.items()}
    for key, value in second.items():
        layers = (key,) if isinstance(key, str) else key
        several = list(value) if isinstance(value, tuple | list) else [value]
        found[layers] = [*found.get(layers, []), *several]
    return found


def _edges(joints):
    return tuple((layers, 0) for layers, several in joints.items() for _ in several)
