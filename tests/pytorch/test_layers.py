"""The layers of attrax.nn through the door for PyTorch, and hflayers with its weights."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import attrax.torch  # noqa: E402
from attrax import nn  # noqa: E402
from attrax.dynamics import FixedPoint  # noqa: E402
from attrax.training.parameters import leaves_of  # noqa: E402

KEY = jax.random.key(0)


def attention(**options):
    return nn.HopfieldAttention(8, heads=2, key=KEY, **options)


def block(**options):
    return nn.EncoderBlock(attention(), feedforward=16, key=KEY, **options)


LAYERS = {
    "attention": (attention, 1),
    "steps": (lambda: attention(steps=3, norm=True), 1),
    "fixed point": (lambda: attention(dynamics=FixedPoint()), 1),
    "other rows": (lambda: attention(zero=True, learnt=True), 2),
    "pooling": (lambda: nn.HopfieldPooling(8, quantity=2, heads=2, key=KEY), 1),
    "lookup": (lambda: nn.HopfieldLookup(8, memories=5, values=3, key=KEY), 1),
    "encoder": (block, 1),
    "prototypes": (lambda: nn.PrototypeLayer(8, classes=3, per_class=2, key=KEY), 0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_those_of_jax(name):
    make, inputs = LAYERS[name]
    layer, generator = make(), torch.Generator().manual_seed(0)
    shape = (3, 8) if inputs == 0 else (3, 5, 8)
    tensors = [
        torch.randn(shape, generator=generator).requires_grad_() for _ in range(max(1, inputs))
    ]
    module = attrax.torch.Module(layer).eval()
    found = module(*tensors)
    found.sin().sum().backward()
    leaves, structure = jax.tree.flatten(eqx.nn.inference_mode(layer))
    marks = list(leaves_of(layer))
    learning = [i for i, leaf in enumerate(marks) if leaf.learns]

    def loss(learnt, *inputs):
        now = list(leaves)
        for i, value in zip(learning, learnt, strict=True):
            now[i] = value
        out = jax.vmap(jax.tree.unflatten(structure, now))(*inputs)
        return jnp.sum(jnp.sin(out)), out

    given = [jnp.asarray(tensor.detach().numpy()) for tensor in tensors]
    every = tuple(range(1 + len(given)))
    slopes, out = jax.grad(loss, every, has_aux=True)([leaves[i] for i in learning], *given)
    np.testing.assert_allclose(found.detach(), out, rtol=1e-5, atol=1e-6)
    for tensor, slope in zip(tensors, slopes[1:], strict=True):
        np.testing.assert_allclose(tensor.grad, slope, rtol=1e-4, atol=1e-5)
    ours = dict(module.named_parameters())
    assert len(ours) == len(learning)
    for i, slope in zip(learning, slopes[0], strict=True):
        name = jax.tree_util.keystr(marks[i].path, simple=True, separator=".")
        if marks[i].positive:
            slope, name = slope * leaves[i], name.removesuffix("beta") + "log_beta"
        np.testing.assert_allclose(ours[name].grad, slope, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["attention", "encoder", "pooling", "lookup"])
def test_dropout_needs_nothing_but_the_mode(name):
    make = {
        "attention": lambda: attention(dropout=0.5),
        "encoder": lambda: block(dropout=0.5),
        "pooling": lambda: nn.HopfieldPooling(8, heads=2, dropout=0.5, key=KEY),
        "lookup": lambda: nn.HopfieldLookup(8, memories=5, dropout=0.5, key=KEY),
    }[name]
    module, x = attrax.torch.Module(make()), torch.randn(3, 5, 8)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def test_masks_and_flags():
    module, x = attrax.torch.Module(attention()), torch.randn(3, 5, 8)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[:, 3:] = False
    assert torch.allclose(module(x, mask=mask)[:, :3], module(x[:, :3]), atol=1e-6)
    assert torch.allclose(module(x, causal=True)[:, :1], module(x[:, :1]), atol=1e-6)


def test_a_checkpoint_of_hflayers_goes_on_in_torch():
    hflayers = pytest.importorskip("hflayers")
    torch.manual_seed(0)
    options = {"num_heads": 2, "update_steps_max": 2, "scaling": 0.5}
    theirs = hflayers.Hopfield(input_size=8, **options, update_steps_eps=1e-30)
    ours = attrax.torch.Module(nn.from_hflayers(theirs.state_dict(), **options))
    x = torch.randn(3, 5, 8, requires_grad=True)
    found = []
    for out in (theirs(x), ours(x)):
        x.grad = None
        out.sin().sum().backward()
        found.append((out.detach(), x.grad.clone()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    weight = theirs.association_core.out_proj.weight.grad
    torch.testing.assert_close(ours.output_map.weight.grad, weight, rtol=1e-4, atol=1e-5)
