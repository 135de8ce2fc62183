import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import ConvolutionSynapse, PoolingSynapse

RNG = np.random.default_rng(0)


def ends(size, window, stride, padding):
    """(before, after) and the number of windows along one axis."""
    if padding == "SAME":
        count = -(-size // stride)
        total = max((count - 1) * stride + window - size, 0)
        return total // 2, total - total // 2, count
    before, after = (0, 0) if padding == "VALID" else padding
    return before, after, (size + before + after - window) // stride + 1


def places(shape, window, stride, padding):
    """For each window: where it ends up above, and the (offset in it, place below) within."""
    paddings = [padding] * len(window) if isinstance(padding, str) else padding
    laid = [ends(*axis) for axis in zip(shape, window, stride, paddings, strict=True)]
    for above in itertools.product(*(range(count) for _, _, count in laid)):
        within = []
        for offset in itertools.product(*map(range, window)):
            below = tuple(
                a * s + o - before
                for a, s, o, (before, _, _) in zip(above, stride, offset, laid, strict=True)
            )
            if all(0 <= b < size for b, size in zip(below, shape, strict=True)):
                within.append((offset, below))
        yield above, within


CONVOLUTIONS = {
    "plain": ((5, 4), (3, 2), 1, "VALID"),
    "strided": ((7, 5), (3, 3), 2, "VALID"),
    "same": ((5, 4), (3, 2), 1, "SAME"),
    "same_strided": ((5, 4), (3, 2), (2, 3), "SAME"),
    "padded": ((4, 5), (3, 2), (2, 1), ((2, 1), (0, 3))),
    "line": ((6,), (3,), 2, ((1, 0),)),
    "volume": ((3, 4, 2), (2, 2, 2), 1, "VALID"),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_both_directions_of_a_convolution_by_loops(x64, looked_at, case):
    shape, window, stride, padding = CONVOLUTIONS[case]
    kernel = RNG.normal(size=(*window, 2, 3))
    strides = stride if isinstance(stride, tuple) else (stride,) * len(shape)
    found = list(places(shape, window, strides, padding))
    sizes = tuple(max(above[i] for above, _ in found) + 1 for i in range(len(shape)))
    lower, upper = RNG.normal(size=(*shape, 2)), RNG.normal(size=(*sizes, 3))
    up, down = np.zeros_like(upper), np.zeros_like(lower)
    for above, within in found:
        for offset, below in within:
            up[above] += lower[below] @ kernel[offset]
            down[below] += kernel[offset] @ upper[above]
    synapse = ConvolutionSynapse(kernel, stride=stride, padding=padding)
    energy, (feedback, drive) = looked_at(synapse, lower, upper)
    assert np.allclose(drive, up, rtol=0, atol=1e-12)
    assert np.allclose(feedback, down, rtol=0, atol=1e-12)
    assert np.allclose(energy, -np.sum(upper * up), rtol=1e-12)


@pytest.mark.parametrize(("stride", "padding"), [(1, "VALID"), (2, "VALID"), (2, "SAME")])
def test_the_feedback_is_the_transposed_convolution(x64, looked_at, stride, padding):
    kernel = RNG.normal(size=(3, 3, 2, 4))
    sizes = {"VALID": (3 - 1) * stride + 3, "SAME": 3 * stride}
    lower = np.zeros((sizes[padding], sizes[padding], 2))
    upper = RNG.normal(size=(3, 3, 4))
    _, (feedback, _) = looked_at(
        ConvolutionSynapse(kernel, stride=stride, padding=padding), lower, upper
    )
    expected = jax.lax.conv_transpose(
        upper[None], kernel, (stride, stride), padding, transpose_kernel=True
    )[0]
    assert np.allclose(feedback, expected, rtol=0, atol=1e-12)


POOLINGS = {
    "plain": ((4, 6), (2, 3), None, "VALID"),
    "left over": ((5, 4), (2, 2), None, "VALID"),
    "overlapping": ((5, 4), (3, 2), 1, "VALID"),
    "same": ((5, 4), (2, 3), (2, 2), "SAME"),
    "padded": ((4, 4), (2, 2), 2, ((1, 1), (0, 0))),
    "line": ((6,), (3,), None, "VALID"),
}


@pytest.mark.parametrize("kind", ["mean", "max"])
@pytest.mark.parametrize("case", POOLINGS)
def test_both_directions_of_pooling_by_loops(x64, looked_at, case, kind):
    shape, window, stride, padding = POOLINGS[case]
    strides = window if stride is None else (stride,) * len(shape)
    strides = stride if isinstance(stride, tuple) else strides
    found = list(places(shape, window, strides, padding))
    sizes = tuple(max(above[i] for above, _ in found) + 1 for i in range(len(shape)))
    lower, upper = RNG.normal(size=(*shape, 2)), RNG.normal(size=(*sizes, 2))
    up, down = np.zeros_like(upper), np.zeros_like(lower)
    for above, within in found:
        inside = [below for _, below in within]
        for channel in range(2):
            entries = [lower[(*below, channel)] for below in inside]
            if kind == "mean":
                # Feedback is spread evenly over what the window sees.
                up[(*above, channel)] = np.mean(entries)
                for below in inside:
                    down[(*below, channel)] += upper[(*above, channel)] / len(inside)
            else:
                # Feedback goes to the winner alone.
                up[(*above, channel)] = np.max(entries)
                down[(*inside[np.argmax(entries)], channel)] += upper[(*above, channel)]
    synapse = PoolingSynapse(window, kind, stride=stride, padding=padding)
    energy, (feedback, drive) = looked_at(synapse, lower, upper)
    assert np.allclose(drive, up, rtol=0, atol=1e-12)
    assert np.allclose(feedback, down, rtol=0, atol=1e-12)
    assert np.allclose(energy, -np.sum(upper * up), rtol=1e-12)


@pytest.mark.parametrize(
    ("synapse", "shapes"),
    [
        (ConvolutionSynapse(RNG.normal(size=(2, 2, 2, 3)), padding="SAME"), ((3, 3, 2), (3, 3, 3))),
        (PoolingSynapse((2, 2)), ((4, 4, 2), (2, 2, 2))),
        (PoolingSynapse((2, 2), "max"), ((4, 4, 2), (2, 2, 2))),
    ],
    ids=["convolution", "mean", "max"],
)
def test_half_precision_sums_in_single(looked_at, synapse, shapes):
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), synapse)
    layers = [RNG.normal(size=shape).astype(jnp.bfloat16) for shape in shapes]
    energy, drives = looked_at(narrow, *layers)
    wide, expected = looked_at(
        jax.tree.map(lambda leaf: leaf.astype(jnp.float32), narrow),
        *(layer.astype(np.float32) for layer in layers),
    )
    assert energy.dtype == jnp.float32
    assert np.allclose(energy, wide, rtol=1e-5)
    for drive, other in zip(drives, expected, strict=True):
        assert drive.dtype == jnp.bfloat16
        assert np.allclose(drive.astype(np.float32), other, rtol=0.02, atol=0.02)
