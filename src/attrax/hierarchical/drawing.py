"""A network in words, and as a picture."""

import dataclasses
from typing import Any
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

import equinox as eqx
import numpy as np

from ..common.checks import is_concrete
from .synapses import times

# Text stands on shapes of its own light fill, so that it reads on any background.
_INK, _SOFT, _LINE, _PAPER = "#1b2433", "#4a5568", "#7c8798", "#f6f8fb"
_BOX, _BOX_EDGE, _VISIBLE, _VISIBLE_EDGE = "#eef2f9", "#5b6b86", "#d9e8ff", "#2f6fdb"
_TIED = ("#d1495b", "#1f9d8a", "#d98e04", "#7b5cd6", "#3d8bd1", "#b0579c")
_NAME, _SMALL = 14, 11
_BAND, _RADIUS, _LOOP, _GAP = 38, 8, 42, 26


def described(network: Any) -> str:
    """Layers and synapses, one a line."""
    lines = ["HierarchicalMemory"]
    wide = max(len(name) for name in (*network.names, *network.parts))
    for name in network.names:
        layer, notes = network.neurons[name], ", ".join(_layer_notes(network, name))
        lines.append(f"  {name:{wide}}  {layer.shape!s}  {layer.lagrangian.label}  {notes}")
    for part, (_, index) in zip(network.parts, network.edges, strict=True):
        synapse = network.synapses[index]
        words = [synapse.label, *(str(shape) for shape in _shapes(synapse))]
        words += [", ".join(notes)] if (notes := _part_notes(network, part, index)) else []
        lines.append("  ".join([f"  {part:{wide}}", *words]))
    return "\n".join(lines)


def _layer_notes(network, name) -> list[str]:
    layer = network.neurons[name]
    notes = [f"τ = {layer.tau:g}" if layer.tau else "fast"]
    notes += ["input"] if layer.input is not None else []
    if layer.clamped is not None:
        notes.append("clamped" if layer.whole else "partly clamped")
    return notes + (["frozen"] if name in network.frozen else [])


def _part_notes(network, part, index) -> list[str]:
    places = [p for p, (_, i) in zip(network.parts, network.edges, strict=True) if i == index]
    # A tied synapse is frozen in all its places.
    frozen = not set(places).isdisjoint(network.frozen)
    return ["tied"] * (len(places) > 1) + ["frozen"] * frozen


def _shapes(synapse) -> list[tuple[int, ...]]:
    fields = _fields(synapse).values()
    return [field.shape for field in fields if eqx.is_inexact_array(field) and field.ndim]


@dataclasses.dataclass
class _Node:
    """A layer or a synapse: its texts, and where it stands.

    `left` and `right` are how far it reaches from its middle at x, `row` how high its row is.
    """

    name: str
    layers: tuple[str, ...]
    texts: list[str]
    notes: list[str]
    width: float = 0.0
    height: float = 0.0
    row: float = 0.0
    left: float = 0.0
    right: float = 0.0
    x: float = 0.0
    y: float = 0.0
    level: int = 0
    colour: str = _BOX_EDGE
    loops: list["_Node"] = dataclasses.field(default_factory=list)


def drawn(network: Any) -> str:
    """The network as SVG source: the visible layer at the bottom, others above by distance."""
    layers, synapses = _layers(network), _synapses(network)
    levels = _levels(network)
    for node in synapses:
        if len(node.layers) == 1:
            layers[node.layers[0]].loops.append(node)
    for name, node in layers.items():
        node.level = levels[name]
        node.height = max(node.height, _LOOP * len(node.loops))
        node.right += max((2 * _GAP + 2 * _RADIUS + loop.width for loop in node.loops), default=0)
    joining = [node for node in synapses if len(node.layers) > 1]
    for node in joining:
        node.level = min(levels[name] for name in node.layers)
    _place_across(layers, joining)
    _place_upwards(layers, joining)
    return _svg(network, layers, joining)


def _layers(network) -> dict[str, _Node]:
    found = {}
    for name in network.names:
        layer, notes = network.neurons[name], _layer_notes(network, name)
        kind = f"{times(layer.shape)} · {_parameters(layer.lagrangian)}"
        last = " · ".join([*notes, *(["visible"] if name == network.visible else [])])
        node = _Node(name, (name,), [name, kind, last], notes)
        node.width = 28 + max(_wide(name, _NAME, bold=True), _wide(kind), _wide(last))
        node.height = 62
        node.left = node.right = node.width / 2
        node.left += _GAP * ("input" in notes)
        found[name] = node
    return found


def _synapses(network) -> list[_Node]:
    found = []
    indices = [index for _, index in network.edges]
    tied = [i for i in dict.fromkeys(indices) if indices.count(i) > 1]
    for part, (layers, index) in zip(network.parts, network.edges, strict=True):
        synapse, notes = network.synapses[index], _part_notes(network, part, index)
        kind = synapse.label.replace("Synapse", "")
        kind = "Self-attention" if kind == "Attention" and len(layers) == 1 else kind
        node = _Node(part, layers, [kind, _details(synapse, notes)], notes)
        node.width = 16 + max(_wide(text) for text in node.texts)
        node.left, node.right = _RADIUS + 4, _RADIUS + 6 + node.width
        if index in tied:
            node.colour = _TIED[tied.index(index) % len(_TIED)]
        found.append(node)
    return found


def _parameters(lagrangian) -> str:
    """The Lagrangian and its one number, where it, or the separation in it, has one."""
    words, fields = lagrangian.label, _fields(lagrangian)
    for part in fields.values():
        fields = {**fields, **(_fields(part) if isinstance(part, eqx.Module) else {})}
    for name, symbol in (("beta", "β"), ("gamma", "γ")):
        value = fields.get(name)
        if value is not None and is_concrete(value) and np.shape(value) == ():
            words += f" {symbol} = {float(value):.3g}"
    return words


def _fields(part) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def _details(synapse, notes) -> str:
    words = [times(shape) for shape in _shapes(synapse)]
    words += [synapse.remark] if synapse.remark else []
    return " · ".join([", ".join(words)] * bool(words) + notes)


def _levels(network) -> dict[str, int]:
    """How many synapses away from the visible layer; a part of its own starts at the bottom."""
    levels, level = {network.visible: 0}, 0
    while len(levels) < len(network.names):
        reached = {
            name
            for layers, _ in network.edges
            if any(levels.get(other) == level for other in layers)
            for name in layers
            if name not in levels
        }
        if reached:
            level += 1
            levels.update(dict.fromkeys(reached, level))
        elif level < max(levels.values()):
            level += 1
        else:
            levels[next(name for name in network.names if name not in levels)] = level = 0
    return levels


def _place_across(layers, joining) -> None:
    """X of each node: near what it joins, and apart from its neighbours."""
    for level in range(max(node.level for node in layers.values()) + 1):
        row = [node for node in layers.values() if node.level == level]
        below: dict[str, list[float]] = {node.name: [] for node in row}
        for name in below:
            for synapse in (s for s in joining if s.level == level - 1 and name in s.layers):
                below[name] += [layers[o].x for o in synapse.layers if layers[o].level < level]
        _spread(row, [_mean(places or [0.0]) for places in below.values()])
    for level in sorted({node.level for node in joining}):
        row = [node for node in joining if node.level == level]
        _spread(row, [_mean([layers[name].x for name in node.layers]) for node in row])


def _spread(row, wanted) -> None:
    edge, moved = -np.inf, []
    for wish, node in sorted(zip(wanted, row, strict=True), key=lambda pair: pair[0]):
        node.x = max(wish, edge + _GAP + node.left)
        edge = node.x + node.right
        moved.append(node.x - wish)
    for node in row:
        node.x -= _mean(moved)


def _place_upwards(layers, joining) -> None:
    """Y of each node, from the top down."""
    y = 0.0
    for level in reversed(range(max(node.level for node in layers.values()) + 1)):
        between = [node for node in joining if node.level == level]
        if between:
            far = max(abs(s.x - layers[n].x) for s in between for n in s.layers)
            room = min(110.0, max(30.0, 0.16 * far))
            above = any(layers[n].level > level for s in between for n in s.layers)
            for node in between:
                node.y = y + room * above + _BAND / 2
            y += room * above + _BAND + room
        row = [node for node in layers.values() if node.level == level]
        height = max(node.height for node in row)
        for node in row:
            node.y, node.row = y + height / 2, height
        y += height


def _mean(numbers) -> float:
    return sum(numbers) / len(numbers)


def _wide(text: str, size: int = _SMALL, *, bold: bool = False) -> float:
    """About how wide a text is, rather too wide: the font is the viewer's."""
    narrow, broad = "ijlt.,:;'|!()[] ·", "mwMW@%×<>="

    def one(letter):
        if east_asian_width(letter) in "WF":
            return 1.05
        if letter in narrow:
            return 0.4
        return 0.88 if letter in broad else 0.74 if letter.isupper() else 0.63

    return size * sum(map(one, text)) * (1.08 if bold else 1.0)


def _svg(network, layers, joining) -> str:
    nodes = [*layers.values(), *joining]
    margin = 16
    left = min(node.x - node.left for node in nodes) - margin
    right = max(node.x + node.right for node in nodes) + margin
    top = min(node.y - max(node.height, _BAND) / 2 for node in nodes) - margin
    low = max(node.y + max(node.height, _BAND) / 2 for node in nodes) + margin
    box = f"{left:.0f} {top:.0f} {right - left:.0f} {low - top:.0f}"
    size = f'width="{right - left:.0f}" height="{low - top:.0f}"'
    words = f"Network of {len(layers)} layers and {len(network.edges)} synapses"
    shapes = [
        *_lines(layers, joining),
        *(part for node in layers.values() for part in _layer_shapes(node, network.visible)),
        *(part for node in joining for part in _synapse_shapes(node)),
    ]
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {size} role="img"'
    font = f'<g font-family="Helvetica, Arial, sans-serif" font-size="{_SMALL}">'
    return "\n".join([f'{start} aria-label="{words}">', font, *shapes, "</g>", "</svg>"])


def _lines(layers, joining) -> list[str]:
    """From each synapse to its layers, bent between the rows only, so that none crosses a text."""
    ends: dict[tuple[str, int], list[_Node]] = {}
    for node in joining:
        for name in node.layers:
            side = 1 if layers[name].level > node.level else -1
            ends.setdefault((name, side), []).append(node)
    found = []
    for (name, side), synapses in ends.items():
        layer = layers[name]
        for i, node in enumerate(sorted(synapses, key=lambda node: node.x)):
            port = layer.x + 0.8 * layer.width * ((i + 1) / (len(synapses) + 1) - 0.5)
            leave = node.y - side * _BAND / 2
            meet = layer.y + side * layer.row / 2
            half = (leave + meet) / 2
            path = f"M{node.x:.1f} {node.y:.1f} V{leave:.1f} "
            path += f"C{node.x:.1f} {half:.1f} {port:.1f} {half:.1f} {port:.1f} {meet:.1f} "
            path += f"V{layer.y + side * layer.height / 2:.1f}"
            found.append(_path(path, node))
    return found


def _text(x, y, text, ink, more="") -> str:
    shown = escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}"{more}>{shown}</text>'


def _path(path, node) -> str:
    colour = node.colour if "tied" in node.notes else _LINE
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _layer_shapes(node, visible) -> list[str]:
    x, y = node.x - node.width / 2, node.y - node.height / 2
    fill, edge = (_VISIBLE, _VISIBLE_EDGE) if node.name == visible else (_BOX, _BOX_EDGE)
    found = []
    for i, loop in enumerate(node.loops):
        loop.x = node.x + node.width / 2 + _GAP
        loop.y = node.y + _LOOP * (i + 0.5 - len(node.loops) / 2)
        right = node.x + node.width / 2
        path = f"M{right:.1f} {loop.y - 9:.1f} C{right + 12:.1f} {loop.y - 19:.1f} "
        path += f"{loop.x:.1f} {loop.y - 19:.1f} {loop.x:.1f} {loop.y:.1f} "
        path += f"C{loop.x:.1f} {loop.y + 19:.1f} {right + 12:.1f} {loop.y + 19:.1f} "
        path += f"{right:.1f} {loop.y + 9:.1f}"
        found.append(_path(path, loop))
    if "input" in node.notes:
        arrow = f"M{x - _GAP:.1f} {node.y:.1f} H{x - 5:.1f} m-6 -4 l6 4 l-6 4"
        found.append(_path(arrow, node))
    # What is clamped stands in a thick frame, what is frozen in a broken one.
    clamped = any("clamped" in note for note in node.notes)
    found.append(_frame(x, y, node.width, node.height, fill, edge, node.notes, thick=clamped))
    middle = ' text-anchor="middle"'
    bold = f'{middle} font-weight="bold" font-size="{_NAME}"'
    for text, dy, ink, more in zip(
        node.texts, (-12, 6, 22), (_INK, _INK, _SOFT), (bold, middle, middle), strict=True
    ):
        found.append(_text(node.x, node.y + dy, text, ink, more))
    return [*found, *(part for loop in node.loops for part in _synapse_shapes(loop))]


def _synapse_shapes(node) -> list[str]:
    x, y, r = node.x, node.y, _RADIUS
    sign = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r - 1}"'
    if len(node.layers) > 2:
        sign = f'<path d="M{x:.1f} {y - r:.1f} l{r} {r} l-{r} {r} l-{r} -{r} z"'
    left = x + r + 4
    found = [
        f'{sign} fill="{node.colour}" stroke="{_PAPER}"/>',
        _frame(left, y - 16, node.width, 32, _PAPER, node.colour, node.notes, thick=False),
    ]
    heights = (-3, 11) if node.texts[1] else (4,)
    for text, dy, ink in zip(node.texts, heights, (_INK, _SOFT), strict=False):
        found.append(_text(left + 8, y + dy, text, ink))
    return found


def _frame(x, y, width, height, fill, edge, notes, *, thick) -> str:
    broken = ' stroke-dasharray="5 3"' if "frozen" in notes else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8"'
    line = f'stroke="{edge}" stroke-width="{3 if thick else 1.2}"{broken}'
    return f'<rect {place} fill="{fill}" {line}/>'
