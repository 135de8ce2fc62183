import itertools
import re
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import (
    AttentionSynapse,
    ConvolutionSynapse,
    DenseSynapse,
    HierarchicalMemory,
    HyperSynapse,
    LateralSynapse,
    LayerNorm,
    Neurons,
    PoolingSynapse,
    SimilaritySynapse,
    Tanh,
)
from attrax.separation import Power, Softmax
from attrax.similarity import Manhattan

SVG = "{http://www.w3.org/2000/svg}"


def two_layers():
    layers = {"image": Neurons(784), "hidden": Neurons(100, Softmax(4.0), 0.1)}
    return HierarchicalMemory(layers, {("image", "hidden"): DenseSynapse(np.ones((100, 784)))})


def convolutional():
    some = np.arange(12).reshape(2, 2, 3) < 4
    layers = {
        "image": Neurons((9, 9, 1), Tanh(), clamped=True),
        "features": Neurons((4, 4, 3), Power(1, rectified=True), 0.5),
        "pooled": Neurons((2, 2, 3), Tanh(), 0.3, start=np.ones((2, 2, 3)), clamped=some),
        "label": Neurons(10, Softmax(), 0.0, np.ones(10)),
    }
    joints = {
        ("image", "features"): ConvolutionSynapse(np.ones((3, 3, 1, 3)), stride=2),
        ("features", "pooled"): PoolingSynapse((2, 2), "max"),
        ("pooled", "label"): DenseSynapse(np.ones((10, 12))),
    }
    return HierarchicalMemory(layers, joints, frozen=("image-features", "label"))


def hyper():
    layers = {
        "tokens": Neurons((3, 4), LayerNorm(axis=-1)),
        "a<b & \"c\" 'd'": Neurons((3, 4), LayerNorm(axis=-1)),
        "gate\x00\n": Neurons(5, Tanh(), 2.0),
        "context": Neurons(5, Tanh()),
    }
    a, b, c, d = layers
    weights = np.ones((1, 2, 4))
    attention, tied = AttentionSynapse(weights, weights), DenseSynapse(np.ones((5, 5)))
    joints = {
        a: [attention, lambda g: -jnp.sum(g)],
        b: attention,
        (a, b): AttentionSynapse(weights, weights),
        (a, c, d): HyperSynapse(np.ones((12, 5, 5))),
        (c, d): [tied, DenseSynapse(np.ones((5, 5)))],
        d: LateralSynapse(np.ones((5, 5))),
        (d, c): tied,
    }
    return HierarchicalMemory(layers, joints)


def drawn_graph(seed):
    """Up to six layers, joined at random by two, by three and with themselves."""
    rng = np.random.default_rng(seed)
    names = ["layer " + "x" * int(rng.integers(1, 9)) + str(i) for i in range(rng.integers(1, 7))]
    shapes = [(2, 2), (3, 4, 5), (7,)]
    layers = {n: Neurons(shapes[rng.integers(3)], Tanh(), input=None) for n in names}
    joints = {name: [jnp.sum] * int(rng.integers(1, 3)) for name in names if rng.random() < 0.4}
    joints[names[0],] = [jnp.sum]
    for name, before in zip(names[1:], names, strict=False):
        joints[before, name] = [lambda g, f: -jnp.sum(g) * jnp.sum(f)]
    for several in itertools.chain(
        itertools.combinations(names, 2), itertools.combinations(names, 3)
    ):
        if rng.random() < 0.2:
            joints[several] = [lambda *g: -sum(jnp.sum(one) for one in g)]
    if rng.random() < 0.5:
        # Distances vary when layers are not a chain.
        joints = {k: v for k, v in joints.items() if len(k) != 2 or rng.random() < 0.6}
        lonely = set(names) - {n for k in joints if isinstance(k, tuple) for n in k}
        joints.update({name: [jnp.sum] for name in lonely})
    return HierarchicalMemory(layers, joints)


def texts_of(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(SVG + "text")]


def boxes_of(svg):
    return [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
        for rect in ET.fromstring(svg).iter(SVG + "rect")
    ]


@pytest.mark.parametrize("make", [two_layers, convolutional, hyper])
def test_the_picture_is_well_formed_and_always_the_same(make):
    network = make()
    svg = network.draw()
    root = ET.fromstring(svg)
    assert root.tag == SVG + "svg"
    assert network._repr_svg_() == svg == make().draw()
    assert len(boxes_of(svg)) == len(network.names) + len(network.edges)
    assert len(list(root.iter(SVG + "circle"))) + svg.count(' z"') == len(network.edges)


def test_layers_are_named_and_described():
    assert texts_of(two_layers().draw()) == [
        "image",
        "784 · Quadratic",
        "τ = 1 · visible",
        "hidden",
        "100 · Softmax β = 4",
        "τ = 0.1",
        "Dense",
        "100 × 784",
    ]
    texts = texts_of(convolutional().draw())
    for text in (
        "9 × 9 × 1 · Tanh β = 1",
        "τ = 1 · clamped · visible",
        "4 × 4 × 3 · ReLU",
        "τ = 0.3 · partly clamped",
        "fast · input · frozen",
        "Convolution",
        "3 × 3 × 1 × 3, stride 2 × 2 · frozen",
        "Pooling",
        "max of 2 × 2",
    ):
        assert text in texts


def test_names_are_escaped_and_weights_in_several_places_marked():
    svg = hyper().draw()
    texts = texts_of(svg)
    assert "a<b & \"c\" 'd'" in texts
    assert "gate\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in texts
    assert "<lambda>" in texts
    assert texts.count("1 × 2 × 4, 1 × 2 × 4 · tied") == 2
    assert texts.count("5 × 5 · tied") == 2
    assert texts.count("Self-attention") == 2
    assert texts.count("Attention") == texts.count("Hyper") == texts.count("Lateral") == 1
    # One colour for each synapse that stands in two places.
    circles = [circle.get("fill") for circle in ET.fromstring(svg).iter(SVG + "circle")]
    assert sorted(circles.count(colour) for colour in set(circles)) == [2, 2, 4]


def test_a_similarity_is_named():
    layers = {"value": Neurons(6), "memory": Neurons(12, Softmax(3.0), 0.0)}
    synapse = SimilaritySynapse(Manhattan(), np.ones((12, 6)))
    network = HierarchicalMemory(layers, {("value", "memory"): synapse})
    assert "Manhattan Similarity" in texts_of(network.draw())
    assert "Manhattan SimilaritySynapse  (12, 6)" in repr(network)


def test_the_visible_layer_is_at_the_bottom_and_others_above_by_distance():
    boxes = boxes_of(convolutional().draw())
    heights = [y for _, y, _, _ in boxes[:4]]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 4


def points_of(path):
    """Points along the lines and curves of a path."""
    numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", path)]
    x, y, leave, x1, y1, x2, y2, x3, y3, end = numbers
    share = np.linspace(0, 1, 40)
    weights = [(1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3]
    xs = sum(w * v for w, v in zip(weights, (x, x1, x2, x3), strict=True))
    ys = sum(w * v for w, v in zip(weights, (leave, y1, y2, y3), strict=True))
    straight = np.linspace(y, leave, 10), np.linspace(y3, end, 10)
    xs = np.concatenate([np.full(10, x), xs, np.full(10, x3)])
    return xs, np.concatenate([straight[0], ys, straight[1]])


@pytest.mark.parametrize("seed", range(12))
def test_nothing_overlaps(seed):
    svg = drawn_graph(seed).draw()
    boxes = boxes_of(svg)
    for (x, y, w, h), (u, v, s, t) in itertools.combinations(boxes, 2):
        assert x + w <= u or u + s <= x or y + h <= v or v + t <= y
    root = ET.fromstring(svg)
    left, top, width, height = map(float, root.get("viewBox").split())
    for x, y, w, h in boxes:
        assert left <= x < x + w <= left + width
        assert top <= y < y + h <= top + height
    for path in root.iter(SVG + "path"):
        if path.get("d").count("V") != 2:
            continue
        xs, ys = points_of(path.get("d"))
        for x, y, w, h in boxes:
            inside = (x + 1 < xs) & (xs < x + w - 1) & (y + 1 < ys) & (ys < y + h - 1)
            assert not inside.any()
